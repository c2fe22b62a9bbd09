-- A row for every table that the last release does not have.
create table public.streamed (id integer primary key, tenant_id uuid);
alter table public.streamed enable row level security;
grant select on public.streamed to authenticated;
select chat_private.stream_table('public.streamed', 'tenant_id');
insert into public.streamed
select n, t.tenant_id from chat.tenants as t, generate_series(1, 3) as n limit 1;
select chat_private.refresh_table('public.streamed', t.tenant_id) from chat.tenants as t;
