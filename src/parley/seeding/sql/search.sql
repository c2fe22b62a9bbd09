-- The blocks of search for some rooms, as sends would have written them.
select chat_private.grow_search(r.id, r.last_seq)
from chat.rooms as r
where r.id = any (%(room_ids)s)
