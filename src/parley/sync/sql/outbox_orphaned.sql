-- What was meant for a message that now never comes.
update outbox
set state = 'discarded', reason = :reason
where client_id = :client_id and kind <> 'send' and state = 'pending'
