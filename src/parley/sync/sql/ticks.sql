-- Up to where everybody else in a room has read, and has been delivered. Who has read has received.
select coalesce(min(read), 0) as read, coalesce(min(delivered), 0) as delivered
from (
  select
    coalesce(max(r.up_to_seq) filter (where r.kind = 'read'), 0) as read,
    coalesce(max(r.up_to_seq), 0) as delivered
  from members as m
  left join receipts as r on r.room_id = m.room_id and r.user_id = m.user_id
  where m.room_id = :room_id and m.user_id <> :me and m.row ->> 'left_at' is null
  group by m.user_id
)
