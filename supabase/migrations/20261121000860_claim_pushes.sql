-- claim_pushes and complete_pushes: a worker takes what is due, and says what became of it.

create type chat.claimed_push as (
  kind text,
  user_id uuid,
  room_id uuid,
  device_id text,
  seq bigint,
  platform text,
  push_provider text,
  push_token text,
  token_id text,
  title text,
  body text,
  unread integer,
  badge integer,
  message_id uuid,
  sender_id uuid,
  room_ids uuid[],
  is_background boolean,
  ticket text
);

comment on type chat.claimed_push is
  $$Something to tell a push provider.

kind is message (show title and body), clear (set the badge, and take away what is shown of room_ids)
or receipt (ask Expo what became of ticket). body is null where no text may be shown or there is none.
is_background is true where an iOS device may be woken for it.$$;

create function chat_private.count_badge(user_id uuid)
returns integer
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return (
    select coalesce(sum(n.unread), 0)::integer
    from (
      select m, k
      from chat.room_members as m
      join chat.rooms as r on r.id = m.room_id and r.archived_at is null
      left join chat.marks as k on k.user_id = m.user_id and k.room_id = m.room_id
      left join chat.room_preferences as p on p.user_id = m.user_id and p.room_id = m.room_id
      where m.user_id = count_badge.user_id
        and m.left_at is null
        and p.notify is distinct from 'none'
        and r.last_seq > chat_private.unread_after(m, k)
      order by r.active_at desc
      limit 50
    ) as unread (member, mark)
    cross join lateral chat_private.count_unread(unread.member, unread.mark) as n
  );
end;
$$;

comment on function chat_private.count_badge(uuid) is
  $$Count what somebody has not read, over the rooms that may ring.

Limits:
  badge: the badge of a push counts the 50 rooms that were active last, each up to 100.$$;

-- What hosts Web Push may write to is asked again here: the setting may have changed since a device
-- was registered.
create function chat_private.address_push(user_id uuid, device_id text)
returns chat.claimed_push
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_push chat.claimed_push;
begin
  select
    d.user_id, d.device_id, d.platform, d.push_provider, t.token, encode(t.token_hash, 'hex')
  into
    v_push.user_id, v_push.device_id, v_push.platform, v_push.push_provider, v_push.push_token,
    v_push.token_id
  from chat.devices as d
  join chat.profiles as p on p.user_id = d.user_id and p.closed_at is null
  join chat_private.push_tokens as t on t.user_id = d.user_id and t.device_id = d.device_id
  where d.user_id = address_push.user_id
    and d.device_id = address_push.device_id
    and (
      d.push_provider <> 'web'
      or chat_private.is_push_host(chat_private.web_push_host(t.token))
    );
  return v_push;
end;
$$;

comment on function chat_private.address_push(uuid, text) is
  $$Begin a push to a device with its token.

Returns:
  The push; push_token is null where push cannot reach the device, the account is closed, or
  settings.push_hosts does not let Web Push go there any more.$$;

-- What is told of a room: in a direct room somebody's name and words, in a group the room's name, and
-- the words behind the name.
create function chat_private.write_push(delivery chat_private.push_deliveries)
returns chat.claimed_push
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_member chat.room_members;
  v_mark chat.marks;
  v_message chat.messages;
  v_room chat.rooms;
  v_sender text;
  v_shows_text boolean;
  v_push chat.claimed_push;
begin
  select m.* into v_member
  from chat.room_members as m
  where m.room_id = (write_push.delivery).room_id
    and m.user_id = (write_push.delivery).user_id
    and m.left_at is null;
  v_push := chat_private.address_push(v_member.user_id, (write_push.delivery).device_id);
  select m.* into v_message
  from (
    select near.*
    from chat.messages as near
    where near.room_id = v_member.room_id and near.seq > (write_push.delivery).sent_seq
    order by near.seq desc
    limit 200
  ) as m
  where chat_private.may_push(v_member, m)
  order by m.seq desc
  limit 1;
  if v_push.push_token is null or v_message.seq is null then
    return null;
  end if;

  select r.* into v_room from chat.rooms as r where r.id = v_message.room_id;
  select p.display_name into v_sender from chat.profiles as p where p.user_id = v_message.sender_id;
  select t.push_shows_text into v_shows_text
  from chat.tenants as t where t.tenant_id = v_room.tenant_id;
  select k.* into v_mark
  from chat.marks as k where k.user_id = v_member.user_id and k.room_id = v_member.room_id;
  v_push.kind := 'message';
  v_push.room_id := v_member.room_id;
  v_push.seq := greatest((write_push.delivery).wanted_seq, v_message.seq);
  v_push.title := case v_room.kind when 'direct' then v_sender else v_room.name end;
  if v_shows_text and not v_room.is_opaque and not chat_private.is_blank(v_message.body) then
    v_push.body := chat_private.cut_line(
      case v_room.kind when 'direct' then '' else v_sender || ': ' end || v_message.body, 180
    );
  end if;
  v_push.unread := (chat_private.count_unread(v_member, v_mark)).unread;
  v_push.badge := chat_private.count_badge(v_member.user_id);
  v_push.message_id := v_message.id;
  v_push.sender_id := v_message.sender_id;
  return v_push;
end;
$$;

comment on function chat_private.write_push(chat_private.push_deliveries) is
  $$Write what a device is pushed about a room now.

Returns:
  The newest message that may ring, with counts; null when there is nothing to tell any more.

Limits:
  push: the text of a push is cut at 180 characters, between two as people see them. A push that fails
    is tried again for 24 hours, after 10 s, 20 s, 40 s and so on up to an hour.$$;

create function chat_private.claim_messages(batch_size integer)
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

comment on function chat_private.claim_messages(integer) is
  'Lease deliveries that are due for two minutes, and settle those that are about nothing any more.';

-- Somebody read elsewhere. Tried once: providers promise nothing here, and the app puts everything
-- right when it runs next. Apple lets a device be woken a few times an hour, so two are used; a browser
-- has to show whatever wakes it, so it is left alone.
create function chat_private.claim_clears(batch_size integer)
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

comment on function chat_private.claim_clears(integer) is
  'Take, once, the devices that show pushes which were read elsewhere.';

-- Expo answers a push with a ticket, and knows a quarter of an hour later what became of it.
create function chat_private.claim_receipts(batch_size integer)
returns setof chat.claimed_push
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_taken chat_private.push_deliveries;
  v_push chat.claimed_push;
begin
  for v_taken in
    update chat_private.push_deliveries as d
    set ticket_at = v_now
    from (
      select t.user_id, t.room_id, t.device_id
      from chat_private.push_deliveries as t
      where t.ticket is not null and t.ticket_at < v_now - interval '15 minutes'
      order by t.ticket_at
      limit claim_receipts.batch_size
      for no key update skip locked
    ) as taken
    where d.user_id = taken.user_id and d.room_id = taken.room_id and d.device_id = taken.device_id
    returning d.*
  loop
    v_push := null;
    v_push.kind := 'receipt';
    v_push.user_id := v_taken.user_id;
    v_push.room_id := v_taken.room_id;
    v_push.device_id := v_taken.device_id;
    v_push.seq := v_taken.sent_seq;
    v_push.push_provider := 'expo';
    v_push.ticket := v_taken.ticket;
    v_push.token_id := (
      select encode(t.token_hash, 'hex')
      from chat_private.push_tokens as t
      where t.user_id = v_taken.user_id and t.device_id = v_taken.device_id
    );
    return next v_push;
  end loop;
end;
$$;

comment on function chat_private.claim_receipts(integer) is
  'Take tickets that are a quarter of an hour old, and again every quarter of an hour.';

create function chat_private.claim_pushes(batch_size integer)
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

create type chat_private.push_result as (
  kind text,
  user_id uuid,
  room_id uuid,
  device_id text,
  seq bigint,
  token_id text,
  outcome text,
  after integer,
  ticket text
);

-- A result may come late, twice, or after somebody else has sent the push again: marks only move
-- forward, and a token is dropped only while it is the one that was written to.
create function chat_private.complete_pushes(results jsonb)
returns integer
language plpgsql
volatile
-- definer: writes tables that nobody may write
security definer
set search_path = '', pg_temp
as $$
declare
  v_result chat_private.push_result;
  v_count integer := 0;
  v_dead bytea[] := '{}';
begin
  if jsonb_typeof(complete_pushes.results) is distinct from 'array' then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'results is an array with an object for each push.',
      hint = 'Pass what claim_pushes returned, each with its outcome.';
  end if;
  for v_result in
    select r.*
    from jsonb_populate_recordset(null::chat_private.push_result, complete_pushes.results) as r
    order by r.user_id, r.room_id, r.device_id
  loop
    if v_result.outcome = 'dead' then
      v_dead := v_dead || decode(v_result.token_id, 'hex');
    end if;
    if v_result.kind = 'message' then
      update chat_private.push_deliveries as d
      set
        sent_seq = case v_result.outcome
          when 'retry' then d.sent_seq else greatest(d.sent_seq, v_result.seq)
        end,
        due_at = clock_timestamp() + interval '1 s' * case
          when v_result.outcome <> 'retry' then 0
          when v_result.after is null then least(5 * 2 ^ least(d.tries, 12), 3600)
          else least(greatest(v_result.after, 1), 3600)
        end,
        wanted_at = case v_result.outcome when 'retry' then d.wanted_at else clock_timestamp() end,
        tries = case v_result.outcome when 'retry' then d.tries else 0 end,
        ticket = coalesce(v_result.ticket, d.ticket),
        ticket_at = case when v_result.ticket is null then d.ticket_at else clock_timestamp() end
      where d.user_id = v_result.user_id
        and d.room_id = v_result.room_id
        and d.device_id = v_result.device_id;
      v_count := v_count + found::integer;
      -- Somebody who read while the provider had the push found nothing shown yet to take away.
      perform chat_private.clear_pushes(k.user_id, k.room_id, k.read_seq)
      from chat.marks as k
      where k.user_id = v_result.user_id and k.room_id = v_result.room_id;
    elsif v_result.kind = 'receipt' and v_result.outcome <> 'retry' then
      update chat_private.push_deliveries as d
      set ticket = null, ticket_at = null
      where d.user_id = v_result.user_id
        and d.room_id = v_result.room_id
        and d.device_id = v_result.device_id
        and d.ticket = v_result.ticket;
      v_count := v_count + found::integer;
    end if;
  end loop;
  perform chat_private.drop_tokens(v_dead);
  return v_count;
end;
$$;

-- A device whose person registers it right now is left out; its token turns out dead next time.
create function chat_private.drop_tokens(token_hashes bytea[])
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  with dead as (
    delete from chat_private.push_tokens as t
    using (
      select d.user_id, d.device_id
      from chat_private.push_tokens as t
      join chat.devices as d on d.user_id = t.user_id and d.device_id = t.device_id
      where t.token_hash = any (drop_tokens.token_hashes)
      for update of t, d skip locked
    ) as held
    where t.user_id = held.user_id and t.device_id = held.device_id
    returning t.user_id, t.device_id
  )
  update chat.devices as d
  set is_active = false
  from dead
  where d.user_id = dead.user_id and d.device_id = dead.device_id;
end;
$$;

comment on function chat_private.drop_tokens(bytea[]) is
  'Forget push tokens that their provider called dead; their devices are not active any more.';

create function chat.claim_pushes(batch_size integer default 100)
returns setof chat.claimed_push
language sql
volatile
set search_path = '', pg_temp
begin atomic
  select
    p.kind, p.user_id, p.room_id, p.device_id, p.seq, p.platform, p.push_provider, p.push_token,
    p.token_id, p.title, p.body, p.unread, p.badge, p.message_id, p.sender_id, p.room_ids,
    p.is_background, p.ticket
  from chat_private.claim_pushes(batch_size) as p;
end;

create function chat.complete_pushes(results jsonb)
returns integer
language sql
volatile
set search_path = '', pg_temp
return chat_private.complete_pushes(results);

comment on function chat.claim_pushes(integer) is
  $$Take what is to be pushed now.

For the service role. What was taken is nobody else's for two minutes; tell complete_pushes what became
of it, or it is taken again. Call it again until nothing comes. Members of large rooms are considered in
portions of 1,000, so an announcement takes several calls.

Args:
  batch_size: 1 to 500 messages, and as many of each other kind.

Returns:
  Pushes: the newest message for a device and room, with counts and the badge; devices that should take
  away what was read elsewhere; and tickets of Expo whose receipts are due.

Raises:
  invalid_input: the batch size is out of range.$$;

comment on function chat.complete_pushes(jsonb) is
  $$Say what became of claimed pushes.

For the service role.

Args:
  results: an array of {kind, user_id, room_id, device_id, seq, token_id} as claim_pushes returned
    them, with outcome: sent (with Expo's ticket, or for a receipt), retry (with after, the seconds that
    the provider asks for), dead (the token is of no use any more) or failed (this push is not wanted,
    and no other try would change that).

Returns:
  How many deliveries it was about; others are not there any more.

Raises:
  invalid_input: results is no array.$$;

revoke execute on function
  chat_private.count_badge(uuid),
  chat_private.address_push(uuid, text),
  chat_private.write_push(chat_private.push_deliveries),
  chat_private.claim_messages(integer),
  chat_private.claim_clears(integer),
  chat_private.claim_receipts(integer),
  chat_private.drop_tokens(bytea[]),
  chat_private.claim_pushes(integer), chat.claim_pushes(integer),
  chat_private.complete_pushes(jsonb), chat.complete_pushes(jsonb)
  from public, anon, authenticated;
grant execute on function
  chat_private.claim_pushes(integer), chat.claim_pushes(integer),
  chat_private.complete_pushes(jsonb), chat.complete_pushes(jsonb)
  to service_role;
