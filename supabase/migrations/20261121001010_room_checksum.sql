-- room_checksum: a checksum of a room's messages, for comparing a local copy with the server.

create function chat_private.room_checksum(room_id uuid, from_seq bigint)
returns jsonb
language plpgsql
stable
-- definer: one membership check instead of a policy per row
security definer
set search_path = '', pg_temp
as $$
declare
  v_me chat.room_members := chat_private.require_member(room_checksum.room_id);
  v_visible_after bigint := chat_private.readable_after(v_me);
begin
  return (
    select jsonb_build_object(
      'room_id', r.id,
      'from_seq', room_checksum.from_seq,
      'rev', r.rev,
      'last_seq', r.last_seq,
      'count', c.messages,
      'sum', c.total
    )
    from chat.rooms as r
    cross join lateral (
      -- Every factor and the sum stay below 2^53, so that any client can calculate them.
      select
        count(*) as messages,
        coalesce(
          sum((m.seq % 1000003 + 1)::numeric * (m.rev % 998244353 + 1)) % 9007199254740881, 0
        )::bigint as total
      from chat.messages as m
      where m.room_id = r.id
        and m.seq >= room_checksum.from_seq
        and m.seq > v_visible_after
    ) as c
    where r.id = v_me.room_id
  );
end;
$$;

create function chat.room_checksum(room_id uuid, from_seq bigint)
returns jsonb
language sql
stable
set search_path = '', pg_temp
return chat_private.room_checksum(room_id, from_seq);

comment on function chat.room_checksum(uuid, bigint) is
  $$Sum up the messages of a room, to compare with a local copy.

The sum is that of (seq mod 1000003 + 1) * (rev mod 998244353 + 1) over the messages, modulo
9007199254740881.

Args:
  room_id: a room the caller is in.
  from_seq: the first message of the local copy.

Returns:
  {"room_id", "from_seq", "rev", "last_seq", "count", "sum"}; compare when the local copy is at rev.

Raises:
  sign_in_required: nobody is signed in.
  room_not_found: the room does not exist, or the caller is not in it.$$;

revoke execute on function
  chat_private.room_checksum(uuid, bigint), chat.room_checksum(uuid, bigint)
  from public, anon, authenticated;
grant execute on function
  chat_private.room_checksum(uuid, bigint), chat.room_checksum(uuid, bigint)
  to authenticated, service_role;
