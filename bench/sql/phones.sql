-- A phone for everybody, so that there is something to push.
with made as (
  insert into chat.devices (user_id, device_id, platform, push_provider, is_active, last_seen_at)
  select p.user_id, 'phone', 'ios', 'expo', true, now()
  from unnest(%(user_ids)s::uuid[]) as p (user_id)
  returning user_id, device_id
)
insert into chat_private.push_tokens (user_id, device_id, token, token_hash)
select m.user_id, m.device_id, m.user_id, sha256(m.user_id::text::bytea) from made as m;
