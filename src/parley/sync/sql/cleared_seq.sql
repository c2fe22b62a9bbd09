-- Up to where this account has cleared the history of a room.
select coalesce(max(cast(row ->> 'cleared_seq' as integer)), 0)
from preferences
where room_id = ?
