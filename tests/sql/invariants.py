"""The invariants I1 to I10 (docs/how-it-works.md) as queries; each returns what breaks it."""

from __future__ import annotations

from typing import Any

import psycopg

# I1: messages fill floor_seq + 1 .. last_seq, and nothing is stamped above the head.
GAPS = """
select 'gap' as what, r.id, r.last_seq, count(m.seq), min(m.seq), max(m.seq)
from chat.rooms as r
left join chat.messages as m on m.room_id = r.id
group by r.id
having count(m.seq) <> r.last_seq - r.floor_seq
  or max(m.seq) <> r.last_seq
  or min(m.seq) <> r.floor_seq + 1
  or max(m.rev) > r.rev
union all
select 'stamped above the head', r.id, r.rev, m.rev, null, null
from chat.rooms as r
join chat.room_members as m on m.room_id = r.id and m.rev > r.rev
"""

# I1: the steps of every stream, wherever they were sent, join from 0 to the head.
STEPS = """
with steps as (
  select distinct
    coalesce(m.payload ->> 'room_id', m.payload ->> 'user_id') as stream,
    (m.payload ->> 'from')::bigint as low,
    (m.payload ->> 'to')::bigint as high
  from realtime.messages as m
),
joined as (
  select
    s.stream, s.low, s.high,
    lag(s.high, 1, 0::bigint) over (partition by s.stream order by s.low, s.high) as before,
    lead(s.low) over (partition by s.stream order by s.low, s.high) as after
  from steps as s
),
heads as (
  select r.id::text as stream, r.rev from chat.rooms as r
  union all
  select s.user_id::text, s.rev from chat_private.user_streams as s where s.rev > 0 and s.listens
)
select 'steps do not join' as what, j.stream, j.before, j.low, j.high
from joined as j
where j.low <> j.before or j.high <= j.low
union all
select 'steps end before the head', h.stream, j.low, j.high, h.rev
from heads as h
left join joined as j on j.stream = h.stream and j.after is null
where j.high is distinct from h.rev
"""

# I2: a client_id is one message.
TWICE = """
select m.room_id, m.sender_id, m.client_id, count(*)
from chat.messages as m
where m.client_id is not null
group by m.room_id, m.sender_id, m.client_id
having count(*) > 1
"""

# I3: nobody's text or reaction has a number above what ended, muted or archived them. Deleting is
# what moderators do to the messages of others.
FENCES = """
with acts as (
  select m.room_id, m.sender_id as user_id, m.rev
  from chat.messages as m
  where m.kind = 'text' and m.deleted_at is null
  union all
  select e.room_id, e.user_id, e.rev from chat.reactions as e where e.removed_at is null
)
select 'above the fence' as what, a.room_id, a.user_id, a.rev, m.rev as fence
from acts as a
join chat.room_members as m on m.room_id = a.room_id and m.user_id = a.user_id
where a.rev > m.rev and (m.left_at is not null or m.muted_until > now())
union all
select 'above the archiving', a.room_id, a.user_id, a.rev, r.changed_rev
from acts as a
join chat.rooms as r on r.id = a.room_id
where r.archived_at is not null and a.rev > r.changed_rev
union all
select 'banned and in', m.room_id, m.user_id, m.rev, b.rev
from chat.room_members as m
join chat.bans as b on b.room_id = m.room_id and b.user_id = m.user_id and b.removed_at is null
where m.left_at is null
"""

# I5: from the number of a removal on, nothing of the room is sent to the one removed, neither on
# their own topics nor on a topic of the room that they could still hold.
REVOCATIONS = """
select 'sent to who left' as what, e.topic, (e.payload ->> 'to')::bigint as number, m.rev
from chat.room_members as m
join realtime.messages as e
  on e.topic like 'user:' || m.user_id || ':%'
  and e.payload ->> 'room_id' = m.room_id::text
  and (e.payload ->> 'to')::bigint >= m.rev
where m.left_at is not null
union all
select 'sent on an old topic', e.topic, (e.payload ->> 'to')::bigint, (c.payload ->> 'to')::bigint
from realtime.messages as c
join realtime.messages as e
  on e.payload ->> 'room_id' = c.payload ->> 'room_id'
  and e.topic like 'room:%'
  and e.event = 'changed'
  and (e.payload ->> 'to')::bigint >= (c.payload ->> 'to')::bigint
  and split_part(e.topic, ':', 3)::integer < (c.payload ->> 'epoch')::integer
where c.event = 'epoch_changed' and c.payload ? 'room_id'
"""

# I10: marks stay at or below the head.
MARKS = """
select k.user_id, k.room_id, k.read_seq, k.delivered_seq, r.last_seq
from chat.marks as k
join chat.rooms as r on r.id = k.room_id
where k.read_seq > r.last_seq or k.delivered_seq > r.last_seq or k.read_seq > k.delivered_seq
"""

# What every operation on members keeps true.
PEOPLE = """
select 'miscounted' as what, r.id, r.member_count, count(m.user_id)
from chat.rooms as r
left join chat.room_members as m on m.room_id = r.id and m.left_at is null
group by r.id
having r.member_count <> count(m.user_id)
union all
select 'without an owner who can act', r.id, r.member_count, null
from chat.rooms as r
where r.kind = 'group'
  and exists (
    select from chat.room_members as m
    join chat.profiles as p on p.user_id = m.user_id and p.closed_at is null
    where m.room_id = r.id and m.left_at is null
  )
  and not exists (
    select from chat.room_members as m
    join chat.profiles as p on p.user_id = m.user_id and p.closed_at is null
    where m.room_id = r.id and m.left_at is null and m.role = 'owner'
      and (m.muted_until > now()) is not true
  )
union all
select 'in a room behind the wall', m.room_id, null, null
from chat.room_members as m
join chat.rooms as r on r.id = m.room_id
join chat.tenant_members as t on t.tenant_id = r.tenant_id and t.user_id = m.user_id
where m.left_at is null and t.removed_at is not null
"""

ALL = {
    "I1 messages": GAPS,
    "I1 steps": STEPS,
    "I2": TWICE,
    "I3": FENCES,
    "I5": REVOCATIONS,
    "I10": MARKS,
    "people": PEOPLE,
}


def assert_invariants(owner: psycopg.Connection[Any]) -> None:
    """Raise AssertionError with the offenders of the first invariant that does not hold."""
    for name, query in ALL.items():
        offenders = owner.execute(query).fetchmany(10)
        assert not offenders, f"{name}: {offenders}"
