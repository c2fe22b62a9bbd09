-- Which of some people are in a room, and what decides whether they may post there. In a closed direct
-- room there is nobody for the other person.
select
  member.user_id,
  member.row ->> 'role' as role,
  member.row ->> 'muted_until' as muted_until,
  room.row ->> 'archived_at' as archived_at
from members as member
left join rooms as room on room.room_id = member.room_id
where
  member.room_id = :room_id
  and member.row ->> 'left_at' is null
  and not coalesce(room.row ->> 'is_closed', 0)
  and member.user_id in (select person.value from json_each(:user_ids) as person)
