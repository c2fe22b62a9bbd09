-- search_messages: find what was said, in the rooms I am in and from when I may read.

-- A search configuration of our own folds accents; `simple` knows no language, so that every word of
-- every language is found as it was typed.
-- A project may have either extension already.
create extension if not exists unaccent with schema extensions;
create extension if not exists btree_gin with schema extensions;

create text search configuration chat_private.search (copy = pg_catalog.simple);
alter text search configuration chat_private.search
  alter mapping for numword, word with extensions.unaccent, pg_catalog.simple;

-- Postgres takes what looks like a link, a path, a compound or a signed number for one word, and a
-- tag for none. A comma joins nothing, in a text or in a query.
create function chat_private.split_words(value text)
returns text
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return translate(split_words.value, '&+-./:<_~', ',,,,,,,,,');
end;
$$;

comment on function chat_private.split_words(text) is
  'Part the words of a text or a query, so that both have the same.';

revoke execute on function chat_private.split_words(text) from public, anon, authenticated;

-- Beside the messages and not in them: a stored vector would travel with every `select *`.
create table chat_private.message_search (
  room_id uuid not null,
  seq bigint not null,
  created_at timestamptz not null,
  vector tsvector not null,
  -- seq leads on purpose: an index that led with the room would invite the planner to walk the whole
  -- room when it takes its words for common.
  primary key (seq, room_id)
);

comment on table chat_private.message_search is 'The words of the messages that can be found.';

-- The room leads, so a search costs what the caller's rooms hold and not what others say.
create index message_search_by_word on chat_private.message_search using gin (room_id, vector);

create type chat.found_message as (
  message jsonb,
  rank real,
  snippet text
);

comment on type chat.found_message is 'A message that matches, and the part of it that does.';

-- A snippet shows the signs between the words, so each is set apart for a moment instead of replaced.
create function chat_private.make_snippet(body text, query tsquery)
returns text
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_snippet text;
begin
  v_snippet := ts_headline(
    'chat_private.search',
    regexp_replace(make_snippet.body collate "C", '[[:punct:]]', E'\x1F\\&\x1F', 'g'),
    make_snippet.query,
    'StartSel=«, StopSel=», MaxFragments=1, MaxWords=20, MinWords=5, ShortWord=0'
  );
  -- What is counted are words, and one alone may be a whole message.
  return regexp_replace(replace(v_snippet, E'\x1F', ''), '([^«»]{200})[^«»]+', '\1…', 'g');
end;
$$;

comment on function chat_private.make_snippet(text, tsquery) is
  'Cut the part out of a body that matches, and mark the words in it.';

revoke execute on function chat_private.make_snippet(text, tsquery)
  from public, anon, authenticated;

create function chat_private.search_messages(
  query text,
  room_id uuid,
  before jsonb,
  page_size integer
)
returns setof chat.found_message
language plpgsql
stable
-- definer: one pass over the caller's memberships instead of a policy per row
security definer
set search_path = '', pg_temp
as $$
declare
  v_me uuid := chat_private.current_user_id();
  v_size integer := chat_private.clean_page_size(search_messages.page_size);
  v_rooms uuid[];
  v_words text;
  v_query tsquery;
  v_before timestamptz;
  v_before_room uuid;
  v_before_seq bigint;
begin
  if char_length(search_messages.query) > 500 or coalesce(search_messages.query, '') !~ '\S' then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'A search has 1 to 500 characters.',
      hint = 'Type a word; "quotes" keep words together, or and - work as on the web.';
  end if;
  if search_messages.before is not null then
    if (
      pg_input_is_valid(search_messages.before ->> 'created_at', 'timestamptz')
      and pg_input_is_valid(search_messages.before ->> 'room_id', 'uuid')
      and pg_input_is_valid(search_messages.before ->> 'seq', 'bigint')
    ) is not true then
      raise exception using
        errcode = 'PT400',
        message = 'invalid_input',
        detail = 'before is {"created_at", "room_id", "seq"} of the last message of the page before.',
        hint = 'Leave it out for the first page.';
    end if;
    v_before := (search_messages.before ->> 'created_at')::timestamptz;
    v_before_room := (search_messages.before ->> 'room_id')::uuid;
    v_before_seq := (search_messages.before ->> 'seq')::bigint;
  end if;
  if search_messages.room_id is not null then
    v_rooms := array[(chat_private.require_member(search_messages.room_id)).room_id];
  else
    v_rooms := array(
      select m.room_id
      from chat.room_members as m
      where m.user_id = v_me and m.left_at is null
    );
  end if;

  -- The minus in front of a word stays. (The bracket is nothing to a query, and keeps a minus between
  -- quotes from being the sign of a number.)
  v_words := regexp_replace(search_messages.query, '(^|[\s"])-', E'\\1\x01', 'g');
  v_words := replace(chat_private.split_words(v_words), E'\x01', '-(');
  v_query := websearch_to_tsquery('chat_private.search', v_words);
  -- People search while they type, so the last word is the beginning of one, if a letter more would
  -- not be a word more.
  if numnode(v_query) = numnode(websearch_to_tsquery('chat_private.search', v_words || 'x')) then
    v_query := regexp_replace(v_query::text, '''( \))?$', ''':*\1')::tsquery;
  end if;

  -- One index look-up per room (`offset 0` keeps each of them one), and only the messages of the page are read.
  return query
    select
      to_jsonb(m), ts_rank(page.vector, v_query), chat_private.make_snippet(m.body, v_query)
    from (
      select asked.room_id, hit.seq, hit.created_at, hit.vector
      from unnest(v_rooms) as asked (room_id)
      cross join lateral (
        select m.visible_after_seq
        from chat.room_members as m
        where m.room_id = asked.room_id and m.user_id = v_me and m.left_at is null
        offset 0
      ) as mine
      cross join lateral (
        select found.seq, found.created_at, found.vector
        from (
          select s.seq, s.created_at, s.vector
          from chat_private.message_search as s
          where s.room_id = asked.room_id
            and s.vector @@ v_query
            and s.seq > mine.visible_after_seq
          offset 0
        ) as found
        order by found.seq desc
        limit 1000
      ) as hit
      where v_before is null
        or (hit.created_at, asked.room_id, hit.seq) < (v_before, v_before_room, v_before_seq)
      order by hit.created_at desc, asked.room_id desc, hit.seq desc
      limit v_size
    ) as page
    cross join lateral (
      select found.*
      from chat.messages as found
      where found.room_id = page.room_id and found.seq = page.seq
      offset 0
    ) as m
    order by page.created_at desc, page.room_id desc, page.seq desc;
end;
$$;

create function chat.search_messages(
  query text,
  room_id uuid default null,
  before jsonb default null,
  page_size integer default 20
)
returns setof chat.found_message
language sql
stable
set search_path = '', pg_temp
begin atomic
  select f.message, f.rank, f.snippet
  from chat_private.search_messages(query, room_id, before, page_size) as f;
end;

comment on function chat.search_messages(text, uuid, jsonb, integer) is
  $$Find messages by their words, the newest first.

Case, accents and the signs between words do not matter, so links, addresses and names of files are
found whole and by their parts. The last word may be incomplete.

Args:
  query: 1 to 500 characters; "two words" as a phrase, or, and - to leave out.
  room_id: only this room; left out, all rooms the caller is in.
  before: {"created_at", "room_id", "seq"} of the last message of the page before.
  page_size: 1 to 200 messages.

Returns:
  Per match: the message, its rank, and a snippet of plain text with «found» words marked. Of each
  room the newest 1,000 matches are considered.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: the query is empty or too long, or before or the page size is not as described.
  room_not_found: the room does not exist, or the caller is not in it.$$;

revoke execute on function
  chat_private.search_messages(text, uuid, jsonb, integer),
  chat.search_messages(text, uuid, jsonb, integer)
  from public, anon, authenticated;
grant execute on function
  chat_private.search_messages(text, uuid, jsonb, integer),
  chat.search_messages(text, uuid, jsonb, integer)
  to authenticated;
