-- What came into a room after the last message that a device has received, a page at a time.
select coalesce(json_agg(page order by page.created_at, page.id), '[]')::text
from (
  select m.*
  from public.uuid_messages as m
  where m.room_id = %(room)s and m.id > %(since)s::uuid
  order by m.created_at, m.id
  limit 1000
) as page;
