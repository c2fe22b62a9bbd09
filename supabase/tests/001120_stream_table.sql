-- stream_table: tables of the adopter's own that travel into the copies of clients.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

create schema app;
grant usage on schema app to authenticated;
create table app.payments (id integer primary key, tenant_id uuid, amount integer not null default 0);
create table app.notes (id uuid primary key default gen_random_uuid(), user_id uuid not null);
create table app."odd Lines" (a integer, "b%b" text, "Tenant" uuid, primary key (a, "b%b")) partition by range (a);
create table app.lines_low partition of app."odd Lines" for values from (0) to (100);
create table app.lines_high partition of app."odd Lines" for values from (100) to (200);
create view app.everything as select * from app.payments;
create table app.prices (price numeric primary key, tenant_id uuid not null);
create table app.keyless (tenant_id uuid);
create table app.bare (id integer primary key, tenant_id uuid);
create table app.hidden (id integer primary key, tenant_id uuid);
alter table app.payments enable row level security;
alter table app.notes enable row level security;
alter table app."odd Lines" enable row level security;
alter table app.prices enable row level security;
alter table app.keyless enable row level security;
alter table app.hidden enable row level security;
create policy "people write payments" on app.payments for all to authenticated using (true);
grant select, insert, update, delete on app.payments to authenticated;
grant select on app.notes, app."odd Lines", app.keyless, app.bare to authenticated;

create function tests.tenant(n integer)
returns uuid
language sql
immutable
return md5('tenant ' || n)::uuid;

create function tests.notes()
returns jsonb
language sql
security definer
return (
  select coalesce(jsonb_agg(jsonb_build_array(n.owner_id, n.relation::text, k.keys) order by n.owner_id, n.note), '[]')
  from chat_private.table_notes as n
  cross join lateral (select array_agg(k.key order by k.key) as keys from unnest(n.keys) as k (key)) as k
);

create function tests.noted(statement text)
returns jsonb
language plpgsql
security definer
as $$
begin
  delete from chat_private.table_notes;
  execute statement;
  return tests.notes();
end;
$$;
create function tests.note(n integer, variadic keys text[])
returns jsonb
language sql
immutable
return jsonb_build_array(tests.tenant(n), 'app.payments', to_jsonb(keys));
-- (In the order of the owners.)
create function tests.both(a jsonb, b jsonb)
returns jsonb
language sql
immutable
return (select jsonb_agg(n.note order by n.note ->> 0) from (values (a), (b)) as n (note));
create function tests.topic(n integer, variadic tables text[])
returns jsonb
language sql
immutable
return jsonb_build_array('tenant:' || coalesce(tests.tenant(n), '00000000-0000-0000-0000-000000000000') || ':dashboard', to_jsonb(tables));
create function tests.savepoint_and_more()
returns void
language plpgsql
as $$
begin
  begin
    insert into app.payments values (7000, tests.tenant(2));
    raise exception using errcode = 'XX999';
  exception
    when sqlstate 'XX999' then
      insert into app.payments values (7001, tests.tenant(1));
  end;
end;
$$;

-- A test is one transaction, so its end is made by hand.
create function tests.told(statement text)
returns jsonb
language plpgsql
security definer
as $$
begin
  set constraints all immediate;
  set constraints all deferred;
  delete from chat_private.table_notes;
  perform tests.watch('Ann');
  execute statement;
  set constraints all immediate;
  set constraints all deferred;
  return (
    select coalesce(jsonb_agg(jsonb_build_array(m.topic, m.payload -> 'tables') order by m.topic), '[]')
    from realtime.messages as m
    where m.event = 'table_changed' and m.private and m.payload ->> 'id' = m.id::text
      and not exists (select from tests.seen_events as s where s.id = m.id)
  );
end;
$$;

select chat_private.stream_table('app.payments', 'tenant_id');
select chat_private.stream_table('app.notes', 'user_id', 'user');
select chat_private.stream_table('app."odd Lines"', 'Tenant', owner => 'tenant');
grant select on app.prices to authenticated;
select chat_private.stream_table('app.prices', 'tenant_id');

-- Notes
select is(tests.noted(statement), notes, title)
from (
  values
  (1, 'insert into app.payments select n, tests.tenant(1) from generate_series(1, 3) as n',
    jsonb_build_array(tests.note(1, '1', '2', '3')), 'one statement leaves one note of all its keys'),
  (2, 'update app.payments set amount = 5 where id < 3', jsonb_build_array(tests.note(1, '1', '2')),
    'an update notes each key once'),
  (3, 'update app.payments set tenant_id = tests.tenant(2) where id = 1',
    tests.both(tests.note(1, '1'), tests.note(2, '1')), 'a row that moves is noted for both owners'),
  (4, 'update app.payments set id = 9 where id = 2', jsonb_build_array(tests.note(1, '2'), tests.note(1, '9')),
    'a key that changes is noted with both values'),
  (5, 'delete from app.payments where id = 9', jsonb_build_array(tests.note(1, '9')), 'a delete is noted'),
  (6, 'insert into app.payments values (7, null)', '[]', 'a row without an owner is noted for nobody'),
  (7, 'update app.payments set amount = 1 where false', '[]', 'a statement that changes no row leaves no note'),
  (8, 'insert into app."odd Lines" values (5, ''x "y'', tests.tenant(1))',
    jsonb_build_array(jsonb_build_array(tests.tenant(1), 'app."odd Lines"', jsonb_build_array('[5, "x \"y"]'))),
    'a key of two columns is a list'),
  (9, 'update app.lines_low set a = 6',
    jsonb_build_array(
      jsonb_build_array(tests.tenant(1), 'app."odd Lines"', jsonb_build_array('[5, "x \"y"]')),
      jsonb_build_array(tests.tenant(1), 'app."odd Lines"', jsonb_build_array('[6, "x \"y"]'))
    ),
    'a write that names a partition is noted under the name of its table'),
  (10, 'insert into app.payments values (3, tests.tenant(1)) on conflict (id) do update set amount = 8',
    jsonb_build_array(tests.note(1, '3')), 'an upsert is noted'),
  (11, 'insert into app.prices values (1.0, tests.tenant(1)); update app.prices set price = 1.00',
    jsonb_build_array(
      jsonb_build_array(tests.tenant(1), 'app.prices', '["1.0"]'::jsonb),
      jsonb_build_array(tests.tenant(1), 'app.prices', '["1.0"]'::jsonb),
      jsonb_build_array(tests.tenant(1), 'app.prices', '["1.00"]'::jsonb)
    ),
    'a key that is equal and has another text is another key'),
  (12, 'update app.payments set tenant_id = tests.tenant(1) where id = 7', jsonb_build_array(tests.note(1, '7')),
    'a row that gets an owner is noted'),
  (13, 'update app.payments set tenant_id = null where id = 7', jsonb_build_array(tests.note(1, '7')),
    'a row that loses its owner is noted'),
  (14, 'update app."odd Lines" set a = 150 where a = 6; update app."odd Lines" set a = 6 where a = 150',
    (
      select jsonb_agg(
        jsonb_build_array(tests.tenant(1), 'app."odd Lines"', jsonb_build_array(format('[%s, "x \"y"]', k.a)))
        order by k.place
      )
      from unnest('{6,150,150,6}'::integer[]) with ordinality as k (a, place)
    ),
    'a row that moves to another partition is noted with both keys'),
  (15, 'update app.payments set tenant_id = tests.tenant(case id when 1 then 1 else 2 end) where id in (1, 3)',
    (
      select jsonb_agg(n.note order by n.note ->> 0, n.place)
      from (
        values
        (1, tests.note(2, '1')), (2, tests.note(1, '3')), (3, tests.note(1, '1')), (4, tests.note(2, '3'))
      ) as n (place, note)
    ),
    'rows that change places are noted for both owners'),
  (16, 'update app.payments set tenant_id = tests.tenant(1) where id = 3', tests.both(tests.note(1, '3'), tests.note(2, '3')),
    'a row of an owner who has several is noted alone')
) as s (place, statement, notes, title)
order by place;
select is(
  tests.noted('insert into app.payments select n, tests.tenant(1) from generate_series(1001, 3500) as n') @?
    '$[*] ? (@[2].size() > 1000)',
  false, 'a note has at most 1,000 keys'
);
select is(
  jsonb_array_length(tests.noted('update app.payments set amount = 2 where id > 1000')), 3,
  '2,500 rows of one owner are three notes'
);

-- Ways in which rows move
create table app.derived (id integer primary key, n integer, tenant_id uuid generated always as (tests.tenant(n)) stored);
create table app.groups (tenant_id uuid primary key);
create table app.lines (id integer primary key, tenant_id uuid references app.groups on update cascade);
create table app.hooked (id integer primary key, n integer, tenant_id uuid);
create table app.hooked_later (like app.hooked including all);
create table app.viewed (like app.hooked including all);
create table app.merged (like app.hooked including all);
create table app.upserted (like app.hooked including all);
create view app.followed as select v.tenant_id, v.id from app.viewed as v;
alter table app.derived enable row level security;
alter table app.lines enable row level security;
alter table app.hooked enable row level security;
alter table app.hooked_later enable row level security;
alter table app.viewed enable row level security;
alter table app.merged enable row level security;
alter table app.upserted enable row level security;
grant select on app.derived, app.lines, app.hooked, app.hooked_later, app.viewed, app.merged, app.upserted to authenticated;
create function app.set_tenant()
returns trigger
language plpgsql
as $$
begin
  new.tenant_id := tests.tenant(new.n);
  return new;
end;
$$;
create trigger set_tenant before update on app.hooked for each row execute function app.set_tenant();
select chat_private.stream_table(t, 'tenant_id') from unnest('{app.derived,app.lines,app.hooked,app.hooked_later,app.viewed,app.merged,app.upserted}'::regclass[]) as t;
insert into app.derived values (1, 1);
insert into app.groups values (tests.tenant(1));
insert into app.lines values (1, tests.tenant(1));
insert into app.hooked values (1, 1, tests.tenant(1));
insert into app.hooked_later select h.* from app.hooked as h;
insert into app.viewed select h.* from app.hooked as h;
insert into app.merged select h.* from app.hooked as h;
insert into app.upserted select h.* from app.hooked as h;
create function tests.moved(relation text)
returns jsonb
language sql
return (
  select jsonb_agg(jsonb_build_array(tests.tenant(n), moved.relation, '["1"]'::jsonb) order by tests.tenant(n))
  from unnest('{1,2}'::integer[]) as n
);
select is(tests.noted(statement), tests.moved(relation), title)
from (
  values
  ('update app.derived set n = 2', 'app.derived', 'a row whose owner is generated moves'),
  ('update app.groups set tenant_id = tests.tenant(2)', 'app.lines', 'a row that follows a foreign key moves'),
  ('update app.hooked set n = 2', 'app.hooked', 'a row that a trigger of the project moves is noted for both owners'),
  ('update app.followed set tenant_id = tests.tenant(2)', 'app.viewed', 'a row that moves through a view is noted for both owners'),
  ('merge into app.merged as m using (values (1)) as v (id) on m.id = v.id
    when matched and m.n > 5 then do nothing when matched then update set tenant_id = tests.tenant(2)', 'app.merged', 'a row that a merge moves is noted for both owners'),
  ('insert into app.upserted values (1, 1, tests.tenant(2)) on conflict (id) do update set tenant_id = excluded.tenant_id',
    'app.upserted', 'a row that an upsert moves is noted for both owners')
) as s (statement, relation, title);
select is(
  (
    select jsonb_object_agg(t.tgrelid::regclass, t.tgattr::text)
    from pg_trigger as t
    where t.tgname = '_900_move' and t.tgrelid in ('app.derived'::regclass, 'app.hooked'::regclass)
  ), '{"app.derived": "1 3", "app.hooked": ""}', 'an update that names neither key nor owner pays no condition, where no trigger may change them'
);
select is(chat_private.stream_changed_tables(), 0, 'tables that had such triggers when they were streamed stay as they are');
create trigger set_tenant before update on app.hooked_later for each row execute function app.set_tenant();
select is((chat.run_maintenance() ->> 'tables_streamed_again')::integer, 1, 'maintenance notices a trigger that came later');
select is((chat.run_maintenance() ->> 'tables_streamed_again')::integer, 0, 'once');
select is(
  tests.noted('update app.hooked_later set n = 2'), tests.moved('app.hooked_later'), 'from then on its moves are noted'
);
select chat_private.unstream_table(t) from unnest('{app.derived,app.lines,app.hooked,app.hooked_later,app.viewed,app.merged,app.upserted}'::regclass[]) as t;

-- What is told
select is(tests.told(statement), told, title)
from (
  values
  (1, 'update app.payments set amount = amount + 1 where tenant_id = tests.tenant(1)',
    jsonb_build_array(tests.topic(1, 'app.payments')), 'an update of many rows is one event'),
  (2, 'insert into app.payments values (5000, tests.tenant(1)); delete from app.payments where id = 5000;
    update app.lines_low set "b%b" = ''z''',
    jsonb_build_array(tests.topic(1, 'app."odd Lines"', 'app.payments')), 'a transaction is one event with all names'),
  (3, 'update app.payments set tenant_id = tests.tenant(3) where id = 3',
    (select jsonb_agg(tests.topic(n, 'app.payments') order by tests.topic(n, 'app.payments')) from unnest('{1,3}'::integer[]) as n),
    'a move is told to both owners'),
  (4, 'insert into app.payments select 10000 + n, tests.tenant(n) from generate_series(1, 1001) as n',
    jsonb_build_array(tests.topic(null, 'app.payments')), 'more than a thousand owners are told at once'),
  (5, 'truncate app.payments', jsonb_build_array(tests.topic(null, 'app.payments')), 'a truncate is told to all'),
  (6, format('insert into app.notes (user_id) values (%L)', tests.id_of('Ann')),
    jsonb_build_array(jsonb_build_array(
      format('user:%s:%s', tests.id_of('Ann'), (select epoch from chat_private.user_streams where user_id = tests.id_of('Ann'))),
      '["app.notes"]'::jsonb
    )), 'a row of a person is told on their own topic'),
  (7, 'select chat_private.refresh_table(''app.payments'', tests.tenant(1))',
    jsonb_build_array(tests.topic(1, 'app.payments')), 'a refresh is told to its owner'),
  (8, 'select chat_private.refresh_table(''app.notes'')', jsonb_build_array(tests.topic(null, 'app.notes')),
    'a refresh of everything is told to all'),
  (9, 'insert into app.payments select 20000 + n, tests.tenant(n) from generate_series(1, 1001) as n;
    update app.payments set amount = 3 where id = 20001; update app.payments set amount = 4 where id = 20001',
    (select jsonb_agg(t.topic order by t.topic) from unnest(array[tests.topic(null, 'app.payments'), tests.topic(1, 'app.payments')]) as t (topic)),
    'an owner who was told with everybody is told once more of what comes after'),
  (10, 'update app.payments set amount = 5 where id in (20001, 20002); update app.lines_low set "b%b" = ''y''',
    tests.both(tests.topic(1, 'app."odd Lines"', 'app.payments'), tests.topic(2, 'app.payments')),
    'each owner of a transaction is told once, of the tables that are theirs'),
  (11, 'update app.lines_low set "b%b" = ''x''; update app.payments set amount = 6 where id in (20001, 20002)',
    tests.both(tests.topic(1, 'app."odd Lines"', 'app.payments'), tests.topic(2, 'app.payments')),
    'whichever table is written first')
) as s (place, statement, told, title)
order by place;
select is(
  tests.told('select tests.savepoint_and_more()'), jsonb_build_array(tests.topic(1, 'app.payments')),
  'what a savepoint took back is not told, and what came after is'
);

select is(
  jsonb_array_length(tests.noted(
    'insert into app.payments values (8000, tests.tenant(1)); update app.payments set id = 8001 where id = 8000;
    delete from app.payments where id = 8001'
  )), 4, 'each statement of a transaction leaves a note'
);

-- People of the app write, too
select tests.act_as('Ann');
select lives_ok('insert into app.payments values (6000, tests.tenant(1))', 'people who may write a streamed table need no rights of ours');
select tests.stop_acting();

-- What cannot travel
select throws_ok(statement, 'PT400', 'invalid_input', title)
from (
  values
  ($$ select chat_private.stream_table('app.everything', 'tenant_id') $$, 'a view cannot travel'),
  ($$ select chat_private.stream_table('app.payments', 'amount') $$, 'a column that is no uuid holds no owner'),
  ($$ select chat_private.stream_table('app.payments', 'nothing') $$, 'a column that is not there holds no owner'),
  ($$ select chat_private.stream_table('app.payments', 'tenant_id', 'team') $$, 'an owner is a tenant or a user'),
  ($$ select chat_private.stream_table('app.keyless', 'tenant_id') $$, 'a table without a primary key cannot travel'),
  ($$ select chat_private.stream_table('app.bare', 'tenant_id') $$, 'a table without row level security cannot travel'),
  ($$ select chat_private.stream_table('app.hidden', 'tenant_id') $$, 'a table that nobody may read cannot travel'),
  ($$ select chat_private.stream_table(null, 'tenant_id') $$, 'nothing cannot travel'),
  ($$ select chat_private.refresh_table('app.bare') $$, 'a table that does not travel cannot be refreshed')
) as s (statement, title);

-- Folding and purging
delete from chat_private.table_notes;
insert into chat_private.table_notes (owner_id, xid, after, relation, keys)
values
  (tests.tenant(1), '100', '90', 'app.payments', '{a,b}'),
  (tests.tenant(1), '110', '105', 'app.payments', '{b}'),
  (tests.tenant(1), '120', '105', 'app.payments', '{a,c}'),
  (tests.tenant(1), '130', '110', 'app.payments', '{b,c}'),
  (tests.tenant(2), '140', '140', 'app.payments', '{a}');
select is(
  chat_private.tidy_table_notes(100), '{"table_notes_folded": 1, "table_notes_dropped": 0}',
  'tidying shortens the notes whose keys stand in later ones, and notes of today stay'
);
select is(
  (select jsonb_agg(jsonb_build_array(n.xid::text, n.keys) order by n.xid) from chat_private.table_notes as n),
  '[["110", ["b"]], ["120", ["a", "c"]], ["130", ["b", "c"]], ["140", ["a"]]]',
  'a key stays while its transaction may have been open when the later note was made'
);
update chat_private.table_notes set noted_at = now() - interval '31 days' where xid <= '120';
select is(
  (select sum((chat_private.tidy_table_notes(1) ->> 'table_notes_dropped')::integer) from generate_series(1, 4)), 2::bigint,
  'notes go after settings.keep_changes, a portion at a time'
);
select is(
  (select purged_xid from chat_private.table_owners where owner_id = tests.tenant(1) and relation = 'app.payments'::regclass),
  '120'::xid8, 'purging remembers up to which transaction notes are gone'
);

-- Twice, and no more
select lives_ok($$ select chat_private.stream_table('app.payments', 'tenant_id') $$, 'a table may be streamed again');
select is(
  tests.noted('insert into app.payments values (6001, tests.tenant(1))'), jsonb_build_array(tests.note(1, '6001')),
  'what is streamed twice is noted once'
);
select lives_ok($$ select chat_private.unstream_table('app.payments') $$, 'a table may be let alone');
select lives_ok($$ select chat_private.unstream_table('app.payments') $$, 'a table that does not travel may be let alone');
select is(tests.noted('insert into app.payments values (6002, tests.tenant(1))'), '[]', 'what does not travel any more is not noted');
select lives_ok(
  $$ select chat_private.unstream_table(t) from unnest('{"app.\"odd Lines\"",app.notes,app.prices}'::regclass[]) as t $$, 'a partitioned table may be let alone'
);
select is_empty(
  $$
    select t.tgname from pg_trigger as t
    where t.tgrelid in ('app.payments'::regclass, 'app."odd Lines"'::regclass, 'app.lines_low'::regclass)
    union all
    select p.proname from pg_proc as p where p.proname like 'tg\_streamed\_%\_\_note'
  $$,
  'no trigger and no function of ours is left'
);

select * from finish();
rollback;
