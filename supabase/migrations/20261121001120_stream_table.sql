-- stream_table: tables of the adopter's own that travel into the copies of clients.

-- Rows of these tables have no numbers. A counter per owner would make writers wait for each other, so
-- every statement leaves notes of the keys that it changed, with its transaction. Whoever has seen a
-- snapshot finds what came after it by the notes that this snapshot does not show, in whatever order
-- the transactions ended (docs/decisions/streamed-tables.md).
create table chat_private.streamed_tables (
  relation regclass primary key,
  owner_column text not null,
  owner text not null,
  key_columns text[] not null,
  epoch integer not null default 0,
  secret bytea not null default uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
    || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()),
  constraint owner_is_known check (owner in ('tenant', 'user'))
);

comment on table chat_private.streamed_tables is
  'Tables whose rows travel to the clients of their owners; made by stream_table().';
comment on column chat_private.streamed_tables.epoch is
  'Raised by a truncate and by refresh_table(): all copies fetch the table anew.';
comment on column chat_private.streamed_tables.secret is
  'Makes the tag of a row from its key, so that a tag tells the key to nobody.';

create table chat_private.table_owners (
  relation regclass,
  owner_id uuid,
  epoch integer not null default 0,
  purged_xid xid8 not null default '0',
  primary key (relation, owner_id)
);

comment on table chat_private.table_owners is
  'Owners in a streamed table whose rows were refreshed, or whose notes were purged.';
comment on column chat_private.table_owners.purged_xid is
  'Notes of transactions up to this one are gone: copies that have not seen them fetch the rows anew.';

create table chat_private.table_notes (
  owner_id uuid,
  xid xid8 default pg_current_xact_id(),
  note bigint generated always as identity,
  relation regclass not null,
  after xid8 not null default pg_snapshot_xmin(pg_current_snapshot()),
  noted_at timestamptz not null default now(),
  told text,
  keys text[] not null,
  primary key (owner_id, xid, note),
  constraint told_is_known check (told in ('tenant', 'user'))
);

comment on table chat_private.table_notes is
  'What changed in streamed tables: one note per statement, owner and up to 1,000 keys.';
comment on column chat_private.table_notes.after is
  'All transactions before this one had ended when the note was made.';
comment on column chat_private.table_notes.told is
  'Whose topic hears of the transaction because of this note: the tenant''s or the user''s; null is nobody''s.';
comment on column chat_private.table_notes.keys is
  'The key of a row is the text of its column, or a JSON list of these if there are several columns.';

-- Notes are purged by their time. They are written in about that order, so that this index costs next
-- to nothing.
create index table_notes_by_time on chat_private.table_notes using brin (noted_at);

-- Deferred, so that it comes when the transaction is about to end. The first note of an owner that was
-- not rolled back tells of all. Every write to a streamed table pays for this, so it asks little: the
-- notes of the transaction, and for a person the epoch of their topic.
create function chat_private.tg_table_notes__announce()
returns trigger
language plpgsql
volatile
-- definer: writes realtime.messages, which belongs to the platform
security definer
set search_path = '', pg_temp
set lock_timeout = '250ms'
as $$
declare
  v_id uuid := gen_random_uuid();
  v_tables text[];
  v_was_told boolean;
  v_topic text;
begin
  select array_agg(distinct n.relation::text), bool_or(n.note < new.note and n.told is not null)
  into v_tables, v_was_told
  from chat_private.table_notes as n
  where n.owner_id = new.owner_id and n.xid = new.xid;
  if v_was_told then
    return null;
  end if;
  if new.told = 'tenant' then
    v_topic := chat_private.dashboard_topic(new.owner_id);
  else
    v_topic := 'user:' || new.owner_id || ':' || (
      select s.epoch from chat_private.user_streams as s where s.user_id = new.owner_id
    );
  end if;
  if v_topic is not null then
    insert into realtime.messages (id, topic, extension, event, payload, private)
    values (
      v_id, v_topic, 'broadcast', 'table_changed',
      jsonb_build_object(
        new.told || '_id', nullif(new.owner_id, '00000000-0000-0000-0000-000000000000'),
        'tables', v_tables, 'id', v_id
      ),
      true
    );
  end if;
  return null;
exception
  when others then
    raise warning 'a change of % was not announced: %', new.relation, sqlerrm;
    perform chat_private.note_loss(sqlerrm);
    return null;
end;
$$;

create constraint trigger _900_announce after insert on chat_private.table_notes
  deferrable initially deferred
  for each row when (new.told is not null) execute function chat_private.tg_table_notes__announce();

create function chat_private.refresh_table(relation regclass, owner_id uuid default null)
returns void
language plpgsql
volatile
-- definer: the trigger of a truncate calls it for whoever may truncate the adopter's table
security definer
set search_path = '', pg_temp
as $$
begin
  if not exists (
    select from chat_private.streamed_tables as s where s.relation = refresh_table.relation
  ) then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = format('%s does not travel to clients.', refresh_table.relation),
      hint = 'Call chat_private.stream_table() for it first.';
  end if;
  if refresh_table.owner_id is null then
    update chat_private.streamed_tables as s
    set epoch = s.epoch + 1
    where s.relation = refresh_table.relation;
  else
    insert into chat_private.table_owners as o (relation, owner_id, epoch)
    values (refresh_table.relation, refresh_table.owner_id, 1)
    on conflict on constraint table_owners_pkey do update set epoch = o.epoch + 1;
  end if;
  insert into chat_private.table_notes (owner_id, relation, told, keys)
  select
    coalesce(refresh_table.owner_id, '00000000-0000-0000-0000-000000000000'), s.relation,
    case when refresh_table.owner_id is null then 'tenant' else s.owner end, '{}'
  from chat_private.streamed_tables as s
  where s.relation = refresh_table.relation;
end;
$$;

comment on function chat_private.refresh_table(regclass, uuid) is
  $$Make the copies fetch a streamed table anew.

Call it when what people may see changed and no row of the table did, for example because a policy asks
another table. (A changed policy or column is noticed without it.)

Args:
  relation: a table that stream_table() attached.
  owner_id: the tenant or the person whose copies fetch anew; everybody's when left out.

Raises:
  invalid_input: the table does not travel.$$;

create function chat_private.tg_streamed__truncate()
returns trigger
language plpgsql
volatile
-- definer: whoever truncates the adopter's table has no rights here
security definer
set search_path = '', pg_temp
as $$
begin
  perform chat_private.refresh_table(tg_argv[0]::regclass);
  return null;
end;
$$;

create function chat_private.unstream_table(relation regclass)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_trigger record;
begin
  for v_trigger in
    select t.tgname, t.tgrelid::regclass as relation, t.tgfoid::regprocedure as called
    from (
      select unstream_table.relation
      union
      select p.relid from pg_catalog.pg_partition_tree(unstream_table.relation) as p
    ) as part (relid)
    join pg_catalog.pg_trigger as t on t.tgrelid = part.relid
    join pg_catalog.pg_proc as f on f.oid = t.tgfoid
    where f.pronamespace = 'chat_private'::regnamespace and f.proname like 'tg\_streamed\_%'
  loop
    execute format('drop trigger %I on %s', v_trigger.tgname, v_trigger.relation);
    if v_trigger.called <> 'chat_private.tg_streamed__truncate()'::regprocedure then
      -- Triggers of partitions share the functions, and the last one takes them away.
      if not exists (select from pg_catalog.pg_trigger as t where t.tgfoid = v_trigger.called) then
        execute format('drop function %s', v_trigger.called);
      end if;
    end if;
  end loop;
  delete from chat_private.table_notes as n where n.relation = unstream_table.relation;
  delete from chat_private.table_owners as o where o.relation = unstream_table.relation;
  delete from chat_private.streamed_tables as s where s.relation = unstream_table.relation;
end;
$$;

comment on function chat_private.unstream_table(regclass) is
  $$Take away what stream_table() attached to a table and its partitions.

Args:
  relation: the table; one that does not travel is left as it is.$$;

create function chat_private.refuse_to_stream(relation regclass, owner_column text, owner text)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_table pg_catalog.pg_class;
  v_lack text[];
begin
  select c.* into v_table from pg_catalog.pg_class as c where c.oid = refuse_to_stream.relation;
  v_lack := case
    when v_table.relkind is null or v_table.relkind not in ('r', 'p') then array[
      'is no table, and only tables can travel.', 'Stream the tables that the view reads.'
    ]
    when refuse_to_stream.owner is null or refuse_to_stream.owner not in ('tenant', 'user') then array[
      'has to belong to a tenant or a user.', 'Say owner => ''tenant'' or owner => ''user''.'
    ]
    when not exists (
      select
      from pg_catalog.pg_attribute as a
      where a.attrelid = refuse_to_stream.relation
        and a.attname = refuse_to_stream.owner_column
        and a.atttypid = 'uuid'::regtype
        and a.attnum > 0
        and not a.attisdropped
    ) then array[
      format('has no column %s of the type uuid.', refuse_to_stream.owner_column),
      'Name the column that holds the tenant_id of chat.tenants, or the id of auth.users.'
    ]
    when not exists (
      select
      from pg_catalog.pg_index as i
      where i.indrelid = refuse_to_stream.relation and i.indisprimary
    ) then array['has no primary key.', 'Add one: a row is known by its key.']
    when not v_table.relrowsecurity then array[
      'has no row level security.',
      'Enable it and add a policy for select: copies hold what the policies show.'
    ]
    when exists (
      select
      from pg_catalog.pg_index as i
      join pg_catalog.pg_attribute as a on a.attrelid = i.indrelid
      where i.indrelid = refuse_to_stream.relation
        and i.indisprimary
        and (a.attnum = any (i.indkey::smallint[]) or a.attname = refuse_to_stream.owner_column)
        and not has_column_privilege('authenticated', i.indrelid, a.attnum, 'select')
    ) then array[
      'does not let signed-in people read its key and its owner.',
      format('Grant it: grant select on %s to authenticated.', refuse_to_stream.relation)
    ]
  end;
  if v_lack is not null then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = concat_ws(' ', coalesce(refuse_to_stream.relation::text, 'Nothing'), v_lack[1]),
      hint = v_lack[2];
  end if;
end;
$$;

comment on function chat_private.refuse_to_stream(regclass, text, text) is
  $$Refuse a table that cannot travel, and say what it lacks.

Raises:
  invalid_input: it is no table, or has no such owner, no primary key, no row level security, or nothing
    that signed-in people may read.$$;

-- The trigger function of a table is written for it, because a made-up statement would be planned at
-- every write, which doubles the price of a single row. An update notes the old keys and owners as
-- well: rows move, and keys change.
create function chat_private.streamed_source(
  relation regclass,
  owner_column text,
  owner text,
  keys text[]
)
returns text
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_keyed text := (
    select format('select r.%I as owner_id, ', streamed_source.owner_column) || case
      when count(*) > 1 then format(
        'jsonb_build_array(%s)::text', string_agg(format('r.%I', k.name), ', ' order by k.place)
      )
      -- These have one form as text. The form of others depends on settings of whoever writes.
      when min(a.atttypid::regtype::text) in ('uuid', 'smallint', 'integer', 'bigint', 'text')
        then format('r.%I::text', min(k.name))
      else format('(to_jsonb(r.%I) #>> ''{}'')', min(k.name))
    end || ' as key from '
    from unnest(streamed_source.keys) with ordinality as k (name, place)
    join pg_catalog.pg_attribute as a
      on a.attrelid = streamed_source.relation and a.attname = k.name
  );
  v_note text := format(
    'insert into chat_private.table_notes (owner_id, relation, told, keys)
    select
      g.owner_id, %L::regclass, case when s.first = 1 and g.owners <= 1000 then %L end,
      g.keys[s.first:s.first + 999]
    from (
      select c.owner_id, array_agg(c.key) as keys, count(*) over () as owners
      from (',
    streamed_source.relation, streamed_source.owner
  );
  c_grouped constant text := ') as c
      where c.owner_id is not null
      group by c.owner_id
    ) as g
    cross join generate_series(1, cardinality(g.keys), 1000) as s (first);
  ';
begin
  return '
declare
  v_notes bigint;
begin
  if tg_op = ''INSERT'' then
    ' || v_note || v_keyed || 'new_rows as r' || c_grouped || 'elsif tg_op = ''DELETE'' then
    ' || v_note || v_keyed || 'old_rows as r' || c_grouped || 'else
    ' || v_note || v_keyed || 'new_rows as r union ' || v_keyed || 'old_rows as r' || c_grouped
    || 'end if;
  get diagnostics v_notes = row_count;
  if v_notes > 1000 then
    -- More than 1,000 owners are told at once, as everybody.
    insert into chat_private.table_notes (owner_id, relation, told, keys)
    values (
      ''00000000-0000-0000-0000-000000000000'', ' || quote_literal(streamed_source.relation)
      || '::regclass, ''tenant'', ''{}''
    );
  end if;
  return null;
end;
';
end;
$$;

comment on function chat_private.streamed_source(regclass, text, text, text[]) is
  'Write the body of the trigger function that notes the changed keys of a table.';

create function chat_private.stream_table(
  relation regclass,
  owner_column text,
  owner text default 'tenant'
)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_name text := 'tg_streamed_' || translate(gen_random_uuid()::text, '-0123456789', 'ghijklmnopq')
    || '__note';
  v_keys text[];
  v_part regclass;
begin
  perform chat_private.refuse_to_stream(
    stream_table.relation, stream_table.owner_column, stream_table.owner
  );
  v_keys := array(
    select a.attname::text
    from pg_catalog.pg_index as i
    cross join unnest(i.indkey::smallint[]) with ordinality as k (number, place)
    join pg_catalog.pg_attribute as a on a.attrelid = i.indrelid and a.attnum = k.number
    where i.indrelid = stream_table.relation and i.indisprimary
    order by k.place
  );
  perform chat_private.unstream_table(stream_table.relation);
  insert into chat_private.streamed_tables (relation, owner_column, owner, key_columns)
  values (stream_table.relation, stream_table.owner_column, stream_table.owner, v_keys);
  execute format(
    'create function chat_private.%I()
      returns trigger
      language plpgsql
      volatile
      security definer
      set search_path = '''', pg_temp
      as %L;
    revoke execute on function chat_private.%1$I() from public, anon, authenticated',
    v_name,
    chat_private.streamed_source(
      stream_table.relation, stream_table.owner_column, stream_table.owner, v_keys
    )
  );
  -- Writes that name a partition fire the triggers of that partition alone.
  for v_part in
    select stream_table.relation
    union
    select p.relid from pg_catalog.pg_partition_tree(stream_table.relation) as p
  loop
    execute format(
      'create trigger _900_note_insert after insert on %1$s
         referencing new table as new_rows
         for each statement execute function chat_private.%2$I();
       create trigger _900_note_update after update on %1$s
         referencing old table as old_rows new table as new_rows
         for each statement execute function chat_private.%2$I();
       create trigger _900_note_delete after delete on %1$s
         referencing old table as old_rows
         for each statement execute function chat_private.%2$I();
       create trigger _900_note_truncate after truncate on %1$s
         for each statement execute function chat_private.tg_streamed__truncate(%3$L)',
      v_part, v_name, stream_table.relation
    );
  end loop;
end;
$$;

comment on function chat_private.stream_table(regclass, text, text) is
  $$Let a table of the project travel into the copies of clients.

Run it as the role that owns the table, for example in a migration, and again after a partition was
added or the primary key changed. Clients that name the table pull the rows that their person may
select, of the tenants that they are in, or of their own; see pull_table.

Give the table an index on the owner and the primary key: the first fetch reads the rows in this order.

Args:
  relation: a table or a partitioned table, with a primary key and row level security.
  owner_column: its uuid column that holds the owner; rows without one travel to nobody.
  owner: what this is: tenant (of chat.tenants), or user (of auth.users).

Raises:
  invalid_input: the table lacks one of these; the message says which.$$;

-- Notes of people who are up to date are of no use to anybody, but nobody knows who that is. So they go by
-- time, and a copy that was away longer fetches what it holds of the owner anew.
create function chat_private.purge_table_notes(most integer)
returns integer
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_before timestamptz := (select now() - s.keep_changes from chat_private.settings as s);
  v_count integer;
begin
  with gone as (
    delete from chat_private.table_notes as n
    where n.ctid = any (array(
      select old.ctid
      from chat_private.table_notes as old
      where old.noted_at < v_before
      limit purge_table_notes.most
      for update skip locked
    ))
    returning n.relation, n.owner_id, n.xid
  ),
  purged as (
    insert into chat_private.table_owners as o (relation, owner_id, purged_xid)
    select g.relation, g.owner_id, max(g.xid)
    from gone as g
    group by g.relation, g.owner_id
    order by g.relation, g.owner_id
    on conflict on constraint table_owners_pkey do update
    set purged_xid = greatest(o.purged_xid, excluded.purged_xid)
  )
  select count(*) into v_count from gone;
  return v_count;
end;
$$;

comment on function chat_private.purge_table_notes(integer) is
  'Delete notes of changes of settings.keep_changes ago; returns how many.';

create table chat_private.note_folding (
  only_row boolean primary key default true,
  owner_id uuid not null default '00000000-0000-0000-0000-000000000000',
  xid xid8 not null default '0',
  constraint there_is_one_row check (only_row)
);

comment on table chat_private.note_folding is
  'How far maintenance got in folding notes; zeros begin a round.';

-- A row that changes every second is noted as often. A key in a note may go if a later note has it, and was
-- made after the first one's transaction had ended: whoever sees the later note then saw the first.
create function chat_private.fold_table_notes(most integer)
returns integer
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_at chat_private.note_folding;
  v_notes chat_private.table_notes[];
  v_last chat_private.table_notes;
  v_count integer;
begin
  select f.* into v_at from chat_private.note_folding as f for update skip locked;
  if not found then
    return 0;
  end if;
  v_notes := array(
    select n
    from chat_private.table_notes as n
    where (n.owner_id, n.xid) > (v_at.owner_id, v_at.xid)
    order by n.owner_id, n.xid, n.note
    limit fold_table_notes.most
  );
  v_last := v_notes[cardinality(v_notes)];
  update chat_private.note_folding as f
  set owner_id = coalesce(v_last.owner_id, '00000000-0000-0000-0000-000000000000'),
    xid = coalesce(v_last.xid, '0');
  with keyed as (
    select
      n.owner_id, n.xid, n.note, k.key, k.place,
      max(n.after) over (partition by n.owner_id, n.relation, k.key) > n.xid as is_over
    from unnest(v_notes) as n
    cross join unnest(n.keys) with ordinality as k (key, place)
  ),
  folded as (
    select
      k.owner_id, k.xid, k.note,
      coalesce(array_agg(k.key order by k.place) filter (where not k.is_over), '{}') as keys
    from keyed as k
    group by k.owner_id, k.xid, k.note
    having bool_or(k.is_over)
  ),
  emptied as (
    delete from chat_private.table_notes as n
    using folded as f
    where f.keys = '{}' and n.owner_id = f.owner_id and n.xid = f.xid and n.note = f.note
  ),
  shortened as (
    update chat_private.table_notes as n
    set keys = f.keys
    from folded as f
    where f.keys <> '{}' and n.owner_id = f.owner_id and n.xid = f.xid and n.note = f.note
  )
  select count(*) into v_count from folded;
  return v_count;
end;
$$;

comment on function chat_private.fold_table_notes(integer) is
  $$Take keys out of notes that stand in a later note as well.

Args:
  most: how many notes are looked at.

Returns:
  How many of them became shorter or went.$$;

revoke execute on function
  chat_private.tg_table_notes__announce(),
  chat_private.refresh_table(regclass, uuid),
  chat_private.tg_streamed__truncate(),
  chat_private.unstream_table(regclass),
  chat_private.refuse_to_stream(regclass, text, text),
  chat_private.streamed_source(regclass, text, text, text[]),
  chat_private.stream_table(regclass, text, text),
  chat_private.purge_table_notes(integer),
  chat_private.fold_table_notes(integer)
  from public, anon, authenticated;
