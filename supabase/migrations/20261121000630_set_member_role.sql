-- set_member_role: promotion, demotion, and handing a room over.

create function chat_private.set_member_role(room_id uuid, user_id uuid, role text)
returns chat.room_members
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
declare
  v_entry chat_private.entry;
  v_room chat.rooms;
  v_me chat.room_members;
  v_member chat.room_members;
begin
  if chat_private.role_rank(set_member_role.role) is null then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'A role is owner, admin, moderator, member or reader.',
      hint = 'Pass one of these.';
  end if;
  v_entry := chat_private.enter_room(set_member_role.room_id, null);
  v_room := v_entry.room;
  v_me := v_entry.me;
  -- People may lower their own role, and never raise it.
  if set_member_role.user_id = v_me.user_id and v_room.kind = 'group' then
    perform chat_private.require_right(v_room, v_me, set_member_role.role);
  else
    perform chat_private.require_right(v_room, v_me, 'admin');
    perform chat_private.require_target(v_me, set_member_role.user_id);
    perform chat_private.require_outranked(v_me, set_member_role.role);
  end if;

  select m.* into v_member
  from chat.room_members as m
  where m.room_id = v_room.id and m.user_id = set_member_role.user_id;
  if v_member.role = set_member_role.role then
    return v_member;
  end if;
  if v_member.role = 'owner' then
    perform chat_private.require_another_owner(v_room.id, v_member.user_id);
  end if;

  perform chat_private.spend(v_me.user_id, chat_private.events_in(v_room));
  perform chat_private.record_audit(
    'role_changed', v_room.tenant_id, v_room.id, v_member.user_id,
    jsonb_build_object('from', v_member.role, 'to', set_member_role.role)
  );
  update chat.room_members as m
  set role = set_member_role.role, rev = v_room.rev + 1
  where m.room_id = v_room.id and m.user_id = v_member.user_id
  returning m.* into v_member;
  perform chat_private.add_system_message(
    v_room.id, v_room.last_seq + 1, v_room.rev + 1, v_me.user_id,
    'made_' || set_member_role.role, array[v_member.user_id]
  );
  update chat.rooms as r
  set
    rev = v_room.rev + 1,
    last_seq = v_room.last_seq + 1,
    active_at = clock_timestamp(),
    touched = '{members,messages}'
  where r.id = v_room.id;
  return v_member;
end;
$$;

create function chat.set_member_role(room_id uuid, user_id uuid, role text)
returns chat.room_members
language sql
volatile
set search_path = '', pg_temp
return chat_private.set_member_role(room_id, user_id, role);

comment on function chat.set_member_role(uuid, uuid, text) is
  $$Change somebody's role in a group room.

Admins change people below them, to roles below their own. Owners change everybody, other owners
included; to hand a room over, make somebody owner and step down. Everybody may step down.

Price: as many as a small room has members, 1 in a large one.

Args:
  room_id: a room the caller administers.
  user_id: a member; the caller's own id steps down.
  role: owner, admin, moderator, member or reader.

Returns:
  Their membership; unchanged when the role is the same.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: there is no such role.
  room_not_found: the room does not exist, or the caller is not in it.
  room_archived: the room can only be read.
  member_muted: the caller may only read.
  not_allowed: the caller's role is too low for this, or it is a direct room.
  user_not_found: they are not in the room.
  last_owner: no other owner could act in the room.
  slow_down: too much at once; Retry-After tells the seconds.$$;

revoke execute on function
  chat_private.set_member_role(uuid, uuid, text), chat.set_member_role(uuid, uuid, text)
  from public, anon, authenticated;
grant execute on function
  chat_private.set_member_role(uuid, uuid, text), chat.set_member_role(uuid, uuid, text)
  to authenticated, service_role;
