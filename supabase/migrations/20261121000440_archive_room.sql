-- archive_room and unarchive_room: a room that can only be read, and back.

-- After the number that archives a room, no call takes a higher one there until it is unarchived.
-- Only leaving and being removed still work.
create function chat_private.set_room_archived(room_id uuid, archived boolean)
returns chat.rooms
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_entry chat_private.entry;
  v_room chat.rooms;
  v_me chat.room_members;
begin
  v_entry := chat_private.enter_room(set_room_archived.room_id, 'admin', true);
  v_room := v_entry.room;
  v_me := v_entry.me;
  if (v_room.archived_at is not null) = set_room_archived.archived then
    return v_room;
  end if;
  -- The room counts as an open room of the person who created it, whoever unarchives it.
  if not set_room_archived.archived then
    perform chat_private.lock_users(array[v_room.created_by]);
    perform chat_private.require_room_left(v_room.created_by);
  end if;
  perform chat_private.spend(v_me.user_id, chat_private.events_in(v_room));

  update chat.rooms as r
  set
    archived_at = case when set_room_archived.archived then clock_timestamp() end,
    rev = v_room.rev + 1,
    changed_rev = v_room.rev + 1,
    touched = '{rooms}'
  where r.id = v_room.id
  returning r.* into v_room;
  perform chat_private.record_audit(
    case when set_room_archived.archived then 'room_archived' else 'room_unarchived' end,
    v_room.tenant_id, v_room.id, null
  );
  return v_room;
end;
$$;

comment on function chat_private.set_room_archived(uuid, boolean) is
  'Archive or unarchive a room for one of its admins.';

create function chat_private.archive_room(room_id uuid)
returns chat.rooms
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
begin
  return chat_private.set_room_archived(archive_room.room_id, true);
end;
$$;

create function chat_private.unarchive_room(room_id uuid)
returns chat.rooms
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
begin
  return chat_private.set_room_archived(unarchive_room.room_id, false);
end;
$$;

create function chat.archive_room(room_id uuid)
returns chat.rooms
language sql
volatile
set search_path = '', pg_temp
return chat_private.archive_room(room_id);

create function chat.unarchive_room(room_id uuid)
returns chat.rooms
language sql
volatile
set search_path = '', pg_temp
return chat_private.unarchive_room(room_id);

comment on function chat.archive_room(uuid) is
  $$Archive a group room, so that it can only be read.

Price: as many as a small room has members, 1 in a large one.

Args:
  room_id: a room the caller administers.

Returns:
  The room; unchanged when it was archived already.

Raises:
  sign_in_required: nobody is signed in.
  room_not_found: the room does not exist, or the caller is not in it.
  member_muted: the caller may only read.
  not_allowed: the caller is no admin of it, or it is a direct room.
  slow_down: too much at once; Retry-After tells the seconds.$$;

comment on function chat.unarchive_room(uuid) is
  $$Open an archived room again.

Price: as many as a small room has members, 1 in a large one.

Args:
  room_id: a room the caller administers.

Returns:
  The room; unchanged when it was open already.

Raises:
  sign_in_required: nobody is signed in.
  room_not_found: the room does not exist, or the caller is not in it.
  member_muted: the caller may only read.
  not_allowed: the caller is no admin of it, or it is a direct room.
  payload_too_large: the person who created it has too many open rooms.
  slow_down: too much at once; Retry-After tells the seconds.$$;

revoke execute on function
  chat_private.set_room_archived(uuid, boolean),
  chat_private.archive_room(uuid), chat.archive_room(uuid),
  chat_private.unarchive_room(uuid), chat.unarchive_room(uuid)
  from public, anon, authenticated;
grant execute on function
  chat_private.archive_room(uuid), chat.archive_room(uuid),
  chat_private.unarchive_room(uuid), chat.unarchive_room(uuid)
  to authenticated, service_role;
