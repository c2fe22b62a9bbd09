-- A room has been applied up to this number.
update streams
set rev = :rev, first_seq = :first_seq, last_seq = :last_seq, active_at = :active_at
where room_id = :room_id
