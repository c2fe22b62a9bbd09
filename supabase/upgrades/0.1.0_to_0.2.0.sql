-- 0.2.0: tables of the project's own in the copies of clients, and read replicas.

alter table chat_private.settings
  add column keep_changes interval not null default '30 days',
  add constraint keep_changes_lasts_a_day check (keep_changes >= '1 day');

comment on column chat_private.settings.keep_changes is
  $$How long a client may be away and still pull only what changed in tables of your own; one that was away
longer fetches their rows anew.
Unit: days.$$;

-- scripts/upgrade.py writes the first number. The second is raised by hand when a change would
-- break clients that are older: these then say that the app has to be updated, and keep their copy.
create or replace function chat_private.version()
returns jsonb
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return '{"version": "0.2.0", "lowest_client": "0.1.0"}';
end;
$$;

-- The name of the history right after a promotion, and replicas that are behind (chapters 000910 and 001000).
create or replace function chat_private.timeline()
returns text
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_timeline_id integer;
begin
  if pg_is_in_recovery() then
    v_timeline_id := (select c.timeline_id from pg_catalog.pg_control_checkpoint() as c);
  else
    v_timeline_id := ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer;
  end if;
  return (
    select encode(
      sha256(convert_to(
        concat_ws('/', system.system_identifier, v_timeline_id, s.timeline_salt), 'UTF8'
      )),
      'hex'
    )
    from pg_catalog.pg_control_system() as system, chat_private.settings as s
  );
end;
$$;

comment on function chat_private.timeline() is
  'Name this history of the database; a restore and a promotion begin another one.';

-- A replica surely shows the transactions before the oldest one that may be open there. More of them
-- may be shown, but a replica does not know which are open.
create function chat_private.lacks(oldest_open xid8, seen pg_snapshot)
returns boolean
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  -- Compares how many transactions there are from the oldest open one on, and how many of them the
  -- snapshot does not show.
  return pg_snapshot_xmax(lacks.seen)::text::bigint - lacks.oldest_open::text::bigint > (
    select count(*)
    from pg_snapshot_xip(lacks.seen) as x (open)
    where x.open >= lacks.oldest_open
  );
end;
$$;

comment on function chat_private.lacks(xid8, pg_snapshot) is
  $$Tell whether a snapshot shows a transaction from the oldest open one on.

Args:
  oldest_open: everything before it is there.
  seen: the snapshot of an earlier answer.$$;

-- What a replica has not replayed yet it cannot answer. Everything that was ever committed is on the
-- primary, so nothing is refused there.
create function chat_private.refuse_if_behind(seen pg_snapshot, is_ahead boolean default false)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if pg_is_in_recovery() and (
    refuse_if_behind.is_ahead
    or chat_private.lacks(pg_snapshot_xmin(pg_current_snapshot()), refuse_if_behind.seen)
  ) then
    raise exception using
      errcode = 'PT503',
      message = 'replica_behind',
      detail = 'This read replica does not have yet what an earlier answer showed.',
      hint = 'Ask the primary.';
  end if;
end;
$$;

comment on function chat_private.refuse_if_behind(pg_snapshot, boolean) is
  $$Refuse to answer on a replica that lacks what the caller has seen.

Args:
  seen: the snapshot of an earlier answer; null when there is none.
  is_ahead: whether the caller has something else that is not here.

Raises:
  replica_behind: this is a replica, and it is behind.$$;

-- On the primary such a cursor is of another history, and the client begins anew.
create function chat_private.is_ahead(
  cursor chat_private.pull_cursor,
  user_id uuid,
  timeline text
)
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return is_ahead.timeline <> coalesce((is_ahead.cursor).timeline, is_ahead.timeline)
    or (is_ahead.cursor).user_rev > (
      select s.rev from chat_private.user_streams as s where s.user_id = is_ahead.user_id
    )
    or exists (
      select
      from unnest((is_ahead.cursor).room_ids, (is_ahead.cursor).room_revs) as asked (room_id, rev)
      left join chat.rooms as r on r.id = asked.room_id
      where asked.rev > coalesce(r.rev, 0)
    );
end;
$$;

comment on function chat_private.is_ahead(chat_private.pull_cursor, uuid, text) is
  $$Tell whether a cursor has a number above the heads, or is of another timeline.

Args:
  cursor: what a client has.
  user_id: whose client it is.
  timeline: the present one.$$;

create or replace function chat_private.pull_changes(cursor jsonb)
returns jsonb
language plpgsql
stable
-- definer: one membership check per room instead of a policy per row
security definer
set search_path = '', pg_temp
-- Postgres thinks that a kept plan reads more than it does, and would plan at every call of a large database.
set plan_cache_mode = force_generic_plan
as $$
declare
  c_bytes_per_room constant integer := 256;
  v_me uuid := chat_private.current_user_id();
  v_cursor chat_private.pull_cursor := chat_private.read_cursor(pull_changes.cursor);
  v_timeline text := chat_private.timeline();
  v_rows_left integer := v_cursor.row_limit;
  v_pull_bytes bigint := (select s.pull_bytes from chat_private.settings as s);
  v_bytes_left bigint := v_pull_bytes;
  v_user jsonb;
  v_rooms jsonb[] := '{}';
  v_behind record;
  v_room chat.rooms;
  v_member chat.room_members;
  v_part chat_private.pull_part;
  v_people chat_private.changed_people;
  v_more boolean := false;
begin
  if pg_is_in_recovery() then
    perform chat_private.refuse_if_behind(
      v_cursor.seen, chat_private.is_ahead(v_cursor, v_me, v_timeline)
    );
  end if;

  -- The numbers of another timeline mean nothing here, so the client has to fetch its rooms anew.
  if v_cursor.timeline <> v_timeline then
    return jsonb_build_object(
      'timeline', v_timeline, 'schema', 1, 'user', null, 'rooms', '[]'::jsonb,
      'profiles', '[]'::jsonb, 'seen', null, 'more', false
    );
  end if;

  v_part := chat_private.pull_user(
    v_me, v_cursor.user_rev, v_rows_left, v_bytes_left, v_cursor.window_size
  );
  v_user := v_part.answer;
  v_rows_left := v_rows_left - v_part.row_count;
  v_bytes_left := v_bytes_left - v_part.byte_count;
  v_more := (v_user ->> 'to')::bigint < (
    select s.rev from chat_private.user_streams as s where s.user_id = v_me
  );

  -- Rooms with few changes come first, so that a room with a thousand new messages delays no other.
  for v_behind in
    select asked.room_id, asked.rev, asked.first_seq
    from unnest(v_cursor.room_ids, v_cursor.room_revs, v_cursor.first_seqs)
      as asked (room_id, rev, first_seq)
    cross join lateral (
      select h.id, h.rev
      from chat.room_members as m
      join chat.rooms as h on h.id = m.room_id
      where m.room_id = asked.room_id and m.user_id = v_me and m.left_at is null
      offset 0
    ) as r
    where asked.rev is distinct from r.rev or asked.first_seq is not null
    order by coalesce(r.rev - asked.rev, v_cursor.window_size), r.id
  loop
    if least(v_rows_left, v_bytes_left) <= 0
      and (v_more or v_rooms <> '{}' or v_user -> 'rows' <> '{}')
    then
      v_more := true;
      exit;
    end if;
    select r.* into v_room from chat.rooms as r where r.id = v_behind.room_id;
    select m.* into v_member
    from chat.room_members as m
    where m.room_id = v_behind.room_id and m.user_id = v_me;
    -- A window is cut only if little else is in the answer. Otherwise it goes whole into the next one.
    v_part := chat_private.pull_room(
      v_room, v_member, v_behind.rev, v_behind.first_seq, greatest(v_rows_left, 1),
      greatest(v_bytes_left, 1), v_cursor.window_size,
      v_user -> 'rows' = '{}' and v_rooms = '{}'
        or 2 * v_rows_left > v_cursor.row_limit and 2 * v_bytes_left > v_pull_bytes
    );
    if v_part.answer is null then
      v_more := true;
      exit;
    end if;
    v_rooms := v_rooms || v_part.answer;
    v_rows_left := v_rows_left - v_part.row_count;
    v_bytes_left := v_bytes_left - v_part.byte_count - c_bytes_per_room;
    v_more := v_more or (v_part.answer ->> 'to')::bigint < v_room.rev;
  end loop;

  v_people := chat_private.changed_people(v_me, v_cursor.seen, greatest(v_bytes_left, 0));
  v_more := v_more or v_people.more;
  return jsonb_build_object(
    'timeline', v_timeline,
    'schema', 1,
    'user', v_user,
    'rooms', to_jsonb(v_rooms),
    'profiles', chat_private.profiles_named(v_rooms || v_user, v_people.user_ids),
    'seen', v_people.seen,
    'more', v_more
  );
end;
$$;

comment on function chat.pull_changes(jsonb) is
  $$Pull what the caller may see and does not have yet.

Apply an answer and its numbers in one local transaction, and pull again while more is true. A step
may arrive by broadcast before a pull sees it: repeat until the number you were told is reached.

An answer is bounded by its rows (limit) and by its bytes (settings.pull_bytes, 1 MB), and exceeds
both by less than one number. A number is small: a message with its 30 attachments, a hundred people
who came in together, or whatever else one call changed. Rooms with little news come first.

Args:
  cursor: {"timeline": text or null, "user": number or null, "rooms": {room_id: number or null},
    "first": {room_id: seq}, "seen": text or null, "window": 1 to 200, default 200, "limit": 1 to 5,000 rows, default
    1,000}. Only the rooms named are read; null means that the client has nothing of it and gets the
    newest window messages, as many as fit and at least one, with the reactions and pins that stand.
    first names, for rooms in rooms, the first message the client has; such a room is always
    answered, and tells what is unread below. seen is that of the last answer: the profiles in the
    caller's tenants that changed since then come too, and the caller's own. Where that one has
    another changed_xid, the caller may have come into a tenant or left one: ask list_profiles for
    the people you know, and of those it leaves out keep only the name.

Returns:
  {"timeline", "schema", "user": {"from", "to", "rows", "dropped_rooms", "dropped_tenants",
  "notifications_read_seq"}, "rooms": [{"room_id", "from", "to", "rows", "reset", "older_unread",
  "older_mentions"}], "profiles", "seen", "more"}. Where from is null, rows replace what the client has, and go
  on from to while more is true; reset tells that it had something. dropped_tenants names tenants the
  caller is no longer in. older_unread and older_mentions count what the caller has not read before the
  message named in first, or before the window; exact to 99, where 100 means more. On another timeline
  user is null and nothing comes: compare room_checksum first. Rooms without news are left out, unless
  first names them. What ended with something else is not told again: drop the reactions, the pin and
  the notifications of a tombstone, everything about messages up to rooms.floor_seq and up to
  cleared_seq of the caller's preferences, the notifications about a room from before the last joining
  or leaving, and those of a mention that its message, at message_rev or later, does not hold. Of
  several about one mention the newest stands. Notifications up to
  notifications_read_seq are read.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: it is not a cursor.
  replica_behind: a read replica was asked that lacks what the cursor has; ask the primary.$$;

revoke execute on function
  chat_private.lacks(xid8, pg_snapshot),
  chat_private.refuse_if_behind(pg_snapshot, boolean),
  chat_private.is_ahead(chat_private.pull_cursor, uuid, text)
  from public, anon, authenticated;

-- Changes that a snapshot did not show are found by their transactions, without a counter that sign-ups
-- would have to wait for. If not everything fits, the snapshot in the answer ends before the first
-- transaction that is left out, and shows the same as the present one of all earlier transactions.
create or replace function chat_private.changed_people(
  user_id uuid,
  seen pg_snapshot,
  byte_limit bigint
)
returns chat_private.changed_people
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  c_most_looked_at constant integer := 5000;
  v_now pg_snapshot := pg_current_snapshot();
  v_people chat_private.changed_people;
  v_profile record;
  v_xid xid8;
  v_looked_at integer := 0;
  v_bytes bigint := 0;
begin
  v_people.user_ids := '{}';
  v_people.more := false;
  -- A crash gives numbers of transactions that were rolled back right before it to others, and a
  -- snapshot of that time would hide these. Up to a change that is seen, all numbers are on disk.
  v_people.seen := chat_private.snapshot_before(
    v_now, (
      select (p.changed_xid::text::bigint + 1)::text::xid8
      from chat.profiles as p
      order by p.changed_xid desc
      limit 1
    )
  );
  if pg_is_in_recovery() then
    -- A replica does not know which transactions are open, and would take some of them for shown.
    v_people.seen := format('%1$s:%1$s:', pg_snapshot_xmin(v_now));
  end if;
  if changed_people.seen is null then
    return v_people;
  end if;
  for v_profile in
    select
      p.changed_xid as xid,
      p.user_id,
      p.user_id = changed_people.user_id or exists (
        -- People who left a tenant count as well: their profiles now show less than before.
        select
        from chat.tenant_members as mine
        join chat.tenant_members as theirs on theirs.tenant_id = mine.tenant_id
        where mine.user_id = changed_people.user_id
          and mine.removed_at is null
          and theirs.user_id = p.user_id
      ) as is_known
    from chat.profiles as p
    where p.changed_xid >= pg_snapshot_xmin(changed_people.seen)
      and not pg_visible_in_snapshot(p.changed_xid, changed_people.seen)
    order by p.changed_xid
  loop
    if v_xid <> v_profile.xid
      and (v_looked_at >= c_most_looked_at or v_bytes > changed_people.byte_limit)
    then
      v_people.more := true;
      v_people.seen := chat_private.snapshot_before(v_people.seen::pg_snapshot, v_profile.xid);
      return v_people;
    end if;
    v_xid := v_profile.xid;
    v_looked_at := v_looked_at + 1;
    if v_profile.is_known then
      v_people.user_ids := v_people.user_ids || v_profile.user_id;
      v_bytes := v_bytes + chat_private.profile_bytes(v_profile.user_id);
    end if;
  end loop;
  return v_people;
end;
$$;

-- Tables whose tenant column got another name (chapter 001100).
-- The column got another name or type, or went. The write is not at fault, so it goes through.
create function chat_private.warn_unwatched(relation regclass, reason text)
returns uuid[]
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  raise warning 'watch_stats() has to be called again for %: %', warn_unwatched.relation, warn_unwatched.reason;
  return array[null::uuid];
end;
$$;

comment on function chat_private.warn_unwatched(regclass, text) is
  'Warn that the tenants of a change are not known; returns all of them, which is one null.';

-- The triggers of a watched table. The column has a name of the adopter's, so what is asked of the
-- changed rows is put together here; names are quoted, and come from watch_stats() alone. A row that
-- moves between tenants changes both.
create or replace function chat_private.tg_watched__change()
returns trigger
language plpgsql
volatile
-- definer: whoever writes the adopter's table has no rights here
security definer
set search_path = '', pg_temp
as $$
declare
  v_tenants uuid[];
begin
  begin
    execute format(
      'select array(
        select distinct c.tenant_id
        from (' || case tg_op
          when 'INSERT' then 'select n.%1$I from new_rows as n'
          when 'DELETE' then 'select o.%1$I from old_rows as o'
          else 'select n.%1$I from new_rows as n union all select o.%1$I from old_rows as o'
        end || ') as c (tenant_id)
        where c.tenant_id is not null
        limit 1001
      )',
      tg_argv[0]
    ) into v_tenants;
  exception
    when undefined_column or invalid_text_representation then
      v_tenants := chat_private.warn_unwatched(tg_relid, sqlerrm);
  end;
  perform chat_private.touch_stats(v_tenants, tg_argv[1]);
  return null;
end;
$$;

-- Before it is empty: from one tenant to the next in the index, a thousand look-ups at most. (Without
-- an index each look-up would read the whole table, and one that reads it once is better.)
create or replace function chat_private.tg_watched__truncate()
returns trigger
language plpgsql
volatile
-- definer: whoever truncates the adopter's table has no rights here
security definer
set search_path = '', pg_temp
as $$
declare
  v_has_index boolean := exists (
    select
    from pg_catalog.pg_index as i
    join pg_catalog.pg_attribute as a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
    where i.indrelid = tg_relid and i.indpred is null and a.attname = tg_argv[0]
  );
  v_tenants uuid[];
begin
  begin
    execute format(
      case when v_has_index then
        'with recursive found (tenant_id) as (
          (select t.%1$I from %2$s as t where t.%1$I is not null order by t.%1$I limit 1)
          union all
          select (select t.%1$I from %2$s as t where t.%1$I > f.tenant_id order by t.%1$I limit 1)
          from found as f
          where f.tenant_id is not null
        )
        select array(select f.tenant_id from found as f where f.tenant_id is not null limit 1001)'
      else
        'select array(select distinct t.%1$I from %2$s as t where t.%1$I is not null limit 1001)'
      end,
      tg_argv[0], tg_relid::regclass
    ) into v_tenants;
  exception
    when undefined_column or invalid_text_representation then
      v_tenants := chat_private.warn_unwatched(tg_relid, sqlerrm);
  end;
  perform chat_private.touch_stats(v_tenants, tg_argv[1]);
  return null;
end;
$$;

comment on function chat_private.watch_stats(regclass, text) is
  $$Tell the dashboards of tenants when a table of the project changes.

Run it as the role that owns the table, for example in a migration, and again after a partition was
added, or the table or the column got another name. (Until then events carry the old name of the table;
where the column cannot be read, all tenants are told, and the write warns.) Members of a tenant listen to
tenant:<tenant_id>:dashboard for stats_invalidated {tenant_id, tables}, which comes once in a transaction
and tenant, however many rows it changed.

Args:
  relation: a table or a partitioned table.
  tenant_column: its uuid column that holds the tenant; rows without one are told to nobody.

Raises:
  invalid_input: it is a view or a foreign table, or the column is not there or no uuid.$$;

revoke execute on function chat_private.warn_unwatched(regclass, text) from public, anon, authenticated;

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

-- A page is measured without a call for every row (chapter 000520).
create or replace function chat_private.fit_page(
  me chat.room_members,
  seq bigint,
  below integer,
  above integer
)
returns chat_private.seq_range
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_me chat.room_members := fit_page.me;
  v_visible_after bigint := chat_private.readable_after(v_me);
  v_page chat_private.seq_range;
begin
  -- (message_bytes, written out: to call it for every row is a tenth of what a page costs.)
  select min(page.seq), max(page.seq) into v_page
  from (
    select
      near.seq,
      sum(
        600
        + octet_length(to_json(near.body)::text)
        + 40 * cardinality(near.mentions)
        + octet_length(near.attachments::text)
        + octet_length(near.metadata::text)
      ) over nearest as bytes,
      row_number() over nearest as place
    from (
      (
        select m.seq, m.body, m.mentions, m.attachments, m.metadata
        from chat.messages as m
        where m.room_id = v_me.room_id
          and m.seq < fit_page.seq
          and m.seq > v_visible_after
        order by m.seq desc
        limit fit_page.below
      )
      union all
      (
        select m.seq, m.body, m.mentions, m.attachments, m.metadata
        from chat.messages as m
        where m.room_id = v_me.room_id
          and m.seq >= greatest(fit_page.seq, v_visible_after + 1)
        order by m.seq
        limit fit_page.above
      )
    ) as near
    window nearest as (order by abs(near.seq - fit_page.seq), near.seq)
  ) as page
  where page.place = 1 or page.bytes <= (select s.pull_bytes from chat_private.settings as s);
  return v_page;
end;
$$;

-- Reads that Postgres would plan at every call of a large database (chapters 000520, 000530 and 000710;
-- pull_changes, above, is another).
alter function chat_private.list_messages(uuid, bigint, bigint, bigint, integer)
  set plan_cache_mode = force_generic_plan;
alter function chat_private.list_thread(uuid, bigint, bigint, integer)
  set plan_cache_mode = force_generic_plan;
alter function chat_private.list_receipts(uuid, bigint) set plan_cache_mode = force_generic_plan;

-- The last message of each room is looked up, and never joined (chapter 000800).
create or replace function chat_private.page_of_rooms(
  me uuid,
  before chat_private.room_position,
  page_size integer
)
returns setof chat_private.listed_room
language plpgsql
stable
rows 50
set search_path = '', pg_temp
as $$
begin
  return query
    with asked as (
      -- Somebody who may see nothing of a room yet does not learn of talk in it.
      select mine.*
      from (
        select
          m as mine,
          m.room_id,
          coalesce(p.pinned, false) as pinned,
          greatest(m.visible_after_seq, p.cleared_seq) as visible_after,
          case when h.last_seq > m.visible_after_seq then h.active_at else m.joined_at end
            as activity_at
        from chat.room_members as m
        cross join lateral (
          select r.active_at, r.last_seq from chat.rooms as r where r.id = m.room_id offset 0
        ) as h
        left join chat.room_preferences as p on p.user_id = page_of_rooms.me and p.room_id = m.room_id
        where m.user_id = page_of_rooms.me and m.left_at is null
      ) as mine
      where (page_of_rooms.before).room_id is null
        or (mine.pinned, mine.activity_at, mine.room_id) < (
          (page_of_rooms.before).pinned, (page_of_rooms.before).activity_at,
          (page_of_rooms.before).room_id
        )
      order by mine.pinned desc, mine.activity_at desc, mine.room_id desc
      limit page_of_rooms.page_size
    ),
    measured as (
      select
        asked.*,
        sum(
          1000
          + octet_length(to_json(r)::text)
          + coalesce(chat_private.message_bytes(l.message), 0)
          + coalesce(octet_length(to_json(o)::text), 0)
        ) over in_order as bytes,
        row_number() over in_order as place
      from asked
      join chat.rooms as r on r.id = asked.room_id
      -- (limit: one look into an index for each room, and never a join with all messages)
      left join lateral (
        select m from chat.messages as m where m.room_id = r.id and m.seq = r.last_seq limit 1
      ) as l (message) on r.last_seq > asked.visible_after
      left join chat.profiles as o
        on o.user_id = case page_of_rooms.me when r.low_user then r.high_user else r.low_user end
      window in_order as (
        order by asked.pinned desc, asked.activity_at desc, asked.room_id desc
      )
    )
    select fitting.mine, fitting.pinned, fitting.activity_at
    from measured as fitting
    where fitting.place = 1
      or fitting.bytes <= (select s.pull_bytes from chat_private.settings as s)
    order by fitting.place;
end;
$$;

create or replace function chat_private.list_rooms(before jsonb, page_size integer)
returns table (
  room jsonb,
  member jsonb,
  last_message jsonb,
  unread integer,
  mentions integer,
  mark jsonb,
  preferences jsonb,
  other jsonb,
  pinned boolean,
  activity_at timestamptz
)
language plpgsql
stable
-- definer: one pass over the caller's memberships instead of a policy per row
security definer
set search_path = '', pg_temp
as $$
declare
  v_me uuid := chat_private.current_user_id();
  v_size integer := chat_private.clean_page_size(list_rooms.page_size);
  v_before chat_private.room_position := chat_private.read_room_position(list_rooms.before);
begin
  return query
    select
      to_jsonb(r), to_jsonb(page.member), to_jsonb(l.message), counted.unread, counted.mentions,
      to_jsonb(k), to_jsonb(f),
      case when o.user_id is not null then to_jsonb(chat_private.profile_for(o)) end,
      page.pinned, page.activity_at
    from chat_private.page_of_rooms(v_me, v_before, v_size) as page
    join chat.rooms as r on r.id = (page.member).room_id
    left join chat.marks as k on k.user_id = v_me and k.room_id = r.id
    left join chat.room_preferences as f on f.user_id = v_me and f.room_id = r.id
    left join lateral (
      select m from chat.messages as m where m.room_id = r.id and m.seq = r.last_seq limit 1
    ) as l (message) on r.last_seq > greatest((page.member).visible_after_seq, f.cleared_seq)
    left join chat.profiles as o
      on o.user_id = case v_me when r.low_user then r.high_user else r.low_user end
    cross join lateral chat_private.count_unread(page.member, k) as counted
    order by page.pinned desc, page.activity_at desc, r.id desc;
end;
$$;

-- Workers that claim pushes at once, or forget devices meanwhile, never wait in a circle (chapters
-- 000720, 000850 and 000860).
create or replace function chat_private.drop_devices(user_id uuid, device_ids text[])
returns integer
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_count integer;
begin
  -- Devices before deliveries, each in the order of its key, as whoever spreads pushes takes them.
  perform from chat.devices as d
  where d.user_id = drop_devices.user_id and d.device_id = any (drop_devices.device_ids)
  order by d.device_id
  for update;
  perform from chat_private.push_deliveries as p
  where p.user_id = drop_devices.user_id and p.device_id = any (drop_devices.device_ids)
  order by p.room_id, p.device_id
  for update;
  delete from chat_private.push_deliveries as p
  where p.user_id = drop_devices.user_id and p.device_id = any (drop_devices.device_ids);
  delete from chat_private.push_tokens as t
  where t.user_id = drop_devices.user_id and t.device_id = any (drop_devices.device_ids);
  delete from chat.devices as d
  where d.user_id = drop_devices.user_id and d.device_id = any (drop_devices.device_ids);
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;

create function chat_private.are_due(wanted chat_private.wanted_push[])
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return exists (
    select
    from unnest(are_due.wanted) as w
    left join chat.room_preferences as p on p.user_id = w.user_id and p.room_id = w.room_id
    left join chat_private.push_deliveries as d
      on d.user_id = w.user_id and d.room_id = w.room_id and d.device_id = w.device_id
    where coalesce(p.snoozed_until <= clock_timestamp(), true)
      and coalesce(d.wanted_seq <= d.sent_seq or d.due_at <= clock_timestamp(), true)
  );
end;
$$;

comment on function chat_private.are_due(chat_private.wanted_push[]) is
  'Tell whether any of these pushes may go out now: nobody snoozes it, or is at it already.';

create or replace function chat_private.spread_pushes(most integer)
returns integer
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_left integer;
  v_considered integer := 0;
  v_out chat_private.push_outbox;
  v_message chat.messages;
  v_members chat.room_members[];
  v_wanted chat_private.wanted_push[] := '{}';
begin
  loop
    v_left := spread_pushes.most;
    for v_out in
      select o.*
      from chat_private.push_outbox as o
      order by o.created_at, o.room_id, o.seq
      limit 200
      for update skip locked
    loop
      select m.* into v_message
      from chat.messages as m
      where m.room_id = v_out.room_id and m.seq = v_out.seq and m.deleted_at is null;
      v_members := array(
        select m
        from chat.room_members as m
        where m.room_id = v_message.room_id
          and m.user_id > coalesce(v_out.after_user_id, '00000000-0000-0000-0000-000000000000')
          and m.left_at is null
        order by m.user_id
        limit v_left
      );
      v_wanted := v_wanted || array(
        select row(m.user_id, m.room_id, t.device_id, v_message.seq)::chat_private.wanted_push
        from unnest(v_members) as m
        join chat_private.push_tokens as t on t.user_id = m.user_id
        join chat.devices as d on d.user_id = t.user_id and d.device_id = t.device_id
        join chat.profiles as p on p.user_id = m.user_id and p.closed_at is null and not p.is_bot
        where chat_private.may_push(m, v_message)
        -- (A device that is being forgotten needs no push.)
        for key share of d skip locked
      );
      if cardinality(v_members) = v_left then
        update chat_private.push_outbox as o
        set after_user_id = v_members[v_left].user_id
        where o.created_at = v_out.created_at and o.room_id = v_out.room_id and o.seq = v_out.seq;
        v_left := 0;
        exit;
      end if;
      delete from chat_private.push_outbox as o
      where o.created_at = v_out.created_at and o.room_id = v_out.room_id and o.seq = v_out.seq;
      -- (A room without members is work, too.)
      v_left := v_left - greatest(1, cardinality(v_members));
      exit when v_left <= 0;
    end loop;
    v_considered := v_considered + spread_pushes.most - v_left;
    exit when v_left = spread_pushes.most or chat_private.are_due(v_wanted);
  end loop;

  -- While somebody snoozes a room, its pushes wait.
  insert into chat_private.push_deliveries as d (user_id, room_id, device_id, wanted_seq, due_at)
  select
    w.user_id, w.room_id, w.device_id, max(w.seq),
    greatest(clock_timestamp(), coalesce(max(p.snoozed_until), '-infinity'))
  from unnest(v_wanted) as w
  left join chat.room_preferences as p on p.user_id = w.user_id and p.room_id = w.room_id
  group by w.user_id, w.room_id, w.device_id
  order by w.user_id, w.room_id, w.device_id
  on conflict on constraint push_deliveries_pkey do update
  set
    wanted_seq = greatest(d.wanted_seq, excluded.wanted_seq),
    wanted_at = case when d.wanted_seq > d.sent_seq then d.wanted_at else excluded.wanted_at end,
    due_at = case when d.wanted_seq > d.sent_seq then d.due_at else excluded.due_at end,
    tries = case when d.wanted_seq > d.sent_seq then d.tries else 0 end;
  return v_considered;
end;
$$;

comment on function chat_private.spread_pushes(integer) is
  $$Turn rows of the outbox into deliveries, one per device and room.

Args:
  most: how many members to consider at most at once. When nobody of them is to be told now, the next
    ones are considered too.

Returns:
  How many members were considered; 0 when the outbox is empty.$$;

revoke execute on function chat_private.are_due(chat_private.wanted_push[])
  from public, anon, authenticated;

create or replace function chat_private.claim_messages(batch_size integer)
returns setof chat.claimed_push
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_delivery chat_private.push_deliveries;
  v_snoozed_until timestamptz;
  v_push chat.claimed_push;
  v_claimed integer := 0;
begin
  -- Until there is something to push: a whole batch may be about nothing any more.
  loop
    for v_delivery in
      select d.*
      from chat_private.push_deliveries as d
      where d.wanted_seq > d.sent_seq and d.due_at <= v_now
      order by d.due_at
      limit claim_messages.batch_size
      for no key update skip locked
    loop
      v_push := null;
      select p.snoozed_until into v_snoozed_until
      from chat.room_preferences as p
      where p.user_id = v_delivery.user_id and p.room_id = v_delivery.room_id;
      if coalesce(v_snoozed_until <= v_now, true)
        and v_delivery.wanted_at > v_now - interval '24 hours'
      then
        v_push := chat_private.write_push(v_delivery);
      end if;
      update chat_private.push_deliveries as d
      set
        due_at = case
          when v_snoozed_until > v_now then v_snoozed_until else v_now + interval '2 minutes'
        end,
        wanted_at = case when v_snoozed_until > v_now then v_snoozed_until else d.wanted_at end,
        tries = d.tries + case when v_push.kind is null then 0 else 1 end,
        sent_seq = case
          when v_push.kind is null and coalesce(v_snoozed_until <= v_now, true) then d.wanted_seq
          else d.sent_seq
        end,
        -- (What is settled without a push is not shown by anything that could be taken away.)
        cleared_seq = case
          when v_push.kind is null and coalesce(v_snoozed_until <= v_now, true)
            and d.cleared_seq = d.sent_seq then d.wanted_seq
          else d.cleared_seq
        end
      where d.user_id = v_delivery.user_id
        and d.room_id = v_delivery.room_id
        and d.device_id = v_delivery.device_id;
      if v_push.kind is not null then
        v_claimed := v_claimed + 1;
        return next v_push;
      end if;
    end loop;
    exit when not found or v_claimed > 0;
  end loop;
end;
$$;

create or replace function chat_private.claim_clears(batch_size integer)
returns setof chat.claimed_push
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_device record;
  v_push chat.claimed_push;
begin
  for v_device in
    with taken as (
      select d.user_id, d.room_id, d.device_id
      from chat_private.push_deliveries as d
      where d.clear_at is not null
      order by d.clear_at
      limit claim_clears.batch_size
      for no key update skip locked
    ),
    cleared as (
      update chat_private.push_deliveries as d
      set clear_at = null, cleared_seq = d.sent_seq
      from taken as t
      where d.user_id = t.user_id and d.room_id = t.room_id and d.device_id = t.device_id
      returning d.user_id, d.device_id, d.room_id
    )
    select c.user_id, c.device_id, array_agg(c.room_id order by c.room_id) as room_ids
    from cleared as c
    group by c.user_id, c.device_id
  loop
    v_push := chat_private.address_push(v_device.user_id, v_device.device_id);
    -- Whoever reads on this very device has a lease on it, and needs no push.
    continue when v_push.push_token is null
      or v_push.platform = 'web'
      or exists (
        select from chat.presence as l
        where l.user_id = v_device.user_id
          and l.device_id = v_device.device_id
          and l.last_seen_at > v_now - chat_private.lease()
      );
    v_push.kind := 'clear';
    v_push.room_ids := v_device.room_ids;
    v_push.badge := chat_private.count_badge(v_device.user_id);
    -- (Whoever registers the device right now has its token.)
    update chat_private.push_tokens as t
    set woken_at = v_now
    from (
      select w.user_id, w.device_id
      from chat_private.push_tokens as w
      where w.user_id = v_device.user_id
        and w.device_id = v_device.device_id
        and v_push.platform = 'ios'
        and coalesce(w.woken_at < v_now - interval '30 minutes', true)
      for no key update skip locked
    ) as asleep
    where t.user_id = asleep.user_id and t.device_id = asleep.device_id;
    v_push.is_background := found;
    return next v_push;
  end loop;
end;
$$;

create or replace function chat_private.claim_pushes(batch_size integer)
returns setof chat.claimed_push
language plpgsql
volatile
-- definer: reads tokens and writes tables that nobody may write
security definer
set search_path = '', pg_temp
as $$
begin
  if claim_pushes.batch_size is null or claim_pushes.batch_size not between 1 and 500 then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'A batch has 1 to 500 pushes.',
      hint = 'Leave batch_size out for 100.';
  end if;
  -- Only what spreads waits for others, and does so first: what is claimed, nobody else is at.
  perform chat_private.spread_pushes(1000);
  return query select p.* from chat_private.claim_messages(claim_pushes.batch_size) as p;
  return query select p.* from chat_private.claim_clears(claim_pushes.batch_size) as p;
  return query select p.* from chat_private.claim_receipts(claim_pushes.batch_size) as p;
end;
$$;

create or replace function chat_private.run_maintenance()
returns jsonb
language plpgsql
volatile
-- definer: writes tables that nobody may write
security definer
set search_path = '', pg_temp
as $$
declare
  v_memberships integer := chat_private.leave_closed_accounts(100);
begin
  perform chat_private.note_maintenance();
  return jsonb_build_object(
    'accounts_opened', chat_private.open_accounts(2000),
    'memberships_ended', v_memberships,
    'places_ended', case when v_memberships = 0 then chat_private.end_closed_place() else 0 end,
    'devices_dropped', case when v_memberships = 0 then chat_private.drop_closed_devices(100) else 0 end,
    'pushes_dropped', chat_private.drop_old_pushes(5000),
    'sends_forgotten', chat_private.forget_purged_sends(1000),
    'files_given_up', chat_private.queue_orphans(1000),
    'checks_forgotten', chat_private.drop_old_checks(1000),
    'losses_forgotten', chat_private.drop_old_losses(5000)
  )
  || chat_private.tidy_table_notes(1000)
  -- From here on nothing waits for a room: these take the locks that a hold waits for.
  || chat_private.keep_retention(500)
  || jsonb_build_object(
    'rows_erased', case when v_memberships = 0 then chat_private.erase_portion(1000) else 0 end,
    'held_texts_dropped', chat_private.sweep_released(500),
    'audit_entries_dropped', chat_private.purge_audit(1000),
    'audit_entries_sealed', chat_private.seal_audit(1000),
    -- Last, because it locks a table of the project until the end.
    'tables_streamed_again', chat_private.stream_changed_tables()
  );
end;
$$;

comment on function chat.run_maintenance() is
  $$Do a portion of what is due.

For the service role: every minute, and again until all it returns is zero.

Returns:
  {"accounts_opened": people who had signed up before Parley came, and can take part now,
  "memberships_ended": rooms that closed accounts have left, "places_ended": tenants that they have
  left, "devices_dropped": their devices, "pushes_dropped": messages that nobody claimed pushes of
  within 24 hours, "sends_forgotten": retries of purged messages that are not recognized any more,
  "files_given_up": files that were uploaded and are held by no message after a day,
  "checks_forgotten": content checks of a week ago that failed or were slow,
  "losses_forgotten": notes of broadcasts that were lost a week ago,
  "table_notes_folded": notes of changes in streamed tables that later ones made shorter,
  "table_notes_dropped": such notes of settings.keep_changes ago,
  "messages_purged": messages that have had the days their room or tenant keeps them,
  "removed_rows_dropped": reactions and pins that were taken back 90 days ago,
  "edits_dropped": earlier texts of messages, after settings.keep_edits,
  "invites_dropped": invites that ended 90 days ago,
  "traces_dropped": leases of presence and settled pushes of 90 days ago, and buckets that are full,
  "rows_erased": rows of people who are erased, or 1 where it only got further,
  "held_texts_dropped": what released holds had kept,
  "audit_entries_dropped": entries older than settings.keep_audit,
  "audit_entries_sealed": entries that got their place in the chain,
  "tables_streamed_again": streamed tables that got a trigger which may change their rows}.

Raises:
  Nothing; it may be called at any time and concurrently.$$;

-- A squash of migrations and a dump of a schema lose all of this, so none of it is made anywhere else.
-- Everything here can be repeated: what is there stays as it is.
create or replace function chat_private.attach_rows()
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  insert into chat_private.settings default values on conflict (only_row) do nothing;
  insert into chat_private.check_counts default values on conflict (only_row) do nothing;
  insert into chat_private.file_sweep default values on conflict (only_row) do nothing;
  insert into chat_private.maintenance_runs default values on conflict (only_row) do nothing;
  insert into chat_private.note_folding default values on conflict (only_row) do nothing;
  insert into chat_private.walks (name)
  values ('rooms'), ('people'), ('tenants')
  on conflict (name) do nothing;
  perform chat_private.fill_foldings();

  -- The tenant of projects with one team, which need no other.
  insert into chat.tenants (tenant_id, name)
  values ('00000000-0000-0000-0000-000000000001', 'default')
  on conflict (tenant_id) do nothing;

  -- Private, and without limits of their own: what is allowed is up to the tenant of a room.
  insert into storage.buckets (id, name, public)
  values ('chat-attachments', 'chat-attachments', false), ('chat-avatars', 'chat-avatars', false)
  on conflict (id) do nothing;
end;
$$;

select chat_private.attach();
