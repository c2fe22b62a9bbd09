-- The newest broadcasts of a private topic, oldest first. Rows without a payload or an event are
-- left out, because they were never broadcast either.
select
  kept.id::text as id,
  kept.event,
  kept.payload::text as payload,
  kept.binary_payload
from (
  select message.id, message.event, message.payload, message.binary_payload, message.inserted_at
  from realtime.messages as message
  where
    message.topic = %(topic)s
    and message.private
    and message.extension = 'broadcast'
    and message.event is not null
    and (message.payload is not null or message.binary_payload is not null)
    and message.inserted_at
    >= timestamp '1970-01-01' + %(since)s::bigint * interval '1 millisecond'
    and message.inserted_at < (now() at time zone 'utc') + interval '1 minute'
  order by message.inserted_at desc
  limit %(limit)s
) as kept
order by kept.inserted_at;
