-- Messages as if they had been sent one after the other: every `share`-th into the first room, the
-- others into the rooms in turns, so that a room's messages lie scattered among everybody's. The seq is
-- counted from n, because ten million rows take long to sort.
with counted as (
  select n, n / %(share)s as shared, n - n / %(share)s as others
  from generate_series(1, %(total)s::bigint) as n
),
placed as (
  select
    c.n,
    case
      when c.n %% %(share)s = 0 then 1 else 1 + c.others %% cardinality(%(rooms)s::uuid[])
    end as place,
    c.shared,
    c.others
  from counted as c
)
insert into chat.messages (room_id, seq, rev, sender_id, client_id, body, created_at)
select
  r.id, r.last_seq + s.seq, r.rev + s.seq,
  case when p.n %% 5 = 0 then %(mine)s::uuid else (%(theirs)s::uuid[])[p.place] end,
  gen_random_uuid(),
  (%(bodies)s::text[])[1 + p.n %% cardinality(%(bodies)s::text[])],
  now() - (%(total)s - p.n) * interval '1 second'
from placed as p
cross join lateral (
  select case
    when p.place = 1 then p.shared + p.others / cardinality(%(rooms)s::uuid[])
    else 1 + (p.others - p.place + 1) / cardinality(%(rooms)s::uuid[])
  end as seq
) as s
join chat.rooms as r on r.id = (%(rooms)s::uuid[])[p.place];
