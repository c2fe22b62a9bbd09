-- update_room: change what a room is called and how it behaves.

create function chat_private.update_room(
  room_id uuid,
  name text,
  topic text,
  slow_mode_seconds integer,
  retain_days integer,
  history text,
  default_role text,
  metadata jsonb
)
returns chat.rooms
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
declare
  v_name text := chat_private.clean_line(update_room.name, 'room name', 120);
  v_topic text := chat_private.clean_line(update_room.topic, 'topic', 500);
  v_entry chat_private.entry;
  v_room chat.rooms;
  v_me chat.room_members;
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
      detail = 'A name must not be empty, slow mode is at most 86,400 s, retention at most 36,500 days, '
        'history is all or since_join, default_role is member or reader.',
      hint = 'Leave out what should stay as it is.';
  end if;
  perform chat_private.refuse(chat_private.refusal_by_metadata(update_room.metadata));
  v_entry := chat_private.enter_room(update_room.room_id, 'admin');
  v_room := v_entry.room;
  v_me := v_entry.me;

  v_new := v_room;
  v_new.name := coalesce(v_name, v_room.name);
  v_new.topic := coalesce(v_topic, v_room.topic);
  v_new.slow_mode_seconds := coalesce(update_room.slow_mode_seconds, v_room.slow_mode_seconds);
  v_new.retain_days := nullif(coalesce(update_room.retain_days, v_room.retain_days), 0);
  v_new.history := coalesce(update_room.history, v_room.history);
  v_new.default_role := coalesce(update_room.default_role, v_room.default_role);
  v_new.metadata := coalesce(update_room.metadata, v_room.metadata);
  if v_new is not distinct from v_room then
    return v_room;
  end if;

  if v_room.slow_mode_seconds = 0 and v_new.slow_mode_seconds > 0 then
    perform chat_private.begin_slow_mode(v_room.id);
  end if;
  perform chat_private.spend(v_me.user_id, chat_private.events_in(v_room));
  perform chat_private.record_audit(
    'room_changed', v_room.tenant_id, v_room.id, null,
    chat_private.changed_values(to_jsonb(v_room), to_jsonb(v_new))
  );

  update chat.rooms as r
  set
    name = v_new.name,
    topic = v_new.topic,
    slow_mode_seconds = v_new.slow_mode_seconds,
    retain_days = v_new.retain_days,
    history = v_new.history,
    default_role = v_new.default_role,
    metadata = v_new.metadata,
    -- The new epoch keeps people who join from now on from replaying earlier steps with their rows.
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
  default_role text default null,
  metadata jsonb default null
)
returns chat.rooms
language sql
volatile
set search_path = '', pg_temp
return chat_private.update_room(
  room_id, name, topic, slow_mode_seconds, retain_days, history, default_role, metadata
);

comment on function chat.update_room(uuid, text, text, integer, integer, text, text, jsonb) is
  $$Change a group room; arguments that are left out or null change nothing.

Price: as many as a small room has members, 1 in a large one.

Args:
  room_id: a room the caller administers.
  name: 1 to 120 characters.
  topic: up to 500 characters; '' clears it.
  slow_mode_seconds: up to 86,400 between two messages, or edits, of one person below moderator; 0
    switches it off. Whatever it was before, the next message may come so long after the last; where
    it was off, that one counts if it is among the newest 10,000 messages and edits of the room.
  retain_days: up to 36,500, how many days messages are kept; 0 is as long as the tenant says. They go in the
    night after.
  history: all or since_join; applies to people who join from now on.
  default_role: member or reader; applies to people who join from now on.
  metadata: an object of the app's own, up to 4 KB; {} clears it.

Returns:
  The room.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: a value is not as described.
  payload_too_large: the metadata take more than 4 KB.
  room_not_found: the room does not exist, or the caller is not in it.
  room_archived: the room can only be read.
  member_muted: the caller may only read.
  not_allowed: the caller is no admin of it, or it is a direct room.
  slow_down: too much at once; Retry-After tells the seconds.$$;

revoke execute on function
  chat_private.update_room(uuid, text, text, integer, integer, text, text, jsonb),
  chat.update_room(uuid, text, text, integer, integer, text, text, jsonb)
  from public, anon, authenticated;
grant execute on function
  chat_private.update_room(uuid, text, text, integer, integer, text, text, jsonb),
  chat.update_room(uuid, text, text, integer, integer, text, text, jsonb)
  to authenticated, service_role;
