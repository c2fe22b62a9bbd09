-- update_room: change what a room is called and how it behaves.

create function chat_private.update_room(
  room_id uuid,
  name text,
  topic text,
  slow_mode_seconds integer,
  retain_days integer,
  history text,
  default_role text
)
returns chat.rooms
language plpgsql
volatile
-- definer: writes tables that nobody may write
security definer
set search_path = '', pg_temp
as $$
declare
  v_name text := chat_private.clean_line(update_room.name, 'room name', 120);
  v_topic text := chat_private.clean_line(update_room.topic, 'topic', 500);
  v_room chat.rooms;
  v_new chat.rooms;
begin
  if v_name = ''
    or update_room.slow_mode_seconds not between 0 and 86400
    or update_room.retain_days not between 0 and 36500
    or update_room.history not in ('all', 'since_join')
    or update_room.default_role not in ('member', 'reader')
  then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'A name is not empty, slow mode takes up to 86,400 s and retention up to 36,500 days, '
        'history is all or since_join, default_role is member or reader.',
      hint = 'Leave out what should stay as it is.';
  end if;
  v_room := chat_private.lock_room(update_room.room_id);
  perform chat_private.require_right(
    v_room, chat_private.require_member(update_room.room_id), 'admin'
  );

  v_new := v_room;
  v_new.name := coalesce(v_name, v_room.name);
  v_new.topic := coalesce(v_topic, v_room.topic);
  v_new.slow_mode_seconds := coalesce(update_room.slow_mode_seconds, v_room.slow_mode_seconds);
  v_new.retain_days := nullif(coalesce(update_room.retain_days, v_room.retain_days), 0);
  v_new.history := coalesce(update_room.history, v_room.history);
  v_new.default_role := coalesce(update_room.default_role, v_room.default_role);
  if v_new is not distinct from v_room then
    return v_room;
  end if;

  update chat.rooms as r
  set
    name = v_new.name,
    topic = v_new.topic,
    slow_mode_seconds = v_new.slow_mode_seconds,
    retain_days = v_new.retain_days,
    history = v_new.history,
    default_role = v_new.default_role,
    -- What was announced with rows so far must not be replayed by who joins from now on.
    epoch = r.epoch + (v_new.history = 'since_join' and v_room.history = 'all')::integer,
    rev = v_room.rev + 1,
    changed_rev = v_room.rev + 1,
    touched = '{rooms}'
  where r.id = v_room.id
  returning r.* into v_room;
  return v_room;
end;
$$;

create function chat.update_room(
  room_id uuid,
  name text default null,
  topic text default null,
  slow_mode_seconds integer default null,
  retain_days integer default null,
  history text default null,
  default_role text default null
)
returns chat.rooms
language sql
volatile
set search_path = '', pg_temp
return chat_private.update_room(
  room_id, name, topic, slow_mode_seconds, retain_days, history, default_role
);

comment on function chat.update_room(uuid, text, text, integer, integer, text, text) is
  $$Change a group room; what is left out or null stays as it is.

Args:
  room_id: a room the caller administers.
  name: 1 to 120 characters.
  topic: up to 500 characters; '' clears it.
  slow_mode_seconds: between two messages of one person; 0 switches it off.
  retain_days: how long messages are kept; 0 keeps them for good.
  history: all or since_join; counts for who joins from now on.
  default_role: member or reader; counts for who joins from now on.

Returns:
  The room.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: a value is not as described.
  room_not_found: the room does not exist, or the caller is not in it.
  room_archived: the room can only be read.
  member_muted: the caller may only read.
  not_allowed: the caller is no admin of it, or it is a direct room.$$;

revoke execute on function
  chat_private.update_room(uuid, text, text, integer, integer, text, text),
  chat.update_room(uuid, text, text, integer, integer, text, text)
  from public, anon, authenticated;
grant execute on function
  chat_private.update_room(uuid, text, text, integer, integer, text, text),
  chat.update_room(uuid, text, text, integer, integer, text, text)
  to authenticated;
