-- open_direct: the one room two people share.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

-- Ann opens a room with Bob
select tests.act_as('Ann');
select tests.watch('Ann', 'Bob', 'Cat', 'trip', 'pair');
select tests.remember('ours', (chat.open_direct(
  tests.id_of('Bob'), label => ' tourist ', their_label => 'guide'
)).id);
select tests.moved('{"Ann": 1, "Bob": 1}', 'both are told, and nobody else');
select tests.took_one_user_number('Ann', 'the opener''s stream tells of the room');
select tests.took_one_user_number('Bob', 'and the other person''s');
select results_eq(
  $$
    select kind, member_count, rev, is_large, is_public from chat.rooms
    where id = tests.room('ours')
  $$,
  $$ values ('direct', 2, 1::bigint, false, false) $$, 'it is a direct room of two'
);
select set_eq(
  $$ select user_id, role, label from chat.room_members where room_id = tests.room('ours') $$,
  $$
    values (tests.id_of('Ann'), 'member', 'tourist'), (tests.id_of('Bob'), 'member', 'guide')
  $$,
  'nobody owns it, and each has a label'
);
select is(
  tests.as_owner(format(
    'select jsonb_agg(distinct m.topic) from realtime.messages as m
     where m.payload #>> ''{rows,rooms,0,id}'' = %L', tests.room('ours')
  ))::jsonb,
  to_jsonb(array(
    select 'user:' || tests.id_of(n.name) || ':1'
    from unnest(array['Ann', 'Bob']) as n (name)
    order by 1
  )),
  'each gets its first step'
);

-- Again, from both sides
select tests.watch('Ann', 'Bob', 'ours');
select is(
  (chat.open_direct(tests.id_of('Bob'), label => 'other')).id, tests.room('ours'),
  'opening it again finds it'
);
select tests.act_as('Bob');
select is((chat.open_direct(tests.id_of('Ann'))).id, tests.room('ours'), 'so does the other side');
select tests.changed_nothing('and that changes nothing');
select is(
  (
    select label from chat.room_members
    where room_id = tests.room('ours') and user_id = tests.id_of('Ann')
  ),
  'tourist', 'labels are kept from the first opening'
);

-- What is refused
select throws_ok(
  $$ select chat.open_direct(tests.id_of('Bob')) $$, 'PT400', 'invalid_input',
  'nobody talks to themselves'
);
select throws_ok(
  $$ select chat.open_direct(null) $$, 'PT400', 'invalid_input', 'or to null'
);
select throws_ok(
  $$ select chat.open_direct(tests.id_of('Cat'), label => repeat('x', 41)) $$, 'PT400',
  'invalid_input', 'a label is short'
);
select throws_ok(
  $$ select chat.open_direct(tests.id_of('Cat'), their_label => E'a\nb') $$, 'PT400',
  'invalid_input', 'and one line'
);
select tests.looks_absent(
  'select chat.open_direct(%L)', tests.id_of('Tom'), 'somebody of another tenant looks like nobody'
);
select tests.looks_absent(
  'select chat.open_direct(%L, md5(''elsewhere'')::uuid)', tests.id_of('Tom'),
  'also when the tenant is named'
);
select throws_ok(
  $$ select chat.open_direct(tests.id_of('Cat'), gen_random_uuid()) $$, 'PT404',
  'user_not_found', 'a tenant that does not exist holds nobody'
);
select tests.change_as_owner(format('delete from auth.users where id = %L', tests.id_of('Rea')));
select tests.looks_absent(
  'select chat.open_direct(%L)', tests.id_of('Rea'), 'a closed account looks like nobody'
);

-- Bob and Lea, who share two tenants
select tests.change_as_owner(format(
  'insert into chat.tenant_members (tenant_id, user_id, joined_at)
   select md5(''elsewhere'')::uuid, u, now() - interval ''1 year''
   from unnest(array[%L, %L]::uuid[]) as u', tests.id_of('Bob'), tests.id_of('Lea')
));
select is(
  (chat.open_direct(tests.id_of('Lea'))).tenant_id, md5('elsewhere')::uuid,
  'left out, the tenant is the one shared for the longest time'
);
select is(
  (chat.open_direct(tests.id_of('Lea'), '00000000-0000-0000-0000-000000000001')).tenant_id,
  '00000000-0000-0000-0000-000000000001', 'a named one is taken'
);
select isnt(
  (chat.open_direct(tests.id_of('Lea'), '00000000-0000-0000-0000-000000000001')).id,
  (chat.open_direct(tests.id_of('Lea'))).id, 'and holds a room of its own'
);

-- Dan, who is in neither
select tests.act_as('Dan');
select is_empty(
  $$ select from chat.rooms where id = tests.room('ours') $$, 'others do not see the room'
);
select tests.looks_absent(
  'select chat.join_room(%L)', tests.room('ours'), 'and cannot join it'
);

-- Ann, who is in it for good
select tests.act_as('Ann');
select throws_ok(
  $$ select chat.leave_room(tests.room('ours')) $$, 'PT403', 'not_allowed', 'nobody leaves it'
);
select throws_ok(
  $$ select chat.remove_member(tests.room('ours'), tests.id_of('Bob')) $$, 'PT403', 'not_allowed',
  'removes the other'
);
select throws_ok(
  $$ select chat.ban_member(tests.room('ours'), tests.id_of('Bob')) $$, 'PT403', 'not_allowed',
  'bans the other'
);
select throws_ok(
  $$ select chat.add_member(tests.room('ours'), tests.id_of('Cat')) $$, 'PT403', 'not_allowed',
  'adds a third'
);
select throws_ok(
  $$ select chat.create_invite(tests.room('ours')) $$, 'PT403', 'not_allowed', 'invites a third'
);
select throws_ok(
  $$ select chat.set_member_role(tests.room('ours'), tests.id_of('Ann'), 'reader') $$, 'PT403',
  'not_allowed', 'changes a role'
);
select throws_ok(
  $$ select chat.mute_member(tests.room('ours'), tests.id_of('Bob')) $$, 'PT403', 'not_allowed',
  'mutes the other'
);
select throws_ok(
  $$ select chat.update_room(tests.room('ours'), 'x') $$, 'PT403', 'not_allowed', 'or renames it'
);
select throws_ok(
  $$ select chat.archive_room(tests.room('ours')) $$, 'PT403', 'not_allowed', 'or archives it'
);

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  $$ select chat.open_direct(tests.id_of('Ann')) $$, '42501',
  'permission denied for function open_direct', 'signed-out people open nothing'
);
select tests.act_without_sub();
select throws_ok(
  $$ select chat.open_direct(tests.id_of('Ann')) $$, 'PT401', 'sign_in_required',
  'nor does a token without a name'
);

select * from finish();
rollback;
