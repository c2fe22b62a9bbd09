-- Schemas: what API roles can name, what an operator may turn, and what a line may hold.
begin;
set local search_path = public, extensions;
select no_plan();

-- The two schemas
select is(has_schema_privilege(role, 'chat', 'usage'), true, format('%s uses chat', role))
from unnest(array['anon', 'authenticated', 'service_role']) as r (role);
select is(has_schema_privilege(role, 'chat_private', 'usage'), false, format('%s does not use chat_private', role))
from unnest(array['anon', 'authenticated', 'service_role']) as r (role);
select tests.make_company();
select tests.act_as('Ann');
select throws_ok(
  statement, '42501', 'permission denied for schema chat_private', title
)
from (
  values
  ('select from chat_private.settings', 'nobody reads a setting'),
  ('update chat_private.settings set fanout_limit = 0', 'nobody turns a setting'),
  ('select chat_private.current_user_id()', 'nobody calls what is private'),
  ('select chat_private.visible_after(gen_random_uuid())', 'nobody calls a private function, even where it may be executed')
) as s (statement, title);
select tests.stop_acting();

-- Settings
select is((select count(*) from chat_private.settings), 1::bigint, 'there is one row of settings');
select throws_ok(statement, code, null, title)
from (
  values
  ('insert into chat_private.settings default values', '23505', 'there is never a second row of settings'),
  ('insert into chat_private.settings (only_row) values (false)', '23514', 'there is no row of settings of another kind'),
  ('update chat_private.settings set fanout_limit = -1', '23514', 'a limit is not negative'),
  ('update chat_private.settings set fanout_limit = 101', '23514', 'a small room is small'),
  ('update chat_private.settings set receipts_limit = 101', '23514', 'ticks are live among few'),
  ('update chat_private.settings set send_burst = 0', '23514', 'a bucket lets one through'),
  ('update chat_private.settings set sends_per_second = 0', '23514', 'a bucket refills'),
  ('update chat_private.settings set members_added_per_day = 0', '23514', 'somebody may be added'),
  ('update chat_private.settings set open_rooms_per_person = -1', '23514', 'a cap is not negative'),
  ('update chat_private.settings set open_invites_per_room = -1', '23514', 'a cap on invites is not negative'),
  ('update chat_private.settings set tenants_per_person = -1', '23514', 'a cap on tenants is not negative'),
  ('update chat_private.settings set open_invites_per_tenant = -1', '23514', 'a cap on invites into tenants is not negative'),
  ('update chat_private.settings set emoji_per_message = 1001', '23514', 'reactions are counted, so they are few'),
  ('update chat_private.settings set reactions_per_person = 1001', '23514', 'reactions of one person are few as well'),
  ('update chat_private.settings set pins_per_room = 1001', '23514', 'pins are counted, so they are few')
) as s (statement, code, title);

-- Lines
select is(chat_private.clean_line(value, 'name', 5), expected, title)
from (
  values
  (E' \t\u00A0a b\u3000\n', 'a b', 'a line is trimmed of every kind of space'),
  ('     x     ', 'x', 'a line is trimmed before it is measured'),
  (U&'\+01F600\+01F600\+01F600\+01F600\+01F600', U&'\+01F600\+01F600\+01F600\+01F600\+01F600',
    'a line is counted in characters, not bytes'),
  (U&'\05E9\05DC', U&'\05E9\05DC', 'right-to-left letters are letters'),
  (null, null, 'null stays null'),
  ('', '', 'empty stays empty')
) as l (value, expected, title);
select throws_ok(
  format('select chat_private.clean_line(%s, ''name'', 5)', value), 'PT400', 'invalid_input', title
)
from (
  values
  ('repeat('' '', 1100) || ''x''', 'what is endless is refused before it is trimmed'),
  ('repeat(U&''\0301'', 3000000)', 'what is endless is refused before it is counted')
) as l (value, title);
select is(
  chat_private.clean_line(repeat(' ', 900) || 'x', 'name', 5), 'x', 'spaces that can be trimmed are'
);
select throws_ok(
  format('select chat_private.clean_line(%L, ''name'', 5)', value), 'PT400', 'invalid_input', title
)
from (
  values
  ('123456', 'a line is short'), (E'a\nb', 'a line is one'), (E'a\u0007b', 'a bell is not a letter'),
  (U&'a\0085b', 'a next line is not a letter'), (U&'a\202Eb', 'an override is not a letter'), (U&'a\2066b', 'an isolate is not a letter'),
  (U&'a\200Fb', 'a mark is not a letter'), (U&'a\061Cb', 'an Arabic mark is not a letter'), (U&'a\2028b', 'a line separator is not a letter'),
  (U&'a\FEFFb', 'a byte order mark is not a letter')
) as l (value, title);

-- Values that people make up
create function pg_temp.nested(depth integer, inside text default '')
returns jsonb
language sql
as $$ select (repeat('[', nested.depth) || nested.inside || repeat(']', nested.depth))::jsonb $$;
create function pg_temp.many(count integer, value text)
returns jsonb
language sql
as $$ select jsonb_agg(many.value::jsonb) from generate_series(1, many.count) $$;
select is((chat_private.refusal_by_json(value, 'Values')).slug, null, title)
from (
  values
  ('[]'::jsonb, 'an empty array is sound'), ('{}', 'an empty object is sound'),
  (pg_temp.nested(16), '16 levels are sound'), (pg_temp.nested(16, '1, "x"'), '16 levels with something in them are sound'),
  (pg_temp.many(200, '1'), '200 values are sound'), (pg_temp.many(200, '{}'), '200 empty values are sound'),
  (pg_temp.many(100, '{"a": 1, "b": [2]}'), '200 values are sound however they are grouped'),
  ('[12345678901234567890]', 'a number of 20 digits is sound'), ('[-12345678901234567890]', 'a number of 20 digits below zero is sound'),
  ('[1234567890.1234567890]', 'a number with a fraction is sound'), ('[1e19]', 'a number of 20 digits is sound however it is written'),
  ('[0.30000000000000004, 1.7976931348623157]', 'what a double prints is sound'),
  (jsonb_build_object(repeat('k', 64), 1), 'a key of 64 characters is sound'),
  (jsonb_build_object(repeat(U&'\+01F600', 64), 1), 'a key of 64 characters of any size is sound'),
  (jsonb_build_array(repeat('1', 10000)), 'a text is a text')
) as v (value, title);
select is((chat_private.refusal_by_json(value, 'Values')).slug, slug, title)
from (
  values
  (pg_temp.nested(17), 'invalid_input', '17 levels are not sound'), (pg_temp.nested(1000), 'invalid_input', '1,000 levels are not sound'),
  (pg_temp.nested(8, '{"a": ' || pg_temp.nested(8)::text || '}'), 'invalid_input', '17 levels of arrays and objects together are not sound'),
  (pg_temp.many(201, '1'), 'invalid_input', '201 values are not sound'), (pg_temp.many(201, '[]'), 'invalid_input', '201 empty values are not sound'),
  (pg_temp.many(67, '{"a": 1, "b": [2, 3]}'), 'invalid_input', '201 values are not sound however they are grouped'),
  ('[123456789012345678901]', 'invalid_input', 'a number of 21 digits is not sound'),
  ('[1e20]', 'invalid_input', 'a number of 21 digits is not sound however it is written'),
  ('[1e16000]', 'invalid_input', 'a number of 16,001 digits is not sound'), ('[-1e131071]', 'invalid_input', 'a number of 131,072 digits is not sound'),
  ('[1e-16000]', 'invalid_input', 'a fraction of 16,000 digits is not sound'), ('[0.000000000000000000001]', 'invalid_input', 'a fraction of 21 places is not sound'),
  ('{"a": [{"b": 5e-324}]}', 'invalid_input', 'a long fraction is not sound wherever it is'),
  (jsonb_build_object(repeat('k', 65), 1), 'invalid_input', 'a key of 65 characters is not sound'),
  (jsonb_build_array(jsonb_build_object(E'\n' || repeat('k', 64), 1)), 'invalid_input', 'a key of 65 characters over two lines is not sound'),
  (jsonb_build_array(repeat('x', 140000)), 'payload_too_large', 'what is large is not even looked through')
) as v (value, slug, title);

-- Metadata
select is((chat_private.refusal_by_metadata(value)).slug, null, title)
from (
  values
  (null::jsonb, 'no metadata are sound'), ('{}', 'empty metadata are sound'), ('{"order": 7, "tags": ["a", null]}', 'an object is sound'),
  (jsonb_build_object('text', repeat('x', 4084)), '4,096 bytes of metadata are sound')
) as v (value, title);
select is((chat_private.refusal_by_metadata(value)).slug, slug, title)
from (
  values
  ('[]'::jsonb, 'invalid_input', 'an array is no metadata'), ('null', 'invalid_input', 'the null of JSON is no metadata'),
  ('"x"', 'invalid_input', 'a text is no metadata'),
  (jsonb_build_object('text', repeat('x', 4085)), 'payload_too_large', '4,097 bytes of metadata are too large'),
  (jsonb_build_object('deep', pg_temp.nested(16)), 'invalid_input', 'metadata of 17 levels are too deep'),
  (jsonb_build_object('many', pg_temp.many(201, '1')), 'invalid_input', 'metadata with 201 values have too many'),
  ('{"n": 1e20}', 'invalid_input', 'metadata hold no number of 21 digits'),
  (jsonb_build_object(repeat('k', 65), 1), 'invalid_input', 'metadata have no key of 65 characters')
) as v (value, slug, title);

-- Pages
select is(chat_private.clean_page_size(size), size, format('a page of %s is one', size))
from unnest(array[1, 200]) as p (size);
select throws_ok(
  format('select chat_private.clean_page_size(%L)', size), 'PT400', 'invalid_input',
  format('a page of %s is none', size)
)
from unnest(array[0, 201, -1, null]) as p (size);

-- How long an answer may become
select throws_ok(
  format('update chat_private.settings set pull_bytes = %s', bytes), '23514', null, format('pull_bytes may not be %s', bytes)
)
from unnest(array[1023, 8388609]) as b (bytes);
select lives_ok(
  format('update chat_private.settings set pull_bytes = %s', bytes), format('pull_bytes may be %s', bytes)
)
from unnest(array[1024, 8388608]) as b (bytes);
-- What shows nothing
select is(chat_private.is_blank(value), true, format('%s shows nothing', title))
from (
  values
  ('', 'nothing'), (E' \t\n', 'a space'), (U&'\00A0\1680\2003\200A\202F\205F\3000', 'a wide space'),
  (U&'\200B\200C\200D\2060', 'a joiner'), (U&'\200E\202E\2066', 'a direction'), (U&'\115F\3164\FFA0', 'a filler'),
  (U&'\00AD\034F\180E\FE0F\+0E0100', 'a selector'), (U&'\FFF9\FFFB\+01D173', 'an annotation'),
  (U&'\2800', 'an empty pattern of braille')
) as b (value, title);
select is(chat_private.is_blank(value), false, format('%s shows something', title))
from (
  values
  ('a', 'a letter'), (U&'\200B\3042', 'a letter behind what shows nothing'), ('👍', 'an emoji'),
  ('.', 'a dot'), (U&'\0301', 'an accent'), (U&'\FFFD', 'a replacement character')
) as b (value, title);

-- Who a call comes from. Ann is somebody, Cat is somebody else, Xen has closed the account.
delete from auth.users where id = tests.id_of('Xen');

create function pg_temp.verdict(role text, claims jsonb, header text)
returns text
language plpgsql
as $$
begin
  perform
    set_config('role', verdict.role, true),
    set_config('request.jwt.claims', verdict.claims::text, true),
    tests.send_header(verdict.header);
  return coalesce(
    tests.as_owner('select tests.refusal(''select chat_private.current_user_id()'') ->> ''slug'''),
    tests.as_owner(
      'select display_name from chat.profiles where user_id = chat_private.acting_user_id()'
    )
  );
end;
$$;
select is(
  pg_temp.verdict(
    role, jsonb_strip_nulls(jsonb_build_object('role', claim, 'sub', tests.id_of(person))), header
  ),
  expected, title
)
from (
  values
  ('authenticated', 'authenticated', 'Ann', null, 'Ann', 'a token alone acts as its person'),
  ('authenticated', 'authenticated', 'Ann', tests.id_of('Ann')::text, 'Ann',
    'the header may name the person of the token'),
  ('authenticated', 'authenticated', 'Ann', upper(tests.id_of('Ann')::text), 'Ann',
    'the header may write the id in capitals'),
  ('authenticated', 'authenticated', 'Ann', tests.id_of('Cat')::text, 'not_allowed',
    'a token does not act as somebody else'),
  ('authenticated', 'authenticated', 'Ann', md5('nobody')::uuid::text, 'not_allowed',
    'a token learns nothing about ids that nobody has'),
  ('authenticated', 'authenticated', 'Ann', 'Ann', 'not_allowed',
    'a header that is no id names somebody else as well'),
  ('authenticated', 'authenticated', 'Ann', '', 'not_allowed', 'an empty header is a header'),
  ('authenticated', 'authenticated', null, tests.id_of('Ann')::text, 'not_allowed',
    'a token without a person acts as nobody, whatever the header says'),
  ('authenticated', 'authenticated', 'Xen', null, 'sign_in_required', 'a closed account is nobody'),
  ('authenticated', 'authenticated', 'Xen', tests.id_of('Xen')::text, 'sign_in_required',
    'a closed account is nobody with the header as well'),
  ('service_role', 'service_role', null, tests.id_of('Ann')::text, 'Ann',
    'a server acts as the person whom the header names'),
  ('service_role', 'service_role', 'Cat', tests.id_of('Ann')::text, 'Ann',
    'a server acts as that person whatever else its token says'),
  ('service_role', 'service_role', null, null, 'sign_in_required',
    'a server without the header is nobody'),
  ('service_role', 'service_role', null, md5('nobody')::uuid::text, 'user_not_found',
    'a server is told that nobody has the id'),
  ('service_role', 'service_role', null, tests.id_of('Xen')::text, 'user_not_found',
    'a server does not act as a closed account'),
  ('service_role', 'service_role', null, 'Ann', 'user_not_found', 'a server is told that an id is none'),
  ('service_role', 'service_role', null, '', 'user_not_found', 'an empty id is none'),
  ('service_role', 'service_role', null, tests.id_of('Ann')::text || ',', 'user_not_found',
    'an id with more behind it is none'),
  ('service_role', 'service_role', null, repeat('x', 100000), 'user_not_found',
    'a header of any length is an answer'),
  ('authenticated', 'service_role', 'Cat', tests.id_of('Ann')::text, 'not_allowed',
    'the claim alone makes no server'),
  ('service_role', 'authenticated', 'Cat', tests.id_of('Ann')::text, 'not_allowed',
    'the role alone makes no server'),
  ('anon', 'service_role', null, tests.id_of('Ann')::text, 'not_allowed',
    'whoever is signed out makes no server of themselves by a claim')
) as v (role, claim, person, header, expected, title);
select tests.stop_acting();
select is(
  tests.refusal(format(
    'select chat_private.acting_user_id() from set_config(''request.headers'', %L, true)', headers
  )),
  null, format('acting_user_id refuses nobody, even where the headers are %s', headers)
)
from unnest(array[
  '', 'x-parley-user', '["x-parley-user"]', '{"x-parley-user": [1]}', '{"x-parley-user": null}'
]) as h (headers);
select tests.stop_acting();

-- Every function that people may call asks who they are, after what is wrong by itself.
create function pg_temp.answers(header text, is_server boolean)
returns table (name text, slug text)
language plpgsql
as $$
declare
  v_function record;
begin
  for v_function in
    select
      p.proname::text as name,
      format('select from chat.%I(%s)', p.proname, (
        select string_agg(format('%I => %s', a.name, case a.name
          when 'role' then '''member''' when 'emoji' then '''👍''' when 'user_id' then 'gen_random_uuid()'
          else 'null'
        end), ', ')
        from unnest(p.proargnames[1:p.pronargs - p.pronargdefaults]) as a (name)
      )) as call
    from pg_proc as p
    where p.pronamespace = 'chat'::regnamespace
      and has_function_privilege('authenticated', p.oid, 'execute')
      and p.proname <> 'version' -- It tells everybody the same.
  loop
    if answers.is_server then
      perform tests.act_as_service();
    else
      perform tests.act_as('Ann');
    end if;
    perform tests.send_header(answers.header);
    name := v_function.name;
    slug := tests.refusal(v_function.call) ->> 'slug';
    return next;
    perform tests.stop_acting();
  end loop;
end;
$$;
select is_empty(
  format('select a.* from pg_temp.answers(%L, %L) as a where a.slug %s', header, is_server, wrong), title
)
from (
  values
  (tests.id_of('Cat')::text, false, 'is distinct from ''not_allowed''',
    'no function lets a token act as somebody else'),
  (tests.id_of('Ann')::text, false, '= ''sign_in_required''',
    'every function goes on where the header names the person of the token'),
  (null, true, 'is distinct from ''sign_in_required''', 'no function acts as a server without a person'),
  (tests.id_of('Xen')::text, true, 'is distinct from ''user_not_found''',
    'no function acts as a closed account'),
  (tests.id_of('Ann')::text, true, '= ''sign_in_required''',
    'every function goes on where a server names somebody')
) as v (header, is_server, wrong, title);

select * from finish();
rollback;
