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
  $$ select from chat.profiles where user_id = tests.id_of('Tom') $$, 'and of no other tenant'
);
select throws_ok(
  $$ update chat.profiles set display_name = 'Root' $$, '42501',
  'permission denied for table profiles', 'nobody writes a profile'
);

-- Tom, of another tenant
select tests.act_as('Tom');
select results_eq(
  $$ select display_name from chat.profiles $$, $$ values ('Tom') $$, 'the other side sees its own'
);

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  $$ select from chat.profiles $$, '42501', 'permission denied for table profiles',
  'signed-out people read no profile'
);
select tests.act_without_sub();
select is_empty($$ select from chat.profiles $$, 'nor does a token without a name');
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
  'who says nothing gets a name, and not their address'
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
  'unless the setting says otherwise'
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
  'which others still read under what she said'
);
select tests.act_as('Cat');
select throws_ok(
  $$ select chat.create_room('x') $$, 'PT401', 'sign_in_required',
  'a token that outlives its account does nothing'
);
select throws_ok(
  format('select chat.send_message(%L, ''x'', gen_random_uuid())', tests.room('trip')),
  'PT401', 'sign_in_required', 'not even in a room it is in'
);
select is_empty($$ select from chat.rooms $$, 'and sees no room, public ones included');
select is_empty($$ select from chat.messages $$, 'no message');
select is_empty(
  $$ select from chat.room_members where user_id <> tests.id_of('Cat') $$, 'nobody who is in one'
);
select is_empty(
  $$ select from chat.profiles where user_id <> tests.id_of('Cat') $$, 'and no profile but its own'
);
select tests.act_as('Bob');
select is_empty($$ select from chat.bans $$, 'a closed moderator reads no ban');
select tests.act_as('Abe');
select isnt_empty($$ select from chat.messages $$, 'an open account does');

select * from finish();
rollback;
