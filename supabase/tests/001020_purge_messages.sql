-- Retention and restores: the two things that take numbers away, and how clients notice.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
select tests.act_as('Cat');
select chat.send_message(tests.room('trip'), 'n' || n, md5('n' || n)::uuid) from generate_series(1, 10) as n;
select chat.add_reaction(tests.room('trip'), m.seq, '👍') from chat.messages as m where m.body in ('n1', 'n9');
select tests.stop_acting();
create temp table middle as select m.seq from chat.messages as m where m.client_id = md5('n5')::uuid;
grant select on middle to public;
create temp table cursor_before as
select jsonb_build_object('user', (tests.head_of('Cat')).rev, 'rooms', jsonb_build_object(tests.room('trip'), (tests.head_of('trip')).rev)) as at;
grant select on cursor_before to public;

-- A purge
select tests.watch('trip', 'hall', 'Cat');
select is(
  chat_private.purge_messages(tests.room('trip'), middle.seq), middle.seq, 'everything up to a message goes'
)
from middle;
select tests.took_one_number('trip', 'by one number');
select tests.moved('{"trip": 1}', 'of that room');
select results_eq(
  $$ select min(m.seq), count(*) from chat.messages as m where m.room_id = tests.room('trip') $$,
  $$ select r.floor_seq + 1, r.last_seq - r.floor_seq from chat.rooms as r where r.id = tests.room('trip') $$,
  'I1: above the floor there is no gap'
);
select is((select count(*) from chat.reactions where room_id = tests.room('trip')), 1::bigint, 'reactions go along');
select is_empty(
  $$
    select from chat_private.message_search as s
    where s.room_id = tests.room('trip') and s.seq <= (select seq from middle)
  $$,
  'so do the words of the search'
);
select is_empty(
  $$ select from realtime.messages as e where e.payload::text like '%"n5"%' $$, 'and what a replay would have shown'
);
select isnt_empty($$ select from realtime.messages as e where e.payload::text like '%"n9"%' $$, 'the rest stays');
select is(chat_private.purge_messages(tests.room('trip'), seq), 0::bigint, 'again it is nothing')
from (values ((select seq from middle)), (0), (-1)) as v (seq);
select is(chat_private.purge_messages(gen_random_uuid(), 5), 0::bigint, 'nor is a room that does not exist');
select tests.moved('{"trip": 1}', 'and takes no number');

-- Cat, whose copy is from before
select tests.act_as('Cat');
select is(
  chat.pull_changes(c.at) #> '{rooms,0,reset}', 'true', 'a cursor from below the purge starts over'
)
from cursor_before as c;
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
  $$ values ('rejected', 'message_deleted', null), ('duplicate', null, 'n9') $$, 'I2: nor in a batch'
);
select tests.lets(
  'Cat', $$ select chat.send_message(tests.room('trip'), 'n9', md5('n9')::uuid) $$, 'a retry of what was not is answered'
);
select is_empty(
  format('select chat.list_messages(%L, before => %s)', tests.room('trip'), (select seq + 1 from middle)), 'below the floor is nothing'
);

-- All of a room
select tests.stop_acting();
select cmp_ok(chat_private.purge_messages(tests.room('hall'), 9000000000), '>', 0::bigint, 'a purge ends at the head');
select is((select floor_seq = last_seq from chat.rooms where id = tests.room('hall')), true, 'and no further');
select tests.lets('Cat', $$ select chat.send_message(tests.room('hall'), 'x', gen_random_uuid()) $$, 'talk goes on');
select is(
  (select m.seq - r.floor_seq from chat.messages as m join chat.rooms as r on r.id = m.room_id where r.id = tests.room('hall')),
  1::bigint, 'I1: from the next seq'
);
select tests.stop_acting();
select is(
  chat_private.purge_messages(tests.room('plaza'), null), 0::bigint, 'without a place to stop nothing goes'
);

-- A restore
select tests.act_as('Cat');
create temp table timeline as select chat.list_heads() ->> 'timeline' as before;
select tests.stop_acting();
select isnt(chat_private.start_timeline(), t.before, 'a restore begins another timeline') from timeline as t;
select is(chat_private.timeline(), chat_private.timeline(), 'which stays');
select tests.act_as('Cat');
select is(
  chat.pull_changes(c.at || jsonb_build_object('timeline', t.before)) -> 'user', 'null', 'on which old numbers mean nothing'
)
from cursor_before as c, timeline as t;
select throws_ok(
  statement, '42501', 'permission denied for schema chat_private', title
)
from (
  values
  ('select chat_private.purge_messages(gen_random_uuid(), 1)', 'nobody purges through the API'),
  ('select chat_private.start_timeline()', 'or begins a timeline')
) as s (statement, title);

select * from finish();
rollback;
