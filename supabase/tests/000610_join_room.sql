-- join_room and leave_room: what people do with their own membership.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

-- Dan joins a public room
select tests.act_as('Dan');
select tests.watch('plaza', 'trip', 'Dan', 'Ann');
select is((chat.join_room(tests.room('plaza'))).role, 'member', 'who joins has the default role');
select tests.took_one_number('plaza', 'joining takes one number');
select tests.took_one_user_number('Dan', 'and one in the stream of who joins');
select tests.moved('{"plaza": 1, "Dan": 1}', 'and no other');
select results_eq(
  $$
    select kind, body, sender_id, mentions from chat.messages
    where room_id = tests.room('plaza') order by seq desc limit 1
  $$,
  $$ values ('system', 'member_joined', tests.id_of('Dan'), array[tests.id_of('Dan')]) $$,
  'the room says who came'
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
select tests.changed_nothing('and changes nothing');
select isnt_empty(
  $$ select from chat.messages where room_id = tests.room('plaza') $$, 'and who is in reads'
);

-- Dan leaves
select tests.watch('plaza', 'trip', 'Dan', 'Ann');
select isnt((chat.leave_room(tests.room('plaza'))).left_at, null, 'who is in may leave');
select tests.took_one_number('plaza', 'leaving takes one number');
select tests.took_one_user_number('Dan', 'and one in the stream of who leaves');
select tests.moved('{"plaza": 1, "Dan": 1}', 'and no other');
select tests.looks_absent(
  'select chat.leave_room(%L)', tests.room('plaza'), 'nobody leaves twice'
);
select is_empty(
  $$ select from chat.messages where room_id = tests.room('plaza') $$, 'and who left does not read'
);
select lives_ok($$ select chat.join_room(tests.room('plaza')) $$, 'but may join again');

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
  $$ select chat.leave_room(tests.room('trip')) $$, 'PT409', 'last_owner', 'the last owner stays'
);
select chat.set_member_role(tests.room('trip'), tests.id_of('Cat'), 'owner');
select lives_ok(
  $$ select chat.leave_room(tests.room('trip')) $$, 'unless there is another'
);
select tests.remember('den', (chat.create_room('Den')).id);
select lives_ok($$ select chat.leave_room(tests.room('den')) $$, 'or nobody else at all');
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
  'select chat.join_room(%L)', tests.room('plaza'), 'who is banned finds no such room'
);
select tests.change_as_owner('update chat.bans set until = now() - interval ''1 s''');
select lives_ok(
  $$ select chat.join_room(tests.room('plaza')) $$, 'when the ban is over they do'
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
  'select chat.leave_room(%L)', tests.room('plaza'), 'and none to leave'
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
  'permission denied for function leave_room', 'and leave nothing'
);
select tests.act_without_sub();
select throws_ok(
  $$ select chat.join_room(tests.room('plaza')) $$, 'PT401', 'sign_in_required',
  'nor does a token without a name'
);

select * from finish();
rollback;
