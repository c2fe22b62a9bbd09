select page.*
from (
  select m.*
  from chat.messages as m
  where m.room_id = $1
  order by m.seq desc
  limit 50
) as page
order by page.seq;
