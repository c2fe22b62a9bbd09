-- add_member and remove_member: what moderators do with the memberships of others.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

-- How many
savepoint caps; -- noqa: PRS
select tests.change_as_owner('update chat_private.settings set members_added_per_day = 1');
select tests.change_as_owner('delete from chat_private.rate_buckets');
select tests.act_as('Bob');
select chat.add_member(tests.room('trip'), tests.id_of('Dan'));
select is(
  tests.slug_of(tests.refusal('select chat.add_member(tests.room(''hall''), tests.id_of(''Dan''))')), 'slow_down',
  'people are put into rooms up to the limit of a day, and then adding waits'
);
select tests.lets('Abe', 'select chat.add_member(tests.room(''hall''), tests.id_of(''Dan''))', 'the limit counts for the person who adds people');
select tests.act_as('Dan');
select chat.leave_room(tests.room('hall'));
select tests.lets('Dan', 'select chat.join_room(tests.room(''plaza''))', 'joining does not count for the limit of people who are added');
rollback to caps;

-- What it costs
savepoint prices; -- noqa: PRS
select tests.costs('Bob', price, format('select chat.%s(%L, %L)', call, tests.room('trip'), tests.id_of('Dan')), title)
from (
  values
  ('add_member', 26, 'to add somebody costs 20, and as much as the room has members'),
  ('add_member', 0, 'adding somebody who is in already is free'), ('remove_member', 7, 'a removal costs as much as the room has members')
) as c (call, price, title);
rollback to prices;

-- Bob, a moderator, adds Dan
select tests.takes_one_number_everywhere(
  'Bob', format('select chat.add_member(%%L, %L, label => '' guest '')', tests.id_of('Dan')),
  'adding takes one number'
);
select tests.changes_nothing_anywhere(
  'Bob', format('select chat.add_member(%%L, %L, ''reader'')', tests.id_of('Dan')),
  'adding somebody who is in changes nothing'
);
select results_eq(
  $$
    select role, label from chat.room_members
    where room_id = tests.room('trip') and user_id = tests.id_of('Dan')
  $$,
  $$ values ('member', 'guest') $$, 'somebody is added as a member unless said otherwise, with a label'
);
select results_eq(
  $$
    select kind, body, sender_id, mentions from chat.messages
    where room_id = tests.room('trip') order by seq desc limit 1
  $$,
  $$ values ('system', 'member_added', tests.id_of('Bob'), array[tests.id_of('Dan')]) $$,
  'the room says who added whom'
);

-- Bob removes Dan
select tests.takes_one_number_everywhere(
  'Bob', format('select chat.remove_member(%%L, %L, '' spam '')', tests.id_of('Dan')),
  'removing takes one number'
);
select tests.act_as('Bob');
select results_eq(
  $$ select reason from chat.removals where room_id = tests.room('trip') $$, $$ values ('spam') $$, 'moderators read the reason'
);
select tests.act_as('Dan');
select results_eq(
  $$ select reason from chat.removals where room_id = tests.room('trip') $$, $$ values ('spam') $$, 'somebody who was removed reads the reason'
);
select tests.act_as('Tom');
select is_empty($$ select reason from chat.removals where room_id = tests.room('trip') $$, 'nobody of another tenant reads the reason');
select tests.act_as('Cat');
select is_empty($$ select reason from chat.removals where room_id = tests.room('trip') $$, 'no other member reads the reason');
select is_empty(
  $$
    select from chat.room_members as m where m::text like '%spam%'
    union all
    select from jsonb_path_query(
      chat.pull_changes(jsonb_build_object('rooms', jsonb_build_object(tests.room('trip'), null))), '$.**'
    ) as j where j #>> '{}' like '%spam%'
  $$,
  'neither a membership nor a pull tells the reason'
);
select tests.act_as('Bob');
select tests.lets(
  'Bob', format('select chat.remove_member(%L, %L)', tests.room('trip'), tests.id_of('Lea')), 'nobody has to say why'
);
select is_empty(
  format('select from chat.removals where user_id = %L', tests.id_of('Lea')), 'no reason is written when nobody says one'
);

-- Strangers, ex-members, other tenants
select tests.strangers_find_nothing(
  format('select chat.add_member(%%L, %L)', tests.id_of('Dan')), 'adding'
);
select tests.strangers_find_nothing(
  format('select chat.remove_member(%%L, %L)', tests.id_of('Cat')), 'removing'
);

-- Ranks
select tests.refuses(name, 'not_allowed', statement, title)
from (
  values
  ('Bob', $$ select chat.add_member(tests.room('trip'), tests.id_of('Dan'), 'moderator') $$,
    'a moderator adds no moderator'),
  ('Bob', $$ select chat.add_member(tests.room('trip'), tests.id_of('Dan'), 'owner') $$, 'a moderator adds no owner'),
  ('Abe', $$ select chat.add_member(tests.room('trip'), tests.id_of('Dan'), 'admin') $$,
    'an admin adds no admin'),
  ('Cat', $$ select chat.add_member(tests.room('trip'), tests.id_of('Dan')) $$, 'a member adds nobody'),
  ('Cat', $$ select chat.remove_member(tests.room('trip'), tests.id_of('Rea')) $$,
    'a member removes nobody'),
  ('Rea', $$ select chat.add_member(tests.room('trip'), tests.id_of('Dan')) $$, 'a reader adds nobody'),
  ('Bob', $$ select chat.remove_member(tests.room('trip'), tests.id_of('Abe')) $$,
    'a moderator removes no admin'),
  ('Abe', $$ select chat.remove_member(tests.room('trip'), tests.id_of('Ann')) $$,
    'an admin removes no owner'),
  ('Cat', $$ select chat.add_member(tests.room('pair'), tests.id_of('Dan')) $$,
    'a direct room takes nobody in'),
  ('Cat', $$ select chat.remove_member(tests.room('pair'), tests.id_of('Ann')) $$, 'nobody takes people out of a direct room')
) as r (name, statement, title);
select tests.lets(name, statement, title)
from (
  values
  ('Abe', $$ select chat.add_member(tests.room('trip'), tests.id_of('Dan'), 'moderator') $$,
    'an admin adds a moderator'),
  ('Abe', $$ select chat.remove_member(tests.room('trip'), tests.id_of('Dan')) $$, 'an admin removes a moderator'),
  ('Ann', $$ select chat.add_member(tests.room('trip'), tests.id_of('Dan'), 'owner') $$,
    'an owner adds an owner'),
  ('Ann', $$ select chat.remove_member(tests.room('trip'), tests.id_of('Dan')) $$, 'an owner removes an owner'),
  ('Cat', $$ select chat.remove_member(tests.room('hall'), tests.id_of('Cat')) $$,
    'everybody removes themselves')
) as r (name, statement, title);

-- Who cannot be added
select tests.act_as('Ann');
select chat.ban_member(tests.room('trip'), tests.id_of('Lea'));
select tests.refuses('Ann', 'not_allowed', statement, title)
from (
  values
  ($$ select chat.add_member(tests.room('trip'), tests.id_of('Lea')) $$,
    'I3: nobody lets a banned person in, not even an owner')
) as r (statement, title);
select tests.looks_absent(
  format('select chat.add_member(%L, %%L)', tests.room('trip')), tests.id_of('Tom'),
  'somebody of another tenant looks like nobody'
);
select tests.change_as_owner(format('delete from auth.users where id = %L', tests.id_of('Xen')));
select tests.looks_absent(
  format('select chat.add_member(%L, %%L)', tests.room('trip')), tests.id_of('Xen'),
  'a closed account looks like nobody'
);
select tests.looks_absent(
  format('select chat.remove_member(%L, %%L)', tests.room('hall')), tests.id_of('Dan'),
  'somebody who is not in the room cannot be taken out'
);
select tests.refuses('Ann', slug, statement, title)
from (
  values
  ('invalid_input', $$ select chat.add_member(tests.room('trip'), tests.id_of('Dan'), 'king') $$,
    'a role is a known one'),
  ('invalid_input', $$ select chat.add_member(tests.room('trip'), tests.id_of('Dan'), null) $$,
    'a role is not null'),
  ('invalid_input', $$
    select chat.add_member(tests.room('trip'), tests.id_of('Dan'), label => repeat('x', 41))
  $$, 'a label is short'),
  ('invalid_input', $$
    select chat.remove_member(tests.room('trip'), tests.id_of('Cat'), repeat('x', 501))
  $$, 'a reason is short'),
  ('invalid_input', $$
    select chat.remove_member(tests.room('trip'), tests.id_of('Cat'), E'a\nb')
  $$, 'a reason is one line'),
  ('user_not_found', $$ select chat.add_member(tests.room('trip'), null) $$, 'null is nobody'),
  ('user_not_found', $$ select chat.remove_member(tests.room('trip'), null) $$,
    'null is nobody who could be taken out'),
  ('last_owner', $$ select chat.remove_member(tests.room('trip'), tests.id_of('Ann')) $$,
    'the last owner does not remove themselves')
) as r (slug, statement, title);

-- Bob, muted
select tests.act_as('Ann');
select chat.mute_member(tests.room('late'), tests.id_of('Bob'));
select tests.refuses('Bob', 'member_muted', statement, title)
from (
  values
  ($$ select chat.add_member(tests.room('late'), tests.id_of('Dan')) $$, 'somebody who is muted adds nobody'),
  ($$ select chat.remove_member(tests.room('late'), tests.id_of('Cat')) $$, 'somebody who is muted removes nobody')
) as r (statement, title);

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  $$ select chat.add_member(tests.room('trip'), tests.id_of('Dan')) $$, '42501',
  'permission denied for function add_member', 'signed-out people add nobody'
);
select throws_ok(
  $$ select chat.remove_member(tests.room('trip'), tests.id_of('Cat')) $$, '42501',
  'permission denied for function remove_member', 'signed-out people remove nobody'
);

select * from finish();
rollback;
