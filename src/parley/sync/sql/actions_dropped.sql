-- What was done in a room that is gone: marks and answered actions leave with it.
delete from outbox
where room_id = :room_id and (state = 'sent' or kind in ('read', 'delivered'))
