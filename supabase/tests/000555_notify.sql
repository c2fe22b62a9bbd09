-- notify: what a server tells one person, in a kind of the app's own.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
select tests.stop_acting();
delete from chat.notifications;
delete from chat_private.push_outbox;

-- The project itself
select tests.act_as_service();
select tests.watch('trip', 'Ann', 'Bob', 'Cat');
select results_eq(
  $$
    select n.user_id, n.kind, n.room_id, n.message_seq, n.actor_id, n.data
    from chat.notify(tests.id_of('Bob'), 'order_shipped', '{"order": 7}') as n
  $$,
  $$
    values (tests.id_of('Bob'), 'order_shipped', null::uuid, null::bigint, null::uuid, '{"order": 7}'::jsonb)
  $$,
  'a server notifies somebody of something of its own'
);
select tests.took_one_user_number('Bob', 'a notification of the app''s own is one number, announced whole to its person');
select tests.moved('{"Bob": 1}', 'a notification of the app''s own moves the stream of its person and no other');
select is((chat.notify(tests.id_of('Bob'), 'order_paid')).data, '{}', 'a notification of the app''s own may carry no data');
select is(tests.refusal(call) ->> 'slug', slug, title)
from (
  values
  ('select chat.notify(tests.id_of(''Bob''), null)', 'invalid_input', 'null is no kind'),
  ('select chat.notify(tests.id_of(''Bob''), '''')', 'invalid_input', 'nothing is no kind'),
  ('select chat.notify(tests.id_of(''Bob''), ''Order shipped'')', 'invalid_input', 'a sentence is no kind'),
  ('select chat.notify(tests.id_of(''Bob''), ''straße'')', 'invalid_input', 'a kind has letters from a to z'),
  ('select chat.notify(tests.id_of(''Bob''), ''invite'')', 'invalid_input', 'the kinds of Parley are its own'),
  ('select chat.notify(tests.id_of(''Bob''), ''report_settled'')', 'invalid_input', 'a word that goes on from a kind of Parley is Parley''s'),
  ('select chat.notify(tests.id_of(''Bob''), ''reports'')', null, 'a word that only begins like a kind of Parley is the app''s'),
  ('select chat.notify(tests.id_of(''Bob''), repeat(''x'', 101))', 'invalid_input', 'a kind of 101 characters is too long'),
  ('select chat.notify(tests.id_of(''Bob''), repeat(''x'', 100))', null, 'a kind of 100 characters is not too long'),
  ('select chat.notify(tests.id_of(''Bob''), ''x'', ''[]'')', 'invalid_input', 'a list is no data'),
  ('select chat.notify(tests.id_of(''Bob''), ''x'', jsonb_build_object(''x'', repeat(''x'', 4097)))', 'payload_too_large',
    'data of more than 4 KB are too large'),
  ('select chat.notify(tests.id_of(''Bob''), ''x'', jsonb_build_object(''x'', repeat(''x'', 4000)))', null,
    'data of 4,000 characters are not too large'),
  ('select chat.notify(gen_random_uuid(), ''x'')', 'user_not_found', 'nobody has an id that was made up'),
  ('select chat.notify(null, ''x'')', 'user_not_found', 'null is nobody')
) as c (call, slug, title);
select is(
  tests.refusal('select chat.notify(tests.id_of(''Bob''), ''x'', ''[]'')') ->> 'detail', 'Data are an object.',
  'the refusal of data speaks of data'
);

-- Bob, whom it is for
select tests.act_as('Bob');
select results_eq(
  $$ select kind, data, read_at from chat.list_notifications() where kind like 'order\_%' $$,
  $$ values ('order_paid', '{}'::jsonb, null::timestamptz), ('order_shipped', '{"order": 7}', null) $$,
  'the person lists notifications of the app with their data, the newest first'
);
select is(
  (
    select n ->> 'data'
    from jsonb_array_elements(chat.pull_changes('{"user": null}') -> 'user' -> 'rows' -> 'notifications') as n
    where n ->> 'kind' = 'order_shipped'
  ),
  '{"order": 7}', 'a pull brings notifications of the app with their data'
);
select is(
  chat.mark_notifications_read((select max(seq) from chat.list_notifications() where kind = 'order_shipped')), 1,
  'notifications of the app are marked as read like others'
);
select tests.stop_acting();
select is_empty('select from chat_private.push_outbox', 'a notification of the app leaves nothing in the push outbox');
select tests.act_as('Ann');
select lives_ok($$ select chat.send_message(tests.room('trip'), 'x', gen_random_uuid()) $$, 'Ann sends a message');
select tests.stop_acting();
select isnt_empty('select from chat_private.push_outbox', 'a message leaves something in the push outbox');

-- Cat, whom it is not for
select tests.act_as('Cat');
select is_empty('select from chat.notifications', 'nobody reads what somebody else was notified of');

-- A server that acts as somebody
select tests.act_as_server_for('Ann');
select is((chat.notify(tests.id_of('Cat'), 'task_assigned')).actor_id, tests.id_of('Ann'), 'a server that acts as somebody notifies as that person');
select tests.stop_acting();
select tests.leave_tokens('Ann', -60);
select tests.act_as_server_for('Ann');
select is(
  tests.slug_of(tests.refusal('select chat.notify(tests.id_of(''Cat''), ''task_assigned'')')), 'slow_down',
  'the person a server acts as pays for the notification'
);
select tests.act_as_service();
select is(
  tests.refusal('select chat.notify(tests.id_of(''Cat''), ''task_assigned'')'), null, 'the project itself notifies without paying'
);
select tests.send_header(gen_random_uuid()::text);
select is(
  tests.refusal('select chat.notify(tests.id_of(''Cat''), ''task_assigned'')') ->> 'slug', 'user_not_found',
  'a server notifies nobody as somebody who does not exist'
);

-- Eve, whose account is closed
select tests.stop_acting();
select tests.make_people('Eve');
select tests.act_as_service();
select is((chat.notify(tests.id_of('Eve'), 'x')).kind, 'x', 'an open account is notified');
select tests.stop_acting();
delete from auth.users where id = tests.id_of('Eve');
select tests.act_as_service();
select is(
  tests.refusal('select chat.notify(tests.id_of(''Eve''), ''x'')') ->> 'slug', 'user_not_found', 'a closed account is not notified'
);

-- Everybody else
select tests.act_as('Ann');
select throws_ok(
  $$ select chat.notify(tests.id_of('Bob'), 'x') $$, '42501', 'permission denied for function notify', 'people notify nobody'
);
select tests.act_as_nobody();
select throws_ok(
  $$ select chat.notify(tests.id_of('Bob'), 'x') $$, '42501', 'permission denied for function notify', 'signed-out people notify nobody'
);

select * from finish();
rollback;
