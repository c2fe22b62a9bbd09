-- Notifications: what should reach a person wherever they are.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
select tests.stop_acting();
delete from chat.notifications;

-- Mentions and replies
select tests.act_as('Ann');
select tests.watch('trip', 'Ann', 'Abe', 'Bob', 'Cat', 'Rea', 'Lea', 'Xen');
select chat.send_message(
  tests.room('trip'), 'hello', md5('m1')::uuid,
  mentions => array[tests.id_of('Bob'), tests.id_of('Ann'), tests.id_of('Xen'), tests.id_of('Tom')]
);
select tests.moved('{"trip": 1, "Bob": 1}', 'who is mentioned is told, not who wrote it and not who is not there');
select tests.took_one_user_number('Bob', 'in their own stream');
select tests.act_as('Bob');
select results_eq(
  $$
    select n.seq > 0, n.kind, n.room_id, n.message_seq, n.actor_id, n.read_at from chat.list_notifications() as n
  $$,
  $$
    select true, 'mention', m.room_id, m.seq, tests.id_of('Ann'), null::timestamptz
    from chat.messages as m where m.client_id = md5('m1')::uuid
  $$,
  'it points at the message and repeats nothing of it'
);
select tests.watch('trip', 'Ann', 'Bob', 'Cat');
select chat.send_message(
  tests.room('trip'), 'answer', md5('m2')::uuid,
  (select seq from chat.messages where client_id = md5('m1')::uuid)
);
select tests.moved('{"trip": 1, "Ann": 1}', 'who is answered is told');
select tests.took_one_user_number('Ann', 'in their own stream');
select tests.watch('trip', 'Bob');
select chat.send_message(
  tests.room('trip'), 'more', gen_random_uuid(), (select seq from chat.messages where client_id = md5('m2')::uuid)
);
select tests.moved('{"trip": 1}', 'who answers themselves is not');
select tests.act_as('Ann');
select tests.watch('Bob', 'Cat');
select chat.send_message(
  tests.room('trip'), 'both', gen_random_uuid(), (select seq from chat.messages where client_id = md5('m2')::uuid),
  array[tests.id_of('Bob')]
);
select tests.moved('{"Bob": 1}', 'who is answered and mentioned is told once');
select is(
  (select count(*)::integer from chat.notifications), 1, 'each sees their own only'
);
select tests.watch('trip', 'Ann', 'Bob', 'Cat', 'Rea', 'Xen', 'Dan');
select chat.send_message(tests.room('trip'), 'all', gen_random_uuid(), mention_all => true);
select tests.moved(
  '{"trip": 1, "Bob": 1, "Cat": 1, "Rea": 1}', 'a call to all reaches everybody in a small room but the caller'
);
select tests.watch('trip', 'Bob', 'Cat');
select chat.send_message(tests.room('trip'), 'hello', md5('m1')::uuid, mentions => array[
  tests.id_of('Bob'), tests.id_of('Ann'), tests.id_of('Xen'), tests.id_of('Tom')
]);
select tests.changed_nothing('a retry tells nobody again');

-- Being added
select tests.watch('trip', 'Dan');
select chat.add_member(tests.room('trip'), tests.id_of('Dan'));
select tests.took_one_user_number('Dan', 'who is added is told, with the membership and in the same step');
select tests.act_as('Dan');
select is((select kind from chat.list_notifications()), 'invite', 'as an invitation');

-- Bob, who reads them
select tests.act_as('Bob');
select is((select count(*) from chat.list_notifications()), 3::bigint, 'they add up');
select results_eq(
  $$ select seq from chat.list_notifications() $$,
  $$ select seq from chat.notifications order by seq desc $$, 'the newest first'
);
select results_eq(
  $$
    select seq from chat.list_notifications(page_size => 2)
    union all
    select seq from chat.list_notifications(
      before => (select min(seq) from chat.list_notifications(page_size => 2))
    )
  $$,
  $$ select seq from chat.list_notifications() $$, 'pages join without gap or overlap'
);
select tests.watch('Bob', 'Cat', 'trip');
select is(
  chat.mark_notifications_read((select max(seq) - 1 from chat.notifications)), 2, 'what was seen is marked'
);
select tests.took_one_user_number('Bob', 'by one number');
select tests.moved('{"Bob": 1}', 'of nobody else');
select is((select count(*) from chat.notifications where read_at is null), 1::bigint, 'and the rest is not');
select tests.watch('Bob', 'Cat', 'trip');
select is(chat.mark_notifications_read(up_to), 0, 'again it is nothing')
from (values ((select max(seq) - 1 from chat.notifications)), (0), (-1), (null)) as v (up_to);
select tests.changed_nothing('and changes nothing');
select throws_ok(
  format('select chat.list_notifications(page_size => %s)', size), 'PT400', 'invalid_input', format('a page of %s is none', size)
)
from unnest(array[0, 201]) as s (size);
select throws_ok(
  $$ delete from chat.notifications $$, '42501', 'permission denied for table notifications', 'nobody writes one'
);

-- Tom
select tests.act_as('Tom');
select is_empty('select from chat.notifications', 'a mention reaches no other tenant');
select tests.act_as('Xen');
select is_empty('select from chat.notifications', 'nor an ex-member');

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  'select chat.list_notifications()', '42501', 'permission denied for function list_notifications', 'signed-out people have none'
);
select throws_ok(
  'select chat.mark_notifications_read(1)', '42501', 'permission denied for function mark_notifications_read', 'and mark none'
);
select tests.act_without_sub();
select throws_ok(
  'select chat.list_notifications()', 'PT401', 'sign_in_required', 'nor has a token without a name'
);

select * from finish();
rollback;
