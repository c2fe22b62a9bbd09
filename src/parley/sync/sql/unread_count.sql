-- Messages of others above the read mark, or above the one that waits to be sent.
select count(*)
from (
  select 1
  from messages
  where room_id = :room_id and counts and sender_id <> :me
    and seq > max(
      coalesce((select row ->> 'read_seq' from marks where room_id = :room_id), 0),
      coalesce(
        (
          select max(seq)
          from outbox
          where room_id = :room_id and kind = 'read' and state in ('pending', 'sent')
        ),
        0
      )
    )
  limit :most
)
