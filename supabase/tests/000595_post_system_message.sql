-- post_system_message: what a server tells a room, in a word of the app's own.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

-- The project itself
select tests.act_as_service();
select tests.watch('trip', 'Ann', 'Bob');
select results_eq(
  $$
    select m.kind, m.body, m.mentions, m.sender_id, m.seq - r.last_seq
    from chat.rooms as r, chat.post_system_message(r.id, 'order_shipped', array[tests.id_of('Cat')]) as m
    where r.id = tests.room('trip')
  $$,
  $$
    values ('system', 'order_shipped', array[tests.id_of('Cat')], '00000000-0000-0000-0000-000000000000'::uuid, 1::bigint)
  $$,
  'a server posts a word about people, as nobody'
);
select tests.took_one_number('trip', 'a posted word is one number, announced whole to everybody in the room');
select tests.moved('{"trip": 1}', 'a posted word moves nobody''s own stream, so it notifies nobody');
select is(
  (select (chat.post_system_message(tests.room('hall'), 'x')).mentions), '{}', 'a posted word may be about nobody'
);
select is(
  (chat.post_system_message(tests.room('trip'), 'meeting_point', array[tests.id_of('Xen'), tests.id_of('Xen')])).mentions,
  array[tests.id_of('Xen')], 'a posted word may be about somebody who has left, and names everybody once'
);
select is(
  (chat.post_system_message(tests.room('trip'), 'order_shipped', metadata => '{"order": 7}')).metadata, '{"order": 7}',
  'a posted word carries metadata of the app'
);
select is(tests.refusal(call) ->> 'slug', slug, title)
from (
  values
  ('select chat.post_system_message(tests.room(''trip''), ''x'', metadata => ''[]'')', 'invalid_input', 'a list is no metadata of a word'),
  ('select chat.post_system_message(gen_random_uuid(), ''x'')', 'room_not_found', 'a word needs a room'),
  ('select chat.post_system_message(null, ''x'')', 'room_not_found', 'null is no room'),
  ('select chat.post_system_message(tests.room(''trip''), null)', 'invalid_input', 'null is no word'),
  ('select chat.post_system_message(tests.room(''trip''), '''')', 'invalid_input', 'nothing is no word'),
  ('select chat.post_system_message(tests.room(''trip''), ''Order shipped'')', 'invalid_input', 'a sentence is no word'),
  ('select chat.post_system_message(tests.room(''trip''), ''straße'')', 'invalid_input', 'a word has letters from a to z'),
  ('select chat.post_system_message(tests.room(''trip''), ''member_joined'')', 'invalid_input',
    'the words of Parley are its own'),
  ('select chat.post_system_message(tests.room(''trip''), repeat(''x'', 101))', 'invalid_input',
    'a word of 101 characters is too long'),
  ('select chat.post_system_message(tests.room(''trip''), repeat(''x'', 100))', null, 'a word of 100 characters is not'),
  ('select chat.post_system_message(tests.room(''trip''), ''x'', array[tests.id_of(''Dan'')])', 'user_not_found',
    'a word is about nobody who never was in the room'),
  ('select chat.post_system_message(tests.room(''trip''), ''x'', (select array_agg(gen_random_uuid()) from generate_series(1, 51)))',
    'too_many_mentions', 'a word is about at most 50 people')
) as c (call, slug, title);

-- It is unread for nobody
select tests.act_as('Ann');
select chat.mark_read(tests.room('hall'), 1000);
select tests.act_as_service();
select lives_ok($$ select chat.post_system_message(tests.room('hall'), 'bus_arrived') $$, 'a word is posted to a large room');
select tests.act_as('Ann');
select is(
  (select unread from chat.list_rooms() where (room ->> 'id')::uuid = tests.room('hall')), 0, 'a posted word is unread for nobody'
);

-- A server that acts as somebody
select tests.act_as_server_for('Cat');
select is(
  (chat.post_system_message(tests.room('trip'), 'payment_made')).sender_id, tests.id_of('Cat'),
  'a server that acts as somebody posts as that person'
);
select tests.act_as_server_for('Rea');
select is(
  tests.refusal('select chat.post_system_message(tests.room(''trip''), ''x'')') ->> 'slug', 'not_allowed',
  'a server posts nothing as a reader'
);
select tests.act_as_server_for('Dan');
select tests.looks_absent(
  'select chat.post_system_message(%L, ''x'')', tests.room('trip'), 'a server posts nothing as a stranger'
);

-- An archived room
select tests.act_as('Ann');
select chat.archive_room(tests.room('trip'));
select tests.act_as_service();
select is(
  tests.refusal('select chat.post_system_message(tests.room(''trip''), ''x'')') ->> 'slug', 'room_archived',
  'nothing is posted to an archived room'
);

-- Everybody else
select tests.act_as('Ann');
select throws_ok(
  $$ select chat.post_system_message(tests.room('hall'), 'x') $$, '42501',
  'permission denied for function post_system_message', 'people post no system message'
);

select * from finish();
rollback;
