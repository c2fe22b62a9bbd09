-- send_message: one message, once, by somebody who may at the moment it takes its number.

-- What can be refused by looking at the input alone. The cheap checks come first, because checking a
-- body of 30 MB makes everybody else on this database wait.
create function chat_private.refusal_by_content(
  body text,
  client_id uuid,
  mentions uuid[],
  attachments jsonb,
  metadata jsonb
)
returns chat_private.refusal
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  v_refusal chat_private.refusal;
begin
  if refusal_by_content.client_id is null then
    return row(
      'PT400', 'invalid_input', 'A message needs a client_id.',
      'Make one uuid per message and keep it for every retry.', null
    )::chat_private.refusal;
  end if;
  if refusal_by_content.body is null
    or jsonb_typeof(refusal_by_content.attachments) is distinct from 'array'
  then
    return row(
      'PT400', 'invalid_input', 'A message has a body, and its attachments are an array of objects.',
      'Pass an empty body only together with an attachment.', null
    )::chat_private.refusal;
  end if;
  -- (A character has at most four bytes, and bytes need not be counted.)
  if octet_length(refusal_by_content.body) > 32000 or char_length(refusal_by_content.body) > 8000 then
    return row(
      'PT413', 'message_too_long', 'A message has at most 8,000 characters.',
      'Split it, or attach a file.', null
    )::chat_private.refusal;
  end if;
  if refusal_by_content.attachments = '[]' and chat_private.is_blank(refusal_by_content.body) then
    return row(
      'PT400', 'invalid_input', 'A message needs a body or an attachment.',
      'Type something.', null
    )::chat_private.refusal;
  end if;
  if cardinality(refusal_by_content.mentions) > 50 then
    return row(
      'PT413', 'too_many_mentions', 'A message mentions at most 50 people.',
      'Mention everybody instead, if you may.', null
    )::chat_private.refusal;
  end if;
  if refusal_by_content.metadata <> '{}' then
    v_refusal := chat_private.refusal_by_metadata(refusal_by_content.metadata);
    if v_refusal.slug is not null then
      return v_refusal;
    end if;
  end if;
  if refusal_by_content.attachments = '[]' then
    return null;
  end if;
  if jsonb_array_length(refusal_by_content.attachments) <= 30 then
    v_refusal := chat_private.refusal_by_json(refusal_by_content.attachments, 'Attachments');
    if v_refusal.slug is not null then
      return v_refusal;
    end if;
    if jsonb_path_exists(
      refusal_by_content.attachments, 'strict $[*] ? (@.type() != "object")'
    ) then
      return row(
        'PT400', 'invalid_input', 'The attachments of a message are an array of objects.',
        'Pass [{"path": "…"}].', null
      )::chat_private.refusal;
    end if;
  end if;
  if jsonb_array_length(refusal_by_content.attachments) > 30
    or octet_length(refusal_by_content.attachments::text) > 16384
  then
    return row(
      'PT413', 'payload_too_large', 'A message has at most 30 attachments, described in 16 KB.',
      'Put the files into storage and attach their paths.', null
    )::chat_private.refusal;
  end if;
  return chat_private.refusal_by_files(refusal_by_content.attachments);
end;
$$;

comment on function chat_private.refusal_by_content(text, uuid, uuid[], jsonb, jsonb) is
  'Say what is wrong with the content of a message; null when nothing is.';

-- What the sender meant, for telling a retry from a second message under the same client_id. Without
-- metadata it is what it was before messages had any.
create function chat_private.hash_content(
  body text,
  reply_to bigint,
  mentions uuid[],
  mention_all boolean,
  attachments jsonb,
  metadata jsonb
)
returns bytea
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return sha256(convert_to(
    case
      when coalesce(hash_content.metadata, '{}') = '{}' then jsonb_build_array(
        hash_content.body, hash_content.reply_to, hash_content.mentions,
        hash_content.mention_all, hash_content.attachments
      )
      else jsonb_build_array(
        hash_content.body, hash_content.reply_to, hash_content.mentions,
        hash_content.mention_all, hash_content.attachments, hash_content.metadata
      )
    end::text,
    'UTF8'
  ));
end;
$$;

comment on function chat_private.hash_content(text, bigint, uuid[], boolean, jsonb, jsonb) is
  'Fingerprint the content of a message as it was sent.';

-- The rest of the order: archived, closed, muted, role, and what the message points at.
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
      and m.seq > chat_private.readable_after(refusal_of_send.me)
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

-- Slow mode guards the people, the bucket of all writes guards the database. A bucket of slow mode
-- is full again after a day, the longest slow mode that there is, and so remembers when somebody last
-- spoke in it, whatever the interval is by then: changing it frees nobody. The lock of the room
-- covers these buckets.
create function chat_private.take_slow_turn(room chat.rooms, me chat.room_members)
returns timestamptz
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  c_day constant interval := '86400 s';
  v_spare interval := c_day - interval '1 s' * (take_slow_turn.room).slow_mode_seconds;
begin
  if (take_slow_turn.room).slow_mode_seconds = 0
    or chat_private.role_rank((take_slow_turn.me).role) >= chat_private.role_rank('moderator')
  then
    return null;
  end if;
  insert into chat_private.rate_buckets as b (user_id, bucket, full_at)
  values (
    (take_slow_turn.me).user_id, (take_slow_turn.room).id::text, clock_timestamp() + c_day
  )
  on conflict on constraint rate_buckets_pkey do update
  set full_at = excluded.full_at
  where b.full_at <= clock_timestamp() + v_spare;
  if found then
    return null;
  end if;
  return (
    select b.full_at - v_spare
    from chat_private.rate_buckets as b
    where b.user_id = (take_slow_turn.me).user_id
      and b.bucket = (take_slow_turn.room).id::text
  );
end;
$$;

comment on function chat_private.take_slow_turn(chat.rooms, chat.room_members) is
  $$Let a member say something in a room, if slow mode does.

Args:
  room: the locked room.
  me: the membership of the person who sends or edits.

Returns:
  Null when they may; else when they may next.$$;

-- While slow mode is off nobody's turns are noted. Whoever sent or edited something meanwhile has to
-- wait as well, so the newest of it is looked through when slow mode begins, and no send pays for it.
create function chat_private.begin_slow_mode(room_id uuid)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  c_most constant integer := 10000;
  c_day constant interval := '86400 s';
begin
  insert into chat_private.rate_buckets as b (user_id, bucket, full_at)
  select said.sender_id, begin_slow_mode.room_id::text, max(said.at) + c_day
  from (
    select m.sender_id, m.kind, greatest(m.created_at, m.edited_at) as at
    from chat.messages as m
    where m.room_id = begin_slow_mode.room_id
    order by m.rev desc
    limit c_most
  ) as said
  where said.kind = 'text' and said.at > clock_timestamp() - c_day
  group by said.sender_id
  order by said.sender_id
  on conflict on constraint rate_buckets_pkey do update
  set full_at = excluded.full_at
  where b.full_at < excluded.full_at;
end;
$$;

comment on function chat_private.begin_slow_mode(uuid) is
  $$Note when people last said something in a room, from its newest 10,000 messages and edits.

Args:
  room_id: the room, held by the caller.$$;

create type chat_private.called as (
  mentions uuid[],
  notified uuid[],
  replied uuid,
  thread_root bigint,
  people uuid[]
);

comment on type chat_private.called is
  'The people a message mentions, those it notifies as mentioned and as replied to, and both together.';

create function chat_private.wants_nothing(user_id uuid, room_id uuid, sender_id uuid)
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return exists (
    select from chat.room_preferences as p
    where p.user_id = wants_nothing.user_id
      and p.room_id = wants_nothing.room_id
      and p.notify = 'none'
  ) or chat_private.has_blocked(wants_nothing.user_id, wants_nothing.sender_id);
end;
$$;

comment on function chat_private.wants_nothing(uuid, uuid, uuid) is
  'Tell whether somebody wants no notification in a room, or none of what this person sends.';

-- The people a message calls: those it mentions who are in the room, and the one it answers. Closed
-- accounts are called by nothing. Everybody is called one by one in small rooms only; in large ones
-- the badge of the inbox says it.
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
  v_called chat_private.called := row('{}', '{}', null, null, '{}');
begin
  if find_called.mentions <> '{}' then
    -- (`offset 0` keeps it one look-up each, whatever the planner thinks of thousands of members.)
    v_called.mentions := array(
      select distinct mention.user_id
      from unnest(find_called.mentions) as mention (user_id)
      cross join lateral (
        select
        from chat.room_members as m
        join chat.profiles as p on p.user_id = m.user_id and p.closed_at is null
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
      join chat.profiles as p on p.user_id = m.user_id and p.closed_at is null
      where m.room_id = (find_called.room).id
        and m.user_id <> (find_called.me).user_id
        and m.left_at is null
      order by m.user_id
    );
  end if;
  if v_called.notified <> '{}' then
    v_called.notified := array(
      select person.user_id
      from unnest(v_called.notified) with ordinality as person (user_id, place)
      where not chat_private.wants_nothing(
        person.user_id, (find_called.room).id, (find_called.me).user_id
      )
      order by person.place
    );
  end if;
  if find_called.reply_to is not null then
    select coalesce(r.thread_root, r.seq), m.user_id
    into v_called.thread_root, v_called.replied
    from chat.messages as r
    left join (
      chat.room_members as m
      join chat.profiles as p on p.user_id = m.user_id and p.closed_at is null
    )
      on m.room_id = r.room_id
      and m.user_id = r.sender_id
      and m.left_at is null
      and m.user_id <> (find_called.me).user_id
      and m.user_id <> all (v_called.notified)
      and not chat_private.wants_nothing(m.user_id, m.room_id, (find_called.me).user_id)
    where r.room_id = (find_called.room).id and r.seq = find_called.reply_to;
  end if;
  v_called.people := array_remove(v_called.notified || v_called.replied, null);
  return v_called;
end;
$$;

comment on function
  chat_private.find_called(chat.rooms, chat.room_members, bigint, uuid[], boolean) is
  'Find the people a message mentions, those it notifies, and the thread it belongs to.';

-- The caller holds the room and the called people, and raises their heads.
create function chat_private.notify_called(
  room_id uuid,
  seq bigint,
  rev bigint,
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
      notify_called.sender_id, notify_called.rev
    );
  end if;
  if (notify_called.called).replied is not null then
    perform chat_private.add_notifications(
      array[(notify_called.called).replied], 'reply', notify_called.room_id, notify_called.seq,
      notify_called.sender_id, notify_called.rev
    );
  end if;
end;
$$;

comment on function chat_private.notify_called(uuid, bigint, bigint, uuid, chat_private.called) is
  'Write the notifications of the people a message calls.';

-- What has to be found out for the few messages that call somebody, hold files, or go to a room where
-- somebody or something is restricted. The caller holds the room, so what is found out stays true.
create function chat_private.prepare_send(
  room chat.rooms,
  reply_to bigint,
  mentions uuid[],
  mention_all boolean
)
returns chat_private.called
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_me chat.room_members := chat_private.require_member((prepare_send.room).id);
  v_called chat_private.called;
  v_ready_at timestamptz;
begin
  perform chat_private.refuse(chat_private.refusal_of_send(
    prepare_send.room, v_me, prepare_send.reply_to, prepare_send.mention_all
  ));
  v_called := chat_private.find_called(
    prepare_send.room, v_me, prepare_send.reply_to, prepare_send.mentions, prepare_send.mention_all
  );
  perform chat_private.lock_users(v_called.people);
  v_ready_at := chat_private.take_slow_turn(prepare_send.room, v_me);
  if v_ready_at is not null then
    perform chat_private.refuse_by_wait(v_ready_at);
  end if;
  return v_called;
end;
$$;

comment on function chat_private.prepare_send(chat.rooms, bigint, uuid[], boolean) is
  $$Ask for the right to send a message, and find and lock the people it calls.

Args:
  room: the locked room.
  reply_to, mentions, mention_all: as the message has them.

Returns:
  The people it calls.

Raises:
  room_not_found: the caller is not in the room any more.
  room_archived, member_muted, not_allowed, message_not_found: as refusal_of_send() says.
  slow_down: slow mode.$$;

create function chat_private.send_message(
  room_id uuid,
  body text,
  client_id uuid,
  reply_to bigint,
  mentions uuid[],
  mention_all boolean,
  attachments jsonb,
  metadata jsonb
)
returns chat.messages
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
declare
  v_user uuid := auth.uid();
  v_rev bigint;
  v_seq bigint;
  v_label text;
  v_floor_seq bigint;
  v_sent_seq bigint;
  v_sent chat_private.sends;
  v_now timestamptz;
  v_token interval;
  v_spare interval;
  v_price integer;
  v_bytes integer := octet_length(send_message.body) + 2;  -- two for the attachments, '[]'
  v_may_send boolean;
  v_is_plain boolean := true;
  v_words text[];
  v_content_check text;
  v_is_checked boolean := false;
  v_room chat.rooms;
  v_called chat_private.called;
  v_message chat.messages;
begin
  -- Most messages begin with a letter, are short and nothing else, and need no closer look.
  if (
    v_user is not null
    and (strpos(current_setting('request.headers', true), 'x-parley-user') > 0) is not true
    and send_message.client_id is not null
    and ascii(send_message.body) between 33 and 126
    and octet_length(send_message.body) <= 1024
    and send_message.mentions = '{}'
    and not send_message.mention_all
    and send_message.attachments = '[]'
    and send_message.metadata is null
  ) is not true
  then
    v_user := chat_private.current_user_id();
    send_message.mentions := coalesce(send_message.mentions, '{}');
    send_message.mention_all := coalesce(send_message.mention_all, false);
    send_message.attachments := coalesce(send_message.attachments, '[]');
    send_message.metadata := nullif(send_message.metadata, '{}');
    perform chat_private.refuse(chat_private.refusal_by_content(
      send_message.body, send_message.client_id, send_message.mentions, send_message.attachments,
      send_message.metadata
    ));
    v_is_plain := send_message.mentions = '{}'
      and not send_message.mention_all
      and send_message.attachments = '[]'
      and octet_length(send_message.body) <= 1024;
    v_bytes := octet_length(send_message.body)
      + octet_length(send_message.attachments::text)
      + coalesce(octet_length(send_message.metadata::text), 0);
  end if;

  -- Look, then write if the room still has the number it had. Whatever decides about a send takes a
  -- number of its room, so this is as good as a look under the lock, and most sends need no lock.
  -- price_of_send() and spend() are written out in these two statements, because a nested call is
  -- 2 to 3 % of a send. The tests hold them against their originals.
  loop
    select
      r.rev, r.last_seq + 1, m.label, r.floor_seq, s.seq, clock_timestamp(),
      rate.send_token / case when p.is_bot then rate.bot_factor else 1 end,
      rate.send_spare,
      1 + v_bytes * case when r.is_large then 1 else r.member_count end / 4096,
      s.seq is null
      and r.archived_at is null
      and not r.is_closed
      and r.slow_mode_seconds = 0
      and m.role <> 'reader'
      and m.muted_until is null
      and send_message.reply_to is null
      and v_is_plain
      and (rate.content_check is null or v_is_checked)
      -- (Null where messages were purged: it may be sent if it was not among those.)
      and (r.floor_seq = 0 or null),
      rate.content_check
    into
      v_rev, v_seq, v_label, v_floor_seq, v_sent_seq, v_now, v_token, v_spare, v_price, v_may_send,
      v_content_check
    from chat.rooms as r
    join chat.room_members as m on m.room_id = r.id and m.left_at is null
    join chat.profiles as p on p.user_id = m.user_id and p.closed_at is null
    left join chat.messages as s
      on s.room_id = r.id
      and s.sender_id = m.user_id
      and s.client_id = send_message.client_id
    cross join chat_private.settings as rate
    where r.id = send_message.room_id and m.user_id = v_user;

    if v_may_send is not true then
      -- Anybody who is not in the room is told so. (A member finds nothing only where the settings are
      -- missing, and without those nobody sends.)
      if not found then
        perform chat_private.require_member(send_message.room_id);
        perform chat_private.refuse_by_wait(null);
      end if;
      if v_sent_seq is null and v_floor_seq > 0 then
        select s.seq into v_sent_seq
        from chat_private.sends as s
        where s.room_id = send_message.room_id
          and s.sender_id = v_user
          and s.client_id = send_message.client_id
          and s.purged_at is not null;
      end if;
      if v_sent_seq is not null then
        select s.* into v_sent
        from chat_private.find_sends(
          send_message.room_id, v_floor_seq, v_user, array[send_message.client_id]
        ) as s;
        if found then
          return chat_private.sent_message(
            send_message.room_id, v_sent.seq,
            v_sent.sent_hash = chat_private.hash_content(
              send_message.body, send_message.reply_to, send_message.mentions,
              send_message.mention_all, send_message.attachments, send_message.metadata
            )
          );
        end if;
      end if;
      -- The adopter's rule is asked before the lock, and once. The room may change meanwhile, so we look
      -- again after it.
      if v_content_check is not null and not v_is_checked and v_room.id is null then
        v_is_checked := true;
        perform chat_private.refuse(chat_private.refusal_by_check(
          send_message.room_id, v_user, send_message.body, send_message.attachments,
          send_message.metadata
        ));
        continue;
      end if;
      -- So are the words of a large message gathered, which can take longer than everything else.
      if v_words is null and v_room.id is null and octet_length(send_message.body) > 1024 then
        select
          case when r.is_opaque then '{}' else chat_private.words_of(array[send_message.body]) end
        into v_words
        from chat.rooms as r
        where r.id = send_message.room_id;
        v_is_plain := send_message.mentions = '{}'
          and not send_message.mention_all
          and send_message.attachments = '[]';
        continue;
      end if;
      if v_may_send is null then
        v_may_send := true;
      elsif v_room.id is not null then
        v_may_send := true;
        v_called := chat_private.prepare_send(
          v_room, send_message.reply_to, send_message.mentions, send_message.mention_all
        );
        if send_message.attachments <> '[]' then
          perform chat_private.refuse(chat_private.refusal_by_missing_file(
            v_room, v_user, send_message.attachments, '{}'
          ));
        end if;
        v_price := v_price + cardinality(v_called.people);
      end if;
    end if;

    if v_may_send then
      -- One statement for everything, because to start one has its price too. A sender without a
      -- token is refused in the middle of it.
      with raised as (
        update chat.rooms as r
        set rev = v_rev + 1, last_seq = v_seq, active_at = v_now, touched = '{messages}'
        where r.id = send_message.room_id and r.rev = v_rev
        returning r.id
      ),
      paid as (
        insert into chat_private.rate_buckets as b (user_id, bucket, full_at)
        select v_user, 'send', v_now + v_token * v_price
        from raised
        on conflict on constraint rate_buckets_pkey do update
        set full_at = case
          when b.full_at <= v_now + v_spare
            then greatest(b.full_at, v_now) + v_token * v_price
          else chat_private.refuse_by_wait(b.full_at - v_spare)
        end
        returning b.user_id
      ),
      to_push as (
        insert into chat_private.push_outbox (created_at, room_id, seq)
        select v_now, send_message.room_id, v_seq
        from paid
      )
      insert into chat.messages as m (
        room_id, seq, sender_id, sender_label, client_id, body, reply_to, thread_root, mentions,
        mention_all, attachments, created_at, rev, metadata
      )
      select
        send_message.room_id, v_seq, p.user_id, v_label, send_message.client_id, send_message.body,
        send_message.reply_to, v_called.thread_root, coalesce(v_called.mentions, '{}'),
        send_message.mention_all, send_message.attachments, v_now, v_rev + 1,
        coalesce(send_message.metadata, '{}')
      from paid as p
      returning m.* into v_message;
      exit when found;
    end if;

    -- The room changed since we looked, or this send needs the slow path: lock the room, look again.
    select r.* into v_room
    from chat.rooms as r
    where r.id = send_message.room_id
    for no key update;
  end loop;
  if v_seq & 31 = 31 or v_words is not null then
    perform chat_private.grow_search(send_message.room_id, v_seq, coalesce(v_words, '{}'));
  end if;
  if v_called.people is not null then
    if send_message.attachments <> '[]' then
      perform chat_private.keep_files(send_message.room_id, v_seq, send_message.attachments);
    end if;
    if v_called.mentions <> send_message.mentions then
      insert into chat_private.sends (room_id, sender_id, client_id, seq, sent_hash)
      values (
        send_message.room_id, v_user, send_message.client_id, v_seq,
        chat_private.hash_content(
          send_message.body, send_message.reply_to, send_message.mentions,
          send_message.mention_all, send_message.attachments, send_message.metadata
        )
      );
    end if;
    if v_called.people <> '{}' then
      perform chat_private.notify_called(send_message.room_id, v_seq, v_rev + 1, v_user, v_called);
      perform chat_private.bump_users(v_called.people, '{notifications}');
    end if;
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
  attachments jsonb default '[]',
  metadata jsonb default null
)
returns chat.messages
language sql
volatile
set search_path = '', pg_temp
return chat_private.send_message(
  room_id, body, client_id, reply_to, mentions, mention_all, attachments, metadata
);

comment on function chat.send_message(uuid, text, uuid, bigint, uuid[], boolean, jsonb, jsonb) is
  $$Send a message to a room.

Call it again with the same arguments after any failure: it sends once.

Price: 1, and 1 for every 4 KB of body, attachments and metadata that it brings to a member of a small
room, or to a large room as a whole, and 1 for everybody it notifies.

Args:
  room_id: a room the caller is in.
  body: up to 8,000 characters, kept as typed; empty only with an attachment.
  client_id: a uuid made by the client for this message.
  reply_to: the seq of the message it answers.
  mentions: up to 50 people; those who are not in the room are left out.
  mention_all: true calls everybody; moderators and up.
  attachments: up to 30 objects, 16 KB together, nested at most 16 deep with at most 200 values,
    keys of 64 characters and numbers of 20 digits. One with a path is a file in the bucket
    chat-attachments that the caller has uploaded to this room and not sent yet; it may say name,
    mime_type, size, width, height, duration and blurhash. Others are the app's own.
  metadata: an object of the app's own, up to 4 KB, made like the attachments. Search does not look
    at it.

Returns:
  The message with its seq; for a retry, the message as it is now.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: there is no client_id, nothing to send, or an attachment or the metadata are not as
    described.
  message_too_long: more than 8,000 characters.
  too_many_mentions: more than 50 people.
  payload_too_large: more than 30 attachments or 16 KB of them, more than 4 KB of metadata, or a file
    that is too large.
  room_not_found: the room does not exist, or the caller is not in it.
  message_id_reused: the client_id belongs to another message of the caller.
  message_deleted: it was sent, and retention has removed it.
  room_archived: the room can only be read.
  member_muted: the caller may only read.
  not_allowed: readers do not send, members do not call everybody, and nobody sends into a direct room
    with a closed account or a block.
  message_not_found: there is no message reply_to.
  file_not_found: there is no file at a path that the caller may send.
  message_refused: the project's own rule about content is against it.
  slow_down: slow mode, or too much at once; Retry-After tells the seconds.$$;

revoke execute on function
  chat_private.refusal_by_content(text, uuid, uuid[], jsonb, jsonb),
  chat_private.hash_content(text, bigint, uuid[], boolean, jsonb, jsonb),
  chat_private.refusal_of_send(chat.rooms, chat.room_members, bigint, boolean),
  chat_private.take_slow_turn(chat.rooms, chat.room_members),
  chat_private.begin_slow_mode(uuid),
  chat_private.wants_nothing(uuid, uuid, uuid),
  chat_private.find_called(chat.rooms, chat.room_members, bigint, uuid[], boolean),
  chat_private.notify_called(uuid, bigint, bigint, uuid, chat_private.called),
  chat_private.prepare_send(chat.rooms, bigint, uuid[], boolean),
  chat_private.sent_message(uuid, bigint, boolean),
  chat_private.send_message(uuid, text, uuid, bigint, uuid[], boolean, jsonb, jsonb),
  chat.send_message(uuid, text, uuid, bigint, uuid[], boolean, jsonb, jsonb)
  from public, anon, authenticated;
grant execute on function
  chat_private.send_message(uuid, text, uuid, bigint, uuid[], boolean, jsonb, jsonb),
  chat.send_message(uuid, text, uuid, bigint, uuid[], boolean, jsonb, jsonb)
  to authenticated, service_role;
