-- Retention and restores: the two things that take numbers away, and how clients notice.

-- Physical deletes happen here and nowhere else. The floor is a numbered change of the room, and a
-- cursor from below it starts over.
create function chat_private.purge_messages(room_id uuid, up_to_seq bigint)
returns bigint
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_room chat.rooms;
  v_floor bigint;
begin
  select r.* into v_room
  from chat.rooms as r
  where r.id = purge_messages.room_id
  for no key update;
  v_floor := least(coalesce(purge_messages.up_to_seq, 0), v_room.last_seq);
  if v_room.id is null or v_floor <= v_room.floor_seq then
    return 0;
  end if;

  delete from chat.messages as m where m.room_id = v_room.id and m.seq <= v_floor;
  delete from chat_private.message_search as s where s.room_id = v_room.id and s.seq <= v_floor;
  delete from chat.receipts as c where c.room_id = v_room.id and c.up_to_seq <= v_floor;
  -- Replay reads what was broadcast for three days; purged words must not come back that way.
  delete from realtime.messages as e
  where e.payload ->> 'room_id' = v_room.id::text
    and chat_private.lowest_seq(e.payload -> 'rows') <= v_floor;

  update chat.rooms as r
  set
    rev = v_room.rev + 1,
    changed_rev = v_room.rev + 1,
    floor_rev = v_room.rev + 1,
    floor_seq = v_floor,
    touched = '{rooms}'
  where r.id = v_room.id;
  return v_floor - v_room.floor_seq;
end;
$$;

comment on function chat_private.purge_messages(uuid, bigint) is
  $$Remove the oldest messages of a room for good.

Args:
  room_id: the room.
  up_to_seq: the last message to go.

Returns:
  How many went.$$;

-- A restored database gives out numbers again that clients have seen with other content. Nobody
-- inside can notice that, so it is a step of every restore.
create function chat_private.start_timeline()
returns text
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  update chat_private.settings as s set timeline_salt = gen_random_uuid();
  return chat_private.timeline();
end;
$$;

comment on function chat_private.start_timeline() is
  $$Begin a new history: a step of every restore, before clients come back.

Returns:
  The new timeline; clients that hold another one compare checksums and fetch what differs.$$;

revoke execute on function
  chat_private.purge_messages(uuid, bigint), chat_private.start_timeline()
  from public, anon, authenticated;
