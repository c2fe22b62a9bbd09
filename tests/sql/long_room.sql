-- The room of 5,000 people goes on for a million messages: a thread of 2,000, and few needles.
insert into chat.messages (room_id, seq, rev, sender_id, client_id, body, reply_to, thread_root)
select
  md5('room 1')::uuid, s, s, tests.id_of('P' || 1 + s % 5000), gen_random_uuid(),
  'message ' || s || case when s % 50000 = 7 then ' needle' else '' end,
  case when s % 95 = 0 then 4 end, case when s % 95 = 0 then 4 end
from generate_series(10001, 1000000) as s;

update chat.rooms set rev = 1000000, last_seq = 1000000, touched = '{}'
where id = md5('room 1')::uuid;

insert into chat_private.message_search (room_id, seq, created_at, vector)
select m.room_id, m.seq, m.created_at, to_tsvector('chat_private.search', m.body)
from chat.messages as m
where m.room_id = md5('room 1')::uuid and m.seq > 10000;

insert into chat_private.sends (room_id, sender_id, client_id, seq, sent_hash)
select m.room_id, m.sender_id, m.client_id, m.seq, '\x00'
from chat.messages as m
where m.room_id = md5('room 1')::uuid and m.seq > 10000;

insert into chat.receipts (room_id, user_id, kind, up_to_seq)
select md5('room 1')::uuid, tests.id_of('P' || n), k.kind, n * 40
from generate_series(1, 5000) as n, (values ('delivered'), ('read')) as k (kind);

analyze;
