-- join_room and leave_room: what people do with their own membership.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

-- What it costs
savepoint prices; -- noqa: PRS
select tests.costs('Dan', price, format('select chat.%s(%L)', call, tests.room('plaza')), title)
from (
  values
  ('join_room', 6, 'to join costs as much as the room has members'), ('join_room', 0, 'joining where one already is in is free'),
  ('leave_room', 7, 'leaving costs as much as the room has members')
) as c (call, price, title);
rollback to prices;

-- Dan joins a public room
select tests.act_as('Dan');
select tests.watch('plaza', 'trip', 'Dan', 'Ann');
select is((chat.join_room(tests.room('plaza'))).role, 'member', 'somebody who joins has the default role');
select tests.took_one_number('plaza', 'joining takes one number');
select tests.took_one_user_number('Dan', 'joining takes one number in the stream of the person who joins');
select tests.moved('{"plaza": 1, "Dan": 1}', 'joining takes no other number');
select results_eq(
  $$
    select kind, body, sender_id, mentions from chat.messages
    where room_id = tests.room('plaza') order by seq desc limit 1
  $$,
  $$ values ('system', 'member_joined', tests.id_of('Dan'), array[tests.id_of('Dan')]) $$,
  'the room says who joined'
);
select tests.watch('plaza', 'Dan');
select is(
  (chat.join_room(tests.room('plaza'))).joined_rev,
  (
    select joined_rev from chat.room_members
    where room_id = tests.room('plaza') and user_id = tests.id_of('Dan')
  ),
  'joining again returns the membership'
);
select tests.changed_nothing('joining again changes nothing');
select isnt_empty(
  $$ select from chat.messages where room_id = tests.room('plaza') $$, 'somebody who joined reads the room'
);

-- Dan leaves
select tests.watch('plaza', 'trip', 'Dan', 'Ann');
select isnt((chat.leave_room(tests.room('plaza'))).left_at, null, 'somebody who joined may leave');
select tests.took_one_number('plaza', 'leaving takes one number');
select tests.took_one_user_number('Dan', 'leaving takes one number in the stream of the person who leaves');
select tests.moved('{"plaza": 1, "Dan": 1}', 'leaving takes no other number');
select tests.looks_absent(
  'select chat.leave_room(%L)', tests.room('plaza'), 'nobody leaves twice'
);
select is_empty(
  $$ select from chat.messages where room_id = tests.room('plaza') $$, 'somebody who left does not read'
);
select lives_ok($$ select chat.join_room(tests.room('plaza')) $$, 'somebody who left may join again');

-- Leaving, everywhere
select tests.takes_one_number_everywhere(
  'Rea', 'select chat.leave_room(%L)', 'leaving takes one number'
);

-- The default role
select tests.act_as('Ann');
select chat.update_room(tests.room('plaza'), default_role => 'reader');
select tests.act_as('Xen');
select is(
  (chat.join_room(tests.room('plaza'))).role, 'reader', 'an announcement room takes readers in'
);

-- Ann, the last owner
select tests.act_as('Ann');
select throws_ok(
  $$ select chat.leave_room(tests.room('trip')) $$, 'PT409', 'last_owner', 'the last owner cannot leave'
);
select chat.set_member_role(tests.room('trip'), tests.id_of('Cat'), 'owner');
select lives_ok(
  $$ select chat.leave_room(tests.room('trip')) $$, 'the last owner leaves when there is another'
);
select tests.act_as('Cat');
select chat.set_member_role(tests.room('trip'), tests.id_of('Abe'), 'owner'), chat.mute_member(tests.room('trip'), tests.id_of('Abe'));
select tests.refuses('Cat', 'last_owner', $$ select chat.leave_room(tests.room('trip')) $$, 'somebody who is muted is not another owner');
select tests.lets('Abe', $$ select chat.leave_room(tests.room('trip')) $$, 'somebody who is muted may leave while there is an owner who can act');
select tests.act_as('Cat');
select chat.set_member_role(tests.room('trip'), tests.id_of('Bob'), 'owner');
select tests.stop_acting();
update chat.profiles set closed_at = now() where user_id = tests.id_of('Bob');
select tests.refuses('Cat', 'last_owner', $$ select chat.leave_room(tests.room('trip')) $$, 'a closed account is not another owner, before maintenance has run');
select tests.stop_acting();
update chat.profiles set closed_at = null where user_id = tests.id_of('Bob');
select tests.lets('Cat', $$ select chat.leave_room(tests.room('trip')) $$, 'an open account is another owner');
select tests.make_people('Gus');
select tests.act_as('Ann');
select tests.remember('shed', (chat.create_room('Shed', member_ids => array[tests.id_of('Gus')])).id);
select tests.refuses('Ann', 'last_owner', $$ select chat.leave_room(tests.room('shed')) $$, 'the last owner does not leave somebody behind');
select tests.stop_acting();
delete from auth.users where id = tests.id_of('Gus');
select tests.lets('Ann', $$ select chat.leave_room(tests.room('shed')) $$, 'the last owner leaves a closed account behind');
select tests.act_as('Ann');
select tests.remember('den', (chat.create_room('Den')).id);
select lives_ok($$ select chat.leave_room(tests.room('den')) $$, 'the last owner leaves when there is nobody else at all');
select isnt(
  tests.as_owner(format('select archived_at from chat.rooms where id = %L', tests.room('den'))), null,
  'a room that nobody is in is archived'
);
select throws_ok(
  $$ select chat.leave_room(tests.room('pair')) $$, 'PT403', 'not_allowed', 'nobody leaves a direct room'
);

-- Zoe, banned
select tests.make_people('Zoe');
select tests.act_as('Bob');
select chat.ban_member(tests.room('plaza'), tests.id_of('Zoe'));
select tests.act_as('Zoe');
select tests.looks_absent(
  'select chat.join_room(%L)', tests.room('plaza'), 'somebody who is banned finds no such room'
);
select tests.change_as_owner('update chat.bans set until = now() - interval ''1 s''');
select lives_ok(
  $$ select chat.join_room(tests.room('plaza')) $$, 'somebody whose ban is over joins again'
);

-- Strangers, ex-members, other tenants
select tests.act_as('Dan');
select tests.looks_absent(
  'select chat.join_room(%L)', tests.room(name), format('a stranger finds no %s to join', name)
)
from unnest(array['trip', 'hall', 'pair']) as r (name);
select tests.act_as('Xen');
select tests.looks_absent(
  'select chat.join_room(%L)', tests.room('trip'), 'an ex-member does not come back by themselves'
);
select tests.act_as('Tom');
select tests.looks_absent(
  'select chat.join_room(%L)', tests.room('plaza'), 'another tenant finds no public room'
);
select tests.looks_absent(
  'select chat.leave_room(%L)', tests.room('plaza'), 'another tenant finds no room to leave'
);
select throws_ok(
  $$ select chat.join_room(null) $$, 'PT404', 'room_not_found', 'null is no room'
);

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  $$ select chat.join_room(tests.room('plaza')) $$, '42501',
  'permission denied for function join_room', 'signed-out people join nothing'
);
select throws_ok(
  $$ select chat.leave_room(tests.room('plaza')) $$, '42501',
  'permission denied for function leave_room', 'signed-out people leave nothing'
);
select tests.act_without_sub();
select throws_ok(
  $$ select chat.join_room(tests.room('plaza')) $$, 'PT401', 'sign_in_required',
  'a token without a name joins nothing'
);

select * from finish();
rollback;
