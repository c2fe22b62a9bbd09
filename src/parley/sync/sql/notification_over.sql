-- A notification may arrive after what ended it. A room that is being fetched anew does not count:
-- what is here of it may be of a history that a restore undid, and its rows end their notifications
-- when they come.
delete from notifications
where seq = ? and row ->> 'kind' in ('mention', 'reply', 'invite') and (
  not exists (
    select 1
    from memberships as m
    where m.room_id = notifications.row ->> 'room_id' and m.rev <= notifications.rev
      and m.row ->> 'left_at' is null
  )
  or row ->> 'message_seq' <= (
    select r.row ->> 'floor_seq'
    from rooms as r
    join streams as s on s.room_id = r.room_id and s.rev is not null
    where r.room_id = notifications.row ->> 'room_id'
  )
  or row ->> 'message_seq' <= (
    select p.row ->> 'cleared_seq'
    from preferences as p
    where p.room_id = notifications.row ->> 'room_id'
  )
  or exists (
    select 1
    from messages as m
    join streams as s on s.room_id = m.room_id and s.rev is not null
    where m.room_id = notifications.row ->> 'room_id'
      and m.seq = notifications.row ->> 'message_seq'
      and (
        m.row ->> 'deleted_at' is not null
        or (
          notifications.row ->> 'kind' = 'mention'
          and m.rev >= notifications.row ->> 'message_rev'
          and m.mentions is not 'all'
          and not coalesce(instr(m.mentions, (select user_id from account)), 0)
        )
      )
  )
)
