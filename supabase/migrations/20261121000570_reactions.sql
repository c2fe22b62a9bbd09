-- add_reaction and remove_reaction: one emoji per person and message, as often as there are emoji.

create table chat.reactions (
  room_id uuid not null,
  seq bigint not null,
  user_id uuid not null references chat.profiles (user_id),
  emoji text not null,
  created_at timestamptz not null default clock_timestamp(),
  removed_at timestamptz,
  rev bigint not null,
  constraint reactions_pkey primary key (room_id, seq, user_id, emoji),
  foreign key (room_id, seq) references chat.messages (room_id, seq) on delete cascade,
  constraint emoji_is_short check (char_length(emoji) between 1 and 20)
);

comment on table chat.reactions is 'Who answered a message with which emoji.';
comment on column chat.reactions.emoji is 'One grapheme cluster: a character as people see it.';

create index reactions_by_rev on chat.reactions (room_id, rev);
create index reactions_by_user on chat.reactions (user_id, room_id, seq);

-- Postgres has no character class for grapheme clusters, so they are spelt out: a flag or half of
-- one, a skin tone alone, or a base with its marks, skin tone and tags. Zero-width joiners join only
-- pictographs; Unicode lists those in over a hundred ranges, and they are in these blocks.
create function chat_private.is_one_grapheme(value text)
returns boolean
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  c_marks constant text := '[\u0300-\u036F\u0483-\u0489\u064B-\u065F\u0900-\u0903\u093A-\u094F'
    '\u0E31\u0E34-\u0E3A\u0E47-\u0E4E\u1AB0-\u1AFF\u1DC0-\u1DFF\u20D0-\u20FF\uFE00-\uFE0F'
    '\uFE20-\uFE2F\U0001F3FB-\U0001F3FF\U000E0020-\U000E007F]*';
  c_base constant text := '[^\s\u0000-\u0020\u007F-\u00A0\u0300-\u036F\u061C\u200B-\u200F'
    '\u2028-\u202F\u205F-\u206F\u20D0-\u20FF\u3000\uFE00-\uFE0F\uFEFF\U0001F1E6-\U0001F1FF'
    '\U0001F3FB-\U0001F3FF\U000E0000-\U000E0FFF]';
  c_pictograph constant text := '[\u2190-\u2BFF\U0001F000-\U0001F1E5\U0001F200-\U0001F3FA'
    '\U0001F400-\U0001FFFD]';
begin
  return is_one_grapheme.value ~ (
    '^(?:[\U0001F1E6-\U0001F1FF]{1,2}|[\U0001F3FB-\U0001F3FF]|'
    || c_base || c_marks || '|'
    || c_pictograph || c_marks || '(?:\u200D' || c_pictograph || c_marks || ')+)$'
  );
end;
$$;

comment on function chat_private.is_one_grapheme(text) is
  'Tell whether a text is one character as people see it.';

create function chat_private.add_reaction(room_id uuid, seq bigint, emoji text)
returns chat.reactions
language plpgsql
volatile
-- definer: writes tables that nobody may write
security definer
set search_path = '', pg_temp
as $$
declare
  v_room chat.rooms;
  v_me chat.room_members;
  v_reaction chat.reactions;
begin
  if add_reaction.emoji is null
    or char_length(add_reaction.emoji) > 20
    or not chat_private.is_one_grapheme(add_reaction.emoji)
  then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'A reaction is one emoji.',
      hint = 'Pass a single character as people see it.';
  end if;
  v_room := chat_private.lock_room(add_reaction.room_id);
  v_me := chat_private.require_member(add_reaction.room_id);
  perform chat_private.require_right(v_room, v_me, 'reader');
  perform chat_private.require_standing(
    chat_private.require_message(v_me, add_reaction.seq)
  );

  select e.* into v_reaction
  from chat.reactions as e
  where e.room_id = v_room.id
    and e.seq = add_reaction.seq
    and e.user_id = v_me.user_id
    and e.emoji = add_reaction.emoji
    and e.removed_at is null;
  if found then
    return v_reaction;
  end if;
  if 20 <= (
    select count(distinct e.emoji)
    from chat.reactions as e
    where e.room_id = v_room.id
      and e.seq = add_reaction.seq
      and e.removed_at is null
      and e.emoji <> add_reaction.emoji
  ) and not exists (
    select from chat.reactions as e
    where e.room_id = v_room.id
      and e.seq = add_reaction.seq
      and e.removed_at is null
      and e.emoji = add_reaction.emoji
  ) then
    raise exception using
      errcode = 'PT413',
      message = 'payload_too_large',
      detail = 'A message has at most 20 different reactions.',
      hint = 'Use one that is there already.';
  end if;

  insert into chat.reactions as e (room_id, seq, user_id, emoji, rev)
  values (v_room.id, add_reaction.seq, v_me.user_id, add_reaction.emoji, v_room.rev + 1)
  on conflict on constraint reactions_pkey do update
  set created_at = excluded.created_at, removed_at = null, rev = excluded.rev
  returning e.* into v_reaction;
  update chat.rooms as r
  set rev = v_room.rev + 1, touched = '{reactions}'
  where r.id = v_room.id;
  return v_reaction;
end;
$$;

create function chat_private.remove_reaction(room_id uuid, seq bigint, emoji text)
returns chat.reactions
language plpgsql
volatile
-- definer: writes tables that nobody may write
security definer
set search_path = '', pg_temp
as $$
declare
  v_room chat.rooms;
  v_me chat.room_members;
  v_reaction chat.reactions;
begin
  v_room := chat_private.lock_room(remove_reaction.room_id);
  v_me := chat_private.require_member(remove_reaction.room_id);
  perform chat_private.require_right(v_room, v_me, 'reader');
  perform chat_private.require_message(v_me, remove_reaction.seq);

  select e.* into v_reaction
  from chat.reactions as e
  where e.room_id = v_room.id
    and e.seq = remove_reaction.seq
    and e.user_id = v_me.user_id
    and e.emoji = remove_reaction.emoji;
  if v_reaction.removed_at is not null or not found then
    return v_reaction;
  end if;

  update chat.reactions as e
  set removed_at = clock_timestamp(), rev = v_room.rev + 1
  where e.room_id = v_room.id
    and e.seq = v_reaction.seq
    and e.user_id = v_me.user_id
    and e.emoji = v_reaction.emoji
  returning e.* into v_reaction;
  update chat.rooms as r
  set rev = v_room.rev + 1, touched = '{reactions}'
  where r.id = v_room.id;
  return v_reaction;
end;
$$;

create function chat.add_reaction(room_id uuid, seq bigint, emoji text)
returns chat.reactions
language sql
volatile
set search_path = '', pg_temp
return chat_private.add_reaction(room_id, seq, emoji);

create function chat.remove_reaction(room_id uuid, seq bigint, emoji text)
returns chat.reactions
language sql
volatile
set search_path = '', pg_temp
return chat_private.remove_reaction(room_id, seq, emoji);

comment on function chat.add_reaction(uuid, bigint, text) is
  $$React to a message with an emoji.

Args:
  room_id: a room the caller is in; readers react too.
  seq: a message in it.
  emoji: one character as people see it; at most 20 different ones per message.

Returns:
  The reaction; unchanged when it was there already.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: emoji is not one character.
  room_not_found: the room does not exist, or the caller is not in it.
  room_archived: the room can only be read.
  member_muted: the caller may only read.
  message_not_found: there is no such message.
  message_deleted: it was deleted.
  payload_too_large: there are 20 different reactions already.$$;

comment on function chat.remove_reaction(uuid, bigint, text) is
  $$Take a reaction back.

Args:
  room_id: a room the caller is in.
  seq: a message in it.
  emoji: as it was added.

Returns:
  The reaction, with removed_at; unchanged when it was gone, all null when it never was.

Raises:
  sign_in_required: nobody is signed in.
  room_not_found: the room does not exist, or the caller is not in it.
  room_archived: the room can only be read.
  member_muted: the caller may only read.
  message_not_found: there is no such message.$$;

revoke execute on function
  chat_private.is_one_grapheme(text),
  chat_private.add_reaction(uuid, bigint, text), chat.add_reaction(uuid, bigint, text),
  chat_private.remove_reaction(uuid, bigint, text), chat.remove_reaction(uuid, bigint, text)
  from public, anon, authenticated;
grant execute on function
  chat_private.add_reaction(uuid, bigint, text), chat.add_reaction(uuid, bigint, text),
  chat_private.remove_reaction(uuid, bigint, text), chat.remove_reaction(uuid, bigint, text)
  to authenticated;

alter table chat.reactions enable row level security;

create policy "members read reactions to what they may read" on chat.reactions
  for select to authenticated
  using (seq > chat_private.visible_after(room_id));

grant select on chat.reactions to authenticated, service_role;
