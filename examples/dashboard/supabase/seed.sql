-- Two companies with what an office has of them. Everybody who has an account here keeps their books.
insert into chat.tenants (tenant_id, name) values
  ('0d5b0000-0000-4000-8000-000000000001', 'Harbour Bakery'),
  ('0d5b0000-0000-4000-8000-000000000002', 'Hillside Garage');

insert into public.companies (tenant_id, name)
select t.tenant_id, t.name from chat.tenants as t where t.tenant_id::text like '0d5b0000-%';

select chat.add_tenant_member(c.tenant_id, u.id, 'owner')
from public.companies as c cross join auth.users as u;

insert into public.documents (tenant_id, title, state, received_at)
select
  c.tenant_id,
  (array['Invoice', 'Receipt', 'Contract', 'Reminder'])[n % 4 + 1] || ' ' || n,
  (array['new', 'read', 'booked'])[n % 3 + 1],
  now() - n * interval '7 hours'
from public.companies as c cross join generate_series(1, 60) as n;

insert into public.payments (tenant_id, payee, amount, status, due_on)
select
  c.tenant_id,
  (array['Electricity', 'Rent', 'Flour mill', 'Insurance', 'Phone'])[n % 5 + 1],
  (n * 37 % 900) + 10.5,
  case when n <= 1000 then 'open' else 'paid' end,
  current_date + 30 - n / 10
from public.companies as c cross join generate_series(1, 2000) as n;

insert into public.statements (tenant_id, month, balance)
select
  c.tenant_id,
  (date_trunc('month', now()) - n * interval '1 month')::date,
  20000 - n * 731.25
from public.companies as c cross join generate_series(1, 12) as n;
