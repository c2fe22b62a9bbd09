-- A failed send tries again with its files; what is in storage already is not sent twice.
update uploads set is_done = 0 where client_id = (select client_id from outbox where id = :id)
