-- add_member and remove_member: what moderators do with the memberships of others.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

-- Bob, a moderator, adds Dan
select tests.takes_one_number_everywhere(
  'Bob', format('select chat.add_member(%%L, %L, label => '' guest '')', tests.id_of('Dan')),
  'adding takes one number'
);
select tests.changes_nothing_anywhere(
  'Bob', format('select chat.add_member(%%L, %L, ''reader'')', tests.id_of('Dan')),
  'adding who is in changes nothing'
);
select results_eq(
  $$
    select role, label from chat.room_members
    where room_id = tests.room('trip') and user_id = tests.id_of('Dan')
  $$,
  $$ values ('member', 'guest') $$, 'a member, unless said otherwise, with a label'
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
  $$ select reason from chat.removals where room_id = tests.room('trip') $$, $$ values ('spam') $$, 'and so does who was removed'
);
select tests.act_as('Tom');
select is_empty($$ select reason from chat.removals where room_id = tests.room('trip') $$, 'but nobody of another tenant');
select tests.act_as('Cat');
select is_empty($$ select reason from chat.removals where room_id = tests.room('trip') $$, 'and no other member');
select is_empty(
  $$
    select from chat.room_members as m where m::text like '%spam%'
    union all
    select from jsonb_path_query(
      chat.pull_changes(jsonb_build_object('rooms', jsonb_build_object(tests.room('trip'), null))), '$.**'
    ) as j where j #>> '{}' like '%spam%'
  $$,
  'nor does a membership or a pull tell it'
);
select tests.act_as('Bob');
select tests.lets(
  'Bob', format('select chat.remove_member(%L, %L)', tests.room('trip'), tests.id_of('Lea')), 'nobody has to say why'
);
select is_empty(
  format('select from chat.removals where user_id = %L', tests.id_of('Lea')), 'and then nothing is written'
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
  ('Bob', $$ select chat.add_member(tests.room('trip'), tests.id_of('Dan'), 'owner') $$, 'nor an owner'),
  ('Abe', $$ select chat.add_member(tests.room('trip'), tests.id_of('Dan'), 'admin') $$,
    'an admin adds no admin'),
  ('Cat', $$ select chat.add_member(tests.room('trip'), tests.id_of('Dan')) $$, 'a member adds nobody'),
  ('Cat', $$ select chat.remove_member(tests.room('trip'), tests.id_of('Rea')) $$,
    'and removes nobody'),
  ('Rea', $$ select chat.add_member(tests.room('trip'), tests.id_of('Dan')) $$, 'nor does a reader'),
  ('Bob', $$ select chat.remove_member(tests.room('trip'), tests.id_of('Abe')) $$,
    'a moderator removes no admin'),
  ('Abe', $$ select chat.remove_member(tests.room('trip'), tests.id_of('Ann')) $$,
    'an admin removes no owner'),
  ('Cat', $$ select chat.add_member(tests.room('pair'), tests.id_of('Dan')) $$,
    'a direct room takes nobody in'),
  ('Cat', $$ select chat.remove_member(tests.room('pair'), tests.id_of('Ann')) $$, 'or out')
) as r (name, statement, title);
select tests.lets(name, statement, title)
from (
  values
  ('Abe', $$ select chat.add_member(tests.room('trip'), tests.id_of('Dan'), 'moderator') $$,
    'an admin adds a moderator'),
  ('Abe', $$ select chat.remove_member(tests.room('trip'), tests.id_of('Dan')) $$, 'and removes one'),
  ('Ann', $$ select chat.add_member(tests.room('trip'), tests.id_of('Dan'), 'owner') $$,
    'an owner adds an owner'),
  ('Ann', $$ select chat.remove_member(tests.room('trip'), tests.id_of('Dan')) $$, 'and removes one'),
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
  'so does a closed account'
);
select tests.looks_absent(
  format('select chat.remove_member(%L, %%L)', tests.room('hall')), tests.id_of('Dan'),
  'who is not in the room cannot be taken out'
);
select tests.refuses('Ann', slug, statement, title)
from (
  values
  ('invalid_input', $$ select chat.add_member(tests.room('trip'), tests.id_of('Dan'), 'king') $$,
    'a role is a known one'),
  ('invalid_input', $$ select chat.add_member(tests.room('trip'), tests.id_of('Dan'), null) $$,
    'and not null'),
  ('invalid_input', $$
    select chat.add_member(tests.room('trip'), tests.id_of('Dan'), label => repeat('x', 41))
  $$, 'a label is short'),
  ('invalid_input', $$
    select chat.remove_member(tests.room('trip'), tests.id_of('Cat'), repeat('x', 501))
  $$, 'a reason is short'),
  ('invalid_input', $$
    select chat.remove_member(tests.room('trip'), tests.id_of('Cat'), E'a\nb')
  $$, 'and one line'),
  ('user_not_found', $$ select chat.add_member(tests.room('trip'), null) $$, 'null is nobody'),
  ('user_not_found', $$ select chat.remove_member(tests.room('trip'), null) $$,
    'to be taken out as well'),
  ('last_owner', $$ select chat.remove_member(tests.room('trip'), tests.id_of('Ann')) $$,
    'the last owner does not remove themselves')
) as r (slug, statement, title);

-- Bob, muted
select tests.act_as('Ann');
select chat.mute_member(tests.room('late'), tests.id_of('Bob'));
select tests.refuses('Bob', 'member_muted', statement, title)
from (
  values
  ($$ select chat.add_member(tests.room('late'), tests.id_of('Dan')) $$, 'who is muted adds nobody'),
  ($$ select chat.remove_member(tests.room('late'), tests.id_of('Cat')) $$, 'and removes nobody')
) as r (statement, title);

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  $$ select chat.add_member(tests.room('trip'), tests.id_of('Dan')) $$, '42501',
  'permission denied for function add_member', 'signed-out people add nobody'
);
select throws_ok(
  $$ select chat.remove_member(tests.room('trip'), tests.id_of('Cat')) $$, '42501',
  'permission denied for function remove_member', 'and remove nobody'
);

select * from finish();
rollback;
