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
select chat.mark_delivered(jsonb_build_object(tests.room('trip'), (select seq from said where body = 'n 2')));
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
  ('n 1', '{Bob,Cat}', '{Bob,Cat}', 'everybody but the sender, with what they acknowledged'),
  ('n 2', '{Bob,Cat}', '{Bob}', 'one acknowledgement covers all before it'),
  ('n 3', '{Bob}', '{Bob}', 'and none after')
) as e (body, delivered, read, title)
join said as s on s.body = e.body;
select is(
  (select bool_and(read_at >= sent_at and delivered_at <= read_at) from chat.list_receipts(tests.room('trip'), (select seq from said where body = 'n 1'))),
  true, 'what is read has arrived, and after it was sent'
);
select set_eq(
  format('select to_jsonb(v) from chat.message_receipts as v where v.room_id = %L and v.seq = %s', tests.room('trip'), s.seq),
  format('select to_jsonb(v) from chat.list_receipts(%L, %s) as v', tests.room('trip'), s.seq), 'the view says the same'
)
from said as s where s.body = 'n 2';
select tests.refuses('Ann', 'message_not_found', format('select chat.list_receipts(%L, %s)', tests.room('trip'), seq), title)
from (
  values
  ('100000', 'what does not exist has no receipts'), ('null', 'nor has null'),
  ((select min(seq)::text from chat.messages where room_id = tests.room('trip') and kind = 'system'), 'nor what the room says')
) as v (seq, title);

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
  'nobody waits for a receipt of who may not read it'
);

-- Strangers, ex-members, other tenants
select tests.strangers_find_nothing('select chat.list_receipts(%L, 1)', 'asking');
select tests.act_as('Dan');
select is_empty('select from chat.message_receipts', 'a stranger reads nothing in the view');
select tests.act_as('Xen');
select is_empty('select from chat.message_receipts', 'nor an ex-member');

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  $$ select chat.list_receipts(tests.room('trip'), 1) $$, '42501', 'permission denied for function list_receipts', 'signed-out people ask nothing'
);
select throws_ok(
  'select from chat.message_receipts', '42501', 'permission denied for view message_receipts', 'and read nothing'
);

select * from finish();
rollback;
