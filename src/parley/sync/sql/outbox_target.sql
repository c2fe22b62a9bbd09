-- The seq of the message that one of us calls by this name.
select seq
from messages
where room_id = :room_id and sender_id = :me and client_id = :client_id
union all
select row ->> 'seq'
from outbox
where kind = 'send' and client_id = :client_id and row is not null
