-- Steps: what a number changed, as one JSON, for a broadcast and for a pull alike.

-- A broadcast is a pull that arrived early: both gather with these two functions.
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
  -- One index scan per kind, so only the kinds that were touched are asked for. Most numbers are a
  -- message and nothing else.
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
      and n.rev <= user_rows.up_to;
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
  return v_rows;
end;
$$;

comment on function chat_private.user_rows(uuid, bigint, bigint, text[]) is
  $$Gather the rows of a person's own stream that were stamped in a range of numbers.

Args:
  user_id: whose stream.
  above: the number before the first one.
  up_to: the last number.
  touched: the kinds of rows to look at.

Returns:
  {kind: [rows]}, without empty kinds.$$;

-- The lowest message that a step is about; somebody who may not see it must not be sent it.
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

-- Announcing must never cost a write: an error is a warning, and a blocked partition a short wait.
-- What is lost here is found by the next pull.
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
  v_mentioned uuid[];
begin
  v_step := jsonb_build_object(
    'room_id', new.id, 'from', old.rev, 'to', new.rev,
    'rows', chat_private.room_rows(new.id, old.rev, new.rev, 0, new.touched)
  );
  -- What realtime.send would insert, for all recipients of a kind at once: a call per member takes
  -- a subtransaction each and is half as fast. Most rooms are small, and most steps so short that
  -- they need no measuring.
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
      -- From this size on, storing means compressing. It is done for the first recipient, and the
      -- others get a copy of what was stored, with its id: a third off a batch in a room of sixteen.
      insert into realtime.messages as e (id, topic, extension, event, payload, private)
      select
        first.id, 'user:' || m.user_id || ':' || s.epoch, 'broadcast', 'changed',
        v_step || jsonb_build_object('id', first.id), true
      from gen_random_uuid() as first (id)
      join chat.room_members as m on m.room_id = new.id and m.left_at is null
      join chat_private.user_streams as s on s.user_id = m.user_id
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
    -- Small: the server names the recipients, so who was removed is simply not among them. (`offset 0`
    -- keeps their streams one look-up each, however few people there are so far.)
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
        where s.user_id = m.user_id
        offset 0
      ) as stream
      where m.room_id = new.id and m.left_at is null
    ) as e (id, topic)
    where e.topic is distinct from v_first_topic;
  elsif v_rows ? 'messages' then
    v_mentioned := array(
      select distinct mention.user_id::uuid
      from jsonb_array_elements(v_rows -> 'messages') as message (value),
        jsonb_array_elements_text(message.value -> 'mentions') as mention (user_id)
      where message.value ->> 'kind' = 'text'
    );
  end if;
  -- Nearly every step ends here.
  if not new.is_large and new.epoch = old.epoch then
    return null;
  end if;
  if v_mentioned <> '{}' then
    -- Who is mentioned in a large room should know without looking at it. (`offset 0` keeps it one
    -- look-up each, whatever the planner thinks of thousands of members.)
    insert into realtime.messages (id, topic, extension, event, payload, private)
    select
      e.id, e.topic, 'broadcast', 'changed', v_step || jsonb_build_object('id', e.id), true
    from (
      select gen_random_uuid(), 'user:' || mentioned.user_id || ':' || member.epoch
      from unnest(v_mentioned) as mentioned (user_id)
      cross join lateral (
        select s.epoch
        from chat.room_members as m
        join chat_private.user_streams as s on s.user_id = m.user_id
        where m.room_id = new.id and m.user_id = mentioned.user_id and m.left_at is null
        offset 0
      ) as member
    ) as e (id, topic);
  end if;
  if new.is_large and new.epoch = old.epoch then
    -- Large: one event for everybody on the topic, which the removed no longer share. Replay reads
    -- past row level security, so what newcomers must not see is never on it.
    insert into realtime.messages (id, topic, extension, event, payload, private)
    select
      e.id, 'room:' || new.id || ':' || new.epoch, 'broadcast', 'changed',
      case when new.history = 'all' then v_step else v_step - 'rows' end
        || jsonb_build_object('id', e.id),
      true
    from gen_random_uuid() as e (id);
  end if;
  if new.epoch > old.epoch then
    -- Somebody lost access: the old topic is told to move on, and nothing else.
    insert into realtime.messages (id, topic, extension, event, payload, private)
    select
      e.id, 'room:' || new.id || ':' || old.epoch, 'broadcast', 'epoch_changed',
      v_step - 'rows' || jsonb_build_object('epoch', new.epoch, 'id', e.id), true
    from gen_random_uuid() as e (id);
  end if;
  return null;
exception
  when others then
    raise warning 'step %..% of room % was not announced: %', old.rev, new.rev, new.id, sqlerrm;
    return null;
end;
$$;

create trigger _900_announce after update of rev on chat.rooms
  for each row when (new.rev > old.rev)
  execute function chat_private.tg_rooms__announce();

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
  -- A new epoch is told on the old topic: these are the person's own rows, and nothing follows
  -- them there.
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
        'rows', chat_private.user_rows(o.user_id, o.rev, n.rev, n.touched)
      ) || case
        when n.epoch > o.epoch then jsonb_build_object('epoch', n.epoch) else '{}'
      end
    from old_rows as o
    join new_rows as n on n.user_id = o.user_id
    where n.rev > o.rev
  ) as event (id, topic, name, payload);
  return null;
exception
  when others then
    raise warning 'steps of user streams were not announced: %', sqlerrm;
    return null;
end;
$$;

create trigger _900_announce after update on chat_private.user_streams
  referencing old table as old_rows new table as new_rows
  for each statement execute function chat_private.tg_user_streams__announce();

revoke execute on function
  chat_private.room_rows(uuid, bigint, bigint, bigint, text[]),
  chat_private.user_rows(uuid, bigint, bigint, text[]),
  chat_private.lowest_seq(jsonb),
  chat_private.tg_rooms__announce(),
  chat_private.tg_user_streams__announce()
  from public, anon, authenticated;
