-- What an office that keeps the books of other companies has of each of them: documents, payments, statements.
--
-- A company is a tenant of Parley, and whoever is in the tenant may read what belongs to it. Parley's migrations
-- come first.
create table public.companies (
  tenant_id uuid primary key references chat.tenants (tenant_id),
  name text not null
);

create table public.documents (
  id bigint generated always as identity primary key,
  tenant_id uuid not null references public.companies,
  title text not null,
  state text not null default 'new',
  received_at timestamptz not null default now(),
  constraint state_is_known check (state in ('new', 'read', 'booked'))
);

create table public.payments (
  id bigint generated always as identity primary key,
  tenant_id uuid not null references public.companies,
  payee text not null,
  amount numeric(12, 2) not null,
  status text not null default 'open',
  due_on date not null,
  constraint status_is_known check (status in ('open', 'paid'))
);

create table public.statements (
  id bigint generated always as identity primary key,
  tenant_id uuid not null references public.companies,
  month date not null,
  balance numeric(12, 2) not null,
  constraint one_a_month unique (tenant_id, month)
);

create index documents_by_tenant on public.documents (tenant_id);
create index payments_by_tenant on public.payments (tenant_id);

alter table public.companies enable row level security;
alter table public.documents enable row level security;
alter table public.payments enable row level security;
alter table public.statements enable row level security;

create policy "members read companies" on public.companies
  for select to authenticated using (
    tenant_id in (
      select t.tenant_id from chat.tenant_members as t
      where t.user_id = (select auth.uid()) and t.removed_at is null
    )
  );

create policy "members read documents" on public.documents
  for select to authenticated using (
    tenant_id in (
      select t.tenant_id from chat.tenant_members as t
      where t.user_id = (select auth.uid()) and t.removed_at is null
    )
  );

create policy "members read payments" on public.payments
  for select to authenticated using (
    tenant_id in (
      select t.tenant_id from chat.tenant_members as t
      where t.user_id = (select auth.uid()) and t.removed_at is null
    )
  );

create policy "members read statements" on public.statements
  for select to authenticated using (
    tenant_id in (
      select t.tenant_id from chat.tenant_members as t
      where t.user_id = (select auth.uid()) and t.removed_at is null
    )
  );

create policy "members pay" on public.payments
  for update to authenticated using (
    tenant_id in (
      select t.tenant_id from chat.tenant_members as t
      where t.user_id = (select auth.uid()) and t.removed_at is null
    )
  );

revoke all on public.companies, public.documents, public.payments, public.statements
  from anon, authenticated;
grant select on public.companies, public.documents, public.payments, public.statements
  to authenticated;
grant update (status) on public.payments to authenticated;

-- From here on, browsers keep what they may read of these tables, and hear when it changes.
select chat_private.stream_table('public.companies', owner_column => 'tenant_id');
select chat_private.stream_table('public.documents', owner_column => 'tenant_id');
select chat_private.stream_table('public.payments', owner_column => 'tenant_id');
select chat_private.stream_table('public.statements', owner_column => 'tenant_id');
