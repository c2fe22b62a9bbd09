-- run_maintenance: what has to happen by itself.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
select tests.act_as('Cat');
select tests.remember('with_bob', (chat.open_direct(tests.id_of('Bob'))).id);
select tests.stop_acting();

-- The service
set local role service_role;
select is(
  (chat.run_maintenance() ->> 'memberships_ended')::integer, 0, 'nothing is due while all accounts are open'
);
reset role;
delete from auth.users where id = tests.id_of('Cat');
select tests.watch('trip', 'hall', 'late', 'tower', 'plaza', 'pair', 'with_bob', 'Cat', 'Ann', 'Bob');
set local role service_role;
select is(
  (chat.run_maintenance() ->> 'memberships_ended')::integer, 7, 'a closed account is taken out of its rooms'
);
reset role;
select tests.moved(
  '{"trip": 1, "hall": 1, "late": 1, "tower": 1, "plaza": 1, "pair": 1, "with_bob": 1, "Cat": 1}',
  'each by one number'
);
select tests.took_one_number(name, format('announced in %s', name))
from unnest(array['trip', 'hall', 'late', 'tower', 'plaza', 'pair']) as n (name);
select is(
  (tests.head_of(h.stream)).epoch, h.epoch + 1, format('I5: %s moves to another topic, whoever may join it', h.stream)
)
from tests.heads as h
where h.stream in ('trip', 'tower', 'plaza');
set local role service_role;
select is((chat.run_maintenance() ->> 'memberships_ended')::integer, 0, 'and then nothing is left to do');
reset role;
select tests.act_as('Ann');
select is(
  (select display_name from chat.list_profiles(array[tests.id_of('Cat')])), 'Cat', 'the name stays readable'
);
select isnt_empty(
  $$ select from chat.rooms where id = tests.room('pair') $$, 'so does the direct room, to the other'
);

-- Everybody else
select throws_ok(
  'select chat.run_maintenance()', '42501', 'permission denied for function run_maintenance',
  'signed-in people maintain nothing'
);
select tests.act_as_nobody();
select throws_ok(
  'select chat.run_maintenance()', '42501', 'permission denied for function run_maintenance',
  'nor do signed-out ones'
);

select * from finish();
rollback;
