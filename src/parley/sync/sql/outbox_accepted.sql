-- The server answered; a mark that moved on meanwhile is not what was sent.
update outbox
set state = 'sent', rev = :rev, row = :row
where id = :id and seq is :seq and state = 'pending'
