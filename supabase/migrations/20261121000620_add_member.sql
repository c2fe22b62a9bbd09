-- add_member and remove_member: what moderators do with the memberships of others.

create function chat_private.add_member(room_id uuid, user_id uuid, role text, label text)
returns chat.room_members
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
declare
  v_label text := nullif(chat_private.clean_line(add_member.label, 'label', 40), '');
  v_entry chat_private.entry;
  v_room chat.rooms;
  v_me chat.room_members;
  v_member chat.room_members;
begin
  if chat_private.role_rank(add_member.role) is null then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'A role is owner, admin, moderator, member or reader.',
      hint = 'Pass one of these, or leave it out to add a member.';
  end if;
  perform chat_private.require_member(add_member.room_id);
  perform chat_private.hold_tenant_places(
    (select r.tenant_id from chat.rooms as r where r.id = add_member.room_id),
    array[add_member.user_id]
  );
  v_entry := chat_private.enter_room(add_member.room_id, 'moderator');
  v_room := v_entry.room;
  v_me := v_entry.me;
  perform chat_private.require_outranked(v_me, add_member.role);
  perform chat_private.require_people(v_room.tenant_id, array[add_member.user_id], v_me.user_id);

  select m.* into v_member
  from chat.room_members as m
  where m.room_id = v_room.id and m.user_id = add_member.user_id and m.left_at is null;
  if found then
    return v_member;
  end if;
  if chat_private.is_banned(v_room.id, add_member.user_id) then
    raise exception using
      errcode = 'PT403',
      message = 'not_allowed',
      detail = 'This person is banned from the room.',
      hint = 'Lift the ban with unban_member first.';
  end if;

  return chat_private.begin_membership(
    v_room, add_member.user_id, add_member.role, v_label, v_me.user_id, 'member_added'
  );
end;
$$;

create function chat_private.remove_member(room_id uuid, user_id uuid, reason text)
returns chat.room_members
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
declare
  v_reason text := nullif(chat_private.clean_line(remove_member.reason, 'reason', 500), '');
  v_entry chat_private.entry;
begin
  if remove_member.user_id = chat_private.acting_user_id() then
    return chat_private.leave_room(remove_member.room_id);
  end if;
  -- People can be removed from an archived room too.
  v_entry := chat_private.enter_room(remove_member.room_id, 'moderator', true);
  perform chat_private.require_target(v_entry.me, remove_member.user_id);

  perform chat_private.record_audit(
    'member_removed', (v_entry.room).tenant_id, (v_entry.room).id, remove_member.user_id
  );
  return chat_private.end_membership(
    v_entry.room, remove_member.user_id, (v_entry.me).user_id, 'member_removed', true, v_reason
  );
end;
$$;

create function chat.add_member(
  room_id uuid,
  user_id uuid,
  role text default 'member',
  label text default null
)
returns chat.room_members
language sql
volatile
set search_path = '', pg_temp
return chat_private.add_member(room_id, user_id, role, label);

create function chat.remove_member(room_id uuid, user_id uuid, reason text default null)
returns chat.room_members
language sql
volatile
set search_path = '', pg_temp
return chat_private.remove_member(room_id, user_id, reason);

comment on function chat.add_member(uuid, uuid, text, text) is
  $$Add somebody of the tenant to a group room.

Price: 20, and as many as a small room has members, 1 in a large one.

Args:
  room_id: a room the caller moderates.
  user_id: somebody in the room's tenant.
  role: below the caller's own; owners may add owners.
  label: any word of the app, up to 40 characters, for example guide.

Returns:
  Their membership; unchanged if they were in already.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: the role is unknown or the label is not a word.
  room_not_found: the room does not exist, or the caller is not in it.
  room_archived: the room is archived and cannot be joined.
  member_muted: the caller may only read.
  not_allowed: the caller is no moderator or gives too high a role, or they are banned.
  user_not_found: there is nobody with that id in the tenant, or one has blocked the other.
  slow_down: too much at once; Retry-After tells the seconds.$$;

comment on function chat.remove_member(uuid, uuid, text) is
  $$Remove somebody from a group room.

From this number on they get nothing of the room, not even over an open socket.

Price: as many as a small room has members, 1 in a large one.

Args:
  room_id: a room the caller moderates.
  user_id: a member below the caller's role; the caller's own id leaves the room.
  reason: up to 500 characters, for moderators and the person who is removed.

Returns:
  The ended membership.

Raises:
  sign_in_required: nobody is signed in.
  room_not_found: the room does not exist, or the caller is not in it.
  member_muted: the caller may only read.
  not_allowed: the caller is no moderator, or does not outrank them.
  user_not_found: they are not in the room.
  last_owner: the caller leaves as the last owner.
  invalid_input: the reason holds control characters.
  slow_down: too much at once; Retry-After tells the seconds.$$;

revoke execute on function
  chat_private.add_member(uuid, uuid, text, text), chat.add_member(uuid, uuid, text, text),
  chat_private.remove_member(uuid, uuid, text), chat.remove_member(uuid, uuid, text)
  from public, anon, authenticated;
grant execute on function
  chat_private.add_member(uuid, uuid, text, text), chat.add_member(uuid, uuid, text, text),
  chat_private.remove_member(uuid, uuid, text), chat.remove_member(uuid, uuid, text)
  to authenticated, service_role;
