-- When something was last said in some rooms, which the start screen sorts by.
update chat.rooms as r
set active_at = m.created_at
from chat.messages as m
where r.id = any (%(room_ids)s) and m.room_id = r.id and m.seq = r.last_seq
