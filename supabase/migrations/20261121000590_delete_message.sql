-- delete_message: the content of a message is removed, and its place stays as a tombstone.

create function chat_private.delete_message(room_id uuid, seq bigint)
returns chat.messages
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
declare
  v_entry chat_private.entry;
  v_room chat.rooms;
  v_me chat.room_members;
  v_message chat.messages;
begin
  v_entry := chat_private.enter_room(delete_message.room_id, null);
  v_room := v_entry.room;
  v_me := v_entry.me;
  v_message := chat_private.require_message(v_me, delete_message.seq);
  -- What was said can be taken back in a closed room too, though not in an archived one.
  perform chat_private.require_right(
    v_room, v_me, case v_message.sender_id when v_me.user_id then 'reader' else 'moderator' end,
    v_room.archived_at is null
  );
  if v_message.deleted_at is not null then
    return v_message;
  end if;

  perform chat_private.spend(v_me.user_id, chat_private.events_in(v_room));
  perform chat_private.retract_step(v_room, v_message);
  update chat.messages as m
  set
    body = '',
    mentions = '{}',
    mention_all = false,
    attachments = '[]',
    metadata = '{}',
    deleted_at = clock_timestamp(),
    rev = v_room.rev + 1
  where m.room_id = v_room.id and m.seq = v_message.seq
  returning m.* into v_message;
  delete from chat.message_edits as e where e.room_id = v_room.id and e.seq = v_message.seq;
  perform chat_private.renew_search(v_room.id, v_message.seq);
  -- Every copy drops these rows when it applies the tombstone, so they need no number of their own.
  delete from chat.reactions as e where e.room_id = v_room.id and e.seq = v_message.seq;
  delete from chat.pins as p where p.room_id = v_room.id and p.seq = v_message.seq;
  delete from chat.attachments as a where a.room_id = v_room.id and a.seq = v_message.seq;
  if v_message.sender_id <> v_me.user_id then
    perform chat_private.record_audit(
      'message_deleted', v_room.tenant_id, v_room.id, v_message.sender_id,
      jsonb_build_object('seq', v_message.seq)
    );
  end if;

  update chat.rooms as r
  set rev = v_room.rev + 1, touched = '{messages}'
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

Its text, earlier texts, mentions, attachments, metadata, reactions and pin are gone, and its notifications are
over. Clients drop the reactions and the pin of a tombstone by themselves. Nobody can read its files any
more, and a worker removes them.

Price: as many as a small room has members, 1 in a large one.

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
  not_allowed: somebody else wrote it and the caller is no moderator.
  slow_down: too much at once; Retry-After tells the seconds.$$;

revoke execute on function
  chat_private.delete_message(uuid, bigint), chat.delete_message(uuid, bigint)
  from public, anon, authenticated;
grant execute on function
  chat_private.delete_message(uuid, bigint), chat.delete_message(uuid, bigint)
  to authenticated, service_role;
