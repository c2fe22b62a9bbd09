-- send_messages: an outbox flushed in one call, each item with its own outcome.

create type chat.send_outcome as (
  client_id uuid,
  outcome text,
  message jsonb,
  reason text,
  after integer
);

comment on type chat.send_outcome is
  'What became of one item: sent, duplicate, rejected (reason is the slug) or later (after is seconds).';

-- A malformed item is one item's fault: what cannot be read becomes null and is rejected below.
create type chat_private.outgoing as (
  place bigint,
  room_id uuid,
  client_id uuid,
  body text,
  reply_to bigint,
  mentions uuid[],
  mention_all boolean,
  attachments jsonb,
  reason text,
  hash bytea,
  vector tsvector,
  thread_root bigint
);

create function chat_private.read_outgoing(item jsonb, place bigint)
returns chat_private.outgoing
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  c_uuid constant text := '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$';
  v_outgoing chat_private.outgoing;
begin
  v_outgoing.place := read_outgoing.place;
  if read_outgoing.item ->> 'client_id' ~ c_uuid then
    v_outgoing.client_id := (read_outgoing.item ->> 'client_id')::uuid;
  end if;
  if read_outgoing.item ->> 'room_id' ~ c_uuid then
    v_outgoing.room_id := (read_outgoing.item ->> 'room_id')::uuid;
  end if;

  -- Only a body of type text is one, and a wrong type anywhere spoils the item.
  if jsonb_typeof(read_outgoing.item -> 'body') = 'string'
    and coalesce(nullif(jsonb_typeof(read_outgoing.item -> 'reply_to'), 'null'), 'number') = 'number'
    and coalesce(read_outgoing.item ->> 'reply_to', '1') ~ '^[0-9]{1,18}$'
    and coalesce(nullif(jsonb_typeof(read_outgoing.item -> 'mentions'), 'null'), 'array') = 'array'
    and coalesce(nullif(jsonb_typeof(read_outgoing.item -> 'mention_all'), 'null'), 'boolean') = 'boolean'
    and not exists (
      select
      from jsonb_array_elements_text(
        case jsonb_typeof(read_outgoing.item -> 'mentions')
          when 'array' then read_outgoing.item -> 'mentions' else '[]'
        end
      ) as m (user_id)
      where m.user_id is null or m.user_id !~ c_uuid
    )
  then
    v_outgoing.body := read_outgoing.item ->> 'body';
    v_outgoing.reply_to := (read_outgoing.item ->> 'reply_to')::bigint;
    v_outgoing.mentions := array(
      select m.user_id::uuid
      from jsonb_array_elements_text(
        case jsonb_typeof(read_outgoing.item -> 'mentions')
          when 'array' then read_outgoing.item -> 'mentions' else '[]'
        end
      ) with ordinality as m (user_id, place)
      order by m.place
    );
    v_outgoing.mention_all := coalesce((read_outgoing.item ->> 'mention_all')::boolean, false);
    v_outgoing.attachments := coalesce(
      nullif(read_outgoing.item -> 'attachments', 'null'), '[]'
    );
  end if;

  -- What the item alone tells is found out before its room is locked.
  v_outgoing.reason := (chat_private.refusal_by_content(
    v_outgoing.body, v_outgoing.client_id, v_outgoing.mentions, v_outgoing.attachments
  )).slug;
  if v_outgoing.reason is null then
    v_outgoing.hash := chat_private.hash_content(
      v_outgoing.body, v_outgoing.reply_to, v_outgoing.mentions, v_outgoing.mention_all,
      v_outgoing.attachments
    );
    v_outgoing.vector := to_tsvector(
      'chat_private.search', chat_private.split_words(v_outgoing.body)
    );
  end if;
  return v_outgoing;
end;
$$;

comment on function chat_private.read_outgoing(jsonb, bigint) is
  $$Read one item of a batch without failing on it.

Args:
  item: as it came.
  place: its place in the batch.

Returns:
  The item, with the reason when its content is refused, and otherwise with its fingerprint and its
  words; thread_root is left to whoever holds the room.$$;

create type chat_private.decision as (
  outcome text,
  seq bigint,
  reason text,
  after integer
);

-- The room's own limit first, then everybody's: what slow mode does not give is not asked for, and
-- what the other does not give goes back.
create function chat_private.take_sends(room chat.rooms, me chat.room_members, wanted integer)
returns integer
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_slow integer := chat_private.take_slow_sends(
    take_sends.room, take_sends.me, take_sends.wanted
  );
  v_taken integer := 0;
begin
  if v_slow <> 0 then
    v_taken := chat_private.take_tokens((take_sends.me).user_id, 'send', v_slow);
  end if;
  if v_taken < v_slow then
    perform chat_private.take_slow_sends(take_sends.room, take_sends.me, v_taken - v_slow);
  end if;
  return v_taken;
end;
$$;

comment on function chat_private.take_sends(chat.rooms, chat.room_members, integer) is
  $$Take the right to send some messages now.

Args:
  room: the locked room.
  me: the sender's membership.
  wanted: how many messages; less than 0 gives back what was not used.

Returns:
  How many may be sent.$$;

create function chat_private.send_messages(items jsonb)
returns setof chat.send_outcome
language plpgsql
volatile
-- definer: writes tables that nobody may write
security definer
set search_path = '', pg_temp
as $$
declare
  v_user uuid := chat_private.current_user_id();
  v_items chat_private.outgoing[];
  v_item chat_private.outgoing;
  v_rooms chat.rooms[];
  v_room chat.rooms;
  v_me chat.room_members;
  v_called chat_private.called;
  v_people uuid[] := '{}';
  v_client_ids uuid[];
  v_seqs bigint[];
  v_hashes bytea[];
  v_place integer;
  v_is_restricted boolean;
  v_may_send integer;
  v_accepted chat_private.outgoing[];
  v_seq bigint;
  v_now timestamptz;
  v_refusal chat_private.refusal;
  v_decision chat_private.decision;
  v_decisions chat_private.decision[];
  v_notified uuid[] := '{}';
begin
  if jsonb_typeof(send_messages.items) is distinct from 'array' then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'items is an array of messages.',
      hint = 'Pass [{"room_id", "client_id", "body"}].';
  end if;
  if jsonb_array_length(send_messages.items) > 200
    or 50 < (
      select count(distinct lower(i.item ->> 'room_id'))
      from jsonb_array_elements(send_messages.items) as i (item)
    )
  then
    raise exception using
      errcode = 'PT413',
      message = 'payload_too_large',
      detail = 'A batch has at most 200 messages in 50 rooms.',
      hint = 'Send the others in another call.';
  end if;
  v_items := array(
    select chat_private.read_outgoing(i.item, i.place)
    from jsonb_array_elements(send_messages.items) with ordinality as i (item, place)
    order by i.place
  );
  v_decisions := array_fill(null::chat_private.decision, array[cardinality(v_items)]);

  -- Check, lock all, check: rooms ascending before the first write, then the people to notify.
  v_rooms := array(
    select r
    from chat.rooms as r
    where r.id = any (array(select i.room_id from unnest(v_items) as i))
      and chat_private.visible_after(r.id) is not null
    order by r.id
    for no key update
  );
  foreach v_room in array v_rooms loop
    select m.* into v_me
    from chat.room_members as m
    where m.room_id = v_room.id and m.user_id = v_user and m.left_at is null;
    if found then
      for v_item in
        select i.*
        from unnest(v_items) as i
        where i.room_id = v_room.id
          and (i.mentions <> '{}' or i.mention_all or i.reply_to is not null)
      loop
        v_called := chat_private.find_called(
          v_room, v_me, v_item.reply_to, v_item.mentions, v_item.mention_all
        );
        v_people := v_people || v_called.notified || v_called.replied;
      end loop;
    end if;
  end loop;
  if v_people <> '{}' then
    perform chat_private.lock_users(v_people);
  end if;

  foreach v_room in array v_rooms loop
    select m.* into v_me
    from chat.room_members as m
    join chat.profiles as p on p.user_id = m.user_id and p.closed_at is null
    where m.room_id = v_room.id and m.user_id = v_user and m.left_at is null;
    continue when not found;

    -- What was sent before under these client_ids, and below what is accepted now.
    select
      coalesce(array_agg(s.client_id), '{}'),
      coalesce(array_agg(s.seq), '{}'),
      coalesce(array_agg(s.sent_hash), '{}')
    into v_client_ids, v_seqs, v_hashes
    from chat_private.sends as s
    where s.room_id = v_room.id
      and s.sender_id = v_user
      and s.client_id = any (
        array(select i.client_id from unnest(v_items) as i where i.room_id = v_room.id)
      );
    v_is_restricted := v_room.archived_at is not null
      or v_me.muted_until is not null
      or v_me.role = 'reader';
    v_may_send := chat_private.take_sends(
      v_room, v_me,
      (select count(*)::integer from unnest(v_items) as i where i.room_id = v_room.id)
    );
    v_accepted := '{}';
    v_seq := v_room.last_seq;
    v_refusal := null;
    for v_item in
      select i.* from unnest(v_items) as i where i.room_id = v_room.id order by i.place
    loop
      -- The order of send_message, item by item; after a `later` the rest of the room waits.
      v_decision := null;
      v_place := array_position(v_client_ids, v_item.client_id);
      if v_refusal.slug is null then
        if v_item.reason is not null then
          v_decision.reason := v_item.reason;
        elsif v_hashes[v_place] = v_item.hash and v_seqs[v_place] <= v_room.floor_seq then
          v_decision.reason := 'message_deleted';
        elsif v_hashes[v_place] = v_item.hash then
          v_decision.outcome := 'duplicate';
          v_decision.seq := v_seqs[v_place];
        elsif v_place is not null then
          v_decision.reason := 'message_id_reused';
        else
          if v_is_restricted or v_item.mention_all or v_item.reply_to is not null then
            v_decision.reason := (
              chat_private.refusal_of_send(v_room, v_me, v_item.reply_to, v_item.mention_all)
            ).slug;
          end if;
          if v_decision.reason is null and v_may_send = cardinality(v_accepted) then
            v_refusal := chat_private.refusal_by_rate(v_room, v_user);
          end if;
        end if;
      end if;

      if v_refusal.slug is not null then
        v_decision := row('later', null, v_refusal.slug, v_refusal.retry_after);
      elsif v_decision.reason is not null then
        v_decision.outcome := 'rejected';
      elsif v_decision.outcome is null then
        v_seq := v_seq + 1;
        if v_item.mentions <> '{}' or v_item.mention_all or v_item.reply_to is not null then
          v_called := chat_private.find_called(
            v_room, v_me, v_item.reply_to, v_item.mentions, v_item.mention_all
          );
          v_item.mentions := v_called.mentions;
          v_item.thread_root := v_called.thread_root;
          perform chat_private.notify_called(v_room.id, v_seq, v_user, v_called);
          v_notified := v_notified || v_called.notified || v_called.replied;
        end if;
        v_accepted := v_accepted || v_item;
        v_client_ids := v_client_ids || v_item.client_id;
        v_seqs := v_seqs || v_seq;
        v_hashes := v_hashes || v_item.hash;
        v_decision.outcome := 'sent';
        v_decision.seq := v_seq;
      end if;
      v_decisions[v_item.place] := v_decision;
    end loop;

    if cardinality(v_accepted) < v_may_send then
      perform chat_private.take_sends(v_room, v_me, cardinality(v_accepted) - v_may_send);
    end if;
    if v_accepted <> '{}' then
      v_now := clock_timestamp();
      with remembered as (
        insert into chat_private.sends (room_id, sender_id, client_id, seq, sent_hash)
        select v_room.id, v_user, i.client_id, v_room.last_seq + i.ordinality, i.hash
        from unnest(v_accepted) with ordinality as i
      ),
      indexed as (
        insert into chat_private.message_search (room_id, seq, created_at, vector)
        select v_room.id, v_room.last_seq + i.ordinality, v_now, i.vector
        from unnest(v_accepted) with ordinality as i
      ),
      raised as (
        update chat.rooms as r
        set
          rev = v_room.rev + cardinality(v_accepted),
          last_seq = v_seq,
          active_at = v_now,
          touched = '{messages}'
        where r.id = v_room.id
      )
      insert into chat.messages (
        room_id, seq, sender_id, sender_label, client_id, body, reply_to, thread_root, mentions,
        mention_all, attachments, created_at, rev
      )
      select
        v_room.id, v_room.last_seq + i.ordinality, v_user, v_me.label, i.client_id, i.body,
        i.reply_to, i.thread_root, i.mentions, i.mention_all, i.attachments, v_now,
        v_room.rev + i.ordinality
      from unnest(v_accepted) with ordinality as i;
    end if;
  end loop;
  v_notified := array_remove(v_notified, null);
  if v_notified <> '{}' then
    perform chat_private.bump_users(v_notified, '{notifications}');
  end if;

  -- (`offset 0` keeps it one look-up each.)
  return query
  select
    i.client_id,
    coalesce(d.outcome, 'rejected'),
    sent.message,
    case
      when d.outcome is not null then d.reason
      when i.room_id is null then 'invalid_input'
      else 'room_not_found'
    end,
    d.after
  from unnest(v_items) with ordinality as i
  join unnest(v_decisions) with ordinality as d using (ordinality)
  left join lateral (
    select to_jsonb(m) as message
    from chat.messages as m
    where m.room_id = i.room_id and m.seq = d.seq
    offset 0
  ) as sent on true
  order by i.place;
end;
$$;

create function chat.send_messages(items jsonb)
returns setof chat.send_outcome
language sql
volatile
set search_path = '', pg_temp
begin atomic
  select o.client_id, o.outcome, o.message, o.reason, o.after
  from chat_private.send_messages(items) as o;
end;

comment on function chat.send_messages(jsonb) is
  $$Send many messages at once, each room in order.

One bad item stops nothing but itself; after an item that has to wait, the rest of its room waits
too, so that nothing is overtaken. Call it again with the same items after any failure.

Args:
  items: up to 200 objects in up to 50 rooms, with the arguments of send_message: room_id, client_id,
    body, and where they apply reply_to, mentions, mention_all, attachments.

Returns:
  Per item, in their order: client_id and outcome: sent or duplicate with the message, rejected with
  the slug of send_message as reason, or later with after, the seconds to wait.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: items is no array.
  payload_too_large: more than 200 items or 50 rooms.$$;

revoke execute on function
  chat_private.read_outgoing(jsonb, bigint),
  chat_private.take_sends(chat.rooms, chat.room_members, integer),
  chat_private.send_messages(jsonb), chat.send_messages(jsonb)
  from public, anon, authenticated;
grant execute on function
  chat_private.send_messages(jsonb), chat.send_messages(jsonb)
  to authenticated;
