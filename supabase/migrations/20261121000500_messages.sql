-- Messages: gapless per room, sent once, kept as typed, and never moved.

-- seq counts messages, rev counts changes: an edit gives a message a new rev and leaves its seq.
create table chat.messages (
  room_id uuid not null references chat.rooms (id),
  seq bigint not null,
  id uuid not null default gen_random_uuid(),
  sender_id uuid not null,
  sender_label text,
  client_id uuid,
  kind text not null default 'text',
  body text not null,
  reply_to bigint,
  thread_root bigint,
  mentions uuid[] not null default '{}',
  mention_all boolean not null default false,
  attachments jsonb not null default '[]',
  edited_at timestamptz,
  deleted_at timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  rev bigint not null,
  primary key (room_id, seq),
  constraint kind_is_known check (kind in ('text', 'system')),
  constraint body_is_short check (char_length(body) <= 8000),
  constraint mentions_are_few check (cardinality(mentions) <= 50)
);

comment on table chat.messages is 'What was said. Order by seq; created_at is for showing.';
comment on column chat.messages.seq is 'The place in the room: 1, 2, 3 … without a gap.';
comment on column chat.messages.sender_id is 'A profile; profiles are never deleted.';
comment on column chat.messages.sender_label is 'What the sender was in the room at that time.';
comment on column chat.messages.client_id is 'Chosen by the sender; makes a retry harmless.';
comment on column chat.messages.body is
  'Up to 8,000 characters, as typed. Of a system message: what happened, as one word.';
comment on column chat.messages.reply_to is 'The seq of the message this one answers.';
comment on column chat.messages.thread_root is 'The seq of the message that began the thread.';
comment on column chat.messages.mentions is
  'Who is called; of a system message, whom it is about.';
comment on column chat.messages.created_at is 'The server''s clock at the moment of sending.';
comment on column chat.messages.rev is 'The number that last changed this message.';

create index messages_by_rev on chat.messages (room_id, rev, seq);
create index messages_by_thread on chat.messages (room_id, thread_root, seq)
  where thread_root is not null;

create function chat_private.tg_messages__check()
returns trigger
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_broken text := case
    when new.reply_to >= new.seq or new.thread_root > new.reply_to then 'reply_points_back'
    when new.deleted_at is not null
      and (new.body <> '' or new.mentions <> '{}' or new.mention_all or new.attachments <> '[]')
      then 'tombstones_are_empty'
  end;
begin
  if v_broken is not null then
    perform chat_private.fail_check('messages', v_broken);
  end if;
  return null;
end;
$$;

revoke execute on function chat_private.tg_messages__check() from public, anon, authenticated;

create trigger _100_check
  after insert or update of
    seq, reply_to, thread_root, body, mentions, mention_all, attachments, deleted_at
  on chat.messages
  for each row when (new.reply_to is not null or new.deleted_at is not null)
  execute function chat_private.tg_messages__check();

-- The memory that makes sending idempotent. It survives edit, delete and retention.
create table chat_private.sends (
  room_id uuid not null,
  sender_id uuid not null,
  client_id uuid not null,
  seq bigint not null,
  sent_hash bytea not null,
  primary key (room_id, sender_id, client_id)
);

comment on table chat_private.sends is 'Which client_id became which message, and what it said.';

-- A bucket per person for all they send, and one per person and room for slow mode. What is missing
-- in a bucket is time until it is full again, so one moment says how many tokens it holds now.
create table chat_private.rate_buckets (
  user_id uuid not null,
  bucket text not null,
  full_at timestamptz not null,
  constraint rate_buckets_pkey primary key (user_id, bucket)
) with (fillfactor = 50);

comment on table chat_private.rate_buckets is 'Token buckets; a full one may be deleted.';
comment on column chat_private.rate_buckets.full_at is
  'When the bucket is full; every token taken puts it off by the time in which one comes back.';

create function chat_private.take_tokens(
  user_id uuid,
  bucket text,
  wanted integer,
  capacity integer default null,
  per_second double precision default null
)
returns integer
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_capacity integer;
  v_per_second double precision;
  v_full_at timestamptz;
  v_now timestamptz;
  v_taken integer;
begin
  select
    coalesce(take_tokens.capacity, s.send_burst),
    coalesce(take_tokens.per_second, s.sends_per_second)
  into strict v_capacity, v_per_second
  from chat_private.settings as s;

  -- A bucket begins full.
  insert into chat_private.rate_buckets (user_id, bucket, full_at)
  values (take_tokens.user_id, take_tokens.bucket, clock_timestamp())
  on conflict on constraint rate_buckets_pkey do nothing;
  select b.full_at into v_full_at
  from chat_private.rate_buckets as b
  where b.user_id = take_tokens.user_id and b.bucket = take_tokens.bucket
  for no key update;

  v_now := clock_timestamp();
  v_full_at := greatest(v_full_at, v_now);
  v_taken := least(
    take_tokens.wanted,
    greatest(0, floor(v_capacity - date_part('epoch', v_full_at - v_now) * v_per_second))
  );
  update chat_private.rate_buckets as b
  set full_at = v_full_at + interval '1 s' * v_taken / v_per_second
  where b.user_id = take_tokens.user_id and b.bucket = take_tokens.bucket;
  return v_taken;
end;
$$;

comment on function
  chat_private.take_tokens(uuid, text, integer, integer, double precision) is
  $$Take tokens from a bucket, as many as there are.

Args:
  user_id: whose bucket.
  bucket: send, or what slow_bucket() says.
  wanted: how many at most; less than 0 gives back.
  capacity: tokens of a full bucket; null is what the settings say of sends.
  per_second: how fast it refills; null, too.

Returns:
  How many were taken.$$;

revoke execute on function
  chat_private.take_tokens(uuid, text, integer, integer, double precision)
  from public, anon, authenticated;

-- What happened to the room, said in the room. The body is a word for the client to translate.
create function chat_private.add_system_message(
  room_id uuid,
  seq bigint,
  rev bigint,
  actor_id uuid,
  body text,
  about uuid[]
)
returns void
language sql
volatile
set search_path = '', pg_temp
begin atomic
  insert into chat.messages (room_id, seq, rev, sender_id, kind, body, mentions)
  values (
    add_system_message.room_id, add_system_message.seq, add_system_message.rev,
    add_system_message.actor_id, 'system', add_system_message.body, add_system_message.about
  );
end;

comment on function chat_private.add_system_message(uuid, bigint, bigint, uuid, text, uuid[]) is
  'Write a system message at a given place; the caller holds the room and raises its head.';

revoke execute on function
  chat_private.add_system_message(uuid, bigint, bigint, uuid, text, uuid[])
  from public, anon, authenticated;

alter table chat.messages enable row level security;

create policy "members read messages from when they may" on chat.messages
  for select to authenticated
  using (seq > chat_private.visible_after(room_id));

grant select on chat.messages to authenticated, service_role;
