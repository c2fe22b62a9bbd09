-- Of several notifications about a mention in one message the newest stands.
delete from notifications
where row ->> 'room_id' = :room_id and row ->> 'message_seq' = :message_seq
  and row ->> 'kind' = 'mention' and seq < :seq
