-- mute_member and unmute_member: somebody may read and not act, for a time or without end.

create function chat_private.set_muted_until(room_id uuid, user_id uuid, until timestamptz)
returns chat.room_members
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_room chat.rooms;
  v_target chat.room_members;
begin
  v_room := chat_private.lock_room(set_muted_until.room_id);
  v_target := chat_private.require_target(
    v_room, chat_private.require_member(set_muted_until.room_id), set_muted_until.user_id
  );
  if v_target.muted_until is not distinct from set_muted_until.until then
    return v_target;
  end if;

  update chat.room_members as m
  set muted_until = set_muted_until.until, rev = v_room.rev + 1
  where m.room_id = v_room.id and m.user_id = v_target.user_id
  returning m.* into v_target;
  update chat.rooms as r
  set rev = v_room.rev + 1, touched = '{members}'
  where r.id = v_room.id;
  return v_target;
end;
$$;

comment on function chat_private.set_muted_until(uuid, uuid, timestamptz) is
  'Mute somebody until then, or unmute them with null, for a moderator who outranks them.';

create function chat_private.mute_member(room_id uuid, user_id uuid, until timestamptz)
returns chat.room_members
language plpgsql
volatile
-- definer: writes tables that nobody may write
security definer
set search_path = '', pg_temp
as $$
begin
  if mute_member.until <= clock_timestamp() then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'A mute ends in the future.',
      hint = 'Leave until out for one without end, or call unmute_member.';
  end if;
  -- A far day instead of infinity, which no client can parse as a date.
  return chat_private.set_muted_until(
    mute_member.room_id, mute_member.user_id,
    least(coalesce(mute_member.until, 'infinity'), '9999-12-31 00:00:00+00')
  );
end;
$$;

create function chat_private.unmute_member(room_id uuid, user_id uuid)
returns chat.room_members
language plpgsql
volatile
-- definer: writes tables that nobody may write
security definer
set search_path = '', pg_temp
as $$
begin
  return chat_private.set_muted_until(unmute_member.room_id, unmute_member.user_id, null);
end;
$$;

create function chat.mute_member(room_id uuid, user_id uuid, until timestamptz default null)
returns chat.room_members
language sql
volatile
set search_path = '', pg_temp
return chat_private.mute_member(room_id, user_id, until);

create function chat.unmute_member(room_id uuid, user_id uuid)
returns chat.room_members
language sql
volatile
set search_path = '', pg_temp
return chat_private.unmute_member(room_id, user_id);

comment on function chat.mute_member(uuid, uuid, timestamptz) is
  $$Mute somebody in a group room: they may read, and nothing else.

Args:
  room_id: a room the caller moderates.
  user_id: a member below the caller's role.
  until: when it ends; left out, it does not.

Returns:
  Their membership, with muted_until.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: until has passed.
  room_not_found: the room does not exist, or the caller is not in it.
  member_muted: the caller may only read.
  not_allowed: the caller is no moderator, or does not outrank them.
  user_not_found: they are not in the room.$$;

comment on function chat.unmute_member(uuid, uuid) is
  $$Lift a mute.

Args:
  room_id: a room the caller moderates.
  user_id: a member below the caller's role.

Returns:
  Their membership; unchanged when they were not muted.

Raises:
  sign_in_required: nobody is signed in.
  room_not_found: the room does not exist, or the caller is not in it.
  member_muted: the caller may only read.
  not_allowed: the caller is no moderator, or does not outrank them.
  user_not_found: they are not in the room.$$;

revoke execute on function
  chat_private.set_muted_until(uuid, uuid, timestamptz),
  chat_private.mute_member(uuid, uuid, timestamptz), chat.mute_member(uuid, uuid, timestamptz),
  chat_private.unmute_member(uuid, uuid), chat.unmute_member(uuid, uuid)
  from public, anon, authenticated;
grant execute on function
  chat_private.mute_member(uuid, uuid, timestamptz), chat.mute_member(uuid, uuid, timestamptz),
  chat_private.unmute_member(uuid, uuid), chat.unmute_member(uuid, uuid)
  to authenticated;
