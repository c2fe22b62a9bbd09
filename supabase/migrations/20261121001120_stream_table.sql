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
  primary key (owner_id, xid, note)
);

-- Keys do not become much smaller when they are compressed, and a large write would take half a time more.
alter table chat_private.table_notes alter column keys set storage external;

comment on table chat_private.table_notes is
  $$What changed in streamed tables: a note per statement, owner and up to 1,000 keys, and one for each row
whose key or owner is another one now, with what it was.$$;
comment on column chat_private.table_notes.after is
  'All transactions before this one had ended when the note was made.';
comment on column chat_private.table_notes.told is
  'Whose topic hears of the transaction: tenant or user; null where another note of it says so.';
comment on column chat_private.table_notes.keys is
  'The key of a row is the text of its column, or a JSON list of these if there are several columns.';

-- Every write to a streamed table pays for a note and for this, so both do little: there is no constraint
-- and no second index on the notes, and nearly every transaction leaves an owner one note. It is deferred, so
-- that it comes when the transaction is about to end, and tells of all its notes. (A condition of the trigger
-- would be read anew at every write.)
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
  -- (Random ids would cost a write a fortieth more.)
  v_id uuid := '00000000-0000-8000-8000-' || lpad(to_hex(new.note), 12, '0');
  v_tables text[];
  v_topic text;
begin
  if new.told is null then
    return null;
  end if;
  -- A note that is alone in its transaction has the last number that this session took, and looking for
  -- others is dear. Where there are several, the first that comes here does not have it, and takes a
  -- number itself, so that none of the others does.
  if new.note <> currval('chat_private.table_notes_note_seq') then
    perform nextval('chat_private.table_notes_note_seq');
    -- The last note tells for all. (Where somebody made constraints immediate, each tells of what is there.)
    if exists (
      select from chat_private.table_notes as n
      where n.owner_id = new.owner_id
        and n.xid = new.xid
        and n.note > new.note
        and n.told is not null
    ) then
      return null;
    end if;
    v_tables := array(
      select distinct n.relation::text
      from chat_private.table_notes as n
      where n.owner_id = new.owner_id and n.xid = new.xid
    );
  end if;
  if new.told = 'user' then
    select 'user:' || s.user_id || ':' || s.epoch into v_topic
    from chat_private.user_streams as s
    where s.user_id = new.owner_id;
    if not found then
      return null;
    end if;
  end if;
  insert into realtime.messages (id, topic, extension, event, payload, private)
  values (
    v_id, coalesce(v_topic, 'tenant:' || new.owner_id || ':dashboard'), 'broadcast', 'table_changed',
    jsonb_build_object(
      new.told || '_id', nullif(new.owner_id, '00000000-0000-0000-0000-000000000000'),
      'tables', coalesce(v_tables, array[new.relation::text]), 'id', v_id
    ),
    true
  );
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
  for each row execute function chat_private.tg_table_notes__announce();

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
    r.owner_id, s.relation,
    case when refresh_table.owner_id is null then 'tenant' else s.owner end,
    '{}'
  from chat_private.streamed_tables as s
  cross join coalesce(
    refresh_table.owner_id, '00000000-0000-0000-0000-000000000000'
  ) as r (owner_id)
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

-- An update notes the new keys and owners of its rows. Where a key or an owner changed, and Postgres calls
-- this for no other row, the old ones are noted as well.
create function chat_private.tg_streamed__move()
returns trigger
language plpgsql
volatile
-- definer: whoever writes the adopter's table has no rights here
security definer
set search_path = '', pg_temp
-- With less, the text of a number with a point may leave digits out, and would be another key.
set extra_float_digits = 1
as $$
declare
  v_row jsonb := to_jsonb(old);
  v_table chat_private.streamed_tables;
  v_owner_id uuid;
  v_key text;
begin
  select s.* into v_table from chat_private.streamed_tables as s where s.relation = tg_relid;
  v_owner_id := v_row ->> v_table.owner_column;
  if v_owner_id is null then
    return null;
  end if;
  v_key := case
    when cardinality(v_table.key_columns) = 1 then v_row ->> v_table.key_columns[1]
    else (
      select jsonb_agg(v_row -> k.name order by k.place)::text
      from unnest(v_table.key_columns) with ordinality as k (name, place)
    )
  end;
  -- (A statement may move thousands of rows, and one note tells for all.)
  insert into chat_private.table_notes (owner_id, relation, told, keys)
  values (
    v_owner_id, tg_relid,
    case
      when not exists (
        select from chat_private.table_notes as n
        where n.owner_id = v_owner_id
          and n.xid = pg_current_xact_id()
          and n.relation = tg_relid
          and n.told is not null
      ) then v_table.owner
    end,
    array[v_key]
  );
  return null;
end;
$$;

-- Triggers of partitions run for the partition, and a name that is written into a trigger would be wrong
-- once the table has another one.
create function chat_private.streamed_table(part regclass)
returns regclass
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return (
    select s.relation
    from chat_private.streamed_tables as s
    where s.relation = streamed_table.part
      or s.relation in (select a.relid from pg_catalog.pg_partition_ancestors(streamed_table.part) as a)
    limit 1
  );
end;
$$;

comment on function chat_private.streamed_table(regclass) is
  'Return the streamed table that a table is, or that it is a partition of; null is none.';

create function chat_private.tg_streamed__truncate()
returns trigger
language plpgsql
volatile
-- definer: whoever truncates the adopter's table has no rights here
security definer
set search_path = '', pg_temp
as $$
begin
  perform chat_private.refresh_table(chat_private.streamed_table(tg_relid));
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
    -- Triggers of partitions share the function of the table, and the last one takes it away.
    if v_trigger.called::text like '%\_\_note()'
      and not exists (select from pg_catalog.pg_trigger as t where t.tgfoid = v_trigger.called)
    then
      execute format('drop function %s', v_trigger.called);
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
-- every write, which doubles the price of a single row.
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
  v_key text;
begin
  select case
    when count(*) > 1 then format(
      'jsonb_build_array(%s)::text collate "C"', string_agg(format('r.%I', k.name), ', ' order by k.place)
    )
    -- These have one form as text. The form of others depends on settings of whoever writes.
    when min(a.atttypid::regtype::text) in ('uuid', 'smallint', 'integer', 'bigint')
      then format('r.%I', min(k.name))
    when min(a.atttypid::regtype::text) = 'text' then format('r.%I collate "C"', min(k.name))
    else format('(to_jsonb(r.%I) #>> ''{}'') collate "C"', min(k.name))
  end
  into v_key
  from unnest(streamed_source.keys) with ordinality as k (name, place)
  join pg_catalog.pg_attribute as a
    on a.attrelid = streamed_source.relation and a.attname = k.name;
  return format(
    $source$
declare
  v_notes bigint;
begin
  -- Most statements change one row, and pay for no more.
  insert into chat_private.table_notes (owner_id, relation, told, keys)
  select r.%1$I, %3$s, %4$L, array[%2$s]::text[]
  from changed_rows as r
  where r.%1$I is not null and not exists (select from changed_rows offset 1);
  if found then
    return null;
  end if;
  insert into chat_private.table_notes (owner_id, relation, told, keys)
  select
    g.owner_id, %3$s,
    case when s.first = 1 and g.owners <= 1000 then %4$L end,
    g.keys[s.first:s.first + 999]::text[]
  from (
    select r.%1$I as owner_id, array_agg(%2$s) as keys, count(*) over () as owners
    from changed_rows as r
    where r.%1$I is not null
    group by r.%1$I
  ) as g
  cross join generate_series(1, cardinality(g.keys), 1000) as s (first);
  get diagnostics v_notes = row_count;
  if v_notes > 1000 then
    -- More than 1,000 owners are told at once, as everybody.
    insert into chat_private.table_notes (owner_id, relation, told, keys)
    values (%5$L, %3$s, 'tenant', '{}');
  end if;
  return null;
end;
$source$,
    streamed_source.owner_column, v_key,
    (
      select case c.relkind when 'p' then 'chat_private.streamed_table(tg_relid)' else 'tg_relid' end
      from pg_catalog.pg_class as c
      where c.oid = streamed_source.relation
    ),
    streamed_source.owner, '00000000-0000-0000-0000-000000000000'
  );
end;
$$;

comment on function chat_private.streamed_source(regclass, text, text, text[]) is
  'Write the body of the trigger function that notes the changed keys of a table.';

create function chat_private.changes_rows_itself(relation regclass)
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return exists (
    select
    from pg_catalog.pg_trigger as t
    where t.tgrelid = changes_rows_itself.relation
      -- (1 is for each row, 2 before, 16 update)
      and t.tgtype & 19 = 19
  );
end;
$$;

comment on function chat_private.changes_rows_itself(regclass) is
  'Tell whether a trigger of a table may change its rows in an update.';

-- A row that moves to another partition is to Postgres one that goes and one that comes, and no update of
-- a row, so in partitioned tables all old keys are noted.
--
-- A condition costs each update of one row a tenth of its price, even where it is false. Most updates name
-- neither key nor owner, and Postgres does not come to the condition where the trigger is only for these
-- columns. It goes by what the statement names; other triggers may change a row as well.
create function chat_private.note_moves(relation regclass, part regclass, name text, columns text[])
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  if (select c.relkind = 'p' from pg_catalog.pg_class as c where c.oid = note_moves.relation) then
    execute format(
      'create trigger _900_move after update on %s referencing old table as changed_rows
         for each statement execute function chat_private.%I()',
      note_moves.part, note_moves.name
    );
    return;
  end if;
  -- (Values that are equal may have different texts, like 1.0 and 1.00, and the text is the key. The text of a
  -- number with a point may leave digits out.)
  execute (
    select format(
      'create trigger _900_move after update %s on %s for each row when (%s)
         execute function chat_private.tg_streamed__move()',
      case
        when not chat_private.changes_rows_itself(note_moves.part)
          then 'of ' || string_agg(quote_ident(a.attname), ', ')
      end,
      note_moves.part,
      string_agg(
        format(
          case
            when a.atttypid::regtype::text in ('uuid', 'smallint', 'integer', 'bigint')
              then 'old.%1$I is distinct from new.%1$I'
            when a.atttypid::regtype::text in ('real', 'double precision')
              then 'old.%1$I <> new.%1$I or old.%1$I::text <> new.%1$I::text'
            else 'old.%1$I::text collate "C" <> new.%1$I::text collate "C"'
          end,
          a.attname
        ),
        ' or '
      )
    )
    from pg_catalog.pg_attribute as a
    where a.attrelid = note_moves.part and a.attname = any (note_moves.columns)
  );
end;
$$;

comment on function chat_private.note_moves(regclass, regclass, text, text[]) is
  $$Let an update note the keys and owners that rows had before.

Args:
  relation: a table that travels.
  part: the table, or one of its partitions.
  name: the function that notes what a statement changed.
  columns: the primary key and the owner.$$;

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
      set extra_float_digits = 1
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
         referencing new table as changed_rows
         for each statement execute function chat_private.%2$I();
       create trigger _900_note_update after update on %1$s
         referencing new table as changed_rows
         for each statement execute function chat_private.%2$I();
       create trigger _900_note_delete after delete on %1$s
         referencing old table as changed_rows
         for each statement execute function chat_private.%2$I();
       create trigger _900_note_truncate after truncate on %1$s
         for each statement execute function chat_private.tg_streamed__truncate()',
      v_part, v_name
    );
    perform chat_private.note_moves(
      stream_table.relation, v_part, v_name, v_keys || stream_table.owner_column
    );
  end loop;
end;
$$;

comment on function chat_private.stream_table(regclass, text, text) is
  $$Let a table of the project travel into the copies of clients.

Run it as the role that owns the table, for example in a migration, and again after a partition was
added, the primary key changed, or one of its columns or the owner's got another name. Clients that name
the table pull the rows that their person may select, of the tenants that they are in, or of their own;
see pull_table.

Give the table an index on the owner and the primary key: the first fetch reads the rows in this order.

Args:
  relation: a table or a partitioned table, with a primary key and row level security.
  owner_column: its uuid column that holds the owner; rows without one travel to nobody.
  owner: what this is: tenant (of chat.tenants), or user (of auth.users).

Raises:
  invalid_input: the table lacks one of these; the message says which.$$;

-- The project may give a table a trigger that changes rows when it travels already.
create function chat_private.stream_changed_tables()
returns integer
language plpgsql
volatile
set search_path = '', pg_temp
-- Whoever comes to the table waits behind this, and it waits for those that are there.
set lock_timeout = '250ms'
as $$
declare
  v_table chat_private.streamed_tables;
  v_done integer := 0;
begin
  for v_table in
    select s.*
    from chat_private.streamed_tables as s
    join pg_catalog.pg_trigger as t on t.tgrelid = s.relation
    where t.tgname = '_900_move'
      and t.tgattr::text <> ''
      and chat_private.changes_rows_itself(s.relation)
    for update of s skip locked
  loop
    begin
      perform chat_private.stream_table(v_table.relation, v_table.owner_column, v_table.owner);
      v_done := v_done + 1;
    exception
      when lock_not_available or insufficient_privilege or sqlstate 'PT400' then
        raise warning 'stream_table() has to be called again for %: %', v_table.relation, sqlerrm;
    end;
  end loop;
  return v_done;
end;
$$;

comment on function chat_private.stream_changed_tables() is
  $$Call stream_table() again for tables that got a trigger which may change their rows.

Copies then fetch the table anew, because rows may have moved unnoticed meanwhile.

Returns:
  How many tables; one that is busy, that somebody else owns or that cannot travel any more is left, with
  a warning.$$;

create table chat_private.note_folding (
  only_row boolean primary key default true,
  owner_id uuid not null default '00000000-0000-0000-0000-000000000000',
  xid xid8 not null default '0',
  note bigint not null default 0,
  constraint there_is_one_row check (only_row)
);

comment on table chat_private.note_folding is
  'How far maintenance got in tidying notes; zeros begin a round.';

-- Notes of people who are up to date are of no use to anybody, but nobody knows who that is. So they go by
-- time, and a copy that was away longer fetches what it holds of the owner anew. A row that changes every
-- second is noted as often: a key in a note may go if a later note has it, and was made after the first
-- one's transaction had ended: whoever sees the later note then saw the first. Maintenance goes through
-- all notes in rounds for both; an index by time would make each write dearer, and would stop helping
-- once the places of old notes are used again.
create function chat_private.tidy_table_notes(most integer)
returns jsonb
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_before timestamptz := (select now() - s.keep_changes from chat_private.settings as s);
  v_at chat_private.note_folding;
  v_notes chat_private.table_notes[];
  v_last chat_private.table_notes;
  v_dropped integer := 0;
  v_folded integer := 0;
begin
  select f.* into v_at from chat_private.note_folding as f for update skip locked;
  if found then
    v_notes := array(
      select n
      from chat_private.table_notes as n
      where (n.owner_id, n.xid, n.note) > (v_at.owner_id, v_at.xid, v_at.note)
      order by n.owner_id, n.xid, n.note
      limit tidy_table_notes.most
    );
    v_last := v_notes[tidy_table_notes.most];
    update chat_private.note_folding as f
    set owner_id = coalesce(v_last.owner_id, '00000000-0000-0000-0000-000000000000'),
      xid = coalesce(v_last.xid, '0'),
      note = coalesce(v_last.note, 0);
    with gone as (
      delete from chat_private.table_notes as n
      using unnest(v_notes) as o
      where o.noted_at < v_before
        and n.owner_id = o.owner_id
        and n.xid = o.xid
        and n.note = o.note
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
    ),
    keyed as (
      select
        n.owner_id, n.xid, n.note, k.key, k.place,
        max(n.after) over (partition by n.owner_id, n.relation, k.key) > n.xid as is_over
      from unnest(v_notes) as n
      cross join unnest(n.keys) with ordinality as k (key, place)
      where n.noted_at >= v_before
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
    select (select count(*) from gone), (select count(*) from folded) into v_dropped, v_folded;
  end if;
  return jsonb_build_object('table_notes_folded', v_folded, 'table_notes_dropped', v_dropped);
end;
$$;

comment on function chat_private.tidy_table_notes(integer) is
  $$Delete notes of settings.keep_changes ago, and take keys out of notes that stand in a later one as well.

Args:
  most: how many notes are looked at.

Returns:
  {"table_notes_folded": how many became shorter or went for a later one,
  "table_notes_dropped": how many were too old}.$$;

revoke execute on function
  chat_private.tg_table_notes__announce(),
  chat_private.refresh_table(regclass, uuid),
  chat_private.tg_streamed__move(),
  chat_private.streamed_table(regclass),
  chat_private.tg_streamed__truncate(),
  chat_private.unstream_table(regclass),
  chat_private.refuse_to_stream(regclass, text, text),
  chat_private.streamed_source(regclass, text, text, text[]),
  chat_private.changes_rows_itself(regclass),
  chat_private.note_moves(regclass, regclass, text, text[]),
  chat_private.stream_table(regclass, text, text),
  chat_private.stream_changed_tables(),
  chat_private.tidy_table_notes(integer)
  from public, anon, authenticated;
