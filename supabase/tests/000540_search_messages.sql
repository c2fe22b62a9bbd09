-- search_messages: find what was said, in the rooms I am in and from when I may read.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
select tests.act_as('Ann');
select chat.send_message(tests.room('trip'), body, gen_random_uuid())
from unnest(array[
  'Café on the corner', 'cafeteria', 'Zürich at noon', 'red apples and green pears', 'green apples',
  '<b>bold</b> move', 'Привет мир', 'look https://example.com/a/b', 'at /path/page.html?q=1',
  'a well-known fox-trot', 'state-of-the-art co-op', 'mother-in-law', '<script>alert(1)</script>',
  'if a<bee and cee>dee', 'Vec<u8> as List<String>', 'quarterly_report.pdf', 'budget-2026.xlsx',
  'docs/readme.txt', '/usr/local/bin', 'write to a.b@example.com', 'สวัสดีครับ', 'हिन्दी', '-7 degrees',
  'naïve5', repeat('long', 500) || ' tail'
]) as b (body);
select chat.send_message(tests.room('late'), 'late secret', gen_random_uuid());
select chat.send_message(tests.room('pair'), 'pair secret', gen_random_uuid());
select tests.remember('den', (chat.create_room('Den')).id);
select chat.send_message(tests.room('den'), 'den secret', gen_random_uuid());

-- Cat
select tests.act_as('Cat');
select results_eq(
  format('select message ->> ''body'' from chat.search_messages(%L)', query),
  format('select unnest(%L::text[])', found), format('%s: %s', query, title)
)
from (
  values
  ('cafe', '{cafeteria,Café on the corner}', 'accents do not matter, and the last word may be a beginning'),
  ('CAFÉ corner', '{Café on the corner}', 'capitals do not matter'),
  ('zurich', '{Zürich at noon}', 'accents left out are found'),
  ('apples', '{green apples,red apples and green pears}', 'the newest comes first'),
  ('"green apples"', '{green apples}', 'quotes keep words together'),
  ('apples -red', '{green apples}', 'a word behind minus is left out'),
  ('pears or noon', '{red apples and green pears,Zürich at noon}', 'the word or finds either'),
  ('прив', '{Привет мир}', 'every script is searched'),
  ('den', '{}', 'nothing is found where one is not'),
  ('nowhere', '{}', 'nothing is found where nothing is'),
  (''' | '' & ) :* \', '{}', 'operators of the database are only characters'),
  ('https://example.com/a/b', '{look https://example.com/a/b}', 'a link finds itself'),
  ('https://example.com', '{look https://example.com/a/b}', 'a link finds what begins with it'),
  ('https://example.com/b', '{}', 'a link does not find another one'),
  ('page.html', '{at /path/page.html?q=1}', 'a link is found by a part'),
  ('html.page', '{}', 'a part of a link is found in its order only'),
  ('well', '{a well-known fox-trot}', 'a compound is found by its beginning'),
  ('well-kn', '{a well-known fox-trot}', 'a compound is found while it is typed'),
  ('well-known', '{a well-known fox-trot}', 'a compound is found whole'),
  ('well-un', '{}', 'a compound does not find another one that begins alike'),
  ('fox-tr', '{a well-known fox-trot}', 'a compound is found by the beginning of its second part'),
  ('co-op', '{state-of-the-art co-op}', 'a short compound is found by its second part'),
  ('state-of', '{state-of-the-art co-op}', 'a long compound is found while it is typed'),
  ('mother-in', '{mother-in-law}', 'a compound is found whatever follows'),
  ('fox -well-kn', '{}', 'minus leaves out a compound'),
  ('fox -well-un', '{a well-known fox-trot}', 'minus leaves out no other compound that begins alike'),
  ('apples -"green apples"', '{red apples and green pears}', 'minus leaves out what is in quotes'),
  ('alert', '{<script>alert(1)</script>}', 'a tag is text'),
  ('script', '{<script>alert(1)</script>}', 'a tag is found by its name'),
  ('<script>', '{<script>alert(1)</script>}', 'a tag is found with its brackets'),
  ('bee', '{if a<bee and cee>dee}', 'what only looks like a tag is text as well'),
  ('List<String>', '{Vec<u8> as List<String>}', 'a type is found whole'),
  ('u8', '{Vec<u8> as List<String>}', 'a type is found by a part'),
  ('quarterly_report', '{quarterly_report.pdf}', 'a file is found without its ending'),
  ('report', '{quarterly_report.pdf}', 'a file is found by a part'),
  ('quarterly_report.pdf', '{quarterly_report.pdf}', 'a file is found whole'),
  ('report_quarterly', '{}', 'a file is found in its order only'),
  ('budget-2026', '{budget-2026.xlsx}', 'a file is found with a number'),
  ('2026', '{budget-2026.xlsx}', 'a file is found by a number'),
  ('readme.txt', '{docs/readme.txt}', 'a file is found without its folder'),
  ('/usr/local', '{/usr/local/bin}', 'a path is found by its beginning'),
  ('bin', '{/usr/local/bin}', 'a path is found by its end'),
  ('a.b@example.com', '{write to a.b@example.com}', 'an address is found whole'),
  ('b@example', '{write to a.b@example.com}', 'an address is found by a part'),
  ('example.com', '{write to a.b@example.com,look https://example.com/a/b}', 'an address is found by its host'),
  ('b.a@example.com', '{}', 'an address does not find another one'),
  ('สวัสดี', '{สวัสดีครับ}', 'a beginning may end with a mark above a letter'),
  ('हिन्', '{हिन्दी}', 'a beginning may end with a mark below a letter'),
  ('ครับ', '{สวัสดีครับ}', 'what is written without spaces is found by any part of it'),
  ('7', '{-7 degrees}', 'a sign is no part of a number'),
  ('"-7 deg', '{-7 degrees}', 'a sign between quotes is no part of a number'),
  ('degrees -7', '{}', 'a number can be left out'),
  ('NAIVE5', '{naïve5}', 'accents do not matter beside a digit'),
  ('degre', '{-7 degrees}', 'a beginning is enough'),
  ('degre ', '{}', 'a beginning that a space ends is not enough'),
  ('"degre"', '{}', 'a beginning between quotes is not enough'),
  ('degre-', '{}', 'a beginning is not enough before a hyphen')
) as s (query, found, title);
select set_eq(
  $$ select message ->> 'body' from chat.search_messages('secret') $$,
  $$ values ('late secret'), ('pair secret') $$, 'all of one''s rooms are searched'
);
select results_eq(
  format('select message ->> ''body'' from chat.search_messages(''secret'', %L)', tests.room('pair')),
  $$ values ('pair secret') $$, 'one room is searched when it is named'
);
select alike(
  (select snippet from chat.search_messages('bold')), '%«bold»%', 'a snippet marks with plain delimiters'
);
select results_eq(
  format('select snippet from chat.search_messages(%L)', query), format('values (%L)', snippet), title
)
from (
  values
  ('alert', 'script>«alert»(1)</script', 'a snippet shows what was written, tags included'),
  ('bee', 'if a<«bee» and cee>dee', 'a snippet shows what only looks like a tag'),
  ('page.html', 'at /path/«page».«html»?q', 'a snippet shows all signs'),
  ('tail', repeat('long', 50) || '…«tail»', 'a snippet is short, whatever the words are'),
  ('longl', '«' || repeat('long', 50) || '…»', 'a snippet is short, even if the word that was found is long')
) as s (query, snippet, title);

-- What a search may cost
select tests.act_as('Ann');
select chat.send_message(tests.room('trip'), body, gen_random_uuid())
from unnest(array[
  repeat('filler ', 900) || 'needle in' || repeat(' hay', 300), 'two' || repeat(' filler', 600) || ' zwei two words' || repeat(' hay', 300),
  'one two three four five six seven eight nine ten', 'zz z', 'zzz'
]) as b (body);
select tests.act_as('Cat');
select is(
  (select snippet from chat.search_messages('needle')), 'filler filler filler filler filler filler filler filler filler «needle» in hay hay hay hay hay hay hay hay hay',
  'a snippet is from where the word is, however long the message is'
);
select alike(
  (select snippet from chat.search_messages('"zwei two"')), '%«zwei» «two» words%', 'a snippet is from where the phrase is, and not its first word'
);
select is(
  (select count(*) from chat.search_messages('one two three four five six seven eight nine ten')), 1::bigint, 'ten words are searched for'
);
select tests.refuses(
  'Cat', 'invalid_input', 'select chat.search_messages(''one two three four five six seven eight nine ten eleven'')', 'eleven words are not searched for'
);
select tests.act_as('Cat');
select is(
  (select count(*) from chat.search_messages(query)), found, format('%s: %s', title, left(query, 20))
)
from (
  values
  (repeat('one two ', 60), 1::bigint, 'words that are repeated count once'),
  (repeat('needle or ', 40) || 'needle', 1, 'alternatives that are repeated count once'),
  (repeat('"two three" ', 20), 1, 'phrases that are repeated count once'),
  ('-one ' || repeat('two ', 60), 1, 'a word that is left out stays out'),
  ('z', 1, 'a letter is a word and no beginning'),
  ('zz', 2, 'two letters are a beginning')
) as q (query, found, title);
select is(
  (select message from chat.search_messages('bold')),
  (select to_jsonb(m) from chat.messages as m where m.body like '<b>%'), 'a message that was found is the row of the table'
);
select results_eq(
  $$
    with recursive pages as (
      (select f.message, 1 as page from chat.search_messages('green', page_size => 1) as f)
      union all
      select next.message, p.page + 1
      from pages as p,
        lateral chat.search_messages('green', before => p.message, page_size => 1) as next
    )
    select message ->> 'body' from pages order by page
  $$,
  $$ select message ->> 'body' from chat.search_messages('green') $$,
  'pages join without gap or overlap'
);
select throws_ok(
  format('select chat.search_messages(%s)', arguments), 'PT400', 'invalid_input', title
)
from (
  values
  ('''''', 'a search has a word'), ('''  ''', 'a query is not only spaces'), ('null', 'a query is not null'),
  ('repeat(''x'', 501)', 'a query is short'), ('''x'', before => ''{}''', 'a page goes on from a message'),
  ('''x'', page_size => 0', 'a page is not empty'), ('''x'', page_size => 201', 'a page size is not larger than 200')
) as a (arguments, title);
create temp view goes_on as
select '{"created_at": "2026-11-21T01:00:00+00:00", "room_id": "00000000-0000-0000-0000-000000000000", "seq": 1}'::jsonb as before;
grant select on goes_on to public;
select tests.lets('Cat', format('select chat.search_messages(''x'', before => %L)', before), 'a search goes on from a whole message') from goes_on;
select tests.refuses(
  'Cat', 'invalid_input', format('select chat.search_messages(''x'', before => %L)', before || broken), format('with %s it is none', broken)
)
from goes_on, unnest(array[
  '{"created_at": "z"}', '{"created_at": 5}', '{"created_at": null}', '{"room_id": "zz"}', '{"room_id": null}',
  '{"seq": "a"}', '{"seq": 1e30}', '{"seq": 1.5}', '{"seq": null}'
]::jsonb[]) as b (broken);

-- Every sign, from all who write
create temp table signs as
select n, chr(n) as sign
from generate_series(33, 126) as n
where chr(n) !~ '[[:alnum:]]';
create temp table texts as
select string_agg(format('a%1$s%2$sb%1$s %2$s%1$s', s.n, s.sign), ' ' order by s.n) as body
from signs as s;
grant select on signs, texts to public;
select tests.act_as('Ann');
select tests.remember('signs', (chat.create_room('Signs')).id);
select tests.remember('old', (chat.create_room('Old')).id);
select chat.send_message(tests.room('signs'), body, gen_random_uuid()) from texts;
select results_eq(
  $$
    select position(format('«a%1$s»%2$s«b%1$s»', s.n, s.sign) in f.snippet) > 0, count(*)
    from signs as s
    cross join lateral chat.search_messages(format('"a%1$s b%1$s"', s.n)) as f
    group by 1
  $$,
  $$ values (true, 32::bigint) $$, 'each sign parts words, and a snippet shows it'
);
select chat.edit_message(
  tests.room('signs'), (chat.send_message(tests.room('signs'), 'x', gen_random_uuid())).seq, body
)
from texts;
select chat.send_messages(jsonb_build_array(jsonb_build_object(
  'room_id', tests.room('signs'), 'client_id', gen_random_uuid(), 'body', body
)))
from texts;
select tests.stop_acting();
select chat.import_messages(tests.room('old'), jsonb_build_array(jsonb_build_object(
  'client_id', gen_random_uuid(), 'sender_id', tests.id_of('Ann'), 'sender_name', 'Ann',
  'created_at', '2020-01-01T00:00:00Z', 'body', body
)))
from texts;
select tests.act_as('Ann');
select results_eq(
  $$
    select count(f.message), count(distinct s.n)
    from signs as s
    cross join lateral chat.search_messages(format('"a%1$s b%1$s"', s.n)) as f
  $$,
  $$ values (128::bigint, 32::bigint) $$, 'sent, sent in a batch, edited or imported, a text has the same words'
);

-- Pages are bounded by bytes
select tests.stop_acting();
update chat_private.settings set pull_bytes = 20000;
select tests.act_as('Ann');
select chat.send_message(tests.room('trip'), 'avalanche ' || repeat('x', 7900), gen_random_uuid()) from generate_series(1, 5);
select tests.act_as('Cat');
select is((select count(*) from chat.search_messages('avalanche')), 2::bigint, 'a page of what was found ends where it is too long');
select tests.stop_acting();
update chat_private.settings set pull_bytes = default;
select tests.act_as('Cat');
select is((select count(*) from chat.search_messages('avalanche')), 5::bigint, 'a page of what was found is whole if it is not too long');
select tests.act_as('Ann');
select chat.send_message(tests.room('trip'), 'avalanche ' || repeat('x', 7900), gen_random_uuid()) from generate_series(1, 12);
select tests.act_as('Cat');
select results_eq(
  $$
    with first_page as (
      select f.message, row_number() over (order by (f.message ->> 'seq')::bigint desc) as place
      from chat.search_messages('avalanche') as f
    )
    select
      (select count(*) from first_page),
      (select count(*) from first_page as p, chat.search_messages('avalanche', before => p.message) where p.place = 16)
  $$,
  $$ values (16::bigint, 1::bigint) $$, 'a page of large messages ends after 128 KB of text, and the next one goes on from it'
);

-- Edits and deletes
select tests.act_as('Ann');
select chat.edit_message(m.room_id, m.seq, 'blue plums') from chat.messages as m where m.body = 'green apples';
select chat.delete_message(m.room_id, m.seq) from chat.messages as m where m.body = 'Zürich at noon';
select tests.act_as('Cat');
select results_eq(
  $$ select message ->> 'body' from chat.search_messages('plums') $$, $$ values ('blue plums') $$,
  'an edit is found by what it says now'
);
select is_empty($$ select chat.search_messages('"green apples"') $$, 'an edit is not found by what it said');
select is_empty($$ select chat.search_messages('zurich') $$, 'what was deleted is not found');

-- Lea, who came later
select tests.act_as('Lea');
select is(
  (select count(*) from chat.search_messages('early')), 3::bigint,
  'somebody who came later finds what they may read: early in trip, hall and plaza, not in late or tower'
);
select tests.act_as('Cat');
select is((select count(*) from chat.search_messages('early')), 5::bigint, 'somebody who was in all five rooms finds what was said in each');

-- Dan, Xen and Tom
select tests.act_as('Dan');
select is_empty($$ select chat.search_messages('early') $$, 'a stranger finds nothing, public rooms included');
select tests.act_as('Xen');
select is_empty($$ select chat.search_messages('early') $$, 'an ex-member finds nothing');
select tests.act_as('Tom');
select is_empty($$ select chat.search_messages('early') $$, 'another tenant finds nothing');
select tests.strangers_find_nothing('select chat.search_messages(''early'', %L)', 'searching');

-- Opaque rooms
select tests.act_as('Ann');
select tests.remember('glass', (chat.create_room('Glass')).id), tests.remember('vault', (chat.create_room('Vault', is_opaque => true)).id);
select chat.send_message(tests.room(room.name), 'quetzal', gen_random_uuid()) from (values ('glass'), ('vault')) as room (name), generate_series(1, 40);
select is((select count(*) from chat.search_messages('quetzal', page_size => 200)), 40::bigint, 'a search over all rooms finds nothing in an opaque one');
select is_empty($$ select chat.search_messages('quetzal', tests.room('vault')) $$, 'an opaque room has nothing to find');
select results_eq(
  $$
    select tests.as_owner(format('select count(*) from chat_private.search_blocks where room_id = %L', tests.room(room.name)))
    from (values ('glass'), ('vault')) as room (name)
  $$,
  $$ values ('1'), ('0') $$, 'no words of an opaque room are stored'
);

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  $$ select chat.search_messages('x') $$, '42501', 'permission denied for function search_messages',
  'signed-out people find nothing'
);
select tests.act_without_sub();
select throws_ok(
  $$ select chat.search_messages('x') $$, 'PT401', 'sign_in_required', 'a token without a name finds nothing'
);

select * from finish();
rollback;
