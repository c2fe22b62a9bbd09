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
      tests.item(1, 'Bob', '2020-01-01T00:00:00Z', 'first'),
      tests.item(3, 'Ann', '2020-01-02T00:00:00Z', 'third')
    )
  ) as statement;
grant select on batch to public;

-- The service
select tests.watch('new', 'Ann', 'Bob');
select is(tests.as_service((select statement from batch)), null, 'the service imports');
select tests.moved('{"new": 3}', 'every message takes a number, and nobody is notified');
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
  'in the order of time, with the times of elsewhere, and replies in their threads'
);
select isnt(
  (select p.closed_at from chat.profiles as p where p.user_id = tests.id_of('Zoe')), null,
  'who has no account here is a closed profile'
);
select is(
  (select p.closed_at from chat.profiles as p where p.user_id = tests.id_of('Bob')), null,
  'who has one keeps it'
);

select tests.watch('new', 'Ann', 'Bob');
select is(tests.as_service((select statement from batch)), null, 'importing again is fine');
select tests.changed_nothing('and changes nothing');
select is(
  tests.as_service(format(
    'select chat.import_messages(%L, %L)', tests.room('new'),
    jsonb_build_array(tests.item(4, 'Ann', '2020-01-03T00:00:00Z', 'later'))
  )),
  null, 'a long room comes in several calls'
);

-- Members
select tests.act_as('Ann');
select is(
  (select p.display_name from chat.list_profiles(array[tests.id_of('Zoe')]) as p), 'Zoe',
  'members read who said it'
);
select is(
  (select count(*) from chat.search_messages('second', tests.room('new'))), 1::bigint,
  'and find what was said'
);
select tests.refuses(
  'Bob', 'message_id_reused',
  format('select chat.send_message(%L, ''mine'', %L)', tests.room('new'), md5('item 1')::uuid),
  'an imported client_id is not for sending'
);
select tests.lets(
  'Bob', format('select chat.send_message(%L, ''now'', gen_random_uuid())', tests.room('new')),
  'members go on talking'
);
select tests.stop_acting();
select is(
  tests.as_service(format(
    'select chat.import_messages(%L, %L)', tests.room('new'),
    jsonb_build_array(tests.item(5, 'Ann', '2020-01-04T00:00:00Z', 'too late'))
  )) ->> 'slug',
  'invalid_input', 'and nothing more is imported then'
);
select is(
  tests.as_service((select statement from batch)), null, 'while the same import still finds its own'
);

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
    'invalid_input', 'a room with messages of its own'
  ),
  (gen_random_uuid(), '[]'::jsonb, 'room_not_found', 'a room that does not exist'),
  (tests.room('pair'), '{}'::jsonb, 'invalid_input', 'items that are no array'),
  (
    tests.room('pair'), jsonb_build_array(tests.item(6, 'Ann', '2020-01-01T00:00:00Z', '')),
    'invalid_input', 'a message without content'
  ),
  (
    tests.room('pair'), jsonb_build_array(tests.item(6, 'Ann', '2999-01-01T00:00:00Z', 'x')),
    'invalid_input', 'a time that has not come'
  ),
  (
    tests.room('pair'), jsonb_build_array(tests.item(6, 'Ann', null, 'x')),
    'invalid_input', 'no time at all'
  ),
  (
    tests.room('pair'),
    jsonb_build_array(tests.item(6, 'Ann', '2020-01-01T00:00:00Z', repeat('x', 8001))),
    'message_too_long', 'a message that is too long'
  ),
  (
    tests.room('pair'), (select jsonb_agg(n) from generate_series(1, 1001) as n),
    'payload_too_large', 'more than a call takes'
  )
) as r (room, items, slug, title);
select tests.changed_nothing('nothing of it was kept');
select is(
  tests.as_service(format(
    'select chat.import_messages(%L, %L)', tests.room('pair'),
    jsonb_build_array(tests.item(6, 'Ann', '2020-01-01T00:00:00Z', 'x'))
  )),
  null, 'the same message with content and a time goes in'
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
  'Old', 'and once'
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
  'nor do signed-out ones'
);

select * from finish();
rollback;
