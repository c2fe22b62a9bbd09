-- Rooms by name, for <RealtimeChat roomName="…">. Run it once, as postgres, after Parley's migrations.
--
-- Clients cannot write the table, so a name leads to the same room for good, whatever the room is called later.
create table public.named_rooms (
  name text primary key,
  room_id uuid not null unique references chat.rooms (id)
);

alter table public.named_rooms enable row level security;
revoke all on public.named_rooms from anon, authenticated;

-- Returns the room of this name, with the caller in it. The first person who asks opens it, and owns it.
create function public.open_room(name text)
returns uuid
language plpgsql
-- definer: API roles may not read or write the table
security definer
set search_path = '', pg_temp
as $$
declare
  v_room uuid := (select n.room_id from public.named_rooms as n where n.name = open_room.name);
begin
  if v_room is null then
    -- Two people who ask at once get one room: the second waits here, and looks again.
    perform pg_advisory_xact_lock(hashtextextended('open_room ' || open_room.name, 0));
    select n.room_id into v_room from public.named_rooms as n where n.name = open_room.name;
  end if;
  if v_room is null then
    v_room := (chat.create_room(open_room.name, is_public => true)).id;
    insert into public.named_rooms (name, room_id) values (open_room.name, v_room);
  end if;
  perform chat.join_room(v_room);
  return v_room;
end;
$$;

revoke execute on function public.open_room(text) from public, anon;
grant execute on function public.open_room(text) to authenticated;

notify pgrst, 'reload schema';
