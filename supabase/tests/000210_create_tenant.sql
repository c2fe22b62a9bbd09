-- create_tenant, add_tenant_member and remove_tenant_member: who lives behind which wall.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

-- Ann, who creates a tenant
select tests.act_as('Ann');
select tests.remember('club', (chat.create_tenant('  Club  ')).tenant_id);
select is(
  (select name from chat.tenants where tenant_id = tests.room('club')), 'Club', 'the name is trimmed'
);
select results_eq(
  $$ select user_id, role from chat.tenant_members where tenant_id = tests.room('club') $$,
  $$ values (tests.id_of('Ann'), 'owner') $$, 'who creates it owns it, alone'
);
select throws_ok(
  $$ select chat.create_tenant(' ') $$, 'PT400', 'invalid_input', 'a name is not blank'
);
select throws_ok(
  $$ select chat.create_tenant(null) $$, 'PT400', 'invalid_input', 'nor null'
);
select throws_ok(
  $$ select chat.create_tenant(repeat('x', 121)) $$, 'PT400', 'invalid_input', 'a name is short'
);
select throws_ok(
  $$ select chat.create_tenant(U&'a\202Eb') $$, 'PT400', 'invalid_input',
  'a name does not turn its neighbours around'
);

-- Ann, an owner
select is(
  (chat.add_tenant_member(tests.room('club'), tests.id_of('Abe'), 'admin')).role, 'admin',
  'an owner adds an admin'
);
select is(
  (chat.add_tenant_member(tests.room('club'), tests.id_of('Tom'))).role, 'member',
  'anybody with an account may be added, as a member unless said otherwise'
);
select is(
  (chat.add_tenant_member(tests.room('club'), tests.id_of('Abe'), 'admin')),
  (
    select m from chat.tenant_members as m
    where m.tenant_id = tests.room('club') and m.user_id = tests.id_of('Abe')
  ),
  'adding again changes nothing'
);
select throws_ok(
  $$ select chat.add_tenant_member(tests.room('club'), tests.id_of('Bob'), 'king') $$,
  'PT400', 'invalid_input', 'a role is a known one'
);
select throws_ok(
  $$ select chat.add_tenant_member(tests.room('club'), gen_random_uuid()) $$,
  'PT404', 'user_not_found', 'nobody is not added'
);
select throws_ok(
  $$ select chat.add_tenant_member(tests.room('club'), tests.id_of('Ann'), 'member') $$,
  'PT409', 'last_owner', 'the last owner does not step down'
);
select throws_ok(
  $$ select chat.remove_tenant_member(tests.room('club'), tests.id_of('Ann')) $$,
  'PT409', 'last_owner', 'nor leave'
);
select throws_ok(
  $$ select chat.remove_tenant_member(tests.room('club'), tests.id_of('Bob')) $$,
  'PT404', 'user_not_found', 'who is not in it is not removed'
);

-- Abe, an admin
select tests.act_as('Abe');
select is(
  (chat.add_tenant_member(tests.room('club'), tests.id_of('Cat'))).role, 'member',
  'an admin adds a member'
);
select throws_ok(
  $$ select chat.add_tenant_member(tests.room('club'), tests.id_of('Bob'), 'admin') $$,
  'PT403', 'not_allowed', 'but no admin'
);
select throws_ok(
  $$ select chat.add_tenant_member(tests.room('club'), tests.id_of('Ann'), 'member') $$,
  'PT403', 'not_allowed', 'and demotes no owner'
);
select throws_ok(
  $$ select chat.remove_tenant_member(tests.room('club'), tests.id_of('Ann')) $$,
  'PT403', 'not_allowed', 'nor removes one'
);

-- Cat, a member
select tests.act_as('Cat');
select throws_ok(
  $$ select chat.add_tenant_member(tests.room('club'), tests.id_of('Bob')) $$,
  'PT403', 'not_allowed', 'a member adds nobody'
);
select throws_ok(
  $$ select chat.add_tenant_member(tests.room('club'), tests.id_of('Cat'), 'owner') $$,
  'PT403', 'not_allowed', 'and does not promote themselves'
);
select throws_ok(
  $$ select chat.remove_tenant_member(tests.room('club'), tests.id_of('Tom')) $$,
  'PT403', 'not_allowed', 'nor removes anybody'
);

-- Dan, a stranger
select tests.act_as('Dan');
select is(
  tests.refusal(format('select chat.add_tenant_member(%L, %L)', tests.room('club'), tests.id_of('Dan'))),
  tests.refusal(format('select chat.add_tenant_member(%L, %L)', gen_random_uuid(), tests.id_of('Dan'))),
  'a tenant one is not in looks like none'
);
select is(
  tests.refusal(format('select chat.remove_tenant_member(%L, %L)', tests.room('club'), tests.id_of('Cat'))),
  tests.refusal(format('select chat.remove_tenant_member(%L, %L)', gen_random_uuid(), tests.id_of('Cat'))),
  'for removing as well'
);
select throws_ok(
  $$ select chat.add_tenant_member(tests.room('club'), tests.id_of('Dan')) $$,
  'PT403', 'not_allowed', 'nobody adds themselves'
);

-- Ann removes Cat, who is in a room of the tenant
select tests.act_as('Ann');
select tests.remember('board', (chat.create_room(
  'Board', tenant_id => tests.room('club'),
  member_ids => array[tests.id_of('Abe'), tests.id_of('Cat'), tests.id_of('Tom')]
)).id);
select tests.remember('desk', (chat.create_room(
  'Desk', tenant_id => tests.room('club'), member_ids => array[tests.id_of('Cat')]
)).id);
select tests.remember(name, (chat.create_room(
  name, tenant_id => tests.room('club'), is_public => true, member_ids => array[tests.id_of('Cat')]
)).id)
from unnest('{yard,gate,park}'::text[]) as r (name);
select tests.act_as('Cat');
select chat.leave_room(tests.room('gate'));
select is(
  (tests.head_of('gate')).epoch, 1, 'who leaves a public room may come back, and its topic stays'
);
select tests.act_as('Ann');
select chat.remove_member(tests.room('park'), tests.id_of('Cat'));
select tests.watch('board', 'desk', 'yard', 'gate', 'park', 'trip', 'Cat', 'Ann');
select isnt(
  (chat.remove_tenant_member(tests.room('club'), tests.id_of('Cat'))).removed_at, null,
  'an owner removes a member'
);
select tests.took_one_number('board', 'their rooms behind the wall lose them');
select tests.took_one_number('desk', 'each by a number of its own');
select tests.took_one_user_number('Cat', 'their stream tells it once');
select tests.took_one_number('yard', 'a public one too');
select tests.took_one_number('gate', 'and the public ones where they were may not be heard any more');
select results_eq(
  $$
    select h.stream, (tests.head_of(h.stream)).epoch - h.epoch
    from tests.heads as h
    where h.stream in ('board', 'desk', 'yard', 'gate', 'park', 'trip')
    order by h.stream
  $$,
  $$ values ('board', 1), ('desk', 1), ('gate', 1), ('park', 1), ('trip', 0), ('yard', 1) $$,
  'I5: all of them move to other topics'
);
select tests.moved('{"board": 1, "desk": 1, "yard": 1, "gate": 1, "park": 1, "Cat": 1}', 'and nothing else moves');
select is(
  (tests.head_of('Cat')).epoch, (select epoch + 1 from tests.heads where stream = 'Cat'),
  'their topic moves on'
);
select tests.act_as('Cat');
select is_empty(
  $$ select from chat.rooms where id in (tests.room('board'), tests.room('desk')) $$,
  'who was removed sees no room of the tenant'
);
select isnt_empty(
  $$ select from chat.rooms where id = tests.room('trip') $$, 'but the rooms of their other tenant'
);

-- Tom leaves by himself, and comes back
select tests.act_as('Tom');
select lives_ok(
  $$ select chat.remove_tenant_member(tests.room('club'), tests.id_of('Tom')) $$,
  'everybody may leave a tenant'
);
select is_empty(
  $$ select from chat.tenants where tenant_id = tests.room('club') $$, 'and then does not see it'
);
select tests.act_as('Abe');
select is(
  (chat.add_tenant_member(tests.room('club'), tests.id_of('Tom'))).removed_at, null,
  'who left may be added again'
);
select tests.act_as('Tom');
select is_empty(
  $$ select from chat.rooms where id = tests.room('board') $$, 'and is in none of the rooms'
);

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  $$ select chat.create_tenant('x') $$, '42501', 'permission denied for function create_tenant',
  'signed-out people create nothing'
);
select throws_ok(
  $$ select chat.add_tenant_member(tests.room('club'), tests.id_of('Dan')) $$, '42501',
  'permission denied for function add_tenant_member', 'add nobody'
);
select throws_ok(
  $$ select chat.remove_tenant_member(tests.room('club'), tests.id_of('Ann')) $$, '42501',
  'permission denied for function remove_tenant_member', 'and remove nobody'
);
select tests.act_without_sub();
select throws_ok(
  $$ select chat.create_tenant('x') $$, 'PT401', 'sign_in_required',
  'a token without a name is not enough'
);

select * from finish();
rollback;
