-- Bans from a tenant: people who may not come in, or not come back.

-- Without a foreign key: an id that nobody has can be banned like any other, so that a ban tells
-- nobody whether the account exists.
create table chat.tenant_bans (
  tenant_id uuid not null references chat.tenants (tenant_id),
  user_id uuid not null,
  until timestamptz,
  reason text not null default '',
  banned_by uuid not null,
  banned_at timestamptz not null default now(),
  removed_at timestamptz,
  constraint tenant_bans_pkey primary key (tenant_id, user_id),
  constraint reason_is_short check (char_length(reason) <= 500)
);

comment on table chat.tenant_bans is 'People who may not come into a tenant, and until when.';
comment on column chat.tenant_bans.until is 'When the ban ends by itself; null is without end.';

create function chat_private.is_banned_from_tenant(tenant_id uuid, user_id uuid)
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return exists (
    select from chat.tenant_bans as b
    where b.tenant_id = is_banned_from_tenant.tenant_id
      and b.user_id = is_banned_from_tenant.user_id
      and b.removed_at is null
      and (b.until is null or b.until > clock_timestamp())
  );
end;
$$;

comment on function chat_private.is_banned_from_tenant(uuid, uuid) is
  'Tell whether a ban from a tenant holds now.';

create function chat_private.write_tenant_ban(
  me chat.tenant_members,
  user_id uuid,
  until timestamptz,
  reason text
)
returns chat.tenant_bans
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_ban chat.tenant_bans;
begin
  insert into chat.tenant_bans as b (tenant_id, user_id, until, reason, banned_by)
  values (
    (write_tenant_ban.me).tenant_id, write_tenant_ban.user_id, write_tenant_ban.until,
    write_tenant_ban.reason, (write_tenant_ban.me).user_id
  )
  on conflict on constraint tenant_bans_pkey do update
  set
    until = excluded.until,
    reason = excluded.reason,
    banned_by = excluded.banned_by,
    banned_at = excluded.banned_at,
    removed_at = null
  returning b.* into v_ban;
  return v_ban;
end;
$$;

comment on function chat_private.write_tenant_ban(chat.tenant_members, uuid, timestamptz, text) is
  $$Write that somebody is banned from a tenant, in place of an earlier ban of theirs.

Args:
  me: the place of the admin who bans; the tenant is locked.
  user_id: the person who is banned.
  until: when the ban ends; null is never.
  reason: why, for admins; may be empty.

Returns:
  The ban.$$;

create function chat_private.ban_tenant_member(
  tenant_id uuid,
  user_id uuid,
  until timestamptz,
  reason text
)
returns chat.tenant_bans
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
declare
  v_reason text := coalesce(chat_private.clean_line(ban_tenant_member.reason, 'reason', 500), '');
  -- A time past the last year that clients can parse is stored as a ban without end.
  v_until timestamptz := case
    when ban_tenant_member.until < '9999-12-31 00:00:00+00' then ban_tenant_member.until
  end;
  v_me chat.tenant_members;
  v_member chat.tenant_members;
  v_ban chat.tenant_bans;
begin
  if ban_tenant_member.user_id is null or v_until <= clock_timestamp() then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'A ban must name a person, and its end must be in the future.',
      hint = 'Leave until out for a ban without end, or call unban_tenant_member to lift one.';
  end if;
  v_me := chat_private.lock_tenant(ban_tenant_member.tenant_id);
  perform chat_private.require_tenant_right(v_me, 'member');
  if ban_tenant_member.user_id = v_me.user_id then
    raise exception using
      errcode = 'PT403',
      message = 'not_allowed',
      detail = 'You cannot ban yourself.',
      hint = 'Call remove_tenant_member to leave.';
  end if;

  select m.* into v_member
  from chat.tenant_members as m
  where m.tenant_id = v_me.tenant_id
    and m.user_id = ban_tenant_member.user_id
    and m.removed_at is null;
  if found then
    perform chat_private.require_tenant_right(v_me, v_member.role);
  else
    select b.* into v_ban
    from chat.tenant_bans as b
    where b.tenant_id = v_me.tenant_id
      and b.user_id = ban_tenant_member.user_id
      and b.removed_at is null
      and b.until is not distinct from v_until
      and b.reason = v_reason;
    if found then
      return v_ban;
    end if;
  end if;

  v_ban := chat_private.write_tenant_ban(v_me, ban_tenant_member.user_id, v_until, v_reason);
  perform chat_private.record_audit(
    'tenant_member_banned', v_ban.tenant_id, null, v_ban.user_id,
    jsonb_build_object('until', extract(epoch from v_ban.until), 'was_member', v_member.user_id is not null)
  );
  if v_member.user_id is not null then
    perform chat_private.end_place(v_member, v_me.user_id, 'member_banned');
  end if;
  perform chat_private.spend(v_me.user_id, 10);
  return v_ban;
end;
$$;

create function chat_private.unban_tenant_member(tenant_id uuid, user_id uuid)
returns chat.tenant_bans
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
declare
  v_me chat.tenant_members;
  v_ban chat.tenant_bans;
begin
  v_me := chat_private.lock_tenant(unban_tenant_member.tenant_id);
  perform chat_private.require_tenant_right(v_me, 'member');
  select b.* into v_ban
  from chat.tenant_bans as b
  where b.tenant_id = v_me.tenant_id and b.user_id = unban_tenant_member.user_id;
  if not found then
    raise exception using
      errcode = 'PT404',
      message = 'user_not_found',
      detail = format('%s is not banned from this tenant.', unban_tenant_member.user_id),
      hint = 'Check the id in the table tenant_bans.';
  end if;
  if v_ban.removed_at is not null then
    return v_ban;
  end if;

  update chat.tenant_bans as b
  set removed_at = clock_timestamp()
  where b.tenant_id = v_ban.tenant_id and b.user_id = v_ban.user_id
  returning b.* into v_ban;
  perform chat_private.record_audit('tenant_member_unbanned', v_ban.tenant_id, null, v_ban.user_id);
  perform chat_private.spend(v_me.user_id, 10);
  return v_ban;
end;
$$;

create function chat.ban_tenant_member(
  tenant_id uuid,
  user_id uuid,
  until timestamptz default null,
  reason text default null
)
returns chat.tenant_bans
language sql
volatile
set search_path = '', pg_temp
return chat_private.ban_tenant_member(tenant_id, user_id, until, reason);

create function chat.unban_tenant_member(tenant_id uuid, user_id uuid)
returns chat.tenant_bans
language sql
volatile
set search_path = '', pg_temp
return chat_private.unban_tenant_member(tenant_id, user_id);

comment on function chat.ban_tenant_member(uuid, uuid, timestamptz, text) is
  $$Ban somebody from a tenant, whether they are in it or not.

A member is removed from the tenant and its rooms at the same time; no invite, no server and no
setting lets a banned person in again.

Price: 10.

Args:
  tenant_id: a tenant the caller administers.
  user_id: any id; it is not told whether somebody has it. Owners ban everybody, admins members.
  until: when it ends by itself; left out, it does not.
  reason: up to 500 characters, for owners and admins.

Returns:
  The ban; unchanged when it is the same as before.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: nobody is named, until has passed, or the reason holds control characters.
  not_allowed: the caller is not in the tenant, the role is too low for this, or it is oneself.
  slow_down: too much at once.$$;

comment on function chat.unban_tenant_member(uuid, uuid) is
  $$Lift a ban from a tenant; it does not bring anybody back.

Price: 10.

Args:
  tenant_id: a tenant the caller administers.
  user_id: the person whose ban is lifted.

Returns:
  The ban, with removed_at; unchanged when it was lifted already.

Raises:
  sign_in_required: nobody is signed in.
  not_allowed: the caller is not in the tenant, or the role is too low for this.
  user_not_found: nobody with that id was banned.
  slow_down: too much at once.$$;

revoke execute on function
  chat_private.is_banned_from_tenant(uuid, uuid),
  chat_private.write_tenant_ban(chat.tenant_members, uuid, timestamptz, text),
  chat_private.ban_tenant_member(uuid, uuid, timestamptz, text),
  chat.ban_tenant_member(uuid, uuid, timestamptz, text),
  chat_private.unban_tenant_member(uuid, uuid), chat.unban_tenant_member(uuid, uuid)
  from public, anon, authenticated;
grant execute on function
  chat_private.ban_tenant_member(uuid, uuid, timestamptz, text),
  chat.ban_tenant_member(uuid, uuid, timestamptz, text),
  chat_private.unban_tenant_member(uuid, uuid), chat.unban_tenant_member(uuid, uuid)
  to authenticated, service_role;

alter table chat.tenant_bans enable row level security;

create policy "admins read the bans of their tenant" on chat.tenant_bans
  for select to authenticated
  using (chat_private.is_tenant_admin(tenant_id));

grant select on chat.tenant_bans to authenticated, service_role;
