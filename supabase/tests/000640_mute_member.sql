-- mute_member and unmute_member: somebody may read and not act.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

-- What it costs
savepoint prices; -- noqa: PRS
select tests.costs('Bob', price, format('select chat.%s(%L, %L)', call, tests.room('trip'), tests.id_of('Cat')), title)
from (
  values
  ('mute_member', 6, 'a mute costs as much as the room has members'), ('mute_member', 0, 'a mute that stands already is free'),
  ('unmute_member', 6, 'lifting a mute costs as much as the room has members')
) as c (call, price, title);
rollback to prices;

-- Bob, a moderator
select tests.takes_one_number_everywhere(
  'Bob', format('select chat.mute_member(%%L, %L)', tests.id_of('Cat')), 'muting takes one number'
);
select tests.changes_nothing_anywhere(
  'Bob', format('select chat.mute_member(%%L, %L)', tests.id_of('Cat')), 'muting again changes nothing'
);
select is(
  (
    select muted_until from chat.room_members
    where room_id = tests.room('trip') and user_id = tests.id_of('Cat')
  ),
  '9999-12-31 00:00:00+00', 'a mute without an end lasts as long as dates do'
);
select is(
  (chat.mute_member(tests.room('trip'), tests.id_of('Cat'), 'infinity')).muted_until,
  '9999-12-31 00:00:00+00', 'a mute until infinity lasts as long as dates do'
) from (select tests.act_as('Bob')) as actor;

-- Cat, behind the fence
select tests.refuses('Cat', 'member_muted', statement, title)
from (
  values
  ($$ select chat.send_message(tests.room('trip'), 'x', gen_random_uuid()) $$, 'I3: somebody who is muted does not send')
) as f (statement, title);
select tests.lets('Cat', statement, title)
from (
  values
  ($$ select chat.list_messages(tests.room('trip')) $$, 'somebody who is muted reads'),
  ($$ select chat.send_message(tests.room('pair'), 'x', gen_random_uuid()) $$, 'somebody who is muted sends elsewhere')
) as f (statement, title);
select is_empty(
  $$
    select from chat.messages as m
    join chat.room_members as s on s.room_id = m.room_id and s.user_id = m.sender_id
    where s.muted_until > now() and m.rev > s.rev
  $$,
  'I3: no message of somebody muted has a number above the mute'
);

-- Bob lifts it
select tests.takes_one_number_everywhere(
  'Bob', format('select chat.unmute_member(%%L, %L)', tests.id_of('Cat')), 'unmuting takes one number'
);
select tests.changes_nothing_anywhere(
  'Bob', format('select chat.unmute_member(%%L, %L)', tests.id_of('Cat')),
  'unmuting again changes nothing'
);
select tests.lets(
  'Cat', $$ select chat.send_message(tests.room('trip'), 'x', gen_random_uuid()) $$, 'Cat sends after the mute was lifted'
);

-- For a time
select tests.lets(
  'Bob', $$ select chat.mute_member(tests.room('trip'), tests.id_of('Cat'), clock_timestamp() + interval '1 day') $$,
  'a mute may have an end'
);
select tests.refuses(
  'Cat', 'member_muted', $$ select chat.send_message(tests.room('trip'), 'x', gen_random_uuid()) $$, 'somebody who is muted for a time does not send until then'
);
select tests.change_as_owner(
  'update chat.room_members set muted_until = clock_timestamp() where muted_until is not null'
);
select tests.lets(
  'Cat', $$ select chat.send_message(tests.room('trip'), 'x', gen_random_uuid()) $$, 'a mute is over at its end'
);

-- Ranks
select tests.refuses(name, slug, statement, title)
from (
  values
  ('Bob', 'not_allowed', $$ select chat.mute_member(tests.room('trip'), tests.id_of('Abe')) $$,
    'a moderator mutes no admin'),
  ('Bob', 'not_allowed', $$ select chat.unmute_member(tests.room('trip'), tests.id_of('Abe')) $$,
    'a moderator unmutes no admin'),
  ('Bob', 'not_allowed', $$ select chat.mute_member(tests.room('trip'), tests.id_of('Bob')) $$,
    'a moderator does not mute themselves'),
  ('Ann', 'not_allowed', $$ select chat.mute_member(tests.room('trip'), tests.id_of('Ann')) $$,
    'an owner does not mute themselves'),
  ('Ann', 'not_allowed', $$ select chat.mute_member(tests.room('trip'), tests.id_of('Ann'), clock_timestamp() + interval '1 s') $$,
    'an owner does not mute themselves for a second'),
  ('Cat', 'not_allowed', $$ select chat.mute_member(tests.room('trip'), tests.id_of('Rea')) $$,
    'a member mutes nobody'),
  ('Cat', 'not_allowed', $$ select chat.mute_member(tests.room('pair'), tests.id_of('Ann')) $$,
    'nobody mutes in a direct room'),
  ('Bob', 'invalid_input', $$ select chat.mute_member(tests.room('trip'), tests.id_of('Cat'), clock_timestamp()) $$,
    'a mute ends in the future'),
  ('Bob', 'user_not_found', $$ select chat.mute_member(tests.room('trip'), tests.id_of('Xen')) $$,
    'somebody who left is not muted'),
  ('Bob', 'user_not_found', $$ select chat.unmute_member(tests.room('trip'), gen_random_uuid()) $$,
    'nobody is not unmuted')
) as r (name, slug, statement, title);
select tests.lets(
  'Abe', $$ select chat.mute_member(tests.room('trip'), tests.id_of('Bob')) $$, 'an admin mutes a moderator'
);
select tests.refuses('Bob', 'member_muted', statement, title)
from (
  values
  ($$ select chat.mute_member(tests.room('trip'), tests.id_of('Cat')) $$, 'a muted moderator mutes nobody'),
  ($$ select chat.unmute_member(tests.room('trip'), tests.id_of('Bob')) $$, 'a muted person does not unmute themselves')
) as r (statement, title);

-- Strangers, ex-members, other tenants
select tests.strangers_find_nothing(
  format('select chat.%I(%%L, %L)', name, tests.id_of('Cat')), name
)
from unnest(array['mute_member', 'unmute_member']) as f (name);

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  format('select chat.%I(%L, %L)', name, tests.room('trip'), tests.id_of('Cat')), '42501',
  format('permission denied for function %s', name), format('signed-out people may not call %s', name)
)
from unnest(array['mute_member', 'unmute_member']) as f (name);

select * from finish();
rollback;
