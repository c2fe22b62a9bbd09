-- A mark that waits moves forward; there is one per room and kind.
update outbox
set seq = max(seq, :seq)
where kind = :kind and room_id = :room_id and state = 'pending'
returning *
