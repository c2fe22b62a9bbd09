-- Rooms of the copy that the own memberships do not name.
select room_id
from streams
where room_id not in (select room_id from memberships)
order by room_id
