-- attach
begin;
set local search_path = public, extensions, tests;
select no_plan();

-- What is outside the two schemas, or a row that has to be there.
create function pg_temp.attached()
returns table (name text)
language sql
as $$
  select format('trigger %s: %s', t.tgname, md5(pg_get_triggerdef(t.oid)))
  from pg_trigger as t
  where t.tgrelid = 'auth.users'::regclass and t.tgname ~ '_(open|close)_account$'
  union all
  select format('policy %s: %s', p.polname, md5(concat_ws(
    ' ', pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)
  )))
  from pg_policy as p
  where p.polrelid in ('realtime.messages'::regclass, 'storage.objects'::regclass)
  union all
  select format('tenant %s', t.tenant_id) from chat.tenants as t
  union all
  select format('bucket %s', b.id) from storage.buckets as b where b.id like 'chat-%' and not b.public
  union all
  select format('%s folded letters', count(*)) from chat_private.foldings
  union all
  select format('walk %s', w.name) from chat_private.walks as w
  union all
  select 'settings' from chat_private.settings
  union all
  select 'check_counts' from chat_private.check_counts
  union all
  select 'file_sweep' from chat_private.file_sweep
  union all
  select 'maintenance_runs' from chat_private.maintenance_runs
$$;
create temp table before as select * from pg_temp.attached();
select cmp_ok((select count(*) from before), '>=', 18::bigint, 'a migrated database has all of it');

-- A squash keeps what is inside the schemas, and no rows. (Only the owner of auth.users drops a trigger
-- there; these never fire.)
create or replace trigger _100_open_account after insert on auth.users
  for each row when (false) execute function chat_private.tg_users__open_account();
create or replace trigger _100_close_account before delete on auth.users
  for each row when (false) execute function chat_private.tg_users__close_account();
create or replace trigger _200_close_account before update on auth.users
  for each row when (false) execute function chat_private.tg_users__close_account();
drop policy "people listen to their own topics" on realtime.messages;
drop policy "members speak on the live topics of their rooms" on realtime.messages;
drop policy "people read the files that they may see" on storage.objects;
drop policy "members upload files to their rooms" on storage.objects;
delete from chat.tenants;
delete from chat_private.foldings;
delete from chat_private.walks;
delete from chat_private.settings;
delete from chat_private.check_counts;
delete from chat_private.file_sweep;
delete from chat_private.maintenance_runs;
select is(
  array(
    select name from pg_temp.attached()
    intersect
    select name from before where name not like 'bucket%'
  ),
  '{}', 'a squash loses all of it, save the buckets'
);

insert into auth.users (id, email, raw_user_meta_data)
values ('00000000-0000-4000-8000-00000000000a', 'ann@parley.example', '{"display_name": "Ann"}');
insert into auth.users (id, email, deleted_at)
values ('00000000-0000-4000-8000-00000000000b', 'gone@parley.example', now());
select lives_ok('select chat_private.attach()', 'attach may be called as postgres');
select set_eq('select * from pg_temp.attached()', 'select * from before', 'attach makes all of it again');
select is(
  array(select display_name from chat.profiles), '{Ann}',
  'people who signed up meanwhile take part, and those whose account is deleted do not'
);
select is_empty('select * from chat_private.account_opening', 'attach opens all accounts where they are few');

update chat_private.settings set fanout_limit = 3;
update chat.tenants set name = 'renamed';
select lives_ok('select chat_private.attach()', 'attach may be called again');
select set_eq('select * from pg_temp.attached()', 'select * from before', 'attaching twice is once');
select is(
  (select format('%s %s', s.fanout_limit, t.name) from chat_private.settings as s, chat.tenants as t),
  '3 renamed', 'attach changes nothing that is there'
);

-- Many accounts are opened in portions.
create or replace trigger _100_open_account after insert on auth.users
  for each row when (false) execute function chat_private.tg_users__open_account();
insert into auth.users (id, email)
select ('00000000-0000-4000-9000-' || lpad(n::text, 12, '0'))::uuid, n || '@parley.example'
from generate_series(1, 5) as n;
select is(chat_private.open_accounts(2), 0, 'nobody is opened while no opening is under way');
insert into chat_private.account_opening default values;
select is(chat_private.open_accounts(2), 2, 'a portion opens as many accounts as were asked for');
select is(chat_private.open_accounts(2), 2, 'the next portion goes on behind it');
select is(
  (chat_private.run_maintenance() ->> 'accounts_opened')::integer, 1, 'maintenance opens what is left'
);
select is((select count(*) from chat.profiles), 6::bigint, 'in the end all accounts are open');
select is(
  (chat_private.run_maintenance() ->> 'accounts_opened')::integer, 0, 'maintenance opens nobody when all accounts are open'
);

-- pg_cron may come later than Parley.
create schema cron;
create table cron.job (jobid bigint generated always as identity, jobname text, command text);
create function cron.schedule(name text, schedule text, command text)
returns bigint
language sql
as $$ insert into cron.job (jobname, command) values (name, command) returning jobid $$;
select chat_private.attach();
select chat_private.attach();
select is(
  array(select command from cron.job where command ~ 'maintenance'), '{select chat.run_maintenance()}',
  'with pg_cron maintenance becomes a job, once'
);
update cron.job set jobname = 'mine', command = 'select chat.run_maintenance(), 1';
select chat_private.attach();
select is(
  array(select jobname from cron.job where command ~ 'maintenance'), '{mine}',
  'a job of the project that calls maintenance is enough'
);

select * from finish();
rollback;
