-- Steps: what a number changed, announced once, and never at the cost of a write.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

-- The rows of a step are the rows of a pull
select tests.watch('trip');
select tests.act_as('Cat');
select chat.send_message(tests.room('trip'), 'one', md5('one')::uuid);
select chat.send_message(tests.room('trip'), 'two', md5('two')::uuid);
select tests.act_as('Ann');
select chat.set_member_role(tests.room('trip'), tests.id_of('Cat'), 'moderator');
select chat.update_room(tests.room('trip'), topic => 'Steps');
select tests.stop_acting();
create temp view head as select * from tests.heads where stream = 'trip';
select is(
  (
    select jsonb_object_agg(rows.kind, jsonb_array_length(rows.entries))
    from head, lateral jsonb_each(chat_private.room_rows(
      tests.room('trip'), head.rev + above, head.rev + up_to, 0, touched
    )) as rows (kind, entries)
  ),
  expected, title
)
from (
  values
  (0, 4, '{rooms,members,messages}'::text[], '{"rooms": 1, "members": 1, "messages": 3}'::jsonb,
    'a range holds every row that was stamped in it'),
  (0, 1, '{rooms,members,messages}', '{"messages": 1}', 'a range starts at the number after its beginning'),
  (1, 2, '{rooms,members,messages}', '{"messages": 1}', 'a range goes to its end'),
  (2, 3, '{rooms,members,messages}', '{"members": 1, "messages": 1}', 'one number stamps all it changed'),
  (3, 4, '{rooms,members,messages}', '{"rooms": 1}', 'the room''s own row is stamped by what changes it'),
  (0, 4, '{members}', '{"members": 1}', 'a range holds only the kinds that are asked for'),
  (4, 9, '{rooms,members,messages}', null, 'nothing is above the head')
) as r (above, up_to, touched, expected, title);
select is(
  chat_private.room_rows(tests.room('trip'), h.rev, h.rev + 1, 0, '{messages}') #> '{messages,0}',
  (
    select to_jsonb(m) from chat.messages as m
    where m.room_id = tests.room('trip') and m.client_id = md5('one')::uuid
  ),
  'a row is the row of the table, whole'
)
from head as h;
select is(
  chat_private.room_rows(
    tests.room('trip'), h.rev, h.rev + 2,
    (select m.seq from chat.messages as m where m.client_id = md5('one')::uuid), '{messages}'
  ) #>> '{messages,0,body}',
  'two', 'what lies below somebody''s beginning is left out'
)
from head as h;
select is(
  (
    select jsonb_agg(distinct (m.payload ->> 'from')::bigint - h.rev)
    from realtime.messages as m, head as h
    where m.payload ->> 'room_id' = tests.room('trip')::text and (m.payload ->> 'from')::bigint >= h.rev
  ),
  '[0, 1, 2, 3]', 'I1: steps join without gap or overlap'
);
select is(chat_private.lowest_seq(rows), expected, title)
from (
  values
  ('{"messages": [{"seq": 7}, {"seq": 5}], "reactions": [{"seq": 6}]}'::jsonb, 5::bigint, 'the lowest of all kinds counts'),
  ('{"receipts": [{"up_to_seq": 3}], "messages": [{"seq": 4}]}', 3, 'the lowest of receipts counts by where they reach'),
  ('{"members": [{"rev": 1}]}', null, 'a step about people is about no message'),
  ('{}', null, 'an empty step is about no message')
) as l (rows, expected, title);

-- A short message takes a way of its own
select is(
  m.payload -> 'rows',
  chat_private.room_rows(tests.room('trip'), h.rev, h.rev + 1, 0, '{messages}'),
  'a short message is announced with the rows that a pull brings'
)
from realtime.messages as m, head as h
where m.payload #>> '{rows,messages,0,client_id}' = md5('one')::uuid::text
  and m.topic like 'user:' || tests.id_of('Ann') || ':%';

-- The row in realtime.messages is the one that realtime.send makes
create temp table ours as
select m.*
from realtime.messages as m
where m.payload #>> '{rows,messages,0,client_id}' = md5('one')::uuid::text
  and m.topic like 'user:' || tests.id_of('Ann') || ':%';
select realtime.send((o.payload - 'id') || '{"copy": true}', o.event, o.topic, o.private)
from ours as o;
select is(
  (
    select to_jsonb(o) - 'id' - 'inserted_at' - 'updated_at' - 'payload'
      || jsonb_build_object('injected', o.payload ->> 'id' = o.id::text)
    from ours as o
  ),
  (
    select to_jsonb(theirs) - 'id' - 'inserted_at' - 'updated_at' - 'payload'
      || jsonb_build_object('injected', theirs.payload ->> 'id' = theirs.id::text)
    from realtime.messages as theirs
    where theirs.payload ? 'copy'
  ),
  'a step is what realtime.send would have written, column by column'
);
delete from realtime.messages where payload ? 'copy';
select set_config('realtime.topic', '', true);
select tests.act_as('Cat');
select chat.send_message(tests.room('trip'), 'x', gen_random_uuid());
select is(current_setting('realtime.topic'), '', 'announcing leaves no topic behind for the rest of the transaction');

-- A large step is stored once and copied
select tests.watch('trip');
select chat.send_message(
  tests.room('trip'), (select string_agg(md5(n::text), '') from generate_series(1, 150) as n), md5('long')::uuid
);
select tests.stop_acting();
create temp table received as
select m.topic, m.payload
from realtime.messages as m
where m.payload #>> '{rows,messages,0,client_id}' = md5('long')::uuid::text;
select is(
  (select array_agg(topic order by topic) from received),
  (
    select array_agg('user:' || s.user_id || ':' || s.epoch order by 'user:' || s.user_id || ':' || s.epoch)
    from chat_private.user_streams as s
    join chat.room_members as m on m.user_id = s.user_id
    where m.room_id = tests.room('trip') and m.left_at is null
  ),
  'a step that is compressed reaches everybody once'
);
select results_eq(
  $$ select distinct payload #>> '{rows,messages,0,body}' from received $$,
  $$ select m.body from chat.messages as m where m.client_id = md5('long')::uuid $$,
  'a compressed step tells everybody the same'
);
select tests.act_as('Ann');
create temp table left_room as
select (chat.create_room(name => 'solo')).id;
select chat.update_room(id, topic => repeat(U&'\+01F600', 500)) from left_room;
select chat.leave_room(id) from left_room;
select tests.stop_acting();
select results_eq(
  $$
    select m.payload ->> 'room_id', (m.payload ->> 'epoch')::integer
    from realtime.messages as m
    join left_room as l on m.topic = 'room:' || l.id || ':1'
    where m.event = 'epoch_changed'
  $$,
  $$ select id::text, 2 from left_room $$,
  'a large step that nobody is left to get still tells the old topic to move on'
);
select tests.act_as('Cat');

-- What goes without rows
select tests.watch('trip');
select chat.send_message(
  tests.room('trip'), repeat(U&'\+01F600', 8000), gen_random_uuid(),
  attachments => jsonb_build_array(jsonb_build_object('link', repeat('x', 16000)))
);
select is(
  tests.as_owner(
    'select bool_or(m.payload ? ''rows'') from realtime.messages as m
     where not exists (select from tests.seen_events as s where s.id = m.id)'
  ),
  'false', 'a step over 32 KB goes without rows'
);
select tests.watch('late', 'trip');
select tests.act_as('Ann');
select chat.edit_message(
  tests.room('late'),
  (select seq from chat.messages where room_id = tests.room('late') and body = 'early'), 'Early'
);
select tests.took_one_number('late', 'a step about what somebody may not see goes without rows');
select is(
  tests.as_owner(
    'select count(*) from realtime.messages as m
     where m.payload::text like ''%Early%''
       and not exists (select from tests.seen_events as s where s.id = m.id)'
  ),
  '0', 'the words of a large deleted step reach nobody'
);
select tests.watch('trip');
select chat.edit_message(
  tests.room('trip'),
  (select seq from chat.messages where room_id = tests.room('trip') and body = 'early'), 'Early'
);
select tests.took_one_number('trip', 'the rows of a step go along where everybody may see them');

-- I9: what goes wrong with announcing
select tests.watch('trip');
savepoint before_the_write; -- noqa: PRS
select chat.send_message(tests.room('trip'), 'undone', gen_random_uuid());
rollback to before_the_write;
select tests.changed_nothing('I9: a write that is rolled back is not announced');
select tests.stop_acting();
create or replace function chat_private.lowest_seq(changed jsonb)
returns bigint language plpgsql immutable set search_path = '' as $$
begin
  raise exception 'broken';
end;
$$;
select tests.watch('late');
select tests.lets(
  'Ann', $$ select chat.send_message(tests.room('late'), 'x', gen_random_uuid()) $$,
  'I9: a failing announcement fails no write'
);
select tests.moved('{"late": 1}', 'I9: the write has its number');
select tests.stop_acting();
create or replace function chat_private.room_rows(
  room_id uuid, above bigint, up_to bigint, visible_after bigint, touched text[]
)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  raise exception 'broken';
end;
$$;
select tests.lets(
  'Ann', $$ select chat.send_message(tests.room('trip'), 'x', gen_random_uuid()) $$,
  'I9: failing to gather the rows fails no write'
);
select tests.stop_acting();
create or replace function chat_private.user_rows(
  user_id uuid, above bigint, up_to bigint, touched text[]
)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  raise exception 'broken';
end;
$$;
select tests.lets(
  'Ann', $$ select chat.add_member(tests.room('trip'), tests.id_of('Dan')) $$,
  'I9: a failing announcement fails no write in the stream of a person either'
);

select * from finish();
rollback;
