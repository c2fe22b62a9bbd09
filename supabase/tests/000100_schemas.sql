-- Schemas: what API roles can name, what an operator may turn, and what a line may hold.
begin;
set local search_path = public, extensions;
select no_plan();

-- The two schemas
select is(has_schema_privilege(role, 'chat', 'usage'), true, format('%s uses chat', role))
from unnest(array['anon', 'authenticated', 'service_role']) as r (role);
select is(has_schema_privilege(role, 'chat_private', 'usage'), false, format('%s does not use chat_private', role))
from unnest(array['anon', 'authenticated', 'service_role']) as r (role);
select tests.make_people('Ann');
select tests.act_as('Ann');
select throws_ok(
  statement, '42501', 'permission denied for schema chat_private', title
)
from (
  values
  ('select from chat_private.settings', 'nobody reads a setting'),
  ('update chat_private.settings set fanout_limit = 0', 'or turns one'),
  ('select chat_private.current_user_id()', 'or calls what is private'),
  ('select chat_private.visible_after(gen_random_uuid())', 'even where it may be executed')
) as s (statement, title);
select tests.stop_acting();

-- Settings
select is((select count(*) from chat_private.settings), 1::bigint, 'there is one row of settings');
select throws_ok(statement, code, null, title)
from (
  values
  ('insert into chat_private.settings default values', '23505', 'and never a second'),
  ('insert into chat_private.settings (only_row) values (false)', '23514', 'of either kind'),
  ('update chat_private.settings set fanout_limit = -1', '23514', 'a limit is not negative'),
  ('update chat_private.settings set fanout_limit = 101', '23514', 'a small room is small'),
  ('update chat_private.settings set receipts_limit = 101', '23514', 'ticks are live among few'),
  ('update chat_private.settings set send_burst = 0', '23514', 'a bucket lets one through'),
  ('update chat_private.settings set sends_per_second = 0', '23514', 'and refills')
) as s (statement, code, title);

-- Lines
select is(chat_private.clean_line(value, 'name', 5), expected, title)
from (
  values
  (E' \t\u00A0a b\u3000\n', 'a b', 'a line is trimmed of every kind of space'),
  ('     x     ', 'x', 'before it is measured'),
  (U&'\+01F600\+01F600\+01F600\+01F600\+01F600', U&'\+01F600\+01F600\+01F600\+01F600\+01F600',
    'in characters, not bytes'),
  (U&'\05E9\05DC', U&'\05E9\05DC', 'right-to-left letters are letters'),
  (null, null, 'null stays null'),
  ('', '', 'empty stays empty')
) as l (value, expected, title);
select throws_ok(
  format('select chat_private.clean_line(%L, ''name'', 5)', value), 'PT400', 'invalid_input', title
)
from (
  values
  ('123456', 'a line is short'), (E'a\nb', 'a line is one'), (E'a\u0007b', 'a bell is not a letter'),
  (U&'a\0085b', 'nor is a next line'), (U&'a\202Eb', 'an override'), (U&'a\2066b', 'an isolate'),
  (U&'a\200Fb', 'a mark'), (U&'a\061Cb', 'an Arabic mark'), (U&'a\2028b', 'a line separator'),
  (U&'a\FEFFb', 'or a byte order mark')
) as l (value, title);

-- Pages
select is(chat_private.clean_page_size(size), size, format('a page of %s is one', size))
from unnest(array[1, 200]) as p (size);
select throws_ok(
  format('select chat_private.clean_page_size(%L)', size), 'PT400', 'invalid_input',
  format('a page of %s is none', size)
)
from unnest(array[0, 201, -1, null]) as p (size);

select * from finish();
rollback;
