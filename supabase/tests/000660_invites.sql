-- Invites: create_invite, accept_invite, revoke_invite, and who reads of them.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
create temp table invite (name text primary key, id uuid, token text);
grant all on invite to public;

-- How many
savepoint caps; -- noqa: PRS
select tests.change_as_owner('update chat_private.settings set open_invites_per_room = 2');
select tests.act_as('Bob');
create temp table made (token text, id uuid, number integer generated always as identity);
grant all on made to public;
create function pg_temp.invite()
returns text
language sql
as $$ select 'insert into made (id, token) select i.invite_id, i.token from chat.create_invite(tests.room(''trip'')) as i' $$;
select tests.lets('Bob', pg_temp.invite(), 'invites are made') from generate_series(1, 2);
select tests.refuses('Bob', 'payload_too_large', pg_temp.invite(), 'no more invites into a room are made than the limit');
select tests.lets('Bob', 'select chat.create_invite(tests.room(''hall''))', 'the limit of open invites counts for each room');
select tests.lets('Bob', 'select chat.revoke_invite(tests.room(''trip''), id) from made where number = 1', 'an invite is revoked');
select tests.lets('Bob', pg_temp.invite(), 'another invite may be made when one is revoked');
select tests.act_as('Dan');
select chat.accept_invite(token) from made where number = 2;
select tests.lets('Bob', pg_temp.invite(), 'an invite that is used up makes room');
select tests.change_as_owner('update chat.invites set expires_at = now() where removed_at is null and used_count = 0');
select tests.lets('Bob', pg_temp.invite(), 'an invite whose time is over makes room');
rollback to caps;

-- What it costs
savepoint prices; -- noqa: PRS
create temp table priced (token text);
grant all on priced to public;
select tests.costs(
  'Bob', 20, $$ insert into priced select token from chat.create_invite(tests.room('trip')) $$, 'an invite costs 20'
);
select tests.costs('Dan', price, $$ select chat.accept_invite(token) from priced $$, title)
from (
  values (6, 'accepting an invite costs as much as the room has members'), (0, 'accepting an invite where one is already in is free')
) as c (price, title);
select tests.costs(
  'Bob', price, $$ select chat.revoke_invite(room_id, id) from chat.invites where room_id = tests.room('trip') $$, title
)
from (
  values (1, 'revoking an invite costs 1'), (0, 'revoking an invite again is free')
) as c (price, title);
rollback to prices;

-- Bob, a moderator
select tests.takes_one_number_everywhere(
  'Bob', $$
    insert into invite
    select r.name, (i.made).invite_id, (i.made).token
    from (select chat.create_invite(%1$L, 2) as made) as i
    join tests.rooms as r on r.room_id = %1$L
  $$,
  'an invite takes one number'
);
select results_eq(
  $$
    select i.max_uses, i.used_count, i.created_by, i.removed_at, i.expires_at > now() + interval '6 days'
    from chat.invites as i
    where i.id = (select id from invite where name = 'trip')
  $$,
  $$ values (2, 0, tests.id_of('Bob'), null::timestamptz, true) $$,
  'a moderator reads who made an invite and for how many'
);
select is_empty(
  $$
    select from chat.invites as i
    join invite as o on o.id = i.id
    where to_jsonb(i)::text like '%' || o.token || '%'
  $$,
  'the token of an invite into a room is stored nowhere'
);
select is((select count(distinct token) from invite), 5::bigint, 'each invite has a token of its own');

-- Dan comes with one
select tests.act_as('Dan');
select tests.watch('trip', 'hall', 'Dan', 'Ann', 'Bob');
select is(
  (chat.accept_invite((select token from invite where name = 'trip'))).role, 'member',
  'somebody who comes with an invite has the default role'
);
select tests.took_one_number('trip', 'accepting takes one number');
select tests.took_one_user_number('Dan', 'accepting takes one number in the stream of the person who comes');
select tests.moved('{"trip": 1, "Dan": 1}', 'accepting takes no other number');
select tests.watch('trip', 'Dan');
select lives_ok(
  $$ select chat.accept_invite((select token from invite where name = 'trip')) $$,
  'accepting again returns the membership'
);
select tests.changed_nothing('accepting again changes nothing');
select tests.act_as('Bob');
select is(
  (select used_count from chat.invites where id = (select id from invite where name = 'trip')), 1,
  'an invite is used once per person'
);
select tests.lets(
  'Dan', $$ select chat.accept_invite((select token from invite where name = 'late')) $$,
  'an invite lets into a room without a history as well'
);
select is_empty(
  $$ select from chat.messages where room_id = tests.room('late') and body = 'early' $$,
  'a room without a history shows none of it'
);

-- Used up, over, revoked
select tests.lets(
  'Xen', $$ select chat.accept_invite((select token from invite where name = 'trip')) $$,
  'an ex-member may come with an invite'
);
select tests.make_people('Zoe');
select tests.refuses(
  'Zoe', 'invite_expired', $$ select chat.accept_invite((select token from invite where name = 'trip')) $$,
  'an invite for two lets two in'
);
select tests.lets(
  'Dan', $$ select chat.accept_invite((select token from invite where name = 'trip')) $$,
  'somebody who is in already is still answered'
);
select tests.change_as_owner('update chat.invites set expires_at = now() - interval ''1 s''
  where room_id = tests.room(''hall'')');
select tests.refuses(
  'Zoe', 'invite_expired', $$ select chat.accept_invite((select token from invite where name = 'hall')) $$,
  'an invite has its time'
);
select tests.takes_one_number_everywhere(
  'Abe', 'select chat.revoke_invite(%1$L, (
    select i.id from invite as i join tests.rooms as r on r.name = i.name where r.room_id = %1$L
  ))',
  'revoking takes one number'
);
select tests.changes_nothing_anywhere(
  'Bob', 'select chat.revoke_invite(%1$L, (
    select i.id from invite as i join tests.rooms as r on r.name = i.name where r.room_id = %1$L
  ))',
  'revoking again changes nothing'
);
select tests.act_as('Zoe');
select is(
  tests.refusal(format('select chat.accept_invite(%L)', (select token from invite where name = 'plaza'))),
  tests.refusal('select chat.accept_invite(''no such token'')'),
  'I8: a revoked token looks like none'
);
select tests.refuses('Zoe', 'invite_not_found', statement, title)
from (
  values
  ('select chat.accept_invite(''no such token'')', 'an unknown token is not found'),
  ('select chat.accept_invite(null)', 'null is no token'),
  ('select chat.accept_invite('''')', 'an empty token is not found'),
  ('select chat.accept_invite(repeat(''x'', 100000))', 'a very long token is not found')
) as f (statement, title);

-- Tom, of another tenant
select tests.act_as('Bob');
update invite set token = (chat.create_invite(tests.room('hall'), 100)).token where name = 'hall';
select tests.act_as('Tom');
select is(
  tests.refusal(format('select chat.accept_invite(%L)', (select token from invite where name = 'hall'))),
  tests.refusal('select chat.accept_invite(''no such token'')'),
  'I8: a token of another tenant looks like none'
);
select tests.lets(
  'Zoe', $$ select chat.accept_invite((select token from invite where name = 'hall')) $$,
  'the same token works for somebody of the tenant'
);

-- An archived room; a ban
select tests.act_as('Ann');
select chat.ban_member(tests.room('hall'), tests.id_of('Xen'));
select tests.refuses(
  'Xen', 'not_allowed', $$ select chat.accept_invite((select token from invite where name = 'hall')) $$,
  'I3: somebody who is banned is not let in'
);
select tests.act_as('Ann');
select chat.archive_room(tests.room('hall'));
select tests.refuses(
  'Dan', 'room_archived', $$ select chat.accept_invite((select token from invite where name = 'hall')) $$,
  'I3: an archived room takes nobody in'
);

-- Who may invite
select tests.refuses(name, slug, statement, title)
from (
  values
  ('Cat', 'not_allowed', $$ select chat.create_invite(tests.room('trip')) $$, 'a member invites nobody'),
  ('Cat', 'not_allowed', $$ select chat.create_invite(tests.room('pair')) $$, 'nobody comes into a direct room'),
  ('Cat', 'not_allowed', $$ select chat.revoke_invite(tests.room('trip'), gen_random_uuid()) $$,
    'a member revokes nothing'),
  ('Bob', 'room_archived', $$ select chat.create_invite(tests.room('hall')) $$,
    'nobody is invited into an archived room'),
  ('Bob', 'invite_not_found', $$ select chat.revoke_invite(tests.room('trip'), gen_random_uuid()) $$,
    'what does not exist is not revoked'),
  ('Bob', 'invite_not_found',
    $$ select chat.revoke_invite(tests.room('trip'), (select id from invite where name = 'late')) $$,
    'nobody revokes an invite of another room'),
  ('Bob', 'invalid_input', $$ select chat.create_invite(tests.room('trip'), 0) $$, 'an invite lets somebody in'),
  ('Bob', 'invalid_input', $$ select chat.create_invite(tests.room('trip'), 100001) $$, 'an invite does not let everybody in'),
  ('Bob', 'invalid_input', $$ select chat.create_invite(tests.room('trip'), null) $$, 'the uses of an invite are not null'),
  ('Bob', 'invalid_input', $$ select chat.create_invite(tests.room('trip'), expires_in => '-1 day') $$,
    'an invite ends in the future'),
  ('Bob', 'invalid_input', $$ select chat.create_invite(tests.room('trip'), expires_in => '2 years') $$,
    'an invite ends within a year'),
  ('Bob', 'invalid_input', $$ select chat.create_invite(tests.room('trip'), expires_in => null) $$,
    'the time of an invite is not null')
) as r (name, slug, statement, title);
select tests.act_as('Ann');
select chat.mute_member(tests.room('trip'), tests.id_of('Bob'));
select tests.refuses(
  'Bob', 'member_muted', $$ select chat.create_invite(tests.room('trip')) $$, 'I3: somebody who is muted invites nobody'
);

-- Who reads invites
select isnt_empty($$ select from chat.invites $$, 'a moderator reads the invites of the room');
select tests.act_as('Cat');
select is_empty($$ select from chat.invites $$, 'a member reads no invite');
select tests.act_as('Xen');
select is_empty($$ select from chat.invites $$, 'an ex-member reads no invite');
select tests.act_as('Tom');
select is_empty($$ select from chat.invites $$, 'another tenant reads no invite');
select throws_ok(
  $$ delete from chat.invites $$, '42501',
  'permission denied for table invites', 'nobody writes an invite'
);

-- Strangers, ex-members, other tenants
select tests.change_as_owner($$
  delete from chat.room_members
  where user_id in (tests.id_of('Dan'), tests.id_of('Xen')) and left_at is null
$$);
select tests.strangers_find_nothing('select chat.create_invite(%L)', 'inviting');
select tests.strangers_find_nothing('select chat.revoke_invite(%L, gen_random_uuid())', 'revoking');

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  statement, '42501', format('permission denied for function %s', name), format('signed-out people may not call %s', name)
)
from (
  values
  ('create_invite', 'select chat.create_invite(tests.room(''trip''))'),
  ('accept_invite', 'select chat.accept_invite(''x'')'),
  ('revoke_invite', 'select chat.revoke_invite(tests.room(''trip''), gen_random_uuid())')
) as f (name, statement);
select tests.act_without_sub();
select throws_ok(
  $$ select chat.accept_invite('x') $$, 'PT401', 'sign_in_required', 'a token without a name does not come in'
);

select * from finish();
rollback;
