-- Profiles: what people who share a tenant see of each other, and what is left of who went.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

-- Ann, and who shares her tenant
select tests.act_as('Ann');
select set_has(
  $$ select display_name from chat.profiles $$, $$ values ('Ann'), ('Dan') $$,
  'people read the profiles of their tenant'
);
select is_empty(
  $$ select from chat.profiles where user_id = tests.id_of('Tom') $$, 'people read the profiles of no other tenant'
);
select throws_ok(
  $$ update chat.profiles set display_name = 'Root' $$, '42501',
  'permission denied for table profiles', 'nobody writes a profile'
);

-- Tom, of another tenant
select tests.act_as('Tom');
select results_eq(
  $$ select display_name from chat.profiles $$, $$ values ('Tom') $$, 'people of another tenant see their own profiles'
);

-- I13: Eve, who is in both tenants, and then in one
select tests.make_people('Eve');
select tests.change_as_owner(format(
  'insert into chat.tenant_members (tenant_id, user_id) values (md5(''elsewhere'')::uuid, %L)',
  tests.id_of('Eve')
));
select tests.act_as('Tom');
select set_eq(
  $$ select display_name from chat.profiles $$, $$ values ('Tom'), ('Eve') $$,
  'I13: people are seen from the tenants that they are in'
);
select tests.change_as_owner(format(
  'update chat.tenant_members set removed_at = now()
   where tenant_id = md5(''elsewhere'')::uuid and user_id = %L', tests.id_of('Eve')
));
select tests.act_as('Eve');
select is_empty(
  $$ select from chat.profiles where user_id = tests.id_of('Tom') $$,
  'I13: somebody who has left a tenant does not see its people any more'
);
select isnt_empty(
  $$ select from chat.profiles where user_id = tests.id_of('Ann') $$, 'somebody who has left a tenant sees the people of the other one'
);
select tests.change_as_owner(format(
  'update chat.profiles set display_name = ''New name'' where user_id = %L', tests.id_of('Eve')
));
select tests.act_as('Tom');
select results_eq(
  $$ select display_name from chat.profiles $$, $$ values ('Tom') $$,
  'I13: somebody who has left a tenant is not seen by its people, whatever they call themselves now'
);

-- What a row shows of somebody, to somebody who shares no tenant with them
select tests.stop_acting();
update chat.profiles set avatar_path = 'a.png', label = 'guide' where user_id = tests.id_of('Eve');
create function pg_temp.shown(name text)
returns jsonb
language plpgsql
as $$
declare
  v_shown jsonb;
begin
  perform set_config(
    'request.jwt.claims', json_build_object('sub', tests.id_of(shown.name))::text, true
  );
  select to_jsonb(chat_private.profile_for(p)) into v_shown
  from chat.profiles as p where p.user_id = tests.id_of('Eve');
  return v_shown;
end;
$$;
select is(
  jsonb_strip_nulls(pg_temp.shown('Tom')),
  jsonb_build_object('user_id', tests.id_of('Eve'), 'display_name', 'New name', 'is_bot', false),
  'I13: a profile that is seen from elsewhere has a name, and nothing else'
);
select is(
  pg_temp.shown(name), (select to_jsonb(p) from chat.profiles as p where p.user_id = tests.id_of('Eve')),
  format('%s is shown the whole profile', name)
)
from unnest('{Ann,Eve}'::text[]) as n (name);
select is(
  (select array_agg(k order by k) from jsonb_object_keys(pg_temp.shown('Tom')) as k),
  (select array_agg(k order by k) from jsonb_object_keys(pg_temp.shown('Ann')) as k),
  'the row has the same columns for everybody'
);

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  $$ select from chat.profiles $$, '42501', 'permission denied for table profiles',
  'signed-out people read no profile'
);
select tests.act_without_sub();
select is_empty($$ select from chat.profiles $$, 'a token without a name reads no profile');
select tests.stop_acting();

-- Signing up
insert into auth.users (id, email, raw_user_meta_data) values
  (tests.id_of('Nil'), 'nil@tests.example', null),
  (tests.id_of('Bad'), 'bad@tests.example', jsonb_build_object('display_name', U&'\202E' || E' a\nb ')),
  (tests.id_of('Big'), 'big@tests.example', jsonb_build_object('full_name', repeat('x', 500))),
  (tests.id_of('Odd'), 'odd@tests.example', '{"display_name": {"a": [1]}}'),
  (tests.id_of('Arr'), 'arr@tests.example', '[1]');
select is(
  (select display_name from chat.profiles where user_id = tests.id_of('Nil')), 'New member',
  'people who say nothing get a name, and not their address'
);
select is(
  (select display_name from chat.profiles where user_id = tests.id_of('Bad')), 'ab',
  'control characters do not reach a list'
);
select is(
  (select char_length(display_name) from chat.profiles where user_id = tests.id_of('Big')), 80,
  'a long name is cut'
);
select is(
  (
    select count(*) from chat.profiles
    where user_id in (tests.id_of('Odd'), tests.id_of('Arr'))
  ),
  2::bigint, 'odd metadata does not fail a sign-up'
);

-- What is a name
select is(chat_private.name_from_metadata(metadata::jsonb), expected, title)
from (
  values
  ('{"display_name": "Ann", "full_name": "Ann B"}', 'Ann', 'what somebody chose comes first'),
  ('{"display_name": "", "full_name": "Ann B"}', 'Ann B', 'what is empty is skipped'),
  ('{"display_name": " \t\u00a0\u3000", "name": "Ann"}', 'Ann', 'spaces of every kind are skipped'),
  ('{"display_name": "\u200b\u2060\u3164\u2800", "name": "Ann"}', 'Ann', 'what shows nothing is skipped'),
  ('{"display_name": null, "name": "Ann"}', 'Ann', 'null is nothing'),
  ('{"given_name": "Ann", "family_name": "Bee"}', 'Ann Bee', 'a name may come in two parts'),
  ('{"given_name": "\u200b", "family_name": "Bee"}', 'Bee', 'one of the two parts may show nothing'),
  ('{"first_name": "Ann", "last_name": "Bee"}', 'Ann Bee', 'a name may come in two parts under other keys too'),
  ('{"name": "", "full_name": "", "user_name": "octo"}', 'octo', 'a login will do'),
  ('{"preferred_username": "hubot"}', 'hubot', 'a login will do by any key'),
  ('{"nickname": "nick"}', 'nick', 'a nickname will do'),
  ('{"username": "ann"}', 'ann', 'the word of an app will do'),
  ('{"slug": "ann-b"}', 'ann-b', 'a slug will do'),
  ('{"custom_claims": {"global_name": "Annie"}}', 'Annie', 'a claim of Discord will do'),
  ('{"custom_claims": "x", "sub": "1"}', 'New member', 'claims may be anything'),
  ('{"name": "ann@old.example", "user_name": "ann"}', 'ann', 'an address is nobody''s business'),
  ('{"preferred_username": "ann@corp.example"}', 'New member', 'an address is no name even where there is nothing else'),
  ('{"name": "Ann <ann@old.example>"}', 'New member', 'an address is no name where it is part of one'),
  ('{"name": "ann@old.exa\u200bmple"}', 'New member', 'an address is no name where it hides'),
  ('{"name": "Ann @ work"}', 'Ann @ work', 'a sign is no address'),
  ('{"name": "\u202eAnn\u2066\u0007\u009b31m\u200f"}', 'Ann31m', 'controls are taken out'),
  ('{"name": "\u200fשלום 🙂"}', 'שלום 🙂', 'right-to-left letters stay'),
  ('{"name": "نامه\u200cها"}', U&'\0646\0627\0645\0647\200C\0647\0627', 'a joiner that spells stays'),
  ('{"name": "👨\u200d👩\u200d👧 Fam"}', U&'\+01F468\200D\+01F469\200D\+01F467 Fam', 'a joiner that makes a family stays'),
  ('{"name": 7}', '7', 'a number is a text'),
  ('{"name": ["a"]}', '["a"]', 'a list is a text'),
  ('{"name": {"a": 1}}', '{"a": 1}', 'an object is a text'),
  ('{"name": true}', 'true', 'a truth is a text'),
  ('"Ann"', 'New member', 'a text is no metadata'),
  ('[{"name": "Ann"}]', 'New member', 'a list is no metadata'),
  ('7', 'New member', 'a number is no metadata'),
  ('null', 'New member', 'a null is no metadata'),
  (null, 'New member', 'no metadata of either kind gives the default name')
) as n (metadata, expected, title);

-- Where a name is cut
select is(
  chat_private.name_from_metadata(jsonb_build_object('name', repeat('x', before) || told || repeat('y', 30))),
  repeat('x', before) || kept, title
)
from (
  values
  (79, 'z', 'z', 'a name is cut at 80 characters'),
  (79, E'e\u0301', '', 'a name is not cut between a letter and its accent'),
  (78, E'e\u0301', E'e\u0301', 'a name is cut behind a letter and its accent'),
  (79, '👍🏽', '', 'a name is not cut before a skin tone'),
  (78, '👨‍👩‍👧', '', 'a name is not cut inside a family'),
  (75, '👨‍👩‍👧', '👨‍👩‍👧', 'a family that fits stays whole'),
  (79, E'\u2764\uFE0F', '', 'a name is not cut before a selector'),
  (79, E'1\uFE0F\u20E3', '', 'a name is not cut inside a keycap'),
  (79, '🇩🇪', '', 'a name is not cut inside a flag'),
  (77, '🇩🇪🇫🇷', '🇩🇪', 'a name is cut between two flags'),
  (78, '🇩🇪🇫🇷', '🇩🇪', 'a name is cut between two flags wherever they begin'),
  (76, '🏴󠁧󠁢󠁥󠁮󠁧󠁿', '', 'a name is not cut inside a flag of tags'),
  (78, 'क्ष', '', 'a name is not cut inside a conjunct'),
  (79, ' z', '', 'a name is not cut behind a space'),
  (78, E'ه\u200Cا', 'ه', 'a name is not cut behind a joiner')
) as c (before, told, kept, title);
select is(
  chat_private.name_from_metadata(jsonb_build_object('name', E'a' || repeat(E'\u0301', 200), 'slug', 'ann')),
  'ann', 'what is one character of more than 80 is no name'
);
set local statement_timeout = '1s';
select is(
  chat_private.name_from_metadata(jsonb_build_object(
    'display_name', repeat(' ', 1000000), 'full_name', repeat(E'\u202E', 1000000),
    'name', repeat(E'e\u0301', 500000), 'nickname', repeat('a@b.', 250000)
  )),
  repeat(E'e\u0301', 40), 'names of a megabyte cost nothing'
);
set local statement_timeout = 0;

select is(
  (select (rev, epoch)::text from chat_private.user_streams where user_id = tests.id_of('Nil')),
  '(0,1)', 'a stream begins with the account'
);
select isnt_empty(
  $$
    select from chat.tenant_members
    where user_id = tests.id_of('Nil') and tenant_id = '00000000-0000-0000-0000-000000000001'
  $$,
  'new people join the default tenant'
);
update chat_private.settings set new_users_join_default_tenant = false;
select tests.make_people('Loner');
select is_empty(
  $$ select from chat.tenant_members where user_id = tests.id_of('Loner') $$,
  'new people do not join the default tenant when the setting says otherwise'
);

-- Cat's account ends in the dashboard, Bob's softly by the Auth API
delete from auth.users where id = tests.id_of('Cat');
update auth.users set deleted_at = now() where id = tests.id_of('Bob');
select is(
  (
    select count(*) from chat.profiles
    where user_id in (tests.id_of('Cat'), tests.id_of('Bob')) and closed_at is not null
  ),
  2::bigint, 'an account that ended leaves its profile'
);
select tests.act_as('Ann');
select isnt_empty(
  $$ select from chat.profiles where user_id = tests.id_of('Cat') and display_name = 'Cat' $$,
  'others still read the profile under what she said'
);
select tests.act_as('Cat');
select throws_ok(
  $$ select chat.create_room('x') $$, 'PT401', 'sign_in_required',
  'a token that outlives its account does nothing'
);
select throws_ok(
  format('select chat.send_message(%L, ''x'', gen_random_uuid())', tests.room('trip')),
  'PT401', 'sign_in_required', 'a token that outlives its account does not send, even in a room it is in'
);
select is_empty($$ select from chat.rooms $$, 'a token that outlives its account sees no room, public ones included');
select is_empty($$ select from chat.messages $$, 'a token that outlives its account sees no message');
select is_empty(
  $$ select from chat.room_members where user_id <> tests.id_of('Cat') $$, 'a token that outlives its account sees nobody who is in a room'
);
select is_empty(
  $$ select from chat.profiles where user_id <> tests.id_of('Cat') $$, 'a token that outlives its account sees no profile but its own'
);
select tests.act_as('Bob');
select is_empty($$ select from chat.bans $$, 'a closed moderator reads no ban');
select tests.act_as('Abe');
select isnt_empty($$ select from chat.messages $$, 'an open account reads messages');

select * from finish();
rollback;
