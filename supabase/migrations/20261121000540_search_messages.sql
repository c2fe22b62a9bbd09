-- search_messages: find what was said, in the rooms I am in and from when I may read.

create type chat.found_message as (
  message jsonb,
  rank real,
  snippet text
);

comment on type chat.found_message is 'A message that matches, and the part of it that does.';

-- A query is a list of alternatives (or). Each has parts that a message must contain, and parts that it
-- must not contain. A part is one word, or several words next to each other. Whether a message matches
-- is decided by looking for the parts in its folded text; lexemes and keys only narrow down which
-- messages to look at.
create type chat_private.search_query as (
  parts text[],
  alternatives bigint[],
  excluded boolean[],
  words text[],
  are_begun boolean[],
  lexemes text[],
  lexeme_alternatives bigint[],
  lexemes_are_begun boolean[],
  keys text[],
  filter tsquery,
  is_exact boolean,
  pattern text,
  is_pattern boolean
);

comment on type chat_private.search_query is
  $$A query that was read.

parts with their alternatives and whether they are excluded; the words that a snippet marks, and
whether they are beginnings; the lexemes that a message of an alternative has; one word of each
alternative; what a block has to match; whether the lexemes alone decide; and the regular expression
of which a text in ASCII has at least one match, in small letters and between spaces, and whether
it alone decides.$$;

-- People search while they type, so the last word counts as the beginning of a word from its second
-- letter on: half of all words begin with the same letter. In scripts in which a character is a word or
-- a syllable, one character is enough.
create function chat_private.read_query(query text)
returns chat_private.search_query
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  c_most_words constant integer := 10;
  c_longest_word constant integer := 250;
  v_is_open boolean := right((chat_private.fold_texts(array[read_query.query]))[1], 1) <> ' ';
  v_typed text[];
  v_minus boolean[];
  v_folded text[];
  v_different bigint;
  v_query chat_private.search_query;
begin
  select
    array_agg(coalesce(typed.piece[2], typed.piece[3]) order by typed.place),
    array_agg(typed.piece[1] = '-' order by typed.place),
    chat_private.fold_texts(
      array_agg(coalesce(typed.piece[2], typed.piece[3]) order by typed.place)
    )
  into v_typed, v_minus, v_folded
  from regexp_matches(
    read_query.query, '(-?)(?:"([^"]*)(?:"|$)|([^\s"]+))', 'g'
  ) with ordinality as typed (piece, place);

  with said as (
    select
      btrim(t.folded) as words,
      t.is_excluded,
      lower(t.typed) = 'or' and not t.is_excluded
      and lag(t.place) over said_so_far is not null
      and lead(t.place) over said_so_far is not null as parts_alternatives,
      lead(t.place) over said_so_far is null and v_is_open as may_be_begun,
      t.place
    from unnest(v_typed, v_minus, v_folded) with ordinality as t (typed, is_excluded, folded, place)
    where btrim(t.folded) <> ''
    window said_so_far as (order by t.place)
  ),
  sorted as (
    select s.*, count(*) filter (where s.parts_alternatives) over (order by s.place) as alternative
    from said as s
  ),
  meant as (
    -- A minus excludes a part. In an alternative without any other part it is read as punctuation.
    select distinct
      s.alternative,
      s.words,
      s.is_excluded and bool_or(not s.is_excluded) over (partition by s.alternative)
        as is_excluded,
      s.may_be_begun
      and (char_length(last.word) > 1 or octet_length(last.word) > 2)
      and not chat_private.is_dense(last.word) as is_begun
    from sorted as s
    cross join lateral (select substring(s.words from '[^ ]+$') as word) as last
    where not s.parts_alternatives
  ),
  worded as (
    select m.alternative, w.word, m.is_excluded, m.is_begun and w.place = w.places as is_begun
    from meant as m
    cross join lateral (
      select u.word, u.place, count(*) over () as places
      from string_to_table(m.words, ' ') with ordinality as u (word, place)
    ) as w
  ),
  lexed as (
    select distinct
      w.alternative,
      l.lexeme,
      w.is_begun or char_length(w.word) = 1 and chat_private.is_dense(w.word) as is_begun
    from worded as w
    cross join lateral (
      select left(w.word, c_longest_word) as lexeme
      where char_length(w.word) = 1 or not chat_private.is_dense(w.word)
      union all
      select substr(w.word, p.place, 2)
      from generate_series(1, char_length(w.word) - 1) as p (place)
      where chat_private.is_dense(w.word)
    ) as l
    where not w.is_excluded
  )
  select
    m.parts, m.alternatives, m.excluded, w.words, w.are_begun,
    l.lexemes, l.alternatives, l.are_begun, w.keys, l.filter::tsquery, m.is_exact,
    m.pattern, m.is_pattern, w.different
  into
    v_query.parts, v_query.alternatives, v_query.excluded, v_query.words, v_query.are_begun,
    v_query.lexemes, v_query.lexeme_alternatives, v_query.lexemes_are_begun, v_query.keys,
    v_query.filter, v_query.is_exact, v_query.pattern, v_query.is_pattern, v_different
  from (
    select
      array_agg(m.part) as parts,
      array_agg(m.alternative) as alternatives,
      array_agg(m.is_excluded) as excluded,
      bool_and(
        not m.is_excluded
        and strpos(m.words, ' ') = 0
        and char_length(m.words) < c_longest_word
        and (char_length(m.words) <= 2 or not chat_private.is_dense(m.words))
      ) as is_exact,
      string_agg(replace(m.part, ' ', '[^a-z0-9]+'), '|') filter (
        where not m.is_excluded and octet_length(m.part) = char_length(m.part)
      ) as pattern,
      count(*) = count(distinct m.alternative) and not bool_or(m.is_excluded) as is_pattern
    from (
      select
        n.*,
        case when chat_private.is_dense(n.words) then '' else ' ' end
        || n.words
        || case
          when n.is_begun or chat_private.is_dense(right(n.words, 1)) then ''
          else ' '
        end as part
      from meant as n
    ) as m
  ) as m
  cross join (
    select
      array_agg(w.word) filter (where not w.is_excluded) as words,
      array_agg(w.is_begun) filter (where not w.is_excluded) as are_begun,
      array(
        select distinct on (k.alternative) k.word
        from worded as k
        where not k.is_excluded
        order by k.alternative, octet_length(k.word) desc
      ) as keys,
      count(distinct w.word) as different
    from worded as w
  ) as w
  cross join (
    select
      array_agg(l.lexeme) as lexemes,
      array_agg(l.alternative) as alternatives,
      array_agg(l.is_begun) as are_begun,
      (
        select string_agg(f.filter, ' | ')
        from (
          select
            '(' || string_agg(
              quote_literal(a.lexeme) || case when a.is_begun then ':*' else '' end, ' <0> '
            ) || ')' as filter
          from lexed as a
          group by a.alternative
        ) as f
      ) as filter
    from lexed as l
  ) as l;
  if v_different > c_most_words then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = format('A search has at most %s different words.', c_most_words),
      hint = 'Leave out those that matter least.';
  end if;
  return v_query;
end;
$$;

comment on function chat_private.read_query(text) is
  $$Read the text that a person typed into a search.

Args:
  query: words, "words next to each other", or between alternatives, - before what to leave out.

Returns:
  The query; its parts are null where it has no words.

Raises:
  invalid_input: it has too many different words.$$;

-- Decides whether a text matches. src/parley/sync/words.py does the same for a local copy.
create function chat_private.matching(query chat_private.search_query, texts text[])
returns boolean[]
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return array(
    select exists (
      select
      from unnest(
        (matching.query).parts, (matching.query).alternatives, (matching.query).excluded
      ) as p (part, alternative, is_excluded)
      group by p.alternative
      having bool_and((strpos(' ' || t.folded || ' ', p.part) > 0) <> p.is_excluded)
    )
    from unnest(chat_private.fold_texts(matching.texts)) with ordinality as t (folded, place)
    order by t.place
  );
end;
$$;

comment on function chat_private.matching(chat_private.search_query, text[]) is
  'Tell of each text, as it was typed, whether it matches a query.';

create type chat_private.search_hit as (
  room_id uuid,
  seq bigint,
  created_at timestamptz
);

comment on type chat_private.search_hit is 'A message that matches.';

create function chat_private.found_among(
  query chat_private.search_query,
  room_id uuid,
  seqs bigint[],
  are_certain boolean,
  before chat_private.search_hit
)
returns setof chat_private.search_hit
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_seqs bigint[];
  v_times timestamptz[];
  v_bodies text[];
begin
  select array_agg(m.seq), array_agg(m.created_at), array_agg(m.body)
  into v_seqs, v_times, v_bodies
  from unnest(found_among.seqs) as asked (seq)
  cross join lateral (
    select f.seq, f.created_at, f.body
    from chat.messages as f
    where f.room_id = found_among.room_id
      and f.seq = asked.seq
      and f.kind = 'text'
      and f.deleted_at is null
    offset 0
  ) as m
  where (found_among.before).created_at is null
    or (m.created_at, found_among.room_id, m.seq) < (
      (found_among.before).created_at, (found_among.before).room_id, (found_among.before).seq
    );
  if v_seqs is null then
    return;
  end if;
  return query
  select found_among.room_id, m.seq, m.created_at
  from unnest(
    v_seqs,
    v_times,
    case
      when not found_among.are_certain
        then chat_private.matching(found_among.query, v_bodies)
    end
  ) as m (seq, created_at, is_found)
  where m.is_found is not false;
end;
$$;

comment on function chat_private.found_among(
  chat_private.search_query, uuid, bigint[], boolean, chat_private.search_hit
) is
  $$Return those of some messages that match.

Args:
  query: what is looked for.
  room_id: the room.
  seqs: the messages.
  are_certain: true where they are known to match.
  before: only messages that come after this one in the order of search.$$;

-- In the vector of a block, a lexeme has the positions of the messages that contain it. A message may
-- match an alternative if all lexemes of the alternative have its position.
create function chat_private.places_in(query chat_private.search_query, vector tsvector)
returns bigint[]
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  v_lexemes text[] := (places_in.query).lexemes;
  v_found tsvector;
begin
  -- Of a vector only what was asked for is taken apart.
  if true = any ((places_in.query).lexemes_are_begun) then
    v_lexemes := v_lexemes || array(
      select word.lexeme
      from unnest(
        (places_in.query).lexemes, (places_in.query).lexemes_are_begun
      ) as asked (lexeme, is_begun)
      join unnest(tsvector_to_array(places_in.vector)) as word (lexeme)
        on starts_with(word.lexeme, asked.lexeme)
      where asked.is_begun
    );
  end if;
  v_found := ts_filter(setweight(places_in.vector, 'A', v_lexemes), '{a}');
  if cardinality((places_in.query).lexemes) = 1 then
    return array(
      select distinct p.place
      from unnest(v_found) as word
      cross join unnest(word.positions) as p (place)
      order by p.place desc
    );
  end if;
  return array(
    select distinct hit.place
    from (
      select p.place
      from unnest(v_found) as word
      join unnest(
        (places_in.query).lexemes,
        (places_in.query).lexeme_alternatives,
        (places_in.query).lexemes_are_begun
      ) with ordinality as asked (lexeme, alternative, is_begun, number)
        on case
          when asked.is_begun then starts_with(word.lexeme, asked.lexeme)
          else word.lexeme = asked.lexeme
        end
      cross join unnest(word.positions) as p (place)
      group by asked.alternative, p.place
      having count(distinct asked.number) = (
        select count(*)
        from unnest((places_in.query).lexeme_alternatives) as each (alternative)
        where each.alternative = asked.alternative
      )
    ) as hit
    order by hit.place desc
  );
end;
$$;

comment on function chat_private.places_in(chat_private.search_query, tsvector) is
  'Return the positions of a block that hold all lexemes of an alternative, the highest first.';

create function chat_private.found_in_block(
  query chat_private.search_query,
  room_id uuid,
  first_seq bigint,
  vector tsvector,
  oldest bigint,
  before chat_private.search_hit,
  page_size integer
)
returns setof chat_private.search_hit
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_are_certain boolean := (found_in_block.query).is_exact;
  v_seqs bigint[];
begin
  v_seqs := array(
    select found_in_block.first_seq + p.place - 1
    from unnest(
      chat_private.places_in(found_in_block.query, found_in_block.vector)
    ) with ordinality as p (place, number)
    where found_in_block.first_seq + p.place > found_in_block.oldest
    order by p.number
    limit case
      when v_are_certain and (found_in_block.before).created_at is null
        then found_in_block.page_size
    end
  );
  return query
  select f.room_id, f.seq, f.created_at
  from chat_private.found_among(
    found_in_block.query, found_in_block.room_id, v_seqs, v_are_certain, found_in_block.before
  ) as f;
end;
$$;

comment on function chat_private.found_in_block(
  chat_private.search_query, uuid, bigint, tsvector, bigint, chat_private.search_hit, integer
) is
  $$Return the messages of a block that match.

Args:
  query: what is looked for.
  room_id: the room.
  first_seq: the first message whose words the block holds.
  vector: those words.
  oldest: the first message to look at.
  before: only messages that come after this one in the order of search.
  page_size: that many are enough.$$;

create type chat_private.search_range as (
  room_id uuid,
  oldest bigint,
  newest bigint,
  upto bigint,
  bound timestamptz
);

comment on type chat_private.search_range is
  $$The messages of a room that were not looked at yet, from oldest to newest.

Above upto no words are stored. None of them is newer than bound.$$;

create function chat_private.search_ranges(user_id uuid, room_ids uuid[])
returns chat_private.search_range[]
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  -- `offset 0` keeps the planner from merging the subqueries, so that each stays an index look-up.
  return array(
    select row(r.id, r.oldest, r.last_seq, r.upto, r.active_at)::chat_private.search_range
    from (
      select
        h.id,
        h.last_seq,
        h.active_at,
        greatest(m.visible_after, h.floor_seq) + 1 as oldest,
        coalesce(
          (
            select b.upto
            from chat_private.search_blocks as b
            where b.room_id = m.room_id
            order by b.block desc, b.upto desc
            limit 1
          ),
          0
        ) as upto
      from unnest(search_ranges.room_ids) as asked (room_id)
      cross join lateral (
        select m.room_id, greatest(m.visible_after_seq, f.cleared_seq) as visible_after
        from chat.room_members as m
        left join chat.room_preferences as f on f.user_id = m.user_id and f.room_id = m.room_id
        where m.room_id = asked.room_id
          and m.user_id = search_ranges.user_id
          and m.left_at is null
        offset 0
      ) as m
      cross join lateral (
        select r.id, r.last_seq, r.floor_seq, r.active_at
        from chat.rooms as r
        where r.id = m.room_id and not r.is_opaque
        offset 0
      ) as h
    ) as r
    where r.oldest <= r.last_seq
    order by r.active_at desc
  );
end;
$$;

comment on function chat_private.search_ranges(uuid, uuid[]) is
  $$Return the messages that a person may search, the most active room first.

Args:
  user_id: the caller.
  room_ids: the rooms to search; those the caller is not in and opaque ones are left out.$$;

-- Searches the messages that are newer than the last complete run, whose words are in no block yet. The
-- newest texts of a room are first searched together, because most rooms have no match.
create function chat_private.found_in_tails(
  query chat_private.search_query,
  ranges chat_private.search_range[],
  newest bigint,
  before chat_private.search_hit,
  since timestamptz
)
returns setof chat_private.search_hit
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_query chat_private.search_query := found_in_tails.query;
begin
  return query
  select r.room_id, f.seq, f.created_at
  from unnest(found_in_tails.ranges) as r
  cross join lateral (
    select
      octet_length(t.texts) <> char_length(t.texts) as is_foreign,
      ' ' || lower(t.texts) || ' ' as texts,
      t.seqs
    from (
      select string_agg(m.body, ' ') collate "C" as texts, array_agg(m.seq) as seqs
      from chat.messages as m
      where m.room_id = r.room_id
        and m.seq > r.upto
        and m.seq between greatest(r.oldest, r.newest - found_in_tails.newest + 1) and r.newest
        and m.kind = 'text'
        and m.deleted_at is null
        and (found_in_tails.since is null or m.created_at >= found_in_tails.since)
    ) as t
    offset 0
  ) as tail
  cross join lateral (
    select m.seq, m.created_at
    from unnest(tail.seqs) as asked (seq)
    cross join lateral (
      select n.seq, n.created_at, n.body
      from chat.messages as n
      where n.room_id = r.room_id and n.seq = asked.seq
      offset 0
    ) as m
    where v_query.is_pattern
      and not tail.is_foreign
      and ' ' || lower(m.body collate "C") || ' ' collate "C" ~ v_query.pattern
      and (
        (found_in_tails.before).created_at is null
        or (m.created_at, r.room_id, m.seq) < (
          (found_in_tails.before).created_at,
          (found_in_tails.before).room_id,
          (found_in_tails.before).seq
        )
      )
    union all
    select g.seq, g.created_at
    from chat_private.found_among(
      v_query, r.room_id, tail.seqs, false, found_in_tails.before
    ) as g
    where tail.is_foreign or not v_query.is_pattern
  ) as f
  where tail.is_foreign
    or case cardinality(v_query.keys)
      when 1 then strpos(tail.texts, v_query.keys[1]) > 0
      else exists (
        select from unnest(v_query.keys) as k (word) where strpos(tail.texts, k.word) > 0
      )
    end
    and tail.texts ~ v_query.pattern;
end;
$$;

comment on function chat_private.found_in_tails(
  chat_private.search_query, chat_private.search_range[], bigint, chat_private.search_hit,
  timestamptz
) is
  $$Return the messages that match and whose words are stored nowhere yet.

Args:
  query: what is looked for.
  ranges: rooms, and what of them was not looked at.
  newest: how many messages of each; null is all.
  before: only messages that come after this one in the order of search.
  since: older messages are not needed; null where all are.$$;

create function chat_private.found_in_blocks(
  query chat_private.search_query,
  ranges chat_private.search_range[],
  depth integer,
  before chat_private.search_hit,
  since timestamptz,
  page_size integer
)
returns setof chat_private.search_hit
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_query chat_private.search_query := found_in_blocks.query;
begin
  return query
  select f.room_id, f.seq, f.created_at
  from unnest(found_in_blocks.ranges) as r
  cross join lateral (
    select w.first_seq, w.upto, w.vector
    from chat_private.search_blocks as w
    where w.room_id = r.room_id
      and w.block
      between greatest(r.oldest >> 8, (least(r.newest, r.upto) >> 8) - found_in_blocks.depth + 1)
      and least(r.newest, r.upto) >> 8
    offset 0
  ) as b
  cross join lateral chat_private.found_in_block(
    v_query, r.room_id, b.first_seq, b.vector, r.oldest,
    found_in_blocks.before, found_in_blocks.page_size
  ) as f
  where b.vector @@ v_query.filter
    and (
      found_in_blocks.since is null
      or not exists (
        select
        from chat.messages as m
        where m.room_id = r.room_id and m.seq = b.upto and m.created_at < found_in_blocks.since
      )
    )
    -- Blocks that earlier pages have covered are skipped after a look at their first message.
    and (
      (found_in_blocks.before).created_at is null
      or not exists (
        select
        from chat.messages as m
        where m.room_id = r.room_id
          and m.seq = greatest(r.oldest, b.first_seq)
          and m.created_at > (found_in_blocks.before).created_at
      )
    );
end;
$$;

comment on function chat_private.found_in_blocks(
  chat_private.search_query, chat_private.search_range[], integer, chat_private.search_hit,
  timestamptz, integer
) is
  $$Return messages that match from the newest blocks of rooms.

Args:
  query: what is looked for.
  ranges: rooms, and what of them was not looked at.
  depth: how many blocks of each.
  before: only messages that come after this one in the order of search.
  since: blocks that end before this are not needed; null where all are.
  page_size: that many of each block are enough.$$;

-- Goes through the rooms by their activity, in chunks that grow, and reads the newest messages of each.
-- Then it reads the newest block, and older blocks, deeper each time, of the rooms that may still have
-- something newer than the page has. So a common word is found at once, and a word that no message
-- contains costs one look at every block.
create function chat_private.find_hits(
  query chat_private.search_query,
  ranges chat_private.search_range[],
  before chat_private.search_hit,
  page_size integer
)
returns chat_private.search_hit[]
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  c_newest constant bigint := 4;
  c_first_rooms constant integer := 80;
  v_ranges chat_private.search_range[] := find_hits.ranges;
  v_chunk chat_private.search_range[];
  v_hits chat_private.search_hit[] := '{}';
  v_oldest_hit timestamptz;
  v_depth integer := 0;
  v_step integer;
  v_place integer;
begin
  while v_ranges <> '{}' loop
    v_place := 1;
    v_step := 16;
    while v_place <= cardinality(v_ranges) loop
      exit when (v_ranges[v_place]).bound < v_oldest_hit
        or v_depth = 0 and v_place > c_first_rooms and v_hits = '{}';
      v_chunk := v_ranges[v_place : v_place + v_step - 1];
      v_hits := array(
        select row(h.room_id, h.seq, h.created_at)::chat_private.search_hit
        from (
          select old.room_id, old.seq, old.created_at from unnest(v_hits) as old
          union all
          select tail.room_id, tail.seq, tail.created_at
          from chat_private.found_in_tails(
            find_hits.query, v_chunk, case v_depth when 0 then c_newest end,
            find_hits.before, v_oldest_hit
          ) as tail
          where v_depth <= 1
          union all
          select b.room_id, b.seq, b.created_at
          from chat_private.found_in_blocks(
            find_hits.query, v_chunk, v_depth, find_hits.before, v_oldest_hit, find_hits.page_size
          ) as b
          where v_depth > 0
        ) as h
        order by h.created_at desc, h.room_id desc, h.seq desc
        limit find_hits.page_size
      );
      v_oldest_hit := (v_hits[find_hits.page_size]).created_at;
      v_place := v_place + v_step;
      v_step := least(v_step * 4, 512);
    end loop;

    if v_depth = 0 and v_hits = '{}' then
      -- The word is rare, so most rooms would be looked at twice.
      v_depth := 1;
      continue;
    end if;
    v_ranges := array(
      select row(r.room_id, r.oldest, m.seq, r.upto, m.created_at)::chat_private.search_range
      from unnest(v_ranges) as r
      cross join lateral (
        select n.seq, n.created_at
        from chat.messages as n
        where n.room_id = r.room_id
          and n.seq = case v_depth
            when 0 then greatest(r.newest - c_newest, r.upto)
            else (((least(r.newest, r.upto) >> 8) - v_depth + 1) << 8) - 1
          end
          and n.seq >= r.oldest
        offset 0
      ) as m
      where v_oldest_hit is null
        or (r.bound >= v_oldest_hit and m.created_at >= v_oldest_hit)
      order by m.created_at desc
    );
    v_depth := case v_depth when 0 then 1 else least(v_depth * 4, 512) end;
  end loop;
  return v_hits;
end;
$$;

comment on function chat_private.find_hits(
  chat_private.search_query, chat_private.search_range[], chat_private.search_hit, integer
) is
  $$Find the newest messages that match.

Args:
  query: what is looked for.
  ranges: where, the most active room first.
  before: only messages that come after this one; null is from the newest on.
  page_size: how many.

Returns:
  The messages, the newest first.$$;

-- Making a snippet takes longer for longer texts, so only one part of a long body is used: the first
-- that matches the whole query, or else the first that has one of its words.
create function chat_private.cut_body(query chat_private.search_query, body text)
returns text
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  c_long constant integer := 400;
  c_step constant integer := 300;
  v_parts text[];
  v_place integer;
begin
  if char_length(cut_body.body) <= c_long then
    return cut_body.body;
  end if;
  v_parts := array(
    select substr(cut_body.body, s.start, c_long)
    from generate_series(1, char_length(cut_body.body), c_step) as s (start)
    order by s.start
  );
  v_place := array_position(chat_private.matching(cut_body.query, v_parts), true);
  if v_place is null then
    select min(t.place) into v_place
    from unnest(chat_private.fold_texts(v_parts)) with ordinality as t (folded, place)
    where exists (
      select from unnest((cut_body.query).words) as w (word) where strpos(t.folded, w.word) > 0
    );
  end if;
  return v_parts[coalesce(v_place, 1)];
end;
$$;

comment on function chat_private.cut_body(chat_private.search_query, text) is
  'Cut a part out of a body that is short enough to make a snippet of.';

create function chat_private.mark_pieces(
  query chat_private.search_query,
  folded text[],
  are_ascii boolean
)
returns boolean[]
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_words text[] := (mark_pieces.query).words;
  -- (Only the last word of a query may be a beginning.)
  v_begun text := v_words[array_position((mark_pieces.query).are_begun, true)];
  v_line text;
  v_is_plain boolean := mark_pieces.are_ascii;
begin
  if not v_is_plain then
    -- One character for each piece, so that words of scripts without spaces can be found in the line.
    select
      string_agg(
        case char_length(btrim(f.folded)) when 1 then btrim(f.folded) else ' ' end, ''
        order by f.place
      ),
      not bool_or(strpos(btrim(f.folded), ' ') > 0)
    into v_line, v_is_plain
    from unnest(mark_pieces.folded) with ordinality as f (folded, place);
    v_is_plain := v_is_plain and not exists (
      select from unnest(v_words) as w (word)
      where char_length(w.word) > 1 and strpos(v_line, w.word) > 0
    );
  end if;
  return array(
    select
      btrim(p.folded) = any (v_words)
      or coalesce(starts_with(btrim(p.folded), v_begun), false)
      or not v_is_plain and exists (
        select
        from unnest(v_words) as w (word)
        where w.word = any (string_to_array(btrim(p.folded), ' '))
          or exists (
            select
            from generate_series(0, char_length(w.word) - 1) as back (steps)
            where p.place > back.steps
              and substr(v_line, (p.place - back.steps)::integer, char_length(w.word)) = w.word
          )
      )
    from unnest(mark_pieces.folded) with ordinality as p (folded, place)
    order by p.place
  );
end;
$$;

comment on function chat_private.mark_pieces(chat_private.search_query, text[], boolean) is
  $$Tell of each piece of a text whether a query looked for it.

Args:
  query: what was looked for.
  folded: the pieces, folded.
  are_ascii: true for a text in ASCII, where a piece is at most one word.$$;

create function chat_private.make_snippet(query chat_private.search_query, body text)
returns text
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  c_words constant integer := 20;
  c_long constant integer := 200;
  v_body text := chat_private.cut_body(make_snippet.query, make_snippet.body);
  v_pieces text[] := chat_private.split_typed(v_body);
  v_folded text[] := chat_private.fold_texts(v_pieces);
  v_marks boolean[] := chat_private.mark_pieces(
    make_snippet.query, v_folded, octet_length(v_body) = char_length(v_body)
  );
  v_word integer := 0;
  v_marked_words integer[] := '{}';
  v_behind integer := 1;
  v_most integer := 0;
  v_first integer := 1;
  v_was_marked boolean := false;
  v_is_open boolean := false;
  v_part text := '';
  v_snippet text := '';
begin
  for i in 1 .. cardinality(v_pieces) loop
    v_word := v_word + (btrim(v_folded[i]) <> '')::integer;
    if v_marks[i] then
      v_marked_words := v_marked_words || v_word;
    end if;
  end loop;
  -- The snippet is cut around the mark that most other marks follow closely; the first, if several do.
  for i in 1 .. cardinality(v_marked_words) loop
    while v_marked_words[v_behind] <= v_marked_words[i] + c_words loop
      v_behind := v_behind + 1;
    end loop;
    if v_behind - i > v_most then
      v_most := v_behind - i;
      v_first := greatest(1, v_marked_words[i] - (c_words - 1) / 2);
    end if;
  end loop;

  v_word := 0;
  for i in 1 .. cardinality(v_pieces) loop
    v_word := v_word + (btrim(v_folded[i]) <> '')::integer;
    if v_word >= v_first then
      if v_was_marked and not v_marks[i] and v_part <> '' then
        v_part := v_part || '»';
        if v_is_open then
          v_snippet := v_part;
        end if;
      end if;
      v_is_open := false;
      exit when v_word >= v_first + c_words;
      v_part := v_part
        || case when v_marks[i] and not v_was_marked then '«' else '' end
        || v_pieces[i];
      -- It ends with a word that is no number, or with a mark.
      if v_marks[i] or btrim(v_folded[i]) <> '' and v_pieces[i] collate "C" !~ '^[0-9]+$' then
        v_snippet := v_part;
        v_is_open := v_marks[i];
      end if;
    end if;
    v_was_marked := v_marks[i];
  end loop;
  if v_is_open then
    v_snippet := v_part || '»';
  end if;
  -- The length was counted in words, but a single word can be as long as a message.
  if char_length(v_snippet) > c_long then
    v_snippet := regexp_replace(v_snippet, '([^«»]{200})[^«»]+', '\1…', 'g');
  end if;
  return v_snippet;
end;
$$;

comment on function chat_private.make_snippet(chat_private.search_query, text) is
  'Cut the part out of a body that matches, and mark the words in it.';

create function chat_private.rank_of(query chat_private.search_query, body text)
returns real
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_folded text := ' ' || btrim((chat_private.fold_texts(array[rank_of.body]))[1]) || ' ';
begin
  return (
    select least(
      1, sum(char_length(v_folded) - char_length(replace(v_folded, p.part, '')))::real
      / char_length(v_folded)
    )
    from unnest((rank_of.query).parts, (rank_of.query).excluded) as p (part, is_excluded)
    where not p.is_excluded
  );
end;
$$;

comment on function chat_private.rank_of(chat_private.search_query, text) is
  'Tell how much of a text is what a query looks for, from 0 to 1.';

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
-- The planner estimates such high costs for the functions above that it would compile these queries.
set jit = off
-- Without this, planning each chunk of rooms anew takes half of the time of a search.
set plan_cache_mode = force_generic_plan
as $$
declare
  -- Ranks and snippets read all of a text, which takes up to half a second for a megabyte.
  c_most_said constant integer := 131072;
  v_me uuid := chat_private.current_user_id();
  v_size integer := chat_private.clean_page_size(search_messages.page_size);
  v_rooms uuid[];
  v_before chat_private.search_hit;
  v_query chat_private.search_query;
begin
  if octet_length(search_messages.query) > 2000
    or char_length(search_messages.query) > 500
    or coalesce(search_messages.query, '') !~ '\S' then
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
    v_before.created_at := (search_messages.before ->> 'created_at')::timestamptz;
    v_before.room_id := (search_messages.before ->> 'room_id')::uuid;
    v_before.seq := (search_messages.before ->> 'seq')::bigint;
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
  v_query := chat_private.read_query(search_messages.query);
  if v_query.parts is null then
    return;
  end if;

  -- Only the messages of the page are read: first how long they are, then those that fit.
  return query
    select
      to_jsonb(m), chat_private.rank_of(v_query, m.body), chat_private.make_snippet(v_query, m.body)
    from (
      select
        found.*,
        sum(measured.bytes) over newest as bytes,
        sum(measured.said) over newest as said,
        row_number() over newest as place
      from unnest(
        chat_private.find_hits(
          v_query, chat_private.search_ranges(v_me, v_rooms), v_before, v_size
        )
      ) as found
      cross join lateral (
        select chat_private.message_bytes(m) as bytes, octet_length(m.body) as said
        from chat.messages as m
        where m.room_id = found.room_id and m.seq = found.seq
        offset 0
      ) as measured
      window newest as (order by found.created_at desc, found.room_id desc, found.seq desc)
    ) as page
    cross join lateral (
      select found.*
      from chat.messages as found
      where found.room_id = page.room_id and found.seq = page.seq
      offset 0
    ) as m
    where page.place = 1
      or page.said <= c_most_said
      and page.bytes <= (select s.pull_bytes from chat_private.settings as s)
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
found whole and by their parts. The last word may be incomplete from its second letter on; a single
letter is found as a word of its own. Text in scripts without spaces is found by any part of it, and
an emoji like a word. Opaque rooms are not searched.

Args:
  query: 1 to 500 characters, at most 10 different words; "two words" as a phrase, or, and - to leave
    out.
  room_id: only this room; left out, all rooms the caller is in.
  before: {"created_at", "room_id", "seq"} of the last message of the page before.
  page_size: 1 to 200 messages. A page may be shorter, because it is bounded by bytes as well, and by
    128 KB of text: go on from its last row until a page is empty.

Returns:
  Per match: the message, its rank (how much of it is what was looked for, from 0 to 1), and a
  snippet of plain text with «found» words marked.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: the query is empty, too long or has too many words, or before or the page size is
    not as described.
  room_not_found: the room does not exist, or the caller is not in it.$$;

revoke execute on function
  chat_private.read_query(text),
  chat_private.matching(chat_private.search_query, text[]),
  chat_private.found_among(
    chat_private.search_query, uuid, bigint[], boolean, chat_private.search_hit
  ),
  chat_private.places_in(chat_private.search_query, tsvector),
  chat_private.found_in_block(
    chat_private.search_query, uuid, bigint, tsvector, bigint, chat_private.search_hit, integer
  ),
  chat_private.search_ranges(uuid, uuid[]),
  chat_private.found_in_tails(
    chat_private.search_query, chat_private.search_range[], bigint, chat_private.search_hit,
    timestamptz
  ),
  chat_private.found_in_blocks(
    chat_private.search_query, chat_private.search_range[], integer, chat_private.search_hit,
    timestamptz, integer
  ),
  chat_private.find_hits(
    chat_private.search_query, chat_private.search_range[], chat_private.search_hit, integer
  ),
  chat_private.cut_body(chat_private.search_query, text),
  chat_private.mark_pieces(chat_private.search_query, text[], boolean),
  chat_private.make_snippet(chat_private.search_query, text),
  chat_private.rank_of(chat_private.search_query, text),
  chat_private.search_messages(text, uuid, jsonb, integer),
  chat.search_messages(text, uuid, jsonb, integer)
  from public, anon, authenticated;
grant execute on function
  chat_private.search_messages(text, uuid, jsonb, integer),
  chat.search_messages(text, uuid, jsonb, integer)
  to authenticated, service_role;
