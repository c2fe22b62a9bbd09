-- join_room and leave_room: what people do with their own membership.

-- The rule that lets people join a room also lets them see it, so any other room is "not found".
create function chat_private.join_room(room_id uuid)
returns chat.room_members
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
declare
  v_me uuid := chat_private.current_user_id();
  v_room chat.rooms;
  v_member chat.room_members;
begin
  perform chat_private.require_joinable(join_room.room_id);
  perform chat_private.hold_tenant_places(
    (select r.tenant_id from chat.rooms as r where r.id = join_room.room_id), array[v_me]
  );
  select r.* into v_room
  from chat.rooms as r
  where r.id = join_room.room_id
  for no key update;
  perform chat_private.require_joinable(join_room.room_id);

  select m.* into v_member
  from chat.room_members as m
  where m.room_id = v_room.id and m.user_id = v_me;
  if v_member.user_id is not null and v_member.left_at is null then
    return v_member;
  end if;
  if v_room.archived_at is not null then
    raise exception using
      errcode = 'PT423',
      message = 'room_archived',
      detail = 'The room is archived and takes nobody in.',
      hint = 'Ask an admin of the room to unarchive it.';
  end if;

  return chat_private.begin_membership(
    v_room, v_me, v_room.default_role, null, v_me, 'member_joined'
  );
end;
$$;

create function chat_private.require_joinable(room_id uuid)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if chat_private.visible_after(require_joinable.room_id) is null and not exists (
    select from chat.rooms as r
    where r.id = require_joinable.room_id
      and chat_private.may_see_room(r.id, r.tenant_id, r.is_public)
  ) then
    perform chat_private.current_user_id();
    raise exception using
      errcode = 'PT404',
      message = 'room_not_found',
      detail = format('There is no room %s that you could join.', require_joinable.room_id),
      hint = 'Check its id, or ask a member for an invite.';
  end if;
end;
$$;

comment on function chat_private.require_joinable(uuid) is
  $$Refuse a room that the caller is not in and could not join.

Raises:
  room_not_found: it is absent, private, in another tenant, or has banned the caller.$$;

create function chat_private.leave_room(room_id uuid)
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
begin
  v_entry := chat_private.enter_room(leave_room.room_id, null);
  v_room := v_entry.room;
  v_me := v_entry.me;
  if v_room.kind = 'direct' then
    raise exception using
      errcode = 'PT403',
      message = 'not_allowed',
      detail = 'A direct room belongs to two people for good.',
      hint = 'To put it away, archive it for yourself with set_room_preferences.';
  end if;
  -- Closed accounts that maintenance has not taken out yet do not count as members here.
  if v_me.role = 'owner' and exists (
    select from chat.room_members as m
    join chat.profiles as p on p.user_id = m.user_id and p.closed_at is null
    where m.room_id = v_room.id and m.user_id <> v_me.user_id and m.left_at is null
  ) then
    perform chat_private.require_another_owner(v_room.id, v_me.user_id);
  end if;

  return chat_private.end_membership(
    v_room, v_me.user_id, v_me.user_id, 'member_left', true
  );
end;
$$;

create function chat.join_room(room_id uuid)
returns chat.room_members
language sql
volatile
set search_path = '', pg_temp
return chat_private.join_room(room_id);

create function chat.leave_room(room_id uuid)
returns chat.room_members
language sql
volatile
set search_path = '', pg_temp
return chat_private.leave_room(room_id);

comment on function chat.join_room(uuid) is
  $$Join a public room of a tenant the caller is in.

Price: as many as a small room has members, 1 in a large one.

Args:
  room_id: a public room.

Returns:
  The caller's membership, with the room's default role; unchanged if they were in already.

Raises:
  sign_in_required: nobody is signed in.
  room_not_found: it is absent, private, in another tenant, or has banned the caller.
  room_archived: the room is archived and cannot be joined.
  slow_down: too much at once; Retry-After tells the seconds.$$;

comment on function chat.leave_room(uuid) is
  $$Leave a group room.

The caller loses sight of everything in it except the own membership row.

Price: as many as a small room has members, 1 in a large one.

Args:
  room_id: a room the caller is in.

Returns:
  The ended membership.

Raises:
  sign_in_required: nobody is signed in.
  room_not_found: the room does not exist, or the caller is not in it.
  not_allowed: it is a direct room.
  last_owner: others are in it, and no other owner can act in it.
  slow_down: too much at once; Retry-After tells the seconds.$$;

revoke execute on function
  chat_private.require_joinable(uuid),
  chat_private.join_room(uuid), chat.join_room(uuid),
  chat_private.leave_room(uuid), chat.leave_room(uuid)
  from public, anon, authenticated;
grant execute on function
  chat_private.join_room(uuid), chat.join_room(uuid),
  chat_private.leave_room(uuid), chat.leave_room(uuid)
  to authenticated, service_role;
