-- Messages as if they had been sent one after the other: every `share`-th into the first room, the
-- others into the rooms in turns, so that a room's messages lie scattered among everybody's.
with spoken as (
  select
    n,
    case
      when n %% %(share)s = 0 then 1
      else 1 + (n - n / %(share)s) %% cardinality(%(rooms)s::uuid[])
    end as place
  from generate_series(1, %(total)s) as n
),
counted as (
  select s.n, s.place, row_number() over (partition by s.place order by s.n) as seq
  from spoken as s
)
insert into chat.messages (room_id, seq, rev, sender_id, client_id, body, created_at)
select
  r.id, r.last_seq + c.seq, r.rev + c.seq,
  case when c.n %% 5 = 0 then %(mine)s::uuid else (%(theirs)s::uuid[])[c.place] end,
  gen_random_uuid(),
  (%(bodies)s::text[])[1 + c.n %% cardinality(%(bodies)s::text[])],
  now() - (%(total)s - c.n) * interval '1 second'
from counted as c
join chat.rooms as r on r.id = (%(rooms)s::uuid[])[c.place]
order by c.n;
