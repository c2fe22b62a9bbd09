-- Rooms: who sees a room, who is in it, and who is kept out.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
select tests.make_people('Zoe');
select tests.act_as('Ann');
select chat.ban_member(tests.room('trip'), tests.id_of('Dan'), reason => 'spam');
select chat.ban_member(tests.room('plaza'), tests.id_of('Zoe'));

-- A member
select tests.act_as('Cat');
select set_eq(
  $$ select id from chat.rooms $$, $$ select room_id from tests.rooms $$,
  'a member sees the rooms they are in'
);
select set_eq(
  $$ select user_id from chat.room_members where room_id = tests.room('trip') $$,
  $$
    select tests.id_of(name)
    from unnest(array['Ann', 'Abe', 'Bob', 'Cat', 'Rea', 'Xen', 'Lea']) as n (name)
  $$,
  'a member sees who is and was in their rooms'
);
select is_empty($$ select from chat.bans $$, 'a member does not see who is banned');
select throws_ok(
  $$ insert into chat.rooms (kind, name, tenant_id) values ('group', 'x', gen_random_uuid()) $$,
  '42501', 'permission denied for table rooms', 'nobody writes a room'
);
select throws_ok(
  $$ update chat.room_members set role = 'owner' where user_id = tests.id_of('Cat') $$,
  '42501', 'permission denied for table room_members', 'nobody writes a membership'
);
select throws_ok(
  $$ delete from chat.bans $$, '42501', 'permission denied for table bans', 'nobody writes a ban'
);

-- A moderator
select tests.act_as('Bob');
select set_eq(
  $$ select room_id, user_id, reason from chat.bans $$,
  $$
    values
    (tests.room('trip'), tests.id_of('Dan'), 'spam'), (tests.room('plaza'), tests.id_of('Zoe'), '')
  $$,
  'a moderator sees the bans of their rooms'
);

-- Dan, a stranger
select tests.act_as('Dan');
select set_eq(
  $$ select name from chat.rooms $$, $$ values ('plaza') $$,
  'a stranger sees the public rooms of the tenant'
);
select is_empty($$ select from chat.room_members $$, 'a stranger does not see who is in a public room');
select is_empty($$ select from chat.bans $$, 'a stranger does not see who bans them');

-- Zoe, banned from the public room
select tests.act_as('Zoe');
select is_empty($$ select from chat.rooms $$, 'somebody who is banned from a public room does not see it');
select tests.change_as_owner('update chat.bans set until = now() - interval ''1 second''');
select isnt_empty($$ select from chat.rooms $$, 'a ban hides a public room until it is over');

-- Xen, an ex-member
select tests.act_as('Xen');
select set_eq(
  $$ select name from chat.rooms $$, $$ values ('plaza') $$,
  'an ex-member sees what a stranger sees'
);
select set_eq(
  $$ select room_id, user_id from chat.room_members $$,
  $$
    select room_id, tests.id_of('Xen') from tests.rooms where name <> 'pair'
  $$,
  'an ex-member sees their own former memberships'
);
select is_empty(
  $$ select from chat.room_members where left_at is null $$, 'former memberships say that they have ended'
);

-- Tom, of another tenant
select tests.act_as('Tom');
select is_empty($$ select from chat.rooms $$, 'another tenant sees no room, public or not');
select is_empty($$ select from chat.room_members $$, 'another tenant sees nobody in a room');

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  format('select from chat.%I', name), '42501', format('permission denied for table %s', name),
  format('signed-out people read no %s', name)
)
from unnest(array['rooms', 'room_members', 'bans']) as t (name);
select tests.act_without_sub();
select is_empty($$ select from chat.rooms $$, 'a token without a name sees no room');
select is_empty($$ select from chat.room_members $$, 'a token without a name sees nobody in a room');
select tests.stop_acting();

-- The data itself
select throws_ok(
  format('update chat.rooms set %s where id = %L', change, tests.room('trip')), '23514',
  format('new row for relation "rooms" violates check constraint "%s"', claim), title
)
from (
  values
  ('kind = ''direct''', 'direct_rooms_name_two_people', 'a direct room names two people'),
  ('name = null', 'groups_have_a_name', 'a group has a name'),
  ('name = ''''', 'name_is_short', 'a name has one character or more'),
  ('name = repeat(''x'', 121)', 'name_is_short', 'a name has 120 characters at most'),
  ('topic = repeat(''x'', 501)', 'topic_is_short', 'a topic has 500 characters at most'),
  ('kind = ''club''', 'kind_is_known', 'a room is direct or a group'),
  ('history = ''none''', 'history_is_known', 'history is read whole or from joining'),
  ('default_role = ''owner''', 'default_role_is_known', 'nobody becomes an owner by joining'),
  ('rev = changed_rev - 1', 'numbers_are_in_order', 'a room did not change after its head'),
  ('floor_seq = last_seq + 1', 'numbers_are_in_order', 'the floor is not above the newest message'),
  ('is_public = true, kind = ''direct'', low_user = tests.id_of(''Ann''), high_user = tests.id_of(''Bob'')',
    case
      when tests.id_of('Ann') < tests.id_of('Bob')
        then 'direct_rooms_are_private' else 'direct_rooms_name_two_people'
    end,
    'a direct room is not public'),
  ('retain_days = 0', 'retention_is_bounded', 'retention lasts a day or more'),
  ('retain_days = 36501', 'retention_is_bounded', 'retention lasts a hundred years at most'),
  ('slow_mode_seconds = -1', 'slow_mode_is_bounded', 'slow mode is not negative'),
  ('slow_mode_seconds = 86401', 'slow_mode_is_bounded', 'slow mode lasts a day at most')
) as c (change, claim, title);
select throws_ok(
  $$
    insert into chat.rooms (tenant_id, kind, created_by)
    select tenant_id, 'group', created_by from chat.rooms where id = tests.room('trip')
  $$,
  '23514', 'new row for relation "rooms" violates check constraint "groups_have_a_name"',
  'a new room is checked, too'
);
select lives_ok(
  format(
    'update chat.rooms set name = repeat(''x'', 120), topic = repeat(''x'', 500), is_public = true,'
    ' retain_days = 36500, slow_mode_seconds = 86400 where id = %L', tests.room('trip')
  ),
  'everything up to its limit is stored'
);

select * from finish();
rollback;
