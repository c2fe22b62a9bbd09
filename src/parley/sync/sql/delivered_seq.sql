-- Up to where this account has acknowledged a room, or is about to.
select max(
  coalesce((select cast(row ->> 'delivered_seq' as integer) from marks where room_id = :room_id), 0),
  coalesce(
    (
      select max(seq)
      from outbox
      where room_id = :room_id and kind in ('read', 'delivered') and state in ('pending', 'sent')
    ),
    0
  )
)
