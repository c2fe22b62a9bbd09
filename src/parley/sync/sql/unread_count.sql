-- Messages of others above the read mark, or the one that waits to be sent, since we came in: those that
-- are here, and those before, as the server counted them. (Where we came in is in the own stream; an
-- import tells it in the room's.)
with range as (
  select
    room_id, first_seq, older_unread, older_mentions,
    max(
      coalesce((select cast(row ->> 'joined_seq' as integer) from memberships where room_id = :room_id), 0),
      coalesce(
        (select cast(row ->> 'joined_seq' as integer) from members where room_id = :room_id and user_id = :me), 0
      ),
      coalesce((select cast(row ->> 'read_seq' as integer) from marks where room_id = :room_id), 0),
      coalesce(
        (select cast(row ->> 'cleared_seq' as integer) from preferences where room_id = :room_id), 0
      ),
      coalesce(
        (
          select max(seq)
          from outbox
          where room_id = :room_id and kind = 'read' and state in ('pending', 'sent')
        ),
        0
      )
    ) as read_seq
  from streams
  where room_id = :room_id
)
select
  min(
    :most,
    iif(read_seq < first_seq - 1, older_unread, 0) + (
      select count(*)
      from (
        select 1
        from messages as m
        where m.room_id = range.room_id and m.counts and m.sender_id <> :me
          and m.seq >= range.first_seq and m.seq > range.read_seq
        limit :most
      )
    )
  ) as unread,
  min(
    :most,
    iif(read_seq < first_seq - 1, older_mentions, 0) + (
      select count(*)
      from (
        select 1
        from messages as m
        where m.room_id = range.room_id and m.counts and m.sender_id <> :me
          and m.seq >= range.first_seq and m.seq > range.read_seq
          and (m.mentions = 'all' or instr(m.mentions, :me))
        limit :most
      )
    )
  ) as mentions
from range
