-- create_room: a group opens with its first people in it.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_people('Ann', 'Bob', 'Cat', 'Dan');

-- Ann, who opens a room
select tests.act_as('Ann');
select tests.watch('Ann', 'Bob', 'Cat');
select tests.remember('trip', (chat.create_room('  Trip  ', member_ids => array[
  tests.id_of('Bob'), tests.id_of('Bob'), tests.id_of('Ann')
])).id);
select is(
  (select name from chat.rooms where id = tests.room('trip')), 'Trip', 'the name is trimmed'
);
select results_eq(
  $$ select user_id, role from chat.room_members where room_id = tests.room('trip') order by role $$,
  $$ values (tests.id_of('Bob'), 'member'), (tests.id_of('Ann'), 'owner') $$,
  'the opener is the owner, everybody else is in once'
);
select tests.took_one_user_number('Ann', 'the owner''s stream tells of the membership');
select tests.took_one_user_number('Bob', 'the member''s stream tells of the membership');
select is(
  (select member_count from chat.rooms where id = tests.room('trip')), 2, 'members are counted'
);
select is(
  (select rev from chat.rooms where id = tests.room('trip')), 1::bigint, 'opening took number 1'
);

select throws_ok(
  $$ select chat.create_room('x', kind => 'direct') $$, 'PT400', 'invalid_input',
  'a direct room is not made here'
);
select throws_ok(
  $$ select chat.create_room('   ') $$, 'PT400', 'invalid_input', 'a name is not blank'
);
select throws_ok(
  $$ select chat.create_room(repeat('x', 121)) $$, 'PT400', 'invalid_input', 'a name is short'
);
select lives_ok($$ select chat.create_room(repeat('x', 120)) $$, 'a name of 120 characters fits');
select throws_ok(
  $$ select chat.create_room(E'a\nb') $$, 'PT400', 'invalid_input', 'a name is one line'
);
select throws_ok(
  $$ select chat.create_room(U&'a\202Eb') $$, 'PT400', 'invalid_input',
  'a name does not turn its neighbours around'
);
select throws_ok(
  $$ select chat.create_room('x', history => 'some') $$, 'PT400', 'invalid_input',
  'history is all or since_join'
);
select throws_ok(
  $$ select chat.create_room('x', member_ids => array[gen_random_uuid()]) $$,
  'PT404', 'user_not_found', 'nobody cannot be a member'
);
select throws_ok(
  $$ select chat.create_room('x', tenant_id => gen_random_uuid()) $$,
  'PT403', 'not_allowed', 'a room lives in a tenant of mine'
);

-- Who is brought in is told
select tests.watch('Cat', 'Ann');
select tests.act_as('Ann');
select tests.remember('camp', (chat.create_room('Camp', member_ids => array[tests.id_of('Cat')])).id);
select tests.took_one_user_number('Cat', 'the invite goes with the membership');
select tests.act_as('Cat');
select results_eq(
  $$ select n.kind, n.actor_id from chat.list_notifications() as n where n.room_id = tests.room('camp') $$,
  $$ values ('invite', tests.id_of('Ann')) $$, 'who is in from the beginning is invited like who is added'
);
select tests.act_as('Ann');
select is_empty(
  $$ select from chat.list_notifications() as n where n.room_id = tests.room('camp') $$,
  'who opens the room is not'
);

-- Ann, with more people than a small room holds
select tests.make_people('P1','P2','P3','P4','P5','P6','P7','P8','P9','P10','P11','P12','P13','P14','P15','P16');
select tests.remember('hall', (chat.create_room('Hall', member_ids => array(
  select tests.id_of('P' || n) from generate_series(1, 15) as n
))).id);
select tests.remember('stadium', (chat.create_room('Stadium', member_ids => array(
  select tests.id_of('P' || n) from generate_series(1, 16) as n
))).id);
select is(
  (select is_large from chat.rooms where id = tests.room('hall')), false, '16 people are small'
);
select is(
  (select is_large from chat.rooms where id = tests.room('stadium')), true, '17 people are large'
);

-- Dan, a stranger
select tests.act_as('Dan');
select is_empty(
  $$ select from chat.rooms where id = tests.room('trip') $$, 'a stranger does not see the room'
);
select is_empty(
  $$ select from chat.room_members where room_id = tests.room('trip') $$,
  'a stranger does not see who is in it'
);

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  $$ select chat.create_room('x') $$, '42501', 'permission denied for function create_room',
  'signed out people open nothing'
);

select * from finish();
rollback;
