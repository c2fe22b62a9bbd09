-- A tenant is the wall: people see people, and rooms take members, inside one tenant only.

create table chat.tenants (
  tenant_id uuid primary key default gen_random_uuid(),
  name text not null,
  created_by uuid,
  created_at timestamptz not null default now(),
  push_shows_text boolean not null default true,
  file_bytes bigint,
  file_types text[],
  retain_days integer,
  constraint name_is_a_line check (
    char_length(name) between 1 and 120 and not chat_private.has_hidden_characters(name)
  ),
  constraint retention_is_bounded check (retain_days between 1 and 36500)
);

comment on table chat.tenants is 'Organisations that share one database and see nothing of each other.';
comment on column chat.tenants.push_shows_text is
  'False keeps the words of messages out of pushes. Changed by the operator, by update.';
comment on column chat.tenants.file_bytes is
  'How many bytes a file of a message may have; null is settings.file_bytes. Changed by the operator, by update.';
comment on column chat.tenants.file_types is
  'The media types of files of messages; null is settings.file_types. Changed by the operator, by update.';

comment on column chat.tenants.retain_days is
  'Days a message is kept in the rooms of the tenant; null is for good. Changed by the operator, by update.';

create function chat_private.tg_tenants__record()
returns trigger
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  perform chat_private.record_audit(
    'tenant_changed', new.tenant_id, null, null,
    chat_private.changed_values(to_jsonb(old), to_jsonb(new))
  );
  return null;
end;
$$;

revoke execute on function chat_private.tg_tenants__record() from public, anon, authenticated;

create trigger _900_record after update on chat.tenants
  for each row when (new.* is distinct from old.*)
  execute function chat_private.tg_tenants__record();

create table chat.tenant_members (
  tenant_id uuid not null references chat.tenants (tenant_id),
  user_id uuid not null,
  role text not null default 'member',
  joined_at timestamptz not null default now(),
  removed_at timestamptz,
  user_rev bigint not null default 0,
  constraint tenant_members_pkey primary key (tenant_id, user_id),
  constraint role_is_known check (role in ('owner', 'admin', 'member'))
);

comment on table chat.tenant_members is
  'People''s places in tenants. A place begins when the person takes it; an ended one keeps its row.';
comment on column chat.tenant_members.user_rev is
  'The number of the last joining or leaving, in this person''s own stream.';

-- Every read of a profile asks which tenants the caller is in, and every pull which ones they lost.
create index tenant_members_by_user on chat.tenant_members (user_id, tenant_id);
create index tenant_members_by_rev on chat.tenant_members (user_id, user_rev);

create function chat_private.is_tenant_member(tenant_id uuid)
returns boolean
language plpgsql
stable
-- definer: the policies on tenant_members would call it again
security definer
set search_path = '', pg_temp
as $$
begin
  return exists (
    select
    from chat.tenant_members as t
    join chat.profiles as p on p.user_id = t.user_id and p.closed_at is null
    where t.tenant_id = is_tenant_member.tenant_id
      and t.user_id = chat_private.acting_user_id()
      and t.removed_at is null
  );
end;
$$;

comment on function chat_private.is_tenant_member(uuid) is 'Tell whether the caller is in a tenant.';

revoke execute on function chat_private.is_tenant_member(uuid) from public, anon, authenticated;
grant execute on function chat_private.is_tenant_member(uuid) to authenticated, service_role;

create function chat_private.is_tenant_admin(tenant_id uuid)
returns boolean
language plpgsql
stable
-- definer: reads places that the policies on tenant_members decide about
security definer
set search_path = '', pg_temp
as $$
begin
  return exists (
    select
    from chat.tenant_members as t
    join chat.profiles as p on p.user_id = t.user_id and p.closed_at is null
    where t.tenant_id = is_tenant_admin.tenant_id
      and t.user_id = chat_private.acting_user_id()
      and t.removed_at is null
      and t.role in ('owner', 'admin')
  );
end;
$$;

comment on function chat_private.is_tenant_admin(uuid) is
  'Tell whether the caller owns or administers a tenant.';

revoke execute on function chat_private.is_tenant_admin(uuid) from public, anon, authenticated;
grant execute on function chat_private.is_tenant_admin(uuid) to authenticated, service_role;

-- A call that lets people into a room first locks their places in the tenant. A call that ends such
-- a place has to wait for it, so nobody ends up in a room of a tenant they have left. Tenants come
-- before rooms in the order of locks.
create function chat_private.hold_tenant_places(tenant_id uuid, user_ids uuid[])
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  perform
  from chat.tenant_members as t
  where t.tenant_id = hold_tenant_places.tenant_id
    and t.user_id = any (hold_tenant_places.user_ids)
  order by t.user_id
  for share;
end;
$$;

comment on function chat_private.hold_tenant_places(uuid, uuid[]) is
  'Keep people in a tenant until the end of the transaction.';

revoke execute on function chat_private.hold_tenant_places(uuid, uuid[])
  from public, anon, authenticated;

alter table chat.tenants enable row level security;
alter table chat.tenant_members enable row level security;

create policy "members read their tenant" on chat.tenants
  for select to authenticated
  using (chat_private.is_tenant_member(tenant_id));

create policy "members read who shares their tenant" on chat.tenant_members
  for select to authenticated
  using (
    user_id = (select auth.uid())
    or (removed_at is null and chat_private.is_tenant_member(tenant_id))
  );

grant select on chat.tenants, chat.tenant_members to authenticated, service_role;
