-- create_room: a group opens with its first people in it.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_people('Ann', 'Bob', 'Cat', 'Dan');

-- How many
savepoint caps; -- noqa: PRS
select tests.act_as('Ann');
select tests.change_as_owner('update chat_private.settings set open_rooms_per_person = 2');
select chat.open_direct(tests.id_of('Bob')), chat.open_direct(tests.id_of('Cat'));
select tests.remember('first', (chat.create_room('First')).id);
select tests.lets('Ann', $$ select chat.create_room('Second') $$, 'direct rooms count for nothing');
select tests.refuses('Ann', 'payload_too_large', $$ select chat.create_room('Third') $$, 'open rooms come to an end');
select tests.lets('Bob', $$ select chat.create_room('Mine') $$, 'open rooms are counted for whoever created them');
select tests.act_as('Ann');
select chat.archive_room(tests.room('first'));
select tests.lets('Ann', $$ select chat.create_room('Third') $$, 'what is archived is not open');
rollback to caps;

savepoint added; -- noqa: PRS
select tests.change_as_owner('update chat_private.settings set members_added_per_day = 3');
select tests.act_as('Ann');
select tests.lets(
  'Ann', $$ select chat.create_room('Two', member_ids => array[tests.id_of('Bob'), tests.id_of('Cat')]) $$, 'people may be put into rooms within the limit of a day'
);
select tests.lets(
  'Ann', $$ select chat.create_room('Two', member_ids => array[tests.id_of('Bob'), tests.id_of('Cat')]) $$,
  'the last call may put in more than there were left'
);
select is(
  tests.slug_of(tests.refusal($$ select chat.create_room('One', member_ids => array[tests.id_of('Bob')]) $$)),
  'slow_down', 'the call after the last one waits'
);
select tests.lets('Ann', $$ select chat.create_room('Alone') $$, 'a room without other people does not wait for the limit of a day');
select tests.lets('Bob', $$ select chat.create_room('One', member_ids => array[tests.id_of('Ann')]) $$, 'nobody else has to wait for somebody''s limit of a day');
select tests.change_as_owner('update chat_private.rate_buckets set full_at = full_at - interval ''1 d''');
select tests.lets('Ann', $$ select chat.create_room('One', member_ids => array[tests.id_of('Bob')]) $$, 'a day later people may be put into rooms again');
rollback to added;

-- Metadata
savepoint metadata; -- noqa: PRS
select tests.act_as('Ann');
select is((chat.create_room('plain')).metadata, '{}', 'a room has no metadata unless it is given some');
select is(
  (chat.create_room('order 7', metadata => '{"order": 7}')).metadata, '{"order": 7}', 'a room begins with the metadata it is given'
);
select tests.refuses(
  'Ann', slug, format('select chat.create_room(''x'', metadata => %L)', value), format('no room begins with %s', what)
)
from (
  values
  ('[]', 'invalid_input', 'metadata that are an array'),
  (jsonb_build_object('x', repeat('x', 5000))::text, 'payload_too_large', 'metadata of 5 KB')
) as v (value, slug, what);
rollback to metadata;

-- Opaque rooms
savepoint opaque; -- noqa: PRS
select tests.act_as('Ann');
select is((chat.create_room('plain')).is_opaque, false, 'a room is not opaque unless it is made so');
select is((chat.create_room('plain', is_opaque => null)).is_opaque, false, 'null leaves a new room as rooms are');
select tests.remember('vault', (chat.create_room('vault', is_opaque => true)).id);
select ok(r.is_opaque, 'a room may be made opaque') from chat.rooms as r where r.id = tests.room('vault');
select tests.stop_acting();
select throws_ok(
  format('update chat.rooms set is_opaque = not is_opaque where id = %L', tests.room('vault')), '23514',
  'new row for relation "rooms" violates check constraint "is_opaque_is_fixed"', 'an opaque room stays opaque'
);
rollback to opaque;

-- What it costs
savepoint prices; -- noqa: PRS
select tests.costs('Ann', 10, $$ select chat.create_room('Alone') $$, 'a room costs 10');
select tests.costs(
  'Ann', 30, $$ select chat.create_room('Three', member_ids => array[tests.id_of('Bob'), tests.id_of('Cat')]) $$,
  'a room costs 10 for everybody who is put into it'
);
rollback to prices;

-- Ann, who opens a room
select tests.act_as('Ann');
select tests.watch('Ann', 'Bob', 'Cat');
select tests.remember('trip', (chat.create_room('  Trip  ', member_ids => array[
  tests.id_of('Bob'), tests.id_of('Bob'), tests.id_of('Ann')
])).id);
select is(
  (select name from chat.rooms where id = tests.room('trip')), 'Trip', 'the name of a room is trimmed'
);
select results_eq(
  $$ select user_id, role from chat.room_members where room_id = tests.room('trip') order by role $$,
  $$ values (tests.id_of('Bob'), 'member'), (tests.id_of('Ann'), 'owner') $$,
  'the opener is the owner, everybody else is in once'
);
select tests.took_one_user_number('Ann', 'the owner''s stream tells of the membership');
select tests.took_one_user_number('Bob', 'the member''s stream tells of the membership');
select is(
  (select member_count from chat.rooms where id = tests.room('trip')), 2, 'the people of a new room are counted'
);
select is(
  (select rev from chat.rooms where id = tests.room('trip')), 1::bigint, 'opening a room takes number 1'
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

-- Which tenant
select tests.make_people('Eve');
select tests.change_as_owner(format(
  'insert into chat.tenants (tenant_id, name) values (md5(''elsewhere'')::uuid, ''Elsewhere'');
   insert into chat.tenant_members (tenant_id, user_id, joined_at)
   select md5(''elsewhere'')::uuid, u, now() - interval ''1 year'' from unnest(array[%L, %L, %L]::uuid[]) as u;
   delete from chat.tenant_members
   where user_id = %L and tenant_id <> md5(''elsewhere'')::uuid',
  tests.id_of('Ann'), tests.id_of('Bob'), tests.id_of('Eve'), tests.id_of('Eve')
));
select throws_ok(
  $$ select chat.create_room('x') $$, 'PT400', 'tenant_required',
  'I13: nothing falls into a tenant because it came first'
);
select throws_ok(
  $$ select chat.create_room('x', member_ids => array[tests.id_of('Bob')]) $$, 'PT400',
  'tenant_required', 'where several would do, one has to be named'
);
select is(
  (chat.create_room('x', member_ids => array[tests.id_of(name), tests.id_of('Bob')])).tenant_id,
  tenant_id, format('the only tenant that all share is chosen when none is named: with %s', name)
)
from (
  values
  ('Cat', '00000000-0000-0000-0000-000000000001'::uuid), ('Eve', md5('elsewhere')::uuid)
) as c (name, tenant_id);
select throws_ok(
  $$ select chat.create_room('x', member_ids => array[tests.id_of('Cat'), tests.id_of('Eve')]) $$,
  'PT404', 'user_not_found', 'people who share none with each other get no room'
);
select tests.make_people('Loner');
select tests.change_as_owner(format(
  'delete from chat.tenant_members where user_id = %L', tests.id_of('Loner')
));
select is(
  tests.refusal(format('select chat.create_room(''x'', member_ids => array[%L]::uuid[])', tests.id_of('Loner'))),
  tests.refusal(format('select chat.create_room(''x'', member_ids => array[%L]::uuid[])', gen_random_uuid())),
  'I8: somebody elsewhere looks like nobody when there are several tenants, too'
);
select is(
  (chat.create_room('x', tenant_id => md5('elsewhere')::uuid)).tenant_id, md5('elsewhere')::uuid,
  'a tenant that is named is taken'
);
select tests.act_as('Bob');
select throws_ok($$ select chat.create_room('x') $$, 'PT400', 'tenant_required', 'somebody else who is in several tenants has to name one as well');
select tests.act_as('Cat');
select is(
  (chat.create_room('x')).tenant_id, '00000000-0000-0000-0000-000000000001',
  'people who are in one tenant need not name it'
);
select tests.change_as_owner(
  'delete from chat.tenant_members where tenant_id = md5(''elsewhere'')::uuid'
);

-- Who is brought in is told
select tests.watch('Cat', 'Ann');
select tests.act_as('Ann');
select tests.remember('camp', (chat.create_room('Camp', member_ids => array[tests.id_of('Cat')])).id);
select tests.took_one_user_number('Cat', 'the invite goes with the membership');
select tests.act_as('Cat');
select results_eq(
  $$ select n.kind, n.actor_id from chat.list_notifications() as n where n.room_id = tests.room('camp') $$,
  $$ values ('invite', tests.id_of('Ann')) $$, 'somebody who is in from the beginning is invited like somebody who is added'
);
select tests.act_as('Ann');
select is_empty(
  $$ select from chat.list_notifications() as n where n.room_id = tests.room('camp') $$,
  'somebody who opens a room is not notified of it'
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
  (select is_large from chat.rooms where id = tests.room('hall')), false, 'a room of 16 people is small'
);
select is(
  (select is_large from chat.rooms where id = tests.room('stadium')), true, 'a room of 17 people is large'
);

-- A number holds a hundred people
select tests.stop_acting();
select tests.make_people(variadic array(select 'Q' || n from generate_series(1, 250) as n));
select tests.watch('Q1', 'Q250');
select tests.act_as('Ann');
select tests.remember('dome', (chat.create_room('Dome', member_ids => array(
  select tests.id_of('Q' || n) from generate_series(1, 99) as n
))).id);
select tests.remember('arena', (chat.create_room('Arena', member_ids => array(
  select tests.id_of('Q' || n) from generate_series(1, 250) as n
))).id);
select results_eq(
  $$ select (tests.head_of(name)).rev from unnest(array['dome', 'arena']) as n (name) $$,
  $$ values (1::bigint), (3) $$, 'a hundred people open a room with one number, 251 with three'
);
select results_eq(
  $$ select rev, count(*), min(joined_rev) from chat.room_members where room_id = tests.room('arena') group by rev order by rev $$,
  $$ values (1::bigint, 100::bigint, 1::bigint), (2, 100, 1), (3, 51, 1) $$, 'each number of a new room has at most a hundred people, who came in with the first one'
);
select is(
  (select rev from chat.room_members where room_id = tests.room('arena') and role = 'owner'), 1::bigint, 'the owner came in with the first number'
);
select is(
  (
    select jsonb_array_length(chat.pull_changes(jsonb_build_object(
        'user', (tests.head_of('Ann')).rev, 'rooms', jsonb_build_object(tests.room('arena'), 1), 'limit', n
      ))
      #> '{rooms,0,rows,members}')
  ),
  found, format('with the first number and a limit of %s, %s more come', n, found)
)
from (values (1, 100), (100, 100), (151, 151), (5000, 151)) as l (n, found);
select tests.stop_acting();
select results_eq(
  format($$
    select distinct (payload ->> 'from')::integer, (payload ->> 'to')::integer from realtime.messages where payload ->> 'room_id' = %L
  $$, tests.room('arena')),
  $$ values (0, 3) $$, 'all numbers of a new room are told in one step'
);

-- Dan, a stranger
select tests.act_as('Dan');
select is_empty(
  $$ select from chat.rooms where id = tests.room('trip') $$, 'a stranger does not see the room'
);
select is_empty(
  $$ select from chat.room_members where room_id = tests.room('trip') $$,
  'a stranger does not see who is in a room'
);

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  $$ select chat.create_room('x') $$, '42501', 'permission denied for function create_room',
  'signed out people open nothing'
);

select * from finish();
rollback;
