-- Notifications end with the messages that retention took.
delete from notifications
where row ->> 'room_id' = ? and row ->> 'message_seq' < ?
  and row ->> 'kind' in ('mention', 'reply', 'invite')
