-- update_room: what a room is called and how it behaves.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
select tests.make_people('Zoe');

-- What it costs
savepoint prices; -- noqa: PRS
select tests.costs(
  'Ann', price, format('select chat.update_room(%L, topic => %L)', tests.room(name), topic), title
)
from (
  values
  ('trip', 'Lisbon', 6, 'a change of a small room costs as much as it has members'),
  ('trip', 'Lisbon', 0, 'a change to what a room is already is free'),
  ('hall', 'Lisbon', 1, 'changing a large room costs 1')
) as c (name, topic, price, title);
rollback to prices;

-- Abe, an admin
select tests.takes_one_number_everywhere(
  'Abe', $$ select chat.update_room(%L, '  New name ', 'What for', 5, 30, default_role => 'reader') $$,
  'a change takes one number'
);
select results_eq(
  $$
    select name, topic, slow_mode_seconds, retain_days, history, default_role, changed_rev = rev
    from chat.rooms where id = tests.room('trip')
  $$,
  $$ values ('New name', 'What for', 5, 30, 'all', 'reader', true) $$,
  'the room is what was said, and what was left out stayed'
);
select tests.changes_nothing_anywhere(
  'Abe', $$ select chat.update_room(%L, 'New name', 'What for', 5, 30, default_role => 'reader') $$,
  'saying again what a room is changes nothing'
);
select tests.changes_nothing_anywhere(
  'Abe', $$ select chat.update_room(%L) $$, 'an update of a room that says nothing changes nothing'
);
select tests.takes_one_number_everywhere(
  'Ann', $$ select chat.update_room(%L, topic => '', slow_mode_seconds => 0, retain_days => 0) $$,
  'clearing what a room says takes one number'
);
select results_eq(
  $$ select name, topic, slow_mode_seconds, retain_days from chat.rooms where id = tests.room('trip') $$,
  $$ values ('New name', '', 0, null::integer) $$, 'an empty text and a zero clear what a room says'
);

-- Metadata
select tests.takes_one_number_everywhere(
  'Abe', $$ select chat.update_room(%L, metadata => '{"order": 7}') $$, 'setting metadata takes one number'
);
select tests.changes_nothing_anywhere(
  'Abe', $$ select chat.update_room(%L, metadata => '{"order": 7}') $$, 'setting the same metadata again changes nothing'
);
select tests.lets('Abe', $$ select chat.update_room(tests.room('trip'), topic => 'x') $$, 'an admin changes the topic');
select is(
  (select metadata from chat.rooms where id = tests.room('trip')), '{"order": 7}', 'metadata that are left out stay'
);
select tests.takes_one_number_everywhere(
  'Abe', $$ select chat.update_room(%L, metadata => '{}') $$, 'clearing metadata takes one number'
);
select is((select metadata from chat.rooms where id = tests.room('trip')), '{}', 'an empty object clears the metadata');
select tests.refuses(
  'Abe', slug, format('select chat.update_room(tests.room(''trip''), metadata => %L)', value),
  format('no room is given %s', what)
)
from (
  values
  ('[]', 'invalid_input', 'metadata that are an array'),
  (jsonb_build_object('x', repeat('x', 5000))::text, 'payload_too_large', 'metadata of 5 KB')
) as v (value, slug, what);

-- History
select tests.watch('hall', 'trip');
select chat.update_room(tests.room('hall'), history => 'since_join');
select is(
  (tests.head_of('hall')).epoch, (select epoch + 1 from tests.heads where stream = 'hall'),
  'what was sent on the topic of a large room before cannot be replayed by people who come later'
);
select chat.update_room(tests.room('trip'), history => 'since_join');
select chat.add_member(tests.room('trip'), tests.id_of('Zoe'));
select tests.act_as('Zoe');
select is_empty(
  $$ select from chat.messages where room_id = tests.room('trip') and body = 'early' $$,
  'since_join counts for people who come in from then on'
);
select tests.act_as('Cat');
select isnt_empty(
  $$ select from chat.messages where room_id = tests.room('trip') and body = 'early' $$,
  'since_join takes nothing from people who are in'
);

-- Ann, with values that are none
select tests.act_as('Ann');
select throws_ok(
  format('select chat.update_room(%L, %s)', tests.room('trip'), arguments), 'PT400', 'invalid_input',
  title
)
from (
  values
  ('''  ''', 'a name is not blank'),
  ('repeat(''x'', 121)', 'a name is short'),
  ('E''a\tb''', 'a name holds no control character'),
  ('U&''a\202Eb''', 'a name does not turn its neighbours around'),
  ('topic => repeat(''x'', 501)', 'a topic is short'),
  ('topic => E''a\nb''', 'a topic is one line'),
  ('slow_mode_seconds => -1', 'slow mode is not negative'),
  ('slow_mode_seconds => 86401', 'slow mode lasts a day at most'),
  ('retain_days => -1', 'retention is not negative'),
  ('retain_days => 36501', 'retention is bounded'),
  ('history => ''none''', 'history is all or since_join'),
  ('default_role => ''owner''', 'somebody who joins is no owner')
) as v (arguments, title);
select lives_ok(
  format('select chat.update_room(%L, %s)', tests.room('trip'), arguments), title
)
from (
  values
  ('repeat(''x'', 120)', 'a name of 120 characters fits'),
  ('topic => repeat(''x'', 500)', 'a topic of 500 characters fits'),
  ('U&''\2764\FE0F \05E9\05DC\05D5\05DD''', 'emoji and right-to-left letters are letters')
) as v (arguments, title);

-- Bob, a moderator
select tests.act_as('Bob');
select throws_ok(
  $$ select chat.update_room(tests.room('hall'), 'x') $$, 'PT403', 'not_allowed',
  'a moderator does not change the room'
);

-- Cat, a member
select tests.act_as('Cat');
select throws_ok(
  $$ select chat.update_room(tests.room('hall'), 'x') $$, 'PT403', 'not_allowed', 'a member does not change the room'
);
select throws_ok(
  $$ select chat.update_room(tests.room('pair'), 'x') $$, 'PT403', 'not_allowed',
  'nobody changes a direct room'
);

-- Abe, muted; then in an archived room
select tests.act_as('Ann');
select chat.mute_member(tests.room('hall'), tests.id_of('Abe'));
select chat.archive_room(tests.room('late'));
select tests.act_as('Abe');
select throws_ok(
  $$ select chat.update_room(tests.room('hall'), 'x') $$, 'PT403', 'member_muted',
  'somebody who is muted changes nothing'
);
select throws_ok(
  $$ select chat.update_room(tests.room('late'), 'x') $$, 'PT423', 'room_archived',
  'an archived room stays as it is'
);
select lives_ok(
  $$ select chat.update_room(tests.room('tower'), 'x') $$, 'somebody who is not muted changes a room that is not archived'
);

-- Strangers, ex-members, other tenants
select tests.strangers_find_nothing('select chat.update_room(%L, ''x'')', 'changing');

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  $$ select chat.update_room(tests.room('trip'), 'x') $$, '42501',
  'permission denied for function update_room', 'signed-out people change nothing'
);

select * from finish();
rollback;
