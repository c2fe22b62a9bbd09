-- heartbeat and list_presence: who is online, and which room they have on screen.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

create function tests.later(by_seconds integer)
returns void
language sql
security definer
begin atomic
  update chat.presence set
    last_seen_at = last_seen_at - interval '1 s' * by_seconds,
    told_at = told_at - interval '1 s' * by_seconds;
end;
comment on function tests.later(integer) is 'Let time pass for all leases.';

create function tests.told()
returns setof text
language sql
security definer
begin atomic
  select m.topic from realtime.messages as m
  where m.event = 'presence' and m.private and m.extension = 'broadcast'
    and m.payload ->> 'id' = m.id::text
    and not exists (select from tests.seen_events as s where s.id = m.id);
end;
comment on function tests.told() is 'List the topics that heard of a presence since watch().';

-- What it costs: Ann and Cat are in a direct room
savepoint prices; -- noqa: PRS
select tests.costs('Cat', 2, $$ select chat.heartbeat('phone') $$, 'a new device costs 1, and 1 for everybody who is told');
select tests.costs('Cat', 0, $$ select chat.heartbeat('phone') $$, 'a heartbeat within 30 seconds is free');
select tests.costs('Cat', 1, $$ select chat.heartbeat('phone', tests.room('trip')) $$, 'another room on the screen costs 1');
select tests.later(31);
select tests.costs('Cat', 1, $$ select chat.heartbeat('phone', tests.room('trip')) $$, 'a lease that is prolonged costs 1 for everybody who is told');
select tests.later(31);
select tests.costs('Bob', 1, $$ select chat.heartbeat('phone') $$, 'somebody without direct rooms pays for the device alone');
rollback to prices;

-- What it writes: Bob is in no direct room, and has a phone and a laptop
create function pg_temp.rows_written()
returns bigint
language sql
security definer
begin atomic
  select sum(
    pg_stat_get_xact_tuples_inserted(c.oid) + pg_stat_get_xact_tuples_updated(c.oid) + pg_stat_get_xact_tuples_deleted(c.oid)
  )::bigint
  from pg_class as c
  where c.relkind in ('r', 'p')
    and c.relnamespace in ('chat'::regnamespace, 'chat_private'::regnamespace, 'realtime'::regnamespace);
end;
create function pg_temp.writes(device_id text, room_id uuid default null)
returns bigint
language plpgsql
as $$
declare
  v_before bigint := pg_temp.rows_written();
begin
  perform chat.heartbeat(writes.device_id, writes.room_id);
  return pg_temp.rows_written() - v_before;
end;
$$;
savepoint writes; -- noqa: PRS
select tests.act_as('Bob');
select chat.heartbeat('phone'), chat.heartbeat('laptop');
select is(pg_temp.writes('phone'), 0::bigint, 'a heartbeat within 30 seconds writes no row');
select is(pg_temp.writes('laptop'), 0::bigint, 'a heartbeat of another device within 30 seconds writes no row either');
select tests.later(31);
select is(pg_temp.writes('phone'), 1::bigint, 'a heartbeat that prolongs a lease writes one row');
select is(pg_temp.writes('phone'), 0::bigint, 'the next heartbeat within 30 seconds writes no row');
select is(pg_temp.writes('laptop'), 1::bigint, 'every device has a row of its own to write');
select tests.stop_acting();
select is(
  pg_stat_get_xact_tuples_hot_updated('chat.presence'::regclass), pg_stat_get_xact_tuples_updated('chat.presence'::regclass),
  'to prolong a lease touches no index'
);
select tests.act_as('Cat');
select chat.heartbeat('phone');
select tests.later(31);
select is(pg_temp.writes('phone'), 3::bigint, 'to tell the other person of a direct room is an event more, and the bucket of who pays for it');
select tests.stop_acting();
rollback to writes;

-- Cat comes
select tests.act_as('Cat');
select tests.watch('trip', 'pair', 'Cat', 'Ann');
select results_eq(
  $$ select device_id, room_id, last_seen_at > clock_timestamp() - interval '1 s' from chat.heartbeat('laptop', tests.room('trip')) $$,
  $$ values ('laptop', tests.room('trip'), true) $$, 'a heartbeat says which room is on the screen'
);
select results_eq(
  'select tests.told()', $$ select 'user:' || tests.id_of('Ann') || ':1' $$, 'the other person of a direct room is told, and nobody else'
);
select tests.moved('{}', 'presence takes no number in any stream');
select is(
  tests.as_owner($$
    select date_part('epoch', (m.payload ->> 'online_until')::timestamptz - p.last_seen_at)
    from realtime.messages as m, chat.presence as p where m.event = 'presence' and m.payload ->> 'user_id' = p.user_id::text
  $$), '75', 'an event of presence says until when somebody is online'
);
select tests.watch('Cat', 'Ann');
select lives_ok($$ select chat.heartbeat('laptop', tests.room('trip')) $$, 'a heartbeat may come at once after another');
select tests.changed_nothing('a heartbeat within 30 seconds tells nobody');
select lives_ok($$ select chat.heartbeat('phone') $$, 'another device has a lease of its own');
select is_empty('select tests.told()', 'a second device within 30 seconds tells nobody');
select results_eq(
  $$ select device_id, room_id from chat.presence order by 1 $$, $$ values ('laptop', tests.room('trip')), ('phone', null) $$,
  'people read their own leases'
);
select is((chat.heartbeat('laptop', tests.room('hall'))).room_id, tests.room('hall'), 'another room on the screen is written at once');
select is_empty('select tests.told()', 'another room on the screen tells nobody');
select is((chat.heartbeat('laptop')).room_id, null, 'no room on the screen is written at once');
select tests.later(31);
select lives_ok($$ select chat.heartbeat('laptop') $$, 'a lease is prolonged');
select is((select count(*) from tests.told()), 1::bigint, 'a lease that is prolonged tells once');
select lives_ok($$ select chat.heartbeat('phone') $$, 'the other lease is prolonged');
select is((select count(*) from tests.told()), 1::bigint, 'two devices tell once in 30 seconds');

-- Ann and Bob look
select tests.act_as('Ann');
select results_eq(
  $$ select user_id, is_online, last_seen_at is null from chat.list_presence(array[tests.id_of('Cat'), tests.id_of('Bob'), tests.id_of('Ann'), tests.id_of('Dan'), gen_random_uuid()]) $$,
  $$ select u, u = tests.id_of('Cat'), u <> tests.id_of('Cat') from unnest(array[tests.id_of('Cat'), tests.id_of('Bob'), tests.id_of('Ann')]) as u order by u $$,
  'people of one''s rooms are online or not; strangers are left out like nobody'
);
select is_empty($$ select from chat.presence $$, 'nobody reads the leases of others');
select tests.later(74);
select is((select is_online from chat.list_presence(array[tests.id_of('Cat')])), true, 'somebody is online for 75 seconds after a heartbeat');
select tests.later(2);
select results_eq(
  $$ select is_online, last_seen_at is not null from chat.list_presence(array[tests.id_of('Cat')]) $$, 'values (false, true)',
  'after that they are offline, and were seen last'
);
select tests.act_as('Dan');
select is_empty($$ select from chat.list_presence(array[tests.id_of('Cat')]) $$, 'a stranger sees nobody online');
select tests.act_as('Xen');
select is_empty($$ select from chat.list_presence(array[tests.id_of('Cat')]) $$, 'an ex-member sees nobody online');

-- Cat hides
select tests.act_as('Cat');
select is((chat.update_profile(share_presence => false)).share_presence, false, 'presence may be hidden');
select tests.watch('Cat', 'Ann');
select lives_ok($$ select chat.heartbeat('laptop', tests.room('trip')) $$, 'somebody hidden has leases');
select is_empty('select tests.told()', 'nobody hears of somebody hidden');
select tests.act_as('Ann');
select is_empty($$ select from chat.list_presence(array[tests.id_of('Cat')]) $$, 'somebody hidden is left out like nobody');
select tests.act_as('Cat');
select is((chat.update_profile(label => 'x')).share_presence, false, 'an update that leaves share_presence out keeps it');
select is((chat.update_profile(share_presence => true)).share_presence, true, 'presence may be shown again');
select lives_ok($$ select chat.heartbeat('laptop') $$, 'a heartbeat follows');
select is((select count(*) from tests.told()), 1::bigint, 'somebody shown again is told of');

-- Limits
select lives_ok(format('select chat.heartbeat(%L)', 'd' || n), 'lease ' || n) from generate_series(1, 20) as n;
select is((select count(*) from chat.presence), 20::bigint, 'a person has at most 20 leases');
select ok(not exists (select from chat.presence where device_id = 'phone'), 'the oldest lease gives way');
select tests.refuses('Cat', slug, statement, title)
from (
  values
  ('invalid_input', $$ select chat.heartbeat(null) $$, 'a lease is of a device'),
  ('invalid_input', $$ select chat.heartbeat(repeat('x', 201)) $$, 'the id of a device that is there is short'),
  ('payload_too_large', $$ select chat.list_presence(array_fill(tests.id_of('Ann'), array[201])) $$, 'the presence of 200 people is listed at once at most')
) as v (slug, statement, title);
select tests.strangers_find_nothing('select chat.heartbeat(''x'', %L)', 'a lease');

-- A broadcast that fails
select tests.act_as('Ann');
select tests.change_as_owner('alter table chat_private.user_streams rename column epoch to era');
select lives_ok($$ select chat.heartbeat('phone') $$, 'I9: a heartbeat works where its broadcast fails');
select tests.change_as_owner('alter table chat_private.user_streams rename column era to epoch');

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  $$ select chat.heartbeat('phone') $$, '42501', 'permission denied for function heartbeat', 'signed-out people are not there'
);
select tests.act_without_sub();
select throws_ok($$ select chat.heartbeat('phone') $$, 'PT401', 'sign_in_required', 'a token that names nobody is not there');
select tests.stop_acting();

select * from finish();
rollback;
