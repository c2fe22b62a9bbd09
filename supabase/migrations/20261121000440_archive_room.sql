-- archive_room and unarchive_room: a room that can only be read, and back.

-- One number fences everybody at once: nothing anybody does in the room gets a higher one until it
-- is undone. Leaving and being taken out still work.
create function chat_private.set_room_archived(room_id uuid, archived boolean)
returns chat.rooms
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_room chat.rooms;
  v_active chat.rooms;
begin
  v_room := chat_private.lock_room(set_room_archived.room_id);
  v_active := v_room;
  v_active.archived_at := null;
  perform chat_private.require_right(
    v_active, chat_private.require_member(set_room_archived.room_id), 'admin'
  );
  if (v_room.archived_at is not null) = set_room_archived.archived then
    return v_room;
  end if;

  update chat.rooms as r
  set
    archived_at = case when set_room_archived.archived then clock_timestamp() end,
    rev = v_room.rev + 1,
    changed_rev = v_room.rev + 1,
    touched = '{rooms}'
  where r.id = v_room.id
  returning r.* into v_room;
  return v_room;
end;
$$;

comment on function chat_private.set_room_archived(uuid, boolean) is
  'Archive or unarchive a room for one of its admins.';

create function chat_private.archive_room(room_id uuid)
returns chat.rooms
language plpgsql
volatile
-- definer: writes tables that nobody may write
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
-- definer: writes tables that nobody may write
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

Args:
  room_id: a room the caller administers.

Returns:
  The room; unchanged when it was archived already.

Raises:
  sign_in_required: nobody is signed in.
  room_not_found: the room does not exist, or the caller is not in it.
  member_muted: the caller may only read.
  not_allowed: the caller is no admin of it, or it is a direct room.$$;

comment on function chat.unarchive_room(uuid) is
  $$Open an archived room again.

Args:
  room_id: a room the caller administers.

Returns:
  The room; unchanged when it was open already.

Raises:
  sign_in_required: nobody is signed in.
  room_not_found: the room does not exist, or the caller is not in it.
  member_muted: the caller may only read.
  not_allowed: the caller is no admin of it, or it is a direct room.$$;

revoke execute on function
  chat_private.set_room_archived(uuid, boolean),
  chat_private.archive_room(uuid), chat.archive_room(uuid),
  chat_private.unarchive_room(uuid), chat.unarchive_room(uuid)
  from public, anon, authenticated;
grant execute on function
  chat_private.archive_room(uuid), chat.archive_room(uuid),
  chat_private.unarchive_room(uuid), chat.unarchive_room(uuid)
  to authenticated;
