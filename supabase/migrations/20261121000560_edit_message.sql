-- edit_message: change what I said; what it was stays on record.

create table chat.message_edits (
  room_id uuid not null,
  seq bigint not null,
  rev bigint not null,
  sender_id uuid not null,
  body text not null,
  edited_at timestamptz not null default clock_timestamp(),
  primary key (room_id, seq, rev),
  foreign key (room_id, seq) references chat.messages (room_id, seq) on delete cascade
);

comment on table chat.message_edits is 'What a message said before; gone with the message.';
comment on column chat.message_edits.rev is 'The number of the edit that replaced this body.';

-- Absent, invisible and somebody else's system message are the same: nothing to act on.
create function chat_private.require_message(me chat.room_members, seq bigint)
returns chat.messages
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_message chat.messages;
begin
  select m.* into v_message
  from chat.messages as m
  where m.room_id = (require_message.me).room_id
    and m.seq = require_message.seq
    and m.seq > (require_message.me).visible_after_seq
    and m.kind = 'text';
  if not found then
    raise exception using
      errcode = 'PT404',
      message = 'message_not_found',
      detail = format('There is no message %s that you can act on.', require_message.seq),
      hint = 'Check its seq.';
  end if;
  return v_message;
end;
$$;

comment on function chat_private.require_message(chat.room_members, bigint) is
  $$Find a message that somebody said and the member may see.

Raises:
  message_not_found: there is none.$$;

create function chat_private.require_standing(message chat.messages)
returns void
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  if (require_standing.message).deleted_at is not null then
    raise exception using
      errcode = 'PT410',
      message = 'message_deleted',
      detail = format('Message %s was deleted.', (require_standing.message).seq),
      hint = 'Show it as deleted.';
  end if;
end;
$$;

comment on function chat_private.require_standing(chat.messages) is
  $$Refuse to act on a tombstone.

Raises:
  message_deleted: it was deleted.$$;

-- In a large room newcomers share the topic of the others, and replay reads past every policy what
-- was broadcast for three days: what a message said before must not come back that way. This must
-- never cost the write, so it is given up where it would have to wait.
create function chat_private.retract_step(room chat.rooms, message chat.messages)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
set lock_timeout = '250ms'
as $$
declare
  v_said_at timestamp := coalesce(
    (retract_step.message).edited_at, (retract_step.message).created_at
  ) at time zone 'UTC';
begin
  if not (retract_step.room).is_large then
    return;
  end if;
  -- (A broadcast has the time at which its transaction began; one of the API lasts 8 s at most.)
  delete from realtime.messages as e
  where e.inserted_at between v_said_at - interval '10 s' and v_said_at
    and e.topic = 'room:' || (retract_step.room).id || ':' || (retract_step.room).epoch
    and e.extension = 'broadcast'
    and e.private
    and (e.payload ->> 'from')::bigint < (retract_step.message).rev
    and (e.payload ->> 'to')::bigint >= (retract_step.message).rev;
exception
  when others then
    raise warning 'message % of room % can still be replayed: %',
      (retract_step.message).seq, (retract_step.room).id, sqlerrm;
end;
$$;

comment on function chat_private.retract_step(chat.rooms, chat.messages) is
  $$Take back the broadcast of what a message says now, before it says something else.

Args:
  room: the locked room.
  message: as it was.$$;

create function chat_private.edit_message(
  room_id uuid,
  seq bigint,
  body text,
  expected_rev bigint
)
returns chat.messages
language plpgsql
volatile
-- definer: writes tables that nobody may write
security definer
set search_path = '', pg_temp
as $$
declare
  v_refusal chat_private.refusal;
  v_room chat.rooms;
  v_me chat.room_members;
  v_message chat.messages;
begin
  v_room := chat_private.lock_room(edit_message.room_id);
  v_me := chat_private.require_member(edit_message.room_id);
  perform chat_private.require_right(v_room, v_me, 'member');
  v_message := chat_private.require_message(v_me, edit_message.seq);
  if v_message.sender_id <> v_me.user_id then
    raise exception using
      errcode = 'PT403',
      message = 'not_allowed',
      detail = 'Only who wrote a message edits it.',
      hint = 'Moderators may delete it.';
  end if;
  perform chat_private.require_standing(v_message);
  v_refusal := chat_private.refusal_by_content(
    edit_message.body, v_message.client_id, v_message.mentions, v_message.attachments
  );
  perform chat_private.refuse(v_refusal);
  -- A retry finds its own edit, and that is no conflict.
  if v_message.body = edit_message.body then
    return v_message;
  end if;
  if v_message.rev <> edit_message.expected_rev then
    raise exception using
      errcode = 'PT409',
      message = 'edit_conflict',
      detail = format('The message changed meanwhile: its rev is %s.', v_message.rev),
      hint = 'Show the newer text, then edit that.';
  end if;

  perform chat_private.retract_step(v_room, v_message);
  insert into chat.message_edits (room_id, seq, rev, sender_id, body)
  values (v_room.id, v_message.seq, v_room.rev + 1, v_message.sender_id, v_message.body);
  update chat.messages as m
  set body = edit_message.body, edited_at = clock_timestamp(), rev = v_room.rev + 1
  where m.room_id = v_room.id and m.seq = v_message.seq
  returning m.* into v_message;
  update chat_private.message_search as s
  set vector = to_tsvector('chat_private.search', chat_private.split_words(v_message.body))
  where s.room_id = v_room.id and s.seq = v_message.seq;

  update chat.rooms as r
  set rev = v_room.rev + 1, touched = '{messages}'
  where r.id = v_room.id;
  return v_message;
end;
$$;

create function chat.edit_message(
  room_id uuid,
  seq bigint,
  body text,
  expected_rev bigint default null
)
returns chat.messages
language sql
volatile
set search_path = '', pg_temp
return chat_private.edit_message(room_id, seq, body, expected_rev);

comment on function chat.edit_message(uuid, bigint, text, bigint) is
  $$Change the text of a message of the caller's own.

Args:
  room_id: a room the caller is in.
  seq: a message the caller wrote.
  body: up to 8,000 characters; empty only when it has an attachment.
  expected_rev: the rev the caller saw; left out, the edit wins over any other.

Returns:
  The message; unchanged when it says that already.

Raises:
  sign_in_required: nobody is signed in.
  room_not_found: the room does not exist, or the caller is not in it.
  room_archived: the room can only be read.
  member_muted: the caller may only read.
  not_allowed: somebody else wrote it, or the caller is a reader.
  message_not_found: there is no such message.
  message_deleted: it was deleted.
  invalid_input: there is nothing to say.
  message_too_long: more than 8,000 characters.
  edit_conflict: its rev is not expected_rev any more, and it says something else.$$;

revoke execute on function
  chat_private.require_message(chat.room_members, bigint),
  chat_private.require_standing(chat.messages),
  chat_private.retract_step(chat.rooms, chat.messages),
  chat_private.edit_message(uuid, bigint, text, bigint),
  chat.edit_message(uuid, bigint, text, bigint)
  from public, anon, authenticated;
grant execute on function
  chat_private.edit_message(uuid, bigint, text, bigint),
  chat.edit_message(uuid, bigint, text, bigint)
  to authenticated;

alter table chat.message_edits enable row level security;

create policy "moderators and the author read what a message said before" on chat.message_edits
  for select to authenticated
  using (
    seq > chat_private.visible_after(room_id)
    and (sender_id = (select auth.uid()) or chat_private.is_moderator(room_id))
  );

grant select on chat.message_edits to authenticated, service_role;
