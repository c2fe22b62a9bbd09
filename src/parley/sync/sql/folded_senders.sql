-- The people whom this account has blocked, in each of some rooms that is a group.
select rooms.room_id, blocks.blocked_id
from rooms
cross join blocks
where
  rooms.room_id in (select room.value from json_each(:room_ids) as room)
  and rooms.row ->> 'kind' = 'group'
  and blocks.row ->> 'removed_at' is null
