-- Messages whose words may match and that come after another one (in the order of the server's search),
-- the newest first: below is an id, before a message.
select m.*
from message_search as f
cross join messages as m on m.id = f.rowid
where f.message_search match :query
  and f.rowid < :below
  and coalesce(:room_id, m.room_id) = m.room_id
  and (
    :before is null
    or (m.created_at, m.room_id, m.seq) < (:before, :before_room_id, :before_seq)
  )
order by f.rowid desc
limit :page_size
