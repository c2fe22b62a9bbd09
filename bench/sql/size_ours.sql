-- Messages in turns into all rooms.
with spoken as (
  select
    n,
    (%(rooms)s::uuid[])[1 + n %% cardinality(%(rooms)s::uuid[])] as room_id,
    1 + n / cardinality(%(rooms)s::uuid[]) as seq,
    gen_random_uuid() as client_id,
    -- BODY
    as body
  from generate_series(0, %(total)s - 1) as n
)
insert into chat.messages (room_id, seq, rev, sender_id, client_id, body)
select s.room_id, s.seq, 1000 + s.seq, %(me)s::uuid, s.client_id, s.body
from spoken as s
order by s.n;
