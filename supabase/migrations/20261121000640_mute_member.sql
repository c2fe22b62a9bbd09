-- mute_member and unmute_member: a muted member may read and not write, for a time or without end.

create function chat_private.set_muted_until(room_id uuid, user_id uuid, until timestamptz)
returns chat.room_members
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_entry chat_private.entry;
  v_room chat.rooms;
  v_me chat.room_members;
  v_target chat.room_members;
begin
  v_entry := chat_private.enter_room(set_muted_until.room_id, 'moderator', true);
  v_room := v_entry.room;
  v_me := v_entry.me;
  v_target := chat_private.require_target(v_me, set_muted_until.user_id);
  if v_target.user_id = v_me.user_id and set_muted_until.until is not null then
    raise exception using
      errcode = 'PT403',
      message = 'not_allowed',
      detail = 'You cannot mute yourself.',
      hint = 'Step down with set_member_role, or leave the room.';
  end if;
  if v_target.muted_until is not distinct from set_muted_until.until then
    return v_target;
  end if;

  perform chat_private.spend(v_me.user_id, chat_private.events_in(v_room));
  update chat.room_members as m
  set muted_until = set_muted_until.until, rev = v_room.rev + 1
  where m.room_id = v_room.id and m.user_id = v_target.user_id
  returning m.* into v_target;
  perform chat_private.record_audit(
    case when v_target.muted_until is null then 'member_unmuted' else 'member_muted' end,
    v_room.tenant_id, v_room.id, v_target.user_id,
    jsonb_build_object('until', extract(epoch from v_target.muted_until))
  );
  update chat.rooms as r
  set rev = v_room.rev + 1, touched = '{members}'
  where r.id = v_room.id;
  return v_target;
end;
$$;

comment on function chat_private.set_muted_until(uuid, uuid, timestamptz) is
  'Mute a member until a time, or unmute them with null, on behalf of a moderator with a higher role.';

create function chat_private.mute_member(room_id uuid, user_id uuid, until timestamptz)
returns chat.room_members
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
begin
  if mute_member.until <= clock_timestamp() then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'The end of a mute must be in the future.',
      hint = 'Leave until out for a mute without end, or call unmute_member to lift one.';
  end if;
  -- Clients cannot parse infinity as a date, so a mute without end is stored as a day in 9999.
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
-- definer: API roles may not write these tables
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
  $$Mute somebody in a group room, so that they may read but not write.

Price: as many as a small room has members, 1 in a large one.

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
  not_allowed: the caller is no moderator, does not outrank them, or names themselves.
  user_not_found: they are not in the room.
  slow_down: too much at once; Retry-After tells the seconds.$$;

comment on function chat.unmute_member(uuid, uuid) is
  $$Lift a mute.

Price: as many as a small room has members, 1 in a large one.

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
  user_not_found: they are not in the room.
  slow_down: too much at once; Retry-After tells the seconds.$$;

revoke execute on function
  chat_private.set_muted_until(uuid, uuid, timestamptz),
  chat_private.mute_member(uuid, uuid, timestamptz), chat.mute_member(uuid, uuid, timestamptz),
  chat_private.unmute_member(uuid, uuid), chat.unmute_member(uuid, uuid)
  from public, anon, authenticated;
grant execute on function
  chat_private.mute_member(uuid, uuid, timestamptz), chat.mute_member(uuid, uuid, timestamptz),
  chat_private.unmute_member(uuid, uuid), chat.unmute_member(uuid, uuid)
  to authenticated, service_role;
