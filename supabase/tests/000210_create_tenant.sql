-- create_tenant, and what becomes of the places in it.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

-- Ann, who creates a tenant
select tests.act_as('Ann');
select tests.remember('club', (chat.create_tenant('  Club  ')).tenant_id);
select is(
  (select name from chat.tenants where tenant_id = tests.room('club')), 'Club', 'the name of a tenant is trimmed'
);
select results_eq(
  $$ select user_id, role from chat.tenant_members where tenant_id = tests.room('club') $$,
  $$ values (tests.id_of('Ann'), 'owner') $$, 'somebody who creates a tenant owns it, alone'
);
select throws_ok(
  $$ select chat.create_tenant(' ') $$, 'PT400', 'invalid_input', 'a name is not blank'
);
select throws_ok(
  $$ select chat.create_tenant(null) $$, 'PT400', 'invalid_input', 'a name is not null'
);
select throws_ok(
  $$ select chat.create_tenant(repeat('x', 121)) $$, 'PT400', 'invalid_input', 'a name is short'
);
select throws_ok(
  $$ select chat.create_tenant(U&'a\202Eb') $$, 'PT400', 'invalid_input',
  'a name does not turn its neighbours around'
);

select tests.watch('Ann', 'Abe');
select tests.remember('spare', (chat.create_tenant('Spare')).tenant_id);
select tests.took_one_user_number('Ann', 'a new tenant reaches the devices of the person who creates it');
select tests.moved('{"Ann": 1}', 'a new tenant reaches nobody else');
select tests.change_as_owner('update chat_private.settings set tenants_per_person = 2');
select throws_ok(
  $$ select chat.create_tenant('One too many') $$, 'PT413', 'payload_too_large',
  'I12: one person owns as many tenants as the setting says'
);
select tests.lets('Bob', $$ select chat.create_tenant('Mine') $$, 'the limit of tenants is counted per person');

-- A server, which knows who belongs
select tests.act_as_service();
select tests.watch('Abe', 'Tom', 'Ann');
select is(
  (chat.add_tenant_member(tests.room('club'), tests.id_of('Abe'), 'admin')).role, 'admin',
  'a server adds an admin'
);
select tests.took_one_user_number('Abe', 'the devices of the person who is added are told');
select tests.moved('{"Abe": 1}', 'adding somebody is told to nobody else');
select is(
  (chat.add_tenant_member(tests.room('club'), tests.id_of('Tom'))).role, 'member',
  'anybody with an account may be added, as a member unless said otherwise'
);
select tests.watch('Abe', 'Tom', 'Ann');
select is(
  (chat.add_tenant_member(tests.room('club'), tests.id_of('Abe'), 'admin')),
  (
    select m from chat.tenant_members as m
    where m.tenant_id = tests.room('club') and m.user_id = tests.id_of('Abe')
  ),
  'adding again returns the place'
);
select tests.changed_nothing('adding again changes nothing');
select throws_ok(
  $$ select chat.add_tenant_member(tests.room('club'), tests.id_of('Bob'), 'king') $$,
  'PT400', 'invalid_input', 'a role is a known one'
);
select throws_ok(
  $$ select chat.add_tenant_member(gen_random_uuid(), tests.id_of('Bob')) $$,
  'PT400', 'invalid_input', 'a tenant is one that exists'
);
select throws_ok(
  $$ select chat.add_tenant_member(tests.room('club'), gen_random_uuid()) $$,
  'PT404', 'user_not_found', 'nobody is not added'
);
select throws_ok(
  $$ select chat.add_tenant_member(tests.room('club'), tests.id_of('Ann'), 'member') $$,
  'PT409', 'last_owner', 'the last owner is not demoted'
);
select chat.add_tenant_member(tests.room('club'), tests.id_of('Cat'));
select chat.add_tenant_member(tests.room('club'), tests.id_of('Rea'), 'owner');
select tests.stop_acting();
delete from auth.users where id = tests.id_of('Rea');
select tests.act_as_service();
select throws_ok(
  $$ select chat.add_tenant_member(tests.room('spare'), tests.id_of('Rea')) $$,
  'PT404', 'user_not_found', 'a closed account is not added'
);

-- I13: people add nobody
select tests.act_as('Ann');
select throws_ok(
  $$ select chat.add_tenant_member(tests.room('club'), tests.id_of('Bob')) $$, '42501',
  'permission denied for function add_tenant_member', 'I13: an owner puts nobody into a tenant'
);

-- Ann, an owner
select is(
  (chat.set_tenant_member_role(tests.room('club'), tests.id_of('Cat'), 'admin')).role, 'admin',
  'an owner promotes'
);
select is(
  (chat.set_tenant_member_role(tests.room('club'), tests.id_of('Cat'), 'member')).role, 'member',
  'an owner demotes'
);
select throws_ok(
  $$ select chat.set_tenant_member_role(tests.room('club'), tests.id_of('Cat'), 'king') $$,
  'PT400', 'invalid_input', 'an owner gives only a known role'
);
select throws_ok(
  $$ select chat.set_tenant_member_role(tests.room('club'), tests.id_of('Ann'), 'admin') $$,
  'PT409', 'last_owner', 'a closed account is no other owner: the last one does not step down'
);
select throws_ok(
  $$ select chat.remove_tenant_member(tests.room('club'), tests.id_of('Ann')) $$,
  'PT409', 'last_owner', 'the last owner does not leave while the other account is closed'
);
select throws_ok(
  $$ select chat.set_tenant_member_role(tests.room('club'), tests.id_of('Rea'), 'owner') $$,
  'PT404', 'user_not_found', 'an office passes to nobody with a closed account'
);
select is(
  tests.refusal(format(statement, tests.room('club'), tests.id_of('Bob'))),
  tests.refusal(format(statement, tests.room('club'), gen_random_uuid())),
  format('I8: somebody elsewhere looks like nobody: %s', statement)
)
from (
  values
  ('select chat.remove_tenant_member(%L, %L)'),
  ('select chat.set_tenant_member_role(%L, %L, ''admin'')')
) as f (statement);
select throws_ok(
  $$ select chat.remove_tenant_member(tests.room('club'), tests.id_of('Bob')) $$,
  'PT404', 'user_not_found', 'somebody who is not in it is not removed'
);

-- Abe, an admin
select tests.act_as('Abe');
select tests.refuses('Abe', 'not_allowed', statement, title)
from (
  values
  ($$ select chat.set_tenant_member_role(tests.room('club'), tests.id_of('Cat'), 'admin') $$,
    'an admin makes nobody admin'),
  ($$ select chat.set_tenant_member_role(tests.room('club'), tests.id_of('Abe'), 'owner') $$,
    'an admin does not promote themselves'),
  ($$ select chat.set_tenant_member_role(tests.room('club'), tests.id_of('Ann'), 'member') $$,
    'an admin demotes no owner'),
  ($$ select chat.remove_tenant_member(tests.room('club'), tests.id_of('Ann')) $$, 'an admin removes no owner')
) as f (statement, title);
select tests.lets(
  'Abe', $$ select chat.set_tenant_member_role(tests.room('club'), tests.id_of('Cat'), 'member') $$,
  'giving a role that somebody has already needs the right to give it'
);

-- Cat, a member
select tests.refuses('Cat', 'not_allowed', statement, title)
from (
  values
  ($$ select chat.set_tenant_member_role(tests.room('club'), tests.id_of('Cat'), 'owner') $$,
    'a member does not promote themselves'),
  ($$ select chat.set_tenant_member_role(tests.room('club'), tests.id_of('Tom'), 'member') $$,
    'a member decides nothing about others'),
  ($$ select chat.remove_tenant_member(tests.room('club'), tests.id_of('Tom')) $$,
    'a member removes nobody')
) as f (statement, title);

-- Dan, a stranger
select tests.act_as('Dan');
select is(
  tests.refusal(format(statement, tests.room('club'), tests.id_of('Cat'))),
  tests.refusal(format(statement, gen_random_uuid(), tests.id_of('Cat'))),
  format('I8: a tenant one is not in looks like none: %s', statement)
)
from (
  values
  ('select chat.remove_tenant_member(%L, %L)'),
  ('select chat.set_tenant_member_role(%L, %L, ''member'')')
) as f (statement);
select throws_ok(
  $$ select chat.set_tenant_member_role(tests.room('club'), tests.id_of('Dan'), 'member') $$,
  'PT403', 'not_allowed', 'nobody comes in by a role'
);

-- An owner steps down, once there is another
select tests.act_as('Ann');
select chat.set_tenant_member_role(tests.room('club'), tests.id_of('Abe'), 'owner');
select is(
  (chat.set_tenant_member_role(tests.room('club'), tests.id_of('Ann'), 'admin')).role, 'admin',
  'an owner hands over and steps down'
);
select tests.act_as('Abe');
select chat.set_tenant_member_role(tests.room('club'), tests.id_of('Ann'), 'owner');
select tests.lets(
  'Abe', $$ select chat.set_tenant_member_role(tests.room('club'), tests.id_of('Abe'), 'admin') $$,
  'everybody may step down'
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
  (tests.head_of('gate')).epoch, 1, 'somebody who leaves a public room may come back, and its topic stays'
);
select tests.act_as('Ann');
select chat.remove_member(tests.room('park'), tests.id_of('Cat'));
select tests.watch('board', 'desk', 'yard', 'gate', 'park', 'trip', 'Cat', 'Ann');
select isnt(
  (chat.remove_tenant_member(tests.room('club'), tests.id_of('Cat'))).removed_at, null,
  'an owner removes a member'
);
select tests.took_one_number('board', 'the rooms of the tenant lose somebody who is removed from it');
select tests.took_one_number('desk', 'each room of somebody who is removed takes a number of its own');
select tests.took_one_user_number('Cat', 'the stream of somebody who is removed tells it once');
select tests.took_one_number('yard', 'a public room takes a number for somebody who is removed too');
select tests.took_one_number('gate', 'a public room that somebody had left takes a number when they are removed from the tenant');
select results_eq(
  $$
    select h.stream, (tests.head_of(h.stream)).epoch - h.epoch
    from tests.heads as h
    where h.stream in ('board', 'desk', 'yard', 'gate', 'park', 'trip')
    order by h.stream
  $$,
  $$ values ('board', 1), ('desk', 1), ('gate', 1), ('park', 1), ('trip', 0), ('yard', 1) $$,
  'I5: all rooms that lose somebody move to other topics'
);
select tests.moved('{"board": 1, "desk": 1, "yard": 1, "gate": 1, "park": 1, "Cat": 1}', 'a removal from the tenant moves nothing else');
select is(
  (tests.head_of('Cat')).epoch, (select epoch + 1 from tests.heads where stream = 'Cat'),
  'the topic of somebody who is removed moves on'
);
select tests.act_as('Cat');
select is_empty(
  $$ select from chat.rooms where id in (tests.room('board'), tests.room('desk')) $$,
  'somebody who was removed sees no room of the tenant'
);
select isnt_empty(
  $$ select from chat.rooms where id = tests.room('trip') $$, 'somebody who was removed sees the rooms of their other tenant'
);

-- Tom leaves by himself, and comes back
select tests.act_as('Tom');
select tests.watch('Tom', 'Ann', 'Abe');
select lives_ok(
  $$ select chat.remove_tenant_member(tests.room('club'), tests.id_of('Tom')) $$,
  'everybody may leave a tenant'
);
select tests.took_one_user_number('Tom', 'leaving a tenant reaches the devices of the person who leaves');
select is_empty(
  $$ select from chat.tenants where tenant_id = tests.room('club') $$, 'somebody who has left a tenant does not see it'
);
select tests.act_as_service();
select is(
  (chat.add_tenant_member(tests.room('club'), tests.id_of('Tom'))).removed_at, null,
  'somebody who left may be added again'
);
select tests.act_as('Tom');
select is_empty(
  $$ select from chat.rooms where id = tests.room('board') $$, 'somebody who was added again is in none of the rooms'
);
select tests.watch('Tom', 'Ann', 'Abe');
select chat.remove_tenant_member(tests.room('club'), tests.id_of('Tom'));
select tests.took_one_user_number('Tom', 'a tenant without rooms takes a number as well');
select tests.moved('{"Tom": 1}', 'nobody else hears that somebody left a tenant without rooms');

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
  $$ select chat.set_tenant_member_role(tests.room('club'), tests.id_of('Dan'), 'member') $$, '42501',
  'permission denied for function set_tenant_member_role', 'promote nobody'
);
select throws_ok(
  $$ select chat.remove_tenant_member(tests.room('club'), tests.id_of('Ann')) $$, '42501',
  'permission denied for function remove_tenant_member', 'signed-out people remove nobody'
);
select tests.act_without_sub();
select throws_ok(
  $$ select chat.create_tenant('x') $$, 'PT401', 'sign_in_required',
  'a token without a name is not enough'
);

select * from finish();
rollback;
