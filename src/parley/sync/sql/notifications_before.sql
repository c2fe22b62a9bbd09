-- Notifications about a room end when its person leaves it, and do not come back with them.
delete from notifications
where row ->> 'room_id' = ? and rev < ? and row ->> 'kind' in ('mention', 'reply', 'invite')
