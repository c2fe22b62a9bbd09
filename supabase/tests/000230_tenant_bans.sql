-- Bans from a tenant: ban_tenant_member and unban_tenant_member.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

-- The club: Ann owns it, Abe is an admin, Cat and Bob are members of it and of its rooms
select tests.act_as('Ann');
select tests.remember('club', (chat.create_tenant('Club')).tenant_id);
select tests.act_as_service();
select chat.add_tenant_member(tests.room('club'), tests.id_of(name), role)
from (
  values ('Abe', 'admin'), ('Cat', 'member'), ('Bob', 'member'), ('Rea', 'owner')
) as p (name, role);
select tests.act_as('Ann');
select tests.remember('board', (chat.create_room(
  'Board', tenant_id => tests.room('club'), member_ids => array[tests.id_of('Abe'), tests.id_of('Cat')]
)).id);
create temp table invite as
select (m).token
from (select chat.create_tenant_invite(tests.room('club'), max_uses => 100) as m) as made;
grant select on invite to public;

-- Abe bans Cat
select tests.act_as('Abe');
select tests.watch('board', 'trip', 'Cat', 'Abe', 'Ann');
select results_eq(
  $$
    select b.user_id, b.until, b.reason, b.banned_by, b.removed_at
    from chat.ban_tenant_member(tests.room('club'), tests.id_of('Cat'), reason => ' spam ') as b
  $$,
  $$ values (tests.id_of('Cat'), null::timestamptz, 'spam', tests.id_of('Abe'), null::timestamptz) $$,
  'an admin bans a member'
);
select tests.took_one_number('board', 'the rooms of the tenant lose somebody who is banned from it');
select tests.took_one_user_number('Cat', 'somebody who is banned is told once');
select tests.moved('{"board": 1, "Cat": 1}', 'a ban from the tenant moves nothing else');
select tests.act_as('Cat');
select is_empty(
  $$ select from chat.tenants where tenant_id = tests.room('club') $$, 'somebody who is banned is out'
);
select isnt_empty(
  $$ select from chat.rooms where id = tests.room('trip') $$, 'somebody who is banned is in their other tenant as before'
);
select tests.refuses(
  'Cat', 'not_allowed', 'select chat.accept_tenant_invite((select token from invite))',
  'no invite lets somebody in who is banned'
);
select tests.lets(
  'Dan', 'select chat.accept_tenant_invite((select token from invite))', 'the invite lets others in'
);
select tests.act_as_service();
select throws_ok(
  $$ select chat.add_tenant_member(tests.room('club'), tests.id_of('Cat')) $$,
  'PT403', 'not_allowed', 'no server lets somebody in who is banned'
);

-- Again, and differently
select tests.act_as('Abe');
select tests.watch('board', 'Cat', 'Abe');
select is(
  chat.ban_tenant_member(tests.room('club'), tests.id_of('Cat'), reason => 'spam'),
  (select b from chat.tenant_bans as b where b.user_id = tests.id_of('Cat')),
  'the same ban again changes nothing'
);
select is(
  (chat.ban_tenant_member(tests.room('club'), tests.id_of('Cat'), now() + interval '1 h')).reason, '',
  'another ban replaces the one before it'
);
select is(
  (chat.ban_tenant_member(tests.room('club'), tests.id_of('Cat'), '12000-01-01')).until, null,
  'a ban until the far future is without end'
);
select tests.changed_nothing('none of these bans takes a number');

-- I8, I13: somebody elsewhere, and nobody at all
select is(
  to_jsonb(chat.ban_tenant_member(tests.room('club'), tests.id_of('Tom'))) - 'user_id' - 'banned_at',
  to_jsonb(chat.ban_tenant_member(tests.room('club'), md5('nobody')::uuid)) - 'user_id' - 'banned_at',
  'I13: a ban does not tell whether somebody exists'
);
select tests.refuses(
  'Tom', 'not_allowed', 'select chat.accept_tenant_invite((select token from invite))',
  'somebody who has not come yet can be kept out as well'
);

-- Lifting it
select tests.act_as('Abe');
select tests.watch('board', 'Cat', 'Abe');
select isnt(
  (chat.unban_tenant_member(tests.room('club'), tests.id_of('Cat'))).removed_at, null, 'a ban from the tenant is lifted'
);
select is(
  chat.unban_tenant_member(tests.room('club'), tests.id_of('Cat')),
  (select b from chat.tenant_bans as b where b.user_id = tests.id_of('Cat')),
  'lifting a ban again changes nothing'
);
select tests.changed_nothing('lifting a ban brings nobody back');
select tests.lets(
  'Cat', 'select chat.accept_tenant_invite((select token from invite))', 'somebody who was unbanned may come by themselves'
);
select tests.act_as('Cat');
select is_empty(
  $$ select from chat.rooms where id = tests.room('board') $$, 'somebody who comes back is in none of the rooms'
);

-- New accounts
select tests.stop_acting();
update chat.tenant_members set role = 'owner'
where tenant_id = '00000000-0000-0000-0000-000000000001' and user_id = tests.id_of('Ann');
select tests.act_as('Ann');
select chat.ban_tenant_member('00000000-0000-0000-0000-000000000001', tests.id_of('Yan'));
select tests.stop_acting();
select tests.make_people('Yan', 'Zoe');
select set_eq(
  $$
    select p.display_name from chat.profiles as p
    join chat.tenant_members as t on t.user_id = p.user_id
    where p.user_id in (tests.id_of('Yan'), tests.id_of('Zoe'))
  $$,
  $$ values ('Zoe') $$, 'a new account does not get into the default tenant past a ban'
);
select isnt_empty(
  $$ select from chat.profiles where user_id = tests.id_of('Yan') $$, 'somebody who is banned is an account all the same'
);

-- What is refused
select tests.refuses(name, slug, statement, title)
from (
  values
  ('Bob', 'not_allowed', $$ select chat.ban_tenant_member(tests.room('club'), tests.id_of('Cat')) $$,
    'a member bans nobody'),
  ('Bob', 'not_allowed', $$ select chat.ban_tenant_member(tests.room('club'), gen_random_uuid()) $$,
    'an id that nobody has is not banned'),
  ('Bob', 'not_allowed', $$ select chat.unban_tenant_member(tests.room('club'), tests.id_of('Tom')) $$,
    'a member lifts no ban'),
  ('Abe', 'not_allowed', $$ select chat.ban_tenant_member(tests.room('club'), tests.id_of('Ann')) $$,
    'an admin bans no owner'),
  ('Abe', 'not_allowed', $$ select chat.ban_tenant_member(tests.room('club'), tests.id_of('Abe')) $$,
    'nobody bans themselves'),
  ('Abe', 'invalid_input', $$ select chat.ban_tenant_member(tests.room('club'), null) $$,
    'a ban names somebody'),
  ('Abe', 'invalid_input',
    $$ select chat.ban_tenant_member(tests.room('club'), tests.id_of('Bob'), now() - interval '1 s') $$,
    'a ban ends in the future'),
  ('Abe', 'invalid_input',
    $$ select chat.ban_tenant_member(tests.room('club'), tests.id_of('Bob'), reason => E'a\nb') $$,
    'a reason is one line'),
  ('Abe', 'user_not_found', $$ select chat.unban_tenant_member(tests.room('club'), tests.id_of('Bob')) $$,
    'somebody who was not banned is not found'),
  ('Abe', 'user_not_found', $$ select chat.unban_tenant_member(tests.room('club'), gen_random_uuid()) $$,
    'nobody is unbanned who does not exist')
) as r (name, slug, statement, title);
select tests.lets(
  'Ann', $$ select chat.ban_tenant_member(tests.room('club'), tests.id_of('Rea')) $$,
  'owners answer for each other'
);

-- I12: everything around tenants has its price
create function pg_temp.price(name text, statement text)
returns integer
language plpgsql
as $$
declare
  v_price integer;
begin
  perform tests.act_as(price.name);
  perform tests.change_as_owner(format(
    'insert into chat_private.rate_buckets as b (user_id, bucket, full_at)
     values (%L, ''send'', now() + interval ''20 s'')
     on conflict on constraint rate_buckets_pkey do update set full_at = excluded.full_at',
    tests.id_of(price.name)
  ));
  execute price.statement;
  select round(extract(epoch from full_at::timestamptz - now() - interval '20 s') * 100) into v_price
  from tests.as_owner(format(
    'select b.full_at from chat_private.rate_buckets as b where b.user_id = %L and b.bucket = ''send''',
    tests.id_of(price.name)
  )) as full_at;
  return v_price;
end;
$$;
select is(pg_temp.price(name, statement), expected, format('%s costs %s', statement, expected))
from (
  values
  ('Ann', 'select chat.create_tenant(''x'')', 100),
  ('Ann', 'select chat.create_tenant_invite(tests.room(''club''))', 20),
  ('Lea', 'select chat.accept_tenant_invite((select token from invite))', 10),
  ('Lea', 'select chat.accept_tenant_invite((select token from invite))', 0),
  ('Ann', 'select chat.set_tenant_member_role(tests.room(''club''), tests.id_of(''Lea''), ''admin'')', 10),
  ('Ann', 'select chat.set_tenant_member_role(tests.room(''club''), tests.id_of(''Lea''), ''admin'')', 0),
  ('Ann', 'select chat.ban_tenant_member(tests.room(''club''), tests.id_of(''Lea''))', 10),
  ('Ann', 'select chat.ban_tenant_member(tests.room(''club''), tests.id_of(''Lea''))', 0),
  ('Ann', 'select chat.unban_tenant_member(tests.room(''club''), tests.id_of(''Lea''))', 10),
  ('Ann', 'select chat.remove_tenant_member(tests.room(''club''), tests.id_of(''Dan''))', 10)
) as f (name, statement, expected);
-- Who reads bans
select tests.act_as('Abe');
select isnt_empty($$ select from chat.tenant_bans $$, 'an admin reads the bans of the tenant');
select throws_ok(
  $$ delete from chat.tenant_bans $$, '42501', 'permission denied for table tenant_bans',
  'nobody writes a ban from the tenant'
);
select tests.act_as('Bob');
select is_empty($$ select from chat.tenant_bans $$, 'a member reads no ban from the tenant');
select tests.act_as('Tom');
select is_empty($$ select from chat.tenant_bans $$, 'nobody reads even their own ban');

-- Xen, a stranger
select tests.act_as('Xen');
select is(
  tests.refusal(format(statement, tests.room('club'), tests.id_of('Tom'))),
  tests.refusal(format(statement, gen_random_uuid(), gen_random_uuid())),
  format('I8: a tenant one is not in looks like none: %s', statement)
)
from (
  values ('select chat.ban_tenant_member(%L, %L)'), ('select chat.unban_tenant_member(%L, %L)')
) as f (statement);

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  statement, '42501', format('permission denied for function %s', name),
  format('signed-out people may not call %s', name)
)
from (
  values
  ('ban_tenant_member', 'select chat.ban_tenant_member(tests.room(''club''), gen_random_uuid())'),
  ('unban_tenant_member', 'select chat.unban_tenant_member(tests.room(''club''), gen_random_uuid())')
) as f (name, statement);
select tests.act_without_sub();
select throws_ok(
  $$ select chat.ban_tenant_member(tests.room('club'), gen_random_uuid()) $$, 'PT401',
  'sign_in_required', 'a token without a name bans nobody'
);

select * from finish();
rollback;
