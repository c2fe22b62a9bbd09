-- send_message: one message, once, by somebody who may.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

-- Cat, a member
select tests.takes_one_number_everywhere(
  'Cat', $$ select chat.send_message(%L, 'Hello', md5('hello')::uuid) $$, 'a send takes one number'
);
select results_eq(
  $$
    select m.sender_id, m.body, m.kind, m.client_id, m.seq = r.last_seq, m.rev = r.rev,
      m.sender_label, m.reply_to, m.thread_root, m.mentions, m.mention_all, m.attachments
    from chat.messages as m
    join chat.rooms as r on r.id = m.room_id
    where m.room_id = tests.room('trip') and m.client_id = md5('hello')::uuid
  $$,
  $$
    values (
      tests.id_of('Cat'), 'Hello', 'text', md5('hello')::uuid, true, true,
      null::text, null::bigint, null::bigint, '{}'::uuid[], false, '[]'::jsonb
    )
  $$,
  'the message is what was sent, by who sent it'
);
select tests.changes_nothing_anywhere(
  'Cat', $$ select chat.send_message(%L, 'Hello', md5('hello')::uuid) $$,
  'I2: sending it again sends nothing'
);
select is(
  (chat.send_message(tests.room('trip'), 'Hello', md5('hello')::uuid)).seq,
  (
    select seq from chat.messages
    where room_id = tests.room('trip') and client_id = md5('hello')::uuid
  ),
  'I2: and answers with the message'
);
select throws_ok(
  statement, 'PT409', 'message_id_reused', title
)
from (
  values
  ($$ select chat.send_message(tests.room('trip'), 'Other', md5('hello')::uuid) $$,
    'I2: another body under the same client_id is refused'),
  ($$ select chat.send_message(tests.room('trip'), 'Hello', md5('hello')::uuid, reply_to => 1) $$,
    'I2: another reply'),
  ($$ select chat.send_message(
      tests.room('trip'), 'Hello', md5('hello')::uuid, mentions => array[tests.id_of('Ann')]
    ) $$, 'I2: another mention'),
  ($$ select chat.send_message(
      tests.room('trip'), 'Hello', md5('hello')::uuid, attachments => '[{"path": "a"}]'
    ) $$, 'I2: another attachment')
) as f (statement, title);
select lives_ok(
  $$ select chat.send_message(tests.room('pair'), 'Hello', md5('hello')::uuid) $$,
  'in another room it is another message'
);
select tests.act_as('Ann');
select lives_ok(
  $$ select chat.send_message(tests.room('trip'), 'Mine', md5('hello')::uuid) $$,
  'somebody else''s client_id says nothing and stands in nobody''s way'
);

-- Replies and threads
select is(
  (chat.send_message(
    tests.room('trip'), 'Answer', md5('a1')::uuid,
    reply_to => (select seq from chat.messages where room_id = tests.room('trip') and body = 'early')
  )).thread_root,
  (select seq from chat.messages where room_id = tests.room('trip') and body = 'early'),
  'an answer begins a thread'
);
select is(
  (chat.send_message(
    tests.room('trip'), 'Answer to it', md5('a2')::uuid,
    reply_to => (select seq from chat.messages where room_id = tests.room('trip') and body = 'Answer')
  )).thread_root,
  (select seq from chat.messages where room_id = tests.room('trip') and body = 'early'),
  'an answer to an answer stays in it'
);
select throws_ok(
  format(
    'select chat.send_message(%L, ''x'', gen_random_uuid(), reply_to => %s)', tests.room('trip'), seq
  ),
  'PT404', 'message_not_found', title
)
from (
  values
  (100000::bigint, 'nobody answers a message that does not exist'),
  (0::bigint, 'or before the first'),
  (
    (select min(seq) from chat.messages where room_id = tests.room('trip') and kind = 'system'),
    'or what the room says itself'
  )
) as v (seq, title);
select tests.act_as('Lea');
select is(
  tests.refusal(format(
    'select chat.send_message(%L, ''x'', gen_random_uuid(), reply_to => %s)', tests.room('late'),
    (select visible_after_seq from chat.room_members
      where room_id = tests.room('late') and user_id = tests.id_of('Lea'))
  )) ->> 'slug',
  'message_not_found', 'I8: a message from before one''s time does not exist'
);
select lives_ok(
  format(
    'select chat.send_message(%L, ''x'', gen_random_uuid(), reply_to => %s)', tests.room('late'),
    (select max(seq) from chat.messages where room_id = tests.room('late') and kind = 'text')
  ),
  'one from after it does'
);

-- Mentions
select tests.watch('trip', 'hall', 'tower');
select is(
  (chat.send_message(tests.room('hall'), '@Bob', gen_random_uuid(), mentions => array[
    tests.id_of('Bob'), tests.id_of('Bob'), tests.id_of('Xen'), tests.id_of('Tom'), null,
    gen_random_uuid()
  ])).mentions,
  array[tests.id_of('Bob')], 'mentions are cut to who is in the room, each once'
);
select tests.took_one_number('hall', 'who is mentioned in a large room is told on their own topic');
select tests.watch('tower');
select chat.send_message(tests.room('tower'), '@Bob', gen_random_uuid(), mentions => array[tests.id_of('Bob')]);
select tests.took_one_number('tower', 'with rows, even where the room''s topic has none');
select tests.watch('hall');
select chat.send_message(
  tests.room('hall'), repeat(U&'\+01F600', 8000), gen_random_uuid(),
  mentions => array[tests.id_of('Bob')],
  attachments => jsonb_build_array(jsonb_build_object('path', repeat('x', 16000)))
);
select is(
  tests.as_owner(format(
    'select jsonb_object_agg(split_part(m.topic, '':'', 1), m.payload ? ''rows'')
     from realtime.messages as m
     where m.payload ->> ''room_id'' = %L and (m.payload ->> ''to'')::bigint = %s',
    tests.room('hall'), (tests.head_of('hall')).rev
  ))::jsonb,
  '{"room": false, "user": false}',
  'what is over 32 KB goes without rows, to who is mentioned as well'
);
select throws_ok(
  $$ select chat.send_message(
    tests.room('trip'), 'x', gen_random_uuid(), mention_all => true
  ) $$, 'PT403', 'not_allowed', 'a member does not call everybody'
);
select tests.act_as('Bob');
select is(
  (chat.send_message(tests.room('trip'), 'x', gen_random_uuid(), mention_all => true)).mention_all,
  true, 'a moderator does'
);

-- Cat, with content that is none
select tests.act_as('Cat');
select tests.watch('trip');
select throws_ok(
  format('select chat.send_message(%L, %s)', tests.room('trip'), arguments), errcode, slug, title
)
from (
  values
  ('''x'', null', 'PT400', 'invalid_input', 'a message has a client_id'),
  ('null, gen_random_uuid()', 'PT400', 'invalid_input', 'and a body'),
  (''''', gen_random_uuid()', 'PT400', 'invalid_input', 'that is not empty'),
  ('U&''\200B\2060\202E\FEFF\00AD\2800\3164'', gen_random_uuid()', 'PT400', 'invalid_input', 'nor invisible'),
  ('E'' \n\t '', gen_random_uuid()', 'PT400', 'invalid_input', 'or blank'),
  ('repeat(''x'', 8001), gen_random_uuid()', 'PT413', 'message_too_long', 'or over 8,000 characters'),
  ('''x'', gen_random_uuid(), mentions => array_fill(gen_random_uuid(), array[51])', 'PT413',
    'too_many_mentions', 'mentions are 50 at most'),
  ('''x'', gen_random_uuid(), attachments => ''{}''', 'PT400', 'invalid_input', 'attachments are an array'),
  ('''x'', gen_random_uuid(), attachments => ''[1]''', 'PT400', 'invalid_input', 'of objects'),
  ('''x'', gen_random_uuid(), attachments => (select jsonb_agg(''{}''::jsonb) from generate_series(1, 31))',
    'PT413', 'payload_too_large', 'attachments are 30 at most'),
  ('''x'', gen_random_uuid(), attachments => jsonb_build_array(jsonb_build_object(''a'', repeat(''x'', 20000)))',
    'PT413', 'payload_too_large', 'and 16 KB')
) as v (arguments, errcode, slug, title);
select tests.changed_nothing('and nothing of that happened');
select is(
  (chat.send_message(tests.room('trip'), body, gen_random_uuid())).body, body, title
)
from (
  values
  (repeat(U&'\+01F600', 8000), '8,000 characters of any size fit'),
  (U&' <b>x</b>\202E\200D\000A\0007 ', 'a body is kept as typed'),
  ('''; drop table chat.messages; --', 'quotes are only quotes')
) as v (body, title);
select is(
  (chat.send_message(tests.room('trip'), '', gen_random_uuid(), attachments => '[{"path": "a"}]')).body,
  '', 'an attachment may come without a body'
);
select is(
  (chat.send_message(tests.room('trip'), 'x', gen_random_uuid(), mentions => null)).mentions,
  '{}'::uuid[], 'null mentions nobody'
);

-- Rea, a reader
select tests.act_as('Rea');
select throws_ok(
  $$ select chat.send_message(tests.room('trip'), 'x', gen_random_uuid()) $$, 'PT403',
  'not_allowed', 'a reader does not send'
);

-- Cat, muted
select tests.act_as('Bob');
select chat.mute_member(tests.room('trip'), tests.id_of('Cat'));
select tests.act_as('Cat');
select throws_ok(
  $$ select chat.send_message(tests.room('trip'), 'x', gen_random_uuid()) $$, 'PT403',
  'member_muted', 'I3: who is muted does not send'
);
select is(
  (chat.send_message(tests.room('trip'), 'Hello', md5('hello')::uuid)).body, 'Hello',
  'but a retry of what was sent before is answered'
);
select lives_ok(
  $$ select chat.send_message(tests.room('hall'), 'x', gen_random_uuid()) $$,
  'in another room they send'
);

-- Abe leaves nothing out and means nothing
select tests.act_as('Abe');
select results_eq(
  $$
    select m.mentions, m.mention_all, m.attachments
    from chat.send_message(tests.room('trip'), 'nulls', md5('nulls')::uuid, null, null, null, null) as m
  $$,
  $$ values ('{}'::uuid[], false, '[]'::jsonb) $$, 'null is as good as left out'
);
select tests.watch('trip');
select tests.lets(
  'Abe', $$ select chat.send_message(tests.room('trip'), 'nulls', md5('nulls')::uuid) $$,
  'I2: and the same message when it is sent again'
);
select tests.changed_nothing('which sends nothing');
select tests.lets(
  'Abe', $$ select chat.send_message(tests.room('trip'), U&'\202Eturned', gen_random_uuid()) $$,
  'a body is kept as typed, with what turns it around'
);

-- Slow mode
select tests.act_as('Ann');
select chat.update_room(tests.room('hall'), slow_mode_seconds => 3600);
select tests.act_as('Cat');
select lives_ok(
  $$ select chat.send_message(tests.room('hall'), 'one', md5('one')::uuid) $$,
  'slow mode lets one message through'
);
select tests.watch('hall');
select is(
  (
    tests.refusal($$ select chat.send_message(tests.room('hall'), 'two', gen_random_uuid()) $$)
      ->> 'slug'
  )::jsonb ->> 'message',
  'slow_down', 'and not the next'
);
select is(
  (
    tests.refusal($$ select chat.send_message(tests.room('hall'), 'two', gen_random_uuid()) $$)
      ->> 'detail'
  )::jsonb ->> 'status',
  '429', 'the status is 429'
);
select ok(
  (
    (
      tests.refusal($$ select chat.send_message(tests.room('hall'), 'two', gen_random_uuid()) $$)
        ->> 'detail'
    )::jsonb #>> '{headers,Retry-After}'
  )::integer between 3500 and 3600,
  'with the seconds to wait'
);
select tests.changed_nothing('a message too soon takes no number');
select is(
  (chat.send_message(tests.room('hall'), 'one', md5('one')::uuid)).body, 'one',
  'a retry is no message and is not slowed'
);
select tests.act_as('Bob');
select lives_ok(
  $$ select chat.send_message(tests.room('hall'), 'x', gen_random_uuid()) from generate_series(1, 3) $$,
  'moderators are not slowed'
);
select tests.act_as('Ann');
select chat.update_room(tests.room('hall'), slow_mode_seconds => 60);
select tests.act_as('Cat');
select tests.lets(
  'Cat', $$ select chat.send_message(tests.room('hall'), 'three', gen_random_uuid()) $$,
  'another slow mode begins anew'
);
select is(
  (
    tests.refusal($$ select chat.send_message(tests.room('hall'), 'four', gen_random_uuid()) $$)
      ->> 'slug'
  )::jsonb ->> 'message',
  'slow_down', 'and holds'
);

-- The bucket
select tests.change_as_owner('update chat_private.settings set send_burst = 2, sends_per_second = 1');
select tests.change_as_owner('delete from chat_private.rate_buckets');
select tests.act_as('Abe');
select lives_ok(
  $$ select chat.send_message(tests.room('trip'), 'x', gen_random_uuid()) from generate_series(1, 2) $$,
  'a burst passes'
);
select is(
  (
    tests.refusal($$ select chat.send_message(tests.room('late'), 'x', gen_random_uuid()) $$)
      ->> 'slug'
  )::jsonb ->> 'message',
  'slow_down', 'what comes after it waits, in whatever room'
);
select tests.change_as_owner('update chat_private.rate_buckets set full_at = full_at - interval ''1 s''');
select lives_ok(
  $$ select chat.send_message(tests.room('trip'), 'x', gen_random_uuid()) $$, 'and passes when it has refilled'
);

savepoint no_settings; -- noqa: PRS
select tests.change_as_owner('delete from chat_private.settings');
set local statement_timeout = '10s';
select throws_ok(
  $$ select chat.send_message(tests.room('trip'), 'x', gen_random_uuid()) $$,
  'PGRST', null, 'without settings nobody sends without a limit, and nobody waits for ever'
);
select tests.change_as_owner('delete from chat_private.rate_buckets');
select throws_ok(
  $$ select chat.send_message(tests.room('trip'), 'x', gen_random_uuid()) $$,
  'PGRST', null, 'nor for the first time'
);
rollback to no_settings;

-- Strangers, ex-members, other tenants
select tests.strangers_find_nothing(
  'select chat.send_message(%L, ''x'', gen_random_uuid())', 'sending'
);
select tests.act_as('Cat');
select chat.leave_room(tests.room('trip'));
select throws_ok(
  $$ select chat.send_message(tests.room('trip'), 'Hello', md5('hello')::uuid) $$, 'PT404',
  'room_not_found', 'I2: for an ex-member there is not even a retry'
);

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  $$ select chat.send_message(tests.room('trip'), 'x', gen_random_uuid()) $$, '42501',
  'permission denied for function send_message', 'signed-out people send nothing'
);
select tests.act_without_sub();
select throws_ok(
  $$ select chat.send_message(tests.room('trip'), 'x', gen_random_uuid()) $$, 'PT401',
  'sign_in_required', 'nor does a token without a name'
);

select * from finish();
rollback;
