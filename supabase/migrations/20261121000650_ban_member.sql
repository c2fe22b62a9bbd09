-- ban_member and unban_member: out, and not back in, for a time or without end.

create function chat_private.ban_member(room_id uuid, user_id uuid, until timestamptz, reason text)
returns chat.bans
language plpgsql
volatile
-- definer: writes tables that nobody may write
security definer
set search_path = '', pg_temp
as $$
declare
  v_reason text := coalesce(chat_private.clean_line(ban_member.reason, 'reason', 500), '');
  -- Past the last year that clients can parse is without end.
  v_until timestamptz := case
    when ban_member.until < '9999-12-31 00:00:00+00' then ban_member.until
  end;
  v_room chat.rooms;
  v_active chat.rooms;
  v_me chat.room_members;
  v_ban chat.bans;
  v_is_member boolean;
begin
  if v_until <= clock_timestamp() then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'A ban ends in the future.',
      hint = 'Leave until out for one without end, or call unban_member.';
  end if;
  v_room := chat_private.lock_room(ban_member.room_id);
  v_me := chat_private.require_member(ban_member.room_id);
  v_active := v_room;
  v_active.archived_at := null;
  perform chat_private.require_right(v_active, v_me, 'moderator');
  if ban_member.user_id = v_me.user_id then
    raise exception using
      errcode = 'PT403',
      message = 'not_allowed',
      detail = 'Nobody bans themselves.',
      hint = 'Call leave_room.';
  end if;

  v_is_member := exists (
    select from chat.room_members as m
    where m.room_id = v_room.id and m.user_id = ban_member.user_id and m.left_at is null
  );
  if v_is_member then
    perform chat_private.require_target(v_room, v_me, ban_member.user_id);
  else
    -- Who has not come yet can be kept out as well.
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

  insert into chat.bans as b (room_id, user_id, until, reason, banned_by, rev)
  values (
    v_room.id, ban_member.user_id, v_until, v_reason,
    v_me.user_id, v_room.rev + 1
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

  if v_is_member then
    perform chat_private.end_membership(
      v_room, ban_member.user_id, v_me.user_id, 'member_banned', false, nullif(v_reason, '')
    );
    return v_ban;
  end if;

  perform chat_private.raise_epoch(v_room);
  return v_ban;
end;
$$;

create function chat_private.unban_member(room_id uuid, user_id uuid)
returns chat.bans
language plpgsql
volatile
-- definer: writes tables that nobody may write
security definer
set search_path = '', pg_temp
as $$
declare
  v_room chat.rooms;
  v_active chat.rooms;
  v_ban chat.bans;
begin
  v_room := chat_private.lock_room(unban_member.room_id);
  v_active := v_room;
  v_active.archived_at := null;
  perform chat_private.require_right(
    v_active, chat_private.require_member(unban_member.room_id), 'moderator'
  );

  select b.* into v_ban
  from chat.bans as b
  where b.room_id = v_room.id and b.user_id = unban_member.user_id;
  if not found then
    raise exception using
      errcode = 'PT404',
      message = 'user_not_found',
      detail = format('Nobody %s is banned from this room.', unban_member.user_id),
      hint = 'Check the id in the table bans.';
  end if;
  if v_ban.removed_at is not null then
    return v_ban;
  end if;

  update chat.bans as b
  set removed_at = clock_timestamp(), rev = v_room.rev + 1
  where b.room_id = v_room.id and b.user_id = v_ban.user_id
  returning b.* into v_ban;
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

A member is removed in the same step; nobody lets a banned person in again.

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
  user_not_found: there is nobody with that id in the tenant.$$;

comment on function chat.unban_member(uuid, uuid) is
  $$Lift a ban; it lets them come back and does not bring them back.

Args:
  room_id: a room the caller moderates.
  user_id: who was banned.

Returns:
  The ban, with removed_at; unchanged when it was lifted already.

Raises:
  sign_in_required: nobody is signed in.
  room_not_found: the room does not exist, or the caller is not in it.
  member_muted: the caller may only read.
  not_allowed: the caller is no moderator.
  user_not_found: nobody with that id was banned.$$;

revoke execute on function
  chat_private.ban_member(uuid, uuid, timestamptz, text),
  chat.ban_member(uuid, uuid, timestamptz, text),
  chat_private.unban_member(uuid, uuid), chat.unban_member(uuid, uuid)
  from public, anon, authenticated;
grant execute on function
  chat_private.ban_member(uuid, uuid, timestamptz, text),
  chat.ban_member(uuid, uuid, timestamptz, text),
  chat_private.unban_member(uuid, uuid), chat.unban_member(uuid, uuid)
  to authenticated;
