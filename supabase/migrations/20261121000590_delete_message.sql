-- delete_message: what was said is gone, its place stays.

create function chat_private.delete_message(room_id uuid, seq bigint)
returns chat.messages
language plpgsql
volatile
-- definer: writes tables that nobody may write
security definer
set search_path = '', pg_temp
as $$
declare
  v_room chat.rooms;
  v_me chat.room_members;
  v_message chat.messages;
begin
  v_room := chat_private.lock_room(delete_message.room_id);
  v_me := chat_private.require_member(delete_message.room_id);
  v_message := chat_private.require_message(v_me, delete_message.seq);
  perform chat_private.require_right(
    v_room, v_me, case v_message.sender_id when v_me.user_id then 'reader' else 'moderator' end
  );
  if v_message.deleted_at is not null then
    return v_message;
  end if;

  perform chat_private.retract_step(v_room, v_message);
  update chat.messages as m
  set
    body = '',
    mentions = '{}',
    mention_all = false,
    attachments = '[]',
    deleted_at = clock_timestamp(),
    rev = v_room.rev + 1
  where m.room_id = v_room.id and m.seq = v_message.seq
  returning m.* into v_message;
  delete from chat.message_edits as e where e.room_id = v_room.id and e.seq = v_message.seq;
  delete from chat_private.message_search as s
  where s.room_id = v_room.id and s.seq = v_message.seq;
  update chat.reactions as e
  set removed_at = clock_timestamp(), rev = v_room.rev + 1
  where e.room_id = v_room.id and e.seq = v_message.seq and e.removed_at is null;
  update chat.pins as p
  set removed_at = clock_timestamp(), rev = v_room.rev + 1
  where p.room_id = v_room.id and p.seq = v_message.seq and p.removed_at is null;

  update chat.rooms as r
  set rev = v_room.rev + 1, touched = '{messages,reactions,pins}'
  where r.id = v_room.id;
  return v_message;
end;
$$;

create function chat.delete_message(room_id uuid, seq bigint)
returns chat.messages
language sql
volatile
set search_path = '', pg_temp
return chat_private.delete_message(room_id, seq);

comment on function chat.delete_message(uuid, bigint) is
  $$Delete a message; a tombstone keeps its place.

Its text, earlier texts, mentions, attachments, reactions and pin are gone.

Args:
  room_id: a room the caller is in.
  seq: a message the caller wrote, or any message in a room the caller moderates.

Returns:
  The tombstone; unchanged when it was deleted already.

Raises:
  sign_in_required: nobody is signed in.
  room_not_found: the room does not exist, or the caller is not in it.
  message_not_found: there is no such message.
  room_archived: the room can only be read.
  member_muted: the caller may only read.
  not_allowed: somebody else wrote it and the caller is no moderator.$$;

revoke execute on function
  chat_private.delete_message(uuid, bigint), chat.delete_message(uuid, bigint)
  from public, anon, authenticated;
grant execute on function
  chat_private.delete_message(uuid, bigint), chat.delete_message(uuid, bigint)
  to authenticated;
