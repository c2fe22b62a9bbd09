-- Actions of one room or of all, in the order they were done.
select *
from outbox
where coalesce(:room_id, room_id) = room_id
order by id
