-- How far notifications were read, and what is over when a message, a room or its floor says so.

alter table account add column notifications_read_seq integer not null default 0;

-- 1 while a room began anew above messages that notifications here are about: they may have been
-- deleted unseen, so the own stream is fetched again once every room is here.
alter table account add column doubts integer not null default 0;

create index notifications_by_message on notifications (row ->> 'room_id', row ->> 'message_seq');
