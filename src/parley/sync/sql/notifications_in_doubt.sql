-- What a room that began anew does not show may have been deleted before.
update account
set doubts = 1
where exists (
  select 1
  from notifications
  where row ->> 'room_id' = ? and row ->> 'message_seq' < ?
    and row ->> 'kind' in ('mention', 'reply', 'invite')
)
