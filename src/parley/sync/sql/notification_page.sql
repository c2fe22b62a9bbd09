-- The newest notifications, and whether the mark has moved past them.
select n.row, n.seq <= a.notifications_read_seq as is_read
from notifications as n
join account as a
order by n.seq desc
limit :page_size
