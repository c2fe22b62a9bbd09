-- People with a phone each in one large room. Nothing is left to push.
with made as (
  insert into chat.devices (user_id, device_id, platform, push_provider, is_active, last_seen_at)
  select p.user_id, 'phone', 'ios', 'expo', true, now()
  from unnest(%(user_ids)s::uuid[]) as p (user_id)
  returning user_id, device_id
),
reachable as (
  insert into chat_private.push_tokens (user_id, device_id, token, token_hash)
  select m.user_id, m.device_id, m.user_id, sha256(m.user_id::text::bytea) from made as m
),
placed as (
  insert into chat.room_members (room_id, user_id, joined_rev, rev, user_rev, joined_seq)
  select %(room_id)s, m.user_id, 0, 0, 0, 0 from made as m
),
enlarged as (
  update chat.rooms set is_large = true, member_count = 1 + cardinality(%(user_ids)s::uuid[])
  where id = %(room_id)s
)
delete from chat_private.push_outbox;
