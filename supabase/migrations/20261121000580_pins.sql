-- pin_message and unpin_message: messages that a room keeps at hand.

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
create index pins_standing on chat.pins (room_id, seq) where removed_at is null;
create index pins_removed on chat.pins (room_id, removed_at) where removed_at is not null;

create function chat_private.set_pinned(room_id uuid, seq bigint, pinned boolean)
returns chat.pins
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_entry chat_private.entry;
  v_room chat.rooms;
  v_me chat.room_members;
  v_message chat.messages;
  v_most integer;
  v_pin chat.pins;
begin
  v_entry := chat_private.enter_room(set_pinned.room_id, null);
  v_room := v_entry.room;
  v_me := v_entry.me;
  -- In a direct room either person may pin.
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
  select s.pins_per_room into strict v_most from chat_private.settings as s;
  if set_pinned.pinned and v_most <= (
    select count(*)
    from (
      select
      from chat.pins as p
      join chat.messages as m on m.room_id = p.room_id and m.seq = p.seq and m.deleted_at is null
      where p.room_id = v_room.id and p.removed_at is null
      limit v_most
    ) as pinned_message
  ) then
    raise exception using
      errcode = 'PT413',
      message = 'payload_too_large',
      detail = format('A room has at most %s pinned messages.', v_most),
      hint = 'Unpin one first.';
  end if;
  perform chat_private.spend(v_me.user_id, chat_private.events_in(v_room));

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
-- definer: API roles may not write these tables
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
-- definer: API roles may not write these tables
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

Price: as many as a small room has members, 1 in a large one.

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
  message_deleted: it was deleted.
  payload_too_large: the room has too many pinned messages.
  slow_down: too much at once; Retry-After tells the seconds.$$;

comment on function chat.unpin_message(uuid, bigint) is
  $$Unpin a message.

Price: as many as a small room has members, 1 in a large one.

Args:
  room_id: a room the caller moderates, or a direct room.
  seq: a message in it.

Returns:
  The pin, with removed_at; unchanged when it was gone, all null when it never was or the message
  was deleted.

Raises:
  sign_in_required: nobody is signed in.
  room_not_found: the room does not exist, or the caller is not in it.
  room_archived: the room can only be read.
  member_muted: the caller may only read.
  not_allowed: the caller is no moderator.
  message_not_found: there is no such message.
  slow_down: too much at once; Retry-After tells the seconds.$$;

revoke execute on function
  chat_private.set_pinned(uuid, bigint, boolean),
  chat_private.pin_message(uuid, bigint), chat.pin_message(uuid, bigint),
  chat_private.unpin_message(uuid, bigint), chat.unpin_message(uuid, bigint)
  from public, anon, authenticated;
grant execute on function
  chat_private.pin_message(uuid, bigint), chat.pin_message(uuid, bigint),
  chat_private.unpin_message(uuid, bigint), chat.unpin_message(uuid, bigint)
  to authenticated, service_role;

alter table chat.pins enable row level security;

create policy "members read pins of what they may read" on chat.pins
  for select to authenticated
  using (seq > chat_private.visible_after(room_id));

grant select on chat.pins to authenticated, service_role;
