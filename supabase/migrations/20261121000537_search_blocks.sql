-- The words of the messages, for each room and 256 messages, that search looks through.

-- A row holds the words of messages that follow each other, 256 at most, and the position of a word is
-- the place of its message: 1 for the first one of the row. So a search reads a few rows of its own
-- rooms, and what others say elsewhere costs it nothing. Until its 256th message a block is a row for
-- each run of 32. Rows that grew would be written anew with every run, and what each run leaves behind
-- would take more room than the words. The newest messages, which no row holds yet, are read
-- themselves: a send writes nothing for search, but for the one that completes a run.

-- A run ends early with the message that brings its text to 8 KB. So large messages do not wait to be
-- read by every search, no row holds more than a vector can, and whatever changes in a row, little has
-- to be made anew. A block of large messages keeps its runs.
create table chat_private.search_blocks (
  room_id uuid not null,
  block bigint not null,
  upto bigint not null,
  first_seq bigint not null,
  vector tsvector not null,
  primary key (room_id, block, upto)
) with (toast_tuple_target = 8160);

-- Beside its row a vector would cost a second look-up; it is compressed in it.
alter table chat_private.search_blocks alter column vector set storage main;

comment on table chat_private.search_blocks is
  'The words of a run of messages of a room, or of all 256 from 256 times the block on.';
comment on column chat_private.search_blocks.upto is
  'The last message of the run or block; above the highest one of a room, messages are read.';
comment on column chat_private.search_blocks.first_seq is
  'The first message of the run or block, whose words have the position 1.';

-- A word is cut where a lexeme would become too long; what a search finds is checked in the text.
create function chat_private.words_of(texts text[])
returns text[]
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  c_longest_word constant integer := 250;
begin
  return array(
    select case
      when octet_length(t.words) <= c_longest_word then btrim(t.words)
      else regexp_replace(btrim(t.words) collate "C", '([^ ]{250})[^ ]+', '\1', 'g')
    end
    from unnest(chat_private.split_dense(chat_private.fold_texts(words_of.texts)))
      with ordinality as t (words, place)
    order by t.place
  );
end;
$$;

comment on function chat_private.words_of(text[]) is
  $$Return the words that each of some texts is found by.

Args:
  texts: what was said; none is null.

Returns:
  For each text its words, apart by single spaces; empty where it has none.$$;

-- Most of the time of a large message goes into its words, and a send gathers them before it holds the
-- room.
create function chat_private.run_vector(
  room_id uuid,
  first_seq bigint,
  last_seq bigint,
  words text[],
  words_upto bigint
)
returns tsvector
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_before bigint := run_vector.words_upto - cardinality(run_vector.words);
  v_texts text[];
  v_known text[];
  v_places bigint[];
begin
  select
    coalesce(
      array_agg(
        case when run_vector.words[m.seq - v_before] is null then m.body else '' end order by m.seq
      ),
      '{}'
    ),
    coalesce(array_agg(run_vector.words[m.seq - v_before] order by m.seq), '{}'),
    coalesce(array_agg(m.seq - run_vector.first_seq + 1 order by m.seq), '{}')
  into v_texts, v_known, v_places
  from chat.messages as m
  where m.room_id = run_vector.room_id
    and m.seq between run_vector.first_seq and run_vector.last_seq
    and m.kind = 'text'
    and m.deleted_at is null;
  -- '~' is no word. It marks the end of the run, because || puts the positions of its right side
  -- behind the last one of its left side.
  return concat_ws(
    ' ',
    (
      select string_agg(replace(t.words, ' ', ':' || t.place || ' ') || ':' || t.place, ' ')
      from (
        select coalesce(s.known, s.words) as words, s.place
        from unnest(chat_private.words_of(v_texts), v_known, v_places) as s (words, known, place)
      ) as t
      where t.words <> ''
    ),
    '~:' || run_vector.last_seq - run_vector.first_seq + 1
  )::tsvector;
end;
$$;

comment on function chat_private.run_vector(uuid, bigint, bigint, text[], bigint) is
  $$Gather the words of some messages that follow each other.

Args:
  room_id: the room.
  first_seq, last_seq: the messages.
  words: what words_of() returned for the last messages up to words_upto; null where it was not asked.
  words_upto: the message that the last of these words belong to.

Returns:
  Their words, each with the positions of its messages; first_seq has the position 1.$$;

create function chat_private.end_of_run(room_id uuid, first_seq bigint, last_seq bigint)
returns bigint
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  c_run_bytes constant integer := 8192;
  c_block_bytes constant integer := 65536;
  v_block bigint := end_of_run.first_seq | 255;
  v_run bigint := end_of_run.first_seq | 31;
  v_bytes bigint;
  v_early bigint;
begin
  select sum(t.bytes), min(t.seq) filter (where t.so_far > c_run_bytes)
  into v_bytes, v_early
  from (
    select
      m.seq, octet_length(m.body) as bytes, sum(octet_length(m.body)) over (order by m.seq) as so_far
    from chat.messages as m
    where m.room_id = end_of_run.room_id
      and m.seq between end_of_run.first_seq and least(v_block, end_of_run.last_seq)
      and m.kind = 'text'
  ) as t;
  return case
    when end_of_run.first_seq & 255 = 0
      and v_block <= end_of_run.last_seq
      and coalesce(v_bytes, 0) <= c_block_bytes
      then v_block
    else least(v_early, case when v_run <= end_of_run.last_seq then v_run end)
  end;
end;
$$;

comment on function chat_private.end_of_run(uuid, bigint, bigint) is
  $$Tell where a run ends: with 8 KB of text or 32 messages, or with its block if all of that is short.

Args:
  room_id: the room.
  first_seq: the first message of the run.
  last_seq: the last message that it may hold.

Returns:
  The last message of the run; null where it is not complete.$$;

-- With the last message of a block its runs become one row, unless they hold much.
create function chat_private.store_run(
  room_id uuid,
  first_seq bigint,
  last_seq bigint,
  words text[],
  words_upto bigint
)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  c_block_bytes constant integer := 65536;
  v_first bigint := store_run.first_seq;
  v_vector tsvector := chat_private.run_vector(
    store_run.room_id, store_run.first_seq, store_run.last_seq, store_run.words,
    store_run.words_upto
  );
  v_run record;
begin
  if store_run.last_seq & 255 = 255
    and store_run.first_seq & 255 > 0
    and (
      select sum(octet_length(m.body))
      from chat.messages as m
      where m.room_id = store_run.room_id
        and m.seq between store_run.last_seq - 255 and store_run.last_seq
        and m.kind = 'text'
    ) <= c_block_bytes
  then
    for v_run in
      select b.first_seq, b.vector
      from chat_private.search_blocks as b
      where b.room_id = store_run.room_id
        and b.block = store_run.last_seq >> 8
        and b.upto < store_run.first_seq
      order by b.upto desc
    loop
      v_first := v_run.first_seq;
      v_vector := v_run.vector || v_vector;
    end loop;
    delete from chat_private.search_blocks as b
    where b.room_id = store_run.room_id
      and b.block = store_run.last_seq >> 8
      and b.upto < store_run.first_seq;
  end if;
  insert into chat_private.search_blocks (room_id, block, upto, first_seq, vector)
  values (store_run.room_id, store_run.last_seq >> 8, store_run.last_seq, v_first, v_vector)
  on conflict on constraint search_blocks_pkey do update
  set first_seq = excluded.first_seq, vector = excluded.vector;
end;
$$;

comment on function chat_private.store_run(uuid, bigint, bigint, text[], bigint) is
  $$Store the words of a run, or store them anew.

Args:
  room_id: the room, held by the caller.
  first_seq, last_seq: the messages of the run.
  words, words_upto: what is known of their words, as run_vector() takes it.$$;

-- Every writer that brings a message whose seq ends a run of 32, or more than 1 KB of text, calls this,
-- holding the room; if one does not, the next one makes up for it.
create function chat_private.grow_search(
  room_id uuid,
  last_seq bigint,
  words text[] default '{}'
)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_upto bigint;
  v_floor bigint;
  v_first bigint;
  v_last bigint;
  v_is_opaque boolean;
begin
  select r.is_opaque, r.floor_seq, coalesce(
    (
      select b.upto
      from chat_private.search_blocks as b
      where b.room_id = r.id
      order by b.block desc, b.upto desc
      limit 1
    ),
    -1
  )
  into v_is_opaque, v_floor, v_upto
  from chat.rooms as r
  where r.id = grow_search.room_id;
  -- Ciphertext has no words.
  if v_is_opaque then
    return;
  end if;
  v_first := greatest(v_upto, v_floor) + 1;
  while v_first <= grow_search.last_seq loop
    v_last := chat_private.end_of_run(grow_search.room_id, v_first, grow_search.last_seq);
    exit when v_last is null;
    perform chat_private.store_run(
      grow_search.room_id, v_first, v_last, grow_search.words, grow_search.last_seq
    );
    v_first := v_last + 1;
  end loop;
end;
$$;

comment on function chat_private.grow_search(uuid, bigint, text[]) is
  $$Take the words of complete runs of messages into the blocks of a room.

Args:
  room_id: the room, held by the caller.
  last_seq: its newest message.
  words: what words_of() returned for the last messages; null where it was not asked.$$;

-- What a message said is gone from its run or block with the message: that is made anew and never
-- patched. If it holds much now, it becomes several runs.
create function chat_private.renew_search(room_id uuid, seq bigint)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_first bigint;
  v_last bigint;
  v_upto bigint;
begin
  select b.first_seq, b.upto into v_first, v_upto
  from chat_private.search_blocks as b
  where b.room_id = renew_search.room_id
    and b.block = renew_search.seq >> 8
    and b.upto >= renew_search.seq
  order by b.upto
  limit 1;
  while v_first <= v_upto loop
    v_last := coalesce(
      chat_private.end_of_run(renew_search.room_id, v_first, v_upto), v_upto
    );
    perform chat_private.store_run(renew_search.room_id, v_first, v_last, '{}', v_last);
    v_first := v_last + 1;
  end loop;
end;
$$;

comment on function chat_private.renew_search(uuid, bigint) is
  $$Make the run or block of a message anew, because the message says something else now.

Args:
  room_id: the room, held by the caller.
  seq: the message.$$;

revoke execute on function
  chat_private.words_of(text[]),
  chat_private.run_vector(uuid, bigint, bigint, text[], bigint),
  chat_private.end_of_run(uuid, bigint, bigint),
  chat_private.store_run(uuid, bigint, bigint, text[], bigint),
  chat_private.grow_search(uuid, bigint, text[]),
  chat_private.renew_search(uuid, bigint)
  from public, anon, authenticated;
