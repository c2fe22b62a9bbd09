-- send_message: one message, once, by somebody who may at the moment it takes its number.

-- What can be refused by looking at the input alone.
create function chat_private.refusal_by_content(
  body text,
  client_id uuid,
  mentions uuid[],
  attachments jsonb
)
returns chat_private.refusal
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  if refusal_by_content.client_id is null then
    return row(
      'PT400', 'invalid_input', 'A message needs a client_id.',
      'Make one uuid per message and keep it for every retry.', null
    )::chat_private.refusal;
  end if;
  if refusal_by_content.body is null
    or jsonb_typeof(refusal_by_content.attachments) is distinct from 'array'
    or jsonb_path_exists(refusal_by_content.attachments, 'strict $[*] ? (@.type() != "object")')
  then
    return row(
      'PT400', 'invalid_input', 'A message has a body, and its attachments are an array of objects.',
      'Pass an empty body only together with an attachment.', null
    )::chat_private.refusal;
  end if;
  if chat_private.is_blank(refusal_by_content.body) and refusal_by_content.attachments = '[]' then
    return row(
      'PT400', 'invalid_input', 'A message needs a body or an attachment.',
      'Type something.', null
    )::chat_private.refusal;
  end if;
  if char_length(refusal_by_content.body) > 8000 then
    return row(
      'PT413', 'message_too_long',
      format('A message has at most 8,000 characters; this one has %s.', char_length(refusal_by_content.body)),
      'Split it, or attach a file.', null
    )::chat_private.refusal;
  end if;
  if cardinality(refusal_by_content.mentions) > 50 then
    return row(
      'PT413', 'too_many_mentions', 'A message mentions at most 50 people.',
      'Mention everybody instead, if you may.', null
    )::chat_private.refusal;
  end if;
  if jsonb_array_length(refusal_by_content.attachments) > 30
    or octet_length(refusal_by_content.attachments::text) > 16384
  then
    return row(
      'PT413', 'payload_too_large', 'A message has at most 30 attachments, described in 16 KB.',
      'Put the files into storage and attach their paths.', null
    )::chat_private.refusal;
  end if;
  return null;
end;
$$;

comment on function chat_private.refusal_by_content(text, uuid, uuid[], jsonb) is
  'Say what is wrong with the content of a message; null when nothing is.';

-- What the sender meant, for telling a retry from a second message under the same client_id.
create function chat_private.hash_content(
  body text,
  reply_to bigint,
  mentions uuid[],
  mention_all boolean,
  attachments jsonb
)
returns bytea
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return sha256(convert_to(
    jsonb_build_array(
      hash_content.body, hash_content.reply_to, hash_content.mentions,
      hash_content.mention_all, hash_content.attachments
    )::text,
    'UTF8'
  ));
end;
$$;

comment on function chat_private.hash_content(text, bigint, uuid[], boolean, jsonb) is
  'Fingerprint the content of a message as it was sent.';

-- The rest of the order: archived, muted, role, and what the message points at.
create function chat_private.refusal_of_send(
  room chat.rooms,
  me chat.room_members,
  reply_to bigint,
  mention_all boolean
)
returns chat_private.refusal
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_refusal chat_private.refusal;
begin
  v_refusal := chat_private.refusal_by_right(
    refusal_of_send.room, refusal_of_send.me,
    case when refusal_of_send.mention_all then 'moderator' else 'member' end
  );
  if v_refusal.slug is not null then
    return v_refusal;
  end if;

  if refusal_of_send.reply_to is not null and not exists (
    select from chat.messages as m
    where m.room_id = (refusal_of_send.room).id
      and m.seq = refusal_of_send.reply_to
      and m.seq > (refusal_of_send.me).visible_after_seq
      and m.kind = 'text'
  ) then
    return row(
      'PT404', 'message_not_found',
      format('There is no message %s to reply to.', refusal_of_send.reply_to),
      'Check its seq.', null
    )::chat_private.refusal;
  end if;
  return null;
end;
$$;

comment on function
  chat_private.refusal_of_send(chat.rooms, chat.room_members, bigint, boolean) is
  'Say why a member may not send this; null when they may.';

-- A bucket is of one rate: nobody waits for a slow mode that is over.
create function chat_private.slow_bucket(room chat.rooms)
returns text
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return (slow_bucket.room).id || ':' || (slow_bucket.room).slow_mode_seconds;
end;
$$;

comment on function chat_private.slow_bucket(chat.rooms) is 'Name the bucket of a room in slow mode.';

-- Slow mode guards the people, the bucket of all sends guards the database. Buckets are the last
-- rows of all to be locked.
create function chat_private.take_slow_sends(room chat.rooms, me chat.room_members, wanted integer)
returns integer
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  if (take_slow_sends.room).slow_mode_seconds = 0
    or chat_private.role_rank((take_slow_sends.me).role) >= chat_private.role_rank('moderator')
  then
    return take_slow_sends.wanted;
  end if;
  return chat_private.take_tokens(
    (take_slow_sends.me).user_id, chat_private.slow_bucket(take_slow_sends.room),
    take_slow_sends.wanted, 1, 1.0 / (take_slow_sends.room).slow_mode_seconds
  );
end;
$$;

comment on function chat_private.take_slow_sends(chat.rooms, chat.room_members, integer) is
  $$Take what slow mode gives.

Args:
  room: the locked room.
  me: the sender's membership.
  wanted: how many messages; less than 0 gives back what was not used.

Returns:
  How many may be sent.$$;

-- At least a second: Retry-After knows no fractions.
create function chat_private.refusal_by_rate(room chat.rooms, user_id uuid)
returns chat_private.refusal
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_wait integer;
begin
  select greatest(1, max(ceil(
    date_part('epoch', b.full_at - clock_timestamp()) - (rate.capacity - 1) / rate.per_second
  )))
  into v_wait
  from chat_private.settings as s
  cross join lateral (
    values
      ('send', s.send_burst, s.sends_per_second::double precision),
      (
        chat_private.slow_bucket(refusal_by_rate.room), 1,
        1.0 / nullif((refusal_by_rate.room).slow_mode_seconds, 0)
      )
  ) as rate (bucket, capacity, per_second)
  join chat_private.rate_buckets as b
    on b.user_id = refusal_by_rate.user_id and b.bucket = rate.bucket;
  return row(
    'PT429', 'slow_down',
    format('That is too many messages at once; the next one may come in %s s.', v_wait),
    'Wait, then send it again with the same client_id.', v_wait
  )::chat_private.refusal;
end;
$$;

comment on function chat_private.refusal_by_rate(chat.rooms, uuid) is
  'Say how long a member has to wait who was given no send.';

-- (The type of what it never returns is that of the place in which it is asked for.)
create function chat_private.refuse_by_rate(room chat.rooms, user_id uuid)
returns timestamptz
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  perform chat_private.refuse(
    chat_private.refusal_by_rate(refuse_by_rate.room, refuse_by_rate.user_id)
  );
  return null;
end;
$$;

comment on function chat_private.refuse_by_rate(chat.rooms, uuid) is
  $$Refuse a member who was given no send.

Raises:
  slow_down: always.$$;

create type chat_private.called as (
  mentions uuid[],
  notified uuid[],
  replied uuid,
  thread_root bigint
);

-- Whom a message calls: the mentioned who are in the room, and whom it answers. Everybody is called
-- one by one in small rooms only; in large ones the badge of the inbox says it.
create function chat_private.find_called(
  room chat.rooms,
  me chat.room_members,
  reply_to bigint,
  mentions uuid[],
  mention_all boolean
)
returns chat_private.called
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_called chat_private.called := row('{}', '{}', null, null);
begin
  if find_called.mentions <> '{}' then
    -- (`offset 0` keeps it one look-up each, whatever the planner thinks of thousands of members.)
    v_called.mentions := array(
      select distinct mention.user_id
      from unnest(find_called.mentions) as mention (user_id)
      cross join lateral (
        select
        from chat.room_members as m
        where m.room_id = (find_called.room).id
          and m.user_id = mention.user_id
          and m.left_at is null
        offset 0
      ) as member
      order by mention.user_id
    );
    v_called.notified := array_remove(v_called.mentions, (find_called.me).user_id);
  end if;
  if find_called.mention_all and not (find_called.room).is_large then
    v_called.notified := array(
      select m.user_id
      from chat.room_members as m
      where m.room_id = (find_called.room).id
        and m.user_id <> (find_called.me).user_id
        and m.left_at is null
      order by m.user_id
    );
  end if;
  if find_called.reply_to is not null then
    select coalesce(r.thread_root, r.seq), m.user_id
    into v_called.thread_root, v_called.replied
    from chat.messages as r
    left join chat.room_members as m
      on m.room_id = r.room_id
      and m.user_id = r.sender_id
      and m.left_at is null
      and m.user_id <> (find_called.me).user_id
      and m.user_id <> all (v_called.notified)
    where r.room_id = (find_called.room).id and r.seq = find_called.reply_to;
  end if;
  return v_called;
end;
$$;

comment on function
  chat_private.find_called(chat.rooms, chat.room_members, bigint, uuid[], boolean) is
  'Find whom a message mentions, whom it should be brought to, and the thread it belongs to.';

-- The caller holds the room and the called people, and raises their heads.
create function chat_private.notify_called(
  room_id uuid,
  seq bigint,
  sender_id uuid,
  called chat_private.called
)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  if (notify_called.called).notified <> '{}' then
    perform chat_private.add_notifications(
      (notify_called.called).notified, 'mention', notify_called.room_id, notify_called.seq,
      notify_called.sender_id
    );
  end if;
  if (notify_called.called).replied is not null then
    perform chat_private.add_notifications(
      array[(notify_called.called).replied], 'reply', notify_called.room_id, notify_called.seq,
      notify_called.sender_id
    );
  end if;
end;
$$;

comment on function chat_private.notify_called(uuid, bigint, uuid, chat_private.called) is
  'Write the notifications of those whom a message calls.';

create function chat_private.send_message(
  room_id uuid,
  body text,
  client_id uuid,
  reply_to bigint,
  mentions uuid[],
  mention_all boolean,
  attachments jsonb
)
returns chat.messages
language plpgsql
volatile
-- definer: writes tables that nobody may write
security definer
set search_path = '', pg_temp
as $$
declare
  v_user uuid := auth.uid();
  v_refusal chat_private.refusal;
  v_rev bigint;
  v_seq bigint;
  v_label text;
  v_hash bytea;
  v_sent_seq bigint;
  v_sent_hash bytea;
  v_now timestamptz;
  v_token interval;
  v_burst interval;
  v_may_send boolean;
  v_room chat.rooms;
  v_me chat.room_members;
  v_called chat_private.called;
  v_mentions uuid[];
  v_thread_root bigint;
  v_people uuid[];
  v_message chat.messages;
begin
  -- Most messages begin with a letter, are short and nothing else, and need no closer look.
  if (
    v_user is not null
    and send_message.client_id is not null
    and ascii(send_message.body) between 33 and 126
    and octet_length(send_message.body) <= 8000
    and send_message.mentions = '{}'
    and not send_message.mention_all
    and send_message.attachments = '[]'
  ) is not true
  then
    perform chat_private.current_user_id();
    send_message.mentions := coalesce(send_message.mentions, '{}');
    send_message.mention_all := coalesce(send_message.mention_all, false);
    send_message.attachments := coalesce(send_message.attachments, '[]');
    v_refusal := chat_private.refusal_by_content(
      send_message.body, send_message.client_id, send_message.mentions, send_message.attachments
    );
    if v_refusal.slug is not null then
      perform chat_private.refuse(v_refusal);
    end if;
  end if;

  -- Check, then write if the room still has the number it had. Whatever decides about a send takes
  -- a number of its room, so this is a check under the lock, and nobody waits for it without need.
  -- (hash_content(), require_member(), take_tokens() and split_words() are written out in place,
  -- because a nested call is 2 to 3 % of a send.)
  loop
    select
      r.rev, r.last_seq + 1, m.label, s.seq, s.sent_hash, clock_timestamp(),
      interval '1 s' / rate.sends_per_second,
      interval '1 s' * (rate.send_burst - 1) / rate.sends_per_second,
      sha256(convert_to(
        jsonb_build_array(
          send_message.body, send_message.reply_to, send_message.mentions,
          send_message.mention_all, send_message.attachments
        )::text,
        'UTF8'
      )),
      s.seq is null
      and r.archived_at is null
      and r.slow_mode_seconds = 0
      and m.role <> 'reader'
      and m.muted_until is null
      and send_message.reply_to is null
      and send_message.mentions = '{}'
      and not send_message.mention_all
    into
      v_rev, v_seq, v_label, v_sent_seq, v_sent_hash, v_now, v_token, v_burst, v_hash, v_may_send
    from chat.rooms as r
    join chat.room_members as m on m.room_id = r.id and m.left_at is null
    join chat.profiles as p on p.user_id = m.user_id and p.closed_at is null
    left join chat_private.sends as s
      on s.room_id = r.id
      and s.sender_id = m.user_id
      and s.client_id = send_message.client_id
    cross join chat_private.settings as rate
    where r.id = send_message.room_id and m.user_id = v_user;

    if v_may_send is not true then
      -- Who is not in the room asks for the reason. (A member finds nothing where the settings are
      -- missing, without which nobody sends.)
      if not found then
        perform chat_private.require_member(send_message.room_id);
        perform chat_private.refuse_by_rate(v_room, v_user);
      end if;
      if v_sent_seq is not null then
        return chat_private.sent_message(send_message.room_id, v_sent_seq, v_sent_hash = v_hash);
      end if;
      if v_room.id is not null then
        v_me := chat_private.require_member(send_message.room_id);
        v_refusal := chat_private.refusal_of_send(
          v_room, v_me, send_message.reply_to, send_message.mention_all
        );
        if v_refusal.slug is not null then
          perform chat_private.refuse(v_refusal);
        end if;
        v_called := chat_private.find_called(
          v_room, v_me, send_message.reply_to, send_message.mentions, send_message.mention_all
        );
        v_mentions := v_called.mentions;
        v_thread_root := v_called.thread_root;
        v_people := array_remove(v_called.notified || v_called.replied, null);
        perform chat_private.lock_users(v_people);
        if chat_private.take_slow_sends(v_room, v_me, 1) = 0 then
          perform chat_private.refuse_by_rate(v_room, v_user);
        end if;
        v_may_send := true;
      end if;
    end if;

    if v_may_send then
      -- One statement for everything, because to start one has its price too. Who has no token left
      -- is refused in the middle of it.
      with raised as (
        update chat.rooms as r
        set rev = v_rev + 1, last_seq = v_seq, active_at = v_now, touched = '{messages}'
        where r.id = send_message.room_id and r.rev = v_rev
        returning r.id
      ),
      paid as (
        insert into chat_private.rate_buckets as b (user_id, bucket, full_at)
        select v_user, 'send', v_now + v_token
        from raised
        on conflict on constraint rate_buckets_pkey do update
        set full_at = case
          when b.full_at <= v_now + v_burst then greatest(b.full_at, v_now) + v_token
          else chat_private.refuse_by_rate(v_room, v_user)
        end
        returning b.user_id
      ),
      remembered as (
        insert into chat_private.sends (room_id, sender_id, client_id, seq, sent_hash)
        select send_message.room_id, p.user_id, send_message.client_id, v_seq, v_hash
        from paid as p
      ),
      indexed as (
        insert into chat_private.message_search (room_id, seq, created_at, vector)
        select
          send_message.room_id, v_seq, v_now,
          to_tsvector(
            'chat_private.search', translate(send_message.body, '&+-./:<_~', ',,,,,,,,,')
          )
        from paid
      )
      insert into chat.messages as m (
        room_id, seq, sender_id, sender_label, client_id, body, reply_to, thread_root, mentions,
        mention_all, attachments, created_at, rev
      )
      select
        send_message.room_id, v_seq, p.user_id, v_label, send_message.client_id, send_message.body,
        send_message.reply_to, v_thread_root, coalesce(v_mentions, '{}'),
        send_message.mention_all, send_message.attachments, v_now, v_rev + 1
      from paid as p
      returning m.* into v_message;
      exit when found;
    end if;

    -- Somebody was faster, or there is more to find out: once more, and nobody else may change it.
    select r.* into v_room
    from chat.rooms as r
    where r.id = send_message.room_id
    for no key update;
  end loop;
  if v_people <> '{}' then
    perform chat_private.notify_called(send_message.room_id, v_seq, v_user, v_called);
    perform chat_private.bump_users(v_people, '{notifications}');
  end if;
  return v_message;
end;
$$;

-- A retry gets the message as it is now, tombstone included, before anything else can refuse it.
create function chat_private.sent_message(room_id uuid, seq bigint, is_the_same boolean)
returns chat.messages
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_message chat.messages;
begin
  if not sent_message.is_the_same then
    raise exception using
      errcode = 'PT409',
      message = 'message_id_reused',
      detail = 'You already sent a different message under this client_id.',
      hint = 'Make a new client_id for every message; keep it only for retries.';
  end if;
  select m.* into v_message
  from chat.messages as m
  where m.room_id = sent_message.room_id and m.seq = sent_message.seq;
  if not found then
    raise exception using
      errcode = 'PT410',
      message = 'message_deleted',
      detail = 'This message was sent, and retention has removed it since.',
      hint = 'Drop it from the outbox.';
  end if;
  return v_message;
end;
$$;

comment on function chat_private.sent_message(uuid, bigint, boolean) is
  $$Return what an earlier send became.

Args:
  room_id: the room it went to.
  seq: its place.
  is_the_same: true when it had the content of this one.

Raises:
  message_id_reused: the content was another one.
  message_deleted: retention has removed the message.$$;

create function chat.send_message(
  room_id uuid,
  body text,
  client_id uuid,
  reply_to bigint default null,
  mentions uuid[] default '{}',
  mention_all boolean default false,
  attachments jsonb default '[]'
)
returns chat.messages
language sql
volatile
set search_path = '', pg_temp
return chat_private.send_message(
  room_id, body, client_id, reply_to, mentions, mention_all, attachments
);

comment on function chat.send_message(uuid, text, uuid, bigint, uuid[], boolean, jsonb) is
  $$Send a message to a room.

Call it again with the same arguments after any failure: it sends once.

Args:
  room_id: a room the caller is in.
  body: up to 8,000 characters, kept as typed; empty only with an attachment.
  client_id: a uuid made by the client for this message.
  reply_to: the seq of the message it answers.
  mentions: up to 50 people; who is not in the room is left out.
  mention_all: true calls everybody; moderators and up.
  attachments: up to 30 objects, 16 KB together.

Returns:
  The message with its seq; for a retry, the message as it is now.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: there is no client_id, or nothing to send.
  message_too_long: more than 8,000 characters.
  too_many_mentions: more than 50 people.
  payload_too_large: more than 30 attachments or 16 KB.
  room_not_found: the room does not exist, or the caller is not in it.
  message_id_reused: the client_id belongs to another message of the caller.
  message_deleted: it was sent, and retention has removed it.
  room_archived: the room can only be read.
  member_muted: the caller may only read.
  not_allowed: readers do not send, and members do not call everybody.
  message_not_found: there is no message reply_to.
  slow_down: slow mode, or too many messages at once; Retry-After tells the seconds.$$;

revoke execute on function
  chat_private.refusal_by_content(text, uuid, uuid[], jsonb),
  chat_private.hash_content(text, bigint, uuid[], boolean, jsonb),
  chat_private.refusal_of_send(chat.rooms, chat.room_members, bigint, boolean),
  chat_private.slow_bucket(chat.rooms),
  chat_private.take_slow_sends(chat.rooms, chat.room_members, integer),
  chat_private.refusal_by_rate(chat.rooms, uuid),
  chat_private.refuse_by_rate(chat.rooms, uuid),
  chat_private.find_called(chat.rooms, chat.room_members, bigint, uuid[], boolean),
  chat_private.notify_called(uuid, bigint, uuid, chat_private.called),
  chat_private.sent_message(uuid, bigint, boolean),
  chat_private.send_message(uuid, text, uuid, bigint, uuid[], boolean, jsonb),
  chat.send_message(uuid, text, uuid, bigint, uuid[], boolean, jsonb)
  from public, anon, authenticated;
grant execute on function
  chat_private.send_message(uuid, text, uuid, bigint, uuid[], boolean, jsonb),
  chat.send_message(uuid, text, uuid, bigint, uuid[], boolean, jsonb)
  to authenticated;
