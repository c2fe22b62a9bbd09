-- Messages: who reads what was said.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

-- A member
select tests.act_as('Cat');
select isnt_empty(
  format('select from chat.messages where room_id = %L and body = ''early''', tests.room(name)),
  format('somebody who was there reads what was said in %s', name)
)
from unnest(array['trip', 'hall', 'late', 'tower', 'plaza']) as n (name);
select is_empty(
  $$ select from chat.messages where room_id not in (select room_id from tests.rooms) $$,
  'somebody who was there reads nothing of any other room'
);
select throws_ok(
  statement, '42501', 'permission denied for table messages', title
)
from (
  values
  ($$ insert into chat.messages (room_id, seq, rev, sender_id, body)
       values (tests.room('trip'), 99, 99, tests.id_of('Cat'), 'x') $$, 'nobody writes a message'),
  ($$ update chat.messages set body = 'x' $$, 'nobody changes a message'),
  ($$ delete from chat.messages $$, 'nobody deletes a message'),
  ($$ truncate chat.messages $$, 'nobody deletes all messages')
) as f (statement, title);
select throws_ok(
  $$ select from chat_private.sends $$, '42501', 'permission denied for schema chat_private',
  'nobody reads the memory of sends'
);

-- Lea, who came later
select tests.act_as('Lea');
select isnt_empty(
  format('select from chat.messages where room_id = %L and body = ''early''', tests.room(name)),
  format('somebody who comes later reads what was said in %s', name)
)
from unnest(array['trip', 'hall', 'plaza']) as n (name);
select is_empty(
  format('select from chat.messages where room_id = %L and body = ''early''', tests.room(name)),
  format('somebody who comes later reads nothing from before in %s, which shows its history to no newcomer', name)
)
from unnest(array['late', 'tower']) as n (name);
select results_eq(
  format(
    'select min(seq) from chat.messages where room_id = %L', tests.room('late')
  ),
  format(
    'select visible_after_seq + 1 from chat.room_members where room_id = %L and user_id = %L',
    tests.room('late'), tests.id_of('Lea')
  ),
  'the first message that a newcomer reads is their own joining, without history'
);

-- A stranger, an ex-member, another tenant
select tests.act_as('Dan');
select is_empty($$ select from chat.messages $$, 'a stranger reads nothing, public rooms included');
select tests.act_as('Xen');
select is_empty($$ select from chat.messages $$, 'an ex-member reads nothing');
select tests.act_as('Tom');
select is_empty($$ select from chat.messages $$, 'another tenant reads nothing');

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  $$ select from chat.messages $$, '42501', 'permission denied for table messages',
  'signed-out people read nothing'
);
select tests.act_without_sub();
select is_empty($$ select from chat.messages $$, 'a token without a name reads nothing');
select tests.stop_acting();

-- The data itself
select throws_ok(
  format(
    'update chat.messages set %s where room_id = %L and body = ''early''', change, tests.room('trip')
  ),
  '23514', null, title
)
from (
  values
  ('body = repeat(''x'', 8001)', 'a body is short'),
  ('reply_to = seq', 'a reply points back'),
  ('thread_root = 2, reply_to = 1', 'a thread begins at what is answered, or before'),
  ('deleted_at = now()', 'a tombstone says nothing'),
  ('mentions = array_fill(gen_random_uuid(), array[51])', 'mentions are few'),
  ('kind = ''html''', 'a kind is a known one')
) as c (change, title);
select results_eq(
  format(
    'select seq from chat.messages where room_id = %L order by seq', tests.room('trip')
  ),
  format(
    'select s from generate_series(1, (select last_seq from chat.rooms where id = %L)) as s',
    tests.room('trip')
  ),
  'I1: seq has no gap'
);

select * from finish();
rollback;
