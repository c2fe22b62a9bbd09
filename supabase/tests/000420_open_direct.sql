-- open_direct: the one room two people share.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

-- What it costs
savepoint prices; -- noqa: PRS
select tests.costs('Ann', 20, $$ select chat.open_direct(tests.id_of('Bob')) $$, 'a direct room costs 20');
select tests.costs('Bob', 0, $$ select chat.open_direct(tests.id_of('Ann')) $$, 'finding a direct room again is free');
rollback to prices;

-- Ann opens a room with Bob
select tests.act_as('Ann');
select tests.watch('Ann', 'Bob', 'Cat', 'trip', 'pair');
select tests.remember('ours', (chat.open_direct(
  tests.id_of('Bob'), label => ' tourist ', their_label => 'guide'
)).id);
select tests.moved('{"Ann": 1, "Bob": 1}', 'both people of a new direct room are told, and nobody else');
select tests.took_one_user_number('Ann', 'the opener''s stream tells of the room');
select tests.took_one_user_number('Bob', 'the other person''s stream tells of the room');
select results_eq(
  $$
    select kind, member_count, rev, is_large, is_public from chat.rooms
    where id = tests.room('ours')
  $$,
  $$ values ('direct', 2, 1::bigint, false, false) $$, 'an opened direct room is one of two people'
);
select set_eq(
  $$ select user_id, role, label from chat.room_members where room_id = tests.room('ours') $$,
  $$
    values (tests.id_of('Ann'), 'member', 'tourist'), (tests.id_of('Bob'), 'member', 'guide')
  $$,
  'nobody owns a direct room, and each person has a label'
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
  'each person gets the first step of a direct room'
);

-- Again, from both sides
select tests.watch('Ann', 'Bob', 'ours');
select is(
  (chat.open_direct(tests.id_of('Bob'), label => 'other')).id, tests.room('ours'),
  'opening a direct room again finds it'
);
select tests.act_as('Bob');
select is((chat.open_direct(tests.id_of('Ann'))).id, tests.room('ours'), 'the other person finds the direct room as well');
select tests.changed_nothing('opening a direct room again changes nothing');
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
  $$ select chat.open_direct(null) $$, 'PT400', 'invalid_input', 'nobody talks to null'
);
select throws_ok(
  $$ select chat.open_direct(tests.id_of('Cat'), label => repeat('x', 41)) $$, 'PT400',
  'invalid_input', 'a label is short'
);
select throws_ok(
  $$ select chat.open_direct(tests.id_of('Cat'), their_label => E'a\nb') $$, 'PT400',
  'invalid_input', 'a label is one line'
);
select tests.looks_absent(
  'select chat.open_direct(%L)', tests.id_of('Tom'), 'somebody of another tenant looks like nobody'
);
select tests.looks_absent(
  'select chat.open_direct(%L, md5(''elsewhere'')::uuid)', tests.id_of('Tom'),
  'somebody of another tenant looks like nobody when the tenant is named, too'
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
select throws_ok(
  $$ select chat.open_direct(tests.id_of('Lea')) $$, 'PT400', 'tenant_required',
  'where two tenants would do, one has to be named'
);
select is(
  (chat.open_direct(tests.id_of('Lea'), md5('elsewhere')::uuid)).tenant_id, md5('elsewhere')::uuid,
  'a tenant that is named is taken for a direct room'
);
select is(
  (chat.open_direct(tests.id_of('Lea'))).tenant_id, md5('elsewhere')::uuid,
  'a direct room is found where two people talk already, without naming the tenant'
);
select isnt(
  (chat.open_direct(tests.id_of('Lea'), '00000000-0000-0000-0000-000000000001')).id,
  (chat.open_direct(tests.id_of('Lea'), md5('elsewhere')::uuid)).id,
  'each tenant holds a room of its own'
);
select throws_ok(
  $$ select chat.open_direct(tests.id_of('Lea')) $$, 'PT400', 'tenant_required',
  'a tenant has to be named where two people have a direct room in several'
);
select is(
  (chat.open_direct(tests.id_of('Cat'))).tenant_id, '00000000-0000-0000-0000-000000000001',
  'a direct room with somebody who shares only one tenant is in that one'
);
select tests.change_as_owner(format(
  'update chat.tenant_members set removed_at = now()
   where tenant_id = md5(''elsewhere'')::uuid and user_id = %L', tests.id_of('Lea')
));
select is(
  (chat.open_direct(tests.id_of('Lea'))).tenant_id, '00000000-0000-0000-0000-000000000001',
  'a tenant that the other person has left does not count'
);

-- Dan, who is in neither
select tests.act_as('Dan');
select is_empty(
  $$ select from chat.rooms where id = tests.room('ours') $$, 'others do not see a direct room'
);
select tests.looks_absent(
  'select chat.join_room(%L)', tests.room('ours'), 'nobody else can join a direct room'
);

-- Ann, who is in it for good
select tests.act_as('Ann');
select throws_ok(
  $$ select chat.leave_room(tests.room('ours')) $$, 'PT403', 'not_allowed', 'nobody leaves a direct room'
);
select throws_ok(
  $$ select chat.remove_member(tests.room('ours'), tests.id_of('Bob')) $$, 'PT403', 'not_allowed',
  'nobody removes the other person of a direct room'
);
select throws_ok(
  $$ select chat.ban_member(tests.room('ours'), tests.id_of('Bob')) $$, 'PT403', 'not_allowed',
  'nobody bans the other person of a direct room'
);
select throws_ok(
  $$ select chat.add_member(tests.room('ours'), tests.id_of('Cat')) $$, 'PT403', 'not_allowed',
  'nobody adds a third person to a direct room'
);
select throws_ok(
  $$ select chat.create_invite(tests.room('ours')) $$, 'PT403', 'not_allowed', 'nobody invites a third person into a direct room'
);
select throws_ok(
  $$ select chat.set_member_role(tests.room('ours'), tests.id_of('Ann'), 'reader') $$, 'PT403',
  'not_allowed', 'nobody changes a role in a direct room'
);
select throws_ok(
  $$ select chat.mute_member(tests.room('ours'), tests.id_of('Bob')) $$, 'PT403', 'not_allowed',
  'nobody mutes the other person of a direct room'
);
select throws_ok(
  $$ select chat.update_room(tests.room('ours'), 'x') $$, 'PT403', 'not_allowed', 'nobody renames a direct room'
);
select throws_ok(
  $$ select chat.archive_room(tests.room('ours')) $$, 'PT403', 'not_allowed', 'nobody archives a direct room'
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
  'a token without a name opens nothing'
);

select * from finish();
rollback;
