-- send_messages: an outbox flushed in one call, each item with its own outcome.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
create function pg_temp.item(room text, body text, options jsonb default '{}')
returns jsonb
language sql
as $$ select jsonb_build_object('room_id', tests.room(room), 'client_id', md5(body)::uuid, 'body', body) || options $$;
create temp table outbox (name text primary key, items jsonb);
grant select on outbox to public;
insert into outbox values
  ('two rooms', jsonb_build_array(
    pg_temp.item('trip', 'one'), pg_temp.item('hall', 'two'), pg_temp.item('trip', 'three'),
    pg_temp.item('trip', 'four', jsonb_build_object('mentions', jsonb_build_array(tests.id_of('Bob'))))
  )),
  ('mixed', jsonb_build_array(
    pg_temp.item('trip', 'good'), pg_temp.item('trip', ''), pg_temp.item('trip', repeat('x', 8001)),
    pg_temp.item('trip', 'no id') - 'client_id', pg_temp.item('trip', 'bad id', '{"client_id": "1; drop"}'),
    pg_temp.item('trip', 'bad room', '{"room_id": "x"}'), pg_temp.item('trip', 'no room') - 'room_id',
    pg_temp.item('trip', 'absent', jsonb_build_object('room_id', gen_random_uuid())),
    pg_temp.item('trip', 'all', '{"mention_all": true}'), pg_temp.item('trip', 'reply', '{"reply_to": 99999}'),
    pg_temp.item('trip', 'body', '{"body": 5}'), pg_temp.item('trip', 'type', '{"mentions": "x"}'),
    'null', '5', '"text"', '[]', pg_temp.item('hall', 'also good'),
    pg_temp.item('trip', 'one', '{"body": "other"}'), pg_temp.item('trip', 'one'),
    pg_temp.item('trip', 'number', '{"attachments": [{"n": 1e16000}]}'),
    pg_temp.item('trip', 'crowd', jsonb_build_object('mentions', (select jsonb_agg(n) from generate_series(1, 51) as n))),
    pg_temp.item('trip', 'endless', jsonb_build_object('room_id', repeat('x', 1000000)))
  ));

-- What it costs: a batch goes on while the bucket is not empty, and its last message may be in debt
savepoint prices; -- noqa: PRS
select tests.act_as('Cat');
create function pg_temp.flush(tokens integer, items jsonb)
returns jsonb
language plpgsql
as $f$
declare
  v_outcomes jsonb;
  v_before timestamptz;
begin
  perform tests.leave_tokens('Cat', flush.tokens);
  v_before := tests.full_at('Cat', 'send');
  select jsonb_agg(o.outcome) into v_outcomes from chat.send_messages(flush.items) as o;
  return v_outcomes
    || to_jsonb(date_part('epoch', tests.full_at('Cat', 'send') - v_before)::integer);
end;
$f$;
select is(pg_temp.flush(tokens, to_jsonb(items)), outcomes::jsonb, title)
from (
  values
  (100, array[pg_temp.item('trip', 'p1'), pg_temp.item('hall', 'p2'), pg_temp.item('trip', 'p3')],
    '["sent", "sent", "sent", 3]', 'a batch costs what its messages do'),
  (-60, array[pg_temp.item('trip', 'p1'), pg_temp.item('trip', ''), pg_temp.item('trip', 'p4'), pg_temp.item('hall', 'p4')],
    '["duplicate", "rejected", "later", "later", 0]',
    'everything waits at an empty bucket but what is a duplicate, or refused anyway'),
  (100, array[pg_temp.item('trip', repeat('x', 8000)), pg_temp.item('hall', repeat('x', 8000)), pg_temp.item(
    'trip', 'p5', jsonb_build_object('mentions', jsonb_build_array(tests.id_of('Ann'), tests.id_of('Bob')))
  )], '["sent", "sent", "sent", 17]', 'a message costs by its size, and by the people it notifies'),
  (2, array[pg_temp.item('trip', 'p6'), pg_temp.item('trip', 'p7' || repeat('x', 7000)), pg_temp.item('trip', 'p8')],
    '["sent", "sent", "later", 12]', 'a dear message passes while there is a token left'),
  (2, array[pg_temp.item('trip', 'p9', jsonb_build_object(
    'mentions', jsonb_build_array(tests.id_of('Ann'), tests.id_of('Bob'), tests.id_of('Rea'))
  )), pg_temp.item('trip', 'p10')], '["sent", "later", 4]', 'notifying people empties a bucket')
) as b (tokens, items, outcomes, title);
rollback to prices;

-- Cat
select tests.act_as('Cat');
select tests.watch('trip', 'hall', 'Bob', 'Cat');
create temp table answer as
select o.*, row_number() over () as place
from chat.send_messages((select items from outbox where name = 'two rooms')) as o;
select is((select string_agg(outcome, ' ' order by place) from answer), 'sent sent sent sent', 'a batch sends what may be sent');
select tests.moved('{"trip": 3, "hall": 1, "Bob": 1}', 'each message of a batch takes a number');
select is(
  tests.as_owner(format(
    'select jsonb_agg(distinct jsonb_build_array(
       (m.payload ->> ''to'')::bigint - (m.payload ->> ''from'')::bigint,
       jsonb_array_length(m.payload #> ''{rows,messages}'')
     ))
     from realtime.messages as m
     where m.payload ->> ''room_id'' = %L
       and not exists (select from tests.seen_events as s where s.id = m.id)', tests.room('trip')
  ))::jsonb,
  '[[3, 3]]', 'a room''s part of a batch is one step'
);
select results_eq(
  $$
    select (a.message ->> 'seq')::bigint from answer as a
    where (a.message ->> 'room_id')::uuid = tests.room('trip') order by a.place
  $$,
  $$ select r.last_seq - 3 + n from chat.rooms as r, generate_series(1, 3) as n where r.id = tests.room('trip') order by n $$,
  'a step has its messages in the order of the room'
);
select is(
  (select a.message from answer as a where a.client_id = md5('one')::uuid),
  (select to_jsonb(m) from chat.messages as m where m.room_id = tests.room('trip') and m.client_id = md5('one')::uuid),
  'the answer to a batch holds the messages'
);
select tests.watch('trip', 'hall', 'Bob', 'Cat');
select results_eq(
  $$ select outcome, message from chat.send_messages((select items from outbox where name = 'two rooms')) $$,
  $$ select 'duplicate', message from answer order by place $$,
  'I2: the same batch again is answered with what it became'
);
select tests.changed_nothing('I2: the same batch again sends nothing');
select is(
  (chat.send_message(tests.room('trip'), 'one', md5('one')::uuid)).seq,
  (select (a.message ->> 'seq')::bigint from answer as a where a.client_id = md5('one')::uuid),
  'I2: a message of a batch that is sent again alone sends nothing'
);
select chat.send_message(
  tests.room('trip'), 'alone', md5('alone')::uuid, mentions => array[tests.id_of('Bob')],
  attachments => '[{"link": "a"}]'
);
select results_eq(
  $$
    select outcome, reason from chat.send_messages(jsonb_build_array(
      pg_temp.item('trip', 'alone', jsonb_build_object(
        'mentions', jsonb_build_array(tests.id_of('Bob')), 'attachments', '[{"link": "a"}]'::jsonb
      )),
      pg_temp.item('trip', 'alone', '{"attachments": [{"link": "a"}]}')
    ))
  $$,
  $$ values ('duplicate', null), ('rejected', 'message_id_reused') $$,
  'I2: a message that was sent alone is not sent again by a batch that holds it'
);
select results_eq(
  $$
    select outcome, reason, message -> 'metadata' from chat.send_messages(jsonb_build_array(
      pg_temp.item('trip', 'm1', '{"metadata": {"order": 7}}'), pg_temp.item('trip', 'm2', '{"metadata": null}'),
      pg_temp.item('trip', 'm3', '{"metadata": []}'),
      pg_temp.item('trip', 'm4', jsonb_build_object('metadata', jsonb_build_object('x', repeat('x', 5000)))),
      pg_temp.item('trip', 'm1', '{"metadata": {"order": 8}}')
    ))
  $$,
  $$
    values
    ('sent', null, '{"order": 7}'::jsonb), ('sent', null, '{}'), ('rejected', 'invalid_input', null),
    ('rejected', 'payload_too_large', null), ('rejected', 'message_id_reused', null)
  $$,
  'an item may carry metadata, which are part of what its client_id stands for'
);
select is(
  (chat.send_message(tests.room('trip'), 'm1', md5('m1')::uuid, metadata => '{"order": 7}')).metadata, '{"order": 7}',
  'I2: a message of a batch with metadata that is sent again alone sends nothing'
);
select tests.watch('trip', 'hall', 'Bob', 'Cat');
select results_eq(
  $$ select outcome, reason from chat.send_messages((select items from outbox where name = 'mixed')) $$,
  $$
    values
    ('sent', null), ('rejected', 'invalid_input'), ('rejected', 'message_too_long'),
    ('rejected', 'invalid_input'), ('rejected', 'invalid_input'), ('rejected', 'invalid_input'),
    ('rejected', 'invalid_input'), ('rejected', 'room_not_found'), ('rejected', 'not_allowed'),
    ('rejected', 'message_not_found'), ('rejected', 'invalid_input'), ('rejected', 'invalid_input'),
    ('rejected', 'invalid_input'), ('rejected', 'invalid_input'), ('rejected', 'invalid_input'),
    ('rejected', 'invalid_input'), ('sent', null), ('rejected', 'message_id_reused'),
    ('duplicate', null), ('rejected', 'invalid_input'), ('rejected', 'too_many_mentions'), ('rejected', 'invalid_input')
  $$,
  'one bad item of a batch stops nothing but itself'
);
select is_empty('select chat.send_messages(''[]'')', 'an empty batch is answered with nothing');
select is(
  (
    select jsonb_agg(o.outcome)
    from chat.send_messages(jsonb_build_array(
      jsonb_build_object('room_id', tests.room('trip'), 'client_id', md5('twice')::uuid, 'body', 'twice'),
      jsonb_build_object('room_id', tests.room('trip'), 'client_id', md5('twice')::uuid, 'body', 'twice')
    )) as o
  ),
  '["sent", "duplicate"]', 'I2: a message that is in a batch twice is sent once'
);

-- Too much
select throws_ok(format('select chat.send_messages(%s)', items), code, slug, title)
from (
  values
  ('null', 'PT400', 'invalid_input', 'null is no batch'),
  ('''{}''', 'PT400', 'invalid_input', 'an object is no batch'),
  ('(select jsonb_agg(null::text) from generate_series(1, 201))', 'PT413', 'payload_too_large', 'a batch has 200 items at most'),
  ('(select jsonb_agg(jsonb_build_object(''room_id'', gen_random_uuid())) from generate_series(1, 51))', 'PT413',
    'payload_too_large', 'a batch is about 50 rooms at most')
) as b (items, code, slug, title);

-- Later
select tests.act_as('Ann');
select chat.update_room(tests.room('hall'), slow_mode_seconds => 600);
select tests.change_as_owner('delete from chat_private.rate_buckets');
select tests.act_as('Cat');
select results_eq(
  $$
    select o.outcome, o.reason, o.after between 500 and 600
    from chat.send_messages((
      select jsonb_agg(jsonb_build_object('room_id', tests.room(b.room), 'client_id', md5('later' || b.body)::uuid, 'body', b.body))
      from (values ('hall', 'a'), ('hall', 'b'), ('trip', 'c'), ('hall', 'd')) as b (room, body)
    )) as o
  $$,
  $$
    values ('sent', null, null), ('later', 'slow_down', true), ('sent', null, null), ('later', 'slow_down', true)
  $$,
  'after an item that has to wait the rest of its room waits, and no other room'
);

-- What is not sent costs nothing
select tests.act_as('Ann');
select chat.update_room(tests.room('tower'), slow_mode_seconds => 600);
select tests.change_as_owner('update chat_private.settings set send_burst = 1, sends_per_second = 1');
select tests.change_as_owner('delete from chat_private.rate_buckets');
select tests.act_as('Cat');
select chat.send_message(tests.room('trip'), 'the only one', gen_random_uuid());
select tests.change_as_owner('update chat_private.rate_buckets set full_at = full_at + interval ''1 h''');
create temp view slow as
select o.outcome, o.reason
from chat.send_messages(jsonb_build_array(jsonb_build_object(
  'room_id', tests.room('tower'), 'client_id', md5('slow')::uuid, 'body', 'slow'
))) as o;
select results_eq('table slow', $$ values ('later', 'slow_down') $$, 'without a token a batch waits');
select tests.change_as_owner('delete from chat_private.rate_buckets where bucket = ''send''');
select results_eq('table slow', $$ values ('sent', null::text) $$, 'slow mode has not counted a batch that waits');
select tests.change_as_owner('update chat_private.settings set send_burst = 6000, sends_per_second = 1000');

-- Fences
select tests.act_as('Bob');
select chat.mute_member(tests.room('trip'), tests.id_of('Cat'));
select tests.act_as('Cat');
select is(
  (
    select jsonb_agg(jsonb_build_array(o.outcome, o.reason))
    from chat.send_messages(jsonb_build_array(
      jsonb_build_object('room_id', tests.room('trip'), 'client_id', md5('muted')::uuid, 'body', 'muted'),
      jsonb_build_object('room_id', tests.room('late'), 'client_id', md5('muted')::uuid, 'body', 'muted')
    )) as o
  ),
  '[["rejected", "member_muted"], ["sent", null]]', 'I3: a mute holds in its room'
);

-- Dan, Xen and Tom
select tests.stop_acting();
create function pg_temp.try_as(name text)
returns jsonb
language plpgsql
as $$
begin
  perform tests.act_as(name);
  return (
    select jsonb_agg(jsonb_build_array(o.outcome, o.reason, o.message, o.after))
    from chat.send_messages((
      select jsonb_agg(
        jsonb_build_object('room_id', r.room_id, 'client_id', gen_random_uuid(), 'body', 'x')
      )
      from unnest(array[tests.room('trip'), tests.room('plaza'), gen_random_uuid()]) as r (room_id)
    )) as o
  );
end;
$$;
select is(
  pg_temp.try_as(name),
  '[
    ["rejected", "room_not_found", null, null],
    ["rejected", "room_not_found", null, null],
    ["rejected", "room_not_found", null, null]
  ]',
  format('I8: to %s a room of others looks like none', name)
)
from unnest(array['Dan', 'Xen', 'Tom']) as n (name);

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  $$ select chat.send_messages('[]') $$, '42501', 'permission denied for function send_messages',
  'signed-out people send nothing'
);
select tests.act_without_sub();
select throws_ok(
  $$ select chat.send_messages('[]') $$, 'PT401', 'sign_in_required', 'a token without a name sends nothing'
);

select * from finish();
rollback;
