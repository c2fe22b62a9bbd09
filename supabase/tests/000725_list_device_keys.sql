-- list_device_keys: what the members of a room encrypt for each other with.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

select tests.act_as('Ann');
select chat.register_device('phone', 'ios', public_key => 'Ann 1'), chat.register_device('tab', 'web', public_key => 'Ann 2'),
  chat.register_device('old', 'ios');
select tests.act_as('Xen');
select chat.register_device('phone', 'ios', public_key => 'Xen 1');
select tests.act_as('Cat');
select chat.register_device('phone', 'android', 'fcm', 'token', '1.0', 'Cat 1');

-- Members
select set_eq(
  $$ select user_id, device_id, public_key from chat.list_device_keys(tests.room('trip')) $$,
  $$ values (tests.id_of('Ann'), 'phone', 'Ann 1'), (tests.id_of('Ann'), 'tab', 'Ann 2'), (tests.id_of('Cat'), 'phone', 'Cat 1') $$,
  'a member reads the keys of all who are in the room, and of nobody who left it'
);
select results_eq(
  $$
    with recursive pages as (
      select first.key, 1 as place
      from (select k as key from chat.list_device_keys(tests.room('trip'), page_size => 1) as k) as first
      union all
      select next.key, p.place + 1
      from pages as p
      cross join lateral (
        select k as key
        from chat.list_device_keys(
          tests.room('trip'), jsonb_build_object('user_id', (p.key).user_id, 'device_id', (p.key).device_id), 1
        ) as k
      ) as next
    )
    select (p.key).public_key from pages as p order by p.place
  $$,
  $$ select k.public_key from chat.list_device_keys(tests.room('trip')) as k $$,
  'keys come page by page, each once and in one order'
);
select is_empty(
  $$ select from chat.devices where user_id <> tests.id_of('Cat') $$, 'of the devices of others a member reads nothing else'
);
select tests.refuses(
  'Cat', 'invalid_input', format('select chat.list_device_keys(tests.room(''trip''), %L)', value), format('%s is no row of a page', value)
)
from unnest(array['{}', '[]', '{"user_id": "x", "device_id": "y"}', '{"user_id": "00000000-0000-0000-0000-000000000001", "device_id": 1}']) as v (value);
select tests.refuses(
  'Cat', 'invalid_input', $$ select chat.list_device_keys(tests.room('trip'), page_size => 201) $$, 'a page has at most 200 keys'
);

-- Strangers, ex-members, other tenants
select tests.strangers_find_nothing('select chat.list_device_keys(%L)', 'list_device_keys');

-- Closed accounts
select tests.stop_acting();
select chat_private.close_account(tests.id_of('Ann'));
select tests.act_as('Cat');
select results_eq(
  $$ select public_key from chat.list_device_keys(tests.room('trip')) $$, $$ values ('Cat 1') $$, 'nobody encrypts for a closed account'
);

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  format('select chat.list_device_keys(%L)', tests.room('trip')), '42501',
  'permission denied for function list_device_keys', 'signed-out people may not call list_device_keys'
);

select * from finish();
rollback;
