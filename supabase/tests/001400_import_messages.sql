-- import_messages: what was said elsewhere, into rooms without messages of their own.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
select tests.act_as('Ann');
select tests.remember('new', (chat.create_room('new', member_ids => array[tests.id_of('Bob')])).id);
select tests.stop_acting();

create function tests.item(number integer, sender text, at text, body text)
returns jsonb
language sql
immutable
return jsonb_build_object(
  'client_id', md5('item ' || number)::uuid, 'sender_id', tests.id_of(sender), 'sender_name', sender,
  'created_at', at, 'body', body
);

create function tests.as_service(statement text)
returns jsonb
language plpgsql
volatile
as $$
declare
  v_refusal jsonb;
begin
  perform
    set_config('role', 'service_role', true),
    set_config('request.jwt.claims', '{"role": "service_role"}', true);
  v_refusal := tests.refusal(as_service.statement);
  perform tests.stop_acting();
  return v_refusal;
end;
$$;

create temp table batch as
select
  format(
    'select chat.import_messages(%L, %L)', tests.room('new'),
    jsonb_build_array(
      tests.item(2, 'Zoe', '2020-01-02T00:00:00Z', 'second')
        || jsonb_build_object('reply_to', md5('item 1')::uuid),
      tests.item(1, 'Bob', '2020-01-01T00:00:00Z', 'first') || '{"metadata": {"order": 7}}',
      tests.item(3, 'Ann', '2020-01-02T00:00:00Z', 'third')
    )
  ) as statement;
grant select on batch to public;

-- The service
select tests.watch('new', 'Ann', 'Bob');
select is(tests.as_service((select statement from batch)), null, 'the service imports messages');
select tests.moved('{"new": 3}', 'every imported message takes a number, and nobody is notified');
select results_eq(
  $$
    select m.seq, m.rev, m.body, m.created_at, m.reply_to, m.thread_root
    from chat.messages as m
    where m.room_id = tests.room('new')
    order by m.seq
  $$,
  $$
    values
    (1::bigint, 2::bigint, 'first', timestamptz '2020-01-01T00:00:00Z', null::bigint, null::bigint),
    (2, 3, 'second', '2020-01-02T00:00:00Z', 1, 1),
    (3, 4, 'third', '2020-01-02T00:00:00Z', null, null)
  $$,
  'imported messages are in the order of time, with the times of elsewhere, and replies in their threads'
);
select results_eq(
  $$ select m.metadata from chat.messages as m where m.room_id = tests.room('new') order by m.seq $$,
  $$ values ('{"order": 7}'::jsonb), ('{}'), ('{}') $$, 'imported messages bring their metadata'
);
select isnt(
  (select p.closed_at from chat.profiles as p where p.user_id = tests.id_of('Zoe')), null,
  'somebody who has no account here becomes a closed profile'
);
select is(
  (select p.closed_at from chat.profiles as p where p.user_id = tests.id_of('Bob')), null,
  'somebody who has an account keeps it open'
);

create function pg_temp.unread()
returns table (name text, unread integer)
language plpgsql
as $$
begin
  foreach name in array '{Ann,Bob}'::text[] loop
    perform tests.act_as(name);
    unread := (select l.unread from chat.list_rooms() as l where (l.room ->> 'id')::uuid = tests.room('new'));
    perform tests.stop_acting();
    return next;
  end loop;
end;
$$;
select results_eq('select * from pg_temp.unread()', $$ values ('Ann', 0), ('Bob', 0) $$, 'nothing of an import is unread');
select results_eq(
  $$ select distinct m.joined_seq, m.rev, m.joined_rev from chat.room_members as m where m.room_id = tests.room('new') $$,
  $$ select r.last_seq, r.rev, 1::bigint from chat.rooms as r where r.id = tests.room('new') $$,
  'people of a room came in with the last message of an import, as the room tells their copies'
);
select tests.watch('new', 'Ann', 'Bob');
select is(tests.as_service((select statement from batch)), null, 'importing again is not refused');
select tests.changed_nothing('importing again changes nothing');
select is(
  tests.as_service(format(
    'select chat.import_messages(%L, %L)', tests.room('new'),
    jsonb_build_array(tests.item(4, 'Ann', '2020-01-03T00:00:00Z', 'later'))
  )),
  null, 'a long room comes in several calls'
);
select results_eq('select * from pg_temp.unread()', $$ values ('Ann', 0), ('Bob', 0) $$, 'nothing of a later part of an import is unread either');

-- Members
select tests.act_as('Ann');
select is(
  (select p.display_name from chat.list_profiles(array[tests.id_of('Zoe')], tests.room('new')) as p), 'Zoe',
  'members read who said an imported message'
);
select is(
  (select count(*) from chat.search_messages('second', tests.room('new'))), 1::bigint,
  'members find what was said in an imported message'
);
select tests.refuses(
  'Bob', 'message_id_reused',
  format('select chat.send_message(%L, ''mine'', %L)', tests.room('new'), md5('item 1')::uuid),
  'an imported client_id is not for sending'
);
select tests.lets(
  'Bob', format('select chat.send_message(%L, ''now'', gen_random_uuid())', tests.room('new')),
  'members go on talking after an import'
);
select tests.stop_acting();
select is(
  tests.as_service(format(
    'select chat.import_messages(%L, %L)', tests.room('new'),
    jsonb_build_array(tests.item(5, 'Ann', '2020-01-04T00:00:00Z', 'too late'))
  )) ->> 'slug',
  'invalid_input', 'nothing more is imported once members have talked'
);
select is(
  tests.as_service((select statement from batch)), null, 'the same import still finds its own once members have talked'
);
select results_eq('select * from pg_temp.unread()', $$ values ('Ann', 1), ('Bob', 0) $$, 'what was said after an import is unread, and stays it');

-- What is refused, and changes nothing
select tests.watch('trip', 'Ann');
select is(
  tests.as_service(format('select chat.import_messages(%L, %L)', r.room, r.items)) ->> 'slug',
  r.slug, r.title
)
from (
  values
  (
    tests.room('trip'), jsonb_build_array(tests.item(6, 'Ann', '2020-01-01T00:00:00Z', 'x')),
    'invalid_input', 'a room with messages of its own takes no import'
  ),
  (gen_random_uuid(), '[]'::jsonb, 'room_not_found', 'a room that does not exist takes no import'),
  (tests.room('pair'), '{}'::jsonb, 'invalid_input', 'items that are no array are not imported'),
  (
    tests.room('pair'), jsonb_build_array(tests.item(6, 'Ann', '2020-01-01T00:00:00Z', '')),
    'invalid_input', 'a message without content is not imported'
  ),
  (
    tests.room('pair'), jsonb_build_array(tests.item(6, 'Ann', '2999-01-01T00:00:00Z', 'x')),
    'invalid_input', 'a message of a time that has not come is not imported'
  ),
  (
    tests.room('pair'), jsonb_build_array(tests.item(6, 'Ann', null, 'x')),
    'invalid_input', 'a message without a time is not imported'
  ),
  (
    tests.room('pair'),
    jsonb_build_array(tests.item(6, 'Ann', '2020-01-01T00:00:00Z', repeat('x', 8001))),
    'message_too_long', 'a message that is too long is not imported'
  ),
  (
    tests.room('pair'),
    jsonb_build_array(
      tests.item(6, 'Ann', '2020-01-01T00:00:00Z', 'x') || '{"attachments": [{"n": 1e16000}]}'
    ),
    'invalid_input', 'an attachment that clients could not read is not imported'
  ),
  (
    tests.room('pair'), (select jsonb_agg(n) from generate_series(1, 1001) as n),
    'payload_too_large', 'more than 1,000 messages are not imported by one call'
  )
) as r (room, items, slug, title);
select tests.changed_nothing('nothing of a refused import was kept');
select is(
  tests.as_service(format(
    'select chat.import_messages(%L, %L)', tests.room('pair'),
    jsonb_build_array(tests.item(6, 'Ann', '2020-01-01T00:00:00Z', 'x'))
  )),
  null, 'the same message with content and a time goes in'
);

-- Which item is refused
create function tests.items(place integer, change jsonb)
returns jsonb
language sql
immutable
return (
  select jsonb_agg(
    tests.item(100 + n, 'Ann', '2020-01-01T00:00:00Z', 'x')
      || case when n = items.place then items.change else '{}' end
    order by n
  )
  from generate_series(1, 5) as n
);

select tests.watch('pair', 'Ann');
select is(
  tests.as_service(
    format('select chat.import_messages(%L, %L)', tests.room('pair'), tests.items(3, r.change::jsonb))
  ) - '{hint,headers}'::text[],
  jsonb_build_object(
    'code', r.code, 'slug', r.slug,
    'detail', format('Item 3 (client_id %s): %s', coalesce(r.client_id, '<id>'), r.detail)
  ),
  r.detail || ' ' || left(r.change, 60)
)
from (
  values
  ('{"body": ""}', 'PT400', 'invalid_input', null, 'A message needs a body or an attachment.'),
  ('{"body": "\u200e"}', 'PT400', 'invalid_input', null, 'A message needs a body or an attachment.'),
  (
    '{"body": 7}', 'PT400', 'invalid_input', null,
    'A message has a body, and its attachments are an array of objects.'
  ),
  (
    '{"attachments": {}}', 'PT400', 'invalid_input', null,
    'A message has a body, and its attachments are an array of objects.'
  ),
  (
    jsonb_build_object('body', repeat('x', 40000))::text, 'PT413', 'message_too_long', null,
    'A message has at most 8,000 characters.'
  ),
  (
    jsonb_build_object('attachments', jsonb_build_array(jsonb_build_object('x', repeat('y', 17000))))::text,
    'PT413', 'payload_too_large', null, 'A message has at most 30 attachments, described in 16 KB.'
  ),
  ('{"sender_id": null}', 'PT400', 'invalid_input', null, 'It has no sender_id.'),
  ('{"sender_id": "ann"}', 'PT400', 'invalid_input', null, 'Its client_id, sender_id or reply_to is not a uuid.'),
  ('{"client_id": "x"}', 'PT400', 'invalid_input', 'x', 'Its client_id, sender_id or reply_to is not a uuid.'),
  ('{"client_id": null}', 'PT400', 'invalid_input', 'missing', 'A message needs a client_id.'),
  ('{"reply_to": "x"}', 'PT400', 'invalid_input', null, 'Its client_id, sender_id or reply_to is not a uuid.'),
  (
    jsonb_build_object('reply_to', md5('nobody')::uuid)::text, 'PT400', 'invalid_input', null,
    'Its reply_to names no earlier message of the room.'
  ),
  (
    jsonb_build_object('reply_to', md5('item 104')::uuid)::text, 'PT400', 'invalid_input', null,
    'Its reply_to names no earlier message of the room.'
  ),
  (
    jsonb_build_object('client_id', md5('item 101')::uuid)::text, 'PT400', 'invalid_input', null,
    'Its client_id is that of item 1 as well.'
  )
) as r (change, code, slug, client_id, detail);
select is(
  tests.as_service(format(
    'select chat.import_messages(%L, %L)', tests.room('pair'),
    tests.items(2, jsonb_build_object('created_at', r.at))
  )) ->> 'detail',
  'Item 2 (client_id <id>): ' || r.detail,
  format('%s is no time for a message', r.at)
)
from (
  values
  (null, 'Its time is missing, does not exist, or has no zone.'),
  ('', 'Its time is missing, does not exist, or has no zone.'),
  ('yesterday', 'Its time is missing, does not exist, or has no zone.'),
  ('now', 'Its time is missing, does not exist, or has no zone.'),
  ('infinity', 'Its time is missing, does not exist, or has no zone.'),
  ('-infinity', 'Its time is missing, does not exist, or has no zone.'),
  ('1e300', 'Its time is missing, does not exist, or has no zone.'),
  ('1714557600', 'Its time is missing, does not exist, or has no zone.'),
  ('2024-05-01', 'Its time is missing, does not exist, or has no zone.'),
  ('2024-03-31T02:30:00', 'Its time is missing, does not exist, or has no zone.'),
  ('2024-02-30T00:00:00Z', 'Its time is missing, does not exist, or has no zone.'),
  ('2020-01-01T00:00:00+23:59', 'Its time is missing, does not exist, or has no zone.'),
  ('0001-01-01T00:00:00+14:00', 'Its time is before 1970.'),
  ('0001-01-01T00:00:00Z', 'Its time is before 1970.'),
  ('1969-12-31T23:59:59Z', 'Its time is before 1970.'),
  ('9999-12-31T23:59:59-05:00', 'Its time is in the future.'),
  (to_char((now() + interval '1 day') at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'Its time is in the future.')
) as r (at, detail);
select is(
  tests.as_service(
    format('select chat.import_messages(%L, ''[{}, "x"]'')', tests.room('pair'))
  ) ->> 'detail',
  'Item 1 (client_id missing): It has no sender_id.', 'the first bad item of an import is named'
);
select is(
  tests.as_service(
    format('select chat.import_messages(%L, %L)', tests.room('pair'), tests.items(1, '{}') || '["x"]')
  ) ->> 'detail',
  'Item 6 (client_id missing): It is not an object.', 'an item that is no object is refused'
);
select tests.changed_nothing('no room is half imported');
select throws_ok(
  format('select chat_private.import_messages(%L, %L)', tests.room('pair'), tests.items(4, '{"body": ""}')),
  'PT400', 'invalid_input', 'a bad item stops the whole call'
);
select chat_private.open_imported_room(md5(format('room %s', n))::uuid, 'Old', '{}') from generate_series(1, 4) as n;
select is(
  tests.as_service(format(
    'select chat.import_messages(%L, %L)', md5(format('room %s', r.number))::uuid,
    tests.items(r.place, r.change::jsonb)
  )),
  null, r.title
)
from (
  values
  (1, 1, '{"created_at": "1970-01-01t00:00:00z"}', 'the first second of 1970 is a time that is imported'),
  (2, 2, '{"created_at": "2020-01-01 05:30:00.123456+0530"}', 'a time in any zone is imported'),
  (3, 3, '{"attachments": null, "reply_to": null, "sender_name": 7}', 'null in an item is the same as left out'),
  (4, 4, '{"body": "", "attachments": [{"link": "a"}]}', 'an attachment without a body is imported')
) as r (number, place, change, title);
select is(
  (select count(*) from chat.messages as m where m.room_id in (
    select md5(format('room %s', n))::uuid from generate_series(1, 4) as n
  )),
  20::bigint, 'all items that were accepted are in'
);

-- Opening rooms
select is(
  (chat_private.open_imported_room(
    md5('room')::uuid, ' Old ', array[tests.id_of('Ann'), tests.id_of('Zoe'), tests.id_of('Tom')]
  )).member_count,
  1, 'a room opens with those of its people who have an account in the default tenant'
);
select is(
  (chat_private.open_imported_room(md5('room')::uuid, 'Other', array[tests.id_of('Bob')])).name,
  'Old', 'opening a room again keeps its name'
);

-- Everybody else
select tests.act_as('Ann');
select throws_ok(
  (select statement from batch), '42501', 'permission denied for function import_messages',
  'signed-in people import nothing'
);
select tests.act_as_nobody();
select throws_ok(
  (select statement from batch), '42501', 'permission denied for function import_messages',
  'signed-out people import nothing'
);

-- A room of many people
select tests.stop_acting();
select tests.make_people(variadic array(select 'Q' || n from generate_series(1, 101) as n));
select is(
  (chat_private.open_imported_room(gen_random_uuid(), 'Many', array(
    select tests.id_of('Q' || n) from generate_series(1, size) as n
  ))).rev,
  numbers, format('a room of %s people opens with %s numbers', size, numbers)
)
from (values (0, 1::bigint), (1, 1), (100, 1), (101, 2)) as r (size, numbers);
select tests.remember('many', (chat_private.open_imported_room(gen_random_uuid(), 'Many', array(
  select tests.id_of('Q' || n) from generate_series(1, 101) as n
))).id);
select is(
  (chat_private.import_messages(tests.room('many'), jsonb_build_array(jsonb_build_object(
    'client_id', gen_random_uuid(), 'sender_id', tests.id_of('Q1'), 'sender_name', 'Q1', 'body', 'old', 'created_at', '2024-05-01T10:00:00Z'
  )))).rev,
  4::bigint, 'a message that is unread for none of 101 people takes two numbers'
);
select results_eq(
  $$ select m.rev, m.joined_seq, count(*) from chat.room_members as m where m.room_id = tests.room('many') group by 1, 2 order by 1 $$,
  $$ values (3::bigint, 1::bigint, 100::bigint), (4, 1, 1) $$, 'each number of an import has a hundred people at most'
);

select * from finish();
rollback;
