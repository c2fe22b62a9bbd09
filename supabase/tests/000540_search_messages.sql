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
  ('CAFÉ corner', '{Café on the corner}', 'in any order of letters'),
  ('zurich', '{Zürich at noon}', 'from either side'),
  ('apples', '{green apples,red apples and green pears}', 'the newest comes first'),
  ('"green apples"', '{green apples}', 'quotes keep words together'),
  ('apples -red', '{green apples}', 'minus leaves out'),
  ('pears or noon', '{red apples and green pears,Zürich at noon}', 'or is or'),
  ('прив', '{Привет мир}', 'every script is searched'),
  ('den', '{}', 'nothing is found where one is not'),
  ('nowhere', '{}', 'or where nothing is'),
  (''' | '' & ) :* \', '{}', 'operators of the database are only characters'),
  ('https://example.com/a/b', '{look https://example.com/a/b}', 'a link finds itself'),
  ('https://example.com', '{look https://example.com/a/b}', 'and what begins with it'),
  ('https://example.com/b', '{}', 'not another one'),
  ('page.html', '{at /path/page.html?q=1}', 'a link is found by a part'),
  ('html.page', '{}', 'in its order'),
  ('well', '{a well-known fox-trot}', 'a compound is found by its beginning'),
  ('well-kn', '{a well-known fox-trot}', 'while it is typed'),
  ('well-known', '{a well-known fox-trot}', 'and whole'),
  ('well-un', '{}', 'not another one that begins alike'),
  ('fox-t', '{a well-known fox-trot}', 'by its second part'),
  ('co-op', '{state-of-the-art co-op}', 'however short it is'),
  ('state-of', '{state-of-the-art co-op}', 'however long'),
  ('mother-in', '{mother-in-law}', 'whatever follows'),
  ('fox -well-kn', '{}', 'minus leaves out a compound'),
  ('fox -well-un', '{a well-known fox-trot}', 'that very one'),
  ('apples -"green apples"', '{red apples and green pears}', 'or what is in quotes'),
  ('alert', '{<script>alert(1)</script>}', 'a tag is text'),
  ('script', '{<script>alert(1)</script>}', 'with its name'),
  ('<script>', '{<script>alert(1)</script>}', 'and its brackets'),
  ('bee', '{if a<bee and cee>dee}', 'what only looks like one is text as well'),
  ('List<String>', '{Vec<u8> as List<String>}', 'a type is found whole'),
  ('u8', '{Vec<u8> as List<String>}', 'and by a part'),
  ('quarterly_report', '{quarterly_report.pdf}', 'a file is found without its ending'),
  ('report', '{quarterly_report.pdf}', 'by a part'),
  ('quarterly_report.pdf', '{quarterly_report.pdf}', 'and whole'),
  ('report_quarterly', '{}', 'in its order'),
  ('budget-2026', '{budget-2026.xlsx}', 'with a number'),
  ('2026', '{budget-2026.xlsx}', 'by a number'),
  ('readme.txt', '{docs/readme.txt}', 'without its folder'),
  ('/usr/local', '{/usr/local/bin}', 'a path is found by its beginning'),
  ('bin', '{/usr/local/bin}', 'and by its end'),
  ('a.b@example.com', '{write to a.b@example.com}', 'an address is found whole'),
  ('b@example', '{write to a.b@example.com}', 'by a part'),
  ('example.com', '{write to a.b@example.com,look https://example.com/a/b}', 'by its host'),
  ('b.a@example.com', '{}', 'not another one'),
  ('สวัสดี', '{สวัสดีครับ}', 'a beginning may end with a mark above a letter'),
  ('हिन्', '{हिन्दी}', 'or below one'),
  ('ครับ', '{}', 'but is a beginning'),
  ('7', '{-7 degrees}', 'a sign is no part of a number'),
  ('"-7 deg', '{-7 degrees}', 'nor between quotes'),
  ('degrees -7', '{}', 'a number can be left out'),
  ('NAIVE5', '{naïve5}', 'nor do accents matter beside a digit'),
  ('degre', '{-7 degrees}', 'a beginning is enough'),
  ('degre ', '{}', 'unless a space ends it'),
  ('"degre"', '{}', 'or quotes do'),
  ('degre-', '{}', 'or a hyphen')
) as s (query, found, title);
select set_eq(
  $$ select message ->> 'body' from chat.search_messages('secret') $$,
  $$ values ('late secret'), ('pair secret') $$, 'all of one''s rooms are searched'
);
select results_eq(
  format('select message ->> ''body'' from chat.search_messages(''secret'', %L)', tests.room('pair')),
  $$ values ('pair secret') $$, 'or one'
);
select alike(
  (select snippet from chat.search_messages('bold')), '%«bold»%', 'a snippet marks with plain delimiters'
);
select results_eq(
  format('select snippet from chat.search_messages(%L)', query), format('values (%L)', snippet), title
)
from (
  values
  ('alert', 'script>«alert»(1)</script', 'shows what was written, tags included'),
  ('bee', 'if a<«bee» and cee>dee', 'and what only looks like one'),
  ('page.html', 'at /path/«page».«html»?q', 'with all signs'),
  ('tail', repeat('long', 50) || '…«tail»', 'and is short, whatever the words are'),
  ('longl', '«' || repeat('long', 50) || '…» tail', 'the found one included')
) as s (query, snippet, title);
select is(
  (select message from chat.search_messages('bold')),
  (select to_jsonb(m) from chat.messages as m where m.body like '<b>%'), 'the message is the row'
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
  ('''''', 'a search has a word'), ('''  ''', 'and not only spaces'), ('null', 'nor null'),
  ('repeat(''x'', 501)', 'it is short'), ('''x'', before => ''{}''', 'a page goes on from a message'),
  ('''x'', page_size => 0', 'a page is not empty'), ('''x'', page_size => 201', 'nor larger than 200')
) as a (arguments, title);
create temp view goes_on as
select '{"created_at": "2026-11-21T01:00:00+00:00", "room_id": "00000000-0000-0000-0000-000000000000", "seq": 1}'::jsonb as before;
grant select on goes_on to public;
select tests.lets('Cat', format('select chat.search_messages(''x'', before => %L)', before), 'a whole message is one') from goes_on;
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
select results_eq(
  $$
    select s.vector, count(*)
    from chat_private.message_search as s
    where s.room_id in (tests.room('signs'), tests.room('old'))
    group by s.vector
  $$,
  $$ select to_tsvector('simple', regexp_replace(t.body, '\W|_', ' ', 'g')), 4::bigint from texts as t $$,
  'sent, sent in a batch, edited or imported, a text has the same words'
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
select is_empty($$ select chat.search_messages('"green apples"') $$, 'and not by what it said');
select is_empty($$ select chat.search_messages('zurich') $$, 'what was deleted is not found');

-- Lea, who came later
select tests.act_as('Lea');
select is(
  (select count(*) from chat.search_messages('early')), 3::bigint,
  'who came later finds what they may read: early in trip, hall and plaza, not in late or tower'
);
select tests.act_as('Cat');
select is((select count(*) from chat.search_messages('early')), 5::bigint, 'who was there finds all five');

-- Dan, Xen and Tom
select tests.act_as('Dan');
select is_empty($$ select chat.search_messages('early') $$, 'a stranger finds nothing, public rooms included');
select tests.act_as('Xen');
select is_empty($$ select chat.search_messages('early') $$, 'an ex-member finds nothing');
select tests.act_as('Tom');
select is_empty($$ select chat.search_messages('early') $$, 'another tenant finds nothing');
select tests.strangers_find_nothing('select chat.search_messages(''early'', %L)', 'searching');

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  $$ select chat.search_messages('x') $$, '42501', 'permission denied for function search_messages',
  'signed-out people find nothing'
);
select tests.act_without_sub();
select throws_ok(
  $$ select chat.search_messages('x') $$, 'PT401', 'sign_in_required', 'nor does a token without a name'
);

select * from finish();
rollback;
