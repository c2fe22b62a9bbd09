-- The server said no.
update outbox set state = 'failed', reason = :reason where id = :id and state = 'pending'
