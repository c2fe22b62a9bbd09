-- A failed action tries again, at its old place.
update outbox set state = 'pending', reason = '' where id = :id and state = 'failed'
