-- The room of 5,000 people goes on for as many messages as tests.room_size says: a thread of every
-- 95th, and few needles.
insert into chat.messages (room_id, seq, rev, sender_id, client_id, body, reply_to, thread_root)
select
  md5('room 1')::uuid, s, s, tests.id_of('P' || 1 + s % 5000), gen_random_uuid(),
  'message ' || s || case when s % 50000 = 7 then ' needle' else '' end,
  case when s % 95 = 0 then 4 end, case when s % 95 = 0 then 4 end
from generate_series(10001, current_setting('tests.room_size')::int) as s;

update chat.rooms
set
  rev = current_setting('tests.room_size')::int, last_seq = current_setting('tests.room_size')::int,
  touched = '{}'
where id = md5('room 1')::uuid;

select chat_private.grow_search(md5('room 1')::uuid, current_setting('tests.room_size')::int);

insert into chat.receipts (room_id, user_id, kind, up_to_seq, joined_seq)
select md5('room 1')::uuid, tests.id_of('P' || n), k.kind, n * 40, 0
from generate_series(1, 5000) as n, (values ('delivered'), ('read')) as k (kind);

-- Holds of other people's cases, most of them released.
insert into chat_private.holds (kind, target_id, reason, placed_at, released_at, swept_at)
select
  'person', gen_random_uuid(), 'case ' || n, now() - interval '2 days',
  case when n % 500 > 0 then now() - interval '1 day' end,
  case when n % 500 > 0 then now() end
from generate_series(1, 5000) as n;

analyze;
