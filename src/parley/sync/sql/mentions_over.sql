-- An edit took a mention out. One that came later stands, whichever of the two is told first.
delete from notifications
where row ->> 'room_id' = :room_id and row ->> 'message_seq' = :seq
  and row ->> 'kind' = 'mention' and row ->> 'message_rev' <= :rev
