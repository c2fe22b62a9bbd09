-- A deed that came to nothing is forgotten.
delete from outbox where id = :id and state in ('failed', 'discarded')
