-- The words of the messages, for each room and 256 messages.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
select tests.act_as('Ann');
select tests.remember('book', (chat.create_room('Book', member_ids => array[tests.id_of('Cat')])).id);

create function pg_temp.upto(block bigint default 0)
returns bigint
language sql
as $$ select tests.as_owner(format(
  'select max(b.upto) from chat_private.search_blocks as b where b.room_id = %L and b.block = %s', tests.room('book'), upto.block
))::bigint $$;
-- What is stored, and what the messages say now.
create function pg_temp.is_right()
returns boolean
language sql
as $$ select tests.as_owner(format(
  'select bool_and(ts_delete(b.vector, ''~'') = ts_delete(n.vector, ''~'')) from chat_private.search_blocks as b
     cross join lateral chat_private.run_vector(b.room_id, b.first_seq, b.upto, ''{}'', b.upto) as n (vector) where b.room_id = %L',
  tests.room('book')
))::boolean $$;
-- Where the rows of a block end.
create function pg_temp.rows_of(block bigint)
returns text
language sql
as $$ select tests.as_owner(format(
  'select string_agg((b.upto & 255)::text, '','' order by b.upto) from chat_private.search_blocks as b where b.room_id = %L and b.block = %s',
  tests.room('book'), rows_of.block
)) $$;
create function pg_temp.say(words text, up_to bigint)
returns void
language plpgsql
as $$
begin
  while (select r.last_seq from chat.rooms as r where r.id = tests.room('book')) < up_to loop
    perform chat.send_message(tests.room('book'), words || ' ' || (select r.last_seq + 1 from chat.rooms as r where r.id = tests.room('book')), gen_random_uuid());
  end loop;
end;
$$;
grant execute on all functions in schema pg_temp to public;

-- Sends
select pg_temp.say('page', 30);
select is(pg_temp.upto(), null, 'sends write nothing for search until a run of 32 is complete');
select is((select count(*) from chat.search_messages('page', tests.room('book'), page_size => 200)), 30 - min(m.seq) + 1, 'what no run holds yet is found')
from chat.messages as m where m.room_id = tests.room('book') and m.kind = 'text';
select pg_temp.say('page', 31);
select is(pg_temp.upto(), 31::bigint, 'the send that completes a run stores its words');
select ok(pg_temp.is_right(), 'words are stored at the places of their messages');
select pg_temp.say('page', 300);
select results_eq(
  $$ select pg_temp.upto(0), pg_temp.upto(1) $$, $$ values (255::bigint, 287::bigint) $$, 'a block ends with its 256th message, and another one begins'
);
select ok(pg_temp.is_right(), 'a block that grew by runs holds what one made at once would hold');

-- Batches
select chat.send_messages(jsonb_agg(jsonb_build_object(
  'room_id', tests.room('book'), 'client_id', gen_random_uuid(), 'body', 'leaf ' || n
)))
from generate_series(1, 100) as n;
select is(pg_temp.upto(1), 383::bigint, 'a batch stores the words of all runs that it completes');
select ok(pg_temp.is_right(), 'the words of a batch are stored like those of single sends');

-- A run that ends with a message of the system
select pg_temp.say('page', 414);
select chat.add_member(tests.room('book'), tests.id_of('Bob'));
select is(pg_temp.upto(1), 415::bigint, 'a message of the system completes a run as well');
select ok(pg_temp.is_right(), 'a message of the system has no words in its block');

-- Runs that were missed
select tests.change_as_owner(format(
  'delete from chat_private.search_blocks where room_id = %L and upto > 351',
  tests.room('book')
));
select is((select count(*) from chat.search_messages('leaf', tests.room('book'), page_size => 200)), 100::bigint, 'a run that nobody stored hides nothing');
select pg_temp.say('page', 447);
select is(pg_temp.upto(1), 447::bigint, 'whoever completes the next run makes up for it');
select ok(pg_temp.is_right(), 'a run that was missed is stored in its whole');

-- Edits and deletes
select chat.edit_message(tests.room('book'), 40, 'chapter');
select chat.edit_message(tests.room('book'), 450, 'chapter') from pg_temp.say('page', 450);
select set_eq(
  format('select (message ->> ''seq'')::int from chat.search_messages(''chapter'', %L)', tests.room('book')),
  '{40,450}'::int[], 'an edit is found where its block is stored, and where it is not yet'
);
select ok(pg_temp.is_right(), 'an edit makes its block anew');
select chat.delete_message(tests.room('book'), 40);
select is((select count(*) from chat.search_messages('chapter', tests.room('book'))), 1::bigint, 'a deleted message is not found');
select is(
  tests.as_owner($$ select count(*) from chat_private.search_blocks as b where b.vector @@ 'chapter' $$), '0',
  'no word of a deleted message is left in its block'
);
select ok(pg_temp.is_right(), 'a deletion makes its block anew');

-- Large messages
create function pg_temp.large(word text)
returns text
language sql
as $$ select left(large.word || ' ' || string_agg(md5(large.word || n), ' '), 5000) from generate_series(1, 160) as n $$;
-- How many messages a search reads. Of a partitioned table the partitions are counted.
create function pg_temp.read_so_far()
returns bigint
language sql
as $$
  select sum(s.seq_tup_read + s.idx_tup_fetch)::bigint
  from pg_stat_xact_user_tables as s
  where s.relid = 'chat.messages'::regclass
    or s.relid in (select i.inhrelid from pg_inherits as i where i.inhparent = 'chat.messages'::regclass)
$$;
create function pg_temp.read_by(query text)
returns bigint
language plpgsql
as $$
declare
  v_before bigint := pg_temp.read_so_far();
begin
  perform from chat.search_messages(read_by.query, tests.room('book'));
  return pg_temp.read_so_far() - v_before;
end;
$$;
grant execute on all functions in schema pg_temp to public;
select pg_temp.say('page', 455);
select tests.stop_acting();
analyze chat.messages;
select tests.act_as('Ann');
select ok(pg_temp.read_by('nowhere') between 1 and 20, 'a search reads the messages that no run holds');
select chat.send_message(tests.room('book'), pg_temp.large('first'), gen_random_uuid());
select is(pg_temp.upto(1), 447::bigint, 'a large message is not a run of its own while the text is short');
select chat.send_message(tests.room('book'), pg_temp.large('second'), gen_random_uuid());
select is(pg_temp.upto(1), 457::bigint, 'the message that brings the text of a run to 8 KB ends it');
select cmp_ok(pg_temp.read_by('nowhere'), '<=', 1::bigint, 'a search reads the time of one message where all words are stored, and no text');
select chat.send_messages(jsonb_agg(jsonb_build_object(
  'room_id', tests.room('book'), 'client_id', gen_random_uuid(), 'body', case when n % 7 = 0 then 'short ' || n else pg_temp.large('batch' || n) end
)))
from generate_series(1, 60) as n;
select chat.send_message(tests.room('book'), pg_temp.large('single' || n), gen_random_uuid()) from generate_series(1, 10) as n;
select ok(pg_temp.is_right(), 'large messages are stored by single sends and in batches as their words are');
select ok(
  tests.as_owner(format(
    'select max(s.bytes) from chat_private.search_blocks as b cross join lateral (
       select sum(octet_length(m.body)) as bytes from chat.messages as m where m.room_id = b.room_id and m.seq between b.first_seq and b.upto
     ) as s where b.room_id = %L and b.upto > 447', tests.room('book')
  ))::integer between 8192 and 8192 + 5000, 'no run of large messages holds more than 8 KB and a message'
);
select is(
  pg_temp.rows_of(1),
  '31,63,95,127,159,191,201,203,205,207,210,212,214,217,219,221,223,225,227,230,232,234,237,239,241,244,246,248,251,253,255',
  'a block of large messages keeps its runs'
);
select is((select count(*) from chat.search_messages(word)), 1::bigint, 'a large message is found: ' || word)
from unnest(array['first', 'batch33', 'single10']) as w (word);

-- Messages that become large
select pg_temp.say('page', 543);
select is(pg_temp.rows_of(2), '2,4,6,8,10,12,14,31', 'short messages make a run after large ones');
select chat.edit_message(tests.room('book'), 540, pg_temp.large('appendix'));
select is(pg_temp.rows_of(2), '2,4,6,8,10,12,14,28,31', 'an edit that brings the text of a run to 8 KB parts it');
select chat.edit_message(tests.room('book'), n, pg_temp.large('errata' || n)) from generate_series(530, 535) as n;
select is(pg_temp.rows_of(2), '2,4,6,8,10,12,14,18,20,22,28,31', 'edits part a run as often as it holds 8 KB');
select ok(pg_temp.is_right(), 'an edit of a large message makes its run anew');
select cmp_ok(pg_temp.read_by('nowhere'), '<=', 1::bigint, 'a search does not read the texts of messages that became large');
select pg_temp.say('page', 550);
select chat.edit_message(tests.room('book'), n, pg_temp.large('note' || n)) from generate_series(545, 546) as n;
select is(pg_temp.rows_of(2), '2,4,6,8,10,12,14,18,20,22,28,31,34', 'an edit ends the run of the newest messages if these hold much');
select results_eq(
  $$ select (f.message ->> 'seq')::int
     from unnest(array['appendix', 'errata531', 'note546']) with ordinality as w (word, place), chat.search_messages(w.word) as f
     order by w.place $$,
  '{540,531,546}'::int[], 'what became large is found'
);

-- Purges
select tests.stop_acting();
select chat_private.purge_messages(tests.room('book'), 300);
select is(pg_temp.upto(0), null, 'a purge removes the blocks of what it removes');
select ok(pg_temp.is_right(), 'a purge makes the block anew of which something is left');
select is(
  (
    select (min(p.place + b.first_seq - 1))::integer
    from chat_private.search_blocks as b, unnest(b.vector) as w, unnest(w.positions) as p (place)
    where b.room_id = tests.room('book') and b.block = 1
  ),
  301, 'a block holds nothing of what was purged'
);
select tests.act_as('Cat');
select is(
  (select min((message ->> 'seq')::int) from chat.search_messages('leaf', tests.room('book'), page_size => 200)), 301, 'what a purge left is found'
);
select tests.stop_acting();
select chat_private.purge_messages(r.id, r.last_seq) from chat.rooms as r where r.id = tests.room('book');
select is_empty(format('select from chat_private.search_blocks where room_id = %L', tests.room('book')), 'a purge of everything leaves nothing');
select tests.act_as('Ann');
select pg_temp.say('again', r.last_seq + 40) from chat.rooms as r where r.id = tests.room('book');
select is((select count(*) from chat.search_messages('again', tests.room('book'), page_size => 200)), 40::bigint, 'what is said after a purge is found');
select ok(pg_temp.is_right(), 'a block may begin in its middle');

-- Runs and blocks
select pg_temp.say('again', (r.last_seq | 255) + 100) from chat.rooms as r where r.id = tests.room('book');
select is(pg_temp.rows_of(r.last_seq >> 8), '31,63,95', 'a block is a row for each run until it is complete')
from chat.rooms as r where r.id = tests.room('book');
select tests.stop_acting();
select chat_private.purge_messages(r.id, (r.last_seq & ~255::bigint) + 40) from chat.rooms as r where r.id = tests.room('book');
select is(pg_temp.rows_of(r.last_seq >> 8), '63,95', 'a purge removes the runs of what it removes')
from chat.rooms as r where r.id = tests.room('book');
select ok(pg_temp.is_right(), 'a purge makes the run anew of which something is left');
select tests.act_as('Ann');
select chat.edit_message(r.id, r.last_seq - 30, 'verse') from chat.rooms as r where r.id = tests.room('book');
select ok(pg_temp.is_right(), 'an edit makes its run anew');
select pg_temp.say('again', (r.last_seq | 255) - 1) from chat.rooms as r where r.id = tests.room('book');
select is(pg_temp.rows_of(r.last_seq >> 8), '63,95,127,159,191,223', 'no run is stored twice')
from chat.rooms as r where r.id = tests.room('book');
select pg_temp.say('again', r.last_seq | 255) from chat.rooms as r where r.id = tests.room('book');
select is(pg_temp.rows_of(r.last_seq >> 8), '255', 'with its 256th message a block becomes one row')
from chat.rooms as r where r.id = tests.room('book');
select ok(pg_temp.is_right(), 'a block of runs, the first of which were purged, holds what one made at once would hold');
select is((select (message ->> 'seq')::bigint from chat.search_messages('verse', tests.room('book'))), r.last_seq - 186, 'what was in a run is found in its block')
from chat.rooms as r where r.id = tests.room('book');

select * from finish();
rollback;
