-- pull_table: what the caller may see of a streamed table and does not have yet.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

create schema app;
grant usage on schema app to authenticated;
create table app.payments (
  id integer primary key, tenant_id uuid, status text not null default 'open', paid_on date not null default current_date,
  secret text default 'no', is_hidden boolean not null default false
);
create table app.notes (part text, line bigint, user_id uuid not null, body text, primary key (part, line));
create index payments_by_tenant on app.payments (tenant_id, id);
alter table app.payments enable row level security;
alter table app.notes enable row level security;
create policy "people read what is not hidden" on app.payments for select to authenticated using (not is_hidden);
create policy "people read notes" on app.notes for select to authenticated using (true);
grant select (id, tenant_id, status, paid_on, is_hidden) on app.payments to authenticated;
grant select on app.notes to authenticated;
select chat_private.stream_table('app.payments', 'tenant_id');
select chat_private.stream_table('app.notes', 'user_id', 'user');

create function tests.home()
returns uuid
language sql
stable
security definer
return (select t.tenant_id from chat.tenant_members as t where t.user_id = tests.id_of('Ann') and t.removed_at is null limit 1);
create function tests.other_home()
returns uuid
language sql
stable
security definer
return (select t.tenant_id from chat.tenant_members as t where t.user_id = tests.id_of('Tom') and t.removed_at is null limit 1);

-- A test is one transaction and a snapshot does not show its own changes as others'. So what was changed
-- is moved into transactions of the past, and cursors see up to the first of them.
create table tests.cursors (name text primary key, cursor jsonb not null);
grant all on tests.cursors to public;

create function tests.pull(name text, cursor jsonb default '{}')
returns jsonb
language plpgsql
as $$
declare
  v_answer jsonb;
begin
  perform tests.act_as(pull.name);
  v_answer := chat.pull_table('app.payments', pull.cursor);
  insert into tests.cursors as c (name, cursor)
  values (
    pull.name,
    pull.cursor || jsonb_build_object(
      'timeline', v_answer -> 'timeline',
      'owners', coalesce(pull.cursor -> 'owners', '{}') || coalesce(
        (select jsonb_object_agg(o -> 'owner_id' #>> '{}', o -> 'cursor') from jsonb_array_elements(v_answer -> 'owners') as o),
        '{}'
      )
    )
  )
  on conflict on constraint cursors_pkey do update set cursor = excluded.cursor;
  return v_answer;
end;
$$;
create function tests.cursor_of(name text)
returns jsonb
language sql
stable
return (select c.cursor from tests.cursors as c where c.name = cursor_of.name);
create function tests.pull_on(name text)
returns jsonb
language sql
return tests.pull(name, tests.cursor_of(name));
create function tests.ids(answer jsonb)
returns jsonb
language sql
immutable
return (
  select coalesce(jsonb_agg(r #> '{row,id}' order by (r #>> '{row,id}')::integer), '[]')
  from jsonb_path_query(answer, '$.owners[*].rows[*]') as r
);
create function tests.gone(answer jsonb)
returns bigint
language sql
immutable
return (select count(*) from jsonb_path_query(answer, '$.owners[*].gone[*]'));
-- Everything that was noted is of an older transaction that ended after all cursors were taken.
create function tests.others_commit()
returns void
language sql
security definer
begin atomic
  update chat_private.table_notes set xid = '5' where xid = pg_current_xact_id();
  update tests.cursors
  set cursor = jsonb_set(
    cursor, '{owners}',
    coalesce(
      (select jsonb_object_agg(key, value || '{"seen": "5:5:"}') from jsonb_each(cursor -> 'owners') where not value ? 'until'),
      '{}'
    )
  );
end;

insert into app.payments (id, tenant_id, status)
select n, tests.home(), case when n % 2 = 0 then 'open' else 'paid' end from generate_series(1, 10) as n;
insert into app.payments (id, tenant_id, is_hidden) values (11, tests.home(), true), (12, tests.other_home(), false), (13, null, false);

-- First fetch
select is(tests.ids(tests.pull('Ann')), '[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]', 'somebody new gets the rows of their tenants that the policies show');
select is(tests.ids(tests.pull('Tom')), '[12]', 'people of another tenant get its own');
select is(
  (select jsonb_agg(k order by k) from jsonb_object_keys(tests.pull('Ann') #> '{owners,0,rows,0,row}') as k),
  '["id", "is_hidden", "paid_on", "status", "tenant_id"]', 'columns that the person may not read do not come'
);
select is(
  tests.pull('Ann') -> 'table',
  '{"name": "app.payments", "owner": "tenant", "owner_column": "tenant_id", "key": ["id"], "columns":
    {"id": "integer", "tenant_id": "uuid", "status": "text", "paid_on": "date", "is_hidden": "boolean"}}'::jsonb,
  'the answer says what the table is like'
);
select is(tests.pull('Ann') #> '{owners,0,reset}', 'true', 'what comes first replaces what is there');
select is(tests.pull_on('Ann') -> 'owners', '[]', 'somebody who has everything is told nothing');
select is(
  (tests.pull('Ann', '{"limit": 4}') #> '{owners,0}') - '{rows,cursor,owner_id}'::text[],
  '{"reset": true, "gone": [], "more": true, "fetched": 4, "about": 10}', 'a first fetch comes in pages, with its progress'
);
select is(tests.ids(tests.pull_on('Ann')), '[5, 6, 7, 8]', 'the next page goes on');
select is(tests.pull('Ann', tests.cursor_of('Ann')) #> '{owners,0,more}', 'false', 'the last page says so');
select is(
  tests.ids(tests.pull('Ann', '{"where": {"status": "paid", "id": [1, 2, 3]}}')), '[1, 3]', 'a subset is of equal values and of lists'
);
select is(tests.ids(tests.pull('Ann', '{"newest": {"column": "paid_on", "days": 5}, "where": {"id": 3}}')), '[3]', 'the newest rows come');
select tests.stop_acting();
update app.payments set paid_on = current_date - 9 where id = 3;
select is(tests.ids(tests.pull('Ann', '{"newest": {"column": "paid_on", "days": 5}, "where": {"id": 3}}')), '[]', 'older rows do not');

-- Cursors
select tests.stop_acting();
delete from chat_private.table_notes;
select is(
  tests.pull('Ann') #>> '{owners,0,cursor,seen}', '1:1:', 'a cursor claims no transaction that left no note: a crash may give its number out again'
);
select tests.stop_acting();
insert into chat_private.table_notes (owner_id, xid, relation, keys)
values (tests.home(), '5', 'app.payments', '{1}'), (tests.other_home(), '7', 'app.payments', '{12}');
select is(tests.pull('Ann') #>> '{owners,0,cursor,seen}', '6:6:', 'a cursor ends at the last note of its owner');
select tests.stop_acting();

-- Changes
select tests.stop_acting();
delete from chat_private.table_notes;
select tests.ids(tests.pull('Ann')), tests.ids(tests.pull('Tom'));
select tests.stop_acting();
update app.payments set status = 'late' where id in (1, 2);
delete from app.payments where id = 4;
update app.payments set is_hidden = true where id = 5;
update app.payments set is_hidden = false where id = 11;
update app.payments set tenant_id = tests.other_home() where id = 6;
select tests.others_commit();
create temp table answered as select tests.pull_on('Ann') as ann, tests.pull_on('Tom') as tom;
select tests.stop_acting();
select is((select a.ann -> 'more' from answered as a), 'false', 'an answer with all that changed says so');
select is((select tests.ids(ann) from answered), '[1, 2, 11]', 'changed rows come as they are now, and rows that show themselves');
select is((select tests.gone(ann) from answered), 3::bigint, 'deleted, hidden and moved rows go');
select is((select tests.ids(tom) from answered), '[6]', 'a row that moves comes to its new owner');
select is((select ann #> '{owners,0,reset}' from answered), 'false', 'changes replace nothing else');
select is((select ann -> 'more' from answered), 'false', 'changes that fit into one answer say that there are no more');
select is(
  (select count(*) from answered, jsonb_path_query(ann, '$.owners[*].gone[*]') as g where g #>> '{}' !~ '^[0-9a-f]{32}$'),
  0::bigint, 'rows that are gone are named by tags alone'
);
select is(
  (select jsonb_path_query_first(tests.pull('Ann'), '$.owners[*].rows[*] ? (@.row.id == 1).tag')),
  (select jsonb_path_query_first(ann, '$.owners[*].rows[*] ? (@.row.id == 1).tag') from answered),
  'a row keeps its tag'
);

-- Pages of changes
select tests.stop_acting();
delete from chat_private.table_notes;
update app.payments set status = 'open' where id < 5;
update app.payments set status = 'late' where id < 3;
update app.payments set status = 'paid' where id > 6;
select tests.others_commit();
update tests.cursors set cursor = cursor || '{"limit": 3}';
select tests.stop_acting();
create temp table paged (ids jsonb);
grant all on paged to public;
insert into paged select tests.ids(tests.pull_on('Ann'));
insert into paged select tests.ids(tests.pull_on('Ann'));
insert into paged select tests.ids(tests.pull_on('Ann'));
select is(
  (select jsonb_agg(i.id order by (i.id #>> '{}')::integer) from paged, jsonb_array_elements(ids) as i (id)),
  '[1, 2, 3, 7, 8, 9, 10, 11]', 'pages bring every changed row once'
);
select is(tests.pull_on('Ann') -> 'owners', '[]', 'after the last page there is nothing');

-- What starts anew
select tests.stop_acting();
create function tests.is_reset(name text)
returns boolean
language sql
return jsonb_path_exists(tests.pull_on(name), '$.owners[*] ? (@.reset == true)');
select is(tests.is_reset('Ann'), false, 'somebody who has everything keeps it');
select tests.stop_acting();
select chat_private.refresh_table('app.payments', tests.home());
select is(tests.is_reset('Ann'), true, 'a refresh makes the copies of an owner start anew');
select is(tests.is_reset('Tom'), false, 'a refresh of one owner is none of the others''');
select is(tests.is_reset('Ann'), false, 'a copy that started anew goes on from there');
select tests.stop_acting();
alter table app.payments add column currency text not null default 'EUR';
select is(tests.is_reset('Ann'), false, 'a column that nobody may read changes nothing');
select tests.stop_acting();
grant select (currency) on app.payments to authenticated;
select is(tests.is_reset('Ann'), true, 'a new column makes copies start anew');
select tests.stop_acting();
alter policy "people read what is not hidden" on app.payments using (not is_hidden and id <> 7);
select is(tests.is_reset('Ann'), true, 'a changed policy makes copies start anew');
select tests.stop_acting();
update chat.tenant_members set role = 'admin' where user_id = tests.id_of('Ann') and tenant_id = tests.home();
select is(tests.is_reset('Ann'), true, 'another role in the tenant makes the copy start anew');
select tests.stop_acting();
truncate app.payments;
select is(tests.is_reset('Ann'), true, 'a truncate makes copies start anew');
select tests.stop_acting();
insert into chat_private.table_owners (relation, owner_id, purged_xid) values ('app.payments', tests.home(), '9999999')
on conflict (relation, owner_id) do update set purged_xid = excluded.purged_xid;
select is(tests.is_reset('Ann'), true, 'a copy that was away for longer than notes are kept starts anew');
select tests.stop_acting();
update chat_private.table_owners set purged_xid = '0';

-- Somebody who leaves
select is(tests.pull('Ann') -> 'dropped', '[]', 'somebody who is there loses nothing');
select tests.stop_acting();
update chat.tenant_members set removed_at = now() where user_id = tests.id_of('Ann');
select is(tests.pull_on('Ann') -> 'dropped', '["00000000-0000-0000-0000-000000000001"]', 'somebody who left a tenant is told to drop it');
select is(tests.pull('Ann') -> 'owners', '[]', 'somebody who left a tenant gets no rows of it');

-- Keys of several columns, owned by a person
select tests.stop_acting();
insert into app.notes values ('a "b', 1, tests.id_of('Bob'), 'one'), ('a', 2, tests.id_of('Bob'), 'two'), ('a', 3, tests.id_of('Cat'), 'of Cat');
select tests.act_as('Bob');
create temp table noted as select chat.pull_table('app.notes', '{"limit": 1}') as answer;
insert into noted select chat.pull_table('app.notes', jsonb_build_object('owners', jsonb_build_object(tests.id_of('Bob'), answer #> '{owners,0,cursor}'))) from noted;
select is(
  (select jsonb_agg(r -> 'row' -> 'body' order by r #>> '{row,body}') from noted, jsonb_path_query(answer, '$.owners[*].rows[*]') as r),
  '["one", "two"]', 'the rows of a person come to them alone, in pages by several columns'
);
select tests.stop_acting();
delete from chat_private.table_notes;
update app.notes set body = 'three' where line = 1;
update chat_private.table_notes set xid = '5';
select tests.act_as('Bob');
select is(
  (
    select jsonb_path_query_first(
      chat.pull_table('app.notes', jsonb_build_object('owners', jsonb_build_object(
        tests.id_of('Bob'), (answer #> '{owners,0,cursor}') - 'after'::text || '{"seen": "5:5:"}'
      ))), '$.owners[*].rows[*].row.body'
    )
    from noted limit 1
  ), '"three"', 'a key of several columns is found when its row changes'
);

-- Refusals
select tests.stop_acting();
alter table app.payments add column details json, add column places point[];
grant select (details, places) on app.payments to authenticated;
select tests.act_as('Bob');
select is(tests.refusal(statement) ->> 'slug', slug, title)
from (
  values
  ($$ select chat.pull_table('app.nothing', '{}') $$, 'table_not_found', 'a table that does not travel is not found'),
  ($$ select chat.pull_table(null, '{}') $$, 'table_not_found', 'no table is not found'),
  ($$ select chat.pull_table('app.payments', null) $$, 'invalid_input', 'nothing is no cursor'),
  ($$ select chat.pull_table('app.payments', '[]') $$, 'invalid_input', 'a list is no cursor'),
  ($$ select chat.pull_table('app.payments', '{"limit": 0}') $$, 'invalid_input', 'a page has a row'),
  ($$ select chat.pull_table('app.payments', '{"owners": {"x": {}}}') $$, 'invalid_input', 'an owner has an id'),
  ($$ select chat.pull_table('app.payments', '{"owners": {"00000000-0000-0000-0000-000000000001": {"seen": "x"}}}') $$, 'invalid_input', 'a cursor holds a snapshot'),
  ($$ select chat.pull_table('app.payments', '{"where": {"nothing": 1}}') $$, 'invalid_input', 'a subset names columns'),
  ($$ select chat.pull_table('app.payments', '{"where": {"secret": "no"}}') $$, 'invalid_input', 'a subset does not ask columns that the person may not read'),
  ($$ select chat.pull_table('app.payments', '{"where": {"id": "x'' or true"}}') $$, 'invalid_input', 'a subset has values of the type'),
  ($$ select chat.pull_table('app.payments', '{"where": {"details": "{}"}}') $$, 'invalid_input', 'a subset asks no column whose values cannot be compared'),
  ($$ select chat.pull_table('app.payments', '{"where": {"places": "{}"}}') $$, 'invalid_input', 'nor a list of such values'),
  ($$ select chat.pull_table('app.payments', '{"newest": {"column": "status", "days": 3}}') $$, 'invalid_input', 'the newest are by a time')
) as s (statement, slug, title);
select is(tests.refusal($$ select chat.pull_table('app.payments', '{"where": {"status": "x'' or true --"}}') $$), null, 'a value is never a statement');
select is(tests.refusal($$ select chat.pull_table('app.payments', '{"where": {"details": null}}') $$), null, 'where such a column is empty may be asked');
select throws_ok(
  $$ select chat_private.read_table_rows('{}') $$, '42501', 'permission denied for schema chat_private', 'nobody calls the steps by themselves'
);
select tests.act_as_nobody();
select throws_ok($$ select chat.pull_table('app.payments', '{}') $$, '42501', 'permission denied for function pull_table', 'signed-out people may not call pull_table');

select * from finish();
rollback;
