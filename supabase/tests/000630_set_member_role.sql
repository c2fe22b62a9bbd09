-- set_member_role: promotion, demotion, and handing a room over.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

-- What it costs
savepoint prices; -- noqa: PRS
select tests.costs('Ann', price, format('select chat.set_member_role(%L, %L, ''reader'')', tests.room('trip'), tests.id_of('Cat')), title)
from (
  values (6, 'a role costs as much as the room has members'), (0, 'giving the same role is free')
) as c (price, title);
rollback to prices;

-- Abe, an admin
select tests.takes_one_number_everywhere(
  'Abe', format('select chat.set_member_role(%%L, %L, ''moderator'')', tests.id_of('Cat')),
  'a promotion takes one number'
);
select tests.changes_nothing_anywhere(
  'Abe', format('select chat.set_member_role(%%L, %L, ''moderator'')', tests.id_of('Cat')),
  'the same role again changes nothing'
);
select results_eq(
  $$
    select kind, body, sender_id, mentions from chat.messages
    where room_id = tests.room('trip') order by seq desc limit 1
  $$,
  $$ values ('system', 'made_moderator', tests.id_of('Abe'), array[tests.id_of('Cat')]) $$,
  'the room says who made whom what'
);
select tests.takes_one_number_everywhere(
  'Abe', format('select chat.set_member_role(%%L, %L, ''member'')', tests.id_of('Cat')),
  'a demotion takes one number'
);

-- Ranks
select tests.refuses(name, 'not_allowed', statement, title)
from (
  values
  ('Abe', $$ select chat.set_member_role(tests.room('trip'), tests.id_of('Cat'), 'admin') $$,
    'an admin makes nobody admin'),
  ('Abe', $$ select chat.set_member_role(tests.room('trip'), tests.id_of('Cat'), 'owner') $$,
    'an admin makes nobody owner'),
  ('Abe', $$ select chat.set_member_role(tests.room('trip'), tests.id_of('Ann'), 'member') $$,
    'an admin demotes no owner'),
  ('Abe', $$ select chat.set_member_role(tests.room('trip'), tests.id_of('Abe'), 'owner') $$,
    'nobody promotes themselves'),
  ('Bob', $$ select chat.set_member_role(tests.room('trip'), tests.id_of('Cat'), 'reader') $$,
    'a moderator changes no role'),
  ('Bob', $$ select chat.set_member_role(tests.room('trip'), tests.id_of('Bob'), 'admin') $$,
    'a moderator does not promote themselves'),
  ('Cat', $$ select chat.set_member_role(tests.room('trip'), tests.id_of('Rea'), 'member') $$,
    'a member changes no role'),
  ('Rea', $$ select chat.set_member_role(tests.room('trip'), tests.id_of('Rea'), 'member') $$,
    'a reader does not promote themselves'),
  ('Cat', $$ select chat.set_member_role(tests.room('pair'), tests.id_of('Cat'), 'owner') $$,
    'nobody owns a direct room')
) as r (name, statement, title);
select tests.lets(name, statement, title)
from (
  values
  ('Bob', $$ select chat.set_member_role(tests.room('trip'), tests.id_of('Bob'), 'reader') $$,
    'everybody may step down'),
  ('Ann', $$ select chat.set_member_role(tests.room('trip'), tests.id_of('Bob'), 'admin') $$,
    'an owner makes admins')
) as r (name, statement, title);
select tests.refuses(
  'Bob', 'not_allowed', $$ select chat.set_member_role(tests.room('trip'), tests.id_of('Abe'), 'member') $$,
  'an admin does not demote another admin'
);

-- Ann hands the room over
select tests.refuses(
  'Ann', 'last_owner', $$ select chat.set_member_role(tests.room('trip'), tests.id_of('Ann'), 'admin') $$,
  'the last owner does not step down'
);
select tests.lets(
  'Ann', $$ select chat.set_member_role(tests.room('trip'), tests.id_of('Cat'), 'owner') $$,
  'the last owner makes somebody else owner'
);
select tests.lets(
  'Ann', $$ select chat.set_member_role(tests.room('trip'), tests.id_of('Ann'), 'member') $$,
  'an owner steps down when there is another'
);
select tests.refuses(
  'Ann', 'not_allowed', $$ select chat.set_member_role(tests.room('trip'), tests.id_of('Ann'), 'owner') $$,
  'somebody who has stepped down does not come back by themselves'
);
select tests.lets(
  'Ann', $$ select chat.set_member_role(tests.room('hall'), tests.id_of('Cat'), 'owner') $$,
  'an owner makes somebody owner of another room'
);
select tests.lets(
  'Cat', $$ select chat.set_member_role(tests.room('hall'), tests.id_of('Ann'), 'reader') $$,
  'an owner demotes another owner'
);

-- An owner who is muted cannot act, and counts as none
select tests.act_as('Cat');
select chat.set_member_role(tests.room('hall'), tests.id_of('Abe'), 'owner'), chat.mute_member(tests.room('hall'), tests.id_of('Abe'));
select tests.refuses(
  'Cat', 'last_owner', $$ select chat.set_member_role(tests.room('hall'), tests.id_of('Cat'), 'admin') $$,
  'beside a muted owner the other one does not step down'
);
select tests.lets(
  'Cat', $$ select chat.set_member_role(tests.room('hall'), tests.id_of('Abe'), 'admin') $$, 'an owner demotes a muted owner'
);
select tests.act_as('Cat');
select chat.set_member_role(tests.room('hall'), tests.id_of('Abe'), 'owner'), chat.unmute_member(tests.room('hall'), tests.id_of('Abe'));
select tests.lets(
  'Cat', $$ select chat.set_member_role(tests.room('hall'), tests.id_of('Cat'), 'admin') $$, 'an owner steps down when the mute is lifted'
);

-- A closed account holds no office, before maintenance has run
select tests.act_as('Ann');
select chat.set_member_role(tests.room('plaza'), tests.id_of('Abe'), 'owner'), chat.set_member_role(tests.room('plaza'), tests.id_of('Lea'), 'admin');
select tests.stop_acting();
delete from auth.users where id = tests.id_of('Lea');
update chat.profiles set closed_at = now() where user_id = tests.id_of('Abe');
select tests.refuses('Ann', slug, statement, title)
from (
  values
  ('last_owner', $$ select chat.set_member_role(tests.room('plaza'), tests.id_of('Ann'), 'admin') $$, 'beside a closed owner nobody steps down'),
  ('user_not_found', $$ select chat.set_member_role(tests.room('plaza'), tests.id_of('Lea'), 'owner') $$, 'nobody makes a closed account owner')
) as r (slug, statement, title);
select tests.stop_acting();
update chat.profiles set closed_at = null where user_id = tests.id_of('Abe');
select tests.lets(
  'Ann', $$ select chat.set_member_role(tests.room('plaza'), tests.id_of('Ann'), 'admin') $$, 'beside an owner with an open account another one steps down'
);

-- What is no role, and who is not there
select tests.refuses('Cat', slug, statement, title)
from (
  values
  ('invalid_input', $$ select chat.set_member_role(tests.room('trip'), tests.id_of('Ann'), 'king') $$,
    'a role is a known one'),
  ('invalid_input', $$ select chat.set_member_role(tests.room('trip'), tests.id_of('Ann'), null) $$,
    'a role is not null'),
  ('user_not_found', $$ select chat.set_member_role(tests.room('trip'), null, 'member') $$,
    'null is nobody')
) as r (slug, statement, title);
select tests.looks_absent(
  format('select chat.set_member_role(%L, %%L, ''member'')', tests.room('trip')), tests.id_of(name),
  format('%s is no member whose role could change', name)
)
from unnest(array['Xen', 'Dan', 'Tom']) as n (name);

-- Abe, muted
select tests.act_as('Cat');
select chat.mute_member(tests.room('trip'), tests.id_of('Abe'));
select tests.refuses(
  'Abe', 'member_muted', $$ select chat.set_member_role(tests.room('trip'), tests.id_of('Rea'), 'member') $$,
  'I3: somebody who is muted changes no role'
);
select tests.refuses(
  'Abe', 'member_muted', $$ select chat.set_member_role(tests.room('trip'), tests.id_of('Abe'), 'member') $$,
  'I3: somebody who is muted does not change even their own role'
);

-- Strangers, ex-members, other tenants
select tests.strangers_find_nothing(
  format('select chat.set_member_role(%%L, %L, ''owner'')', tests.id_of(name)), format('promoting %s', name)
)
from unnest(array['Dan', 'Xen']) as n (name);

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  $$ select chat.set_member_role(tests.room('trip'), tests.id_of('Cat'), 'owner') $$, '42501',
  'permission denied for function set_member_role', 'signed-out people promote nobody'
);

select * from finish();
rollback;
