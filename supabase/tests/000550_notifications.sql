-- Notifications: what should reach a person wherever they are.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
select tests.stop_acting();
delete from chat.notifications;

-- What it costs
savepoint prices; -- noqa: PRS
select tests.act_as('Ann');
select chat.send_message(tests.room('trip'), 'x', gen_random_uuid(), mentions => array[tests.id_of('Bob')]);
select tests.costs('Bob', price, 'select chat.mark_notifications_read(1000000)', title)
from (values (1, 'reading notifications costs 1'), (0, 'marking notifications is free when all are read')) as c (price, title);
rollback to prices;

-- Who wants nothing, and who snoozes
savepoint preferences; -- noqa: PRS
select tests.act_as('Cat');
select chat.set_room_preferences(tests.room('trip'), 'none');
select chat.send_message(tests.room('trip'), 'mine', md5('mine')::uuid);
select tests.act_as('Bob');
select chat.set_room_preferences(tests.room('trip'), snoozed_until => clock_timestamp() + interval '1 hour');
select tests.act_as('Ann');
select tests.watch('trip', 'Bob', 'Cat');
select chat.send_message(
  tests.room('trip'), 'x', gen_random_uuid(), (select seq from chat.messages where client_id = md5('mine')::uuid),
  array[tests.id_of('Bob'), tests.id_of('Cat')]
);
select tests.moved('{"trip": 1, "Bob": 1}', 'somebody who wants nothing of a room gets no notification, and somebody who snoozes it gets one');
select tests.watch('trip', 'Bob', 'Cat');
select chat.send_message(tests.room('trip'), 'x', gen_random_uuid(), mention_all => true);
select ok(
  not exists (select from chat.notifications where user_id = tests.id_of('Cat')), 'calling everybody does not reach somebody who wants nothing'
);
select is(
  (select mentions from chat.messages where room_id = tests.room('trip') and mentions <> '{}' order by seq desc limit 1) @> array[tests.id_of('Cat')], true,
  'the message says all the same whom it mentions'
);
rollback to preferences;

-- Mentions and replies
select tests.act_as('Ann');
select tests.watch('trip', 'Ann', 'Abe', 'Bob', 'Cat', 'Rea', 'Lea', 'Xen');
select chat.send_message(
  tests.room('trip'), 'hello', md5('m1')::uuid,
  mentions => array[tests.id_of('Bob'), tests.id_of('Ann'), tests.id_of('Xen'), tests.id_of('Tom')]
);
select tests.moved('{"trip": 1, "Bob": 1}', 'somebody who is mentioned is told, but neither the author nor anybody who is not in the room');
select tests.took_one_user_number('Bob', 'a mention is told in the stream of the person who is mentioned');
select tests.act_as('Bob');
select results_eq(
  $$
    select n.seq > 0, n.kind, n.room_id, n.message_seq, n.actor_id, n.read_at from chat.list_notifications() as n
  $$,
  $$
    select true, 'mention', m.room_id, m.seq, tests.id_of('Ann'), null::timestamptz
    from chat.messages as m where m.client_id = md5('m1')::uuid
  $$,
  'a notification points at the message and repeats nothing of it'
);
select tests.watch('trip', 'Ann', 'Bob', 'Cat');
select chat.send_message(
  tests.room('trip'), 'answer', md5('m2')::uuid,
  (select seq from chat.messages where client_id = md5('m1')::uuid)
);
select tests.moved('{"trip": 1, "Ann": 1}', 'somebody who is answered is told');
select tests.took_one_user_number('Ann', 'an answer is told in the stream of the person who is answered');
select tests.watch('trip', 'Bob');
select chat.send_message(
  tests.room('trip'), 'more', gen_random_uuid(), (select seq from chat.messages where client_id = md5('m2')::uuid)
);
select tests.moved('{"trip": 1}', 'somebody who answers themselves is not told');
select tests.act_as('Ann');
select tests.watch('Bob', 'Cat');
select chat.send_message(
  tests.room('trip'), 'both', gen_random_uuid(), (select seq from chat.messages where client_id = md5('m2')::uuid),
  array[tests.id_of('Bob')]
);
select tests.moved('{"Bob": 1}', 'somebody who is answered and mentioned is told once');
select is(
  (select count(*)::integer from chat.notifications), 1, 'everybody sees only their own notifications'
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
select tests.took_one_user_number('Dan', 'somebody who is added is told, with the membership and in the same step');
select tests.act_as('Dan');
select is((select kind from chat.list_notifications()), 'invite', 'somebody who is added is told as an invitation');

-- Bob, who reads them
select tests.act_as('Bob');
select is((select count(*) from chat.list_notifications()), 3::bigint, 'notifications add up');
select results_eq(
  $$ select seq from chat.list_notifications() $$,
  $$ select seq from chat.notifications order by seq desc $$, 'the newest notification comes first'
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
select tests.took_one_user_number('Bob', 'marking what was seen takes one number');
select tests.moved('{"Bob": 1}', 'marking what was seen takes a number of nobody else');
select is((select count(*) from chat.list_notifications() where read_at is null), 1::bigint, 'what was not seen is not marked');
select tests.watch('Bob', 'Cat', 'trip');
select is(chat.mark_notifications_read(up_to), 0, 'marking again marks nothing')
from (values ((select max(seq) - 1 from chat.notifications)), (0), (-1), (null)) as v (up_to);
select tests.changed_nothing('marking again changes nothing');
select throws_ok(
  format('select chat.list_notifications(page_size => %s)', size), 'PT400', 'invalid_input', format('a page of %s is none', size)
)
from unnest(array[0, 201]) as s (size);
select throws_ok(
  $$ delete from chat.notifications $$, '42501', 'permission denied for table notifications', 'nobody writes a notification'
);

-- One mark
select is(
  tests.as_owner(format(
    'select notifications_read_seq = notification_seq - 1 and notifications_read_at is not null
     from chat_private.user_streams where user_id = %L', tests.id_of('Bob')
  )), 'true', 'one mark says that notifications are read'
);
select is(
  (select count(distinct n.read_at) from chat.list_notifications() as n), 1::bigint, 'all notifications were read when the mark last moved'
);
select tests.watch('Bob');
select is(chat.mark_notifications_read(9000000000), 1, 'a mark goes to the newest notification');
select is(
  tests.as_owner(format(
    'select notifications_read_seq = notification_seq from chat_private.user_streams where user_id = %L', tests.id_of('Bob')
  )), 'true', 'a mark never goes past the newest notification'
);

-- Notifications end with their message
create function pg_temp.stands(name text, about uuid)
returns boolean
language plpgsql
as $$
declare
  v_listed boolean;
  v_read boolean;
begin
  perform tests.act_as(stands.name);
  v_listed := exists (select from chat.list_notifications() as n where n.message_seq = (
    select m.seq from chat.messages as m where m.client_id = stands.about
  ));
  v_read := exists (select from chat.notifications as n where n.message_seq = (
    select m.seq from chat.messages as m where m.client_id = stands.about
  ));
  perform tests.stop_acting();
  return case when v_listed = v_read then v_listed end;
end;
$$;
select tests.act_as('Cat');
select chat.send_message(tests.room('trip'), 'question', md5('question')::uuid);
select tests.act_as('Ann');
select chat.send_message(
  tests.room('trip'), 'answer', md5('answer')::uuid, (select seq from chat.messages where client_id = md5('question')::uuid),
  mentions => array[tests.id_of('Bob')]
);
select is(pg_temp.stands(name, md5('answer')::uuid), true, format('%s is called by an answer', name))
from unnest(array['Bob', 'Cat']) as n (name);
select tests.act_as('Ann');
select tests.watch('trip', 'Bob', 'Cat');
select chat.delete_message(m.room_id, m.seq) from chat.messages as m where m.client_id = md5('answer')::uuid;
select tests.moved('{"trip": 1}', 'deleting a message that notified people touches nobody''s own stream');
select is(pg_temp.stands(name, md5('answer')::uuid), false, format('a deleted message calls %s no more', name))
from unnest(array['Bob', 'Cat']) as n (name);
select tests.act_as('Bob');
select tests.watch('Bob');
select is(chat.mark_notifications_read(9000000000), 0, 'marking counts no notification of a deleted message');
select tests.moved('{"Bob": 1}', 'the mark moves past the notification of a deleted message');

-- and when somebody leaves the room
select tests.act_as('Ann');
select chat.send_message(tests.room('trip'), 'Cat!', md5('Cat!')::uuid, mentions => array[tests.id_of('Cat')]);
select is(pg_temp.stands('Cat', md5('Cat!')::uuid), true, 'Cat is mentioned');
select tests.act_as('Ann');
select chat.remove_member(tests.room('trip'), tests.id_of('Cat'));
select tests.act_as('Cat');
select is_empty(
  $$ select from chat.list_notifications() where room_id = tests.room('trip') $$, 'somebody who left a room has no notifications about it'
);
select tests.act_as('Ann');
select chat.add_member(tests.room('trip'), tests.id_of('Cat'));
select is(pg_temp.stands('Cat', md5('Cat!')::uuid), false, 'coming back brings none of them back');
select tests.act_as('Cat');
select results_eq(
  $$ select kind from chat.list_notifications() where room_id = tests.room('trip') $$, $$ values ('invite') $$, 'the new invitation stands'
);
select tests.stop_acting();
insert into chat.notifications (user_id, seq, kind, room_id, rev)
select tests.id_of('Cat'), 900, 'report', tests.room('hall'), 1;
select tests.act_as('Ann');
select chat.remove_member(tests.room('hall'), tests.id_of('Cat'));
select tests.act_as('Cat');
select isnt_empty(
  $$ select from chat.list_notifications() where room_id = tests.room('hall') and kind = 'report' $$, 'a report does not depend on being in the room'
);

-- Eve, whose account is closed
select tests.make_people('Eve');
select tests.act_as('Ann');
select chat.add_member(tests.room('trip'), tests.id_of('Eve'));
select tests.act_as('Eve');
select chat.send_message(tests.room('trip'), 'by Eve', md5('by Eve')::uuid);
select tests.stop_acting();
delete from auth.users where id = tests.id_of('Eve');
create temp view notified_eve as select count(*) from chat.notifications where user_id = tests.id_of('Eve');
grant select on notified_eve to public;
create temp table before_closing as select * from notified_eve;
select tests.act_as('Ann');
select tests.watch('Eve', 'Cat', 'trip');
select is(
  (chat.send_message(tests.room('trip'), 'x', gen_random_uuid(), mentions => array[tests.id_of('Eve'), tests.id_of('Cat')])).mentions,
  array[tests.id_of('Cat')], 'a closed account is not mentioned'
);
select chat.send_message(
  tests.room('trip'), 'x', gen_random_uuid(), (select seq from chat.messages where client_id = md5('by Eve')::uuid)
);
select chat.send_message(tests.room('trip'), 'x', gen_random_uuid(), mention_all => true);
select tests.moved('{"trip": 3, "Cat": 2}', 'a closed account is neither answered nor called with everybody');
select tests.stop_acting();
select chat_private.add_notifications(array[tests.id_of('Eve')], 'invite', tests.room('trip'), null, tests.id_of('Ann'));
select results_eq('select * from notified_eve', 'select * from before_closing', 'a closed account gets no notification of any kind');
select tests.act_as('Eve');
select is_empty('select from chat.notifications', 'the token of a closed account does not read the notifications of before');

-- Tom
select tests.act_as('Tom');
select is_empty('select from chat.notifications', 'a mention reaches no other tenant');
select tests.act_as('Xen');
select is_empty('select from chat.notifications', 'a mention reaches no ex-member');

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  'select chat.list_notifications()', '42501', 'permission denied for function list_notifications', 'signed-out people have no notifications'
);
select throws_ok(
  'select chat.mark_notifications_read(1)', '42501', 'permission denied for function mark_notifications_read', 'signed-out people mark no notifications'
);
select tests.act_without_sub();
select throws_ok(
  'select chat.list_notifications()', 'PT401', 'sign_in_required', 'a token without a name has no notifications'
);

-- Pages are bounded by bytes
select tests.stop_acting();
update chat_private.settings set pull_bytes = 1024;
select tests.act_as('Ann');
select tests.remember('bell', (chat.create_room('Bell', member_ids => array[tests.id_of('Cat')])).id);
select chat.send_message(tests.room('bell'), 'x', gen_random_uuid(), mentions => array[tests.id_of('Cat')]) from generate_series(1, 9);
select tests.act_as('Cat');
create temp table told as select seq from chat.list_notifications() as n;
select results_eq(
  'select seq from told order by seq desc',
  format('select seq from chat.notifications order by seq desc limit %s', (select count(*) from told)),
  'a page of notifications is short: the newest that stand'
);
select cmp_ok((select count(*) from told), '<', 9::bigint, 'a page of notifications is short though there are more');
select tests.stop_acting();
update chat_private.settings set pull_bytes = default;

select * from finish();
rollback;
