-- A page of the start screen, or one room of it: pinned first, then by the newest message.
select
  s.room_id, s.active_at, r.row as room, p.row as preferences,
  coalesce(p.row ->> 'marked_unread', 0) and not exists (
    select 1
    from outbox as o
    where o.room_id = s.room_id and o.kind = 'read' and o.seq >= s.last_seq
      and o.state in ('pending', 'sent')
  ) as marked_unread
from streams as s
left join rooms as r using (room_id)
left join preferences as p using (room_id)
where s.room_id = coalesce(:room_id, s.room_id)
order by coalesce(p.row ->> 'pinned', 0) desc, s.active_at desc, s.room_id
limit :page_size offset :offset
