-- The time of the last message in some rooms, by which the start screen sorts.
update chat.rooms as r
set active_at = m.created_at
from chat.messages as m
where r.id = any (%(room_ids)s) and m.room_id = r.id and m.seq = r.last_seq
