-- Steps: the rows that a number changed, as one JSON object, for broadcasts and for pulls.

-- Broadcasts and pulls gather their rows with the same two functions, so they cannot disagree.
-- What nobody could be told is noted: a broadcast that is lost costs time, and an operator should know.
create table chat_private.lost_broadcasts (
  loss_id uuid primary key default gen_random_uuid(),
  lost_at timestamptz not null default clock_timestamp(),
  error text not null
);

comment on table chat_private.lost_broadcasts is
  'Steps that were not announced; clients pull them. Maintenance deletes the rows after a week.';

create index lost_broadcasts_by_time on chat_private.lost_broadcasts (lost_at);

create function chat_private.note_loss(error text)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  insert into chat_private.lost_broadcasts (error) values (left(note_loss.error, 500));
end;
$$;

comment on function chat_private.note_loss(text) is 'Note that something could not be announced, and why.';

create function chat_private.drop_old_losses(most integer)
returns integer
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_count integer;
begin
  delete from chat_private.lost_broadcasts as l
  where l.loss_id in (
    select old.loss_id
    from chat_private.lost_broadcasts as old
    where old.lost_at < clock_timestamp() - interval '7 days'
    order by old.lost_at
    limit drop_old_losses.most
    for update skip locked
  );
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;

comment on function chat_private.drop_old_losses(integer) is
  'Delete notes of lost broadcasts of more than a week ago; returns how many.';

revoke execute on function chat_private.note_loss(text), chat_private.drop_old_losses(integer)
  from public, anon, authenticated;

create function chat_private.room_rows(
  room_id uuid,
  above bigint,
  up_to bigint,
  visible_after bigint,
  touched text[]
)
returns jsonb
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_rows jsonb := '{}';
  v_part jsonb;
begin
  -- Each kind takes one index scan, so only the kinds that were touched are looked up. Most numbers
  -- changed a message and nothing else.
  if 'messages' = any (room_rows.touched) then
    select jsonb_agg(to_jsonb(m) order by m.rev, m.seq) into v_part
    from chat.messages as m
    where m.room_id = room_rows.room_id
      and m.rev > room_rows.above
      and m.rev <= room_rows.up_to
      and m.seq > room_rows.visible_after;
    if v_part is not null then
      v_rows := jsonb_build_object('messages', v_part);
    end if;
  end if;
  if room_rows.touched <> '{messages}' then
    if 'rooms' = any (room_rows.touched) then
      select jsonb_agg(to_jsonb(r)) into v_part
      from chat.rooms as r
      where r.id = room_rows.room_id
        and r.changed_rev > room_rows.above
        and r.changed_rev <= room_rows.up_to;
      if v_part is not null then
        v_rows := v_rows || jsonb_build_object('rooms', v_part);
      end if;
    end if;
    if 'members' = any (room_rows.touched) then
      select jsonb_agg(to_jsonb(m) order by m.rev, m.user_id) into v_part
      from chat.room_members as m
      where m.room_id = room_rows.room_id
        and m.rev > room_rows.above
        and m.rev <= room_rows.up_to;
      if v_part is not null then
        v_rows := v_rows || jsonb_build_object('members', v_part);
      end if;
    end if;
    if 'reactions' = any (room_rows.touched) then
      select jsonb_agg(to_jsonb(e) order by e.rev, e.seq, e.user_id, e.emoji) into v_part
      from chat.reactions as e
      where e.room_id = room_rows.room_id
        and e.rev > room_rows.above
        and e.rev <= room_rows.up_to
        and e.seq > room_rows.visible_after;
      if v_part is not null then
        v_rows := v_rows || jsonb_build_object('reactions', v_part);
      end if;
    end if;
    if 'pins' = any (room_rows.touched) then
      select jsonb_agg(to_jsonb(p) order by p.rev, p.seq) into v_part
      from chat.pins as p
      where p.room_id = room_rows.room_id
        and p.rev > room_rows.above
        and p.rev <= room_rows.up_to
        and p.seq > room_rows.visible_after;
      if v_part is not null then
        v_rows := v_rows || jsonb_build_object('pins', v_part);
      end if;
    end if;
    if 'receipts' = any (room_rows.touched) then
      select jsonb_agg(to_jsonb(c) order by c.rev, c.user_id, c.kind) into v_part
      from chat.receipts as c
      where c.room_id = room_rows.room_id
        and c.rev > room_rows.above
        and c.rev <= room_rows.up_to
        and c.up_to_seq > room_rows.visible_after;
      if v_part is not null then
        v_rows := v_rows || jsonb_build_object('receipts', v_part);
      end if;
    end if;
  end if;
  return v_rows;
end;
$$;

comment on function chat_private.room_rows(uuid, bigint, bigint, bigint, text[]) is
  $$Gather the rows of a room that were stamped in a range of numbers.

Args:
  room_id: the room.
  above: the number before the first one.
  up_to: the last number.
  visible_after: rows about messages up to this seq are left out.
  touched: the kinds of rows to look at.

Returns:
  {kind: [rows]}, without empty kinds.$$;

create function chat_private.user_rows(user_id uuid, above bigint, up_to bigint, touched text[])
returns jsonb
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_rows jsonb := '{}';
  v_part jsonb;
begin
  if 'memberships' = any (user_rows.touched) then
    select jsonb_agg(to_jsonb(m) order by m.user_rev, m.room_id) into v_part
    from chat.room_members as m
    where m.user_id = user_rows.user_id
      and m.user_rev > user_rows.above
      and m.user_rev <= user_rows.up_to;
    if v_part is not null then
      v_rows := v_rows || jsonb_build_object('memberships', v_part);
    end if;
  end if;
  if 'marks' = any (user_rows.touched) then
    select jsonb_agg(to_jsonb(k) order by k.rev, k.room_id) into v_part
    from chat.marks as k
    where k.user_id = user_rows.user_id
      and k.rev > user_rows.above
      and k.rev <= user_rows.up_to;
    if v_part is not null then
      v_rows := v_rows || jsonb_build_object('marks', v_part);
    end if;
  end if;
  if 'notifications' = any (user_rows.touched) then
    select jsonb_agg(to_jsonb(n) order by n.rev, n.seq) into v_part
    from chat.notifications as n
    where n.user_id = user_rows.user_id
      and n.rev > user_rows.above
      and n.rev <= user_rows.up_to
      and chat_private.notification_stands(n.user_id, n.kind, n.room_id, n.message_seq, n.rev);
    if v_part is not null then
      v_rows := v_rows || jsonb_build_object('notifications', v_part);
    end if;
  end if;
  if 'preferences' = any (user_rows.touched) then
    select jsonb_agg(to_jsonb(p) order by p.rev, p.room_id) into v_part
    from chat.room_preferences as p
    where p.user_id = user_rows.user_id
      and p.rev > user_rows.above
      and p.rev <= user_rows.up_to;
    if v_part is not null then
      v_rows := v_rows || jsonb_build_object('preferences', v_part);
    end if;
  end if;
  if 'blocks' = any (user_rows.touched) then
    select jsonb_agg(to_jsonb(b) order by b.rev, b.blocked_id) into v_part
    from chat.blocks as b
    where b.user_id = user_rows.user_id
      and b.rev > user_rows.above
      and b.rev <= user_rows.up_to;
    if v_part is not null then
      v_rows := v_rows || jsonb_build_object('blocks', v_part);
    end if;
  end if;
  return v_rows;
end;
$$;

comment on function chat_private.user_rows(uuid, bigint, bigint, text[]) is
  $$Gather the rows of a person's own stream that were stamped in a range of numbers.

Args:
  user_id: the person whose stream it is.
  above: the number before the first one.
  up_to: the last number.
  touched: the kinds of rows to look at.

Returns:
  {kind: [rows]}, without empty kinds.$$;

-- The devices of people who left a tenant have to forget everything they knew only through it.
create function chat_private.dropped_tenants(user_id uuid, above bigint, up_to bigint)
returns jsonb
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return (
    select coalesce(jsonb_agg(t.tenant_id order by t.user_rev, t.tenant_id), '[]')
    from chat.tenant_members as t
    where t.user_id = dropped_tenants.user_id
      and t.user_rev > dropped_tenants.above
      and t.user_rev <= dropped_tenants.up_to
      and t.removed_at is not null
  );
end;
$$;

comment on function chat_private.dropped_tenants(uuid, bigint, bigint) is
  $$Name the tenants that somebody lost in a range of numbers of their own stream.

Returns:
  A list of ids; empty when there are none.$$;

-- The lowest message in a step. People who may not see that message must not be sent the rows.
create function chat_private.lowest_seq(changed jsonb)
returns bigint
language sql
immutable
set search_path = '', pg_temp
return (
  select min(coalesce(entry.value ->> 'seq', entry.value ->> 'up_to_seq')::bigint)
  from jsonb_each(lowest_seq.changed) as kind (name, entries),
    jsonb_array_elements(kind.entries) as entry (value)
);

comment on function chat_private.lowest_seq(jsonb) is
  'Return the lowest seq among the rows of a step; null when none is about a message.';

-- For rooms whose members are not told one by one: large rooms, and rooms that somebody lost access
-- to.
create function chat_private.announce_to_topics(
  new_room chat.rooms,
  old_room chat.rooms,
  step jsonb,
  step_rows jsonb
)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_new chat.rooms := announce_to_topics.new_room;
  v_old chat.rooms := announce_to_topics.old_room;
  v_mentioned uuid[];
begin
  if v_old.is_large and announce_to_topics.step_rows ? 'messages' then
    v_mentioned := array(
      select distinct mention.user_id::uuid
      from jsonb_array_elements(announce_to_topics.step_rows -> 'messages') as message (value),
        jsonb_array_elements_text(message.value -> 'mentions') as mention (user_id)
      where message.value ->> 'kind' = 'text'
    );
  end if;
  if v_mentioned <> '{}' then
    -- People who are mentioned in a large room are told on their own topic. (`offset 0` makes the
    -- planner look up each of them, however many members it expects.)
    insert into realtime.messages (id, topic, extension, event, payload, private)
    select
      e.id, e.topic, 'broadcast', 'changed',
      announce_to_topics.step || jsonb_build_object('id', e.id), true
    from (
      select gen_random_uuid(), 'user:' || mentioned.user_id || ':' || member.epoch
      from unnest(v_mentioned) as mentioned (user_id)
      cross join lateral (
        select s.epoch
        from chat.room_members as m
        join chat_private.user_streams as s on s.user_id = m.user_id
        where m.room_id = v_new.id
          and m.user_id = mentioned.user_id
          and m.left_at is null
          and s.listens
        offset 0
      ) as member
    ) as e (id, topic);
  end if;
  if v_new.is_large and v_new.epoch = v_old.epoch then
    -- A large room gets one event on its topic, which people who were removed cannot join any more.
    -- Replay ignores row level security, so rows that newcomers may not see are never sent there.
    insert into realtime.messages (id, topic, extension, event, payload, private)
    select
      e.id, 'room:' || v_new.id || ':' || v_new.epoch, 'broadcast', 'changed',
      case v_new.history
        when 'all' then announce_to_topics.step else announce_to_topics.step - 'rows'
      end || jsonb_build_object('id', e.id),
      true
    from gen_random_uuid() as e (id);
  end if;
  if v_new.epoch > v_old.epoch then
    -- Somebody lost access, so the old topic is told the new epoch, and nothing else.
    insert into realtime.messages (id, topic, extension, event, payload, private)
    select
      e.id, 'room:' || v_new.id || ':' || v_old.epoch, 'broadcast', 'epoch_changed',
      announce_to_topics.step - 'rows' || jsonb_build_object('epoch', v_new.epoch, 'id', e.id), true
    from gen_random_uuid() as e (id);
  end if;
end;
$$;

comment on function chat_private.announce_to_topics(chat.rooms, chat.rooms, jsonb, jsonb) is
  $$Broadcast a step to the people it mentions in a large room, and to the topics of the room.

Args:
  new_room: the room after the operation.
  old_room: the room before it.
  step: the JSON to broadcast, with or without its rows.
  step_rows: the rows of the step in any case; null only where the room was small.$$;

-- A failing announcement must not fail the write: an error becomes a warning, and a locked
-- partition is waited for only briefly. Clients get what was not announced with their next pull.

-- Each function that builds JSON copies all that it is given, so this step is turned into JSON at once,
-- as a row in a row. That saves 3 % of a send.
create type chat_private.message_step_rows as (messages chat.messages[]);

comment on type chat_private.message_step_rows is 'The rows of a step that is one new message.';

create type chat_private.message_step as (
  room_id uuid,
  "from" bigint,
  "to" bigint,
  rows chat_private.message_step_rows
);

comment on type chat_private.message_step is 'A step that is one new message.';

-- Nearly every step is one short new message in a small room. It takes one statement, which makes the
-- step once for all recipients; a test holds it against what room_rows() gives.
create function chat_private.tg_rooms__announce()
returns trigger
language plpgsql
volatile
-- definer: writes realtime.messages, which belongs to the platform
security definer
set search_path = '', pg_temp
set lock_timeout = '250ms'
as $$
declare
  v_step jsonb;
  v_rows jsonb;
  v_first_id uuid;
  v_first_at timestamp;
  v_first_topic text;
begin
  if new.touched = '{messages}'
    and new.last_seq = old.last_seq + 1
    and new.rev = old.rev + 1
    and new.newest_visible_after = 0
    and not new.is_large
    and new.epoch = old.epoch
  then
    insert into realtime.messages (id, topic, extension, event, payload, private)
    select
      e.id, e.topic, 'broadcast', 'changed', e.step || jsonb_build_object('id', e.id), true
    from (
      select gen_random_uuid(), 'user:' || m.user_id || ':' || stream.epoch, said.step
      from (
        select to_jsonb(
          row(new.id, old.rev, new.rev, row(array[t]))::chat_private.message_step
        )
        from chat.messages as t
        where t.room_id = new.id and t.seq = new.last_seq
        offset 0
      ) as said (step)
      cross join chat.room_members as m
      cross join lateral (
        select s.epoch
        from chat_private.user_streams as s
        where s.user_id = m.user_id and s.listens
        offset 0
      ) as stream
      where m.room_id = new.id and m.left_at is null and pg_column_size(said.step) <= 2000
    ) as e (id, topic, step);
    if found then
      return null;
    end if;
  elsif new.rev <= old.rev or new.last_seq < old.last_seq then
    if not chat_private.numbers_are_in_order(new) then
      perform chat_private.fail_check('rooms', 'numbers_are_in_order');
    end if;
    if new.rev <= old.rev then
      return null;
    end if;
  end if;

  v_step := jsonb_build_object(
    'room_id', new.id, 'from', old.rev, 'to', new.rev,
    'rows', chat_private.room_rows(new.id, old.rev, new.rev, 0, new.touched)
  );
  -- Inserts what realtime.send would insert, for all recipients of a kind at once. A call per
  -- member takes a subtransaction each and is half as fast. Most steps are so short that they need
  -- not be measured.
  if pg_column_size(v_step) > 2000 or new.newest_visible_after > 0 or old.is_large then
    v_rows := v_step -> 'rows';
    if octet_length(v_step::text) > 32768
      or (
        new.newest_visible_after > 0
        and chat_private.lowest_seq(v_rows) <= new.newest_visible_after
      )
    then
      v_step := v_step - 'rows';
    end if;
    if pg_column_size(v_step) > 2000 and not old.is_large then
      -- From this size on Postgres compresses what it stores. That is done for the first recipient,
      -- and the others get a copy of the stored row, with its id. It saves a third of the time of a
      -- batch in a room of sixteen.
      insert into realtime.messages as e (id, topic, extension, event, payload, private)
      select
        first.id, 'user:' || m.user_id || ':' || s.epoch, 'broadcast', 'changed',
        v_step || jsonb_build_object('id', first.id), true
      from gen_random_uuid() as first (id)
      join chat.room_members as m on m.room_id = new.id and m.left_at is null
      join chat_private.user_streams as s on s.user_id = m.user_id and s.listens
      limit 1
      returning e.id, e.inserted_at, e.topic into v_first_id, v_first_at, v_first_topic;
      if found then
        select e.payload into v_step
        from realtime.messages as e
        where e.id = v_first_id and e.inserted_at = v_first_at;
      end if;
    end if;
  end if;
  if not old.is_large then
    -- In a small room each member gets an event on their own topic, so people who were removed get
    -- none. (`offset 0` makes the planner look up each stream, however few people there are so
    -- far.)
    insert into realtime.messages (id, topic, extension, event, payload, private)
    select
      e.id, e.topic, 'broadcast', 'changed',
      case
        when v_first_id is null then v_step || jsonb_build_object('id', e.id) else v_step
      end,
      true
    from (
      select gen_random_uuid(), 'user:' || m.user_id || ':' || stream.epoch
      from chat.room_members as m
      cross join lateral (
        select s.epoch
        from chat_private.user_streams as s
        where s.user_id = m.user_id and s.listens
        offset 0
      ) as stream
      where m.room_id = new.id and m.left_at is null
    ) as e (id, topic)
    where e.topic is distinct from v_first_topic;
  end if;
  -- Nearly every step needs nothing more.
  if not new.is_large and new.epoch = old.epoch then
    return null;
  end if;
  perform chat_private.announce_to_topics(new, old, v_step, v_rows);
  return null;
exception
  when others then
    if new.rev <= old.rev or new.last_seq < old.last_seq then
      raise;
    end if;
    raise warning 'step %..% of room % was not announced: %', old.rev, new.rev, new.id, sqlerrm;
    perform chat_private.note_loss(sqlerrm);
    return null;
end;
$$;

comment on function chat_private.tg_rooms__announce() is
  $$Broadcast the rows that an operation changed in a room.

Limits:
  step: a step of more than 32 KB, of a room or a person, is broadcast without its rows, and a client
    pulls them.
  wait: broadcasting waits 250 ms for Realtime's tables at most; then clients find the step with their
    next pull.$$;

create trigger _900_announce after update of rev, last_seq on chat.rooms
  for each row execute function chat_private.tg_rooms__announce();

create function chat_private.tg_user_streams__announce()
returns trigger
language plpgsql
volatile
-- definer: writes realtime.messages, which belongs to the platform
security definer
set search_path = '', pg_temp
set lock_timeout = '250ms'
as $$
begin
  -- The new epoch is told on the old topic. The rows are the person's own, and nothing comes after
  -- them on that topic.
  insert into realtime.messages (id, topic, extension, event, payload, private)
  select
    event.id, event.topic, 'broadcast', event.name,
    case when octet_length(event.payload::text) > 32768 then event.payload - 'rows' else event.payload end
      || jsonb_build_object('id', event.id),
    true
  from (
    select
      gen_random_uuid(),
      'user:' || o.user_id || ':' || o.epoch,
      case when n.epoch > o.epoch then 'epoch_changed' else 'changed' end,
      jsonb_build_object(
        'user_id', o.user_id, 'from', o.rev, 'to', n.rev,
        'notifications_read_seq', n.notifications_read_seq,
        'rows', chat_private.user_rows(o.user_id, o.rev, n.rev, n.touched)
      ) || case
        when n.epoch > o.epoch then jsonb_build_object('epoch', n.epoch) else '{}'
      end || case
        when 'tenants' = any (n.touched) then jsonb_build_object(
          'dropped_tenants', chat_private.dropped_tenants(o.user_id, o.rev, n.rev)
        )
        else '{}'
      end
    from old_rows as o
    join new_rows as n on n.user_id = o.user_id
    where n.rev > o.rev and n.listens
  ) as event (id, topic, name, payload);
  return null;
exception
  when others then
    raise warning 'steps of user streams were not announced: %', sqlerrm;
    perform chat_private.note_loss(sqlerrm);
    return null;
end;
$$;

create trigger _900_announce after update on chat_private.user_streams
  referencing old table as old_rows new table as new_rows
  for each statement execute function chat_private.tg_user_streams__announce();

revoke execute on function
  chat_private.room_rows(uuid, bigint, bigint, bigint, text[]),
  chat_private.user_rows(uuid, bigint, bigint, text[]),
  chat_private.dropped_tenants(uuid, bigint, bigint),
  chat_private.lowest_seq(jsonb),
  chat_private.announce_to_topics(chat.rooms, chat.rooms, jsonb, jsonb),
  chat_private.tg_rooms__announce(),
  chat_private.tg_user_streams__announce()
  from public, anon, authenticated;
