-- What there is of each room, and whether somebody may not have read what is before that.
select
  room_id, rev, first_seq, older_counted,
  rev is null or not older_counted or older_unread > 0 as may_be_unread
from streams
