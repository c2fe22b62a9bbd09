-- A read mark comes that is not here yet.
update streams
set older_counted = 0
where room_id = ?1
  and ?2 is not (select cast(row ->> 'read_seq' as integer) from marks where marks.room_id = ?1)
