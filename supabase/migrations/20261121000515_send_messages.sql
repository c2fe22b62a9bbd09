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

-- A malformed item is one item's fault: what cannot be read of it becomes null, and the item is
-- rejected.
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
  called chat_private.called,
  metadata jsonb
);

create function chat_private.read_outgoing(item jsonb, place bigint)
returns chat_private.outgoing
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  c_uuid constant text := chat_private.uuid_pattern();
  -- (What a pattern looks at is cut first: a pattern takes time with the length of a text.)
  v_client_id text := left(read_outgoing.item ->> 'client_id', 40);
  v_room_id text := left(read_outgoing.item ->> 'room_id', 40);
  v_mentions jsonb := coalesce(nullif(read_outgoing.item -> 'mentions', 'null'), '[]');
  v_outgoing chat_private.outgoing;
begin
  v_outgoing.place := read_outgoing.place;
  if v_client_id ~ c_uuid then
    v_outgoing.client_id := v_client_id::uuid;
  end if;
  if v_room_id ~ c_uuid then
    v_outgoing.room_id := v_room_id::uuid;
  end if;
  if jsonb_typeof(v_mentions) <> 'array' then
    v_mentions := null;
  elsif jsonb_array_length(v_mentions) > 50 then
    v_outgoing.reason := 'too_many_mentions';
    return v_outgoing;
  end if;

  -- Only a body of type text is one, and a wrong type anywhere spoils the item.
  if jsonb_typeof(read_outgoing.item -> 'body') = 'string'
    and coalesce(nullif(jsonb_typeof(read_outgoing.item -> 'reply_to'), 'null'), 'number') = 'number'
    and coalesce(left(read_outgoing.item ->> 'reply_to', 19), '1') ~ '^[0-9]{1,18}$'
    and coalesce(nullif(jsonb_typeof(read_outgoing.item -> 'mention_all'), 'null'), 'boolean') = 'boolean'
    and v_mentions is not null
    and not exists (
      select from jsonb_array_elements_text(v_mentions) as m (user_id)
      where m.user_id is null or left(m.user_id, 40) !~ c_uuid
    )
  then
    v_outgoing.body := read_outgoing.item ->> 'body';
    v_outgoing.reply_to := (read_outgoing.item ->> 'reply_to')::bigint;
    v_outgoing.mentions := array(
      select m.user_id::uuid
      from jsonb_array_elements_text(v_mentions) with ordinality as m (user_id, place)
      order by m.place
    );
    v_outgoing.mention_all := coalesce((read_outgoing.item ->> 'mention_all')::boolean, false);
    v_outgoing.attachments := coalesce(
      nullif(read_outgoing.item -> 'attachments', 'null'), '[]'
    );
    v_outgoing.metadata := coalesce(nullif(read_outgoing.item -> 'metadata', 'null'), '{}');
  end if;

  -- What the item alone tells is found out before its room is locked.
  v_outgoing.reason := (chat_private.refusal_by_content(
    v_outgoing.body, v_outgoing.client_id, v_outgoing.mentions, v_outgoing.attachments,
    v_outgoing.metadata
  )).slug;
  return v_outgoing;
end;
$$;

comment on function chat_private.read_outgoing(jsonb, bigint) is
  $$Read one item of a batch without failing on it.

Args:
  item: as it came.
  place: its place in the batch.

Returns:
  The item, with the reason when its content is refused. The people it calls are found later, under
  the lock of the room.$$;

-- A retry of what was sent gets its message, whatever the rule has become meanwhile.
create function chat_private.check_outgoing(items chat_private.outgoing[], sender_id uuid)
returns chat_private.outgoing[]
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_item chat_private.outgoing;
  v_items chat_private.outgoing[] := '{}';
begin
  foreach v_item in array check_outgoing.items loop
    if v_item.reason is null
      and chat_private.visible_after(v_item.room_id) is not null
      and not exists (
        select
        from chat_private.find_sends(
          v_item.room_id, 1, check_outgoing.sender_id, array[v_item.client_id]
        )
      )
    then
      v_item.reason := (chat_private.refusal_by_check(
        v_item.room_id, check_outgoing.sender_id, v_item.body, v_item.attachments, v_item.metadata
      )).slug;
    end if;
    v_items := v_items || v_item;
  end loop;
  return v_items;
end;
$$;

comment on function chat_private.check_outgoing(chat_private.outgoing[], uuid) is
  $$Ask the adopter's rule about the new items of a batch, before any room is locked.

Args:
  items: as read_outgoing() returned them.
  sender_id: who sends.

Returns:
  The items, with the reason where the rule is against them.$$;

create function chat_private.hash_outgoing(item chat_private.outgoing)
returns bytea
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return chat_private.hash_content(
    (hash_outgoing.item).body, (hash_outgoing.item).reply_to, (hash_outgoing.item).mentions,
    (hash_outgoing.item).mention_all, (hash_outgoing.item).attachments,
    (hash_outgoing.item).metadata
  );
end;
$$;

comment on function chat_private.hash_outgoing(chat_private.outgoing) is
  'Fingerprint the content of an item of a batch as it was sent.';

create type chat_private.decision as (
  place bigint,
  outcome text,
  seq bigint,
  reason text,
  after integer
);

-- A batch locks the bucket of its caller once, after everything else, counts in a variable, and writes
-- it back at the end.
create type chat_private.held_bucket as (
  full_at timestamptz,
  token interval,
  spare interval
);

create function chat_private.hold_bucket(user_id uuid)
returns chat_private.held_bucket
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_bucket chat_private.held_bucket;
begin
  select
    s.send_token / case when p.is_bot then s.bot_factor else 1 end,
    s.send_spare
  into strict v_bucket.token, v_bucket.spare
  from chat_private.settings as s
  left join chat.profiles as p on p.user_id = hold_bucket.user_id;
  insert into chat_private.rate_buckets as b (user_id, bucket, full_at)
  values (hold_bucket.user_id, 'send', clock_timestamp())
  on conflict on constraint rate_buckets_pkey do update set full_at = b.full_at
  returning b.full_at into v_bucket.full_at;
  return v_bucket;
end;
$$;

comment on function chat_private.hold_bucket(uuid) is
  'Lock the bucket of all that somebody writes, for a call that takes from it many times.';

-- What send_message() charges.
create function chat_private.price_of_send(
  room chat.rooms,
  body text,
  attachments jsonb,
  metadata jsonb,
  called chat_private.called
)
returns integer
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return 1
    + (
      octet_length(price_of_send.body)
      + octet_length(price_of_send.attachments::text)
      + case price_of_send.metadata
        when '{}' then 0
        else octet_length(price_of_send.metadata::text)
      end
    )
    * chat_private.events_in(price_of_send.room) / 4096
    + cardinality((price_of_send.called).people);
end;
$$;

comment on function
  chat_private.price_of_send(chat.rooms, text, jsonb, jsonb, chat_private.called) is
  'Price a message: 1, 1 for every 4 KB that it brings to a person, and 1 for each it notifies.';

create function chat_private.require_batch(items jsonb)
returns void
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  if jsonb_typeof(require_batch.items) is distinct from 'array' then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'items is an array of messages.',
      hint = 'Pass [{"room_id", "client_id", "body"}].';
  end if;
  if jsonb_array_length(require_batch.items) > 200
    or 50 < (
      select count(distinct lower(left(i.item ->> 'room_id', 40)))
      from jsonb_array_elements(require_batch.items) as i (item)
    )
  then
    raise exception using
      errcode = 'PT413',
      message = 'payload_too_large',
      detail = 'A batch has at most 200 messages in 50 rooms.',
      hint = 'Send the others in another call.';
  end if;
end;
$$;

comment on function chat_private.require_batch(jsonb) is
  $$Refuse what is no batch, or too large a one.

Raises:
  invalid_input: items is no array.
  payload_too_large: more than 200 items or 50 rooms.$$;

create function chat_private.called_by_batch(
  rooms chat.rooms[],
  user_id uuid,
  items chat_private.outgoing[]
)
returns uuid[]
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  -- (`offset 0` keeps it one look-up each.)
  return array(
    select person.user_id
    from unnest(called_by_batch.items) as i
    join unnest(called_by_batch.rooms) as r on r.id = i.room_id
    cross join lateral (
      select m as me
      from chat.room_members as m
      where m.room_id = r.id and m.user_id = called_by_batch.user_id and m.left_at is null
      offset 0
    ) as mine
    cross join lateral chat_private.find_called(
      r, mine.me, i.reply_to, i.mentions, i.mention_all
    ) as called
    cross join lateral unnest(called.people) as person (user_id)
    where i.mentions <> '{}' or i.mention_all or i.reply_to is not null
  );
end;
$$;

comment on function chat_private.called_by_batch(chat.rooms[], uuid, chat_private.outgoing[]) is
  $$Find the people that the items of a batch would call, so that all can be locked at once.

Args:
  rooms: the locked rooms.
  user_id: the sender.
  items: all of the batch.$$;

create type chat_private.decided_items as (
  decisions chat_private.decision[],
  accepted chat_private.outgoing[],
  people uuid[],
  paths text[],
  bucket chat_private.held_bucket
);

-- The order of send_message, item by item. After one that has to wait, the rest of the room waits.
create function chat_private.decide_items(
  room chat.rooms,
  me chat.room_members,
  items chat_private.outgoing[],
  bucket chat_private.held_bucket,
  ready_at timestamptz
)
returns chat_private.decided_items
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_is_restricted boolean := (decide_items.room).archived_at is not null
    or (decide_items.room).is_closed
    or (decide_items.me).muted_until is not null
    or (decide_items.me).role = 'reader';
  v_bucket chat_private.held_bucket := decide_items.bucket;
  v_seq bigint := (decide_items.room).last_seq;
  v_floor_seq bigint := (decide_items.room).floor_seq;
  v_client_ids uuid[];
  v_seqs bigint[];
  v_hashes bytea[];
  v_item chat_private.outgoing;
  v_sent integer;
  v_ready_at timestamptz := decide_items.ready_at;
  v_wait chat_private.refusal;
  v_decision chat_private.decision;
  v_decisions chat_private.decision[] := '{}';
  v_accepted chat_private.outgoing[] := '{}';
  v_people uuid[] := '{}';
  v_paths text[] := '{}';
begin
  -- What was sent before under these client_ids, and below what is accepted now. (Few items are
  -- retries, so a fingerprint is taken only where two are compared.)
  select
    coalesce(array_agg(s.client_id), '{}'),
    coalesce(array_agg(s.seq), '{}'),
    coalesce(array_agg(s.sent_hash), '{}')
  into v_client_ids, v_seqs, v_hashes
  from chat_private.find_sends(
    (decide_items.room).id, v_floor_seq, (decide_items.me).user_id,
    array(select i.client_id from unnest(decide_items.items) as i)
  ) as s;

  foreach v_item in array decide_items.items loop
    v_decision := row(v_item.place, 'rejected', null, v_item.reason, null);
    v_sent := array_position(v_client_ids, v_item.client_id);
    if v_wait.slug is null and v_item.reason is null and v_sent is null then
      if v_is_restricted or v_item.mention_all or v_item.reply_to is not null then
        v_decision.reason := (chat_private.refusal_of_send(
          decide_items.room, decide_items.me, v_item.reply_to, v_item.mention_all
        )).slug;
      end if;
      if v_decision.reason is null and v_item.attachments <> '[]' then
        v_decision.reason := (chat_private.refusal_by_missing_file(
          decide_items.room, (decide_items.me).user_id, v_item.attachments, v_paths
        )).slug;
      end if;
      if v_decision.reason is null then
        if v_bucket.full_at is not null then
          v_ready_at := v_bucket.full_at - v_bucket.spare;
          if v_ready_at <= clock_timestamp() then
            v_ready_at := chat_private.take_slow_turn(decide_items.room, decide_items.me);
          end if;
        end if;
        if v_ready_at is not null then
          v_wait := chat_private.refusal_by_wait(v_ready_at);
        end if;
      end if;
    end if;

    if v_wait.slug is not null then
      v_decision := row(v_item.place, 'later', null, v_wait.slug, v_wait.retry_after);
    elsif v_decision.reason is not null then
      null;
    elsif v_sent is not null and chat_private.hash_outgoing(v_item) <> coalesce(
      v_hashes[v_sent],
      chat_private.hash_outgoing(v_accepted[v_seqs[v_sent] - (decide_items.room).last_seq])
    ) then
      v_decision.reason := 'message_id_reused';
    elsif v_seqs[v_sent] <= v_floor_seq then
      v_decision.reason := 'message_deleted';
    elsif v_sent is not null then
      v_decision.outcome := 'duplicate';
      v_decision.seq := v_seqs[v_sent];
    else
      v_item.called := row('{}', '{}', null, null, '{}');
      if v_item.mentions <> '{}' or v_item.mention_all or v_item.reply_to is not null then
        v_item.called := chat_private.find_called(
          decide_items.room, decide_items.me, v_item.reply_to, v_item.mentions, v_item.mention_all
        );
        v_people := v_people || (v_item.called).people;
      end if;
      if v_item.attachments <> '[]' then
        v_paths := v_paths || chat_private.paths_in(v_item.attachments);
      end if;
      v_bucket.full_at := greatest(v_bucket.full_at, clock_timestamp())
        + v_bucket.token * chat_private.price_of_send(
          decide_items.room, v_item.body, v_item.attachments, v_item.metadata, v_item.called
        );
      v_accepted := v_accepted || v_item;
      v_seq := v_seq + 1;
      v_decision.outcome := 'sent';
      v_decision.seq := v_seq;
      v_client_ids := v_client_ids || v_item.client_id;
      v_seqs := v_seqs || v_seq;
    end if;
    v_decisions := v_decisions || v_decision;
  end loop;
  return row(v_decisions, v_accepted, v_people, v_paths, v_bucket);
end;
$$;

comment on function chat_private.decide_items(
  chat.rooms, chat.room_members, chat_private.outgoing[], chat_private.held_bucket, timestamptz
) is
  $$Decide about the items of a batch for one room, in their order.

Args:
  room: the locked room.
  me: the membership of the sender, read under the lock.
  items: those for this room.
  bucket: theirs, held; null where nothing is sent, because it was empty.
  ready_at: when it will not be empty any more, where it was.

Returns:
  A decision for each item, the items that are sent now, the people those notify, the files that they
  hold, and the bucket after them.$$;

-- Which rooms are searched does not change, so that this needs no lock.
create function chat_private.words_of_items(items chat_private.outgoing[])
returns text[]
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  -- (`offset 0` keeps it one look-up each.)
  return array(
    select large.words[1]
    from unnest(words_of_items.items) as i
    left join lateral (
      select chat_private.words_of(array[i.body]) as words
      from chat.rooms as r
      where r.id = i.room_id and not r.is_opaque and chat_private.visible_after(r.id) is not null
      offset 0
    ) as large on i.reason is null and octet_length(i.body) > 1024
    order by i.place
  );
end;
$$;

comment on function chat_private.words_of_items(chat_private.outgoing[]) is
  $$Gather the words of the large items of a batch, before any room is locked.

Args:
  items: all of the batch.

Returns:
  For each item what words_of() returns; null where the item is not large, or is not sent.$$;

create function chat_private.write_items(
  room chat.rooms,
  me chat.room_members,
  accepted chat_private.outgoing[],
  words text[]
)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_room chat.rooms := write_items.room;
  v_user uuid := (write_items.me).user_id;
  v_last_seq bigint := v_room.last_seq + cardinality(write_items.accepted);
  v_now timestamptz := clock_timestamp();
begin
  with remembered as (
    insert into chat_private.sends (room_id, sender_id, client_id, seq, sent_hash)
    select
      v_room.id, v_user, i.client_id, v_room.last_seq + i.ordinality,
      chat_private.hash_content(
        i.body, i.reply_to, i.mentions, i.mention_all, i.attachments, i.metadata
      )
    from unnest(write_items.accepted) with ordinality as i
    where (i.called).mentions <> i.mentions
  ),
  to_push as (
    insert into chat_private.push_outbox (created_at, room_id, seq)
    select v_now, v_room.id, v_room.last_seq + i.ordinality
    from unnest(write_items.accepted) with ordinality as i
  ),
  raised as (
    update chat.rooms as r
    set
      rev = v_room.rev + cardinality(write_items.accepted),
      last_seq = v_last_seq,
      active_at = v_now,
      touched = '{messages}'
    where r.id = v_room.id
  )
  insert into chat.messages (
    room_id, seq, sender_id, sender_label, client_id, body, reply_to, thread_root, mentions,
    mention_all, attachments, created_at, rev, metadata
  )
  select
    v_room.id, v_room.last_seq + i.ordinality, v_user, (write_items.me).label, i.client_id, i.body,
    i.reply_to, (i.called).thread_root, (i.called).mentions, i.mention_all, i.attachments, v_now,
    v_room.rev + i.ordinality, i.metadata
  from unnest(write_items.accepted) with ordinality as i;
  if (v_last_seq + 1) >> 5 > (v_room.last_seq + 1) >> 5 or write_items.words <> '{}' then
    perform chat_private.grow_search(
      v_room.id, v_last_seq,
      array(
        select write_items.words[i.place]
        from unnest(write_items.accepted) with ordinality as i
        order by i.ordinality
      )
    );
  end if;
end;
$$;

comment on function chat_private.write_items(
  chat.rooms, chat.room_members, chat_private.outgoing[], text[]
) is
  $$Write messages into a locked room, each with a number of its own.

Args:
  room: the locked room.
  me: the membership of the sender.
  accepted: at least one item.
  words: what words_of_items() returned for the batch; empty where no item is large.$$;

create function chat_private.send_messages(items jsonb)
returns setof chat.send_outcome
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
declare
  v_user uuid := chat_private.current_user_id();
  v_ready_at timestamptz := chat_private.ready_at(v_user);
  v_may_send boolean := coalesce(v_ready_at <= clock_timestamp(), true);
  v_items chat_private.outgoing[];
  v_words text[] := '{}';
  v_rooms chat.rooms[];
  v_room chat.rooms;
  v_me chat.room_members;
  v_bucket chat_private.held_bucket;
  v_decided chat_private.decided_items;
  v_decisions chat_private.decision[] := '{}';
  v_notified uuid[] := '{}';
begin
  perform chat_private.require_batch(send_messages.items);
  v_items := array(
    select chat_private.read_outgoing(i.item, i.place)
    from jsonb_array_elements(send_messages.items) with ordinality as i (item, place)
    order by i.place
  );
  if chat_private.has_content_check() then
    v_items := chat_private.check_outgoing(v_items, v_user);
  end if;
  if v_may_send and exists (
    select from unnest(v_items) as i where octet_length(i.body) > 1024
  ) then
    v_words := chat_private.words_of_items(v_items);
  end if;

  -- Check, lock all, check: rooms ascending before the first write, then the people to notify, and
  -- nobody of them for a caller whose bucket was empty when we looked. Nothing is sent then.
  v_rooms := array(
    select r
    from chat.rooms as r
    where r.id = any (array(select i.room_id from unnest(v_items) as i))
      and chat_private.visible_after(r.id) is not null
    order by r.id
    for no key update
  );
  if v_may_send then
    if exists (
      select from unnest(v_items) as i
      where i.mentions <> '{}' or i.mention_all or i.reply_to is not null
    ) then
      perform chat_private.lock_users(chat_private.called_by_batch(v_rooms, v_user, v_items));
    end if;
    v_bucket := chat_private.hold_bucket(v_user);
  end if;

  foreach v_room in array v_rooms loop
    select m.* into v_me
    from chat.room_members as m
    join chat.profiles as p on p.user_id = m.user_id and p.closed_at is null
    where m.room_id = v_room.id and m.user_id = v_user and m.left_at is null;
    continue when not found;
    v_decided := chat_private.decide_items(
      v_room, v_me,
      array(select i from unnest(v_items) as i where i.room_id = v_room.id order by i.place),
      v_bucket, v_ready_at
    );
    v_decisions := v_decisions || v_decided.decisions;
    v_bucket := v_decided.bucket;
    if v_decided.accepted <> '{}' then
      perform chat_private.write_items(v_room, v_me, v_decided.accepted, v_words);
    end if;
    if v_decided.paths <> '{}' then
      perform chat_private.keep_files(v_room.id, v_room.last_seq + i.ordinality, i.attachments)
      from unnest(v_decided.accepted) with ordinality as i
      where i.attachments <> '[]';
    end if;
    if v_decided.people <> '{}' then
      perform chat_private.notify_called(
        v_room.id, v_room.last_seq + i.ordinality, v_room.rev + i.ordinality, v_user, i.called
      )
      from unnest(v_decided.accepted) with ordinality as i
      order by i.ordinality;
      v_notified := v_notified || v_decided.people;
    end if;
  end loop;
  if v_may_send then
    update chat_private.rate_buckets as b
    set full_at = v_bucket.full_at
    where b.user_id = v_user and b.bucket = 'send';
  end if;
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
  from unnest(v_items) as i
  left join unnest(v_decisions) as d on d.place = i.place
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

Price: what each message that is sent would cost alone.

Args:
  items: up to 200 objects in up to 50 rooms, with the arguments of send_message: room_id, client_id,
    body, and where they apply reply_to, mentions, mention_all, attachments, metadata.

Returns:
  Per item, in their order: client_id and outcome: sent or duplicate with the message, rejected with
  the slug of send_message as reason, or later with after, the seconds to wait.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: items is no array.
  payload_too_large: more than 200 items or 50 rooms.$$;

revoke execute on function
  chat_private.read_outgoing(jsonb, bigint),
  chat_private.check_outgoing(chat_private.outgoing[], uuid),
  chat_private.hash_outgoing(chat_private.outgoing),
  chat_private.hold_bucket(uuid),
  chat_private.price_of_send(chat.rooms, text, jsonb, jsonb, chat_private.called),
  chat_private.require_batch(jsonb),
  chat_private.called_by_batch(chat.rooms[], uuid, chat_private.outgoing[]),
  chat_private.decide_items(
    chat.rooms, chat.room_members, chat_private.outgoing[], chat_private.held_bucket, timestamptz
  ),
  chat_private.words_of_items(chat_private.outgoing[]),
  chat_private.write_items(chat.rooms, chat.room_members, chat_private.outgoing[], text[]),
  chat_private.send_messages(jsonb), chat.send_messages(jsonb)
  from public, anon, authenticated;
grant execute on function
  chat_private.send_messages(jsonb), chat.send_messages(jsonb)
  to authenticated, service_role;
