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
    and m.seq > chat_private.readable_after(require_message.me)
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

-- What somebody may edit: what they wrote, while it stands.
create function chat_private.require_own_message(me chat.room_members, seq bigint)
returns chat.messages
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_message chat.messages := chat_private.require_message(
    require_own_message.me, require_own_message.seq
  );
begin
  if v_message.sender_id <> (require_own_message.me).user_id then
    raise exception using
      errcode = 'PT403',
      message = 'not_allowed',
      detail = 'Only the person who wrote a message edits it.',
      hint = 'Moderators may delete it.';
  end if;
  perform chat_private.require_standing(v_message);
  return v_message;
end;
$$;

comment on function chat_private.require_own_message(chat.room_members, bigint) is
  $$Find a message that the member wrote and may edit.

Raises:
  message_not_found: there is none that they may see.
  not_allowed: somebody else wrote it.
  message_deleted: it was deleted.$$;

-- Whom an edit calls who was not called before. The caller of this holds the room.
create function chat_private.find_newly_called(
  room chat.rooms,
  me chat.room_members,
  message chat.messages,
  mentions uuid[]
)
returns chat_private.called
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_called chat_private.called := row(
    (find_newly_called.message).mentions, '{}', null, null, '{}'
  );
begin
  if find_newly_called.mentions is not null then
    v_called := chat_private.find_called(
      find_newly_called.room, find_newly_called.me, null, find_newly_called.mentions, false
    );
    v_called.people := array(
      select n.user_id
      from unnest(v_called.notified) as n (user_id)
      where n.user_id <> all ((find_newly_called.message).mentions)
    );
    v_called.notified := v_called.people;
  end if;
  return v_called;
end;
$$;

comment on function
  chat_private.find_newly_called(chat.rooms, chat.room_members, chat.messages, uuid[]) is
  $$Find whom an edited message mentions, and to whom of them that is new.

Args:
  room: the locked room.
  me: the membership of whoever edits.
  message: as it is.
  mentions: whom it is to mention; null leaves them as they are.$$;

-- Somebody who is mentioned once more is told anew, and what told them before goes with that: there is
-- one notification of each mention, in every copy too.
create function chat_private.notify_newly_called(
  message chat.messages,
  called chat_private.called
)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  delete from chat.notifications as n
  where n.kind = 'mention'
    and n.room_id = (notify_newly_called.message).room_id
    and n.message_seq = (notify_newly_called.message).seq
    and n.user_id = any ((notify_newly_called.called).people);
  perform chat_private.notify_called(
    (notify_newly_called.message).room_id, (notify_newly_called.message).seq,
    (notify_newly_called.message).rev, (notify_newly_called.message).sender_id,
    notify_newly_called.called
  );
  perform chat_private.bump_users((notify_newly_called.called).people, '{notifications}');
end;
$$;

comment on function chat_private.notify_newly_called(chat.messages, chat_private.called) is
  $$Write the notifications of those whom an edit calls; the caller of this has locked them.

Args:
  message: as it is after the edit.
  called: whom it calls who was not called before.$$;

create function chat_private.rewrite_message(
  room chat.rooms,
  message chat.messages,
  body text,
  mentions uuid[],
  metadata jsonb
)
returns chat.messages
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_room chat.rooms := rewrite_message.room;
  v_old chat.messages := rewrite_message.message;
  v_message chat.messages;
begin
  perform chat_private.retract_step(v_room, v_old);
  update chat.messages as m
  set
    body = rewrite_message.body,
    mentions = rewrite_message.mentions,
    metadata = rewrite_message.metadata,
    edited_at = clock_timestamp(),
    rev = v_room.rev + 1
  where m.room_id = v_room.id and m.seq = v_old.seq
  returning m.* into v_message;
  if v_message.body <> v_old.body then
    insert into chat.message_edits (room_id, seq, rev, sender_id, body)
    values (v_room.id, v_old.seq, v_message.rev, v_old.sender_id, v_old.body);
    perform chat_private.renew_search(v_room.id, v_message.seq);
    -- (A large message does not wait for its run to be complete.)
    if octet_length(v_message.body) > 1024 then
      perform chat_private.grow_search(v_room.id, v_room.last_seq);
    end if;
  end if;

  update chat.rooms as r
  set rev = v_room.rev + 1, touched = '{messages}'
  where r.id = v_room.id;
  return v_message;
end;
$$;

comment on function
  chat_private.rewrite_message(chat.rooms, chat.messages, text, uuid[], jsonb) is
  $$Let a message say something else, and keep what it said.

Args:
  room: the locked room.
  message: as it was.
  body, mentions, metadata: as they are from now on.

Returns:
  The message.$$;

-- Before the lock the message may still change. That matters little: only its author changes it, and
-- what is checked is what it is going to say.
create function chat_private.check_edit(room_id uuid, seq bigint, body text, metadata jsonb)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_me chat.room_members := chat_private.require_member(check_edit.room_id);
  v_message chat.messages;
  v_metadata jsonb;
begin
  select m.* into v_message
  from chat.messages as m
  where m.room_id = v_me.room_id
    and m.seq = check_edit.seq
    and m.sender_id = v_me.user_id
    and m.kind = 'text'
    and m.deleted_at is null;
  v_metadata := coalesce(check_edit.metadata, v_message.metadata);
  if not found
    or (v_message.body, v_message.metadata) = (check_edit.body, v_metadata)
    or (chat_private.refusal_by_content(
      check_edit.body, v_message.client_id, '{}', v_message.attachments, v_metadata
    )).slug is not null
  then
    return;
  end if;
  perform chat_private.refuse(chat_private.refusal_by_check(
    v_me.room_id, v_me.user_id, check_edit.body, v_message.attachments, v_metadata
  ));
end;
$$;

comment on function chat_private.check_edit(uuid, bigint, text, jsonb) is
  $$Ask the adopter's rule about an edit, before the room is locked; the arguments are those of edit_message.

What is no edit of a message of one's own, or is wrong in other ways, is left to edit_message().

Raises:
  room_not_found: the caller is not in the room.
  message_refused: the rule is against it.$$;

create function chat_private.edit_message(
  room_id uuid,
  seq bigint,
  body text,
  expected_rev bigint,
  mentions uuid[],
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
  v_entry chat_private.entry;
  v_room chat.rooms;
  v_me chat.room_members;
  v_message chat.messages;
  v_metadata jsonb;
  v_called chat_private.called;
  v_ready_at timestamptz;
begin
  if chat_private.has_content_check() then
    perform chat_private.check_edit(
      edit_message.room_id, edit_message.seq, edit_message.body, edit_message.metadata
    );
  end if;
  v_entry := chat_private.enter_room(edit_message.room_id, 'member');
  v_room := v_entry.room;
  v_me := v_entry.me;
  v_message := chat_private.require_own_message(v_me, edit_message.seq);
  v_metadata := coalesce(edit_message.metadata, v_message.metadata);
  perform chat_private.refuse(chat_private.refusal_by_content(
    edit_message.body, v_message.client_id, coalesce(edit_message.mentions, v_message.mentions),
    v_message.attachments, v_metadata
  ));
  v_called := chat_private.find_newly_called(v_room, v_me, v_message, edit_message.mentions);
  -- A retry finds its own edit, and that is no conflict.
  if (v_message.body, v_message.mentions, v_message.metadata)
    = (edit_message.body, v_called.mentions, v_metadata)
  then
    return v_message;
  end if;
  if v_message.rev <> edit_message.expected_rev then
    raise exception using
      errcode = 'PT409',
      message = 'edit_conflict',
      detail = format('The message changed meanwhile: its rev is %s.', v_message.rev),
      hint = 'Show the newer text, then edit that.';
  end if;

  perform chat_private.lock_users(v_called.people);
  v_ready_at := chat_private.take_slow_turn(v_room, v_me);
  if v_ready_at is not null then
    perform chat_private.refuse_by_wait(v_ready_at);
  end if;
  -- Like a send, of what it says now and of what it said.
  perform chat_private.spend(
    v_me.user_id,
    1 + (
      octet_length(v_message.body) + octet_length(edit_message.body)
      + octet_length(v_message.attachments::text) + octet_length(v_metadata::text)
    ) * chat_private.events_in(v_room) / 4096 + cardinality(v_called.people)
  );
  v_message := chat_private.rewrite_message(
    v_room, v_message, edit_message.body, v_called.mentions, v_metadata
  );
  if v_called.people <> '{}' then
    perform chat_private.notify_newly_called(v_message, v_called);
  end if;
  return v_message;
end;
$$;

create function chat.edit_message(
  room_id uuid,
  seq bigint,
  body text,
  expected_rev bigint default null,
  mentions uuid[] default null,
  metadata jsonb default null
)
returns chat.messages
language sql
volatile
set search_path = '', pg_temp
return chat_private.edit_message(room_id, seq, body, expected_rev, mentions, metadata);

comment on function chat.edit_message(uuid, bigint, text, bigint, uuid[], jsonb) is
  $$Change the text, mentions or metadata of a message of one's own.

People who are mentioned now and were not before are notified. The notifications of those who are not
mentioned any more are over; clients leave them out by themselves.

Price: what sending both texts in one message would cost, to the people it notifies now.

Args:
  room_id: a room the caller is in.
  seq: a message the caller wrote.
  body: up to 8,000 characters; empty only when it has an attachment.
  expected_rev: the rev the caller saw; left out, the edit wins over any other.
  mentions: up to 50 people, instead of those it mentioned; those who are not in the room are left
    out. Left out or null, the message mentions the same people as before.
  metadata: an object of the app's own, up to 4 KB; {} clears it, null leaves it as it is.

Returns:
  The message; unchanged when all of that is so already.

Raises:
  sign_in_required: nobody is signed in.
  room_not_found: the room does not exist, or the caller is not in it.
  room_archived: the room can only be read.
  member_muted: the caller may only read.
  not_allowed: somebody else wrote it, or the caller is a reader.
  message_not_found: there is no such message.
  message_deleted: it was deleted.
  invalid_input: there is nothing to say, or the metadata are not as described.
  message_too_long: more than 8,000 characters.
  too_many_mentions: more than 50 people.
  payload_too_large: the metadata take more than 4 KB.
  edit_conflict: its rev is not expected_rev any more, and it says something else.
  message_refused: the project's own rule about content is against it.
  slow_down: slow mode, or too much at once; Retry-After tells the seconds.$$;

revoke execute on function
  chat_private.require_message(chat.room_members, bigint),
  chat_private.require_standing(chat.messages),
  chat_private.retract_step(chat.rooms, chat.messages),
  chat_private.require_own_message(chat.room_members, bigint),
  chat_private.find_newly_called(chat.rooms, chat.room_members, chat.messages, uuid[]),
  chat_private.notify_newly_called(chat.messages, chat_private.called),
  chat_private.rewrite_message(chat.rooms, chat.messages, text, uuid[], jsonb),
  chat_private.check_edit(uuid, bigint, text, jsonb),
  chat_private.edit_message(uuid, bigint, text, bigint, uuid[], jsonb),
  chat.edit_message(uuid, bigint, text, bigint, uuid[], jsonb)
  from public, anon, authenticated;
grant execute on function
  chat_private.edit_message(uuid, bigint, text, bigint, uuid[], jsonb),
  chat.edit_message(uuid, bigint, text, bigint, uuid[], jsonb)
  to authenticated, service_role;

alter table chat.message_edits enable row level security;

create policy "moderators and the author read what a message said before" on chat.message_edits
  for select to authenticated
  using (
    seq > chat_private.visible_after(room_id)
    and (sender_id = (select auth.uid()) or chat_private.is_moderator(room_id))
  );

grant select on chat.message_edits to authenticated, service_role;
