-- Marks: how far I am, for me; and who has seen what, for the room.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
select tests.act_as('Ann');
select chat.send_message(r.room_id, 'n ' || n, gen_random_uuid()) from tests.rooms as r, generate_series(1, 5) as n;
select tests.stop_acting();
update chat_private.settings set receipts_limit = 6;

-- Cat reads in a small room: trip has six people
select tests.act_as('Cat');
select tests.watch('trip', 'hall', 'Cat', 'Ann');
select is(
  (chat.mark_read(tests.room('trip'), (select last_seq - 2 from chat.rooms where id = tests.room('trip')))).read_seq,
  (select last_seq - 2 from chat.rooms where id = tests.room('trip')), 'a mark goes where it is put'
);
select tests.took_one_number('trip', 'in a small room the others see the tick');
select tests.took_one_user_number('Cat', 'and the own devices the mark');
select tests.moved('{"trip": 1, "Cat": 1}', 'and nothing else moves');
select is(
  (select delivered_seq = read_seq from chat.marks where room_id = tests.room('trip')), true, 'what is read has arrived'
);
select tests.watch('trip', 'hall', 'Cat', 'Ann');
select lives_ok(
  format('select chat.mark_read(%L, %s)', tests.room('trip'), seq), format('a mark at %s stays', seq)
)
from unnest(array[0, 1, (select last_seq - 2 from chat.rooms where id = tests.room('trip'))]) as s (seq);
select lives_ok(
  format('select chat.mark_delivered(%L)', jsonb_build_object(tests.room('trip'), 1)), 'arriving again as well'
);
select tests.changed_nothing('I10: marks move forward only');
select is(
  (chat.mark_read(tests.room('trip'), 9000000000)).read_seq, (select last_seq from chat.rooms where id = tests.room('trip')),
  'I10: and never past the head'
);

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
  'many rooms are marked at once; those one is not in are left out'
);
select tests.moved('{"Cat": 1}', 'in rooms with more people nothing is announced, and one''s own stream takes one number');
select set_eq(
  $$ select kind, up_to_seq, device_id, rev from chat.receipts where room_id = tests.room('hall') $$,
  $$ values ('delivered', 3::bigint, 'phone', null::bigint) $$, 'the receipt is there for who asks'
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
select tests.changed_nothing('or anything');
select results_eq(
  format('select delivered_seq from chat.mark_delivered(%L)', format('{"%s": %s}', tests.room('hall'), seq)),
  format('values (%s::bigint)', mark), format('%s is a place', seq)
)
from (values ('4.0', '4'), ('0.5e1', '5')) as s (seq, mark);
select results_eq(
  format('select delivered_seq from chat.mark_delivered(%L)', format('{"%s": %s}', tests.room('hall'), seq)),
  $$ select last_seq from chat.rooms where id = tests.room('hall') $$, format('I10: %s is never past the head', seq)
)
from unnest(array['4611686018427387904', '1e30']) as s (seq);
select tests.watch('Cat');
select is_empty('select chat.mark_delivered(''{}'')', 'nothing marked is nothing');
select tests.changed_nothing('and changes nothing');

-- What is no mark
select tests.refuses('Cat', slug, statement, title)
from (
  values
  ('invalid_input', $$ select chat.mark_read(tests.room('trip'), null) $$, 'a mark has a place'),
  ('invalid_input', $$ select chat.mark_read(tests.room('trip'), -1) $$, 'that is not negative'),
  ('invalid_input', $$ select chat.mark_delivered(null) $$, 'null is no cursor'),
  ('invalid_input', $$ select chat.mark_delivered('[]') $$, 'nor is a list'),
  ('invalid_input', $$ select chat.mark_delivered('{"x": 1}') $$, 'nor is a room that is no id'),
  ('invalid_input', $$ select chat.mark_delivered('{}', repeat('x', 201)) $$, 'a device has a short id'),
  ('payload_too_large', format('select chat.mark_delivered(%L)', (
    select jsonb_object_agg(gen_random_uuid(), 1) from generate_series(1, 51)
  )), 'fifty rooms come at once')
) as v (slug, statement, title);
select tests.refuses(
  'Cat', 'invalid_input', format('select chat.mark_delivered(%L)', format('{"%s": %s}', tests.room('hall'), seq)),
  format('%s is no place', seq)
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
select is_empty('select from chat.receipts', 'a stranger sees none');
select tests.act_as('Xen');
select is_empty('select from chat.receipts', 'nor an ex-member');
select throws_ok('update chat.marks set read_seq = 0', '42501', 'permission denied for table marks', 'nobody writes a mark');
select throws_ok('delete from chat.receipts', '42501', 'permission denied for table receipts', 'or a receipt');

-- Strangers, ex-members, other tenants
select tests.strangers_find_nothing('select chat.mark_read(%L, 1)', 'marking');
select tests.act_as('Dan');
select is_empty(
  format('select chat.mark_delivered(%L)', jsonb_build_object(tests.room('plaza'), 1)), 'I8: rooms of others are left out like absent ones'
);
select is_empty('select from chat.marks', 'and nothing is kept');

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  $$ select chat.mark_read(tests.room('trip'), 1) $$, '42501', 'permission denied for function mark_read', 'signed-out people mark nothing'
);
select throws_ok(
  $$ select chat.mark_delivered('{}') $$, '42501', 'permission denied for function mark_delivered', 'either way'
);

select * from finish();
rollback;
