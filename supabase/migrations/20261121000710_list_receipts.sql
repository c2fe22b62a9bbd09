-- list_receipts: when a message reached whom, and when they read it.

-- Every message times everybody else in its room; ask for one message, or for one person.
create view chat.message_receipts
with (security_invoker = true)
as
select
  m.room_id,
  m.seq,
  p.user_id,
  m.created_at as sent_at,
  least(d.at, r.at) as delivered_at,
  r.at as read_at
from chat.messages as m
join chat.room_members as p
  on p.room_id = m.room_id
  and p.left_at is null
  and p.user_id <> m.sender_id
  and p.visible_after_seq < m.seq
left join lateral (
  select c.at
  from chat.receipts as c
  where c.room_id = m.room_id
    and c.user_id = p.user_id
    and c.kind = 'delivered'
    and c.up_to_seq >= m.seq
  order by c.up_to_seq
  limit 1
) as d on true
left join lateral (
  select c.at
  from chat.receipts as c
  where c.room_id = m.room_id
    and c.user_id = p.user_id
    and c.kind = 'read'
    and c.up_to_seq >= m.seq
  order by c.up_to_seq
  limit 1
) as r on true;

comment on view chat.message_receipts is
  'When each message was sent, delivered and read, per person; null is not yet.';

grant select on chat.message_receipts to authenticated, service_role;

create function chat_private.list_receipts(room_id uuid, seq bigint)
returns setof chat.message_receipts
language plpgsql
stable
-- definer: one membership check for the message instead of a policy per row
security definer
set search_path = '', pg_temp
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
  $$List who has received and read a message.

Args:
  room_id: a room the caller is in.
  seq: a message in it.

Returns:
  Per person other than the sender: sent_at, delivered_at and read_at, null for not yet; by user_id.

Raises:
  sign_in_required: nobody is signed in.
  room_not_found: the room does not exist, or the caller is not in it.
  message_not_found: there is no such message.$$;

revoke execute on function
  chat_private.list_receipts(uuid, bigint), chat.list_receipts(uuid, bigint)
  from public, anon, authenticated;
grant execute on function
  chat_private.list_receipts(uuid, bigint), chat.list_receipts(uuid, bigint)
  to authenticated;
