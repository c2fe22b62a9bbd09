-- The push outbox: what a send leaves behind, and to which devices it is spread.

-- A send writes one row into it, whatever the size of the room, and tells nobody: a NOTIFY would let
-- all commits wait for each other. Ordered by time, so that a row goes to the end of one index, and
-- what is old is found at its beginning. (No foreign key, which every send would pay for.)
create table chat_private.push_outbox (
  created_at timestamptz not null,
  room_id uuid not null,
  seq bigint not null,
  after_user_id uuid,
  primary key (created_at, room_id, seq)
);

comment on table chat_private.push_outbox is 'Messages that no push was considered for yet.';
comment on column chat_private.push_outbox.after_user_id is
  'Members up to here were considered already; null is none of them.';

create table chat_private.push_deliveries (
  user_id uuid not null,
  room_id uuid not null,
  device_id text not null,
  wanted_seq bigint not null,
  sent_seq bigint not null default 0,
  cleared_seq bigint not null default 0,
  wanted_at timestamptz not null default clock_timestamp(),
  due_at timestamptz not null,
  tries integer not null default 0,
  clear_at timestamptz,
  ticket text,
  ticket_at timestamptz,
  constraint push_deliveries_pkey primary key (user_id, room_id, device_id),
  constraint push_deliveries_device_fkey foreign key (user_id, device_id)
    references chat.devices (user_id, device_id),
  constraint ticket_is_short check (char_length(ticket) <= 200)
);

comment on table chat_private.push_deliveries is
  'What each device should be pushed about each room; due while wanted_seq > sent_seq.';
comment on column chat_private.push_deliveries.wanted_seq is 'The newest message that should ring.';
comment on column chat_private.push_deliveries.sent_seq is
  'The newest message that was pushed, or that needs no push any more.';
comment on column chat_private.push_deliveries.cleared_seq is
  'Up to here, what was pushed was taken away again.';
comment on column chat_private.push_deliveries.wanted_at is 'Since when there is something to push.';
comment on column chat_private.push_deliveries.due_at is
  'When to try next. Whoever claims a delivery moves it ahead, and has it alone until then.';
comment on column chat_private.push_deliveries.clear_at is
  'When the person read the room elsewhere, while the device may still show a push.';
comment on column chat_private.push_deliveries.ticket is
  'What Expo gave for the newest push; its receipt is asked for later.';

create index push_deliveries_by_device on chat_private.push_deliveries (user_id, device_id);
create index push_deliveries_due on chat_private.push_deliveries (due_at)
  where wanted_seq > sent_seq;
create index push_deliveries_to_clear on chat_private.push_deliveries (clear_at)
  where clear_at is not null;
create index push_deliveries_with_ticket on chat_private.push_deliveries (ticket_at)
  where ticket is not null;

create function chat_private.is_looking(user_id uuid, room_id uuid)
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return exists (
    select from chat.presence as p
    where p.user_id = is_looking.user_id
      and p.room_id = is_looking.room_id
      and p.last_seen_at > clock_timestamp() - chat_private.lease()
  );
end;
$$;

comment on function chat_private.is_looking(uuid, uuid) is
  'Tell whether somebody has a room on the screen of a device now.';

-- Asked when a message is spread, and again when its push is claimed: meanwhile people read, leave,
-- look, and change their minds.
create function chat_private.may_push(member chat.room_members, message chat.messages)
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_notify text;
  v_mark chat.marks;
begin
  if (may_push.message).sender_id = (may_push.member).user_id
    or (may_push.message).kind <> 'text'
    or (may_push.message).deleted_at is not null
    or (may_push.member).muted_until > clock_timestamp()
    or chat_private.has_blocked((may_push.member).user_id, (may_push.message).sender_id)
  then
    return false;
  end if;
  select p.notify into v_notify
  from chat.room_preferences as p
  where p.user_id = (may_push.member).user_id and p.room_id = (may_push.member).room_id;
  if v_notify = 'none'
    or v_notify = 'mentions'
    and not (may_push.message).mention_all
    and (may_push.member).user_id <> all ((may_push.message).mentions)
    and not exists (
      select from chat.messages as answered
      where answered.room_id = (may_push.message).room_id
        and answered.seq = (may_push.message).reply_to
        and answered.sender_id = (may_push.member).user_id
    )
  then
    return false;
  end if;
  select k.* into v_mark
  from chat.marks as k
  where k.user_id = (may_push.member).user_id and k.room_id = (may_push.member).room_id;
  return (may_push.message).seq > chat_private.unread_after(may_push.member, v_mark)
    and not chat_private.is_looking((may_push.member).user_id, (may_push.member).room_id);
end;
$$;

comment on function chat_private.may_push(chat.room_members, chat.messages) is
  $$Tell whether a message should ring on the devices of a member.

Returns:
  True for members other than the sender who are not muted, have not blocked the sender, whose
  preference lets it ring, who have not read it, and who do not look at the room now.$$;

create type chat_private.wanted_push as (user_id uuid, room_id uuid, device_id text, seq bigint);

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

-- Members of a room are considered in portions: an announcement to ten thousand people is one row, and
-- ten portions, each remembered in it. What all portions want is written once, in the order of the key:
-- whoever wrote a second time would wait for others while they wait for what was written first.
create function chat_private.spread_pushes(most integer)
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

-- Without anybody who claims, for example in a project without push, the outbox must not grow.
create function chat_private.drop_old_pushes(most integer)
returns integer
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_count integer;
begin
  delete from chat_private.push_outbox as o
  using (
    select old.created_at, old.room_id, old.seq
    from chat_private.push_outbox as old
    where old.created_at < clock_timestamp() - interval '24 hours'
    order by old.created_at, old.room_id, old.seq
    limit drop_old_pushes.most
    for update skip locked
  ) as gone
  where o.created_at = gone.created_at and o.room_id = gone.room_id and o.seq = gone.seq;
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;

comment on function chat_private.drop_old_pushes(integer) is
  'Take rows out of the push outbox that nobody claimed within 24 hours; returns how many.';

create function chat_private.drop_closed_devices(most integer)
returns integer
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_user_id uuid;
  v_count integer := 0;
begin
  for v_user_id in
    select d.user_id
    from chat.profiles as p
    join chat.devices as d on d.user_id = p.user_id
    where p.closed_at is not null
    group by d.user_id
    order by d.user_id
    limit drop_closed_devices.most
  loop
    perform chat_private.lock_users(array[v_user_id]);
    v_count := v_count + chat_private.drop_devices(
      v_user_id, array(select d.device_id from chat.devices as d where d.user_id = v_user_id)
    );
    delete from chat.presence as p where p.user_id = v_user_id;
  end loop;
  return v_count;
end;
$$;

comment on function chat_private.drop_closed_devices(integer) is
  'Forget the devices and leases of closed accounts; returns how many devices there were.';

revoke execute on function
  chat_private.is_looking(uuid, uuid),
  chat_private.may_push(chat.room_members, chat.messages),
  chat_private.are_due(chat_private.wanted_push[]),
  chat_private.spread_pushes(integer),
  chat_private.drop_old_pushes(integer),
  chat_private.drop_closed_devices(integer)
  from public, anon, authenticated;
