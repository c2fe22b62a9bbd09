-- send_message: one message, once, by somebody who may.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

-- What it costs
savepoint prices; -- noqa: PRS
select tests.costs(
  name, price, format('select chat.send_message(tests.room(%L), %s)', room, arguments), title
)
from (
  values
  ('Cat', 'trip', 1, '''Hello'', md5(''price'')::uuid', 'a short message costs 1'),
  ('Cat', 'trip', 0, '''Hello'', md5(''price'')::uuid', 'a retry is free'),
  ('Cat', 'trip', 1, 'repeat(''x'', 600), gen_random_uuid()', 'a message under 4 KB for all six people together costs 1'),
  ('Cat', 'trip', 12, 'repeat(''x'', 8000), gen_random_uuid()', 'a long message costs 1 for every 4 KB to somebody'),
  ('Cat', 'trip', 47, 'repeat(U&''\+01F600'', 8000), gen_random_uuid()', 'a message is charged in bytes, not characters'),
  ('Cat', 'hall', 2, 'repeat(''x'', 8000), gen_random_uuid()', 'a long message in a large room is charged for one copy'),
  ('Cat', 'trip', 24,
    '''x'', gen_random_uuid(), attachments => jsonb_build_array(jsonb_build_object(''link'', repeat(''x'', 16000)))',
    'attachments are charged like the body'),
  ('Cat', 'trip', 6, '''x'', gen_random_uuid(), metadata => jsonb_build_object(''x'', repeat(''x'', 4000))',
    'metadata are charged like the body'),
  ('Cat', 'trip', 3,
    '''x'', gen_random_uuid(), mentions => array[tests.id_of(''Ann''), tests.id_of(''Bob''), tests.id_of(''Dan'')]',
    'everybody who is notified costs 1, and nobody else'),
  ('Ann', 'trip', 2,
    '''x'', gen_random_uuid(), reply_to => (select max(seq) from chat.messages where room_id = tests.room(''trip''))',
    'an answer notifies one person'),
  ('Bob', 'trip', 6, '''x'', gen_random_uuid(), mention_all => true', 'somebody who calls everybody pays for everybody'),
  ('Bob', 'hall', 1, '''x'', gen_random_uuid(), mention_all => true', 'nobody is notified in a large room, so calling everybody costs 1')
) as c (name, room, price, arguments, title);
rollback to prices;

-- What a send writes out in place, held against the functions that say it elsewhere
savepoint copies; -- noqa: PRS
select is(
  tests.as_owner($$
    select chat_private.hash_content('x', null, '{}', false, '[]', empty.metadata)
      = sha256(convert_to(jsonb_build_array('x', null, array[]::uuid[], false, '[]'::jsonb)::text, 'UTF8'))
    from (values ('{}'::jsonb), (null)) as empty (metadata)
    order by 1 limit 1
  $$),
  'true', 'what was sent without metadata is remembered as it was before there were any'
);
select tests.stop_acting();
select tests.costs(
  'Cat',
  (tests.as_owner($$
    select chat_private.price_of_send(
      r, repeat('x', 8000), '[{"link": "a.png"}]', jsonb_build_object('x', repeat('x', 4000)),
      chat_private.find_called(r, m, null, array[tests.id_of('Ann')], false)
    )
    from chat.rooms as r
    join chat.room_members as m on m.room_id = r.id and m.user_id = tests.id_of('Cat')
    where r.id = tests.room('trip')
  $$))::integer,
  $$
    select chat.send_message(
      tests.room('trip'), repeat('x', 8000), gen_random_uuid(),
      mentions => array[tests.id_of('Ann')], attachments => '[{"link": "a.png"}]',
      metadata => jsonb_build_object('x', repeat('x', 4000))
    )
  $$,
  'a send costs what price_of_send() says, as it does in a batch'
);
rollback to copies;

-- What was sent before is known by the message, and by what is remembered where the message says less
savepoint remembered; -- noqa: PRS
create temp table sent (name text primary key, mentions uuid[], seq bigint);
grant all on sent to public;
insert into sent
select
  n.name,
  case
    when n.name like 'filtered%' then array[tests.id_of('Dan'), tests.id_of('Ann')]
    when n.name = 'twisted' then array(
      select tests.id_of(p) from unnest('{Ann,Bob,Ann}'::text[]) as p order by tests.id_of(p) desc
    )
    else array(select tests.id_of(p) from unnest('{Ann,Bob}'::text[]) as p order by tests.id_of(p))
  end
from unnest(array[
  'whole', 'filtered', 'twisted', 'edited', 'edited back', 'filtered, edited', 'deleted', 'edited, deleted',
  'filtered, deleted'
]) as n (name);
create function pg_temp.again(name text, body text)
returns jsonb
language sql
volatile
return (
  select jsonb_build_object(
    'room_id', tests.room('trip'), 'client_id', md5(s.name)::uuid, 'body', again.body,
    'mentions', s.mentions, 'attachments', '[{"n": 1.0}]'::jsonb, 'metadata', '{"n": 1.0}'::jsonb
  )
  from sent as s
  where s.name = again.name
);
create function pg_temp.send(item jsonb)
returns chat.messages
language sql
volatile
begin atomic
  select m.*
  from chat.send_message(
    (item ->> 'room_id')::uuid, item ->> 'body', (item ->> 'client_id')::uuid,
    mentions => array(select jsonb_array_elements_text(item -> 'mentions')::uuid),
    attachments => item -> 'attachments', metadata => item -> 'metadata'
  ) as m;
end;
select tests.act_as('Cat');
update sent as s set seq = m.seq from sent as o, lateral pg_temp.send(pg_temp.again(o.name, o.name)) as m
where o.name = s.name and o.name in ('whole', 'filtered', 'edited', 'filtered, edited', 'deleted', 'filtered, deleted');
update sent as s set seq = (o.message ->> 'seq')::bigint
from chat.send_messages((select jsonb_agg(pg_temp.again(name, name)) from sent where seq is null)) as o
where md5(s.name)::uuid = o.client_id;
select is((select count(*) from sent where seq > 0), 9::bigint, 'each message is sent once, alone or in a batch');
create function pg_temp.remembered()
returns text
language sql
stable
return tests.as_owner($$
  select string_agg(s.name, '; ' order by s.name)
  from sent as s
  join chat_private.sends as r
    on r.room_id = tests.room('trip') and r.sender_id = tests.id_of('Cat') and r.client_id = md5(s.name)::uuid
    and r.seq = s.seq
$$);
select is(
  pg_temp.remembered(), 'filtered; filtered, deleted; filtered, edited; twisted',
  'a send is remembered apart from its message only where the message has other mentions than were sent'
);
select chat.edit_message(tests.room('trip'), s.seq, s.name || ', other') from sent as s where s.name like '%edited%';
select chat.edit_message(tests.room('trip'), s.seq, s.name) from sent as s where s.name = 'edited back';
select chat.delete_message(tests.room('trip'), s.seq) from sent as s where s.name like '%deleted';
select is(
  pg_temp.remembered(), (select string_agg(name, '; ' order by name) from sent where name <> 'whole'),
  'a send is remembered apart from its message once the message has changed'
);
create function pg_temp.retries(ending text)
returns table (name text, alone text, batched text)
language sql
volatile
begin atomic
  select
    s.name,
    coalesce(
      tests.refusal(format('select pg_temp.send(pg_temp.again(%L, %L))', s.name, s.name || ending)) ->> 'slug',
      (select (m.seq = s.seq)::text from pg_temp.send(pg_temp.again(s.name, s.name || ending)) as m)
    ),
    o.outcome || ' ' || coalesce(o.reason, (o.message ->> 'seq' = s.seq::text)::text)
  from sent as s
  cross join lateral chat.send_messages(jsonb_build_array(pg_temp.again(s.name, s.name || ending))) as o;
end;
select tests.watch('trip', 'Ann', 'Bob', 'Cat');
select results_eq(
  $$ select * from pg_temp.retries('') order by name $$,
  $$ select name, 'true', 'duplicate true' from sent order by name $$,
  'I2: what was sent is answered with its message, whatever became of that'
);
select results_eq(
  $$ select r.* from pg_temp.retries(', other') as r order by name $$,
  $$ select name, 'message_id_reused', 'rejected message_id_reused' from sent order by name $$,
  'I2: other content is refused, even if an edit made it what the message says now'
);
select throws_ok(
  format('select pg_temp.send(pg_temp.again(''whole'', ''whole'') || %L)', other), 'PT409', 'message_id_reused',
  format('I2: with %s it is another message', other)
)
from unnest(array['{"attachments": [{"n": 1.00}]}', '{"metadata": {"n": 1}}', '{"mentions": []}']) as o (other);
select throws_ok(
  format('select pg_temp.send(pg_temp.again(''filtered'', ''filtered'') || %L)', jsonb_build_object('mentions', m.mentions)),
  'PT409', 'message_id_reused', 'I2: with the mentions that were let through it is another message than was sent'
)
from sent as s join chat.messages as m on m.room_id = tests.room('trip') and m.seq = s.seq where s.name = 'filtered';
select tests.changed_nothing('I2: no retry changes anything');

-- The same after a purge
select chat.send_message(tests.room('trip'), 'later', md5('later')::uuid);
select tests.as_owner(format('select chat_private.purge_messages(tests.room(''trip''), %s)', max(seq))) from sent;
select tests.watch('trip', 'Ann', 'Bob', 'Cat');
select results_eq(
  $$ select name, tests.refusal(format('select pg_temp.send(pg_temp.again(%L, %L))', name, name)) ->> 'slug',
       o.outcome || ' ' || o.reason
     from sent, chat.send_messages(jsonb_build_array(pg_temp.again(name, name))) as o order by name $$,
  $$ select name, 'message_deleted', 'rejected message_deleted' from sent order by name $$,
  'I2: what was sent and purged is not sent again'
);
select results_eq(
  $$ select name, tests.refusal(format('select pg_temp.send(pg_temp.again(%L, %L))', name, 'x')) ->> 'slug',
       o.outcome || ' ' || o.reason
     from sent, chat.send_messages(jsonb_build_array(pg_temp.again(name, 'x'))) as o order by name $$,
  $$ select name, 'message_id_reused', 'rejected message_id_reused' from sent order by name $$,
  'I2: other content under the client_id of what was purged is refused'
);
select is(
  (chat.send_message(tests.room('trip'), 'later', md5('later')::uuid)).seq, (select max(seq) + 1 from sent),
  'I2: what was sent and not purged is answered with its message'
);
select tests.changed_nothing('I2: no retry after a purge changes anything');
select chat.send_message(tests.room('trip'), 'new', md5('new')::uuid);
select tests.took_one_number('trip', 'a send after a purge takes one number');
rollback to remembered;

-- Metadata
savepoint metadata; -- noqa: PRS
select tests.takes_one_number_everywhere(
  'Cat', $$ select chat.send_message(%L, 'Order', md5('order')::uuid, metadata => '{"order": 7}') $$,
  'a send with metadata takes one number'
);
select is(
  (select m.metadata from chat.messages as m where m.room_id = tests.room('trip') and m.client_id = md5('order')::uuid),
  '{"order": 7}', 'a message has the metadata it was sent with'
);
select tests.changes_nothing_anywhere(
  'Cat', $$ select chat.send_message(%L, 'Order', md5('order')::uuid, metadata => '{"order": 7}') $$,
  'I2: sending it again with the same metadata sends nothing'
);
select tests.refuses(
  'Cat', 'message_id_reused',
  format('select chat.send_message(tests.room(''trip''), ''Order'', md5(''order'')::uuid, metadata => %L)', other),
  format('I2: with %s as metadata it is another message', coalesce(other, 'nothing'))
)
from unnest(array['{"order": 8}', '{}', null]) as o (other);
select chat.send_message(tests.room('trip'), 'Plain', md5('plain')::uuid);
select is(
  (chat.send_message(tests.room('trip'), 'Plain', md5('plain')::uuid, metadata => '{}')).metadata, '{}',
  'I2: a retry with an empty object is the message that was sent without metadata'
);
select tests.refuses(
  'Cat', slug, format('select chat.send_message(tests.room(''trip''), ''x'', gen_random_uuid(), metadata => %L)', value), title
)
from (
  values
  ('[]', 'invalid_input', 'metadata that are an array are not sent'),
  ('{"n": 1e20}', 'invalid_input', 'metadata with a number of 21 digits are not sent'),
  (jsonb_build_object('x', repeat('x', 5000))::text, 'payload_too_large', 'metadata of 5 KB are not sent')
) as v (value, slug, title);
select is_empty(
  $$ select from chat.search_messages('quetzal', tests.room('trip')) where chat.send_message(
    tests.room('trip'), 'bird', md5('bird')::uuid, metadata => '{"kind": "quetzal"}'
  ) is not null $$,
  'search does not look at metadata'
);
rollback to metadata;

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
  'the message is what was sent, by the person who sent it'
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
  'I2: sending it again answers with the message'
);
select throws_ok(
  statement, 'PT409', 'message_id_reused', title
)
from (
  values
  ($$ select chat.send_message(tests.room('trip'), 'Other', md5('hello')::uuid) $$,
    'I2: another body under the same client_id is refused'),
  ($$ select chat.send_message(tests.room('trip'), 'Hello', md5('hello')::uuid, reply_to => 1) $$,
    'I2: another reply under the same client_id is refused'),
  ($$ select chat.send_message(
      tests.room('trip'), 'Hello', md5('hello')::uuid, mentions => array[tests.id_of('Ann')]
    ) $$, 'I2: another mention under the same client_id is refused'),
  ($$ select chat.send_message(
      tests.room('trip'), 'Hello', md5('hello')::uuid, attachments => '[{"link": "a"}]'
    ) $$, 'I2: another attachment under the same client_id is refused')
) as f (statement, title);
select lives_ok(
  $$ select chat.send_message(tests.room('pair'), 'Hello', md5('hello')::uuid) $$,
  'the same client_id in another room is another message'
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
  (0::bigint, 'nobody answers before the first message'),
  (
    (select min(seq) from chat.messages where room_id = tests.room('trip') and kind = 'system'),
    'nobody answers what the room says itself'
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
  'a message from after one''s beginning exists'
);

-- Mentions
select tests.watch('trip', 'hall', 'tower');
select is(
  (chat.send_message(tests.room('hall'), '@Bob', gen_random_uuid(), mentions => array[
    tests.id_of('Bob'), tests.id_of('Bob'), tests.id_of('Xen'), tests.id_of('Tom'), null,
    gen_random_uuid()
  ])).mentions,
  array[tests.id_of('Bob')], 'mentions are cut to the people who are in the room, each once'
);
select tests.took_one_number('hall', 'somebody who is mentioned in a large room is told on their own topic');
select tests.watch('tower');
select chat.send_message(tests.room('tower'), '@Bob', gen_random_uuid(), mentions => array[tests.id_of('Bob')]);
select tests.took_one_number('tower', 'a step that calls somebody has rows, even where the room''s topic has none');
select tests.watch('hall');
select chat.send_message(
  tests.room('hall'), repeat(U&'\+01F600', 8000), gen_random_uuid(),
  mentions => array[tests.id_of('Bob')],
  attachments => jsonb_build_array(jsonb_build_object('link', repeat('x', 16000)))
);
select is(
  tests.as_owner(format(
    'select jsonb_object_agg(split_part(m.topic, '':'', 1), m.payload ? ''rows'')
     from realtime.messages as m
     where m.payload ->> ''room_id'' = %L and (m.payload ->> ''to'')::bigint = %s',
    tests.room('hall'), (tests.head_of('hall')).rev
  ))::jsonb,
  '{"room": false, "user": false}',
  'what is over 32 KB goes without rows, to people who are mentioned as well'
);
select throws_ok(
  $$ select chat.send_message(
    tests.room('trip'), 'x', gen_random_uuid(), mention_all => true
  ) $$, 'PT403', 'not_allowed', 'a member does not call everybody'
);
select tests.act_as('Bob');
select is(
  (chat.send_message(tests.room('trip'), 'x', gen_random_uuid(), mention_all => true)).mention_all,
  true, 'a moderator calls everybody'
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
  ('null, gen_random_uuid()', 'PT400', 'invalid_input', 'a message has a body'),
  (''''', gen_random_uuid()', 'PT400', 'invalid_input', 'a body is not empty'),
  ('U&''\200B\2060\202E\FEFF\00AD\2800\3164'', gen_random_uuid()', 'PT400', 'invalid_input', 'a body is not invisible'),
  ('E'' \n\t '', gen_random_uuid()', 'PT400', 'invalid_input', 'a body is not blank'),
  ('repeat(''x'', 8001), gen_random_uuid()', 'PT413', 'message_too_long', 'a body is not over 8,000 characters'),
  ('''x'', gen_random_uuid(), mentions => array_fill(gen_random_uuid(), array[51])', 'PT413',
    'too_many_mentions', 'mentions are 50 at most'),
  ('''x'', gen_random_uuid(), attachments => ''{}''', 'PT400', 'invalid_input', 'attachments are an array'),
  ('''x'', gen_random_uuid(), attachments => ''[1]''', 'PT400', 'invalid_input', 'attachments are objects'),
  ('''x'', gen_random_uuid(), attachments => (select jsonb_agg(''{}''::jsonb) from generate_series(1, 31))',
    'PT413', 'payload_too_large', 'attachments are 30 at most'),
  ('''x'', gen_random_uuid(), attachments => jsonb_build_array(jsonb_build_object(''a'', repeat(''x'', 20000)))',
    'PT413', 'payload_too_large', 'attachments are 16 KB at most'),
  ('''x'', gen_random_uuid(), attachments => (''[{"a": '' || repeat(''['', 15) || repeat('']'', 15) || ''}]'')::jsonb',
    'PT400', 'invalid_input', 'attachments are nested 16 deep at most'),
  ('''x'', gen_random_uuid(), attachments => ''[{"n": 1e16000}]''', 'PT400', 'invalid_input', 'attachments have numbers of 20 digits at most'),
  ('repeat('' '', 30000000), gen_random_uuid()', 'PT413', 'message_too_long', 'an endless body is refused before it is looked through')
) as v (arguments, errcode, slug, title);
select tests.changed_nothing('nothing of a refused send happened');
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
  (chat.send_message(tests.room('trip'), '', gen_random_uuid(), attachments => '[{"link": "a"}]')).body,
  '', 'an attachment may come without a body'
);
select lives_ok(
  $$ select chat.send_message(
    tests.room('trip'), 'x', gen_random_uuid(),
    attachments => ('[{"n": 12345678901234567890, "a": ' || repeat('[', 14) || repeat(']', 14) || '}]')::jsonb
  ) $$,
  'an attachment may be 16 levels deep and have numbers of 20 digits'
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
  'member_muted', 'I3: somebody who is muted does not send'
);
select is(
  (chat.send_message(tests.room('trip'), 'Hello', md5('hello')::uuid)).body, 'Hello',
  'a retry of what was sent before a mute is answered'
);
select lives_ok(
  $$ select chat.send_message(tests.room('hall'), 'x', gen_random_uuid()) $$,
  'somebody who is muted sends in another room'
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
  'I2: sending a message with nulls again answers with the same one'
);
select tests.changed_nothing('sending a message with nulls again sends nothing');
select tests.lets(
  'Abe', $$ select chat.send_message(tests.room('trip'), U&'\202Eturned', gen_random_uuid()) $$,
  'a body is kept as typed, with what turns it around'
);

-- Slow mode
select tests.act_as('Ann');
select chat.update_room(tests.room('hall'), slow_mode_seconds => 3600);
select tests.change_as_owner('delete from chat_private.rate_buckets');
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
  'slow_down', 'slow mode does not let the next message through'
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
  'Retry-After has the seconds to wait'
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
create function pg_temp.slow_mode_waits(seconds integer, title text)
returns setof text
language plpgsql
as $$
declare
  v_refusal jsonb;
begin
  perform tests.act_as('Ann');
  perform chat.update_room(tests.room('hall'), slow_mode_seconds => slow_mode_waits.seconds);
  perform tests.act_as('Cat');
  v_refusal := tests.refusal('select chat.send_message(tests.room(''hall''), ''two'', gen_random_uuid())');
  return next is(tests.slug_of(v_refusal), 'slow_down', slow_mode_waits.title);
  return next ok(
    ((v_refusal ->> 'detail')::jsonb #>> '{headers,Retry-After}')::integer
    between slow_mode_waits.seconds - 100 and slow_mode_waits.seconds,
    format('a send after a changed slow mode waits %s s', slow_mode_waits.seconds)
  );
end;
$$;
select pg_temp.slow_mode_waits(3599, 'a shorter slow mode frees nobody');
select pg_temp.slow_mode_waits(7200, 'a longer slow mode frees nobody');
select tests.act_as('Ann');
select chat.update_room(tests.room('hall'), slow_mode_seconds => 0);
select pg_temp.slow_mode_waits(60, 'a slow mode that was off in between frees nobody');
select tests.change_as_owner('update chat_private.rate_buckets set full_at = full_at - interval ''59 s''');
select pg_temp.slow_mode_waits(600, 'the next message may come at the time of the last one and the present interval');
select tests.change_as_owner('update chat_private.rate_buckets set full_at = full_at - interval ''541 s''');
select tests.lets(
  'Cat', $$ select chat.send_message(tests.room('hall'), 'three', gen_random_uuid()) $$, 'a message passes when the present interval has passed'
);
select pg_temp.slow_mode_waits(600, 'the message after it waits');
select tests.act_as('Ann');
select chat.update_room(tests.room('hall'), slow_mode_seconds => 0);
select tests.change_as_owner('delete from chat_private.rate_buckets');
select pg_temp.slow_mode_waits(300, 'what was said before slow mode began counts');
select tests.act_as('Ann');
select chat.update_room(tests.room('hall'), slow_mode_seconds => 0);
select tests.change_as_owner(
  'update chat.messages set created_at = created_at - interval ''1 day'' where room_id = tests.room(''hall'')'
);
select tests.act_as('Cat');
select chat.edit_message(m.room_id, m.seq, 'said anew') from chat.messages as m where m.client_id = md5('one')::uuid;
select tests.change_as_owner('delete from chat_private.rate_buckets');
select pg_temp.slow_mode_waits(300, 'what was edited before slow mode began counts');
select tests.act_as('Ann');
select chat.update_room(tests.room('hall'), slow_mode_seconds => 0);
select tests.change_as_owner('delete from chat_private.rate_buckets');
select tests.change_as_owner(
  'update chat.messages set edited_at = edited_at - interval ''1 day'' where room_id = tests.room(''hall'')'
);
select tests.act_as('Ann');
select chat.update_room(tests.room('hall'), slow_mode_seconds => 300);
select tests.lets(
  'Cat', $$ select chat.send_message(tests.room('hall'), 'four', gen_random_uuid()) $$, 'what was said the day before does not count'
);

-- The bucket
select tests.change_as_owner('update chat_private.settings set send_burst = 2, sends_per_second = 1');
select tests.change_as_owner('delete from chat_private.rate_buckets');
select tests.act_as('Abe');
select lives_ok(
  $$ select chat.send_message(tests.room('trip'), 'x', gen_random_uuid()) from generate_series(1, 2) $$,
  'a burst of messages passes'
);
select is(
  (
    tests.refusal($$ select chat.send_message(tests.room('late'), 'x', gen_random_uuid()) $$)
      ->> 'slug'
  )::jsonb ->> 'message',
  'slow_down', 'a message after a burst waits, in whatever room'
);
select tests.change_as_owner('update chat_private.rate_buckets set full_at = full_at - interval ''1 s''');
select lives_ok(
  $$ select chat.send_message(tests.room('trip'), 'x', gen_random_uuid()) $$, 'a message passes when the bucket has refilled'
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
  'PGRST', null, 'without settings nobody waits for the first message'
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
  'room_not_found', 'I2: an ex-member does not get even a retry answered'
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
  'sign_in_required', 'a token without a name sends nothing'
);

select * from finish();
rollback;
