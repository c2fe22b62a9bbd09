-- ban_member and unban_member: keep somebody out of a room, for a time or without end.

create function chat_private.write_ban(
  room chat.rooms,
  user_id uuid,
  until timestamptz,
  reason text,
  actor_id uuid
)
returns chat.bans
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_ban chat.bans;
begin
  insert into chat.bans as b (room_id, user_id, until, reason, banned_by, rev)
  values (
    (write_ban.room).id, write_ban.user_id, write_ban.until, write_ban.reason, write_ban.actor_id,
    (write_ban.room).rev + 1
  )
  on conflict on constraint bans_pkey do update
  set
    until = excluded.until,
    reason = excluded.reason,
    banned_by = excluded.banned_by,
    banned_at = excluded.banned_at,
    removed_at = null,
    rev = excluded.rev
  returning b.* into v_ban;
  return v_ban;
end;
$$;

comment on function chat_private.write_ban(chat.rooms, uuid, timestamptz, text, uuid) is
  $$Write that somebody is banned, in place of an earlier ban of theirs.

Args:
  room: the locked room; the caller raises its head.
  user_id: the person who is banned.
  until: when the ban ends; null is never.
  reason: why, for moderators; may be empty.
  actor_id: the person who did it.

Returns:
  The ban.$$;

create function chat_private.ban_member(room_id uuid, user_id uuid, until timestamptz, reason text)
returns chat.bans
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
declare
  v_reason text := coalesce(chat_private.clean_line(ban_member.reason, 'reason', 500), '');
  -- A time past the last year that clients can parse is stored as a ban without end.
  v_until timestamptz := case
    when ban_member.until < '9999-12-31 00:00:00+00' then ban_member.until
  end;
  v_entry chat_private.entry;
  v_room chat.rooms;
  v_me chat.room_members;
  v_ban chat.bans;
  v_is_member boolean;
begin
  if v_until <= clock_timestamp() then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'The end of a ban must be in the future.',
      hint = 'Leave until out for a ban without end, or call unban_member to lift one.';
  end if;
  v_entry := chat_private.enter_room(ban_member.room_id, 'moderator', true);
  v_room := v_entry.room;
  v_me := v_entry.me;
  if ban_member.user_id = v_me.user_id then
    raise exception using
      errcode = 'PT403',
      message = 'not_allowed',
      detail = 'You cannot ban yourself.',
      hint = 'Call leave_room to leave.';
  end if;

  v_is_member := exists (
    select from chat.room_members as m
    where m.room_id = v_room.id and m.user_id = ban_member.user_id and m.left_at is null
  );
  if v_is_member then
    perform chat_private.require_target(v_me, ban_member.user_id);
  else
    -- People who were never in the room can be banned as well.
    perform chat_private.require_people(v_room.tenant_id, array[ban_member.user_id]);
    select b.* into v_ban
    from chat.bans as b
    where b.room_id = v_room.id
      and b.user_id = ban_member.user_id
      and b.removed_at is null
      and b.until is not distinct from v_until
      and b.reason = v_reason;
    if found then
      return v_ban;
    end if;
  end if;

  v_ban := chat_private.write_ban(v_room, ban_member.user_id, v_until, v_reason, v_me.user_id);
  perform chat_private.record_audit(
    'member_banned', v_room.tenant_id, v_room.id, v_ban.user_id,
    jsonb_build_object('until', extract(epoch from v_ban.until), 'was_member', v_is_member)
  );

  if v_is_member then
    perform chat_private.end_membership(
      v_room, ban_member.user_id, v_me.user_id, 'member_banned', false, nullif(v_reason, '')
    );
    return v_ban;
  end if;

  perform chat_private.spend(v_me.user_id, chat_private.events_in(v_room));
  perform chat_private.raise_epoch(v_room);
  return v_ban;
end;
$$;

create function chat_private.unban_member(room_id uuid, user_id uuid)
returns chat.bans
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
  v_ban chat.bans;
begin
  v_entry := chat_private.enter_room(unban_member.room_id, 'moderator', true);
  v_room := v_entry.room;
  v_me := v_entry.me;

  select b.* into v_ban
  from chat.bans as b
  where b.room_id = v_room.id and b.user_id = unban_member.user_id;
  if not found then
    raise exception using
      errcode = 'PT404',
      message = 'user_not_found',
      detail = format('%s is not banned from this room.', unban_member.user_id),
      hint = 'Check the id in the table bans.';
  end if;
  if v_ban.removed_at is not null then
    return v_ban;
  end if;

  perform chat_private.spend(v_me.user_id, chat_private.events_in(v_room));
  update chat.bans as b
  set removed_at = clock_timestamp(), rev = v_room.rev + 1
  where b.room_id = v_room.id and b.user_id = v_ban.user_id
  returning b.* into v_ban;
  perform chat_private.record_audit(
    'member_unbanned', v_room.tenant_id, v_room.id, v_ban.user_id
  );
  update chat.rooms as r
  set rev = v_room.rev + 1, touched = '{}'
  where r.id = v_room.id;
  return v_ban;
end;
$$;

create function chat.ban_member(
  room_id uuid,
  user_id uuid,
  until timestamptz default null,
  reason text default null
)
returns chat.bans
language sql
volatile
set search_path = '', pg_temp
return chat_private.ban_member(room_id, user_id, until, reason);

create function chat.unban_member(room_id uuid, user_id uuid)
returns chat.bans
language sql
volatile
set search_path = '', pg_temp
return chat_private.unban_member(room_id, user_id);

comment on function chat.ban_member(uuid, uuid, timestamptz, text) is
  $$Ban somebody from a group room, whether they are in it or not.

A member is removed in the same step. Nobody can let them in again while the ban holds.

Price: as many as a small room has members, 1 in a large one.

Args:
  room_id: a room the caller moderates.
  user_id: somebody in the room's tenant; a member must be below the caller's role.
  until: when it ends by itself; left out, it does not.
  reason: up to 500 characters, for moderators and a member who is removed by it.

Returns:
  The ban; unchanged when it is the same as before.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: until has passed, or the reason holds control characters.
  room_not_found: the room does not exist, or the caller is not in it.
  member_muted: the caller may only read.
  not_allowed: the caller is no moderator, does not outrank them, or names themselves.
  user_not_found: there is nobody with that id in the tenant.
  slow_down: too much at once; Retry-After tells the seconds.$$;

comment on function chat.unban_member(uuid, uuid) is
  $$Lift a ban; it lets them come back and does not bring them back.

Price: as many as a small room has members, 1 in a large one.

Args:
  room_id: a room the caller moderates.
  user_id: the person whose ban is lifted.

Returns:
  The ban, with removed_at; unchanged when it was lifted already.

Raises:
  sign_in_required: nobody is signed in.
  room_not_found: the room does not exist, or the caller is not in it.
  member_muted: the caller may only read.
  not_allowed: the caller is no moderator.
  user_not_found: nobody with that id was banned.
  slow_down: too much at once; Retry-After tells the seconds.$$;

revoke execute on function
  chat_private.write_ban(chat.rooms, uuid, timestamptz, text, uuid),
  chat_private.ban_member(uuid, uuid, timestamptz, text),
  chat.ban_member(uuid, uuid, timestamptz, text),
  chat_private.unban_member(uuid, uuid), chat.unban_member(uuid, uuid)
  from public, anon, authenticated;
grant execute on function
  chat_private.ban_member(uuid, uuid, timestamptz, text),
  chat.ban_member(uuid, uuid, timestamptz, text),
  chat_private.unban_member(uuid, uuid), chat.unban_member(uuid, uuid)
  to authenticated, service_role;
