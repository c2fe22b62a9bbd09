-- pin_message and unpin_message: what should stay at hand.

create table chat.pins (
  room_id uuid not null,
  seq bigint not null,
  pinned_by uuid not null,
  pinned_at timestamptz not null default clock_timestamp(),
  removed_at timestamptz,
  rev bigint not null,
  constraint pins_pkey primary key (room_id, seq),
  foreign key (room_id, seq) references chat.messages (room_id, seq) on delete cascade
);

comment on table chat.pins is 'Messages that a room keeps at hand.';

create index pins_by_rev on chat.pins (room_id, rev);

create function chat_private.set_pinned(room_id uuid, seq bigint, pinned boolean)
returns chat.pins
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_room chat.rooms;
  v_me chat.room_members;
  v_message chat.messages;
  v_pin chat.pins;
begin
  v_room := chat_private.lock_room(set_pinned.room_id);
  v_me := chat_private.require_member(set_pinned.room_id);
  -- In a room of two both are at home.
  perform chat_private.require_right(
    v_room, v_me, case v_room.kind when 'direct' then 'member' else 'moderator' end
  );
  v_message := chat_private.require_message(v_me, set_pinned.seq);
  if set_pinned.pinned then
    perform chat_private.require_standing(v_message);
  end if;

  select p.* into v_pin
  from chat.pins as p
  where p.room_id = v_room.id and p.seq = v_message.seq;
  if (v_pin.seq is not null and v_pin.removed_at is null) = set_pinned.pinned then
    return v_pin;
  end if;

  insert into chat.pins as p (room_id, seq, pinned_by, rev)
  values (v_room.id, v_message.seq, v_me.user_id, v_room.rev + 1)
  on conflict on constraint pins_pkey do update
  set
    pinned_by = case when set_pinned.pinned then excluded.pinned_by else p.pinned_by end,
    pinned_at = case when set_pinned.pinned then excluded.pinned_at else p.pinned_at end,
    removed_at = case when not set_pinned.pinned then clock_timestamp() end,
    rev = excluded.rev
  returning p.* into v_pin;
  update chat.rooms as r
  set rev = v_room.rev + 1, touched = '{pins}'
  where r.id = v_room.id;
  return v_pin;
end;
$$;

comment on function chat_private.set_pinned(uuid, bigint, boolean) is
  'Pin or unpin a message for a moderator, or for either person of a direct room.';

create function chat_private.pin_message(room_id uuid, seq bigint)
returns chat.pins
language plpgsql
volatile
-- definer: writes tables that nobody may write
security definer
set search_path = '', pg_temp
as $$
begin
  return chat_private.set_pinned(pin_message.room_id, pin_message.seq, true);
end;
$$;

create function chat_private.unpin_message(room_id uuid, seq bigint)
returns chat.pins
language plpgsql
volatile
-- definer: writes tables that nobody may write
security definer
set search_path = '', pg_temp
as $$
begin
  return chat_private.set_pinned(unpin_message.room_id, unpin_message.seq, false);
end;
$$;

create function chat.pin_message(room_id uuid, seq bigint)
returns chat.pins
language sql
volatile
set search_path = '', pg_temp
return chat_private.pin_message(room_id, seq);

create function chat.unpin_message(room_id uuid, seq bigint)
returns chat.pins
language sql
volatile
set search_path = '', pg_temp
return chat_private.unpin_message(room_id, seq);

comment on function chat.pin_message(uuid, bigint) is
  $$Pin a message.

Args:
  room_id: a room the caller moderates, or a direct room.
  seq: a message in it.

Returns:
  The pin; unchanged when it was pinned already.

Raises:
  sign_in_required: nobody is signed in.
  room_not_found: the room does not exist, or the caller is not in it.
  room_archived: the room can only be read.
  member_muted: the caller may only read.
  not_allowed: the caller is no moderator.
  message_not_found: there is no such message.
  message_deleted: it was deleted.$$;

comment on function chat.unpin_message(uuid, bigint) is
  $$Unpin a message.

Args:
  room_id: a room the caller moderates, or a direct room.
  seq: a message in it.

Returns:
  The pin, with removed_at; unchanged when it was gone, all null when it never was.

Raises:
  sign_in_required: nobody is signed in.
  room_not_found: the room does not exist, or the caller is not in it.
  room_archived: the room can only be read.
  member_muted: the caller may only read.
  not_allowed: the caller is no moderator.
  message_not_found: there is no such message.$$;

revoke execute on function
  chat_private.set_pinned(uuid, bigint, boolean),
  chat_private.pin_message(uuid, bigint), chat.pin_message(uuid, bigint),
  chat_private.unpin_message(uuid, bigint), chat.unpin_message(uuid, bigint)
  from public, anon, authenticated;
grant execute on function
  chat_private.pin_message(uuid, bigint), chat.pin_message(uuid, bigint),
  chat_private.unpin_message(uuid, bigint), chat.unpin_message(uuid, bigint)
  to authenticated;

alter table chat.pins enable row level security;

create policy "members read pins of what they may read" on chat.pins
  for select to authenticated
  using (seq > chat_private.visible_after(room_id));

grant select on chat.pins to authenticated, service_role;
