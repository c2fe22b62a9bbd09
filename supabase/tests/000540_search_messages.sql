-- search_messages: find what was said, in the rooms I am in and from when I may read.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
select tests.act_as('Ann');
select chat.send_message(tests.room('trip'), body, gen_random_uuid())
from unnest(array[
  'Café on the corner', 'cafeteria', 'Zürich at noon', 'red apples and green pears', 'green apples',
  '<b>bold</b> move', 'Привет мир'
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
  (''' | '' & ) :* \', '{}', 'operators of the database are only characters')
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
