-- ban_member and unban_member: out, and not back in.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
create temp table invite (token text);
grant all on invite to public;
select tests.act_as('Ann');
insert into invite select (chat.create_invite(tests.room('trip'), 100)).token;

-- What it costs
savepoint prices; -- noqa: PRS
select tests.costs('Bob', price, format('select chat.%s(%L, %L)', call, tests.room('trip'), tests.id_of(name)), title)
from (
  values
  ('ban_member', 'Cat', 6, 'a ban costs as much as the room has members'),
  ('ban_member', 'Dan', 5, 'a ban of a stranger costs as much as the room has other members'), ('ban_member', 'Dan', 0, 'a ban that stands already is free'),
  ('unban_member', 'Cat', 5, 'lifting a ban costs as much as the room has members'), ('unban_member', 'Cat', 0, 'lifting a ban that was lifted is free')
) as c (call, name, price, title);
rollback to prices;

-- Bob, a moderator, bans Cat, a member
select tests.takes_one_number_everywhere(
  'Bob', format('select chat.ban_member(%%L, %L, reason => '' spam '')', tests.id_of('Cat')),
  'banning a member takes one number'
);
select tests.changes_nothing_anywhere(
  'Bob', format('select chat.ban_member(%%L, %L, reason => ''spam'')', tests.id_of('Cat')),
  'the same ban again changes nothing'
);
select results_eq(
  $$
    select until, reason, banned_by, removed_at from chat.bans
    where room_id = tests.room('trip') and user_id = tests.id_of('Cat')
  $$,
  $$ values (null::timestamptz, 'spam', tests.id_of('Bob'), null::timestamptz) $$,
  'the ban says why, by whom and that it has no end'
);
select results_eq(
  $$
    select m.left_at is not null, r.reason from chat.room_members as m
    join chat.removals as r on r.room_id = m.room_id and r.user_id = m.user_id and r.rev = m.rev
    where m.room_id = tests.room('trip') and m.user_id = tests.id_of('Cat')
  $$,
  $$ values (true, 'spam') $$, 'a ban ends the membership'
);

-- Bob bans Lea, watched from her side
select tests.watch('trip', 'hall', 'Lea', 'Ann');
select chat.ban_member(tests.room('trip'), tests.id_of('Lea'));
select tests.took_one_user_number('Lea', 'somebody who is banned is told to drop the room');
select tests.moved('{"trip": 1, "Lea": 1}', 'nobody else is told to drop the room');
select is(
  (
    select jsonb_object_agg(h.stream, (tests.head_of(h.stream)).epoch - h.epoch)
    from tests.heads as h
  ),
  '{"trip": 1, "hall": 0, "Lea": 1, "Ann": 0}', 'the topics of the room and of the person move on'
);

-- Lea and Cat, banned
select tests.act_as('Lea');
select is_empty(
  $$ select from chat.messages where room_id = tests.room('trip') $$, 'I5: somebody who is banned reads nothing'
);
select tests.looks_absent('select chat.join_room(%L)', tests.room('trip'), 'somebody who is banned does not join');
select tests.refuses(
  'Lea', 'not_allowed', $$ select chat.accept_invite(token) from invite $$, 'I3: somebody who is banned accepts no invite'
);
select tests.refuses(
  'Ann', 'not_allowed', $$ select chat.add_member(tests.room('trip'), tests.id_of('Lea')) $$,
  'I3: somebody who is banned is not added, by anybody'
);
select tests.act_as('Cat');
select is_empty(
  $$ select from chat.rooms where id = tests.room('plaza') $$, 'a public room is gone from the list of somebody who is banned from it'
);

-- Dan, who is not in it yet
select tests.takes_one_number_everywhere(
  'Bob', format('select chat.ban_member(%%L, %L)', tests.id_of('Dan')),
  'somebody who has not come yet can be kept out, by one number'
);
select tests.changes_nothing_anywhere(
  'Bob', format('select chat.ban_member(%%L, %L)', tests.id_of('Dan')), 'banning a stranger again changes nothing'
);
select tests.act_as('Bob');
select chat.ban_member(tests.room('trip'), tests.id_of('Dan'), 'infinity');
select tests.watch('trip');
select chat.ban_member(tests.room('trip'), tests.id_of('Dan'), 'infinity');
select tests.changed_nothing('a ban until infinity is one without end, said twice as well');
select tests.watch('trip');
select is(
  (chat.ban_member(tests.room('trip'), tests.id_of('Dan'), until)).until, null, format('a ban until %s is one without end', until)
)
from unnest(array['200000-01-01', '10000-01-01', '9999-12-31 00:00:00+00']::timestamptz[]) as u (until);
select tests.changed_nothing('an end past the last year of clients is the same ban');
select is(
  (chat.ban_member(tests.room('trip'), tests.id_of('Dan'), '9999-12-30 00:00:00+00')).until,
  '9999-12-30 00:00:00+00', 'the day before the last one of clients is an end'
);
select chat.ban_member(tests.room('trip'), tests.id_of('Dan'));
select tests.watch('trip');
select chat.ban_member(tests.room('trip'), tests.id_of('Dan'), reason => 'other');
select tests.took_one_number('trip', 'another reason changes a ban');
select tests.act_as('Dan');
select tests.looks_absent('select chat.join_room(%L)', tests.room('plaza'), 'a stranger who is banned finds no public room');

-- For a time
select tests.act_as('Bob');
select chat.ban_member(tests.room('plaza'), tests.id_of('Dan'), clock_timestamp() + interval '1 hour');
select tests.act_as('Dan');
select tests.looks_absent('select chat.join_room(%L)', tests.room('plaza'), 'a ban may have an end');
select tests.change_as_owner('update chat.bans set until = clock_timestamp() where until is not null');
select tests.lets('Dan', $$ select chat.join_room(tests.room('plaza')) $$, 'a ban is over at its end');
select tests.lets(
  'Bob', $$ select chat.ban_member(tests.room('plaza'), tests.id_of('Dan')) $$, 'somebody who came after a ban can be banned again'
);

-- Bob lifts it
select tests.takes_one_number_everywhere(
  'Bob', format('select chat.unban_member(%%L, %L)', tests.id_of('Cat')), 'lifting a ban takes one number'
);
select tests.changes_nothing_anywhere(
  'Bob', format('select chat.unban_member(%%L, %L)', tests.id_of('Cat')), 'lifting a ban again changes nothing'
);
select tests.act_as('Cat');
select tests.looks_absent(
  'select chat.send_message(%L, ''x'', gen_random_uuid())', tests.room('trip'),
  'lifting a ban brings nobody back'
);
select tests.lets('Cat', $$ select chat.accept_invite(token) from invite $$, 'lifting a ban lets somebody come with an invite');
select tests.lets('Cat', $$ select chat.join_room(tests.room('plaza')) $$, 'somebody who was unbanned comes by themselves where the room is public');

-- Ranks
select tests.refuses(name, slug, statement, title)
from (
  values
  ('Bob', 'not_allowed', $$ select chat.ban_member(tests.room('trip'), tests.id_of('Abe')) $$,
    'a moderator bans no admin'),
  ('Abe', 'not_allowed', $$ select chat.ban_member(tests.room('trip'), tests.id_of('Ann')) $$,
    'an admin bans no owner'),
  ('Bob', 'not_allowed', $$ select chat.ban_member(tests.room('trip'), tests.id_of('Bob')) $$,
    'nobody bans themselves'),
  ('Cat', 'not_allowed', $$ select chat.ban_member(tests.room('trip'), tests.id_of('Rea')) $$,
    'a member bans nobody'),
  ('Cat', 'not_allowed', $$ select chat.unban_member(tests.room('trip'), tests.id_of('Dan')) $$,
    'a member lifts no ban'),
  ('Cat', 'not_allowed', $$ select chat.ban_member(tests.room('pair'), tests.id_of('Ann')) $$,
    'nobody bans in a direct room'),
  ('Bob', 'invalid_input',
    $$ select chat.ban_member(tests.room('trip'), tests.id_of('Cat'), clock_timestamp()) $$,
    'a ban ends in the future'),
  ('Bob', 'invalid_input',
    $$ select chat.ban_member(tests.room('trip'), tests.id_of('Cat'), '4000-01-01 BC') $$,
    'a ban does not end before our time'),
  ('Bob', 'invalid_input',
    $$ select chat.ban_member(tests.room('trip'), tests.id_of('Cat'), reason => repeat('x', 501)) $$,
    'a reason is short'),
  ('Bob', 'invalid_input',
    $$ select chat.ban_member(tests.room('trip'), tests.id_of('Cat'), reason => E'a\nb') $$,
    'a reason is one line'),
  ('Bob', 'user_not_found', $$ select chat.unban_member(tests.room('trip'), tests.id_of('Rea')) $$,
    'somebody who is not banned is not unbanned')
) as r (name, slug, statement, title);
select tests.looks_absent(
  format('select chat.ban_member(%L, %%L)', tests.room('trip')), tests.id_of('Tom'),
  'somebody of another tenant looks like nobody'
) from (select tests.act_as('Bob')) as actor;
select tests.lets(
  'Abe', $$ select chat.ban_member(tests.room('trip'), tests.id_of('Bob')) $$, 'an admin bans a moderator'
);
select tests.act_as('Ann');
select chat.mute_member(tests.room('hall'), tests.id_of('Bob'));
select tests.refuses('Bob', 'member_muted', statement, title)
from (
  values
  ($$ select chat.ban_member(tests.room('hall'), tests.id_of('Rea')) $$, 'somebody who is muted bans nobody'),
  ($$ select chat.unban_member(tests.room('hall'), tests.id_of('Dan')) $$, 'somebody who is muted lifts no ban')
) as r (statement, title);

-- Strangers, ex-members, other tenants
select tests.strangers_find_nothing(
  format('select chat.%I(%%L, %L)', name, tests.id_of('Rea')), name
)
from unnest(array['ban_member', 'unban_member']) as f (name);

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  format('select chat.%I(%L, %L)', name, tests.room('trip'), tests.id_of('Cat')), '42501',
  format('permission denied for function %s', name), format('signed-out people may not call %s', name)
)
from unnest(array['ban_member', 'unban_member']) as f (name);

select * from finish();
rollback;
