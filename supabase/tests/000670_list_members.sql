-- list_members: who is in a room, page by page.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

-- A member
select tests.act_as('Cat');
select results_eq(
  $$ select user_id from chat.list_members(tests.room('trip')) $$,
  $$
    select tests.id_of(name) as id
    from unnest(array['Ann', 'Abe', 'Bob', 'Cat', 'Rea', 'Lea']) as n (name) order by id
  $$,
  'people who are in the room come by id, and people who left do not'
);
select results_eq(
  $$
    select user_id from chat.list_members(tests.room('trip'), page_size => 2)
    union all
    select p.user_id from chat.list_members(
      tests.room('trip'),
      after => (select max(user_id::text)::uuid from chat.list_members(tests.room('trip'), page_size => 2)),
      page_size => 200
    ) as p
  $$,
  $$ select user_id from chat.list_members(tests.room('trip')) $$,
  'pages join without gap or overlap'
);
select is_empty(
  $$ select chat.list_members(tests.room('trip'), after => 'ffffffff-ffff-ffff-ffff-ffffffffffff') $$,
  'a page after the last member is empty'
);
select throws_ok(
  format('select chat.list_members(tests.room(''trip''), page_size => %s)', size), 'PT400', 'invalid_input',
  format('a page of %s is none', size)
)
from unnest(array['0', '201', 'null']) as s (size);

-- Pages are bounded by bytes
select tests.stop_acting();
update chat_private.settings set pull_bytes = 1024;
select tests.act_as('Cat');
select cmp_ok((select count(*) from chat.list_members(tests.room('trip'))), '<', 6::bigint, 'a page of members ends where it is too long');
select is(
  (select min(user_id::text)::uuid from chat.list_members(tests.room('trip'))),
  (select min(user_id::text)::uuid from chat.room_members where room_id = tests.room('trip') and left_at is null), 'a list of members begins with the first'
);
select tests.stop_acting();
update chat_private.settings set pull_bytes = default;

-- Strangers, ex-members, other tenants
select tests.strangers_find_nothing('select chat.list_members(%L)', 'listing');

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  $$ select chat.list_members(tests.room('trip')) $$, '42501',
  'permission denied for function list_members', 'signed-out people list nobody'
);
select tests.act_without_sub();
select throws_ok(
  $$ select chat.list_members(tests.room('trip')) $$, 'PT401', 'sign_in_required',
  'a token without a name lists nobody'
);

select * from finish();
rollback;
