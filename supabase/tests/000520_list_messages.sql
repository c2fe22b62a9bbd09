-- list_messages: pages of a room.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
select tests.act_as('Ann');
select tests.remember('book', (chat.create_room('Book', member_ids => array[
  tests.id_of('Cat'), tests.id_of('Xen')
])).id);
select chat.send_message(tests.room('book'), 'page ' || n, gen_random_uuid())
from generate_series(1, 120) as n;
select tests.act_as('Xen');
select chat.leave_room(tests.room('book'));

-- A member
select tests.act_as('Cat');
select results_eq(
  format('select seq from chat.list_messages(%L %s)', tests.room('book'), arguments),
  format('select n::bigint from generate_series(%s) as n', range), title
)
from (
  values
  ('', '72, 121', 'without a position it is the newest page, oldest first'),
  (', page_size => 1', '121, 121', 'of the size that is asked for'),
  (', page_size => 200', '1, 121', 'or all there is'),
  (', before => 11', '1, 10', 'before a message are the ones below it'),
  (', before => 100, page_size => 3', '97, 99', 'the nearest ones'),
  (', before => 1000000', '72, 121', 'before the future is the newest page'),
  (', after => 119', '120, 121', 'after a message are the ones above it'),
  (', after => 10, page_size => 3', '11, 13', 'the nearest ones'),
  (', after => 0, page_size => 2', '1, 2', 'from the first on'),
  (', around => 60, page_size => 5', '58, 62', 'around a message are both sides'),
  (', around => 1, page_size => 4', '1, 2', 'as far as there are any'),
  (', around => 121, page_size => 4', '119, 121', 'on either end'),
  (', before => 1', '2, 1', 'before the first is nothing'),
  (', after => 121', '2, 1', 'after the newest is nothing'),
  (', before => -5', '2, 1', 'below zero is nothing')
) as p (arguments, range, title);
select throws_ok(
  format('select chat.list_messages(%L, %s)', tests.room('book'), arguments), 'PT400',
  'invalid_input', title
)
from (
  values
  ('before => 1, after => 1', 'a page has one position'),
  ('after => 1, around => 1', 'of the three'),
  ('page_size => 0', 'a page is not empty'),
  ('page_size => 201', 'nor larger than 200'),
  ('page_size => null', 'nor null'),
  ('page_size => -1', 'nor negative')
) as p (arguments, title);
select is(
  (select count(*) from chat.list_messages(tests.room('book'), page_size => 200)),
  (select count(*) from chat.messages where room_id = tests.room('book')),
  'it is what the policy shows'
);

-- Lea, who came later
select tests.act_as('Lea');
select results_eq(
  format('select seq from chat.list_messages(%L %s)', tests.room('late'), arguments),
  format('select seq from chat.messages where room_id = %L order by seq', tests.room('late')), title
)
from (
  values
  ('', 'who came later gets what came later'),
  (', after => 0', 'from whichever side'),
  (', around => 1', 'they look'),
  (', before => 100000', 'at it')
) as p (arguments, title);
select isnt_empty(
  format('select chat.list_messages(%L)', tests.room('late')), 'which is something'
);

-- Strangers, ex-members, other tenants
select tests.strangers_find_nothing('select chat.list_messages(%L)', 'listing');
select tests.act_as('Xen');
select tests.looks_absent(
  'select chat.list_messages(%L, around => 5)', tests.room('book'), 'an ex-member reads nothing of what they once read'
);

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  $$ select chat.list_messages(tests.room('book')) $$, '42501',
  'permission denied for function list_messages', 'signed-out people list nothing'
);
select tests.act_without_sub();
select throws_ok(
  $$ select chat.list_messages(tests.room('book')) $$, 'PT401', 'sign_in_required',
  'nor does a token without a name'
);

select * from finish();
rollback;
