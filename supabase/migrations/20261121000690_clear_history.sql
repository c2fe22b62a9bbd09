-- clear_history: begin a room anew, for oneself alone.

-- A number of the person's own stream and none of the room: nobody else learns of it. Whatever
-- reads a room asks visible_after(), so what was cleared is there for nobody but the others; copies
-- drop it with the row that says so. (rooms.newest_visible_after stays as it is, because it takes
-- the rows out of everybody's steps.)
create function chat_private.clear_history(room_id uuid)
returns chat.room_preferences
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
declare
  v_me chat.room_members := chat_private.require_member(clear_history.room_id);
  v_last_seq bigint;
  v_preferences chat.room_preferences;
begin
  perform chat_private.lock_users(array[v_me.user_id]);
  select r.last_seq into v_last_seq from chat.rooms as r where r.id = v_me.room_id;
  if v_last_seq <= chat_private.readable_after(v_me) then
    return chat_private.preferences_of(v_me);
  end if;

  perform chat_private.spend(v_me.user_id, 1);
  insert into chat.room_preferences as p (user_id, room_id, cleared_seq, rev)
  select v_me.user_id, v_me.room_id, v_last_seq, s.rev + 1
  from chat_private.user_streams as s
  where s.user_id = v_me.user_id
  on conflict on constraint room_preferences_pkey do update
  set cleared_seq = excluded.cleared_seq, rev = excluded.rev
  returning p.* into v_preferences;
  perform chat_private.bump_users(array[v_me.user_id], '{preferences}');
  return v_preferences;
end;
$$;

create function chat.clear_history(room_id uuid)
returns chat.room_preferences
language sql
volatile
set search_path = '', pg_temp
return chat_private.clear_history(room_id);

comment on function chat.clear_history(uuid) is
  $$Clear what was said in a room so far, for the caller alone.

The caller does not see these messages any more, on no device, and neither finds nor counts them; the
notifications about them are over. The others see no difference, and what is said from now on is there
as always. It cannot be taken back. Clients drop what is at or below cleared_seq by themselves.

Price: 1.

Args:
  room_id: a room the caller is in.

Returns:
  The preferences with cleared_seq, the newest message; unchanged when there was nothing to see.

Raises:
  sign_in_required: nobody is signed in.
  room_not_found: the room does not exist, or the caller is not in it.
  slow_down: too much at once; Retry-After tells the seconds.$$;

revoke execute on function
  chat_private.clear_history(uuid), chat.clear_history(uuid)
  from public, anon, authenticated;
grant execute on function
  chat_private.clear_history(uuid), chat.clear_history(uuid)
  to authenticated, service_role;
