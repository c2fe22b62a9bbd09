-- Invites into a tenant: create_tenant_invite, accept_tenant_invite, revoke_tenant_invite.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
select tests.make_people('Zoe', 'Yan');
create temp table invite (name text primary key, id uuid, token text);
grant all on invite to public;

-- The club: Ann owns it, Abe is an admin, Cat a member; the board is a room of it
select tests.act_as('Ann');
select tests.remember('club', (chat.create_tenant('Club')).tenant_id);
select tests.act_as_service();
select chat.add_tenant_member(tests.room('club'), tests.id_of('Abe'), 'admin');
select chat.add_tenant_member(tests.room('club'), tests.id_of('Cat'));
select tests.act_as('Abe');
select tests.remember('board', (chat.create_room(
  'Board', tenant_id => tests.room('club'), member_ids => array[tests.id_of('Cat')]
)).id);
select tests.remember('desk', (chat.create_room(
  'Desk', tenant_id => tests.room('club'), default_role => 'reader'
)).id);

-- Abe makes invites
select tests.watch('board', 'desk', 'Ann', 'Abe', 'Cat', 'Dan');
insert into invite
select 'plain', (m).invite_id, (m).token
from (select chat.create_tenant_invite(tests.room('club'), max_uses => 2) as m) as made;
insert into invite
select 'to desk', (m).invite_id, (m).token
from (
  select chat.create_tenant_invite(
    tests.room('club'), max_uses => 5, room_id => tests.room('desk')
  ) as m
) as made;
select tests.changed_nothing('making an invite takes no number');
select results_eq(
  $$
    select i.role, i.room_id, i.max_uses, i.used_count, i.created_by, i.removed_at,
      i.expires_at > now() + interval '6 days'
    from chat.tenant_invites as i
    where i.id = (select id from invite where name = 'plain')
  $$,
  $$ values ('member', null::uuid, 2, 0, tests.id_of('Abe'), null::timestamptz, true) $$,
  'an admin reads who made an invite, what for and for how many'
);
select is_empty(
  $$
    select from chat.tenant_invites as i
    join invite as o on o.id = i.id
    where to_jsonb(i)::text like '%' || o.token || '%'
  $$,
  'the token of an invite into a tenant is stored nowhere'
);

-- Dan comes with one
select tests.act_as('Dan');
select is_empty(
  $$ select from chat.tenants where tenant_id = tests.room('club') $$,
  'I13: an invite that nobody accepted lets nobody in'
);
select tests.watch('board', 'desk', 'Ann', 'Abe', 'Cat', 'Dan');
select is(
  (chat.accept_tenant_invite((select token from invite where name = 'plain'))).role, 'member',
  'somebody who comes with an invite has its role'
);
select tests.took_one_user_number('Dan', 'accepting takes a number in the stream of the person who comes');
select tests.moved('{"Dan": 1}', 'accepting takes no other number');
select isnt_empty(
  $$ select from chat.tenants where tenant_id = tests.room('club') $$, 'somebody who accepted an invite is in the tenant'
);
select tests.watch('board', 'desk', 'Dan');
select is(
  chat.accept_tenant_invite((select token from invite where name = 'plain')),
  (
    select m from chat.tenant_members as m
    where m.tenant_id = tests.room('club') and m.user_id = tests.id_of('Dan')
  ),
  'accepting again returns the place'
);
select tests.changed_nothing('accepting again changes nothing');
select tests.act_as('Abe');
select is(
  (select used_count from chat.tenant_invites where id = (select id from invite where name = 'plain')),
  1, 'an invite is used once per person'
);

-- Tom, who lives elsewhere, comes into a room at the same time
select tests.act_as('Tom');
select tests.watch('board', 'desk', 'Tom', 'Abe');
select is(
  (chat.accept_tenant_invite((select token from invite where name = 'to desk'))).tenant_id,
  tests.room('club'), 'an invite may lead into a room'
);
select tests.took_one_user_number('Tom', 'the stream of somebody who comes into tenant and room takes one number for both');
select tests.took_one_number('desk', 'the room takes one number');
select tests.moved('{"desk": 1, "Tom": 1}', 'an invite into a room moves nothing else');
select results_eq(
  $$
    select m.role, m.user_rev, t.user_rev
    from chat.room_members as m
    join chat.tenant_members as t on t.user_id = m.user_id and t.tenant_id = tests.room('club')
    where m.room_id = tests.room('desk') and m.user_id = tests.id_of('Tom')
  $$,
  $$
    select 'reader', s.rev, s.rev
    from (select (tests.head_of('Tom')).rev) as s
  $$,
  'somebody who comes has the default role of the room, and both rows have the same number'
);
-- Dan, who is in the tenant and not in the room
select tests.act_as('Dan');
select tests.watch('desk', 'Dan');
select is(
  (chat.accept_tenant_invite((select token from invite where name = 'to desk'))).user_rev,
  (
    select user_rev from chat.tenant_members
    where tenant_id = tests.room('club') and user_id = tests.id_of('Dan')
  ),
  'somebody in the tenant keeps their place'
);
select tests.moved('{"desk": 1, "Dan": 1}', 'somebody in the tenant comes into the room');

-- Used up, over, revoked
select tests.lets(
  'Zoe', $$ select chat.accept_tenant_invite((select token from invite where name = 'plain')) $$,
  'an invite for two lets a second one in'
);
select tests.refuses(
  'Yan', 'invite_expired',
  $$ select chat.accept_tenant_invite((select token from invite where name = 'plain')) $$,
  'an invite for two lets no third one in'
);
select tests.lets(
  'Dan', $$ select chat.accept_tenant_invite((select token from invite where name = 'plain')) $$,
  'somebody who is in already is still answered'
);
select tests.change_as_owner('update chat.tenant_invites set expires_at = now() - interval ''1 s''
  where room_id = tests.room(''desk'')');
select tests.refuses(
  'Yan', 'invite_expired',
  $$ select chat.accept_tenant_invite((select token from invite where name = 'to desk')) $$,
  'an invite has its time'
);
select tests.change_as_owner('update chat.tenant_invites set expires_at = now() + interval ''1 d''
  where room_id = tests.room(''desk'')');

create function pg_temp.make(name text, maker text, arguments text)
returns void
language plpgsql
as $$
begin
  perform tests.act_as(make.maker);
  execute format(
    'insert into invite select %L, (m).invite_id, (m).token from (
      select chat.create_tenant_invite(tests.room(''club''), max_uses => 9 %s) as m
    ) as made',
    make.name, make.arguments
  );
end;
$$;
select pg_temp.make('revoked', 'Abe', '');
select tests.act_as('Abe');
select tests.watch('Abe', 'Ann', 'board');
select isnt(
  (chat.revoke_tenant_invite(tests.room('club'), (select id from invite where name = 'revoked'))).removed_at,
  null, 'an admin revokes'
);
select is(
  chat.revoke_tenant_invite(tests.room('club'), (select id from invite where name = 'revoked')),
  (select i from chat.tenant_invites as i where i.id = (select id from invite where name = 'revoked')),
  'revoking again changes nothing'
);
select tests.changed_nothing('revoking again takes no number');
select tests.act_as('Yan');
select is(
  tests.refusal(format(
    'select chat.accept_tenant_invite(%L)', (select token from invite where name = 'revoked')
  )),
  tests.refusal('select chat.accept_tenant_invite(''no such token'')'),
  'I8: a revoked token looks like none'
);
select tests.refuses('Yan', 'invite_not_found', statement, title)
from (
  values
  ('select chat.accept_tenant_invite(''no such token'')', 'an unknown token is not found'),
  ('select chat.accept_tenant_invite(null)', 'null is no token'),
  ('select chat.accept_tenant_invite('''')', 'an empty token is not found'),
  ('select chat.accept_tenant_invite(repeat(''x'', 100000))', 'a very long token is not found')
) as f (statement, title);

-- A maker who fell
select pg_temp.make('by Ann', 'Ann', ', role => ''admin''');
select pg_temp.make('by Abe', 'Abe', '');
select pg_temp.make('by Abe to board', 'Abe', ', room_id => tests.room(''board'')');
create function pg_temp.accept(name text, invite_name text)
returns text
language plpgsql
as $$
declare
  v_token text := (select i.token from invite as i where i.name = accept.invite_name);
  v_slug text;
begin
  perform tests.act_as(accept.name);
  v_slug := tests.refusal(format('select chat.accept_tenant_invite(%L)', v_token)) ->> 'slug';
  return coalesce(v_slug, 'in');
end;
$$;
-- What it finds, and then as it was before.
create function pg_temp.accept_after(change text, name text, invite_name text)
returns text
language plpgsql
as $$
declare
  v_found text;
begin
  begin
    perform tests.change_as_owner(accept_after.change);
    v_found := pg_temp.accept(accept_after.name, accept_after.invite_name);
    raise exception using errcode = 'ZZ000', message = v_found;
  exception
    when sqlstate 'ZZ000' then
      perform tests.stop_acting();
      return sqlerrm;
  end;
end;
$$;
select is(pg_temp.accept_after(change, 'Yan', name), expected, title)
from (
  values
  ('select 1', 'by Ann', 'in', 'an owner''s invite stands'),
  ('select 1', 'by Abe to board', 'in', 'an admin''s invite stands'),
  ('update chat.tenant_members set role = ''member'' where user_id = tests.id_of(''Abe'')',
    'by Abe', 'invite_not_found', 'I13: the invite of a demoted admin is none'),
  ('update chat.tenant_members set removed_at = now() where user_id = tests.id_of(''Abe'')
    and tenant_id = tests.room(''club'')',
    'by Abe', 'invite_not_found', 'I13: the invite of an admin who left is none'),
  ('delete from auth.users where id = tests.id_of(''Abe'')',
    'by Abe', 'invite_not_found', 'I13: the invite of a closed account is none'),
  ('update chat.tenant_members set role = ''admin'' where user_id = tests.id_of(''Ann'')',
    'by Ann', 'invite_not_found', 'an admin invites no admin, once owner or not'),
  ('update chat.room_members set role = ''member'' where user_id = tests.id_of(''Abe'')',
    'by Abe to board', 'invite_not_found', 'somebody who lost the room invites nobody into it'),
  ('update chat.room_members set role = ''member'' where user_id = tests.id_of(''Abe'')',
    'by Abe', 'in', 'somebody who lost the room still invites into the tenant'),
  ('update chat.room_members set muted_until = now() + interval ''1 h'' where user_id = tests.id_of(''Abe'')',
    'by Abe to board', 'invite_not_found', 'somebody who is muted there invites nobody'),
  ('update chat.room_members set left_at = now() where user_id = tests.id_of(''Abe'')',
    'by Abe to board', 'invite_not_found', 'somebody who left the room invites nobody into it'),
  ('update chat.rooms set archived_at = now()', 'by Abe to board', 'room_archived',
    'an archived room takes nobody in'),
  ('insert into chat.tenant_bans (tenant_id, user_id, banned_by)
    select tests.room(''club''), tests.id_of(''Yan''), tests.id_of(''Ann'')',
    'by Abe', 'not_allowed', 'a ban from the tenant holds against an invite'),
  ('insert into chat.tenant_bans (tenant_id, user_id, banned_by, until)
    select tests.room(''club''), tests.id_of(''Yan''), tests.id_of(''Ann''), now() - interval ''1 s''',
    'by Abe', 'in', 'a ban that has ended keeps nobody out'),
  ('insert into chat.tenant_bans (tenant_id, user_id, banned_by, removed_at)
    select tests.room(''club''), tests.id_of(''Yan''), tests.id_of(''Ann''), now()',
    'by Abe', 'in', 'a ban that was lifted keeps nobody out'),
  ('insert into chat.bans (room_id, user_id, banned_by, rev)
    select tests.room(''board''), tests.id_of(''Yan''), tests.id_of(''Ann''), 1',
    'by Abe to board', 'not_allowed', 'a ban from the room holds too'),
  ('insert into chat.bans (room_id, user_id, banned_by, rev)
    select tests.room(''board''), tests.id_of(''Yan''), tests.id_of(''Ann''), 1',
    'by Abe', 'in', 'a ban from the room does not hold for an invite into the tenant alone')
) as f (change, name, expected, title);

-- Who may invite
select tests.refuses(name, slug, statement, title)
from (
  values
  ('Cat', 'not_allowed', $$ select chat.create_tenant_invite(tests.room('club')) $$,
    'a member invites nobody'),
  ('Cat', 'not_allowed', $$ select chat.revoke_tenant_invite(tests.room('club'), gen_random_uuid()) $$,
    'a member revokes nothing'),
  ('Abe', 'not_allowed', $$ select chat.create_tenant_invite(tests.room('club'), 'admin') $$,
    'an admin invites no admin'),
  ('Abe', 'not_allowed',
    $$ select chat.revoke_tenant_invite(tests.room('club'), (select id from invite where name = 'by Ann')) $$,
    'an admin does not revoke what owners give'),
  ('Abe', 'invite_not_found', $$ select chat.revoke_tenant_invite(tests.room('club'), gen_random_uuid()) $$,
    'what does not exist is not revoked'),
  ('Abe', 'invalid_input', $$ select chat.create_tenant_invite(tests.room('club'), 'king') $$,
    'a role is a known one'),
  ('Abe', 'invalid_input', $$ select chat.create_tenant_invite(tests.room('club'), null) $$,
    'a role is not null'),
  ('Abe', 'invalid_input', $$ select chat.create_tenant_invite(tests.room('club'), max_uses => 0) $$,
    'an invite lets somebody in'),
  ('Abe', 'invalid_input', $$ select chat.create_tenant_invite(tests.room('club'), max_uses => 100001) $$,
    'an invite does not let everybody in'),
  ('Abe', 'invalid_input', $$ select chat.create_tenant_invite(tests.room('club'), max_uses => null) $$,
    'a number is a number'),
  ('Abe', 'invalid_input', $$ select chat.create_tenant_invite(tests.room('club'), expires_in => '-1 day') $$,
    'an invite ends in the future'),
  ('Abe', 'invalid_input', $$ select chat.create_tenant_invite(tests.room('club'), expires_in => '2 years') $$,
    'an invite ends within a year'),
  ('Abe', 'room_not_found',
    $$ select chat.create_tenant_invite(tests.room('club'), room_id => tests.room('trip')) $$,
    'a room of another tenant is none of this one'),
  ('Ann', 'room_not_found',
    $$ select chat.create_tenant_invite(tests.room('club'), room_id => tests.room('board')) $$,
    'an owner invites into no room without being in it'),
  ('Ann', 'room_not_found',
    $$ select chat.create_tenant_invite(tests.room('club'), room_id => gen_random_uuid()) $$,
    'an owner invites into no room that does not exist')
) as r (name, slug, statement, title);
select tests.lets(
  'Ann', $$ select chat.create_tenant_invite(tests.room('club'), 'owner') $$, 'owners invite owners'
);
select tests.act_as('Ann');
select chat.set_tenant_member_role(tests.room('club'), tests.id_of('Cat'), 'admin');
select tests.refuses(
  'Cat', 'not_allowed',
  $$ select chat.create_tenant_invite(tests.room('club'), room_id => tests.room('board')) $$,
  'an admin who is only a member of the room invites nobody into it'
);
select tests.lets(
  'Cat', $$ select chat.create_tenant_invite(tests.room('club')) $$, 'an admin who is only a member of the room invites into the tenant'
);
select tests.change_as_owner('update chat_private.settings set open_invites_per_tenant = (
  select count(*) from chat.tenant_invites
  where tenant_id = tests.room(''club'') and removed_at is null and used_count < max_uses
)');
select tests.refuses(
  'Cat', 'payload_too_large', $$ select chat.create_tenant_invite(tests.room('club')) $$,
  'I12: a tenant has as many open invites as the setting says'
);
select tests.act_as('Ann');
select chat.revoke_tenant_invite(tests.room('club'), (select id from invite where name = 'by Ann'));
select tests.lets(
  'Cat', $$ select chat.create_tenant_invite(tests.room('club')) $$, 'a revoked invite makes way for another one'
);

-- Who reads invites
select tests.act_as('Cat');
select isnt_empty($$ select from chat.tenant_invites $$, 'an admin reads the invites of the tenant');
select tests.act_as('Dan');
select is_empty($$ select from chat.tenant_invites $$, 'a member reads no invite of the tenant');
select throws_ok(
  $$ delete from chat.tenant_invites $$, '42501', 'permission denied for table tenant_invites',
  'nobody writes an invite'
);
select tests.act_as('Bob');
select is_empty($$ select from chat.tenant_invites $$, 'a stranger reads no invite');

-- Bob, a stranger
select is(
  tests.refusal(format(statement, tests.room('club'), (select id from invite where name = 'plain'))),
  tests.refusal(format(statement, gen_random_uuid(), gen_random_uuid())),
  format('I8: a tenant one is not in looks like none: %s', statement)
)
from (
  values ('select chat.create_tenant_invite(%1$L)'), ('select chat.revoke_tenant_invite(%L, %L)')
) as f (statement);

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  statement, '42501', format('permission denied for function %s', name),
  format('signed-out people may not call %s', name)
)
from (
  values
  ('create_tenant_invite', 'select chat.create_tenant_invite(tests.room(''club''))'),
  ('accept_tenant_invite', 'select chat.accept_tenant_invite(''x'')'),
  ('revoke_tenant_invite', 'select chat.revoke_tenant_invite(tests.room(''club''), gen_random_uuid())')
) as f (name, statement);
select tests.act_without_sub();
select throws_ok(
  $$ select chat.accept_tenant_invite('x') $$, 'PT401', 'sign_in_required',
  'a token without a name does not come in'
);

select * from finish();
rollback;
