-- Invites: a secret that lets a number of people in, for a time.

create table chat.invites (
  room_id uuid not null references chat.rooms (id),
  id uuid not null default gen_random_uuid(),
  max_uses integer not null,
  used_count integer not null default 0,
  expires_at timestamptz not null,
  created_by uuid not null,
  created_at timestamptz not null default now(),
  removed_at timestamptz,
  rev bigint not null,
  primary key (room_id, id),
  constraint uses_are_counted check (used_count between 0 and max_uses),
  constraint max_uses_is_bounded check (max_uses between 1 and 100000)
);

comment on table chat.invites is 'Ways into a room that moderators have opened.';
comment on column chat.invites.removed_at is 'When it was revoked.';

-- The token itself is shown once and stored nowhere.
create table chat_private.invite_tokens (
  token_hash bytea primary key,
  room_id uuid not null,
  invite_id uuid not null,
  foreign key (room_id, invite_id) references chat.invites (room_id, id)
);

comment on table chat_private.invite_tokens is 'Which invite a token opens.';

create index invites_open on chat.invites (room_id, expires_at)
  where removed_at is null and used_count < max_uses;
create index invite_tokens_by_invite on chat_private.invite_tokens (room_id, invite_id);

create function chat_private.create_invite(room_id uuid, max_uses integer, expires_in interval)
returns chat.new_invite
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
declare
  -- A token has 244 random bits and cannot be guessed, so storing a plain hash of it is enough.
  v_token text := replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');
  v_entry chat_private.entry;
  v_room chat.rooms;
  v_me chat.room_members;
  v_most integer;
  v_invite_id uuid;
begin
  if create_invite.max_uses is null
    or create_invite.max_uses not between 1 and 100000
    or create_invite.expires_in is null
    or create_invite.expires_in not between interval '1 second' and interval '366 days'
  then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'An invite is used 1 to 100,000 times within 1 second to 366 days.',
      hint = 'Leave both out for one use within 7 days.';
  end if;
  v_entry := chat_private.enter_room(create_invite.room_id, 'moderator');
  v_room := v_entry.room;
  v_me := v_entry.me;
  select s.open_invites_per_room into strict v_most from chat_private.settings as s;
  if v_most <= (
    select count(*)
    from (
      select
      from chat.invites as i
      where i.room_id = v_room.id
        and i.removed_at is null
        and i.used_count < i.max_uses
        and i.expires_at > clock_timestamp()
      limit v_most
    ) as open_invite
  ) then
    raise exception using
      errcode = 'PT413',
      message = 'payload_too_large',
      detail = format('A room has at most %s invites that can still be used.', v_most),
      hint = 'Revoke some with revoke_invite, or make one for more people.';
  end if;
  perform chat_private.spend(v_me.user_id, 20);

  insert into chat.invites as i (room_id, max_uses, expires_at, created_by, rev)
  values (
    v_room.id, create_invite.max_uses, clock_timestamp() + create_invite.expires_in,
    v_me.user_id, v_room.rev + 1
  )
  returning i.id into v_invite_id;
  insert into chat_private.invite_tokens (token_hash, room_id, invite_id)
  values (sha256(convert_to(v_token, 'UTF8')), v_room.id, v_invite_id);
  update chat.rooms as r
  set rev = v_room.rev + 1, touched = '{}'
  where r.id = v_room.id;
  return row(v_invite_id, v_token)::chat.new_invite;
end;
$$;

create function chat_private.find_invite(token_hash bytea, user_id uuid)
returns chat.invites
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_invite chat.invites;
begin
  select i.* into v_invite
  from chat_private.invite_tokens as k
  join chat.invites as i on i.room_id = k.room_id and i.id = k.invite_id
  join chat.rooms as r on r.id = i.room_id
  join chat.tenant_members as t
    on t.tenant_id = r.tenant_id and t.user_id = find_invite.user_id and t.removed_at is null
  where k.token_hash = find_invite.token_hash and i.removed_at is null;
  return v_invite;
end;
$$;

comment on function chat_private.find_invite(bytea, uuid) is
  $$Find the invite that a token opens.

Args:
  token_hash: the SHA-256 of the token.
  user_id: the person who holds it.

Returns:
  The invite, used up or not; null if it was revoked or is into a tenant that they are not in.$$;

-- Anybody who has the token may use the invite; without it nothing can be learned about the room.
-- The invite is read again under the lock of the room, so that uses are counted exactly.
create function chat_private.accept_invite(token text)
returns chat.room_members
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
declare
  v_me uuid := chat_private.current_user_id();
  -- A token has 64 characters. Longer texts are not hashed, because that takes time with the
  -- length.
  v_hash bytea := case
    when octet_length(accept_invite.token) <= 200
      then sha256(convert_to(accept_invite.token, 'UTF8'))
  end;
  v_room chat.rooms;
  v_invite chat.invites;
  v_member chat.room_members;
begin
  v_invite := chat_private.find_invite(v_hash, v_me);
  if v_invite.id is not null then
    select r.* into v_room from chat.rooms as r where r.id = v_invite.room_id;
    perform chat_private.hold_tenant_places(v_room.tenant_id, array[v_me]);
    select r.* into v_room from chat.rooms as r where r.id = v_room.id for no key update;
    v_invite := chat_private.find_invite(v_hash, v_me);
  end if;
  if v_invite.id is null then
    raise exception using
      errcode = 'PT404',
      message = 'invite_not_found',
      detail = 'There is no such invite.',
      hint = 'Check that the link is complete, or ask for a new one.';
  end if;

  select m.* into v_member
  from chat.room_members as m
  where m.room_id = v_room.id and m.user_id = v_me and m.left_at is null;
  if found then
    return v_member;
  end if;
  if v_invite.expires_at <= clock_timestamp() or v_invite.used_count >= v_invite.max_uses then
    raise exception using
      errcode = 'PT410',
      message = 'invite_expired',
      detail = 'The invite is used up, or its time is over.',
      hint = 'Ask for a new one.';
  end if;
  if chat_private.is_banned(v_room.id, v_me) then
    raise exception using
      errcode = 'PT403',
      message = 'not_allowed',
      detail = 'You are banned from this room.',
      hint = 'Ask a moderator.';
  end if;
  if v_room.archived_at is not null then
    raise exception using
      errcode = 'PT423',
      message = 'room_archived',
      detail = 'The room is archived and takes nobody in.',
      hint = 'Ask an admin of the room to unarchive it.';
  end if;

  update chat.invites as i
  set used_count = i.used_count + 1, rev = v_room.rev + 1
  where i.room_id = v_room.id and i.id = v_invite.id;
  return chat_private.begin_membership(
    v_room, v_me, v_room.default_role, null, v_me, 'member_joined'
  );
end;
$$;

create function chat_private.revoke_invite(room_id uuid, invite_id uuid)
returns chat.invites
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
  v_invite chat.invites;
begin
  v_entry := chat_private.enter_room(revoke_invite.room_id, 'moderator', true);
  v_room := v_entry.room;
  v_me := v_entry.me;

  select i.* into v_invite
  from chat.invites as i
  where i.room_id = v_room.id and i.id = revoke_invite.invite_id;
  if not found then
    raise exception using
      errcode = 'PT404',
      message = 'invite_not_found',
      detail = format('There is no invite %s in this room.', revoke_invite.invite_id),
      hint = 'Check the id in the table invites.';
  end if;
  if v_invite.removed_at is not null then
    return v_invite;
  end if;

  perform chat_private.spend(v_me.user_id, 1);
  update chat.invites as i
  set removed_at = clock_timestamp(), rev = v_room.rev + 1
  where i.room_id = v_room.id and i.id = v_invite.id
  returning i.* into v_invite;
  update chat.rooms as r
  set rev = v_room.rev + 1, touched = '{}'
  where r.id = v_room.id;
  return v_invite;
end;
$$;

create function chat.create_invite(
  room_id uuid,
  max_uses integer default 1,
  expires_in interval default '7 days'
)
returns chat.new_invite
language sql
volatile
set search_path = '', pg_temp
return chat_private.create_invite(room_id, max_uses, expires_in);

create function chat.accept_invite(token text)
returns chat.room_members
language sql
volatile
set search_path = '', pg_temp
return chat_private.accept_invite(token);

create function chat.revoke_invite(room_id uuid, invite_id uuid)
returns chat.invites
language sql
volatile
set search_path = '', pg_temp
return chat_private.revoke_invite(room_id, invite_id);

comment on function chat.create_invite(uuid, integer, interval) is
  $$Make an invite into a group room.

Price: 20.

Args:
  room_id: a room the caller moderates.
  max_uses: how many people it lets in, 1 to 100,000.
  expires_in: how long it works, for example "7 days"; up to 366 days.

Returns:
  The id of the invite, and its token: this once, then never again.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: max_uses or expires_in is out of range.
  room_not_found: the room does not exist, or the caller is not in it.
  room_archived: the room is archived and cannot be joined.
  member_muted: the caller may only read.
  not_allowed: the caller is no moderator, or it is a direct room.
  payload_too_large: the room has too many invites that can still be used.
  slow_down: too much at once; Retry-After tells the seconds.$$;

comment on function chat.accept_invite(text) is
  $$Come into a room with the token of an invite.

Price: as many as a small room has members, 1 in a large one.

Args:
  token: as create_invite returned it.

Returns:
  The caller's membership, with the room's default role; unchanged if they were in already.

Raises:
  sign_in_required: nobody is signed in.
  invite_not_found: no such token, revoked, or of a tenant the caller is not in.
  invite_expired: its time is over, or it is used up.
  not_allowed: the caller is banned from the room.
  room_archived: the room is archived and cannot be joined.
  slow_down: too much at once; Retry-After tells the seconds.$$;

comment on function chat.revoke_invite(uuid, uuid) is
  $$End an invite before its time.

Price: 1.

Args:
  room_id: a room the caller moderates.
  invite_id: as create_invite returned it.

Returns:
  The invite, with removed_at; unchanged when it was revoked already.

Raises:
  sign_in_required: nobody is signed in.
  room_not_found: the room does not exist, or the caller is not in it.
  member_muted: the caller may only read.
  not_allowed: the caller is no moderator.
  invite_not_found: the room has no such invite.
  slow_down: too much at once; Retry-After tells the seconds.$$;

revoke execute on function
  chat_private.find_invite(bytea, uuid),
  chat_private.create_invite(uuid, integer, interval), chat.create_invite(uuid, integer, interval),
  chat_private.accept_invite(text), chat.accept_invite(text),
  chat_private.revoke_invite(uuid, uuid), chat.revoke_invite(uuid, uuid)
  from public, anon, authenticated;
grant execute on function
  chat_private.create_invite(uuid, integer, interval), chat.create_invite(uuid, integer, interval),
  chat_private.accept_invite(text), chat.accept_invite(text),
  chat_private.revoke_invite(uuid, uuid), chat.revoke_invite(uuid, uuid)
  to authenticated, service_role;

alter table chat.invites enable row level security;

create policy "moderators read invites" on chat.invites
  for select to authenticated
  using (chat_private.is_moderator(room_id));

grant select on chat.invites to authenticated, service_role;
