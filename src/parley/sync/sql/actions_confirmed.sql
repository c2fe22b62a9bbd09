-- Actions that the room's stream has shown need no place in the outbox.
delete from outbox
where room_id = :room_id and state = 'sent' and rev <= :rev and kind not in ('read', 'delivered')
