-- The people who are in a room.
select row from members where room_id = :room_id and row ->> 'left_at' is null
