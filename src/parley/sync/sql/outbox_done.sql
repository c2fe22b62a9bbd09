-- The server answered, and the copy shows it already.
delete from outbox where id = :id and seq is :seq and state = 'pending'
