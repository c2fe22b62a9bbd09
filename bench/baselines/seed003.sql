-- The baseline schema: the chat that teams usually build on Supabase. Five tables, four indexes,
-- policies, a trigger that keeps the previews and counts of a room, and a trigger that broadcasts.

-- We wrote it after a description of such a chat and kept its names. The webhook that would start a
-- push is left out, and so is everything that happens after a message has arrived.
create table public.users (
  id uuid primary key,
  full_name text not null
);

create table public.chat_rooms (
  id uuid primary key default gen_random_uuid(),
  user1_id uuid not null references public.users (id),
  user2_id uuid not null references public.users (id),
  last_message text,
  last_message_at timestamptz,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  tourist_id uuid references public.users (id),
  guide_id uuid references public.users (id),
  unread_count_user1 integer default 0,
  unread_count_user2 integer default 0,
  archived_by_user1 boolean default false,
  archived_by_user2 boolean default false
);

create table public.chat_messages (
  id uuid primary key default gen_random_uuid(),
  room_id uuid not null references public.chat_rooms (id),
  sender_id uuid not null references public.users (id),
  message text not null,
  message_type varchar(20) default 'text',
  is_read boolean default false,
  read_at timestamptz,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  client_msg_id text,
  sender_role varchar(20) default 'tourist',
  attachments jsonb default '[]',
  edited_at timestamptz,
  deleted_at timestamptz,
  delivered_at timestamptz,
  server_timestamp timestamptz default now()
);

create table public.message_receipts (
  id uuid primary key default gen_random_uuid(),
  message_id uuid not null references public.chat_messages (id),
  user_id uuid not null references public.users (id),
  device_id text,
  delivered_at timestamptz,
  read_at timestamptz,
  created_at timestamptz default now(),
  constraint unique_message_user_receipt unique (message_id, user_id)
);

create table public.user_devices (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references public.users (id),
  device_id text not null,
  platform varchar(20) not null,
  push_token text,
  push_provider varchar(20) default 'expo',
  app_version text,
  is_active boolean default true,
  last_seen_at timestamptz,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  constraint unique_user_device unique (user_id, device_id)
);

create table public.user_presence (
  user_id uuid primary key references public.users (id),
  is_online boolean default false,
  last_seen_at timestamptz,
  current_conversation_id uuid,
  updated_at timestamptz default now()
);

create index idx_messages_conversation_cursor
  on public.chat_messages (room_id, server_timestamp desc, id);
create index idx_messages_room_after_timestamp
  on public.chat_messages (room_id, server_timestamp);
create unique index idx_messages_client_msg_id_unique
  on public.chat_messages (sender_id, client_msg_id) where client_msg_id is not null;
create index idx_devices_active
  on public.user_devices (user_id, is_active) where is_active = true;

-- The counts and the preview have no policy that would let a sender change them.
create function public.update_room_after_message()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  update public.chat_rooms
  set
    last_message = new.message,
    last_message_at = new.server_timestamp,
    updated_at = now(),
    unread_count_user1 = unread_count_user1 + (new.sender_id = user2_id)::integer,
    unread_count_user2 = unread_count_user2 + (new.sender_id = user1_id)::integer
  where id = new.room_id;
  return new;
end;
$$;

create trigger room_after_message_trigger after insert on public.chat_messages
  for each row execute function public.update_room_after_message();

create function public.broadcast_message()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  perform realtime.send(
    jsonb_build_object('type', 'new_message', 'thread_id', new.room_id, 'id', new.id),
    'message_created',
    'thread:' || new.room_id::text || ':messages',
    true
  );
  return new;
end;
$$;

create trigger message_broadcast_trigger after insert on public.chat_messages
  for each row execute function public.broadcast_message();

alter table public.chat_rooms enable row level security;
alter table public.chat_messages enable row level security;
alter table public.message_receipts enable row level security;
alter table public.user_devices enable row level security;
alter table public.user_presence enable row level security;

create policy "chat_rooms_select_participants" on public.chat_rooms
  for select using (auth.uid() = user1_id or auth.uid() = user2_id);

create policy "chat_rooms_insert_participant" on public.chat_rooms
  for insert with check (
    auth.uid() is not null and (auth.uid() = user1_id or auth.uid() = user2_id)
  );

create policy "chat_messages_select_participants" on public.chat_messages
  for select using (
    exists (
      select 1
      from public.chat_rooms
      where chat_rooms.id = chat_messages.room_id
        and (chat_rooms.user1_id = auth.uid() or chat_rooms.user2_id = auth.uid())
    )
  );

create policy "chat_messages_insert_sender" on public.chat_messages
  for insert with check (
    auth.uid() = sender_id
    and exists (
      select 1
      from public.chat_rooms
      where chat_rooms.id = room_id
        and (chat_rooms.user1_id = auth.uid() or chat_rooms.user2_id = auth.uid())
    )
  );

create policy "receipts_insert_own" on public.message_receipts
  for insert with check (
    auth.uid() = user_id
    and exists (
      select 1
      from public.chat_messages
      join public.chat_rooms on chat_rooms.id = chat_messages.room_id
      where chat_messages.id = message_id
        and (chat_rooms.user1_id = auth.uid() or chat_rooms.user2_id = auth.uid())
    )
  );

create policy "receipts_update_own" on public.message_receipts
  for update using (auth.uid() = user_id);

create policy "devices_select_own" on public.user_devices
  for select using (auth.uid() = user_id);

create policy "devices_insert_own" on public.user_devices
  for insert with check (auth.uid() = user_id);

create policy "users_receive_thread_messages" on realtime.messages
  for select to authenticated using (
    topic like 'thread:%:messages'
    and exists (
      select 1
      from public.chat_rooms
      where topic = 'thread:' || chat_rooms.id::text || ':messages'
        and (chat_rooms.user1_id = auth.uid() or chat_rooms.user2_id = auth.uid())
    )
  );

grant select, insert, update on
  public.chat_rooms, public.chat_messages, public.message_receipts, public.user_devices,
  public.user_presence
  to authenticated;
