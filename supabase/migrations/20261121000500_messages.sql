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
  constraint mentions_are_few check (cardinality(mentions) <= 50),
  constraint reply_points_back check (reply_to < seq and thread_root <= reply_to),
  constraint tombstones_are_empty check (
    deleted_at is null
    or (body = '' and mentions = '{}' and not mention_all and attachments = '[]')
  )
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

-- A bucket per person for all they send, and one per person and room for slow mode.
create table chat_private.rate_buckets (
  user_id uuid not null,
  bucket text not null,
  tokens double precision not null,
  taken integer not null default 0,
  refilled_at timestamptz not null,
  constraint rate_buckets_pkey primary key (user_id, bucket)
) with (fillfactor = 50);

comment on table chat_private.rate_buckets is 'Token buckets; a full one may be deleted.';

comment on column chat_private.rate_buckets.taken is 'How many tokens the last taker got.';

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
set search_path = ''
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_taken integer;
begin
  loop
    update chat_private.rate_buckets as b
    set (tokens, taken, refilled_at) = (
      select full_to.level - least(take_tokens.wanted, floor(full_to.level)),
        least(take_tokens.wanted, floor(full_to.level)), v_now
      from (
        select least(
          coalesce(take_tokens.capacity, (select s.send_burst from chat_private.settings as s)),
          b.tokens
            + greatest(0, date_part('epoch', v_now - b.refilled_at))
              * coalesce(
                take_tokens.per_second, (select s.sends_per_second from chat_private.settings as s)
              )
        )
      ) as full_to (level)
    )
    where b.user_id = take_tokens.user_id and b.bucket = take_tokens.bucket
    returning b.taken into v_taken;
    exit when found;
    -- A bucket begins full.
    insert into chat_private.rate_buckets (user_id, bucket, tokens, refilled_at)
    values (
      take_tokens.user_id, take_tokens.bucket,
      coalesce(take_tokens.capacity, (select s.send_burst from chat_private.settings as s)), v_now
    )
    on conflict on constraint rate_buckets_pkey do nothing;
  end loop;
  return v_taken;
end;
$$;

comment on function
  chat_private.take_tokens(uuid, text, integer, integer, double precision) is
  $$Take tokens from a bucket, as many as there are.

Args:
  user_id: whose bucket.
  bucket: send, or the id of a room in slow mode.
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
set search_path = ''
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
