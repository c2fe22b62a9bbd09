-- heartbeat and list_presence: who is online, and which room they have on screen.

-- A lease per device, prolonged by heartbeats. Nobody writes that somebody went offline: the lease
-- runs out. (Logged, because unlogged tables cannot be read on replicas.)
create table chat.presence (
  user_id uuid not null references chat.profiles (user_id),
  device_id text not null,
  last_seen_at timestamptz not null,
  room_id uuid,
  told_at timestamptz,
  constraint presence_pkey primary key (user_id, device_id),
  constraint device_id_is_short check (char_length(device_id) between 1 and 200)
) with (fillfactor = 70);

comment on table chat.presence is 'When each device was last heard of; nobody else sees it.';
comment on column chat.presence.room_id is 'The room on screen; null while there is none.';
comment on column chat.presence.told_at is
  'When a heartbeat of this device last told the people of direct rooms.';

create function chat_private.lease()
returns interval
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return interval '75 s';
end;
$$;

comment on function chat_private.lease() is
  $$How long somebody is online after a heartbeat: two that are late, and a bit.

Limits:
  heartbeat: somebody is online for 75 s after a heartbeat of any of their devices. A heartbeat within
    30 s of the one before, with the same room, writes nothing. A person has at most 20 leases; the
    oldest gives way.
  presence: the other people of a person's 100 direct rooms that were active last are told at most once
    in 30 s.$$;

-- As for steps: an error is a warning, and a blocked partition a short wait. Whoever missed it asks
-- with list_presence.
create function chat_private.announce_presence(user_id uuid, online_until timestamptz)
returns integer
language plpgsql
volatile
set search_path = '', pg_temp
set lock_timeout = '250ms'
as $$
declare
  v_count integer;
begin
  -- (`offset 0` keeps it one look-up each.)
  insert into realtime.messages (id, topic, extension, event, payload, private)
  select
    e.id, e.topic, 'broadcast', 'presence',
    jsonb_build_object(
      'user_id', announce_presence.user_id, 'online_until', announce_presence.online_until,
      'id', e.id
    ),
    true
  from (
    select gen_random_uuid(), 'user:' || other.user_id || ':' || stream.epoch
    from (
      select
        case r.low_user when announce_presence.user_id then r.high_user else r.low_user end
          as user_id
      from chat.room_members as m
      join chat.rooms as r on r.id = m.room_id and r.kind = 'direct' and not r.is_closed
      where m.user_id = announce_presence.user_id and m.left_at is null
      order by r.active_at desc
      limit 100
    ) as other
    cross join lateral (
      select s.epoch
      from chat_private.user_streams as s
      join chat.profiles as p on p.user_id = s.user_id and p.closed_at is null
      where s.user_id = other.user_id and s.listens
      offset 0
    ) as stream
    group by other.user_id, stream.epoch
  ) as e (id, topic);
  get diagnostics v_count = row_count;
  return v_count;
exception
  when others then
    raise warning 'the presence of % was not announced: %', announce_presence.user_id, sqlerrm;
    return 0;
end;
$$;

comment on function chat_private.announce_presence(uuid, timestamptz) is
  'Tell the other people of somebody''s direct rooms until when they are online; returns how many.';

create function chat_private.heartbeat(device_id text, room_id uuid)
returns chat.presence
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
declare
  c_pause constant interval := '30 s';
  v_me uuid := chat_private.current_user_id();
  v_device_id text := chat_private.clean_line(heartbeat.device_id, 'device id', 200);
  v_now timestamptz := clock_timestamp();
  v_lease chat.presence;
  v_is_due boolean;
  v_price integer := 0;
begin
  if coalesce(v_device_id, '') = '' then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'A device has an id.',
      hint = 'Make up one id per installation and keep it.';
  end if;
  if heartbeat.room_id is not null then
    perform chat_private.require_member(heartbeat.room_id);
  end if;
  select p.* into v_lease
  from chat.presence as p
  where p.user_id = v_me and p.device_id = v_device_id;
  if found
    and v_lease.last_seen_at > v_now - c_pause
    and v_lease.room_id is not distinct from heartbeat.room_id
  then
    return v_lease;
  end if;

  if v_lease.user_id is null then
    perform chat_private.lock_users(array[v_me]);
  end if;
  if v_lease.user_id is null or v_lease.room_id is distinct from heartbeat.room_id then
    v_price := 1;
  end if;
  -- With these held, two devices at once do not tell twice.
  perform
  from chat.presence as p
  where p.user_id = v_me
  order by p.device_id
  for no key update;
  select p.share_presence and not exists (
    select from chat.presence as other
    where other.user_id = v_me and other.told_at > v_now - c_pause
  ) into v_is_due
  from chat.profiles as p
  where p.user_id = v_me;

  insert into chat.presence as p (user_id, device_id, last_seen_at, room_id, told_at)
  values (v_me, v_device_id, v_now, heartbeat.room_id, case when v_is_due then v_now end)
  on conflict on constraint presence_pkey do update
  set
    last_seen_at = excluded.last_seen_at,
    room_id = excluded.room_id,
    told_at = coalesce(excluded.told_at, p.told_at)
  returning p.* into v_lease;
  if v_price > 0 then
    delete from chat.presence as p
    where p.user_id = v_me
      and p.device_id in (
        select old.device_id
        from chat.presence as old
        where old.user_id = v_me
        order by old.last_seen_at desc, old.device_id
        offset 20
      );
  end if;
  if v_is_due then
    v_price := v_price + chat_private.announce_presence(v_me, v_now + chat_private.lease());
  end if;
  if v_price > 0 then
    perform chat_private.spend(v_me, v_price);
  end if;
  return v_lease;
end;
$$;

create type chat.listed_presence as (
  user_id uuid,
  is_online boolean,
  last_seen_at timestamptz
);

comment on type chat.listed_presence is
  'Whether somebody is online, and when a device of theirs was last heard of; null is never.';

create function chat_private.list_presence(user_ids uuid[])
returns setof chat.listed_presence
language plpgsql
stable
-- definer: reads leases and memberships of others
security definer
set search_path = '', pg_temp
as $$
declare
  v_me uuid := chat_private.current_user_id();
begin
  if cardinality(list_presence.user_ids) > 200 then
    raise exception using
      errcode = 'PT413',
      message = 'payload_too_large',
      detail = 'At most 200 people are looked for at once.',
      hint = 'Ask for the others in another call.';
  end if;
  return query
    select
      p.user_id,
      coalesce(seen.at > clock_timestamp() - chat_private.lease(), false),
      seen.at
    from chat.profiles as p
    cross join lateral (
      select max(l.last_seen_at) as at
      from chat.presence as l
      where l.user_id = p.user_id and not chat_private.is_blocked_between(v_me, p.user_id)
    ) as seen
    where p.user_id = any (list_presence.user_ids)
      and p.closed_at is null
      and not p.is_bot
      and p.share_presence
      and (p.user_id = v_me or chat_private.shares_room(v_me, p.user_id))
    order by p.user_id;
end;
$$;

create function chat_private.shares_room(one_id uuid, other_id uuid)
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return exists (
    select
    from chat.room_members as mine
    join chat.room_members as theirs on theirs.room_id = mine.room_id
    where mine.user_id = shares_room.one_id
      and mine.left_at is null
      and theirs.user_id = shares_room.other_id
      and theirs.left_at is null
  );
end;
$$;

comment on function chat_private.shares_room(uuid, uuid) is
  'Tell whether two people are in a room together now.';

create function chat.heartbeat(device_id text, room_id uuid default null)
returns chat.presence
language sql
volatile
set search_path = '', pg_temp
return chat_private.heartbeat(device_id, room_id);

create function chat.list_presence(user_ids uuid[])
returns setof chat.listed_presence
language sql
stable
set search_path = '', pg_temp
begin atomic
  select p.user_id, p.is_online, p.last_seen_at from chat_private.list_presence(user_ids) as p;
end;

comment on function chat.heartbeat(text, uuid) is
  $$Say that the caller is there, and which room is on the screen.

Call it every 30 seconds while the app is in front, and at once when the room on the screen changes.
The caller is online for 75 seconds after it, and no push is sent for the room on the screen. The
other people of direct rooms are told as presence {user_id, online_until} on their user topics, at
most once in 30 seconds; they show somebody as offline when online_until has passed. Nobody is told
while share_presence of the caller's profile is false.

Price: 1 for a new device or another room, and 1 for everybody it tells.

Args:
  device_id: up to 200 characters, made up by the client once per installation.
  room_id: a room the caller is in; left out when none is on the screen.

Returns:
  The lease of the device; unchanged within 30 seconds of the heartbeat before with the same room.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: there is no device id, or it is too long.
  room_not_found: the room does not exist, or the caller is not in it.
  slow_down: too much at once; Retry-After tells the seconds.$$;

comment on function chat.list_presence(uuid[]) is
  $$List who of some people is online, and when the others last were.

Args:
  user_ids: up to 200 people.

Returns:
  A row for everybody who is in a room with the caller, by user_id. People whose share_presence is
  false are left out, as if they did not exist. Two people of whom one has blocked the other look to
  each other as if they had never been seen.

Raises:
  sign_in_required: nobody is signed in.
  payload_too_large: more than 200 people.$$;

revoke execute on function
  chat_private.lease(),
  chat_private.announce_presence(uuid, timestamptz),
  chat_private.shares_room(uuid, uuid),
  chat_private.heartbeat(text, uuid), chat.heartbeat(text, uuid),
  chat_private.list_presence(uuid[]), chat.list_presence(uuid[])
  from public, anon, authenticated;
grant execute on function
  chat_private.heartbeat(text, uuid), chat.heartbeat(text, uuid),
  chat_private.list_presence(uuid[]), chat.list_presence(uuid[])
  to authenticated, service_role;

alter table chat.presence enable row level security;

create policy "people read their own leases" on chat.presence
  for select to authenticated
  using (user_id = (select auth.uid()));

grant select on chat.presence to authenticated, service_role;
