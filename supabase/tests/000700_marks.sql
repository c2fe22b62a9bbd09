-- Marks: how far I am, for me; and who has seen what, for the room.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
select tests.act_as('Ann');
select chat.send_message(r.room_id, 'n ' || n, gen_random_uuid()) from tests.rooms as r, generate_series(1, 5) as n;
select tests.stop_acting();
update chat_private.settings set receipts_limit = 6;

-- What it costs
savepoint prices; -- noqa: PRS
select tests.costs('Cat', price, format('select chat.%s', call), title)
from (
  values
  (format('mark_read(%L, 4)', tests.room('trip')), 1, 'a mark costs 1'),
  (format('mark_read(%L, 4)', tests.room('trip')), 0, 'a mark where it is already is free'),
  (format('mark_delivered(%L)', jsonb_build_object(tests.room('trip'), 4, tests.room('hall'), 4, tests.room('late'), 4)), 2,
    'many marks cost 1 for each that moves')
) as c (call, price, title);
rollback to prices;

-- Cat reads in a small room: trip has six people
select tests.act_as('Cat');
select tests.watch('trip', 'hall', 'Cat', 'Ann');
select is(
  (chat.mark_read(tests.room('trip'), (select last_seq - 2 from chat.rooms where id = tests.room('trip')))).read_seq,
  (select last_seq - 2 from chat.rooms where id = tests.room('trip')), 'a mark goes where it is put'
);
select tests.took_one_number('trip', 'the others see the tick in a small room');
select tests.took_one_user_number('Cat', 'the person''s own devices see the mark');
select tests.moved('{"trip": 1, "Cat": 1}', 'a mark moves nothing else');
select is(
  (select delivered_seq = read_seq from chat.marks where room_id = tests.room('trip')), true, 'what is marked as read is marked as delivered'
);
select tests.watch('trip', 'hall', 'Cat', 'Ann');
select lives_ok(
  format('select chat.mark_read(%L, %s)', tests.room('trip'), seq), format('a mark at %s stays', seq)
)
from unnest(array[0, 1, (select last_seq - 2 from chat.rooms where id = tests.room('trip'))]) as s (seq);
select lives_ok(
  format('select chat.mark_delivered(%L)', jsonb_build_object(tests.room('trip'), 1)), 'an earlier message is marked as delivered again'
);
select tests.changed_nothing('I10: marks move forward only');
select is(
  (chat.mark_read(tests.room('trip'), 9000000000)).read_seq, (select last_seq from chat.rooms where id = tests.room('trip')),
  'I10: marks never move past the head'
);

-- Cat, who has marked a room as unread
savepoint marked; -- noqa: PRS
select chat.set_room_preferences(tests.room('trip'), marked_unread => true);
create function pg_temp.is_marked()
returns boolean
language sql
as $$ select p.marked_unread from chat.room_preferences as p where p.room_id = tests.room('trip') $$;
select lives_ok(
  format('select chat.%s', call), format('%s leaves a room marked as unread', call)
)
from (
  values
  (format('mark_read(%L, 1)', tests.room('trip'))),
  (format('mark_delivered(%L)', jsonb_build_object(tests.room('trip'), 1000))),
  (format('mark_read(%L, (select last_seq - 1 from chat.rooms where id = %1$L))', tests.room('trip')))
) as c (call);
select is(pg_temp.is_marked(), true, 'a room stays marked as unread until it is read up to its newest message');
select tests.watch('trip', 'Cat', 'Ann');
select is(
  (chat.mark_read(tests.room('trip'), r.last_seq)).read_seq, r.last_seq, 'reading it up to the newest message once more moves no mark'
)
from chat.rooms as r where r.id = tests.room('trip');
select is(pg_temp.is_marked(), false, 'reading a room up to its newest message ends that it is marked as unread');
select tests.took_one_user_number('Cat', 'ending that a room is marked as unread takes one number in the own stream');
select tests.moved('{"Cat": 1}', 'ending that a room is marked as unread takes no number of the room');
select tests.watch('trip', 'Cat', 'Ann');
select is((chat.mark_read(tests.room('trip'), 1000)).read_seq, (select last_seq from chat.rooms where id = tests.room('trip')), 'a room may be read again');
select tests.changed_nothing('reading a room again that is not marked as unread changes nothing');
select chat.set_room_preferences(tests.room('trip'), marked_unread => true);
select tests.act_as('Ann');
select chat.send_message(tests.room('trip'), 'news', md5('news')::uuid);
select tests.act_as('Cat');
select tests.watch('trip', 'Cat');
select chat.mark_read(tests.room('trip'), 1000);
select tests.moved('{"trip": 1, "Cat": 1}', 'a mark that moves and ends that a room is marked as unread takes one number');
select is(pg_temp.is_marked(), false, 'a mark that moves to the newest message ends that the room is marked as unread');
select chat.set_room_preferences(tests.room('trip'), marked_unread => true);
select tests.costs('Cat', price, 'select chat.mark_read(tests.room(''trip''), 1000)', title)
from (values (1, 'ending that a room is marked as unread costs 1'), (0, 'reading a room that is not marked as unread is free')) as c (price, title);
rollback to marked;

-- Cat, in many rooms at once; tower is large
select tests.stop_acting();
update chat_private.settings set receipts_limit = 5;
select tests.act_as('Cat');
select tests.watch('trip', 'hall', 'tower', 'Cat', 'Ann');
select set_eq(
  format('select room_id, delivered_seq, read_seq from chat.mark_delivered(%L, ''phone'')', jsonb_build_object(
    tests.room('hall'), 3, tests.room('tower'), 9000000, gen_random_uuid(), 4
  )),
  $$ select id, case id when tests.room('hall') then 3 else last_seq end, 0::bigint from chat.rooms where id in (tests.room('hall'), tests.room('tower')) $$,
  'many rooms are marked at once; those that one is not in are left out'
);
select tests.moved('{"Cat": 1}', 'a larger room announces nothing, and one''s own stream takes one number');
select set_eq(
  $$ select kind, up_to_seq, device_id, rev from chat.receipts where room_id = tests.room('hall') $$,
  $$ values ('delivered', 3::bigint, 'phone', null::bigint) $$, 'the receipt of a room that announces none is there for people who ask'
);
select is(
  (select count(*) from chat.receipts where room_id = tests.room('hall') and user_id = tests.id_of('Cat')), 1::bigint,
  'three messages are one receipt'
);
select tests.watch('Cat');
select results_eq(
  format('select delivered_seq from chat.mark_delivered(%L)', format('{"%s": %s}', tests.room('hall'), seq)),
  'values (3::bigint)', format('I10: %s moves no mark back', seq)
)
from unnest(array['0', '-1', '-1e30', '2.0', '3.00', '0e-5']) as s (seq);
select tests.changed_nothing('marking less moves nothing');
select results_eq(
  format('select delivered_seq from chat.mark_delivered(%L)', format('{"%s": %s}', tests.room('hall'), seq)),
  format('values (%s::bigint)', mark), format('%s is a place of a mark', seq)
)
from (values ('4.0', '4'), ('0.5e1', '5')) as s (seq, mark);
select results_eq(
  format('select delivered_seq from chat.mark_delivered(%L)', format('{"%s": %s}', tests.room('hall'), seq)),
  $$ select last_seq from chat.rooms where id = tests.room('hall') $$, format('I10: %s is never past the head', seq)
)
from unnest(array['4611686018427387904', '1e30']) as s (seq);
select tests.watch('Cat');
select is_empty('select chat.mark_delivered(''{}'')', 'an empty mark is answered with nothing');
select tests.changed_nothing('an empty mark changes nothing');

-- What is no mark
select tests.refuses('Cat', slug, statement, title)
from (
  values
  ('invalid_input', $$ select chat.mark_read(tests.room('trip'), null) $$, 'a mark has a place'),
  ('invalid_input', $$ select chat.mark_read(tests.room('trip'), -1) $$, 'the place of a mark is not negative'),
  ('invalid_input', $$ select chat.mark_delivered(null) $$, 'null is no cursor'),
  ('invalid_input', $$ select chat.mark_delivered('[]') $$, 'a list is no mark'),
  ('invalid_input', $$ select chat.mark_delivered('{"x": 1}') $$, 'a room that is no id is no mark'),
  ('invalid_input', $$ select chat.mark_delivered('{}', repeat('x', 201)) $$, 'a device has a short id'),
  ('payload_too_large', format('select chat.mark_delivered(%L)', (
    select jsonb_object_agg(gen_random_uuid(), 1) from generate_series(1, 51)
  )), 'fifty rooms are marked at once at most'),
  ('payload_too_large', format('select chat.mark_delivered(%L)', (
    select jsonb_object_agg('room ' || n, 1) from generate_series(1, 20000) as n
  )), 'endless cursors are refused before they are looked through')
) as v (slug, statement, title);
select tests.refuses(
  'Cat', 'invalid_input', format('select chat.mark_delivered(%L)', format('{"%s": %s}', tests.room('hall'), seq)),
  format('%s is no place of a mark', seq)
)
from unnest(array['1.5', '-0.5', '1e-9', '"5"', '"x"', 'null', 'true', '[]', '{}']) as s (seq);

-- A reader and who is muted, in an archived room
select tests.act_as('Ann');
select chat.mute_member(tests.room('trip'), tests.id_of('Rea'));
select chat.archive_room(tests.room('trip'));
select tests.lets('Rea', $$ select chat.mark_read(tests.room('trip'), 3) $$, 'everybody who may read may mark');

-- Who sees marks and receipts
select tests.act_as('Ann');
select is_empty('select from chat.marks', 'nobody sees the marks of others');
select isnt_empty($$ select from chat.receipts where user_id = tests.id_of('Cat') $$, 'members see receipts');
select tests.act_as('Dan');
select is_empty('select from chat.receipts', 'a stranger sees no receipt');
select tests.act_as('Xen');
select is_empty('select from chat.receipts', 'an ex-member sees no receipt');
select throws_ok('update chat.marks set read_seq = 0', '42501', 'permission denied for table marks', 'nobody writes a mark');
select throws_ok('delete from chat.receipts', '42501', 'permission denied for table receipts', 'nobody writes a receipt');

-- Strangers, ex-members, other tenants
select tests.strangers_find_nothing('select chat.mark_read(%L, 1)', 'marking');
select tests.act_as('Dan');
select is_empty(
  format('select chat.mark_delivered(%L)', jsonb_build_object(tests.room('plaza'), 1)), 'I8: rooms of others are left out like absent ones'
);
select is_empty('select from chat.marks', 'nothing is kept about rooms of others');

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  $$ select chat.mark_read(tests.room('trip'), 1) $$, '42501', 'permission denied for function mark_read', 'signed-out people mark nothing'
);
select throws_ok(
  $$ select chat.mark_delivered('{}') $$, '42501', 'permission denied for function mark_delivered', 'signed-out people mark nothing as delivered'
);

select * from finish();
rollback;
