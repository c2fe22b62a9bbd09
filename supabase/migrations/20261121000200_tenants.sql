-- A tenant is the wall: people see people, and rooms take members, inside one tenant only.

create table chat.tenants (
  tenant_id uuid primary key default gen_random_uuid(),
  name text not null,
  created_by uuid,
  created_at timestamptz not null default now(),
  constraint name_is_a_line check (
    char_length(name) between 1 and 120 and not chat_private.has_hidden_characters(name)
  )
);

comment on table chat.tenants is 'Organisations that share one database and see nothing of each other.';

create table chat.tenant_members (
  tenant_id uuid not null references chat.tenants (tenant_id),
  user_id uuid not null,
  role text not null default 'member',
  joined_at timestamptz not null default now(),
  removed_at timestamptz,
  constraint tenant_members_pkey primary key (tenant_id, user_id),
  constraint role_is_known check (role in ('owner', 'admin', 'member'))
);

comment on table chat.tenant_members is
  'Who belongs to a tenant. Former members keep their row, so that their name stays readable.';

-- "Which tenants am I in" is asked by every profile read.
create index tenant_members_by_user on chat.tenant_members (user_id, tenant_id);

-- A project with one team never has to think about tenants.
insert into chat.tenants (tenant_id, name)
values ('00000000-0000-0000-0000-000000000001', 'default');

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
      and t.user_id = auth.uid()
      and t.removed_at is null
  );
end;
$$;

comment on function chat_private.is_tenant_member(uuid) is 'Tell whether the caller is in a tenant.';

revoke execute on function chat_private.is_tenant_member(uuid) from public, anon, authenticated;
grant execute on function chat_private.is_tenant_member(uuid) to authenticated;

-- Whoever lets people into a room holds their places in the tenant first, and whoever takes one away
-- waits: nobody ends up in a room of a tenant they have left. Tenants come before rooms in the order
-- of locks.
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
  using (user_id = (select auth.uid()) or chat_private.is_tenant_member(tenant_id));

grant select on chat.tenants, chat.tenant_members to authenticated, service_role;
