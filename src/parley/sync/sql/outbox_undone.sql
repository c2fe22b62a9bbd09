-- What the server did to a message before a restore is undone with everything else.
delete from outbox where state = 'sent'
