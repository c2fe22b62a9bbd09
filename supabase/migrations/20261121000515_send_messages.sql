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
  attachments jsonb
);

create function chat_private.read_outgoing(item jsonb, place bigint)
returns chat_private.outgoing
language plpgsql
immutable
set search_path = ''
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
  return v_outgoing;
end;
$$;

comment on function chat_private.read_outgoing(jsonb, bigint) is
  'Read one item of a batch without failing on it.';

-- The row as it will be stored, at the place that its caller has reserved under the room lock.
create function chat_private.compose_message(
  room chat.rooms,
  me chat.room_members,
  place bigint,
  client_id uuid,
  body text,
  reply_to bigint,
  called chat_private.called,
  mention_all boolean,
  attachments jsonb
)
returns chat.messages
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_message chat.messages;
begin
  v_message.room_id := (compose_message.room).id;
  v_message.seq := (compose_message.room).last_seq + compose_message.place;
  v_message.id := gen_random_uuid();
  v_message.sender_id := (compose_message.me).user_id;
  v_message.sender_label := (compose_message.me).label;
  v_message.client_id := compose_message.client_id;
  v_message.kind := 'text';
  v_message.body := compose_message.body;
  v_message.reply_to := compose_message.reply_to;
  v_message.thread_root := (compose_message.called).thread_root;
  v_message.mentions := (compose_message.called).mentions;
  v_message.mention_all := compose_message.mention_all;
  v_message.attachments := compose_message.attachments;
  v_message.created_at := clock_timestamp();
  v_message.rev := (compose_message.room).rev + compose_message.place;
  return v_message;
end;
$$;

comment on function chat_private.compose_message(
  chat.rooms, chat.room_members, bigint, uuid, text, bigint, chat_private.called, boolean, jsonb
) is
  'Compose the row of the place-th message that is sent to a locked room.';

create function chat_private.send_messages(items jsonb)
returns setof chat.send_outcome
language plpgsql
volatile
-- definer: writes tables that nobody may write
security definer
set search_path = ''
as $$
declare
  v_me uuid := chat_private.current_user_id();
  v_items chat_private.outgoing[];
  v_item chat_private.outgoing;
  v_rooms chat.rooms[];
  v_room chat.rooms;
  v_mine chat.room_members;
  v_people uuid[] := '{}';
  v_called chat_private.called;
  v_hash bytea;
  v_sent chat_private.sends;
  v_refusal chat_private.refusal;
  v_message chat.messages;
  v_messages chat.messages[];
  v_hashes bytea[];
  v_client_ids uuid[];
  v_place integer;
  v_is_restricted boolean;
  v_may_send integer;
  v_outcome chat.send_outcome;
  v_outcomes chat.send_outcome[];
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
  v_outcomes := array_fill(null::chat.send_outcome, array[cardinality(v_items)]);

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
    select m.* into v_mine
    from chat.room_members as m
    where m.room_id = v_room.id and m.user_id = v_me and m.left_at is null;
    if found then
      for v_item in
        select i.*
        from unnest(v_items) as i
        where i.room_id = v_room.id
          and (i.mentions <> '{}' or i.mention_all or i.reply_to is not null)
      loop
        v_called := chat_private.find_called(
          v_room, v_mine, v_item.reply_to, v_item.mentions, v_item.mention_all
        );
        v_people := v_people || v_called.notified || v_called.replied;
      end loop;
    end if;
  end loop;
  if v_people <> '{}' then
    perform chat_private.lock_users(v_people);
  end if;

  foreach v_room in array v_rooms loop
    select m.* into v_mine
    from chat.room_members as m
    join chat.profiles as p on p.user_id = m.user_id and p.closed_at is null
    where m.room_id = v_room.id and m.user_id = v_me and m.left_at is null;
    continue when not found;

    v_messages := '{}';
    v_hashes := '{}';
    v_client_ids := '{}';
    v_refusal := null;
    v_is_restricted := v_room.archived_at is not null
      or v_mine.muted_until is not null
      or v_mine.role = 'reader';
    v_may_send := chat_private.take_sends(
      v_room, v_mine,
      (select count(*)::integer from unnest(v_items) as i where i.room_id = v_room.id)
    );
    for v_item in
      select i.* from unnest(v_items) as i where i.room_id = v_room.id order by i.place
    loop
      v_outcome := null;
      v_outcome.client_id := v_item.client_id;

      -- The order of send_message, item by item; after a `later` the rest of the room waits.
      if v_refusal.slug is distinct from 'slow_down' then
        v_refusal := chat_private.refusal_by_content(
          v_item.body, v_item.client_id, v_item.mentions, v_item.attachments
        );
      end if;
      if v_refusal.slug is null then
        v_hash := chat_private.hash_content(
          v_item.body, v_item.reply_to, v_item.mentions, v_item.mention_all, v_item.attachments
        );
        v_place := array_position(v_client_ids, v_item.client_id);
        if v_place is not null then
          v_sent.sent_hash := v_hashes[v_place];
          v_outcome.message := to_jsonb(v_messages[v_place]);
        else
          select s.* into v_sent
          from chat_private.sends as s
          where s.room_id = v_room.id
            and s.sender_id = v_me
            and s.client_id = v_item.client_id;
          if found then
            select to_jsonb(m) into v_outcome.message
            from chat.messages as m
            where m.room_id = v_room.id and m.seq = v_sent.seq;
          end if;
        end if;
        if v_sent.sent_hash = v_hash then
          v_outcome.outcome := 'duplicate';
        elsif v_sent.sent_hash <> v_hash then
          v_outcome.outcome := 'rejected';
          v_outcome.message := null;
          v_outcome.reason := 'message_id_reused';
        end if;
      end if;
      if v_refusal.slug is null and v_outcome.outcome is null then
        if v_is_restricted or v_item.mention_all or v_item.reply_to is not null then
          v_refusal := chat_private.refusal_of_send(
            v_room, v_mine, v_item.reply_to, v_item.mention_all
          );
        end if;
        if v_refusal.slug is null and v_may_send = cardinality(v_messages) then
          v_refusal := chat_private.refusal_by_rate(v_room, v_mine);
        end if;
      end if;

      if v_refusal.slug = 'slow_down' then
        v_outcome.outcome := 'later';
        v_outcome.reason := v_refusal.slug;
        v_outcome.after := v_refusal.retry_after;
      elsif v_refusal.slug is not null then
        v_outcome.outcome := 'rejected';
        v_outcome.reason := v_refusal.slug;
        v_refusal := null;
      elsif v_outcome.outcome is null then
        v_called := row('{}', '{}', null, null);
        if v_item.mentions <> '{}' or v_item.mention_all or v_item.reply_to is not null then
          v_called := chat_private.find_called(
            v_room, v_mine, v_item.reply_to, v_item.mentions, v_item.mention_all
          );
        end if;
        v_message := chat_private.compose_message(
          v_room, v_mine, cardinality(v_messages) + 1, v_item.client_id, v_item.body,
          v_item.reply_to, v_called, v_item.mention_all, v_item.attachments
        );
        if v_called.notified <> '{}' or v_called.replied is not null then
          perform chat_private.notify_called(v_message, v_called);
          v_notified := v_notified || v_called.notified || v_called.replied;
        end if;
        v_messages := v_messages || v_message;
        v_hashes := v_hashes || v_hash;
        v_client_ids := v_client_ids || v_item.client_id;
        v_outcome.outcome := 'sent';
        v_outcome.message := to_jsonb(v_message);
      end if;
      v_outcomes[v_item.place] := v_outcome;
    end loop;

    if cardinality(v_messages) < v_may_send then
      perform chat_private.take_sends(v_room, v_mine, cardinality(v_messages) - v_may_send);
    end if;
    if v_messages <> '{}' then
      with remembered as (
        insert into chat_private.sends (room_id, sender_id, client_id, seq, sent_hash)
        select v_room.id, v_me, sent.client_id, v_room.last_seq + sent.place, sent.hash
        from unnest(v_client_ids, v_hashes) with ordinality as sent (client_id, hash, place)
      ),
      indexed as (
        insert into chat_private.message_search (room_id, seq, created_at, vector)
        select m.room_id, m.seq, m.created_at, to_tsvector('chat_private.search', m.body)
        from unnest(v_messages) as m
      )
      insert into chat.messages
      select m.* from unnest(v_messages) as m;
      update chat.rooms as r
      set
        rev = v_room.rev + cardinality(v_messages),
        last_seq = v_room.last_seq + cardinality(v_messages),
        active_at = v_message.created_at,
        touched = '{messages}'
      where r.id = v_room.id;
    end if;
  end loop;
  v_notified := array_remove(v_notified, null);
  if v_notified <> '{}' then
    perform chat_private.bump_users(v_notified, '{notifications}');
  end if;

  for v_item in select i.* from unnest(v_items) as i order by i.place loop
    v_outcome := v_outcomes[v_item.place];
    if v_outcome.outcome is null then
      v_outcome.client_id := v_item.client_id;
      v_outcome.outcome := 'rejected';
      v_outcome.reason := case when v_item.room_id is null then 'invalid_input' else 'room_not_found' end;
    end if;
    return next v_outcome;
  end loop;
end;
$$;

create function chat.send_messages(items jsonb)
returns setof chat.send_outcome
language sql
volatile
set search_path = ''
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
  chat_private.compose_message(
    chat.rooms, chat.room_members, bigint, uuid, text, bigint, chat_private.called, boolean, jsonb
  ),
  chat_private.send_messages(jsonb), chat.send_messages(jsonb)
  from public, anon, authenticated;
grant execute on function
  chat_private.send_messages(jsonb), chat.send_messages(jsonb)
  to authenticated;
