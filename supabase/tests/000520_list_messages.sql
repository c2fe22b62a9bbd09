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
  ('', '72, 121', 'a page without a position is the newest one, oldest message first'),
  (', page_size => 1', '121, 121', 'a page has the size that is asked for'),
  (', page_size => 200', '1, 121', 'a page that is large enough has all there is'),
  (', before => 11', '1, 10', 'a page before a message has those below it'),
  (', before => 100, page_size => 3', '97, 99', 'a page before a message has the nearest ones'),
  (', before => 1000000', '72, 121', 'a page before the future is the newest one'),
  (', after => 119', '120, 121', 'a page after a message has those above it'),
  (', after => 10, page_size => 3', '11, 13', 'a page after a message has the nearest ones'),
  (', after => 0, page_size => 2', '1, 2', 'a page after nothing is the beginning'),
  (', around => 60, page_size => 5', '58, 62', 'a page around a message has both sides of it'),
  (', around => 1, page_size => 4', '1, 2', 'a page around the first message begins with it'),
  (', around => 121, page_size => 4', '119, 121', 'a page around the newest message ends with it'),
  (', before => 1', '2, 1', 'a page before the first message is empty'),
  (', after => 121', '2, 1', 'a page after the newest message is empty'),
  (', before => -5', '2, 1', 'a page below zero is empty')
) as p (arguments, range, title);
select throws_ok(
  format('select chat.list_messages(%L, %s)', tests.room('book'), arguments), 'PT400',
  'invalid_input', title
)
from (
  values
  ('before => 1, after => 1', 'a page has one position'),
  ('after => 1, around => 1', 'a page has one position of the three'),
  ('page_size => 0', 'a page is not empty'),
  ('page_size => 201', 'a page is not larger than 200'),
  ('page_size => null', 'a page size is not null'),
  ('page_size => -1', 'a page size is not negative')
) as p (arguments, title);
select is(
  (select count(*) from chat.list_messages(tests.room('book'), page_size => 200)),
  (select count(*) from chat.messages where room_id = tests.room('book')),
  'a list of messages holds what the policy shows'
);

-- Pages are bounded by bytes
select tests.stop_acting();
update chat_private.settings set pull_bytes = 20000;
select tests.act_as('Ann');
select tests.remember('tome', (chat.create_room('Tome', member_ids => array[tests.id_of('Cat')])).id);
select chat.send_message(tests.room('tome'), n || repeat(body, size / char_length(body)), gen_random_uuid())
from generate_series(1, 4) as n, (values ('x', 100), ('x', 7000), (chr(1), 3000), (chr(128512), 1000)) as s (body, size);
select tests.act_as('Cat');
create function pg_temp.read_on(by_size integer, direction text)
returns bigint[]
language plpgsql
as $$
declare
  v_seqs bigint[] := '{}';
  v_page bigint[];
  v_at bigint := case direction when 'before' then 1000 else 0 end;
begin
  loop
    v_page := array(
      select m.seq
      from chat.list_messages(
        tests.room('tome'), before => case direction when 'before' then v_at end,
        after => case direction when 'after' then v_at end, page_size => by_size
      ) as m
    );
    exit when v_page = '{}';
    v_at := case direction when 'before' then v_page[1] else v_page[cardinality(v_page)] end;
    v_seqs := case direction when 'before' then v_page || v_seqs else v_seqs || v_page end;
  end loop;
  return v_seqs;
end;
$$;
select is(
  pg_temp.read_on(size, direction), array(select n::bigint from generate_series(1, 16) as n),
  format('%s pages of %s join without gap or overlap', direction, size)
)
from unnest(array['before', 'after']) as d (direction), unnest(array[1, 2, 5, 200]) as s (size);
select cmp_ok(
  (select sum(octet_length(to_json(m)::text)) from chat.list_messages(tests.room('tome'), after => at) as m), '<=', 20000::bigint,
  format('a page after %s is short', at)
)
from generate_series(0, 15) as a (at);
select results_eq(
  format('select seq from chat.list_messages(%L, %s)', tests.room('tome'), arguments),
  format('select unnest(%L::bigint[])', found), format('%s: %s', arguments, title)
)
from (
  values
  ('after => 1', '{2}', 'the nearest messages after it come'),
  ('before => 15', '{12,13,14}', 'the nearest messages before it come'),
  ('around => 9', '{8,9,10}', 'the nearest messages around it come')
) as p (arguments, found, title);
select tests.stop_acting();
update chat_private.settings set pull_bytes = 1024;
select tests.act_as('Cat');
select results_eq(
  format('select seq from chat.list_messages(%L, %s)', tests.room('tome'), arguments),
  format('select %s::bigint', found), format('%s: one message always comes, %s', arguments, title)
)
from (
  values
  ('after => 1', 2, 'the next'), ('before => 15', 14, 'the one before'), ('around => 9', 9, 'this one'),
  ('page_size => 50', 16, 'the newest')
) as p (arguments, found, title);
select tests.stop_acting();
update chat_private.settings set pull_bytes = default;

-- Lea, who came later
select tests.act_as('Lea');
select results_eq(
  format('select seq from chat.list_messages(%L %s)', tests.room('late'), arguments),
  format('select seq from chat.messages where room_id = %L order by seq', tests.room('late')), title
)
from (
  values
  ('', 'somebody who came later gets what came later'),
  (', after => 0', 'somebody who came later gets what came later after a position'),
  (', around => 1', 'somebody who came later gets what came later around a position'),
  (', before => 100000', 'somebody who came later gets what came later when they look before')
) as p (arguments, title);
select isnt_empty(
  format('select chat.list_messages(%L)', tests.room('late')), 'somebody who came later gets something'
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
  'a token without a name lists nothing'
);

select * from finish();
rollback;
