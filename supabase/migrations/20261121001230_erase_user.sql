-- erase_my_account and erase_user: what somebody wrote and left behind goes, and is counted.

-- The call closes the account and takes what is the person's alone. What they said in rooms goes with
-- run_maintenance(), when they are out of all rooms: leaving takes a number of each room, so no send that
-- had begun before can still come in behind it.
create table chat_private.erasures (
  user_id uuid primary key references chat.profiles (user_id),
  requested_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz,
  retracted_to timestamptz not null default '-infinity',
  is_elsewhere boolean not null default false,
  after_room_id uuid not null default '00000000-0000-0000-0000-000000000000',
  swept jsonb not null default '{}'
);

comment on table chat_private.erasures is 'Who was to be erased, how far that is, and what went.';
comment on column chat_private.erasures.retracted_to is
  'Broadcasts up to then were looked through; infinity is all of them.';
comment on column chat_private.erasures.is_elsewhere is
  'The rooms they were in are done, and all others are looked through, because imports need no member.';
comment on column chat_private.erasures.after_room_id is 'The last room that is done.';
comment on column chat_private.erasures.swept is 'How many rows went or were emptied, by table.';

create index erasures_to_do on chat_private.erasures (requested_at) where finished_at is null;

create function chat_private.add_counts(counts jsonb, more jsonb)
returns jsonb
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return coalesce(
    (
      select jsonb_object_agg(c.name, c.number)
      from (
        select each.key as name, sum(each.value::bigint) as number
        from (
          select b.key, b.value from jsonb_each_text(add_counts.counts) as b
          union all
          select a.key, a.value from jsonb_each_text(add_counts.more) as a
        ) as each
        group by each.key
      ) as c
    ),
    '{}'
  );
end;
$$;

comment on function chat_private.add_counts(jsonb, jsonb) is 'Add up two objects of numbers by their keys.';

-- Rows that no copy of others holds.
create function chat_private.erase_own_rows(user_id uuid)
returns jsonb
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_id uuid := erase_own_rows.user_id;
  v_counts jsonb;
begin
  with
  notifications as (
    delete from chat.notifications as r where r.user_id = v_id returning 1
  ),
  marks as (
    delete from chat.marks as r where r.user_id = v_id returning 1
  ),
  preferences as (
    delete from chat.room_preferences as r where r.user_id = v_id returning 1
  ),
  blocks as (
    delete from chat.blocks as r where r.user_id = v_id returning 1
  ),
  presence as (
    delete from chat.presence as r where r.user_id = v_id returning 1
  ),
  buckets as (
    delete from chat_private.rate_buckets as r where r.user_id = v_id returning 1
  ),
  removals as (
    update chat.removals as r set reason = '' where r.user_id = v_id and r.reason <> '' returning 1
  ),
  bans as (
    update chat.bans as r set reason = '' where r.user_id = v_id and r.reason <> '' returning 1
  ),
  tenant_bans as (
    update chat.tenant_bans as r set reason = '' where r.user_id = v_id and r.reason <> '' returning 1
  ),
  profiles as (
    update chat.profiles as r
    set display_name = 'Deleted account', label = null, avatar_path = null, metadata = '{}'
    where r.user_id = v_id
      and (r.display_name, r.metadata) is distinct from ('Deleted account', '{}'::jsonb)
    returning 1
  )
  select jsonb_build_object(
    'chat.notifications', (select count(*) from notifications),
    'chat.marks', (select count(*) from marks),
    'chat.room_preferences', (select count(*) from preferences),
    'chat.blocks', (select count(*) from blocks),
    'chat.presence', (select count(*) from presence),
    'chat_private.rate_buckets', (select count(*) from buckets),
    'chat.removals', (select count(*) from removals),
    'chat.bans', (select count(*) from bans),
    'chat.tenant_bans', (select count(*) from tenant_bans),
    'chat.profiles', (select count(*) from profiles)
  )
  into v_counts;
  return v_counts || jsonb_build_object(
    'chat_private.push_deliveries', (
      select count(*) from chat_private.push_deliveries as r where r.user_id = v_id
    ),
    'chat_private.push_tokens', (
      select count(*) from chat_private.push_tokens as r where r.user_id = v_id
    ),
    'chat.devices', chat_private.drop_devices(
      v_id, array(select d.device_id from chat.devices as d where d.user_id = v_id)
    )
  );
end;
$$;

comment on function chat_private.erase_own_rows(uuid) is
  $$Take away what belongs to somebody alone; the caller holds their stream, or they are out of everywhere.

Returns:
  How many rows went or were emptied, by table.$$;

-- A report keeps that it was made, by whom, and whether somebody has dealt with it. (Not in the call that
-- closes the account: whoever resolves a report holds it, and then waits for the person who reported.)
create function chat_private.erase_reports(user_id uuid)
returns integer
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_count integer;
begin
  update chat.reports as r
  set
    reason = '…',
    resolution = null,
    body = case when r.user_id = erase_reports.user_id then null else r.body end,
    attachments = case when r.user_id = erase_reports.user_id then null else r.attachments end,
    metadata = case when r.user_id = erase_reports.user_id then null else r.metadata end
  where erase_reports.user_id in (r.user_id, r.reporter_id);
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;

comment on function chat_private.erase_reports(uuid) is
  'Empty the reports about somebody, and what they wrote in reports about others; returns how many.';

create function chat_private.certificate(user_id uuid)
returns jsonb
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return (
    select jsonb_build_object(
      'user_id', e.user_id,
      'requested_at', e.requested_at,
      'finished_at', e.finished_at,
      'swept', e.swept,
      'held', (
        select count(distinct (b.room_id, b.seq))
        from chat_private.held_bodies as b
        where b.sender_id = e.user_id
      )
    )
    from chat_private.erasures as e
    where e.user_id = certificate.user_id
  );
end;
$$;

comment on function chat_private.certificate(uuid) is
  'Say what an erasure has done so far, as erase_user() returns it; null without one.';

-- Asked again, it changes nothing and gives the certificate as it is by then.
create function chat_private.begin_erasure(user_id uuid, price integer)
returns jsonb
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  c_rooms constant jsonb := '{
    "chat.messages": 0, "chat.message_edits": 0, "chat.attachments": 0, "chat_private.sends": 0,
    "chat.reactions": 0, "chat.receipts": 0, "chat.room_members": 0, "chat.reports": 0
  }';
begin
  insert into chat_private.erasures (user_id)
  values (begin_erasure.user_id)
  on conflict on constraint erasures_pkey do nothing;
  if found then
    perform chat_private.close_account(begin_erasure.user_id);
    if begin_erasure.price > 0 then
      perform chat_private.spend(begin_erasure.user_id, begin_erasure.price);
    end if;
    update chat_private.erasures as e
    set swept = c_rooms || chat_private.erase_own_rows(begin_erasure.user_id)
    where e.user_id = begin_erasure.user_id;
    perform chat_private.record_audit('account_erased', null, null, begin_erasure.user_id);
  end if;
  return chat_private.certificate(begin_erasure.user_id);
end;
$$;

comment on function chat_private.begin_erasure(uuid, integer) is
  $$Close an account and begin to erase it, once; returns the certificate.

Args:
  user_id: the person.
  price: what it costs them, after every lock; 0 is nothing.

Raises:
  slow_down: their bucket is empty.$$;

create function chat_private.erase_my_account(confirm text)
returns jsonb
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
declare
  v_certificate jsonb := chat_private.certificate(chat_private.acting_user_id());
  v_me uuid;
begin
  -- The account is closed by the first call; whoever did not get its answer asks again.
  if v_certificate is not null then
    return v_certificate;
  end if;
  v_me := chat_private.current_user_id();
  if erase_my_account.confirm is distinct from 'erase my account' then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'Erasing an account cannot be undone, so it has to be confirmed.',
      hint = 'Pass "erase my account" as confirm, after asking the person.';
  end if;
  return chat_private.begin_erasure(v_me, 1);
end;
$$;

create function chat_private.erase_user(user_id uuid)
returns jsonb
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
begin
  perform from chat.profiles as p where p.user_id = erase_user.user_id;
  if not found then
    raise exception using
      errcode = 'PT404',
      message = 'user_not_found',
      detail = format('There is no profile %s.', erase_user.user_id),
      hint = 'Check the id in the table profiles.';
  end if;
  return chat_private.begin_erasure(erase_user.user_id, 0);
end;
$$;

-- Tombstones of at most a hundred messages are one number. The messages change before anything that hangs
-- on them goes, so that what is under legal hold is kept with its files. The fingerprints of what was
-- sent go; the mark of an import stays, or importing again would bring the messages back.
create function chat_private.erase_messages(room_id uuid, user_id uuid, rev bigint)
returns jsonb
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  c_most constant integer := 100;
  v_room_id uuid := erase_messages.room_id;
  v_seqs bigint[];
  v_edits integer;
  v_files integer;
  v_sends integer;
begin
  v_seqs := array(
    select m.seq
    from chat.messages as m
    where m.room_id = v_room_id
      and m.sender_id = erase_messages.user_id
      and m.client_id is not null
      and (m.deleted_at is null or m.sender_label is not null)
    order by m.seq
    limit c_most
  );
  update chat.messages as m
  set
    body = '',
    mentions = '{}',
    mention_all = false,
    attachments = '[]',
    metadata = '{}',
    sender_label = null,
    deleted_at = coalesce(m.deleted_at, clock_timestamp()),
    rev = erase_messages.rev
  where m.room_id = v_room_id and m.seq = any (v_seqs);
  delete from chat.message_edits as e where e.room_id = v_room_id and e.seq = any (v_seqs);
  get diagnostics v_edits = row_count;
  delete from chat.reactions as e where e.room_id = v_room_id and e.seq = any (v_seqs);
  delete from chat.pins as p where p.room_id = v_room_id and p.seq = any (v_seqs);
  delete from chat.attachments as a where a.room_id = v_room_id and a.seq = any (v_seqs);
  get diagnostics v_files = row_count;
  delete from chat_private.sends as s
  where s.room_id = v_room_id and s.sender_id = erase_messages.user_id and s.sent_hash <> '';
  get diagnostics v_sends = row_count;
  perform chat_private.renew_search(v_room_id, stored.upto)
  from (
    select distinct (
      select min(b.upto)
      from chat_private.search_blocks as b
      where b.room_id = v_room_id and b.block = s.seq >> 8 and b.upto >= s.seq
    ) as upto
    from unnest(v_seqs) as s (seq)
  ) as stored
  where stored.upto is not null;
  return jsonb_build_object(
    'chat.messages', cardinality(v_seqs), 'chat.message_edits', v_edits, 'chat.attachments', v_files,
    'chat_private.sends', v_sends
  );
end;
$$;

comment on function chat_private.erase_messages(uuid, uuid, bigint) is
  $$Make tombstones of what somebody said in a locked room, a hundred messages at most.

Args:
  room_id, user_id: where, and who.
  rev: the number that the tombstones take.

Returns:
  How many rows went or were emptied, by table.$$;

-- Copies of others hold these rows, so they change with a number of the room, like everything there.
create function chat_private.erase_traces(room_id uuid, user_id uuid, rev bigint)
returns jsonb
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  c_most constant integer := 100;
  v_reactions integer;
  v_receipts integer;
  v_labels integer;
begin
  update chat.reactions as e
  set removed_at = clock_timestamp(), rev = erase_traces.rev
  from (
    select own.seq, own.emoji
    from chat.reactions as own
    where own.room_id = erase_traces.room_id
      and own.user_id = erase_traces.user_id
      and own.removed_at is null
    order by own.seq, own.emoji
    limit c_most
  ) as standing
  where e.room_id = erase_traces.room_id
    and e.user_id = erase_traces.user_id
    and e.seq = standing.seq
    and e.emoji = standing.emoji;
  get diagnostics v_reactions = row_count;
  update chat.receipts as c
  set device_id = null, rev = case when c.rev is not null then erase_traces.rev end
  from (
    select own.kind, own.up_to_seq
    from chat.receipts as own
    where own.room_id = erase_traces.room_id
      and own.user_id = erase_traces.user_id
      and own.device_id is not null
    order by own.kind, own.up_to_seq
    limit c_most
  ) as named
  where c.room_id = erase_traces.room_id
    and c.user_id = erase_traces.user_id
    and c.kind = named.kind
    and c.up_to_seq = named.up_to_seq;
  get diagnostics v_receipts = row_count;
  update chat.room_members as m
  set label = null, rev = erase_traces.rev
  where m.room_id = erase_traces.room_id
    and m.user_id = erase_traces.user_id
    and m.label is not null;
  get diagnostics v_labels = row_count;
  return jsonb_build_object(
    'chat.reactions', v_reactions, 'chat.receipts', v_receipts, 'chat.room_members', v_labels
  );
end;
$$;

comment on function chat_private.erase_traces(uuid, uuid, bigint) is
  $$Take back what somebody left in a locked room beside messages: reactions, devices, their label.

Args:
  room_id, user_id: where, and who.
  rev: the number that the changed rows take.

Returns:
  How many rows were changed, by table.$$;

create function chat_private.erase_in_room(room chat.rooms, user_id uuid, most integer)
returns jsonb
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_rev bigint := (erase_in_room.room).rev;
  v_some jsonb;
  v_counts jsonb := '{"rows": 0}';
  v_rows integer;
  v_kinds text[];
begin
  loop
    v_kinds := '{messages}';
    v_some := chat_private.erase_messages((erase_in_room.room).id, erase_in_room.user_id, v_rev + 1);
    v_rows := (v_some ->> 'chat.messages')::integer;
    if v_rows = 0 then
      v_kinds := '{reactions,receipts,members}';
      v_some := v_some || chat_private.erase_traces(
        (erase_in_room.room).id, erase_in_room.user_id, v_rev + 1
      );
      v_rows := (
        select sum(n.value::integer)
        from jsonb_each_text(v_some - 'chat_private.sends') as n
      );
    end if;
    v_counts := chat_private.add_counts(v_counts, v_some || jsonb_build_object('rows', v_rows));
    exit when v_rows = 0;
    v_rev := v_rev + 1;
    update chat.rooms as r
    set rev = v_rev, touched = v_kinds
    where r.id = (erase_in_room.room).id;
    exit when (v_counts ->> 'rows')::integer >= erase_in_room.most;
  end loop;
  return v_counts || jsonb_build_object('is_done', (v_rows = 0)::integer);
end;
$$;

comment on function chat_private.erase_in_room(chat.rooms, uuid, integer) is
  $$Erase somebody from a locked room, number by number.

Args:
  room: the locked room.
  user_id: the person.
  most: how many rows, about.

Returns:
  How many rows, by table, and "rows" all together; "is_done" is 1 when nothing is left in the room.$$;

create type chat_private.retraction as (number bigint, upto timestamptz);

comment on type chat_private.retraction is
  'How many broadcasts were taken back, and up to when they were looked at; infinity is all of them.';

-- Steps of the last three days still hold what the person said. They are looked through a portion at a time.
-- The table belongs to the platform, so the erasure goes on where the right to delete there is missing; then
-- the partitions end it by themselves.
create function chat_private.retract_person(user_id uuid, after timestamptz)
returns chat_private.retraction
language plpgsql
volatile
set search_path = '', pg_temp
set lock_timeout = '250ms'
as $$
declare
  c_most constant integer := 50000;
  v_after timestamp := retract_person.after at time zone 'UTC';
  v_done chat_private.retraction;
begin
  v_done.upto := coalesce(
    (
      select e.inserted_at at time zone 'UTC'
      from realtime.messages as e
      where e.inserted_at > v_after and e.extension = 'broadcast' and e.private
      order by e.inserted_at
      offset c_most
      limit 1
    ),
    'infinity'
  );
  delete from realtime.messages as e
  where e.inserted_at > v_after
    and e.inserted_at <= v_done.upto at time zone 'UTC'
    and e.extension = 'broadcast'
    and e.private
    and (
      e.topic like 'user:' || retract_person.user_id || ':%'
      or jsonb_path_exists(
        e.payload, '$.rows.* [*] ? (@.sender_id == $id || @.user_id == $id)',
        jsonb_build_object('id', retract_person.user_id)
      )
    );
  get diagnostics v_done.number = row_count;
  return v_done;
exception
  when others then
    raise warning 'what % has sent can still be replayed for three days: %',
      retract_person.user_id, sqlerrm;
    return row(0, 'infinity')::chat_private.retraction;
end;
$$;

comment on function chat_private.retract_person(uuid, timestamptz) is
  $$Take back broadcasts with rows of somebody, and those to them.

Args:
  user_id: the person.
  after: up to when the portions before have looked.

Returns:
  How many there were in this portion, and where the next one begins.$$;

create function chat_private.is_left_in(room_id uuid, user_id uuid)
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return exists (
    select from chat.messages as m
    where m.room_id = is_left_in.room_id
      and m.sender_id = is_left_in.user_id
      and m.client_id is not null
      and (m.deleted_at is null or m.sender_label is not null)
  ) or exists (
    select from chat_private.sends as s
    where s.room_id = is_left_in.room_id
      and s.sender_id = is_left_in.user_id
      and s.sent_hash <> ''
  );
end;
$$;

comment on function chat_private.is_left_in(uuid, uuid) is
  'Tell whether something that somebody said is left in a room, member or not.';

create function chat_private.next_rooms(erasure chat_private.erasures)
returns uuid[]
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if (next_rooms.erasure).is_elsewhere then
    return array(
      select r.id
      from chat.rooms as r
      where r.id > (next_rooms.erasure).after_room_id
      order by r.id
      limit 1000
    );
  end if;
  return array(
    select m.room_id
    from chat.room_members as m
    where m.user_id = (next_rooms.erasure).user_id
      and m.room_id > (next_rooms.erasure).after_room_id
    order by m.room_id
    limit 100
  );
end;
$$;

comment on function chat_private.next_rooms(chat_private.erasures) is
  'List the rooms that an erasure looks at next: first those the person was in, then all.';

-- A room that is busy is left for the next time, because by now nothing may wait for a lock: the erasure
-- goes on behind the last room that is done.
create function chat_private.erase_portion(most integer)
returns integer
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_erasure chat_private.erasures;
  v_looked_at uuid[];
  v_rooms uuid[];
  v_room chat.rooms;
  v_held chat.rooms[];
  v_counts jsonb;
  v_rows integer := 0;
  v_before chat_private.erasures;
  v_retraction chat_private.retraction;
begin
  select e.* into v_erasure
  from chat_private.erasures as e
  where e.finished_at is null
    and not exists (
      select from chat.room_members as m where m.user_id = e.user_id and m.left_at is null
    )
    and not exists (
      select from chat.tenant_members as t where t.user_id = e.user_id and t.removed_at is null
    )
  order by e.requested_at
  limit 1
  for update skip locked;
  if not found then
    return 0;
  end if;
  if v_erasure.retracted_to < 'infinity' then
    v_retraction := chat_private.retract_person(v_erasure.user_id, v_erasure.retracted_to);
    update chat_private.erasures as e
    set
      retracted_to = v_retraction.upto,
      swept = chat_private.add_counts(
        e.swept, jsonb_build_object('realtime.messages', v_retraction.number)
      )
    where e.user_id = v_erasure.user_id;
    return 1;
  end if;
  v_before := v_erasure;

  v_looked_at := chat_private.next_rooms(v_erasure);
  v_rooms := array(
    select l.id
    from unnest(v_looked_at) as l (id)
    where not v_erasure.is_elsewhere or chat_private.is_left_in(l.id, v_erasure.user_id)
    order by l.id
  );
  v_held := array(
    select r from chat.rooms as r where r.id = any (v_rooms) order by r.id for no key update skip locked
  );
  foreach v_room in array v_held loop
    exit when v_room.id <> v_rooms[1] or v_rows >= erase_portion.most;
    v_counts := chat_private.erase_in_room(v_room, v_erasure.user_id, erase_portion.most - v_rows);
    v_rows := v_rows + (v_counts ->> 'rows')::integer;
    v_erasure.swept := chat_private.add_counts(v_erasure.swept, v_counts - '{rows,is_done}'::text[]);
    exit when v_counts ->> 'is_done' = '0';
    v_rooms := v_rooms[2:];
    v_erasure.after_room_id := v_room.id;
  end loop;
  if v_rooms = '{}' and v_looked_at <> '{}' then
    v_erasure.after_room_id := v_looked_at[cardinality(v_looked_at)];
  elsif v_looked_at = '{}' and not v_erasure.is_elsewhere then
    v_erasure.is_elsewhere := true;
    v_erasure.after_room_id := '00000000-0000-0000-0000-000000000000';
  elsif v_looked_at = '{}' then
    v_erasure := chat_private.end_erasure(v_erasure);
  end if;
  update chat_private.erasures as e
  set
    is_elsewhere = v_erasure.is_elsewhere,
    after_room_id = v_erasure.after_room_id,
    swept = v_erasure.swept,
    finished_at = v_erasure.finished_at
  where e.user_id = v_erasure.user_id;
  return greatest(v_rows, (v_erasure is distinct from v_before)::integer);
end;
$$;

comment on function chat_private.erase_portion(integer) is
  $$Go on with one erasure whose person is out of all rooms and tenants.

Args:
  most: how many rows, about.

Returns:
  How many rows went or were emptied, or 1 where it only got further; 0 when there is nothing left that
  can be done now.$$;

-- What came between the closing of the account and its leaving goes as well, such as a last report.
create function chat_private.end_erasure(erasure chat_private.erasures)
returns chat_private.erasures
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_erasure chat_private.erasures := end_erasure.erasure;
begin
  v_erasure.swept := chat_private.add_counts(
    v_erasure.swept,
    chat_private.erase_own_rows(v_erasure.user_id) || jsonb_build_object(
      'chat.reports', chat_private.erase_reports(v_erasure.user_id)
    )
  );
  v_erasure.finished_at := clock_timestamp();
  perform chat_private.record_audit(
    'erasure_finished', null, null, v_erasure.user_id, v_erasure.swept
  );
  return v_erasure;
end;
$$;

comment on function chat_private.end_erasure(chat_private.erasures) is
  'Finish an erasure of which no room is left.';

create function chat.erase_my_account(confirm text)
returns jsonb
language sql
volatile
set search_path = '', pg_temp
return chat_private.erase_my_account(confirm);

create function chat.erase_user(user_id uuid)
returns jsonb
language sql
volatile
set search_path = '', pg_temp
return chat_private.erase_user(user_id);

comment on function chat.erase_my_account(text) is
  $$Close the account of the caller and erase what it left behind.

It cannot be undone. The account is closed at once, and its name, picture, devices, marks, settings and
notifications are gone. Within minutes run_maintenance() takes it out of its rooms, passes its offices on,
and empties what it wrote. Clients delete the account in Supabase Auth afterwards; a server can do so
before.

Price: 1.

Args:
  confirm: "erase my account".

Returns:
  The certificate, as erase_user describes it. Called again, also with the token of the closed account,
  it changes nothing and returns the certificate as it is by then.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: confirm says something else.
  slow_down: too much at once; Retry-After tells the seconds.$$;

comment on function chat.erase_user(uuid) is
  $$Close somebody's account and erase what it left behind.

For the service role. It may be called before or after the account is deleted in Supabase Auth, and for
people who wrote messages that were imported and never had an account. What is under legal hold is kept aside
until it is released.

Args:
  user_id: the person, or a bot.

Returns:
  {"user_id", "requested_at", "finished_at": null while run_maintenance() is at it, "swept": {table: how
  many rows went or were emptied}, "held": how many messages a legal hold keeps}. Called again, it changes
  nothing and returns the certificate as it is by then.

Raises:
  user_not_found: nobody has that id.$$;

revoke execute on function
  chat_private.add_counts(jsonb, jsonb),
  chat_private.erase_own_rows(uuid),
  chat_private.erase_reports(uuid),
  chat_private.certificate(uuid),
  chat_private.begin_erasure(uuid, integer),
  chat_private.erase_messages(uuid, uuid, bigint),
  chat_private.erase_traces(uuid, uuid, bigint),
  chat_private.erase_in_room(chat.rooms, uuid, integer),
  chat_private.retract_person(uuid, timestamptz),
  chat_private.is_left_in(uuid, uuid),
  chat_private.next_rooms(chat_private.erasures),
  chat_private.erase_portion(integer),
  chat_private.end_erasure(chat_private.erasures),
  chat_private.erase_my_account(text), chat.erase_my_account(text),
  chat_private.erase_user(uuid), chat.erase_user(uuid)
  from public, anon, authenticated;
grant execute on function chat_private.erase_my_account(text), chat.erase_my_account(text)
  to authenticated, service_role;
grant execute on function chat_private.erase_user(uuid), chat.erase_user(uuid) to service_role;
