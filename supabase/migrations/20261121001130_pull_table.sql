-- pull_table: what the caller may see of a streamed table and does not have yet.

-- Three steps, and the exposed function nests them. The first finds, past all rights, which keys changed
-- for the owners of the caller. The second is no definer: it reads these rows as the caller, under the
-- table's own policies, so a copy holds nothing that a select would not show. The third gives every
-- key its tag, and keys that were found and not seen leave as tags alone.
--
-- Between the steps goes one jsonb value, the plan. Whoever is signed in may execute the second step and
-- cannot name it, because API roles have no usage on this schema.
create function chat_private.read_table_cursor(cursor jsonb)
returns jsonb
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  v_cursor jsonb := jsonb_strip_nulls(
    case when jsonb_typeof(read_table_cursor.cursor) = 'object' then read_table_cursor.cursor end - 'where'
  );
  v_owners jsonb := coalesce(v_cursor -> 'owners', '{}');
begin
  if v_cursor is null
    or jsonb_typeof(coalesce(v_cursor -> 'timeline', '""')) <> 'string'
    or coalesce(v_cursor ->> 'limit', '1') !~ '^[0-9]{1,4}$'
    or coalesce(v_cursor ->> 'limit', '1')::integer not between 1 and 5000
    or jsonb_typeof(coalesce(nullif(read_table_cursor.cursor -> 'where', 'null'), '{}')) <> 'object'
    or jsonb_typeof(coalesce(v_cursor -> 'newest', '{}')) <> 'object'
    or v_cursor ? 'newest' and (
      coalesce(v_cursor #>> '{newest,days}', '') !~ '^[0-9]{1,5}$'
      or jsonb_typeof(v_cursor #> '{newest,column}') is distinct from 'string'
    )
    or jsonb_typeof(v_owners) <> 'object'
    or exists (
      select
      from jsonb_each(v_owners) as o (owner_id, state)
      where o.owner_id !~ chat_private.uuid_pattern()
        or jsonb_typeof(o.state) <> 'object'
        or not pg_input_is_valid(coalesce(o.state ->> 'seen', ''), 'pg_snapshot')
        or not pg_input_is_valid(coalesce(o.state ->> 'until', '1:1:'), 'pg_snapshot')
        or coalesce(o.state ->> 'fetched', '0') !~ '^[0-9]{1,15}$'
        or coalesce(o.state ->> 'at', '[0]') !~ '^\[[0-9]{1,18}(, [0-9]{1,18})*\]$'
        or jsonb_typeof(coalesce(o.state -> 'after', '[]')) <> 'array'
    )
    or (select count(*) from jsonb_object_keys(v_owners)) > 2000
  then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'A cursor is {"timeline", "where": {column: value or list}, "newest": {"column", "days"}, '
        '"limit": 1 to 5000, "owners": {owner_id: cursor}}, with up to 2,000 owners.',
      hint = 'Leave out what you have nothing of; the cursors of owners are those of earlier answers.';
  end if;
  return v_cursor || jsonb_build_object(
    'where', coalesce(nullif(read_table_cursor.cursor -> 'where', 'null'), '{}'), 'owners', v_owners
  );
end;
$$;

comment on function chat_private.read_table_cursor(jsonb) is
  $$Read what a client says it has of a table.

Returns:
  The cursor, always with "where" and "owners".

Raises:
  invalid_input: it is not a cursor.$$;

create function chat_private.readable_columns(relation regclass, role name)
returns table (name text, type text, place integer)
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return query
  select a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnum::integer
  from pg_catalog.pg_attribute as a
  where a.attrelid = readable_columns.relation
    and a.attnum > 0
    and not a.attisdropped
    and has_column_privilege(readable_columns.role, a.attrelid, a.attnum, 'select')
  order by a.attnum;
end;
$$;

comment on function chat_private.readable_columns(regclass, name) is
  'List the columns of a table that a role may read, with their types.';

-- The text of times, intervals, bytes and numbers with a fraction depends on settings of the session, and equal
-- values may have several, like 1.0 and 1.00. Most keys are not like this, and their tables pay for no more.
create function chat_private.has_plain_key(streamed chat_private.streamed_tables)
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return not exists (
    select
    from pg_catalog.pg_attribute as a
    where a.attrelid = (has_plain_key.streamed).relation
      and a.attname = any ((has_plain_key.streamed).key_columns)
      and a.atttypid::regtype::text not in ('uuid', 'smallint', 'integer', 'bigint')
  );
end;
$$;

comment on function chat_private.has_plain_key(chat_private.streamed_tables) is
  'Tell whether each key of a streamed table has exactly one text, whoever reads it.';

-- What visible rows depend on beside themselves.
create function chat_private.table_basis(
  streamed chat_private.streamed_tables,
  role name,
  cursor jsonb
)
returns text
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return concat_ws(
    '/', (table_basis.streamed).owner, (table_basis.streamed).owner_column,
    (table_basis.streamed).key_columns, (table_basis.streamed).epoch, (table_basis.streamed).secret,
    table_basis.cursor -> 'where', table_basis.cursor -> 'newest',
    (
      select string_agg(format('%s %s', r.name, r.type), ',' order by r.place)
      from chat_private.readable_columns((table_basis.streamed).relation, table_basis.role) as r
    ),
    case
      when not chat_private.has_plain_key(table_basis.streamed) then concat_ws(
        ' ', current_setting('timezone'), current_setting('datestyle'), current_setting('intervalstyle'),
        current_setting('bytea_output'), current_setting('extra_float_digits')
      )
    end,
    (
      select c.relrowsecurity
      from pg_catalog.pg_class as c
      where c.oid = (table_basis.streamed).relation
    ),
    (
      select string_agg(
        concat_ws(' ', p.polname, p.polcmd, p.polpermissive, p.polroles, pg_get_expr(p.polqual, p.polrelid)),
        ',' order by p.polname
      )
      from pg_catalog.pg_policy as p
      where p.polrelid = (table_basis.streamed).relation
    )
  );
end;
$$;

comment on function chat_private.table_basis(chat_private.streamed_tables, name, jsonb) is
  $$Name what decides which rows of a table somebody sees, beside the rows.

Returns:
  Columns that the role may read, row level security and its policies, epoch, the cursor's subset, and what the
  texts of its keys depend on. Where it changes, a copy fetches the table anew.$$;

-- Where the notes of a page end: after so many of them, or as soon as they name enough keys. One that is
-- long is read whole, so a page is found among 1,000 keys more than that.
create function chat_private.last_note_of_page(
  relation regclass,
  owner_id uuid,
  seen pg_snapshot,
  until pg_snapshot,
  at bigint[],
  most integer
)
returns bigint[]
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  c_most_notes constant integer := 5000;
  v_note record;
  v_notes integer := 0;
  v_keys integer := 0;
  v_last bigint[];
begin
  for v_note in
    select n.xid::text::bigint as xid, n.note, cardinality(n.keys) as size
    from chat_private.table_notes as n
    where n.owner_id = last_note_of_page.owner_id
      and n.relation = last_note_of_page.relation
      and n.xid >= pg_snapshot_xmin(last_note_of_page.seen)
      and (n.xid, n.note) >= (last_note_of_page.at[1]::text::xid8, last_note_of_page.at[2])
      and not pg_visible_in_snapshot(n.xid, last_note_of_page.seen)
      and pg_visible_in_snapshot(n.xid, last_note_of_page.until)
    order by n.xid, n.note
  loop
    if v_notes >= c_most_notes or v_keys >= 2 * last_note_of_page.most then
      return v_last || 1::bigint;
    end if;
    v_last := array[v_note.xid, v_note.note, v_note.size, v_note.size];
    v_notes := v_notes + 1;
    v_keys := v_keys + v_note.size - case
      when v_note.note = last_note_of_page.at[2] and v_note.size = last_note_of_page.at[4]
        then last_note_of_page.at[3]
      else 0
    end;
  end loop;
  return v_last || 0::bigint;
end;
$$;

comment on function
  chat_private.last_note_of_page(regclass, uuid, pg_snapshot, pg_snapshot, bigint[], integer) is
  $$Find the last note that a page looks at.

Returns:
  Its place {xid, note, keys, keys}, and 1 if notes come after it; {0} where there are no notes.$$;

-- A key that several of these notes have comes once, at its last place.
create function chat_private.changed_keys(
  relation regclass,
  owner_id uuid,
  state jsonb,
  until pg_snapshot,
  most integer
)
returns jsonb
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_seen pg_snapshot := (changed_keys.state ->> 'seen')::pg_snapshot;
  -- (transaction, note, place of the key in the note, number of keys in the note)
  v_at bigint[] := array(
    select coalesce(changed_keys.state #>> array['at', n::text], '0')::bigint
    from generate_series(0, 3) as n
    order by n
  );
  v_last bigint[] := chat_private.last_note_of_page(
    changed_keys.relation, changed_keys.owner_id, v_seen, changed_keys.until, v_at,
    changed_keys.most
  );
begin
  if cardinality(v_last) = 1 then
    return null;
  end if;
  return (
    with keyed as (
      select k.key, n.xid, n.note, k.place, cardinality(n.keys) as size
      from chat_private.table_notes as n
      cross join unnest(n.keys) with ordinality as k (key, place)
      where n.owner_id = changed_keys.owner_id
        and n.relation = changed_keys.relation
        and n.xid >= pg_snapshot_xmin(v_seen)
        and (n.xid, n.note) >= (v_at[1]::text::xid8, v_at[2])
        and (n.xid, n.note) <= (v_last[1]::text::xid8, v_last[2])
        and not pg_visible_in_snapshot(n.xid, v_seen)
        and pg_visible_in_snapshot(n.xid, changed_keys.until)
        -- A note that was folded meanwhile has other places, and is read again from its beginning.
        and (n.note <> v_at[2] or cardinality(n.keys) <> v_at[4] or k.place > v_at[3])
    ),
    last_places as (
      select distinct on (k.key) k.key, k.xid, k.note, k.place, k.size
      from keyed as k
      order by k.key, k.xid desc, k.note desc, k.place desc
    ),
    page as (
      select f.*, row_number() over (order by f.xid, f.note, f.place) as row_number
      from last_places as f
    )
    select jsonb_build_object(
      'keys', coalesce(
        jsonb_agg(
          jsonb_build_array(p.key, jsonb_build_array(p.xid::text::bigint, p.note, p.place, p.size))
          order by p.row_number
        ) filter (where p.row_number <= changed_keys.most),
        '[]'
      ),
      'rest', count(*) > changed_keys.most,
      'end', case when v_last[5] = 1 then to_jsonb(v_last[1:4]) end
    )
    from page as p
  );
end;
$$;

comment on function chat_private.changed_keys(regclass, uuid, jsonb, pg_snapshot, integer) is
  $$List the keys of an owner's rows that changed since a snapshot.

Args:
  relation: the table.
  owner_id: the owner.
  state: the cursor of the owner, {"seen", "until", "at"}.
  until: the snapshot that shows the notes of this round.
  most: how many keys come.

Returns:
  {"keys": [[key, at]], "rest": whether these notes have more, "end": the place where other notes go on};
  null where nothing changed.$$;

-- The condition of a subset, with values as literals of the column's type.
create function chat_private.subset_condition(relation regclass, role name, subset jsonb, newest jsonb)
returns text
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_column text := subset_condition.newest ->> 'column';
  v_asked record;
  v_condition text := 'true';
begin
  for v_asked in
    select
      c.name, c.value, r.type,
      case jsonb_typeof(c.value) when 'array' then c.value else jsonb_build_array(c.value) end as choices
    from jsonb_each(subset_condition.subset) as c (name, value)
    left join chat_private.readable_columns(subset_condition.relation, subset_condition.role) as r
      on r.name = c.name
  loop
    if v_asked.type is null or exists (
      select
      from jsonb_array_elements(v_asked.choices) as v (value)
      where jsonb_typeof(v.value) in ('object', 'array')
        -- (The last three have no equality.)
        or v.value <> 'null' and (
          not pg_input_is_valid(v.value #>> '{}', v_asked.type) or v_asked.type ~ '^(json|xml|point)(\[\])*$'
        )
    ) then
      raise exception using
        errcode = 'PT400',
        message = 'invalid_input',
        detail = format('No column %s of the table can be %s.', v_asked.name, left(v_asked.value::text, 200)),
        hint = 'In "where", name columns that you may read, with a value of their type, a list of values, or null. '
          'Of json, xml and point there is only null.';
    end if;
    v_condition := v_condition || ' and (false' || coalesce(
      (
        select string_agg(
          case
            when v.value = 'null' then format(' or t.%I is null', v_asked.name)
            else format(' or t.%I = %L::%s', v_asked.name, v.value #>> '{}', v_asked.type)
          end,
          ''
        )
        from jsonb_array_elements(v_asked.choices) as v (value)
      ),
      ''
    ) || ')';
  end loop;
  if subset_condition.newest is not null then
    if not exists (
      select
      from chat_private.readable_columns(subset_condition.relation, subset_condition.role) as r
      where r.name = v_column and r.type ~ '^(date|timestamp)'
    ) then
      raise exception using
        errcode = 'PT400',
        message = 'invalid_input',
        detail = format('No column %s of the table is a time.', v_column),
        hint = 'In "newest", name a column of the type date, timestamp or timestamptz.';
    end if;
    v_condition := v_condition || format(
      ' and t.%I > now() - make_interval(days => %s)', v_column, subset_condition.newest ->> 'days'
    );
  end if;
  return v_condition;
end;
$$;

comment on function chat_private.subset_condition(regclass, name, jsonb, jsonb) is
  $$Write the condition of a cursor's subset, for rows of the table as t.

Raises:
  invalid_input: a column is not there, may not be read, or holds other values.$$;

-- The statements with which the rows of one owner, $1, are read: the keys $2 one after the other, or all in
-- the order of the key, from the beginning or after the key $2. Names are quoted here. (offset 0 makes
-- Postgres look keys up one by one, in their order; a hash join would shuffle them.)
--
-- A key whose row is not seen comes as its text, as this session writes it: whoever noted it may have another
-- time zone. A row whose key is equal and has another text now, like 1.00 where 1.0 was noted, is another row to
-- copies, and was noted under its own text.
create function chat_private.table_statements(
  streamed chat_private.streamed_tables,
  role name,
  condition text
)
returns jsonb
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_is_one boolean := cardinality((table_statements.streamed).key_columns) = 1;
  v_is_plain boolean := chat_private.has_plain_key(table_statements.streamed);
  v_text text := case
    when v_is_one then '(to_jsonb(%s) #>> ''{}'') collate "C"'
    else 'jsonb_build_array(%s)::text collate "C"'
  end;
  v_columns text := (
    select string_agg(format('t.%I', r.name), ', ' order by r.place)
    from chat_private.readable_columns((table_statements.streamed).relation, table_statements.role) as r
  );
  v_from text := format(
    'from %s as t where t.%I = $1 and %s',
    (table_statements.streamed).relation, (table_statements.streamed).owner_column,
    table_statements.condition
  );
  v_keys text;
  v_noted text;
  v_after text;
begin
  select
    string_agg(format('t.%I%s', k.name, t.as_text), ', ' order by k.place),
    string_agg(
      case
        when v_is_one then format('(k.entry ->> 0)::%s%s', r.type, t.as_text)
        else format('((k.entry ->> 0)::jsonb ->> %s)::%s%s', k.place - 1, r.type, t.as_text)
      end,
      ', ' order by k.place
    ),
    string_agg(format('($2 ->> %s)::%s%s', k.place - 1, r.type, t.as_text), ', ' order by k.place)
  into v_keys, v_noted, v_after
  from unnest((table_statements.streamed).key_columns) with ordinality as k (name, place)
  join chat_private.readable_columns((table_statements.streamed).relation, table_statements.role) as r
    on r.name = k.name
  cross join lateral (
    -- Operators of an extension are not found here, and those of text disagree with the order of its types.
    select case
      when not v_is_plain and exists (
        select
        from pg_catalog.pg_index as i
        cross join unnest(i.indkey::smallint[], i.indclass::oid[]) as c (number, opclass)
        join pg_catalog.pg_opclass as o on o.oid = c.opclass
        join pg_catalog.pg_type as compared on compared.oid = o.opcintype
        where i.indrelid = (table_statements.streamed).relation
          and i.indisprimary
          and c.number = r.place
          and compared.typnamespace <> 'pg_catalog'::regnamespace
      ) then '::text'
      else ''
    end as as_text
  ) as t;
  return jsonb_build_object(
    'of_keys', format(
      'select coalesce(f.entry, to_jsonb(%s)) from jsonb_array_elements($2) with ordinality as k (entry, place)
      left join lateral (
        select to_jsonb(r) as entry from (select %s %s and (%s) = (%s)%s) as r offset 0
      ) as f on true',
      case when v_is_plain then 'k.entry ->> 0' else format(v_text, v_noted) end,
      v_columns, v_from, v_keys, v_noted,
      case
        when not v_is_plain then format(' and %s = %s', format(v_text, v_keys), format(v_text, v_noted))
      end
    ),
    'from_start', format(
      'select to_jsonb(r) from (select %s %s order by %s) as r', v_columns, v_from, v_keys
    ),
    'after_key', format(
      'select to_jsonb(r) from (select %s %s and (%s) > (%s) order by %s) as r',
      v_columns, v_from, v_keys, v_after, v_keys
    ),
    'count', format('select count(*) from (select %s limit 100001) as r', v_from)
  );
end;
$$;

comment on function chat_private.table_statements(chat_private.streamed_tables, name, text) is
  $$Write the statements that read the rows of a streamed table.

Args:
  streamed: the table.
  role: the role of the caller, whose columns come.
  condition: what subset_condition() wrote.

Returns:
  {"of_keys", "from_start", "after_key", "count"}.$$;

-- A crash forgets the numbers of transactions that were rolled back right before it, and gives them to others.
-- A snapshot of that time counts them as ended, so it would hide what these others do. The number of a note
-- that can be seen is on disk, and so are all numbers before it: a cursor ends there.
create function chat_private.noted_snapshot(
  relation regclass,
  owner_id uuid,
  snapshot pg_snapshot,
  purged_xid xid8
)
returns pg_snapshot
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_end bigint := 1 + greatest(
    coalesce(noted_snapshot.purged_xid::text::bigint, 0),
    (
      select n.xid::text::bigint
      from chat_private.table_notes as n
      where n.owner_id = noted_snapshot.owner_id
        and n.relation = noted_snapshot.relation
        and pg_visible_in_snapshot(n.xid, noted_snapshot.snapshot)
      order by n.xid desc
      limit 1
    )
  );
begin
  return chat_private.snapshot_before(noted_snapshot.snapshot, v_end::text::xid8);
end;
$$;

comment on function chat_private.noted_snapshot(regclass, uuid, pg_snapshot, xid8) is
  'Cut a snapshot off after the last note of an owner that it shows.';

create function chat_private.find_table_changes(name text, cursor jsonb)
returns jsonb
language plpgsql
stable
-- definer: reads notes and secrets of chat_private
security definer
set search_path = '', pg_temp
as $$
declare
  v_me uuid := chat_private.current_user_id();
  v_cursor jsonb := chat_private.read_table_cursor(find_table_changes.cursor);
  v_timeline text := chat_private.timeline();
  v_role name := coalesce(nullif(current_setting('role'), 'none'), session_user);
  v_streamed chat_private.streamed_tables;
  v_asked jsonb := v_cursor -> 'owners';
  v_limit integer := coalesce((v_cursor ->> 'limit')::integer, 1000);
  v_now pg_snapshot := pg_current_snapshot();
  v_is_replica boolean := pg_is_in_recovery();
  v_shown pg_snapshot;
  v_basis text;
  v_owner record;
  v_state jsonb;
  v_begins boolean;
  v_changes jsonb;
  v_owners jsonb[] := '{}';
  v_mine uuid[] := '{}';
  v_dropped text[];
  v_more boolean := false;
begin
  if v_role = 'service_role' then
    raise exception using
      errcode = 'PT403',
      message = 'not_allowed',
      detail = 'A table is pulled under the rights of a person, and the secret key has none of these.',
      hint = 'Send the access token of the person; a server reads the table itself.';
  end if;
  select s.* into v_streamed
  from chat_private.streamed_tables as s
  where s.relation::text = find_table_changes.name
    and s.key_columns || s.owner_column <@ array(
      select r.name from chat_private.readable_columns(s.relation, v_role) as r
    );
  if not found then
    raise exception using
      errcode = 'PT404',
      message = 'table_not_found',
      detail = format('No table %s travels to clients.', left(find_table_changes.name, 200)),
      hint = 'Name it with its schema, stream it: select chat_private.stream_table(''public.…'', …), and let '
        'signed-in people read its key and its owner.';
  end if;
  if v_is_replica then
    -- A replica does not know which transactions are open, and would take some of them for shown.
    v_now := format('%1$s:%1$s:', pg_snapshot_xmin(v_now));
    perform chat_private.refuse_if_behind(
      (o.value ->> 'seen')::pg_snapshot, v_cursor ->> 'timeline' <> v_timeline
    )
    from jsonb_each(v_asked) as o;
  end if;
  v_basis := chat_private.table_basis(v_streamed, v_role, v_cursor);
  if v_cursor ->> 'timeline' <> v_timeline then
    v_cursor := v_cursor || '{"owners": {}}';
  end if;

  for v_owner in
    select o.owner_id, md5(concat_ws('/', v_basis, o.standing, coalesce(r.epoch, 0))) as basis, r.purged_xid
    from (
      select t.tenant_id as owner_id, concat_ws(' ', t.role, t.joined_at) as standing
      from chat.tenant_members as t
      where v_streamed.owner = 'tenant' and t.user_id = v_me and t.removed_at is null
      union all
      select v_me, null
      where v_streamed.owner = 'user'
    ) as o
    left join chat_private.table_owners as r
      on r.relation = v_streamed.relation and r.owner_id = o.owner_id
    order by o.owner_id
  loop
    v_mine := v_mine || v_owner.owner_id;
    if v_limit <= 0 then
      v_more := true;
      continue;
    end if;
    v_state := v_cursor #> array['owners', v_owner.owner_id::text];
    v_changes := null;
    v_shown := chat_private.noted_snapshot(
      v_streamed.relation, v_owner.owner_id, v_now, v_owner.purged_xid
    );
    v_begins := v_state is null
      or v_state ->> 'basis' is distinct from v_owner.basis
      or pg_snapshot_xmin((v_state ->> 'seen')::pg_snapshot) <= v_owner.purged_xid;
    -- No snapshot tells who is newer where owners and policies differ: a replica that lags would bring back
    -- the rows of a tenant that was left. And a round of changes may have shown rows that are newer than
    -- its snapshot. So the primary begins owners, drops them and ends rounds.
    if v_is_replica and (v_begins or v_state ? 'until') then
      v_more := true;
      continue;
    end if;
    if v_begins then
      v_state := jsonb_build_object('basis', v_owner.basis, 'seen', v_shown, 'after', '[]'::jsonb);
    elsif v_state -> 'after' is null then
      v_changes := chat_private.changed_keys(
        v_streamed.relation, v_owner.owner_id, v_state,
        coalesce((v_state ->> 'until')::pg_snapshot, v_shown), v_limit
      );
      continue when v_changes is null and v_state -> 'until' is null;
      v_state := jsonb_build_object('until', v_shown) || v_state;
      v_changes := coalesce(v_changes, '{"keys": [], "rest": false}');
    end if;
    v_owners := v_owners || jsonb_strip_nulls(
      jsonb_build_object('owner_id', v_owner.owner_id, 'state', v_state, 'changes', v_changes)
    );
    v_limit := v_limit - coalesce(jsonb_array_length(v_changes -> 'keys'), 1);
  end loop;

  v_dropped := array(
    select o.owner_id
    from jsonb_object_keys(v_asked) as o (owner_id)
    where o.owner_id::uuid <> all (v_mine)
    order by o.owner_id
  );
  if v_is_replica and v_dropped <> '{}' then
    v_dropped := '{}';
    v_more := true;
  end if;

  return jsonb_build_object(
    'timeline', v_timeline,
    'relation', v_streamed.relation::oid,
    'table', jsonb_build_object(
      'name', find_table_changes.name, 'owner', v_streamed.owner,
      'owner_column', v_streamed.owner_column, 'key', v_streamed.key_columns,
      'columns', (
        select jsonb_object_agg(r.name, r.type)
        from chat_private.readable_columns(v_streamed.relation, v_role) as r
      )
    ),
    'statements', chat_private.table_statements(
      v_streamed, v_role,
      chat_private.subset_condition(
        v_streamed.relation, v_role, v_cursor -> 'where', v_cursor -> 'newest'
      )
    ),
    'limit', v_cursor -> 'limit',
    'bytes', (select s.pull_bytes from chat_private.settings as s),
    'owners', to_jsonb(v_owners),
    'dropped', to_jsonb(v_dropped),
    'more', v_more
  );
end;
$$;

comment on function chat_private.find_table_changes(text, jsonb) is
  $$Find what changed for the owners of the caller, without looking at rows.

Returns:
  The plan: for each owner its state and, except in a first fetch, the keys that changed.

Raises:
  sign_in_required: nobody is signed in.
  not_allowed: a server asks, whom no policy binds.
  table_not_found: the table does not travel.
  replica_behind: this is a replica, and it is behind the cursor.
  invalid_input: it is not a cursor.$$;

-- No definer: what these statements read, the policies of the table let the caller see. Rows come one by
-- one, and only as far as they fit.
create function chat_private.read_table_rows(plan jsonb)
returns jsonb
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_plan jsonb := read_table_rows.plan;
  v_rows_left integer := coalesce((v_plan ->> 'limit')::integer, 1000);
  v_bytes_left bigint := (v_plan ->> 'bytes')::bigint;
  v_owner jsonb;
  v_owners jsonb[] := '{}';
  v_cursor refcursor;
  v_row jsonb;
  v_rows jsonb[];
  v_count bigint;
  v_is_cut boolean;
  v_more boolean := (v_plan ->> 'more')::boolean;
begin
  for v_owner in select o.value from jsonb_array_elements(v_plan -> 'owners') as o (value) loop
    if v_rows_left <= 0 or v_bytes_left <= 0 then
      v_more := true;
      exit;
    end if;
    v_count := null;
    if v_owner ? 'changes' then
      open v_cursor no scroll for execute v_plan #>> '{statements,of_keys}'
        using (v_owner ->> 'owner_id')::uuid, v_owner #> '{changes,keys}';
    elsif v_owner #> '{state,after}' = '[]' then
      execute v_plan #>> '{statements,count}' into v_count using (v_owner ->> 'owner_id')::uuid;
      open v_cursor no scroll for execute v_plan #>> '{statements,from_start}'
        using (v_owner ->> 'owner_id')::uuid;
    else
      open v_cursor no scroll for execute v_plan #>> '{statements,after_key}'
        using (v_owner ->> 'owner_id')::uuid, v_owner #> '{state,after}';
    end if;
    v_rows := '{}';
    v_is_cut := false;
    loop
      fetch v_cursor into v_row;
      exit when not found;
      if v_rows_left <= 0 or v_bytes_left <= 0 then
        v_is_cut := true;
        exit;
      end if;
      v_rows := v_rows || v_row;
      v_rows_left := v_rows_left - 1;
      v_bytes_left := v_bytes_left - 64 - octet_length(v_row::text);
    end loop;
    close v_cursor;
    v_owners := v_owners || (
      v_owner || jsonb_build_object(
        'rows', to_jsonb(v_rows), 'is_cut', v_is_cut,
        'about', case when v_count <= 100000 then v_count end
      )
    );
  end loop;
  return v_plan || jsonb_build_object('owners', to_jsonb(v_owners), 'more', v_more);
end;
$$;

comment on function chat_private.read_table_rows(jsonb) is
  $$Read the rows of a plan as the caller.

Returns:
  The plan, where owners have "rows" (a text for a key whose row the caller does not see), "is_cut" and
  "about".$$;

create function chat_private.tag_of_row(secret bytea, key text)
returns text
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  -- Keyed twice, as an HMAC is, so that nothing can be appended to a key.
  return left(
    encode(
      sha256(
        substr(tag_of_row.secret, 33)
        || sha256(substr(tag_of_row.secret, 1, 32) || convert_to(tag_of_row.key, 'UTF8'))
      ),
      'hex'
    ),
    32
  );
end;
$$;

comment on function chat_private.tag_of_row(bytea, text) is
  'Name a row of a streamed table by a keyed hash of its key, in 32 hexadecimal digits.';

-- The cursor of an owner after a page: further in the same round, or at rest.
create function chat_private.table_state(owner jsonb, key jsonb)
returns jsonb
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  v_state jsonb := table_state.owner -> 'state';
  v_rows jsonb := table_state.owner -> 'rows';
  v_last jsonb := v_rows -> -1;
  v_is_cut boolean := (table_state.owner ->> 'is_cut')::boolean;
begin
  if v_state ? 'after' then
    return case
      when v_is_cut then v_state || jsonb_build_object(
        'after', (
          select jsonb_agg(v_last ->> k.name order by k.place)
          from jsonb_array_elements_text(table_state.key) with ordinality as k (name, place)
        ),
        'fetched', coalesce((v_state ->> 'fetched')::bigint, 0) + jsonb_array_length(v_rows)
      )
      else v_state - 'after' - 'fetched'
    end;
  end if;
  return case
    when v_is_cut or (table_state.owner #>> '{changes,rest}')::boolean then
      v_state || jsonb_build_object(
        'at', table_state.owner #> array['changes', 'keys', (jsonb_array_length(v_rows) - 1)::text, '1']
      )
    when table_state.owner #> '{changes,end}' <> 'null' then
      v_state || jsonb_build_object('at', table_state.owner #> '{changes,end}')
    else jsonb_build_object('basis', v_state -> 'basis', 'seen', v_state -> 'until')
  end;
end;
$$;

comment on function chat_private.table_state(jsonb, jsonb) is
  $$Tell from where a client goes on with an owner.

Args:
  owner: as read_table_rows() returns it.
  key: the key columns of the table.$$;

create function chat_private.tag_table_rows(read jsonb)
returns jsonb
language plpgsql
stable
-- definer: reads the secret of the table
security definer
set search_path = '', pg_temp
as $$
declare
  v_key jsonb := tag_table_rows.read #> '{table,key}';
  v_secret bytea := (
    select s.secret
    from chat_private.streamed_tables as s
    where s.relation = (tag_table_rows.read ->> 'relation')::oid
  );
  v_owner jsonb;
  v_state jsonb;
  v_tagged record;
  v_owners jsonb[] := '{}';
  v_more boolean := (tag_table_rows.read ->> 'more')::boolean;
  v_is_first boolean;
begin
  for v_owner in select o.value from jsonb_array_elements(tag_table_rows.read -> 'owners') as o (value) loop
    v_state := chat_private.table_state(v_owner, v_key);
    v_is_first := coalesce(v_owner #> '{state,after}' = '[]', false);
    select
      coalesce(
        jsonb_agg(
          jsonb_build_object('tag', chat_private.tag_of_row(v_secret, n.key), 'row', n.entry)
          order by n.place
        ) filter (where not n.is_gone),
        '[]'
      ) as entries,
      coalesce(
        jsonb_agg(chat_private.tag_of_row(v_secret, n.key) order by n.place)
          filter (where n.is_gone),
        '[]'
      ) as gone
    into v_tagged
    from (
      -- (Two notes may have the same key in different texts.)
      select distinct on (t.key) r.entry, r.place, t.key, jsonb_typeof(r.entry) = 'string' as is_gone
      from jsonb_array_elements(v_owner -> 'rows') with ordinality as r (entry, place)
      cross join lateral (
        select case
          when jsonb_typeof(r.entry) = 'string' then r.entry #>> '{}'
          when jsonb_array_length(v_key) = 1 then r.entry ->> (v_key ->> 0)
          else (
            select jsonb_agg(r.entry -> k.name order by k.place)::text
            from jsonb_array_elements_text(v_key) with ordinality as k (name, place)
          )
        end collate "C" as key
      ) as t
      order by t.key, r.place
    ) as n;
    -- After several pages something may have changed since the first one.
    v_more := v_more or v_state ?| '{after,until}' or v_owner -> 'state' ? 'at'
      or v_owner -> 'state' ? 'after' and not v_is_first;
    v_owners := v_owners || jsonb_build_object(
      'owner_id', v_owner -> 'owner_id',
      'reset', v_is_first,
      'rows', v_tagged.entries,
      'gone', v_tagged.gone,
      'cursor', v_state,
      'more', v_state ?| '{after,until}',
      'fetched', v_state -> 'fetched',
      'about', v_owner -> 'about'
    );
  end loop;
  return jsonb_build_object(
    'timeline', tag_table_rows.read -> 'timeline',
    'table', tag_table_rows.read -> 'table',
    'owners', to_jsonb(v_owners),
    'dropped', tag_table_rows.read -> 'dropped',
    'more', v_more
  );
end;
$$;

comment on function chat_private.tag_table_rows(jsonb) is
  $$Tag the rows that were read, and the keys that were not seen, and leave out the keys.

Args:
  read: as read_table_rows() returns it.

Returns:
  The answer of pull_table.$$;

create function chat.pull_table(name text, cursor jsonb)
returns jsonb
language sql
stable
set search_path = '', pg_temp
return chat_private.tag_table_rows(
  chat_private.read_table_rows(chat_private.find_table_changes(name, cursor))
);

comment on function chat.pull_table(text, jsonb) is
  $$Pull the rows of a streamed table that the caller does not have yet.

The rows are read as the caller, under the policies of the table. Apply what an owner got and its cursor in
one local transaction, and pull again while more is true.

Args:
  name: the table with its schema, for example public.payments.
  cursor: {"timeline": of the last answer, "where": {column: value, list of values or null}, "newest":
    {"column", "days"}, "limit": rows in an answer, 1 to 5,000, default 1,000, "owners": {owner_id:
    cursor}}. All may be left out. where and newest keep a part of the table only; without newest rows
    of any age come. The cursors of owners are those of earlier answers; an owner that is not named is
    fetched from the beginning.

Returns:
  {"timeline", "table": {"name", "owner", "owner_column", "key", "columns": {column: type}}, "owners":
  [{"owner_id", "reset", "rows": [{"tag", "row"}], "gone": [tag], "cursor", "more", "fetched", "about"}],
  "dropped": [owner_id], "more"}. Owners without news are left out. Where reset is true, first drop all
  rows of this owner. Rows replace those of the same tag. gone are rows that were deleted, moved to
  another owner, or may not be seen any more: drop those that you hold of this owner. A tag is a keyed
  hash, so it tells nobody the key of a row that they may not see. dropped are owners in the cursor that
  are not the caller's any more. While the first fetch goes on, fetched counts its rows; about, on its first page, counts
  all, up to 100,000. A read replica goes on with first fetches, and tells what changed. Where an owner begins, begins
  anew or is dropped, or changes go on, it leaves that out and says more, also if nothing else came: ask the primary.

Raises:
  sign_in_required: nobody is signed in.
  not_allowed: a server asks with the secret key.
  table_not_found: no such table is streamed.
  invalid_input: it is not a cursor, or names a column that the caller may not read.
  replica_behind: a read replica was asked that lacks what the cursor has; ask the primary.$$;

revoke execute on function
  chat_private.read_table_cursor(jsonb),
  chat_private.readable_columns(regclass, name),
  chat_private.has_plain_key(chat_private.streamed_tables),
  chat_private.table_basis(chat_private.streamed_tables, name, jsonb),
  chat_private.last_note_of_page(regclass, uuid, pg_snapshot, pg_snapshot, bigint[], integer),
  chat_private.changed_keys(regclass, uuid, jsonb, pg_snapshot, integer),
  chat_private.subset_condition(regclass, name, jsonb, jsonb),
  chat_private.table_statements(chat_private.streamed_tables, name, text),
  chat_private.noted_snapshot(regclass, uuid, pg_snapshot, xid8),
  chat_private.find_table_changes(text, jsonb),
  chat_private.read_table_rows(jsonb),
  chat_private.tag_of_row(bytea, text),
  chat_private.table_state(jsonb, jsonb),
  chat_private.tag_table_rows(jsonb),
  chat.pull_table(text, jsonb)
  from public, anon, authenticated;
grant execute on function
  chat_private.find_table_changes(text, jsonb),
  chat_private.read_table_rows(jsonb),
  chat_private.tag_table_rows(jsonb),
  chat.pull_table(text, jsonb)
  to authenticated, service_role;
