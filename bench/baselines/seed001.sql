-- A chat that catches up by the id of the last message a device has received. It was described with
-- ids that are uuids; the same with ids that count is beside it.

create table public.uuid_messages (
  id uuid primary key default gen_random_uuid(),
  room_id uuid not null,
  user_id uuid not null,
  content text not null,
  created_at timestamptz not null default now()
);

create table public.counted_messages (
  id bigint generated always as identity primary key,
  room_id uuid not null,
  user_id uuid not null,
  content text not null,
  created_at timestamptz not null default now()
);

create index uuid_messages_by_room on public.uuid_messages (room_id, id);
create index counted_messages_by_room on public.counted_messages (room_id, id);
