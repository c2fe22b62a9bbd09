-- What was cleared is in the copy no more, and what is unread before its range is to be counted anew.
update streams
set first_seq = max(first_seq, :cleared_seq + 1), older_counted = 0
where room_id = :room_id
