-- The server has counted.
update streams
set older_unread = ?, older_mentions = ?, older_counted = 1
where room_id = ?
