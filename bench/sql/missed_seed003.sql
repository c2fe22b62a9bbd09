-- What somebody has missed since a time, as get_missed_messages would answer it, a page at a time.
select coalesce(json_agg(page order by page.server_timestamp, page.id), '[]')::text
from (
  select m.*
  from public.chat_messages as m
  join public.chat_rooms as r on r.id = m.room_id
  where (r.user1_id = %(me)s or r.user2_id = %(me)s) and m.server_timestamp > %(since)s::timestamptz
  order by m.server_timestamp, m.id
  limit 1000
) as page;
