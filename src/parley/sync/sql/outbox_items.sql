-- Deeds in some states (a JSON array), of one room or of all, in the order they were done.
select *
from outbox
where state in (select value from json_each(:states)) and coalesce(:room_id, room_id) = room_id
order by id
