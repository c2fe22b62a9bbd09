-- create_tenant, and the places in it: how roles change, how a server adds people, how they leave.

create function chat_private.create_tenant(name text)
returns chat.tenants
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
declare
  v_me uuid := chat_private.current_user_id();
  v_name text := chat_private.clean_line(create_tenant.name, 'tenant name', 120);
  v_most integer;
  v_tenant chat.tenants;
begin
  if coalesce(v_name, '') = '' then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'A tenant needs a name.',
      hint = 'Pass a name of 1 to 120 characters.';
  end if;
  perform chat_private.lock_users(array[v_me]);
  select s.tenants_per_person into strict v_most from chat_private.settings as s;
  if (
    select count(*) from chat.tenant_members as m
    where m.user_id = v_me and m.removed_at is null and m.role = 'owner'
  ) >= v_most then
    raise exception using
      errcode = 'PT413',
      message = 'payload_too_large',
      detail = format('One person owns at most %s tenants.', v_most),
      hint = 'Hand one over with set_tenant_member_role, or ask the operator of this project.';
  end if;

  insert into chat.tenants as t (name, created_by)
  values (v_name, v_me)
  returning t.* into v_tenant;
  perform chat_private.begin_place(v_tenant.tenant_id, v_me, 'owner');
  perform chat_private.bump_users(array[v_me], '{tenants}');
  perform chat_private.spend(v_me, 100);
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
  join chat.profiles as p on p.user_id = m.user_id and p.closed_at is null
  where m.tenant_id = lock_tenant.tenant_id and m.user_id = v_me and m.removed_at is null;
  if not found then
    perform chat_private.log_refusal('enter_tenant', lock_tenant.tenant_id);
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

-- A closed account does not count as an owner, even before maintenance has ended its place.
create function chat_private.require_another_tenant_owner(tenant_id uuid, user_id uuid)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if not exists (
    select
    from chat.tenant_members as m
    join chat.profiles as p on p.user_id = m.user_id and p.closed_at is null
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
  last_owner: nobody else with an open account owns it.$$;

-- Admins handle members; owners handle everybody.
create function chat_private.may_handle(mine text, theirs text)
returns boolean
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return may_handle.mine = 'owner' or (may_handle.mine = 'admin' and may_handle.theirs = 'member');
end;
$$;

comment on function chat_private.may_handle(text, text) is
  'Tell whether one role in a tenant gives and takes the other.';

create function chat_private.require_tenant_right(mine chat.tenant_members, theirs text)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if not chat_private.may_handle((require_tenant_right.mine).role, require_tenant_right.theirs) then
    perform chat_private.log_refusal(
      'handle_tenant_' || require_tenant_right.theirs, (require_tenant_right.mine).tenant_id
    );
    raise exception using
      errcode = 'PT403',
      message = 'not_allowed',
      detail = 'Admins of a tenant handle its members, and owners everybody.',
      hint = 'Ask an owner.';
  end if;
end;
$$;

comment on function chat_private.require_tenant_right(chat.tenant_members, text) is
  $$Refuse to handle somebody of the same or a higher role in a tenant.

Raises:
  not_allowed: the role is too low.$$;

create function chat_private.require_tenant_role(role text)
returns void
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  if require_tenant_role.role is null
    or require_tenant_role.role not in ('owner', 'admin', 'member')
  then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'A role in a tenant is owner, admin or member.',
      hint = 'Pass one of these.';
  end if;
end;
$$;

comment on function chat_private.require_tenant_role(text) is
  $$Refuse a text that is no role in a tenant.

Raises:
  invalid_input: there is no such role.$$;

create function chat_private.begin_place(tenant_id uuid, user_id uuid, role text)
returns chat.tenant_members
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_member chat.tenant_members;
begin
  insert into chat.tenant_members as m (tenant_id, user_id, role, user_rev)
  select begin_place.tenant_id, s.user_id, begin_place.role, s.rev + 1
  from chat_private.user_streams as s
  where s.user_id = begin_place.user_id
  on conflict on constraint tenant_members_pkey do update
  set
    role = excluded.role,
    joined_at = excluded.joined_at,
    removed_at = null,
    user_rev = excluded.user_rev
  returning m.* into v_member;
  return v_member;
end;
$$;

comment on function chat_private.begin_place(uuid, uuid, text) is
  $$Let somebody into a locked tenant, stamped with the next number of their own stream.

Args:
  tenant_id: the locked tenant, where their row, if there is one, is locked too.
  user_id: not a member now; their stream is locked, and the caller raises it.
  role: their role.

Returns:
  Their place.$$;

-- People who leave a tenant leave all of its rooms in the same transaction.
create function chat_private.end_place(member chat.tenant_members, actor_id uuid, body text)
returns chat.tenant_members
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_member chat.tenant_members;
begin
  update chat.tenant_members as m
  set removed_at = clock_timestamp()
  where m.tenant_id = (end_place.member).tenant_id and m.user_id = (end_place.member).user_id;
  perform chat_private.end_memberships(
    (end_place.member).user_id, (end_place.member).tenant_id, end_place.actor_id, end_place.body, null
  );
  select m.* into v_member
  from chat.tenant_members as m
  where m.tenant_id = (end_place.member).tenant_id and m.user_id = (end_place.member).user_id;
  return v_member;
end;
$$;

comment on function chat_private.end_place(chat.tenant_members, uuid, text) is
  $$Take somebody out of a locked tenant and its rooms, with one number of their own stream.

Args:
  member: their place.
  actor_id: the person who did it.
  body: the word of the system message in their rooms.

Returns:
  The ended place.$$;

-- For servers that know who belongs to a tenant. Everybody else comes in with an invite.
create function chat_private.add_tenant_member(tenant_id uuid, user_id uuid, role text)
returns chat.tenant_members
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
declare
  v_member chat.tenant_members;
begin
  perform chat_private.require_tenant_role(add_tenant_member.role);
  perform from chat.tenants as t where t.tenant_id = add_tenant_member.tenant_id for no key update;
  if not found then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = format('There is no tenant %s.', add_tenant_member.tenant_id),
      hint = 'Check its id in the table tenants.';
  end if;
  perform chat_private.lock_place(add_tenant_member.tenant_id, add_tenant_member.user_id);
  perform chat_private.lock_users(array[add_tenant_member.user_id]);
  if not exists (
    select from chat.profiles as p
    where p.user_id = add_tenant_member.user_id and p.closed_at is null
  ) then
    raise exception using
      errcode = 'PT404',
      message = 'user_not_found',
      detail = format('Nobody with an open account has the id %s.', add_tenant_member.user_id),
      hint = 'Let them sign up first.';
  end if;

  select m.* into v_member
  from chat.tenant_members as m
  where m.tenant_id = add_tenant_member.tenant_id
    and m.user_id = add_tenant_member.user_id
    and m.removed_at is null;
  if found then
    return chat_private.change_tenant_role(v_member, add_tenant_member.role);
  end if;
  if chat_private.is_banned_from_tenant(add_tenant_member.tenant_id, add_tenant_member.user_id) then
    raise exception using
      errcode = 'PT403',
      message = 'not_allowed',
      detail = 'They are banned from this tenant.',
      hint = 'Let one of its admins lift the ban with unban_tenant_member.';
  end if;
  v_member := chat_private.begin_place(
    add_tenant_member.tenant_id, add_tenant_member.user_id, add_tenant_member.role
  );
  perform chat_private.record_audit(
    'tenant_member_added', v_member.tenant_id, null, v_member.user_id,
    jsonb_build_object('role', v_member.role)
  );
  perform chat_private.bump_users(array[v_member.user_id], '{tenants}');
  return v_member;
end;
$$;

create function chat_private.lock_place(tenant_id uuid, user_id uuid)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  perform
  from chat.tenant_members as m
  where m.tenant_id = lock_place.tenant_id and m.user_id = lock_place.user_id
  for no key update;
end;
$$;

comment on function chat_private.lock_place(uuid, uuid) is
  'Lock the place of somebody who comes back, before rooms and streams. A new place has no row yet.';

create function chat_private.change_tenant_role(member chat.tenant_members, role text)
returns chat.tenant_members
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_member chat.tenant_members := change_tenant_role.member;
begin
  if v_member.role = change_tenant_role.role then
    return v_member;
  end if;
  if v_member.role = 'owner' then
    perform chat_private.require_another_tenant_owner(v_member.tenant_id, v_member.user_id);
  end if;
  perform chat_private.record_audit(
    'tenant_role_changed', v_member.tenant_id, null, v_member.user_id,
    jsonb_build_object('from', v_member.role, 'to', change_tenant_role.role)
  );
  update chat.tenant_members as m
  set role = change_tenant_role.role
  where m.tenant_id = v_member.tenant_id and m.user_id = v_member.user_id
  returning m.* into v_member;
  return v_member;
end;
$$;

comment on function chat_private.change_tenant_role(chat.tenant_members, text) is
  $$Give somebody in a locked tenant another role.

Returns:
  Their place; unchanged when the role is the same.

Raises:
  last_owner: the tenant would be left without an owner.$$;

create function chat_private.set_tenant_member_role(tenant_id uuid, user_id uuid, role text)
returns chat.tenant_members
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
declare
  c_ranks constant text[] := '{member,admin,owner}';
  v_me chat.tenant_members;
  v_member chat.tenant_members;
begin
  perform chat_private.require_tenant_role(set_tenant_member_role.role);
  v_me := chat_private.lock_tenant(set_tenant_member_role.tenant_id);
  -- People may lower their own role, and never raise it.
  if set_tenant_member_role.user_id is distinct from v_me.user_id
    or array_position(c_ranks, set_tenant_member_role.role) > array_position(c_ranks, v_me.role)
  then
    perform chat_private.require_tenant_right(v_me, set_tenant_member_role.role);
  end if;

  select m.* into v_member
  from chat.tenant_members as m
  join chat.profiles as p on p.user_id = m.user_id and p.closed_at is null
  where m.tenant_id = v_me.tenant_id
    and m.user_id = set_tenant_member_role.user_id
    and m.removed_at is null;
  if not found then
    raise exception using
      errcode = 'PT404',
      message = 'user_not_found',
      detail = format('Nobody in this tenant has the id %s.', set_tenant_member_role.user_id),
      hint = 'Check the id in the table tenant_members.';
  end if;
  if v_member.user_id <> v_me.user_id then
    perform chat_private.require_tenant_right(v_me, v_member.role);
  end if;
  if v_member.role <> set_tenant_member_role.role then
    v_member := chat_private.change_tenant_role(v_member, set_tenant_member_role.role);
    perform chat_private.spend(v_me.user_id, 10);
  end if;
  return v_member;
end;
$$;

create function chat_private.remove_tenant_member(tenant_id uuid, user_id uuid)
returns chat.tenant_members
language plpgsql
volatile
-- definer: API roles may not write these tables
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
      detail = format('Nobody in this tenant has the id %s.', remove_tenant_member.user_id),
      hint = 'Check the id in the table tenant_members.';
  end if;
  if v_member.user_id <> v_me.user_id then
    perform chat_private.require_tenant_right(v_me, v_member.role);
  end if;
  if v_member.role = 'owner' then
    perform chat_private.require_another_tenant_owner(v_me.tenant_id, v_member.user_id);
  end if;

  if v_member.user_id <> v_me.user_id then
    perform chat_private.record_audit(
      'tenant_member_removed', v_member.tenant_id, null, v_member.user_id,
      jsonb_build_object('role', v_member.role)
    );
  end if;
  v_member := chat_private.end_place(
    v_member, v_me.user_id,
    case when v_member.user_id = v_me.user_id then 'member_left' else 'member_removed' end
  );
  perform chat_private.spend(v_me.user_id, 10);
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

create function chat.set_tenant_member_role(tenant_id uuid, user_id uuid, role text)
returns chat.tenant_members
language sql
volatile
set search_path = '', pg_temp
return chat_private.set_tenant_member_role(tenant_id, user_id, role);

create function chat.remove_tenant_member(tenant_id uuid, user_id uuid)
returns chat.tenant_members
language sql
volatile
set search_path = '', pg_temp
return chat_private.remove_tenant_member(tenant_id, user_id);

comment on function chat.create_tenant(text) is
  $$Create a tenant; the caller becomes its owner.

Others come into it with the invites of create_tenant_invite.

Price: 100.

Args:
  name: 1 to 120 characters.

Returns:
  The tenant.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: the name is empty, too long or holds control characters.
  payload_too_large: the caller owns as many tenants as one person may.
  slow_down: too much at once.$$;

comment on function chat.add_tenant_member(uuid, uuid, text) is
  $$Add somebody to a tenant, or change their role in it.

For the service role: a server that knows who belongs, for example from a contract or a directory.
People are invited with create_tenant_invite and come in by themselves.

Args:
  tenant_id: any tenant.
  user_id: somebody with an open account.
  role: owner, admin or member.

Returns:
  Their place in the tenant; unchanged when it was the same.

Raises:
  invalid_input: there is no such role or tenant.
  user_not_found: nobody with an open account has that id.
  not_allowed: they are banned from the tenant.
  last_owner: the tenant would be left without an owner.$$;

comment on function chat.set_tenant_member_role(uuid, uuid, text) is
  $$Change somebody's role in a tenant.

Owners change everybody, other owners included; to hand a tenant over, make somebody owner and step
down. Everybody may step down.

Price: 10.

Args:
  tenant_id: a tenant the caller owns.
  user_id: somebody in it; the caller's own id steps down.
  role: owner, admin or member.

Returns:
  Their place in the tenant; unchanged when the role is the same.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: there is no such role.
  not_allowed: the caller is not in the tenant, or the role is too low for this.
  user_not_found: they are not in the tenant.
  last_owner: the tenant would be left without an owner.
  slow_down: too much at once.$$;

comment on function chat.remove_tenant_member(uuid, uuid) is
  $$Remove somebody from a tenant and from all of its rooms.

Price: 10.

Args:
  tenant_id: a tenant the caller administers; owners remove everybody, admins remove members.
  user_id: the person to remove; with their own id the caller leaves.

Returns:
  Their former place, with removed_at.

Raises:
  sign_in_required: nobody is signed in.
  not_allowed: the caller is not in the tenant, or the role is too low for this.
  user_not_found: they are not in the tenant.
  last_owner: the tenant would be left without an owner.
  slow_down: too much at once.$$;

revoke execute on function
  chat_private.lock_tenant(uuid),
  chat_private.require_another_tenant_owner(uuid, uuid),
  chat_private.may_handle(text, text),
  chat_private.require_tenant_right(chat.tenant_members, text),
  chat_private.require_tenant_role(text),
  chat_private.begin_place(uuid, uuid, text),
  chat_private.end_place(chat.tenant_members, uuid, text),
  chat_private.lock_place(uuid, uuid),
  chat_private.change_tenant_role(chat.tenant_members, text),
  chat_private.create_tenant(text), chat.create_tenant(text),
  chat_private.add_tenant_member(uuid, uuid, text), chat.add_tenant_member(uuid, uuid, text),
  chat_private.set_tenant_member_role(uuid, uuid, text),
  chat.set_tenant_member_role(uuid, uuid, text),
  chat_private.remove_tenant_member(uuid, uuid), chat.remove_tenant_member(uuid, uuid)
  from public, anon, authenticated;
grant execute on function
  chat_private.create_tenant(text), chat.create_tenant(text),
  chat_private.set_tenant_member_role(uuid, uuid, text),
  chat.set_tenant_member_role(uuid, uuid, text),
  chat_private.remove_tenant_member(uuid, uuid), chat.remove_tenant_member(uuid, uuid)
  to authenticated, service_role;
grant execute on function
  chat_private.add_tenant_member(uuid, uuid, text), chat.add_tenant_member(uuid, uuid, text)
  to service_role;
