-- add_reaction and remove_reaction: people answer messages with emoji, once with each.

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

comment on table chat.reactions is 'The emoji with which people answered messages.';
comment on column chat.reactions.emoji is
  'One grapheme cluster, a character as people see it, in the form that emoji keyboards send.';

create index reactions_by_rev on chat.reactions (room_id, rev);
create index reactions_standing on chat.reactions (room_id, seq, emoji) where removed_at is null;
-- Retention looks for what was taken back long ago.
create index reactions_removed on chat.reactions (room_id, removed_at) where removed_at is not null;
create index reactions_by_user on chat.reactions (user_id, room_id, seq);

-- The stored form is what emoji keyboards send, which Unicode calls fully qualified: composed
-- (NFC), with U+FE0F exactly behind what would else be shown as text (a heart, keycaps, a white
-- flag before a rainbow). It always shows as an emoji, and any other spelling leads to it, because
-- all variation selectors and other marks without a shape go first. src/parley/sync/emoji.py does
-- the same.
create function chat_private.normal_emoji(value text)
returns text
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  -- Emoji=Yes and Emoji_Presentation=No, without the digits, which are emoji in keycaps only.
  c_text_by_default constant text := '['
    '\u00A9\u00AE\u203C\u2049\u2122\u2139\u2194-\u2199\u21A9-\u21AA\u2328\u23CF\u23ED-\u23EF'
    '\u23F1-\u23F2\u23F8-\u23FA\u24C2\u25AA-\u25AB\u25B6\u25C0\u25FB-\u25FC\u2600-\u2604'
    '\u260E\u2611\u2618\u261D\u2620\u2622-\u2623\u2626\u262A\u262E-\u262F\u2638-\u263A\u2640'
    '\u2642\u265F-\u2660\u2663\u2665-\u2666\u2668\u267B\u267E\u2692\u2694-\u2697\u2699'
    '\u269B-\u269C\u26A0\u26A7\u26B0-\u26B1\u26C8\u26CF\u26D1\u26D3\u26E9\u26F0-\u26F1\u26F4'
    '\u26F7-\u26F9\u2702\u2708-\u2709\u270C-\u270D\u270F\u2712\u2714\u2716\u271D\u2721'
    '\u2733-\u2734\u2744\u2747\u2763-\u2764\u27A1\u2934-\u2935\u2B05-\u2B07\u3030\u303D\u3297'
    '\u3299\U0001F170-\U0001F171\U0001F17E-\U0001F17F\U0001F202\U0001F237\U0001F321'
    '\U0001F324-\U0001F32C\U0001F336\U0001F37D\U0001F396-\U0001F397\U0001F399-\U0001F39B'
    '\U0001F39E-\U0001F39F\U0001F3CB-\U0001F3CE\U0001F3D4-\U0001F3DF\U0001F3F3\U0001F3F5'
    '\U0001F3F7\U0001F43F\U0001F441\U0001F4FD\U0001F549-\U0001F54A\U0001F56F-\U0001F570'
    '\U0001F573-\U0001F579\U0001F587\U0001F58A-\U0001F58D\U0001F590\U0001F5A5\U0001F5A8'
    '\U0001F5B1-\U0001F5B2\U0001F5BC\U0001F5C2-\U0001F5C4\U0001F5D1-\U0001F5D3'
    '\U0001F5DC-\U0001F5DE\U0001F5E1\U0001F5E3\U0001F5E8\U0001F5EF\U0001F5F3\U0001F5FA'
    '\U0001F6CB\U0001F6CD-\U0001F6CF\U0001F6E0-\U0001F6E5\U0001F6E9\U0001F6F0\U0001F6F3'
    ']';
  v_emoji text;
begin
  -- Normalizing takes time that grows with the square of the length, and no emoji is this long.
  if char_length(normal_emoji.value) > 40 then
    return normal_emoji.value;
  end if;
  v_emoji := normalize(
    regexp_replace(
      normal_emoji.value,
      '[\u034F\u1160\u17B4\u17B5\u180B-\u180D\u180F\uFE00-\uFE0F\U000E0100-\U000E01EF]',
      '', 'g'
    ),
    nfc
  );
  return regexp_replace(
    v_emoji,
    '(^[0-9#*](?=\u20E3$)|' || c_text_by_default || '(?![\U0001F3FB-\U0001F3FF]))',
    E'\\1\uFE0F', 'g'
  );
end;
$$;

comment on function chat_private.normal_emoji(text) is
  'Return an emoji in the form in which it is stored. A text that is no emoji is only composed.';

-- Postgres has no character class for grapheme clusters, so they are spelt out: a flag or half of
-- one, a flag of tags, a skin tone alone, a base with its marks, or pictographs with a skin tone
-- each. Zero-width joiners join only pictographs; Unicode lists those in over a hundred ranges, and
-- they are in these blocks.
create function chat_private.is_one_grapheme(value text)
returns boolean
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  v_marks constant text := chat_private.combining_characters();
  v_base constant text := '[^\s\u00A0\u200C\u200D\u202F\u205F\u3000'
    '\U0001F1E6-\U0001F1FF\U0001F3FB-\U0001F3FF\U000E0000-\U000E0FFF'
    || chat_private.shapeless_characters() || v_marks || ']';
  c_pictograph constant text := '[\u2190-\u2BFF\U0001F000-\U0001F1E5\U0001F200-\U0001F3FA'
    '\U0001F400-\U0001FFFD](?:\uFE0F|[\U0001F3FB-\U0001F3FF])?';
begin
  return is_one_grapheme.value ~ (
    '^(?:[\U0001F1E6-\U0001F1FF]{1,2}|[\U0001F3FB-\U0001F3FF]|'
    '\U0001F3F4[\U000E0030-\U000E0039\U000E0061-\U000E007A]+\U000E007F|'
    || v_base || '[' || v_marks || ']*|'
    || c_pictograph || '(?:\u200D' || c_pictograph || ')*)$'
  ) and not chat_private.is_blank(is_one_grapheme.value);
end;
$$;

comment on function chat_private.is_one_grapheme(text) is
  'Tell whether a text is one character as people see it, spelled as normal_emoji spells it.';

-- Both counts stop at the limit, so reactions of other people do not make the call slower. The row
-- of a reaction that was taken back stays, because a device may still show it, and counts for its
-- person.
create function chat_private.require_reaction_left(
  me chat.room_members,
  seq bigint,
  emoji text
)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_room_id uuid := (require_reaction_left.me).room_id;
  v_settings chat_private.settings;
  v_emoji text := '';
  v_found integer := 0;
begin
  select s.* into strict v_settings from chat_private.settings as s;
  if not exists (
    select from chat.reactions as e
    where e.room_id = v_room_id
      and e.seq = require_reaction_left.seq
      and e.emoji = require_reaction_left.emoji
      and e.removed_at is null
  ) then
    -- Goes from one emoji to the next in the index, however many people chose each.
    loop
      select min(e.emoji) into v_emoji
      from chat.reactions as e
      where e.room_id = v_room_id
        and e.seq = require_reaction_left.seq
        and e.emoji > v_emoji
        and e.removed_at is null;
      exit when v_emoji is null;
      v_found := v_found + 1;
      if v_found = v_settings.emoji_per_message then
        raise exception using
          errcode = 'PT413',
          message = 'payload_too_large',
          detail = format(
            'A message has at most %s different reactions.', v_settings.emoji_per_message
          ),
          hint = 'Use one that is on the message already.';
      end if;
    end loop;
  end if;

  if v_settings.reactions_per_person <= (
    select count(*)
    from (
      select
      from chat.reactions as e
      where e.room_id = v_room_id
        and e.seq = require_reaction_left.seq
        and e.user_id = (require_reaction_left.me).user_id
      limit v_settings.reactions_per_person
    ) as mine
  ) and not exists (
    select from chat.reactions as e
    where e.room_id = v_room_id
      and e.seq = require_reaction_left.seq
      and e.user_id = (require_reaction_left.me).user_id
      and e.emoji = require_reaction_left.emoji
  ) then
    raise exception using
      errcode = 'PT413',
      message = 'payload_too_large',
      detail = format(
        'One person may put at most %s different reactions on a message, those taken back included.',
        v_settings.reactions_per_person
      ),
      hint = 'Use one that you have used on this message before.';
  end if;
end;
$$;

comment on function chat_private.require_reaction_left(chat.room_members, bigint, text) is
  $$Refuse one more reaction to a message that has enough of them.

Args:
  me: the membership of the person who reacts; the room is locked.
  seq: the message.
  emoji: a reaction of theirs that does not stand now.

Raises:
  payload_too_large: there are too many different ones, or they have used too many.$$;

create function chat_private.add_reaction(room_id uuid, seq bigint, emoji text)
returns chat.reactions
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
  v_reaction chat.reactions;
begin
  -- A text that is too long to be an emoji is refused before anything else is done with it.
  add_reaction.emoji := case
    when octet_length(add_reaction.emoji) <= 80 then chat_private.normal_emoji(add_reaction.emoji)
  end;
  if add_reaction.emoji is null
    or octet_length(add_reaction.emoji) > 80
    or char_length(add_reaction.emoji) > 20
    or not chat_private.is_one_grapheme(add_reaction.emoji)
  then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'A reaction is one emoji.',
      hint = 'Pass a single character as people see it.';
  end if;
  v_entry := chat_private.enter_room(add_reaction.room_id, 'reader');
  v_room := v_entry.room;
  v_me := v_entry.me;
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
  perform chat_private.require_reaction_left(v_me, add_reaction.seq, add_reaction.emoji);
  perform chat_private.spend(v_me.user_id, chat_private.events_in(v_room));

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
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
declare
  v_entry chat_private.entry;
  v_room chat.rooms;
  v_me chat.room_members;
  v_reaction chat.reactions;
begin
  if octet_length(remove_reaction.emoji) > 80 then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'A reaction is one emoji.',
      hint = 'Pass a single character as people see it.';
  end if;
  remove_reaction.emoji := chat_private.normal_emoji(remove_reaction.emoji);
  v_entry := chat_private.enter_room(remove_reaction.room_id, 'reader');
  v_room := v_entry.room;
  v_me := v_entry.me;
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

  perform chat_private.spend(v_me.user_id, chat_private.events_in(v_room));
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

Price: as many as a small room has members, 1 in a large one.

Args:
  room_id: a room the caller is in; readers react too.
  seq: a message in it.
  emoji: one character as people see it, however it is spelled; by default at most 20 different ones
    stand on a message, and one person puts at most 50 on it, those taken back included.

Returns:
  The reaction, with the emoji as it is stored; unchanged when it was there already.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: emoji is not one character.
  room_not_found: the room does not exist, or the caller is not in it.
  room_archived: the room can only be read.
  member_muted: the caller may only read.
  message_not_found: there is no such message.
  message_deleted: it was deleted.
  payload_too_large: the message, or the caller on it, has too many different reactions.
  slow_down: too much at once; Retry-After tells the seconds.$$;

comment on function chat.remove_reaction(uuid, bigint, text) is
  $$Take a reaction back.

Price: as many as a small room has members, 1 in a large one.

Args:
  room_id: a room the caller is in.
  seq: a message in it.
  emoji: the same character, however it is spelled.

Returns:
  The reaction, with removed_at; unchanged when it was gone, all null when it never was or the
  message was deleted.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: emoji is not one character.
  room_not_found: the room does not exist, or the caller is not in it.
  room_archived: the room can only be read.
  member_muted: the caller may only read.
  message_not_found: there is no such message.
  slow_down: too much at once; Retry-After tells the seconds.$$;

revoke execute on function
  chat_private.normal_emoji(text), chat_private.is_one_grapheme(text),
  chat_private.require_reaction_left(chat.room_members, bigint, text),
  chat_private.add_reaction(uuid, bigint, text), chat.add_reaction(uuid, bigint, text),
  chat_private.remove_reaction(uuid, bigint, text), chat.remove_reaction(uuid, bigint, text)
  from public, anon, authenticated;
grant execute on function
  chat_private.add_reaction(uuid, bigint, text), chat.add_reaction(uuid, bigint, text),
  chat_private.remove_reaction(uuid, bigint, text), chat.remove_reaction(uuid, bigint, text)
  to authenticated, service_role;

alter table chat.reactions enable row level security;

create policy "members read reactions to what they may read" on chat.reactions
  for select to authenticated
  using (seq > chat_private.visible_after(room_id));

grant select on chat.reactions to authenticated, service_role;
