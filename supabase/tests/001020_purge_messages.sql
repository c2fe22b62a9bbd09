-- Retention and restores: the two things that take numbers away, and how clients notice.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
select tests.act_as('Ann');
select chat.send_message(tests.room('trip'), 'Cat!', gen_random_uuid(), mentions => array[tests.id_of('Cat')]);
select tests.act_as('Cat');
select chat.send_message(tests.room('trip'), 'n' || n, md5('n' || n)::uuid) from generate_series(1, 10) as n;
select chat.add_reaction(tests.room('trip'), m.seq, '👍') from chat.messages as m where m.body in ('n1', 'n9');
select tests.act_as('Bob');
select chat.send_message(tests.room('trip'), 'Cat!', gen_random_uuid(), m.seq)
from chat.messages as m where m.body = 'n9';
select tests.act_as('Ann');
select chat.send_message(tests.room('trip'), 'Cat!', gen_random_uuid(), mentions => array[tests.id_of('Cat')]);
select tests.stop_acting();
create temp table middle as select m.seq from chat.messages as m where m.client_id = md5('n5')::uuid;
grant select on middle to public;
create temp view called_early as
select n.seq from chat.list_notifications() as n where n.kind = 'mention' and n.message_seq <= (select seq from middle);
grant select on called_early to public;
select tests.act_as('Cat');
select is((select count(*) from called_early), 1::bigint, 'a mention stands before its message is purged');
select tests.stop_acting();
create temp table cursor_before as
select jsonb_build_object('user', (tests.head_of('Cat')).rev, 'rooms', jsonb_build_object(tests.room('trip'), (tests.head_of('trip')).rev)) as at;
grant select on cursor_before to public;

-- A purge
select tests.watch('trip', 'hall', 'Cat');
select is(
  chat_private.purge_messages(tests.room('trip'), middle.seq), middle.seq, 'a purge takes everything up to a message'
)
from middle;
select tests.took_one_number('trip', 'a purge takes one number');
select tests.moved('{"trip": 1}', 'a purge moves only that room');
select results_eq(
  $$ select min(m.seq), count(*) from chat.messages as m where m.room_id = tests.room('trip') $$,
  $$ select r.floor_seq + 1, r.last_seq - r.floor_seq from chat.rooms as r where r.id = tests.room('trip') $$,
  'I1: above the floor there is no gap'
);
select is((select count(*) from chat.reactions where room_id = tests.room('trip')), 1::bigint, 'reactions go with a purge');
select is_empty(
  $$ select from realtime.messages as e where e.payload::text like '%"n5"%' $$, 'what a replay would have shown goes with a purge'
);
select isnt_empty($$ select from realtime.messages as e where e.payload::text like '%"n9"%' $$, 'what a replay shows of later messages stays');
select is(chat_private.purge_messages(tests.room('trip'), seq), 0::bigint, 'purging again takes nothing')
from (values ((select seq from middle)), (0), (-1)) as v (seq);
select is(chat_private.purge_messages(gen_random_uuid(), 5), 0::bigint, 'purging a room that does not exist takes nothing');
select tests.moved('{"trip": 1}', 'purging nothing takes no number');

-- Cat, whose copy is from before
select tests.act_as('Cat');
select is(
  chat.pull_changes(c.at) -> 'rooms',
  jsonb_build_array(jsonb_build_object(
    'room_id', r.id, 'from', r.rev - 1, 'to', r.rev, 'reset', false,
    'rows', jsonb_build_object('rooms', jsonb_build_array(to_jsonb(r)))
  )),
  'a purge resets nobody: a copy from before it gets the floor, and nothing again'
)
from cursor_before as c, chat.rooms as r where r.id = tests.room('trip');
select is(floor_rev, 0::bigint, 'a purge raises no floor_rev') from chat.rooms where id = tests.room('trip');
select tests.stop_acting();
update chat.rooms set floor_rev = rev where id = tests.room('trip');
select tests.act_as('Cat');
select is(
  chat.pull_changes(c.at) #> '{rooms,0,reset}', 'true', 'below floor_rev a copy starts over'
)
from cursor_before as c;
select is_empty('select from called_early', 'a mention in a purged message is over');
select isnt_empty(
  $$ select from chat.list_notifications() where message_seq > (select seq from middle) $$, 'mentions in messages that were not purged stand'
);
select tests.refuses(
  'Cat', 'message_deleted', $$ select chat.send_message(tests.room('trip'), 'n5', md5('n5')::uuid) $$,
  'I2: a retry of what was purged sends nothing again'
);
select results_eq(
  $$
    select o.outcome, o.reason, o.message ->> 'body'
    from chat.send_messages((
      select jsonb_agg(jsonb_build_object(
        'room_id', tests.room('trip'), 'client_id', md5(b.body)::uuid, 'body', b.body
      ))
      from unnest('{n5,n9}'::text[]) as b (body)
    )) as o
  $$,
  $$ values ('rejected', 'message_deleted', null), ('duplicate', null, 'n9') $$, 'I2: a retry of what was purged sends nothing again in a batch'
);
select tests.lets(
  'Cat', $$ select chat.send_message(tests.room('trip'), 'n9', md5('n9')::uuid) $$, 'a retry of what was not purged is answered'
);
select is_empty(
  format('select chat.list_messages(%L, before => %s)', tests.room('trip'), (select seq + 1 from middle)), 'a page below the floor is empty'
);

-- All of a room
select tests.stop_acting();
select cmp_ok(chat_private.purge_messages(tests.room('hall'), 9000000000), '>', 0::bigint, 'a purge past the head takes everything');
select is((select floor_seq = last_seq from chat.rooms where id = tests.room('hall')), true, 'a purge goes no further than the head');
select tests.lets('Cat', $$ select chat.send_message(tests.room('hall'), 'x', gen_random_uuid()) $$, 'people send in a room after all of it was purged');
select is(
  (select m.seq - r.floor_seq from chat.messages as m join chat.rooms as r on r.id = m.room_id where r.id = tests.room('hall')),
  1::bigint, 'I1: messages go on from the next seq after a purge'
);
select tests.stop_acting();
select is(
  chat_private.purge_messages(tests.room('plaza'), null), 0::bigint, 'a purge without a place to stop takes nothing'
);

-- A restore
select tests.act_as('Cat');
create temp table timeline as select chat.list_heads() ->> 'timeline' as before;
select tests.stop_acting();
select isnt(chat_private.start_timeline(), t.before, 'a restore begins another timeline') from timeline as t;
select is(chat_private.timeline(), chat_private.timeline(), 'the timeline stays until a restore');
select tests.act_as('Cat');
select is(
  chat.pull_changes(c.at || jsonb_build_object('timeline', t.before)) -> 'user', 'null', 'old numbers mean nothing on the new timeline'
)
from cursor_before as c, timeline as t;
select throws_ok(
  statement, '42501', 'permission denied for schema chat_private', title
)
from (
  values
  ('select chat_private.purge_messages(gen_random_uuid(), 1)', 'nobody purges through the API'),
  ('select chat_private.start_timeline()', 'nobody begins a timeline through the API')
) as s (statement, title);

select * from finish();
rollback;
