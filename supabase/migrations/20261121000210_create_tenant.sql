-- create_tenant, add_tenant_member and remove_tenant_member: who lives behind which wall.

create function chat_private.create_tenant(name text)
returns chat.tenants
language plpgsql
volatile
-- definer: writes tables that nobody may write
security definer
set search_path = '', pg_temp
as $$
declare
  v_me uuid := chat_private.current_user_id();
  v_name text := chat_private.clean_line(create_tenant.name, 'tenant name', 120);
  v_tenant chat.tenants;
begin
  if coalesce(v_name, '') = '' then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'A tenant needs a name.',
      hint = 'Pass a name of 1 to 120 characters.';
  end if;

  insert into chat.tenants as t (name, created_by)
  values (v_name, v_me)
  returning t.* into v_tenant;
  insert into chat.tenant_members (tenant_id, user_id, role)
  values (v_tenant.tenant_id, v_me, 'owner');
  return v_tenant;
end;
$$;

-- The tenant's row is the lock that orders what happens to its members.
create function chat_private.lock_tenant(tenant_id uuid)
returns chat.tenant_members
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_me uuid := chat_private.current_user_id();
  v_member chat.tenant_members;
begin
  if chat_private.is_tenant_member(lock_tenant.tenant_id) then
    perform from chat.tenants as t where t.tenant_id = lock_tenant.tenant_id for no key update;
  end if;
  select m.* into v_member
  from chat.tenant_members as m
  where m.tenant_id = lock_tenant.tenant_id and m.user_id = v_me and m.removed_at is null;
  if not found then
    raise exception using
      errcode = 'PT403',
      message = 'not_allowed',
      detail = format('You are in no tenant %s.', lock_tenant.tenant_id),
      hint = 'Check its id, or ask one of its admins.';
  end if;
  return v_member;
end;
$$;

comment on function chat_private.lock_tenant(uuid) is
  $$Lock a tenant as one of its members.

Returns:
  The caller's membership.

Raises:
  not_allowed: the tenant does not exist, or the caller is not in it.$$;

create function chat_private.require_another_tenant_owner(tenant_id uuid, user_id uuid)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if not exists (
    select from chat.tenant_members as m
    where m.tenant_id = require_another_tenant_owner.tenant_id
      and m.user_id <> require_another_tenant_owner.user_id
      and m.removed_at is null
      and m.role = 'owner'
  ) then
    raise exception using
      errcode = 'PT409',
      message = 'last_owner',
      detail = 'A tenant keeps at least one owner.',
      hint = 'Make somebody else owner first.';
  end if;
end;
$$;

comment on function chat_private.require_another_tenant_owner(uuid, uuid) is
  $$Refuse to lose the last owner of a locked tenant.

Raises:
  last_owner: nobody else owns it.$$;

-- Admins handle members; owners handle everybody.
create function chat_private.require_tenant_right(mine text, theirs text)
returns void
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  if not (
    require_tenant_right.mine = 'owner'
    or (require_tenant_right.mine = 'admin' and require_tenant_right.theirs = 'member')
  ) then
    raise exception using
      errcode = 'PT403',
      message = 'not_allowed',
      detail = 'Admins of a tenant handle its members, and owners everybody.',
      hint = 'Ask an owner.';
  end if;
end;
$$;

comment on function chat_private.require_tenant_right(text, text) is
  $$Refuse to handle somebody of the same or a higher role in a tenant.

Raises:
  not_allowed: the role is too low.$$;

create function chat_private.add_tenant_member(tenant_id uuid, user_id uuid, role text)
returns chat.tenant_members
language plpgsql
volatile
-- definer: writes tables that nobody may write
security definer
set search_path = '', pg_temp
as $$
declare
  v_me chat.tenant_members;
  v_member chat.tenant_members;
begin
  if add_tenant_member.role is null
    or add_tenant_member.role not in ('owner', 'admin', 'member')
  then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'A role in a tenant is owner, admin or member.',
      hint = 'Leave it out for a member.';
  end if;
  v_me := chat_private.lock_tenant(add_tenant_member.tenant_id);
  perform chat_private.require_tenant_right(v_me.role, add_tenant_member.role);

  select m.* into v_member
  from chat.tenant_members as m
  where m.tenant_id = v_me.tenant_id
    and m.user_id = add_tenant_member.user_id
    and m.removed_at is null;
  if found then
    if v_member.role = add_tenant_member.role then
      return v_member;
    end if;
    perform chat_private.require_tenant_right(v_me.role, v_member.role);
    if v_member.role = 'owner' then
      perform chat_private.require_another_tenant_owner(v_me.tenant_id, v_member.user_id);
    end if;
  elsif not exists (
    select from chat.profiles as p
    where p.user_id = add_tenant_member.user_id and p.closed_at is null
  ) then
    raise exception using
      errcode = 'PT404',
      message = 'user_not_found',
      detail = format('There is nobody %s.', add_tenant_member.user_id),
      hint = 'Ask them for their user id.';
  end if;

  insert into chat.tenant_members as m (tenant_id, user_id, role)
  values (v_me.tenant_id, add_tenant_member.user_id, add_tenant_member.role)
  on conflict on constraint tenant_members_pkey do update
  set
    role = excluded.role,
    joined_at = case when m.removed_at is null then m.joined_at else excluded.joined_at end,
    removed_at = null
  returning m.* into v_member;
  return v_member;
end;
$$;

-- Outside the wall nobody is in a room behind it: the memberships end in the same transaction.
create function chat_private.remove_tenant_member(tenant_id uuid, user_id uuid)
returns chat.tenant_members
language plpgsql
volatile
-- definer: writes tables that nobody may write
security definer
set search_path = '', pg_temp
as $$
declare
  v_me chat.tenant_members;
  v_member chat.tenant_members;
begin
  v_me := chat_private.lock_tenant(remove_tenant_member.tenant_id);
  select m.* into v_member
  from chat.tenant_members as m
  where m.tenant_id = v_me.tenant_id
    and m.user_id = remove_tenant_member.user_id
    and m.removed_at is null;
  if not found then
    raise exception using
      errcode = 'PT404',
      message = 'user_not_found',
      detail = format('There is nobody %s in this tenant.', remove_tenant_member.user_id),
      hint = 'Check the id in the table tenant_members.';
  end if;
  if v_member.user_id <> v_me.user_id then
    perform chat_private.require_tenant_right(v_me.role, v_member.role);
  end if;
  if v_member.role = 'owner' then
    perform chat_private.require_another_tenant_owner(v_me.tenant_id, v_member.user_id);
  end if;

  update chat.tenant_members as m
  set removed_at = clock_timestamp()
  where m.tenant_id = v_member.tenant_id and m.user_id = v_member.user_id
  returning m.* into v_member;
  perform chat_private.end_memberships(
    v_member.user_id, v_member.tenant_id, v_me.user_id,
    case when v_member.user_id = v_me.user_id then 'member_left' else 'member_removed' end, null
  );
  return v_member;
end;
$$;

create function chat.create_tenant(name text)
returns chat.tenants
language sql
volatile
set search_path = '', pg_temp
return chat_private.create_tenant(name);

create function chat.add_tenant_member(tenant_id uuid, user_id uuid, role text default 'member')
returns chat.tenant_members
language sql
volatile
set search_path = '', pg_temp
return chat_private.add_tenant_member(tenant_id, user_id, role);

create function chat.remove_tenant_member(tenant_id uuid, user_id uuid)
returns chat.tenant_members
language sql
volatile
set search_path = '', pg_temp
return chat_private.remove_tenant_member(tenant_id, user_id);

comment on function chat.create_tenant(text) is
  $$Create a tenant; the caller becomes its owner.

Args:
  name: 1 to 120 characters.

Returns:
  The tenant.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: the name is empty, too long or holds control characters.$$;

comment on function chat.add_tenant_member(uuid, uuid, text) is
  $$Add somebody to a tenant, or change what they are in it.

Args:
  tenant_id: a tenant the caller administers.
  user_id: anybody with an account.
  role: owner, admin or member; admins add members only.

Returns:
  Their place in the tenant; unchanged when it was the same.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: there is no such role.
  not_allowed: the caller is not in it, or the role is too low for this.
  user_not_found: nobody has that id.
  last_owner: the tenant would be left without an owner.$$;

comment on function chat.remove_tenant_member(uuid, uuid) is
  $$Remove somebody from a tenant and from all of its rooms.

Args:
  tenant_id: a tenant the caller administers.
  user_id: who goes; the caller's own id leaves it.

Returns:
  Their former place, with removed_at.

Raises:
  sign_in_required: nobody is signed in.
  not_allowed: the caller is not in it, or the role is too low for this.
  user_not_found: they are not in the tenant.
  last_owner: the tenant would be left without an owner.$$;

revoke execute on function
  chat_private.lock_tenant(uuid),
  chat_private.require_another_tenant_owner(uuid, uuid),
  chat_private.require_tenant_right(text, text),
  chat_private.create_tenant(text), chat.create_tenant(text),
  chat_private.add_tenant_member(uuid, uuid, text), chat.add_tenant_member(uuid, uuid, text),
  chat_private.remove_tenant_member(uuid, uuid), chat.remove_tenant_member(uuid, uuid)
  from public, anon, authenticated;
grant execute on function
  chat_private.create_tenant(text), chat.create_tenant(text),
  chat_private.add_tenant_member(uuid, uuid, text), chat.add_tenant_member(uuid, uuid, text),
  chat_private.remove_tenant_member(uuid, uuid), chat.remove_tenant_member(uuid, uuid)
  to authenticated;
