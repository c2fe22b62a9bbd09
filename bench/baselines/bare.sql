-- The least that storing a message can cost: one row, one index, no rule.

create table public.bare_messages (
  id uuid primary key default gen_random_uuid(),
  room_id uuid not null,
  sender_id uuid not null,
  client_id uuid not null,
  body text not null,
  created_at timestamptz not null default clock_timestamp()
);

grant select, insert on public.bare_messages to authenticated;
