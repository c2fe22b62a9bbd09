-- list_receipts: when a message reached whom, and when they read it.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
select tests.act_as('Ann');
select chat.send_message(tests.room('trip'), 'n ' || n, md5('n' || n)::uuid) from generate_series(1, 3) as n;
create temp table said as select m.seq, m.body from chat.messages as m where m.room_id = tests.room('trip') and m.body like 'n _';
grant select on said to public;

-- Cat gets two and reads one; Bob reads all
select tests.act_as('Cat');
select chat.mark_delivered(jsonb_build_object(tests.room('trip'), (select seq from said where body = 'n 2')), 'phone');
select chat.mark_read(tests.room('trip'), (select seq from said where body = 'n 1'));
select tests.act_as('Bob');
select chat.mark_read(tests.room('trip'), (select seq from said where body = 'n 3'));

-- Ann asks
select tests.act_as('Ann');
select set_eq(
  format('select user_id, delivered_at is not null as has, read_at is not null as knows from chat.list_receipts(%L, %s)', tests.room('trip'), s.seq),
  format(
    'select tests.id_of(n.name), n.name = any (%L) as has, n.name = any (%L) as knows from unnest(array[''Abe'', ''Bob'', ''Cat'', ''Rea'', ''Lea'']) as n (name)',
    delivered, read
  ),
  title
)
from (
  values
  ('n 1', '{Bob,Cat}', '{Bob,Cat}', 'receipts are of everybody but the sender, with what they acknowledged'),
  ('n 2', '{Bob,Cat}', '{Bob}', 'one acknowledgement covers all before it'),
  ('n 3', '{Bob}', '{Bob}', 'one acknowledgement covers none after it')
) as e (body, delivered, read, title)
join said as s on s.body = e.body;
select is(
  (select bool_and(read_at >= sent_at and delivered_at <= read_at) from chat.list_receipts(tests.room('trip'), (select seq from said where body = 'n 1'))),
  true, 'what is read has arrived, and after it was sent'
);
select results_eq(
  $$
    select s.body, p.display_name, v.device_id
    from said as s
    join chat.message_receipts as v on v.room_id = tests.room('trip') and v.seq = s.seq
    join chat.profiles as p using (user_id)
    where v.device_id is not null
    order by s.body
  $$,
  $$ values ('n 1', 'Cat', 'phone'), ('n 2', 'Cat', 'phone') $$,
  'a receipt names the device that received the message first, and none where none was named'
);
select set_eq(
  format('select to_jsonb(v) from chat.message_receipts as v where v.room_id = %L and v.seq = %s', tests.room('trip'), s.seq),
  format('select to_jsonb(v) from chat.list_receipts(%L, %s) as v', tests.room('trip'), s.seq), 'the view says the same as list_receipts'
)
from said as s where s.body = 'n 2';
select tests.refuses('Ann', 'message_not_found', format('select chat.list_receipts(%L, %s)', tests.room('trip'), seq), title)
from (
  values
  ('100000', 'what does not exist has no receipts'), ('null', 'null has no receipts'),
  ((select min(seq)::text from chat.messages where room_id = tests.room('trip') and kind = 'system'), 'what the room says has no receipts')
) as v (seq, title);

-- Who a message waits for
create function pg_temp.receipts_of(seq bigint)
returns jsonb
language plpgsql
as $$
declare
  v_listed jsonb;
  v_seen jsonb;
begin
  perform tests.act_as('Ann');
  select jsonb_object_agg(p.display_name, case when l.read_at is not null then 'read' when l.delivered_at is not null then 'delivered' end)
  into v_listed
  from chat.list_receipts(tests.room('team'), receipts_of.seq) as l join chat.profiles as p using (user_id);
  select jsonb_object_agg(p.display_name, case when v.read_at is not null then 'read' when v.delivered_at is not null then 'delivered' end)
  into v_seen
  from chat.message_receipts as v join chat.profiles as p using (user_id)
  where v.room_id = tests.room('team') and v.seq = receipts_of.seq;
  return case when v_listed is not distinct from v_seen then coalesce(v_listed, '{}') end;
end;
$$;
select tests.act_as('Ann');
select tests.remember('team', (chat.create_room('Team', is_public => true, member_ids => array[tests.id_of('Bob')])).id);
select chat.send_message(tests.room('team'), 'one', gen_random_uuid());
select tests.act_as('Bob');
select chat.mark_read(tests.room('team'), 1);
select is(pg_temp.receipts_of(1), '{"Bob": "read"}', 'a message that Bob has read has a receipt of his');
select tests.act_as('Cat');
select chat.join_room(tests.room('team'));
select is(pg_temp.receipts_of(1), '{"Bob": "read"}', 'a message does not wait for somebody who came later');
select tests.act_as('Cat');
select tests.watch('team', 'Cat');
select chat.mark_delivered(jsonb_build_object(tests.room('team'), 1));
select tests.moved('{"Cat": 1}', 'a mark at what was said before one came in moves only one''s own stream');
select chat.mark_read(tests.room('team'), 100);
select is(pg_temp.receipts_of(1), '{"Bob": "read"}', 'a mark past what was said before one came in is no receipt of it');
select tests.act_as('Ann');
select chat.send_message(tests.room('team'), 'two', gen_random_uuid());
select is(pg_temp.receipts_of(3), '{"Bob": null, "Cat": null}', 'a message waits for everybody who is in when it is said');
select tests.act_as('Cat');
select chat.mark_delivered(jsonb_build_object(tests.room('team'), 3));
select chat.leave_room(tests.room('team'));
select is(pg_temp.receipts_of(3), '{"Bob": null, "Cat": "delivered"}', 'somebody who acknowledged it before leaving is shown');
select tests.act_as('Ann');
select chat.send_message(tests.room('team'), 'three', gen_random_uuid());
select tests.act_as('Cat');
select chat.join_room(tests.room('team'));
select chat.mark_read(tests.room('team'), 100);
select is(pg_temp.receipts_of(3), '{"Bob": null, "Cat": "delivered"}', 'coming back and reading on says nothing about a message from before one left');
select is(pg_temp.receipts_of(5), '{"Bob": null}', 'coming back says nothing about what was said meanwhile');
select tests.act_as('Bob');
select chat.leave_room(tests.room('team'));
select is(pg_temp.receipts_of(1), '{"Bob": "read"}', 'what Bob read stays read when he leaves');
select is(pg_temp.receipts_of(3), '{"Cat": "delivered"}', 'a message does not wait for somebody who left without acknowledging it');
select is(pg_temp.receipts_of(5), '{}', 'what waits for nobody has no receipts');
select tests.stop_acting();
update chat_private.settings set receipts_limit = 0;
select tests.act_as('Ann');
select chat.send_message(tests.room('team'), 'four', gen_random_uuid());
select tests.act_as('Cat');
select chat.mark_read(tests.room('team'), 100);
select is(pg_temp.receipts_of(8), '{"Cat": "read"}', 'a message waits for the same people where receipts are not announced');
select tests.stop_acting();
update chat_private.settings set receipts_limit = 8;

-- Lea, who came later, in a room without history
select tests.act_as('Lea');
select is(
  tests.refusal(format('select chat.list_receipts(%L, %s)', tests.room('late'), m.visible_after_seq)) ->> 'slug',
  'message_not_found', 'I8: a message from before one''s time does not exist'
)
from chat.room_members as m where m.room_id = tests.room('late') and m.user_id = tests.id_of('Lea');
select tests.act_as('Ann');
select is_empty(
  $$
    select from chat.message_receipts as v join chat.messages as m on m.room_id = v.room_id and m.seq = v.seq
    where v.room_id = tests.room('late') and m.body = 'early' and v.user_id = tests.id_of('Lea')
  $$,
  'no message waits for a receipt of somebody who may not read it'
);

-- Strangers, ex-members, other tenants
select tests.strangers_find_nothing('select chat.list_receipts(%L, 1)', 'asking');
select tests.act_as('Dan');
select is_empty('select from chat.message_receipts', 'a stranger reads nothing in the view');
select tests.act_as('Xen');
select is_empty('select from chat.message_receipts', 'an ex-member reads nothing in the view');

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  $$ select chat.list_receipts(tests.room('trip'), 1) $$, '42501', 'permission denied for function list_receipts', 'signed-out people ask nothing'
);
select throws_ok(
  'select from chat.message_receipts', '42501', 'permission denied for view message_receipts', 'signed-out people read nothing'
);

select * from finish();
rollback;
