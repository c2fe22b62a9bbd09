-- Everything before the first message here is read, from before we came in, or not there: no need to ask.
update streams
set older_unread = 0, older_mentions = 0, older_counted = 1
where room_id = :room_id
  and first_seq <= 1 + max(
    coalesce((select cast(row ->> 'read_seq' as integer) from marks where room_id = :room_id), 0),
    coalesce((select cast(row ->> 'floor_seq' as integer) from rooms where room_id = :room_id), 0),
    coalesce((select cast(row ->> 'visible_after_seq' as integer) from memberships where room_id = :room_id), 0),
    coalesce((select cast(row ->> 'joined_seq' as integer) from memberships where room_id = :room_id), 0),
    coalesce((select cast(row ->> 'cleared_seq' as integer) from preferences where room_id = :room_id), 0)
  )
