-- What was done in a room that is gone and never reached the server is shown as discarded.
update outbox
set state = 'discarded', reason = 'room_not_found', row = null
where room_id = :room_id
