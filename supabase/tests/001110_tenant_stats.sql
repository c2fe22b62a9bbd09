-- tenant_stats: how large a tenant is, and how much goes on in it.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
select tests.act_as('Ann');
create temp table mine as select (chat.create_tenant('Ours')).tenant_id;
grant all on mine to public;
select chat.create_room('a', tenant_id => (select tenant_id from mine));
select tests.remember('b', (chat.create_room('b', tenant_id => (select tenant_id from mine))).id);
select chat.archive_room(tests.room('b'));
select results_eq(
  $$ select members, rooms, archived_rooms, rooms_active_today from chat.tenant_stats((select tenant_id from mine)) $$,
  $$ values (1::bigint, 1::bigint, 1::bigint, 2::bigint) $$, 'an owner sees places and rooms'
);
select is(
  (chat.tenant_stats((select tenant_id from mine))).messages,
  tests.as_owner('select count(*) from chat.messages as m join chat.rooms as r on r.id = m.room_id join mine on mine.tenant_id = r.tenant_id')::bigint,
  'messages are counted by the heads of rooms'
);
select tests.refuses('Bob', 'not_allowed', $$ select chat.tenant_stats((select tenant_id from mine)) $$, 'a stranger sees no numbers');
select tests.refuses('Ann', 'not_allowed', $$ select chat.tenant_stats(gen_random_uuid()) $$, 'a tenant that is not there has no numbers');
select tests.refuses('Bob', 'not_allowed', $$ select chat.tenant_stats('00000000-0000-0000-0000-000000000001') $$, 'a member sees no numbers');
select tests.act_as_nobody();
select throws_ok(
  $$ select chat.tenant_stats((select tenant_id from mine)) $$, '42501', 'permission denied for function tenant_stats', 'signed-out people see no numbers'
);
select tests.act_without_sub();
select throws_ok(
  $$ select chat.tenant_stats((select tenant_id from mine)) $$, 'PT401', 'sign_in_required', 'a token that names nobody sees no numbers'
);
select tests.stop_acting();

select * from finish();
rollback;
