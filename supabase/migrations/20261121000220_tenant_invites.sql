-- Invites into a tenant: people come in by accepting one, and nobody else can put them there.

create table chat.tenant_invites (
  tenant_id uuid not null references chat.tenants (tenant_id),
  id uuid not null default gen_random_uuid(),
  role text not null,
  room_id uuid,
  max_uses integer not null,
  used_count integer not null default 0,
  expires_at timestamptz not null,
  created_by uuid not null,
  created_at timestamptz not null default now(),
  removed_at timestamptz,
  constraint tenant_invites_pkey primary key (tenant_id, id),
  constraint role_is_known check (role in ('owner', 'admin', 'member')),
  constraint uses_are_counted check (used_count between 0 and max_uses),
  constraint max_uses_is_bounded check (max_uses between 1 and 100000)
);

comment on table chat.tenant_invites is 'Ways into a tenant that its owners and admins have opened.';
comment on column chat.tenant_invites.role is 'The role of people who come in with it.';
comment on column chat.tenant_invites.room_id is 'A room that they come into at the same time.';
comment on column chat.tenant_invites.removed_at is 'When it was revoked.';

create index tenant_invites_by_room on chat.tenant_invites (room_id);

-- Every new invite counts the open ones. Ended invites are kept, so there may be any number of
-- them.
create index tenant_invites_open on chat.tenant_invites (tenant_id, expires_at)
  where removed_at is null and used_count < max_uses;

-- The token itself is shown once and stored nowhere.
create table chat_private.tenant_invite_tokens (
  token_hash bytea primary key,
  tenant_id uuid not null,
  invite_id uuid not null,
  foreign key (tenant_id, invite_id) references chat.tenant_invites (tenant_id, id)
);

comment on table chat_private.tenant_invite_tokens is 'Which invite into a tenant a token opens.';

create index tenant_invite_tokens_by_invite
on chat_private.tenant_invite_tokens (tenant_id, invite_id);

create type chat.new_invite as (invite_id uuid, token text);

comment on type chat.new_invite is 'An invite at the only moment its token is known.';

create function chat_private.create_tenant_invite(
  tenant_id uuid,
  role text,
  max_uses integer,
  expires_in interval,
  room_id uuid
)
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
  v_me chat.tenant_members;
  v_invite_id uuid;
begin
  perform chat_private.require_tenant_role(create_tenant_invite.role);
  if create_tenant_invite.max_uses is null
    or create_tenant_invite.max_uses not between 1 and 100000
    or create_tenant_invite.expires_in is null
    or create_tenant_invite.expires_in not between interval '1 second' and interval '366 days'
  then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'An invite is used 1 to 100,000 times within 1 second to 366 days.',
      hint = 'Leave both out for one use within 7 days.';
  end if;
  v_me := chat_private.lock_tenant(create_tenant_invite.tenant_id);
  perform chat_private.require_tenant_right(v_me, create_tenant_invite.role);
  if create_tenant_invite.room_id is not null then
    perform chat_private.require_room_of_tenant(
      create_tenant_invite.room_id, create_tenant_invite.tenant_id
    );
  end if;
  perform chat_private.require_few_tenant_invites(v_me.tenant_id);

  insert into chat.tenant_invites as i (
    tenant_id, role, room_id, max_uses, expires_at, created_by
  )
  values (
    v_me.tenant_id, create_tenant_invite.role, create_tenant_invite.room_id,
    create_tenant_invite.max_uses, clock_timestamp() + create_tenant_invite.expires_in, v_me.user_id
  )
  returning i.id into v_invite_id;
  insert into chat_private.tenant_invite_tokens (token_hash, tenant_id, invite_id)
  values (sha256(convert_to(v_token, 'UTF8')), v_me.tenant_id, v_invite_id);
  perform chat_private.spend(v_me.user_id, 20);
  return row(v_invite_id, v_token)::chat.new_invite;
end;
$$;

-- The room is not locked, because the right to invite into it is checked again when the invite is
-- used.
create function chat_private.require_room_of_tenant(room_id uuid, tenant_id uuid)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  perform chat_private.require_right(
    (select r from chat.rooms as r where r.id = require_room_of_tenant.room_id),
    chat_private.require_member(require_room_of_tenant.room_id),
    'moderator'
  );
  if not exists (
    select from chat.rooms as r
    where r.id = require_room_of_tenant.room_id and r.tenant_id = require_room_of_tenant.tenant_id
  ) then
    raise exception using
      errcode = 'PT404',
      message = 'room_not_found',
      detail = format('There is no room %s in this tenant.', require_room_of_tenant.room_id),
      hint = 'Name a room of the tenant that people are invited into.';
  end if;
end;
$$;

comment on function chat_private.require_room_of_tenant(uuid, uuid) is
  $$Refuse a room that the caller may not let people of a tenant into.

Raises:
  room_not_found: the caller is not in such a room, or it is another tenant's.
  room_archived: the room is archived and cannot be joined.
  member_muted: the caller may only read there.
  not_allowed: the caller is no moderator there, or it is a direct room.$$;

create function chat_private.require_few_tenant_invites(tenant_id uuid)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  -- Inside the query, a volatile call would keep Postgres from using the index.
  v_now timestamptz := clock_timestamp();
  v_most integer;
begin
  select s.open_invites_per_tenant into strict v_most from chat_private.settings as s;
  if (
    select count(*) from chat.tenant_invites as i
    where i.tenant_id = require_few_tenant_invites.tenant_id
      and i.removed_at is null
      and i.expires_at > v_now
      and i.used_count < i.max_uses
  ) >= v_most then
    raise exception using
      errcode = 'PT413',
      message = 'payload_too_large',
      detail = format('A tenant has at most %s open invites.', v_most),
      hint = 'Revoke some with revoke_tenant_invite, or make one for more people.';
  end if;
end;
$$;

comment on function chat_private.require_few_tenant_invites(uuid) is
  $$Refuse one more invite into a locked tenant that has too many.

Raises:
  payload_too_large: as many as may be are open.$$;

-- Everything that decides whether somebody may come in is locked before it is read: the tenant (the
-- invite, the role of the person who made it, bans), the room (its bans, that person's role there),
-- and the streams, which closing an account locks too.
create function chat_private.lock_tenant_invite(token_hash bytea, user_id uuid)
returns chat.tenant_invites
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_invite chat.tenant_invites;
begin
  select i.* into v_invite
  from chat_private.tenant_invite_tokens as k
  join chat.tenant_invites as i on i.tenant_id = k.tenant_id and i.id = k.invite_id
  where k.token_hash = lock_tenant_invite.token_hash and i.removed_at is null;
  if found then
    perform from chat.tenants as t where t.tenant_id = v_invite.tenant_id for no key update;
    perform chat_private.lock_place(v_invite.tenant_id, lock_tenant_invite.user_id);
    perform from chat.rooms as r where r.id = v_invite.room_id for no key update;
    perform chat_private.lock_users(array[lock_tenant_invite.user_id, v_invite.created_by]);
    select i.* into v_invite
    from chat.tenant_invites as i
    where i.tenant_id = v_invite.tenant_id and i.id = v_invite.id and i.removed_at is null;
  end if;
  return v_invite;
end;
$$;

comment on function chat_private.lock_tenant_invite(bytea, uuid) is
  $$Lock everything that an invite into a tenant depends on, before it is used.

Returns:
  The invite as it stands under the locks; null when there is none, or it was revoked.$$;

create function chat_private.has_standing_maker(invite chat.tenant_invites)
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return exists (
    select
    from chat.tenant_members as m
    join chat.profiles as p on p.user_id = m.user_id and p.closed_at is null
    where m.tenant_id = (has_standing_maker.invite).tenant_id
      and m.user_id = (has_standing_maker.invite).created_by
      and m.removed_at is null
      and chat_private.may_handle(m.role, (has_standing_maker.invite).role)
  ) and (
    (has_standing_maker.invite).room_id is null
    or exists (
      select from chat.room_members as m
      where m.room_id = (has_standing_maker.invite).room_id
        and m.user_id = (has_standing_maker.invite).created_by
        and m.left_at is null
        and m.role in ('owner', 'admin', 'moderator')
        and coalesce(m.muted_until <= clock_timestamp(), true)
    )
  );
end;
$$;

comment on function chat_private.has_standing_maker(chat.tenant_invites) is
  'Tell whether the role of the person who made an invite would still let them make it.';

create function chat_private.require_open_invite(invite chat.tenant_invites, user_id uuid)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_invite chat.tenant_invites := require_open_invite.invite;
begin
  if v_invite.expires_at <= clock_timestamp() or v_invite.used_count >= v_invite.max_uses then
    raise exception using
      errcode = 'PT410',
      message = 'invite_expired',
      detail = 'The invite is used up, or its time is over.',
      hint = 'Ask for a new one.';
  end if;
  if chat_private.is_banned_from_tenant(v_invite.tenant_id, require_open_invite.user_id)
    or chat_private.is_banned(v_invite.room_id, require_open_invite.user_id)
  then
    raise exception using
      errcode = 'PT403',
      message = 'not_allowed',
      detail = 'You are banned from this tenant, or from the room that the invite leads to.',
      hint = 'Ask one of its admins.';
  end if;
  if exists (
    select from chat.rooms as r where r.id = v_invite.room_id and r.archived_at is not null
  ) then
    raise exception using
      errcode = 'PT423',
      message = 'room_archived',
      detail = 'The room that the invite leads to is archived and takes nobody in.',
      hint = 'Ask for an invite without it.';
  end if;
end;
$$;

comment on function chat_private.require_open_invite(chat.tenant_invites, uuid) is
  $$Refuse an invite that lets this person in no more.

Raises:
  invite_expired: its time is over, or it is used up.
  not_allowed: they are banned from the tenant or the room.
  room_archived: the room is archived and cannot be joined.$$;

create function chat_private.accept_tenant_invite(token text)
returns chat.tenant_members
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
declare
  v_me uuid := chat_private.current_user_id();
  v_invite chat.tenant_invites;
  v_member chat.tenant_members;
  v_is_in_room boolean;
begin
  v_invite := chat_private.lock_tenant_invite(
    sha256(convert_to(accept_tenant_invite.token, 'UTF8')), v_me
  );
  v_is_in_room := v_invite.room_id is null or exists (
    select from chat.room_members as m
    where m.room_id = v_invite.room_id and m.user_id = v_me and m.left_at is null
  );
  select m.* into v_member
  from chat.tenant_members as m
  where m.tenant_id = v_invite.tenant_id and m.user_id = v_me and m.removed_at is null;
  if found and v_is_in_room then
    return v_member;
  end if;
  if not chat_private.has_standing_maker(v_invite) then
    raise exception using
      errcode = 'PT404',
      message = 'invite_not_found',
      detail = 'There is no such invite.',
      hint = 'Check that the link is complete, or ask for a new one.';
  end if;
  perform chat_private.require_open_invite(v_invite, v_me);

  update chat.tenant_invites as i
  set used_count = i.used_count + 1
  where i.tenant_id = v_invite.tenant_id and i.id = v_invite.id;
  if v_member.user_id is null then
    v_member := chat_private.begin_place(v_invite.tenant_id, v_me, v_invite.role);
  end if;
  -- The number of the place is the one that the membership takes.
  if v_is_in_room then
    perform chat_private.bump_users(array[v_me], '{tenants}');
  else
    perform chat_private.begin_membership(r, v_me, r.default_role, null, v_me, 'member_joined')
    from chat.rooms as r
    where r.id = v_invite.room_id;
  end if;
  perform chat_private.spend(v_me, 10);
  return v_member;
end;
$$;

create function chat_private.revoke_tenant_invite(tenant_id uuid, invite_id uuid)
returns chat.tenant_invites
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
declare
  v_me chat.tenant_members;
  v_invite chat.tenant_invites;
begin
  v_me := chat_private.lock_tenant(revoke_tenant_invite.tenant_id);
  perform chat_private.require_tenant_right(v_me, 'member');
  select i.* into v_invite
  from chat.tenant_invites as i
  where i.tenant_id = v_me.tenant_id and i.id = revoke_tenant_invite.invite_id;
  if not found then
    raise exception using
      errcode = 'PT404',
      message = 'invite_not_found',
      detail = format('There is no invite %s in this tenant.', revoke_tenant_invite.invite_id),
      hint = 'Check the id in the table tenant_invites.';
  end if;
  perform chat_private.require_tenant_right(v_me, v_invite.role);
  if v_invite.removed_at is not null then
    return v_invite;
  end if;

  update chat.tenant_invites as i
  set removed_at = clock_timestamp()
  where i.tenant_id = v_invite.tenant_id and i.id = v_invite.id
  returning i.* into v_invite;
  perform chat_private.spend(v_me.user_id, 10);
  return v_invite;
end;
$$;

create function chat.create_tenant_invite(
  tenant_id uuid,
  role text default 'member',
  max_uses integer default 1,
  expires_in interval default '7 days',
  room_id uuid default null
)
returns chat.new_invite
language sql
volatile
set search_path = '', pg_temp
return chat_private.create_tenant_invite(tenant_id, role, max_uses, expires_in, room_id);

create function chat.accept_tenant_invite(token text)
returns chat.tenant_members
language sql
volatile
set search_path = '', pg_temp
return chat_private.accept_tenant_invite(token);

create function chat.revoke_tenant_invite(tenant_id uuid, invite_id uuid)
returns chat.tenant_invites
language sql
volatile
set search_path = '', pg_temp
return chat_private.revoke_tenant_invite(tenant_id, invite_id);

comment on function chat.create_tenant_invite(uuid, text, integer, interval, uuid) is
  $$Make an invite into a tenant, and into a room of it.

It stands as long as the caller could make it: losing the role ends it.

Price: 20.

Args:
  tenant_id: a tenant the caller administers.
  role: the role of people who come in with it; admins may only invite members.
  max_uses: how many people it lets in, 1 to 100,000.
  expires_in: how long it works, for example "7 days"; up to 366 days.
  room_id: a group room of the tenant that the caller moderates; left out, none.

Returns:
  The id of the invite, and its token: this once, then never again.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: the role is unknown, or max_uses or expires_in is out of range.
  not_allowed: the caller is not in the tenant, or the role there or in the room is too low.
  payload_too_large: the tenant has as many open invites as it may.
  room_not_found: the caller is not in such a room, or it is another tenant's.
  room_archived: the room is archived and cannot be joined.
  member_muted: the caller may only read in the room.
  slow_down: too much at once.$$;

comment on function chat.accept_tenant_invite(text) is
  $$Come into a tenant with the token of an invite.

Where the invite names a room, the caller comes into that as well, with the room's default role.

Price: 10.

Args:
  token: as create_tenant_invite returned it.

Returns:
  The caller's place in the tenant; unchanged if they were in already.

Raises:
  sign_in_required: nobody is signed in.
  invite_not_found: no such token, it was revoked, or the person who made it may not invite any more.
  invite_expired: its time is over, or it is used up.
  not_allowed: the caller is banned from the tenant, or from the room.
  room_archived: the room is archived and cannot be joined.
  slow_down: too much at once.$$;

comment on function chat.revoke_tenant_invite(uuid, uuid) is
  $$End an invite into a tenant before its time.

Price: 10.

Args:
  tenant_id: a tenant the caller administers.
  invite_id: as create_tenant_invite returned it.

Returns:
  The invite, with removed_at; unchanged when it was revoked already.

Raises:
  sign_in_required: nobody is signed in.
  not_allowed: the caller is not in the tenant, or the role is too low for this.
  invite_not_found: the tenant has no such invite.
  slow_down: too much at once.$$;

revoke execute on function
  chat_private.require_room_of_tenant(uuid, uuid),
  chat_private.require_few_tenant_invites(uuid),
  chat_private.lock_tenant_invite(bytea, uuid),
  chat_private.has_standing_maker(chat.tenant_invites),
  chat_private.require_open_invite(chat.tenant_invites, uuid),
  chat_private.create_tenant_invite(uuid, text, integer, interval, uuid),
  chat.create_tenant_invite(uuid, text, integer, interval, uuid),
  chat_private.accept_tenant_invite(text), chat.accept_tenant_invite(text),
  chat_private.revoke_tenant_invite(uuid, uuid), chat.revoke_tenant_invite(uuid, uuid)
  from public, anon, authenticated;
grant execute on function
  chat_private.create_tenant_invite(uuid, text, integer, interval, uuid),
  chat.create_tenant_invite(uuid, text, integer, interval, uuid),
  chat_private.accept_tenant_invite(text), chat.accept_tenant_invite(text),
  chat_private.revoke_tenant_invite(uuid, uuid), chat.revoke_tenant_invite(uuid, uuid)
  to authenticated, service_role;

alter table chat.tenant_invites enable row level security;

create policy "admins read the invites of their tenant" on chat.tenant_invites
  for select to authenticated
  using (chat_private.is_tenant_admin(tenant_id));

grant select on chat.tenant_invites to authenticated, service_role;
