-- list_receipts: when each person received a message, and when they read it.

-- A message waits for everybody, except bots, who is in the room now and was in it when the message
-- was sent. Others are listed only if they acknowledged it before they left, or before they came
-- back. People who had left before it was sent are not looked up. Ask for one message, or for one
-- person. The first receipt that reaches a message decides: joined_seq never falls, so if that
-- receipt belongs to a later joining, all receipts after it do as well.
create view chat.message_receipts
with (security_invoker = true)
as
select
  m.room_id,
  m.seq,
  p.user_id,
  m.created_at as sent_at,
  least(d.at, r.at) as delivered_at,
  r.at as read_at,
  case when d.at <= coalesce(r.at, 'infinity') then d.device_id end as device_id
from chat.messages as m
join chat.room_members as p
  on p.room_id = m.room_id
  and p.user_id <> m.sender_id
  and (p.left_at is null or p.left_at > m.created_at)
left join lateral (
  select case when c.joined_seq < m.seq then c.at end as at, c.device_id
  from chat.receipts as c
  where c.room_id = m.room_id
    and c.user_id = p.user_id
    and c.kind = 'delivered'
    and c.up_to_seq >= m.seq
  order by c.up_to_seq
  limit 1
) as d on true
left join lateral (
  select case when c.joined_seq < m.seq then c.at end as at
  from chat.receipts as c
  where c.room_id = m.room_id
    and c.user_id = p.user_id
    and c.kind = 'read'
    and c.up_to_seq >= m.seq
  order by c.up_to_seq
  limit 1
) as r on true
where (
    p.left_at is null and p.joined_seq < m.seq or d.at is not null or r.at is not null
  )
  and not exists (select from chat.profiles as b where b.user_id = p.user_id and b.is_bot);

comment on view chat.message_receipts is
  'When each person received and read a message, and when it was sent; null means not yet.';

comment on column chat.message_receipts.device_id is
  'The device that received it first; null where the client named none, or read it at once.';

grant select on chat.message_receipts to authenticated, service_role;

create function chat_private.list_receipts(room_id uuid, seq bigint)
returns setof chat.message_receipts
language plpgsql
stable
-- definer: one membership check for the message instead of a policy per row
security definer
set search_path = '', pg_temp
-- Postgres thinks that a kept plan reads more than it does, and would plan at every call of a large database.
set plan_cache_mode = force_generic_plan
as $$
declare
  v_me chat.room_members := chat_private.require_member(list_receipts.room_id);
begin
  perform chat_private.require_message(v_me, list_receipts.seq);
  return query
    select v.*
    from chat.message_receipts as v
    where v.room_id = v_me.room_id and v.seq = list_receipts.seq
    order by v.user_id;
end;
$$;

create function chat.list_receipts(room_id uuid, seq bigint)
returns setof chat.message_receipts
language sql
stable
set search_path = '', pg_temp
begin atomic
  select v.* from chat_private.list_receipts(room_id, seq) as v;
end;

comment on function chat.list_receipts(uuid, bigint) is
  $$List the people who have received and read a message.

Args:
  room_id: a room the caller is in.
  seq: a message in it.

Returns:
  Per person other than the sender: sent_at, delivered_at and read_at, null for not yet; and device_id, the
  device that received it first, where the client named one; by user_id.
  These are people who are in the room now and were when the message was sent, and people who
  acknowledged it before they left. If there are none, the message counts as sent.

Raises:
  sign_in_required: nobody is signed in.
  room_not_found: the room does not exist, or the caller is not in it.
  message_not_found: there is no such message.$$;

revoke execute on function
  chat_private.list_receipts(uuid, bigint), chat.list_receipts(uuid, bigint)
  from public, anon, authenticated;
grant execute on function
  chat_private.list_receipts(uuid, bigint), chat.list_receipts(uuid, bigint)
  to authenticated, service_role;
