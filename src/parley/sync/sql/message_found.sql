-- Messages that match, the newest to arrive first.
select m.row
from message_search as f
join messages as m on m.id = f.rowid
where message_search match :query and coalesce(:room_id, m.room_id) = m.room_id
order by f.rowid desc
limit :page_size
