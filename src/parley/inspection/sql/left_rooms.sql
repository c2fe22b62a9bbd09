-- Closed accounts that maintenance should have taken out of their rooms by now.
select count(distinct p.user_id)
from chat.profiles as p
join chat.room_members as m on m.user_id = p.user_id and m.left_at is null
where p.closed_at < now() - interval '1 hour'
