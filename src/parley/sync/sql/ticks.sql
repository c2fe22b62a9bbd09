-- How far the own messages of a page have come: 2 is read, 1 delivered, 0 neither, by everybody a
-- message waits for: people who are here and were when it was said, and people who acknowledged it
-- before they left, but no bots. Null waits for nobody. (The first receipt that reaches a message
-- decides. One person here who has acknowledged nothing settles every message that waits for them.)
with bots as materialized (
  select user_id from profiles where row ->> 'is_bot'
),
acknowledging as materialized (
  select distinct user_id
  from receipts
  where room_id = :room_id and user_id <> :me and up_to_seq >= :first and user_id not in bots
),
here as materialized (
  select user_id, coalesce(row ->> 'joined_seq', 0) as joined_seq
  from members
  where room_id = :room_id and user_id <> :me and row ->> 'left_at' is null and user_id not in bots
),
silent as materialized (
  select min(joined_seq) as joined_seq from here where user_id not in acknowledging
)
select
  m.seq,
  case
    when m.seq > (select joined_seq from silent) then 0
    else (
      select min(max(2 * has_read, has_received))
      from (
        select
          h.joined_seq < m.seq as is_awaited,
          coalesce(
            (
              select coalesce(r.row ->> 'joined_seq', 0) < m.seq
              from receipts as r
              where r.room_id = :room_id and r.user_id = a.user_id and r.kind = 'read'
                and r.up_to_seq >= m.seq
              order by r.up_to_seq
              limit 1
            ),
            0
          ) as has_read,
          coalesce(
            (
              select coalesce(r.row ->> 'joined_seq', 0) < m.seq
              from receipts as r
              where r.room_id = :room_id and r.user_id = a.user_id and r.kind = 'delivered'
                and r.up_to_seq >= m.seq
              order by r.up_to_seq
              limit 1
            ),
            0
          ) as has_received
        from acknowledging as a
        left join here as h using (user_id)
      )
      where is_awaited or has_read or has_received
    )
  end as tick
from messages as m
where m.room_id = :room_id and m.seq between :first and :last and m.sender_id = :me
