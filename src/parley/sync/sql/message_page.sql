-- The newest messages below a seq, inside the range that is kept in step.
select m.*
from messages as m
join streams as s using (room_id)
where room_id = :room_id and seq >= s.first_seq and seq < :before
order by seq desc
limit :page_size
