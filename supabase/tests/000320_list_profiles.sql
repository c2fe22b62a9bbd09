-- list_profiles: the names behind ids.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

-- Ann
select tests.act_as('Ann');
select results_eq(
  $$
    select display_name from chat.list_profiles(array[
      tests.id_of('Cat'), tests.id_of('Ann'), tests.id_of('Cat'), tests.id_of('Tom'),
      gen_random_uuid(), null
    ])
  $$,
  $$
    select n.name from unnest(array['Ann', 'Cat']) as n (name) order by tests.id_of(n.name)
  $$,
  'everybody of the tenant comes once; people who are absent or elsewhere are left out'
);
select is_empty($$ select chat.list_profiles('{}') $$, 'an empty list of people gets nobody');
select is_empty($$ select chat.list_profiles(null) $$, 'null instead of a list of people gets nobody');
select lives_ok(
  $$ select chat.list_profiles(array(select gen_random_uuid() from generate_series(1, 200))) $$,
  '200 profiles come at once'
);
select throws_ok(
  $$ select chat.list_profiles(array(select gen_random_uuid() from generate_series(1, 201))) $$,
  'PT413', 'payload_too_large', 'more than 200 profiles do not come at once'
);

-- Tom, of another tenant
select tests.act_as('Tom');
select results_eq(
  $$
    select display_name from chat.list_profiles(array[tests.id_of('Ann'), tests.id_of('Tom')])
  $$,
  $$ values ('Tom') $$, 'people of another tenant find only their own'
);

-- With a room: Eve wrote in trip, Xen was in it; both live elsewhere now
select tests.make_people('Eve', 'Fay');
select tests.act_as('Ann');
select chat.add_member(tests.room('trip'), tests.id_of('Eve'));
select tests.act_as('Eve');
select chat.send_message(tests.room('trip'), 'bye', gen_random_uuid());
select tests.stop_acting();
delete from chat.room_members where user_id = tests.id_of('Eve');
update chat.profiles set avatar_path = 'a.png', label = 'guide';
select tests.move_to_another_tenant(name) from unnest('{Eve,Xen,Fay}'::text[]) as n (name);
create temp table people as
select array(select tests.id_of(n) from unnest('{Ann,Cat,Eve,Xen,Fay}'::text[]) as n) as ids;
grant select on people to public;
select tests.act_as('Ann');
select set_eq(
  $$ select p.display_name from people, chat.list_profiles(ids) as p $$, $$ values ('Ann'), ('Cat') $$,
  'I13: people who have left the tenant are left out when no room is named'
);
select set_eq(
  $$
    select p.display_name, p.avatar_path, p.label, p.is_bot, p.created_at is null
    from people, chat.list_profiles(ids, tests.room('trip')) as p
  $$,
  $$
    values
    ('Ann', 'a.png', 'guide', false, false), ('Cat', 'a.png', 'guide', false, false),
    ('Eve', null, null, false, true), ('Xen', null, null, false, true)
  $$,
  'somebody who was in a named room or wrote in it is named, by the name and nothing else'
);
select set_eq(
  $$ select p.display_name from people, chat.list_profiles(ids, tests.room('pair')) as p $$,
  $$ values ('Ann'), ('Cat') $$, 'another room adds its own people only'
);
select tests.act_as('Xen');
select results_eq(
  format('select p.display_name from people, chat.list_profiles(ids, %L) as p order by 1', room_id),
  $$ values ('Eve'), ('Fay'), ('Xen') $$,
  'I8: a room the caller is not in adds nobody, like one that does not exist'
)
from (values (tests.room('trip')), (gen_random_uuid())) as r (room_id);

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  $$ select chat.list_profiles('{}') $$, '42501', 'permission denied for function list_profiles',
  'signed-out people list nobody'
);
select tests.act_without_sub();
select throws_ok(
  $$ select chat.list_profiles('{}') $$, 'PT401', 'sign_in_required', 'a token without a name lists nobody'
);

select * from finish();
rollback;
