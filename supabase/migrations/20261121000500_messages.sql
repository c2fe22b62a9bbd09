-- Messages: gapless per room, sent once, kept as typed, and never moved.

-- seq counts messages, rev counts changes: an edit gives a message a new rev and leaves its seq. What
-- has a fixed length comes first, because 9 bytes a message were lost to alignment.
create table chat.messages (
  room_id uuid not null references chat.rooms (id),
  seq bigint not null,
  rev bigint not null,
  created_at timestamptz not null default clock_timestamp(),
  id uuid not null default gen_random_uuid(),
  sender_id uuid not null,
  client_id uuid,
  reply_to bigint,
  thread_root bigint,
  edited_at timestamptz,
  deleted_at timestamptz,
  mention_all boolean not null default false,
  kind text not null default 'text',
  sender_label text,
  body text not null,
  mentions uuid[] not null default '{}',
  attachments jsonb not null default '[]',
  metadata jsonb not null default '{}',
  primary key (room_id, seq)
);

comment on table chat.messages is 'What was said. Order by seq; created_at is for showing.';
comment on column chat.messages.seq is 'The place in the room: 1, 2, 3 … without a gap.';
comment on column chat.messages.sender_id is
  'A profile, which is never deleted; only zeros where the project itself posted a system message.';
comment on column chat.messages.sender_label is 'What the sender was in the room at that time.';
comment on column chat.messages.client_id is
  'Chosen by the sender, so that a retry does not send twice.';
comment on column chat.messages.body is
  'Up to 8,000 characters, as typed. Of a system message: what happened, as one word.';
comment on column chat.messages.reply_to is 'The seq of the message this one answers.';
comment on column chat.messages.thread_root is 'The seq of the message that began the thread.';
comment on column chat.messages.mentions is
  'The people mentioned; in a system message, the people it is about.';
comment on column chat.messages.created_at is 'The server''s clock at the moment of sending.';
comment on column chat.messages.rev is 'The number that last changed this message.';
comment on column chat.messages.metadata is
  'Whatever the app keeps with a message, up to 4 KB; search does not look at it.';

create index messages_by_rev on chat.messages (room_id, rev);
create index messages_by_thread on chat.messages (room_id, thread_root, seq)
  where thread_root is not null;
-- Makes sending idempotent, and tells who wrote in a room.
create unique index messages_by_client_id on chat.messages (room_id, sender_id, client_id)
  where client_id is not null;

-- Postgres reads a check constraint, and the condition of a trigger, again from its text at every
-- statement. As constraints these rules would take 5 % of a send; most messages are short and nothing else,
-- and pass the first question.
create function chat_private.tg_messages__check()
returns trigger
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_broken text;
begin
  if new.kind = 'text'
    and octet_length(new.body) <= 8000
    and new.mentions = '{}'
    and new.reply_to is null
    and new.deleted_at is null
  then
    return null;
  end if;
  v_broken := case
    when new.kind not in ('text', 'system') then 'kind_is_known'
    when char_length(new.body) > 8000 then 'body_is_short'
    when cardinality(new.mentions) > 50 then 'mentions_are_few'
    when new.reply_to >= new.seq or new.thread_root > new.reply_to then 'reply_points_back'
    when new.deleted_at is not null
      and (
        new.body <> ''
        or new.mentions <> '{}'
        or new.mention_all
        or new.attachments <> '[]'
        or new.metadata <> '{}'
      )
      then 'tombstones_are_empty'
  end;
  if v_broken is not null then
    perform chat_private.fail_check('messages', v_broken);
  end if;
  return null;
end;
$$;

revoke execute on function chat_private.tg_messages__check() from public, anon, authenticated;

create trigger _100_check
  after insert or update of
    seq, kind, reply_to, thread_root, body, mentions, mention_all, attachments, deleted_at, metadata
  on chat.messages
  for each row execute function chat_private.tg_messages__check();

-- Pages are bounded by bytes as well as by rows, and are measured before they are built. A control
-- character takes six bytes in JSON, so the body is measured as JSON.
create function chat_private.message_bytes(message chat.messages)
returns integer
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return 600
    + octet_length(to_json((message_bytes.message).body)::text)
    + 40 * cardinality((message_bytes.message).mentions)
    + octet_length((message_bytes.message).attachments::text)
    + octet_length((message_bytes.message).metadata::text);
end;
$$;

comment on function chat_private.message_bytes(chat.messages) is
  'Estimate how many bytes a message takes as JSON.';

revoke execute on function chat_private.message_bytes(chat.messages)
  from public, anon, authenticated;

-- A retry is compared with its message as long as the message holds exactly what was sent. This table
-- remembers what was sent where the message does not: it was edited, deleted, purged or imported, or it
-- was sent with mentions that were left out.
create table chat_private.sends (
  room_id uuid not null,
  sender_id uuid not null,
  client_id uuid not null,
  seq bigint not null,
  sent_hash bytea not null,
  purged_at timestamptz,
  primary key (room_id, sender_id, client_id)
);

comment on table chat_private.sends is
  'What was sent under a client_id, where the message does not say so, or is gone.';
comment on column chat_private.sends.purged_at is
  'When the message was purged. The row is deleted settings.keep_sends later; infinity keeps it.';

create index sends_by_purged_at on chat_private.sends (purged_at) where purged_at is not null;

-- Keeps what was sent when a message changes. Only the first change of a message matters: until then the
-- message itself says what was sent.
create function chat_private.tg_messages__remember_send()
returns trigger
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  insert into chat_private.sends (room_id, sender_id, client_id, seq, sent_hash)
  values (
    old.room_id, old.sender_id, old.client_id, old.seq,
    chat_private.hash_content(
      old.body, old.reply_to, old.mentions, old.mention_all, old.attachments, old.metadata
    )
  )
  on conflict on constraint sends_pkey do nothing;
  return null;
end;
$$;

revoke execute on function chat_private.tg_messages__remember_send()
  from public, anon, authenticated;

create trigger _200_remember_send
  after update of body, reply_to, mentions, mention_all, attachments, metadata
  on chat.messages
  for each row when (old.client_id is not null)
  execute function chat_private.tg_messages__remember_send();

-- Purged messages are looked for only in rooms from which something was purged.
create function chat_private.find_sends(
  room_id uuid,
  floor_seq bigint,
  sender_id uuid,
  client_ids uuid[]
)
returns setof chat_private.sends
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return query
    select
      m.room_id, m.sender_id, m.client_id, m.seq,
      coalesce(
        s.sent_hash,
        chat_private.hash_content(
          m.body, m.reply_to, m.mentions, m.mention_all, m.attachments, m.metadata
        )
      ),
      s.purged_at
    from chat.messages as m
    left join chat_private.sends as s
      on s.room_id = m.room_id and s.sender_id = m.sender_id and s.client_id = m.client_id
    where m.room_id = find_sends.room_id
      and m.sender_id = find_sends.sender_id
      and m.client_id = any (find_sends.client_ids);
  if find_sends.floor_seq > 0 then
    return query
      select s.*
      from chat_private.sends as s
      where s.room_id = find_sends.room_id
        and s.sender_id = find_sends.sender_id
        and s.client_id = any (find_sends.client_ids)
        and s.purged_at is not null;
  end if;
end;
$$;

comment on function chat_private.find_sends(uuid, bigint, uuid, uuid[]) is
  $$Find what somebody has already sent to a room.

Args:
  room_id, floor_seq: the room.
  sender_id: who sent it.
  client_ids: under which of these.

Returns:
  The place and the fingerprint of each message that was sent, purged ones included.$$;

revoke execute on function chat_private.find_sends(uuid, bigint, uuid, uuid[])
  from public, anon, authenticated;

-- A person has one bucket for everything they write, one for the people they put into rooms, and
-- one for each room with slow mode. A bucket is stored as the moment at which it will be full
-- again, which tells how many tokens it holds now.
create table chat_private.rate_buckets (
  user_id uuid not null,
  bucket text not null,
  full_at timestamptz not null,
  constraint rate_buckets_pkey primary key (user_id, bucket)
) with (fillfactor = 50);

comment on table chat_private.rate_buckets is 'Token buckets; a full one may be deleted.';
comment on column chat_private.rate_buckets.bucket is
  'send: all a person writes. added: people they put into rooms. The id of a room: its slow mode.';
comment on column chat_private.rate_buckets.full_at is
  'When the bucket will be full. A token taken moves it on by the time in which one comes back.';

-- At least one second, because Retry-After has no fractions.
create function chat_private.refusal_by_wait(ready_at timestamptz)
returns chat_private.refusal
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_wait integer := greatest(
    1, ceil(date_part('epoch', refusal_by_wait.ready_at - clock_timestamp()))
  );
begin
  return row(
    'PT429', 'slow_down',
    format('That is too much at once; the next call may come in %s s.', v_wait),
    'Wait, then repeat the call with the same arguments.', v_wait
  )::chat_private.refusal;
end;
$$;

comment on function chat_private.refusal_by_wait(timestamptz) is
  $$Say how long somebody has to wait.

Args:
  ready_at: when it may come; null is in a second.$$;

-- Declared as `returns timestamptz` only so that it can stand inside a `case` expression; it always
-- raises.
create function chat_private.refuse_by_wait(ready_at timestamptz)
returns timestamptz
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  perform chat_private.refuse(chat_private.refusal_by_wait(refuse_by_wait.ready_at));
  return null;
end;
$$;

comment on function chat_private.refuse_by_wait(timestamptz) is
  $$Refuse a call for now.

Raises:
  slow_down: always.$$;

-- A bucket that is not empty lets a call through, whatever it costs, and goes into debt. So no call
-- is too expensive to be made at all. A new bucket is full.
create function chat_private.take_tokens(
  user_id uuid,
  bucket text,
  price double precision,
  capacity integer,
  per_second double precision
)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_price interval := interval '1 s' * take_tokens.price / take_tokens.per_second;
  v_spare interval := interval '1 s' * (take_tokens.capacity - 1) / take_tokens.per_second;
begin
  insert into chat_private.rate_buckets as b (user_id, bucket, full_at)
  values (take_tokens.user_id, take_tokens.bucket, clock_timestamp() + v_price)
  on conflict on constraint rate_buckets_pkey do update
  set full_at = case
    when b.full_at <= clock_timestamp() + v_spare
      then greatest(b.full_at, clock_timestamp()) + v_price
    else chat_private.refuse_by_wait(b.full_at - v_spare)
  end;
end;
$$;

comment on function
  chat_private.take_tokens(uuid, text, double precision, integer, double precision) is
  $$Take tokens from a bucket that is not empty.

Args:
  user_id: the person whose bucket it is.
  bucket: its name.
  price: how many tokens, which may be more than there are.
  capacity: how many a full bucket holds.
  per_second: how fast it refills.

Raises:
  slow_down: the bucket is empty; Retry-After tells the seconds.$$;

-- Every write has a price, in short messages, for what it makes the database store and announce.
-- The caller's bucket pays it. Call this after taking every other lock, and before a large write. A
-- call that changes nothing does not pay.
create function chat_private.spend(user_id uuid, price integer)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_burst integer;
  v_per_second integer;
  v_factor integer;
begin
  select s.send_burst, s.sends_per_second, case when p.is_bot then s.bot_factor else 1 end
  into strict v_burst, v_per_second, v_factor
  from chat_private.settings as s
  left join chat.profiles as p on p.user_id = spend.user_id;
  perform chat_private.take_tokens(
    spend.user_id, 'send', spend.price::double precision / v_factor, v_burst, v_per_second
  );
end;
$$;

comment on function chat_private.spend(uuid, integer) is
  $$Charge somebody for a write, after every other lock of the call.

Args:
  user_id: the caller.
  price: in short messages, at least 1; a bot pays a part of it.

Raises:
  slow_down: their bucket is empty; Retry-After tells the seconds.$$;

-- Reads the bucket without a lock, for calls that do much work before they pay. It refuses only
-- people whom the bucket would refuse later.
create function chat_private.ready_at(user_id uuid)
returns timestamptz
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return (
    select b.full_at - s.send_spare
    from chat_private.rate_buckets as b
    cross join chat_private.settings as s
    where b.user_id = ready_at.user_id and b.bucket = 'send'
  );
end;
$$;

comment on function chat_private.ready_at(uuid) is
  'Return the time from which spend() lets somebody through; null means at once.';

-- Putting people into rooms has a bucket of its own beside the price, because each of them is
-- notified.
create function chat_private.spend_on_people(user_id uuid, people integer, more integer)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_per_day integer;
  v_factor integer;
begin
  if spend_on_people.people > 0 then
    select s.members_added_per_day, case when p.is_bot then s.bot_factor else 1 end
    into strict v_per_day, v_factor
    from chat_private.settings as s
    left join chat.profiles as p on p.user_id = spend_on_people.user_id;
    perform chat_private.take_tokens(
      spend_on_people.user_id, 'added', spend_on_people.people::double precision / v_factor, v_per_day,
      v_per_day / 86400.0
    );
  end if;
  perform chat_private.spend(
    spend_on_people.user_id, spend_on_people.more + 10 * spend_on_people.people
  );
end;
$$;

comment on function chat_private.spend_on_people(uuid, integer, integer) is
  $$Charge somebody for putting people into a room, after every other lock of the call.

Args:
  user_id: the caller.
  people: how many others; 10 for each.
  more: further short messages that the call costs.

Raises:
  slow_down: a bucket of theirs is empty; Retry-After tells the seconds.$$;

revoke execute on function
  chat_private.refusal_by_wait(timestamptz),
  chat_private.refuse_by_wait(timestamptz),
  chat_private.take_tokens(uuid, text, double precision, integer, double precision),
  chat_private.spend(uuid, integer),
  chat_private.ready_at(uuid),
  chat_private.spend_on_people(uuid, integer, integer)
  from public, anon, authenticated;

-- A system message tells the room what happened to it. Its body is one word, which clients
-- translate.
create function chat_private.add_system_message(
  room_id uuid,
  seq bigint,
  rev bigint,
  actor_id uuid,
  body text,
  about uuid[],
  metadata jsonb default '{}'
)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  insert into chat.messages (room_id, seq, rev, sender_id, kind, body, mentions, metadata)
  values (
    add_system_message.room_id, add_system_message.seq, add_system_message.rev,
    add_system_message.actor_id, 'system', add_system_message.body, add_system_message.about,
    add_system_message.metadata
  );
  if add_system_message.seq & 31 = 31 then
    perform chat_private.grow_search(add_system_message.room_id, add_system_message.seq);
  end if;
end;
$$;

comment on function chat_private.add_system_message(uuid, bigint, bigint, uuid, text, uuid[], jsonb) is
  'Write a system message at a given place; the caller holds the room and raises its head.';

revoke execute on function
  chat_private.add_system_message(uuid, bigint, bigint, uuid, text, uuid[], jsonb)
  from public, anon, authenticated;

alter table chat.messages enable row level security;

create policy "members read messages from when they may" on chat.messages
  for select to authenticated
  using (seq > chat_private.visible_after(room_id));

grant select on chat.messages to authenticated, service_role;
