-- update_profile: what others see of me.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

-- What it costs
savepoint prices; -- noqa: PRS
select tests.costs('Ann', 1, $$ select chat.update_profile(label => 'guide') $$, 'a changed profile costs 1');
rollback to prices;

-- Ann
select tests.act_as('Ann');
select tests.watch('trip', 'hall', 'Ann', 'Cat');
select is(
  (chat.update_profile('  Ann Lee ', 'avatars/ann.png', 'guide')).display_name, 'Ann Lee',
  'a name is trimmed'
);
select results_eq(
  $$
    select display_name, avatar_path, label from chat.profiles where user_id = tests.id_of('Ann')
  $$,
  $$ values ('Ann Lee', 'avatars/ann.png', 'guide') $$, 'the profile is what was said'
);
select is(
  (chat.update_profile(label => 'host')).avatar_path, 'avatars/ann.png', 'what an update of a profile leaves out stays'
);
select is((chat.update_profile(avatar_path => '')).avatar_path, null, 'an empty path clears the avatar');
select is((chat.update_profile(label => '')).label, null, 'an empty label clears the label');
select is(
  (chat.update_profile(metadata => '{"languages": ["pt", "en"]}')).metadata, '{"languages": ["pt", "en"]}',
  'an app keeps metadata with a person'
);
select is((chat.update_profile(label => 'host')).metadata, '{"languages": ["pt", "en"]}', 'metadata that are left out stay');
select is((chat.update_profile(metadata => '{}')).metadata, '{}', 'an empty object clears the metadata');
select is((chat.update_profile(metadata => '{"a": 1}')).metadata, '{"a": 1}', 'metadata can be set again');
select tests.changed_nothing('a profile takes no number in any stream');
select throws_ok(
  format('select chat.update_profile(metadata => %L)', value), errcode, slug, format('metadata are no %s', what)
)
from (
  values
  ('[]', 'PT400', 'invalid_input', 'array'),
  (jsonb_build_object('x', repeat('x', 5000))::text, 'PT413', 'payload_too_large', 'object of 5 KB')
) as v (value, errcode, slug, what);
select is(
  (select p.metadata from chat.profiles as p where p.user_id = tests.id_of('Ann')), '{"a": 1}',
  'refused metadata leave the profile as it is'
);

select throws_ok(
  $$ select chat.update_profile(' ') $$, 'PT400', 'invalid_input', 'a name is not blank'
);
select throws_ok(
  $$ select chat.update_profile(U&'\200B\3164\+0E0041') $$, 'PT400', 'invalid_input', 'a name is not invisible'
);
select throws_ok(
  $$ select chat.update_profile(repeat('x', 81)) $$, 'PT400', 'invalid_input', 'a name is short'
);
select lives_ok($$ select chat.update_profile(repeat('x', 80)) $$, 'a name of 80 characters fits');
select throws_ok(
  $$ select chat.update_profile(U&'a\2066b') $$, 'PT400', 'invalid_input',
  'a name does not turn its neighbours around'
);
select throws_ok(
  $$ select chat.update_profile(avatar_path => repeat('x', 501)) $$, 'PT400', 'invalid_input',
  'a path is short'
);
select throws_ok(
  $$ select chat.update_profile(label => repeat('x', 41)) $$, 'PT400', 'invalid_input',
  'a label is short'
);

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  $$ select chat.update_profile('x') $$, '42501', 'permission denied for function update_profile',
  'signed-out people have no profile'
);
select tests.act_without_sub();
select throws_ok(
  $$ select chat.update_profile('x') $$, 'PT401', 'sign_in_required', 'a token without a name has no profile'
);

select * from finish();
rollback;
