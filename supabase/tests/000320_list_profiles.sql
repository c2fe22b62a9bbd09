-- list_profiles: the names behind ids.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

-- Ann
select tests.act_as('Ann');
select results_eq(
  $$
    select display_name from chat.list_profiles(array[
      tests.id_of('Cat'), tests.id_of('Ann'), tests.id_of('Cat'), tests.id_of('Tom'),
      gen_random_uuid(), null
    ])
  $$,
  $$
    select n.name from unnest(array['Ann', 'Cat']) as n (name) order by tests.id_of(n.name)
  $$,
  'everybody of the tenant comes once; who is absent or elsewhere is left out'
);
select is_empty($$ select chat.list_profiles('{}') $$, 'nobody asked for is nobody');
select is_empty($$ select chat.list_profiles(null) $$, 'so is null');
select lives_ok(
  $$ select chat.list_profiles(array(select gen_random_uuid() from generate_series(1, 200))) $$,
  '200 come at once'
);
select throws_ok(
  $$ select chat.list_profiles(array(select gen_random_uuid() from generate_series(1, 201))) $$,
  'PT413', 'payload_too_large', 'and no more'
);

-- Tom, of another tenant
select tests.act_as('Tom');
select results_eq(
  $$
    select display_name from chat.list_profiles(array[tests.id_of('Ann'), tests.id_of('Tom')])
  $$,
  $$ values ('Tom') $$, 'the other side finds itself only'
);

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  $$ select chat.list_profiles('{}') $$, '42501', 'permission denied for function list_profiles',
  'signed-out people list nobody'
);
select tests.act_without_sub();
select throws_ok(
  $$ select chat.list_profiles('{}') $$, 'PT401', 'sign_in_required', 'nor does a token without a name'
);

select * from finish();
rollback;
