-- post_system_message: what a server tells a room, in a word of the app's own.

-- The project itself is no member, so it enters the room by its id alone; a server that acts as
-- somebody enters as that person.
create function chat_private.enter_to_post(room_id uuid)
returns chat.rooms
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_room chat.rooms;
begin
  if chat_private.named_user() is not null then
    return (chat_private.enter_room(enter_to_post.room_id, 'member')).room;
  end if;
  select r.* into v_room
  from chat.rooms as r
  where r.id = enter_to_post.room_id
  for no key update;
  if not found then
    raise exception using
      errcode = 'PT404',
      message = 'room_not_found',
      detail = format('There is no room %s.', enter_to_post.room_id),
      hint = 'Check its id in the table rooms.';
  end if;
  if v_room.archived_at is not null then
    raise exception using
      errcode = 'PT423',
      message = 'room_archived',
      detail = 'The room is archived and can only be read.',
      hint = 'Act as an admin of the room to unarchive it.';
  end if;
  return v_room;
end;
$$;

comment on function chat_private.enter_to_post(uuid) is
  $$Take the lock that orders a room, as the project, or as the member a server acts as.

Raises:
  room_not_found: there is no such room, or the member is not in it.
  room_archived: the room can only be read.
  member_muted, not_allowed: the member may only read.$$;

create function chat_private.post_system_message(
  room_id uuid,
  body text,
  about uuid[],
  metadata jsonb
)
returns chat.messages
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
declare
  c_project constant uuid := '00000000-0000-0000-0000-000000000000';
  v_about uuid[] := array(
    select distinct u.user_id from unnest(post_system_message.about) as u (user_id) order by 1
  );
  v_sender uuid := case
    when chat_private.named_user() is not null then chat_private.acting_user_id()
  end;
  v_room chat.rooms;
  v_message chat.messages;
begin
  -- Clients translate the word, and take those of Parley for what Parley did.
  if (
    octet_length(post_system_message.body) <= 100
    and post_system_message.body ~ '^[a-z][a-z0-9_]*$' collate "C"
    and post_system_message.body !~ '^(member|made|room)_'
  ) is not true
  then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'A system message is one word of yours: a to z, 0 to 9 and _, up to 100 characters.',
      hint = 'Pass a word such as order_shipped. Those with member_, made_ or room_ are Parley''s.';
  end if;
  if cardinality(v_about) > 50 then
    raise exception using
      errcode = 'PT413',
      message = 'too_many_mentions',
      detail = 'A system message is about at most 50 people.',
      hint = 'Name only those whom the word is about.';
  end if;
  perform chat_private.refuse(chat_private.refusal_by_metadata(post_system_message.metadata));
  v_room := chat_private.enter_to_post(post_system_message.room_id);
  if exists (
    select from unnest(v_about) as u (user_id)
    where not exists (
      select from chat.room_members as m where m.room_id = v_room.id and m.user_id = u.user_id
    )
  ) then
    raise exception using
      errcode = 'PT404',
      message = 'user_not_found',
      detail = 'A system message is about people who are or were in the room.',
      hint = 'Check the ids with list_members, or add them first.';
  end if;
  if v_sender is not null then
    perform chat_private.spend(v_sender, chat_private.events_in(v_room));
  end if;

  perform chat_private.add_system_message(
    v_room.id, v_room.last_seq + 1, v_room.rev + 1, coalesce(v_sender, c_project),
    post_system_message.body, v_about, coalesce(post_system_message.metadata, '{}')
  );
  update chat.rooms as r
  set
    rev = v_room.rev + 1,
    last_seq = v_room.last_seq + 1,
    active_at = clock_timestamp(),
    touched = '{messages}'
  where r.id = v_room.id;
  select m.* into v_message
  from chat.messages as m
  where m.room_id = v_room.id and m.seq = v_room.last_seq + 1;
  return v_message;
end;
$$;

create function chat.post_system_message(
  room_id uuid,
  body text,
  about uuid[] default '{}',
  metadata jsonb default null
)
returns chat.messages
language sql
volatile
set search_path = '', pg_temp
return chat_private.post_system_message(room_id, body, about, metadata);

comment on function chat.post_system_message(uuid, text, uuid[], jsonb) is
  $$Tell a room what happened elsewhere, in one word that clients translate.

For the service role. It takes the next seq like any message, is unread for nobody and notifies
nobody. Repeated, it is posted again. Without the header x-parley-user the project itself posts it, and
sender_id is all zeros; with it, the person a server acts as, who pays for it.

Args:
  room_id: any room; for a server that acts as somebody, one they may write in.
  body: a word of the app's own, for example order_shipped: a to z, 0 to 9 and _, up to 100
    characters. Words that begin with member_, made_ or room_ are Parley's.
  about: up to 50 people who are or were in the room; they are the mentions of the message.
  metadata: an object of the app's own, up to 4 KB.

Returns:
  The message.

Raises:
  invalid_input: the body is no word, or one of Parley's, or the metadata are no object that fits.
  payload_too_large: the metadata take more than 4 KB.
  too_many_mentions: more than 50 people.
  room_not_found: there is no such room, or the person a server acts as is not in it.
  room_archived: the room can only be read.
  user_not_found: somebody it is about never was in the room, or the header names nobody.
  member_muted: the person a server acts as may only read.
  not_allowed: the person a server acts as is a reader.
  slow_down: that person wrote too much at once; Retry-After tells the seconds.$$;

revoke execute on function
  chat_private.enter_to_post(uuid),
  chat_private.post_system_message(uuid, text, uuid[], jsonb),
  chat.post_system_message(uuid, text, uuid[], jsonb)
  from public, anon, authenticated;
grant execute on function
  chat_private.post_system_message(uuid, text, uuid[], jsonb),
  chat.post_system_message(uuid, text, uuid[], jsonb)
  to service_role;
