-- watch_stats: tables of the adopter's own that tell the dashboards of tenants as they change.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

create schema app;
grant usage on schema app to authenticated;
create table app.payments (id integer primary key, tenant_id uuid, amount integer not null default 0);
create index payments_by_tenant on app.payments (tenant_id);
create table app.documents (id integer primary key, tenant_id uuid);
create table app."odd Statements" (id integer, "Tenant" uuid) partition by range (id);
create table app.statements_low partition of app."odd Statements" for values from (0) to (100);
create table app.statements_high partition of app."odd Statements" for values from (100) to (200);
grant select, insert, update, delete on app.payments to authenticated;
create view app.everything as select * from app.payments;

create function tests.tenant(n integer)
returns uuid
language sql
immutable
return md5('tenant ' || n)::uuid;

create function tests.told()
returns jsonb
language sql
security definer
return (
  select coalesce(jsonb_agg(jsonb_build_array(m.topic, m.payload -> 'tables') order by m.topic), '[]')
  from realtime.messages as m
  where m.event = 'stats_invalidated' and m.private and m.extension = 'broadcast'
    and m.payload ->> 'id' = m.id::text
    and not exists (select from tests.seen_events as s where s.id = m.id)
);

-- A test is one transaction, so its end is made by hand.
create function tests.after(statement text)
returns jsonb
language plpgsql
security definer
as $$
begin
  perform tests.watch('Ann');
  execute statement;
  set constraints all immediate;
  set constraints all deferred;
  return tests.told();
end;
$$;
create function tests.topic(n integer, variadic tables text[])
returns jsonb
language sql
immutable
return jsonb_build_array('tenant:' || coalesce(tests.tenant(n), '00000000-0000-0000-0000-000000000000') || ':dashboard', to_jsonb(tables));

select chat_private.watch_stats('app.payments', 'tenant_id');
select chat_private.watch_stats('app.documents', 'tenant_id');
select chat_private.watch_stats('app."odd Statements"', 'Tenant');

-- What is told
select is(tests.after(statement), told, title)
from (
  values
  (1, 'insert into app.payments select n, tests.tenant(1) from generate_series(1, 1000) as n',
    jsonb_build_array(tests.topic(1, 'app.payments')), 'a thousand rows of a tenant are one event'),
  (2, 'update app.payments set amount = amount + 1',
    jsonb_build_array(tests.topic(1, 'app.payments')), 'an update of every row is one event'),
  (3, 'update app.payments set tenant_id = tests.tenant(2) where id = 7',
    (select jsonb_agg(tests.topic(n, 'app.payments') order by tests.topic(n, 'app.payments')) from generate_series(1, 2) as n),
    'a row that moves between tenants is told to both'),
  (4, 'delete from app.payments where id < 5', jsonb_build_array(tests.topic(1, 'app.payments')), 'a delete is told'),
  (5, 'delete from app.payments where id < 0', '[]', 'a statement that changes no row is not told'),
  (6, 'insert into app.payments values (-1, null)', '[]', 'a row without a tenant is told to nobody'),
  (7, 'insert into app.payments values (2000, tests.tenant(1));
    insert into app.documents values (1, tests.tenant(1)); update app.payments set amount = 3 where id = 2000',
    jsonb_build_array(tests.topic(1, 'app.payments', 'app.documents')), 'three statements on two tables are one event with both names'),
  (8, 'truncate app.payments',
    (select jsonb_agg(tests.topic(n, 'app.payments') order by tests.topic(n, 'app.payments')) from generate_series(1, 2) as n),
    'a truncate is told to each tenant that had rows'),
  (9, 'truncate app.documents', jsonb_build_array(tests.topic(1, 'app.documents')), 'a truncate of a table without an index is told'),
  (10, 'truncate app.documents', '[]', 'a truncate of an empty table is not told'),
  (11, 'insert into app.payments select n, tests.tenant(n) from generate_series(1, 1001) as n',
    jsonb_build_array(tests.topic(null, 'app.payments')), 'more than a thousand tenants are told at once'),
  (12, 'truncate app.payments', jsonb_build_array(tests.topic(null, 'app.payments')), 'a truncate that more than a thousand tenants share is told at once'),
  (13, 'insert into app.payments select n, tests.tenant(n) from generate_series(1, 3) as n',
    (select jsonb_agg(tests.topic(n, 'app.payments') order by tests.topic(n, 'app.payments')) from generate_series(1, 3) as n),
    'each of several tenants is told of its own'),
  (14, 'insert into app."odd Statements" values (5, tests.tenant(1)), (105, tests.tenant(1))',
    jsonb_build_array(tests.topic(1, 'app."odd Statements"')), 'a write to a partitioned table is told'),
  (15, 'update app.statements_low set id = 6', jsonb_build_array(tests.topic(1, 'app."odd Statements"')),
    'a write that names a partition is told under the name of its table'),
  (16, 'update app."odd Statements" set id = 106 where id = 6', jsonb_build_array(tests.topic(1, 'app."odd Statements"')),
    'a row that moves between partitions is told once'),
  (17, 'truncate app."odd Statements"', jsonb_build_array(tests.topic(1, 'app."odd Statements"')), 'a truncate of partitions is told once')
) as s (place, statement, told, title)
order by place;

-- What was rolled back
create function tests.savepoint_and_more()
returns void
language plpgsql
as $$
begin
  begin
    insert into app.payments values (5000, tests.tenant(1));
    raise exception using errcode = 'XX999';
  exception
    when sqlstate 'XX999' then
      insert into app.documents values (5000, tests.tenant(1));
  end;
end;
$$;
select is(
  tests.after('select tests.savepoint_and_more()'), jsonb_build_array(tests.topic(1, 'app.documents')),
  'what a savepoint took back is not told, and what came after is'
);
select is((select count(*) from chat_private.stats_touched), 0::bigint, 'nothing is left of what was told');

-- People of the app write, too
select tests.act_as('Ann');
select lives_ok('insert into app.payments values (6000, tests.tenant(1))', 'people who may write a watched table need no rights of ours');
select tests.stop_acting();

-- What cannot be watched
select throws_ok(statement, 'PT400', 'invalid_input', title)
from (
  values
  ($$ select chat_private.watch_stats('app.everything', 'tenant_id') $$, 'a view cannot be watched'),
  ($$ select chat_private.watch_stats('app.payments_by_tenant', 'tenant_id') $$, 'an index cannot be watched'),
  ($$ select chat_private.watch_stats('app.payments', 'nothing') $$, 'a column that is not there holds no tenant'),
  ($$ select chat_private.watch_stats('app.payments', 'amount') $$, 'a column that is no uuid holds no tenant'),
  ($$ select chat_private.watch_stats('app.payments', null) $$, 'a table without a tenant column cannot be watched'),
  ($$ select chat_private.watch_stats(null, 'tenant_id') $$, 'nothing cannot be watched')
) as s (statement, title);

-- Twice, and no more
select lives_ok($$ select chat_private.watch_stats('app.payments', 'tenant_id') $$, 'a table may be watched again');
select is(
  tests.after('insert into app.payments values (6001, tests.tenant(1))'), jsonb_build_array(tests.topic(1, 'app.payments')),
  'what is watched twice is told once'
);
alter table app.payments rename column tenant_id to team_id;
select is(
  tests.after('insert into app.payments values (6003, tests.tenant(1))'), jsonb_build_array(tests.topic(null, 'app.payments')),
  'where the column got another name, the write goes through and all tenants are told'
);
select is(
  tests.after('truncate app.payments'), jsonb_build_array(tests.topic(null, 'app.payments')),
  'a truncate of a table whose column got another name tells all tenants'
);
drop index app.payments_by_tenant;
alter table app.payments add column tenant_id bigint;
select is(
  tests.after('insert into app.payments (id, tenant_id) values (6004, 5)'), jsonb_build_array(tests.topic(null, 'app.payments')),
  'where the column got another type, the write goes through and all tenants are told'
);
select lives_ok($$ select chat_private.watch_stats('app.payments', 'team_id') $$, 'a table may be watched by the new name');
select is(
  tests.after('insert into app.payments values (6001, tests.tenant(1))'), jsonb_build_array(tests.topic(1, 'app.payments')),
  'a table that is watched by the new name tells its tenants again'
);
select lives_ok($$ select chat_private.unwatch_stats('app.payments') $$, 'a table may be let alone');
select lives_ok($$ select chat_private.unwatch_stats('app.payments') $$, 'a table that is not watched may be let alone');
select is(tests.after('insert into app.payments values (6002, tests.tenant(1))'), '[]', 'what is not watched any more is not told');
select is_empty(
  $$ select from pg_trigger where tgrelid = 'app.payments'::regclass $$, 'nothing of ours is left on a table that is let alone'
);
select lives_ok($$ select chat_private.unwatch_stats('app."odd Statements"') $$, 'a partitioned table may be let alone');
select is_empty(
  $$ select from pg_trigger where tgrelid in ('app."odd Statements"'::regclass, 'app.statements_low'::regclass) $$, 'nothing of ours is left on partitions'
);

-- Who listens
select is(
  chat_private.rights_on_topic(chat_private.dashboard_topic(null), tests.id_of('Dan')), '{listen}',
  'everybody may hear what is for the dashboards of all tenants'
);
select is(
  chat_private.rights_on_topic(chat_private.dashboard_topic(tests.tenant(1)), tests.id_of('Dan')), '{}',
  'nobody hears of a tenant that they are not in'
);
select is(chat_private.rights_on_topic(chat_private.dashboard_topic(null), gen_random_uuid()), '{}', 'nobody without an account hears of dashboards');

-- A broadcast that fails
create or replace function chat_private.dashboard_topic(tenant_id uuid)
returns text language plpgsql immutable set search_path = '' as $$
begin
  raise exception 'broken';
end;
$$;
select lives_ok(
  'select tests.after(''insert into app.documents values (7001, tests.tenant(1))'')', 'I9: a failing announcement fails no write of the adopter'
);

select * from finish();
rollback;
