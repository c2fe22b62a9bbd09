-- Marks that the own stream has shown need no place in the outbox.
delete from outbox where state = 'sent' and kind in ('read', 'delivered') and rev <= :rev
