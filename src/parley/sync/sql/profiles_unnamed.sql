-- Forget people whom nothing in the copy names.
delete from profiles
where user_id not in (
  select user_id from account where user_id is not null
  union select sender_id from messages
  union select user_id from members
  union select user_id from reactions
  union select user_id from receipts
  union
  select json_extract(row, '$.actor_id') from notifications
  where json_extract(row, '$.actor_id') is not null
)
