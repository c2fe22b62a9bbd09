-- Tenants: the wall between organisations.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_people('Ann', 'Bob', 'Tom', 'Eve');
select tests.move_to_another_tenant('Tom');
select tests.change_as_owner(format(
  'insert into chat.tenant_members (tenant_id, user_id) values (md5(''elsewhere'')::uuid, %L)',
  tests.id_of('Eve')
));

-- Ann, of the default tenant
select tests.act_as('Ann');
select results_eq(
  $$ select name from chat.tenants $$, $$ values ('default') $$,
  'people see their own tenant and no other'
);
select set_eq(
  $$ select user_id from chat.tenant_members $$,
  $$ values (tests.id_of('Ann')), (tests.id_of('Bob')), (tests.id_of('Eve')) $$,
  'people see who is in their tenant'
);
select throws_ok(
  $$ insert into chat.tenants (name) values ('Mine') $$, '42501',
  'permission denied for table tenants', 'nobody writes a tenant'
);
select throws_ok(
  $$ update chat.tenant_members set role = 'owner' $$, '42501',
  'permission denied for table tenant_members', 'nobody promotes themselves'
);

-- Tom, behind the wall
select tests.act_as('Tom');
select results_eq(
  $$ select name from chat.tenants $$, $$ values ('Elsewhere') $$, 'people of another tenant see their own'
);
select set_eq(
  $$ select user_id from chat.tenant_members $$,
  $$ values (tests.id_of('Tom')), (tests.id_of('Eve')) $$, 'people of another tenant see who is in it'
);

-- Eve, on both sides
select tests.act_as('Eve');
select set_eq(
  $$ select name from chat.tenants $$, $$ values ('default'), ('Elsewhere') $$,
  'somebody who is in two tenants sees both'
);
select set_eq(
  $$
    select user_id from chat.tenant_members
    where tenant_id = '00000000-0000-0000-0000-000000000001'
  $$,
  $$ values (tests.id_of('Ann')), (tests.id_of('Bob')), (tests.id_of('Eve')) $$,
  'somebody who is in two tenants sees in each only who is in it'
);

-- Tom, of what is left of Eve
select tests.act_as('Tom');
select tests.change_as_owner(format(
  'update chat.tenant_members set removed_at = now()
   where tenant_id = md5(''elsewhere'')::uuid and user_id = %L', tests.id_of('Eve')
));
select results_eq(
  $$ select user_id from chat.tenant_members $$, $$ values (tests.id_of('Tom')) $$,
  'people of a tenant see who is in it, and not who was'
);

-- Eve, after the other side has removed her
select tests.act_as('Eve');
select results_eq(
  $$ select name from chat.tenants $$, $$ values ('default') $$,
  'somebody who was removed no longer sees the tenant'
);
select is_empty(
  $$ select from chat.tenant_members where user_id = tests.id_of('Tom') $$,
  'somebody who was removed no longer sees who is in the tenant'
);
select isnt_empty(
  $$
    select from chat.tenant_members
    where tenant_id = md5('elsewhere')::uuid and user_id = tests.id_of('Eve')
  $$,
  'somebody who was removed still sees that they were in it'
);

-- Eve, whose account has ended while her token lives on
select tests.change_as_owner(format('delete from auth.users where id = %L', tests.id_of('Eve')));
select is_empty($$ select from chat.tenants $$, 'a closed account sees no tenant');
select is_empty(
  $$ select from chat.tenant_members where user_id <> tests.id_of('Eve') $$,
  'a closed account sees nobody who is in a tenant'
);

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  $$ select from chat.tenants $$, '42501', 'permission denied for table tenants',
  'signed-out people read no tenant'
);
select throws_ok(
  $$ select from chat.tenant_members $$, '42501', 'permission denied for table tenant_members',
  'signed-out people do not read who is in a tenant'
);
select tests.act_without_sub();
select is_empty($$ select from chat.tenants $$, 'a token without a name sees no tenant');

select * from finish();
rollback;
