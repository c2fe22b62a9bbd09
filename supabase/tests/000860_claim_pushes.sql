-- claim_pushes and complete_pushes: a worker takes what is due, and says what became of it.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
select chat_private.spread_pushes(1000000);
create temp table claimed as select * from chat.claim_pushes() with no data;
grant all on claimed to public;

create function tests.claim()
returns integer
language plpgsql
as $$
declare
  v_count integer;
begin
  perform tests.act_as_service();
  truncate claimed;
  insert into claimed select * from chat.claim_pushes();
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;

create function tests.complete(outcome text, more jsonb default '{}')
returns integer
language plpgsql
as $$
begin
  perform tests.act_as_service();
  return chat.complete_pushes((
    select coalesce(jsonb_agg(jsonb_build_object(
      'kind', c.kind, 'user_id', c.user_id, 'room_id', c.room_id, 'device_id', c.device_id, 'seq', c.seq,
      'token_id', c.token_id, 'outcome', complete.outcome, 'ticket', c.ticket
    ) || complete.more), '[]')
    from claimed as c
  ));
end;
$$;

create function tests.later(by_interval interval)
returns void
language sql
security definer
begin atomic
  update chat_private.push_deliveries
  set due_at = due_at - by_interval, wanted_at = wanted_at - by_interval, ticket_at = ticket_at - by_interval;
  update chat_private.push_tokens set woken_at = woken_at - by_interval;
  update chat.presence set last_seen_at = last_seen_at - by_interval;
end;

create function tests.allow(hosts text[])
returns void
language sql
security definer
begin atomic
  update chat_private.settings set push_hosts = hosts;
end;

create function tests.say(room text, body text)
returns bigint
language plpgsql
as $$
begin
  perform tests.act_as('Ann');
  return (chat.send_message(tests.room(say.room), say.body, gen_random_uuid())).seq;
end;
$$;
grant truncate on claimed to service_role;

select tests.act_as('Cat');
select chat.register_device('phone', 'ios', 'expo', 'ExponentPushToken[Cat]');
select chat.heartbeat('laptop', tests.room('hall'));

-- Ann writes ten times in a row
select tests.say('pair', 'number ' || n) from generate_series(1, 10) as n;
select is(tests.claim(), 1, 'ten messages in a row make one push');
select results_eq(
  $$ select kind, user_id, room_id, device_id, platform, push_provider, push_token, title, body, unread, sender_id from claimed $$,
  $$
    values (
      'message', tests.id_of('Cat'), tests.room('pair'), 'phone', 'ios', 'expo', 'ExponentPushToken[Cat]', 'Ann',
      'number 10', 10, tests.id_of('Ann')
    )
  $$, 'a push has the newest text, the name of its sender and a count'
);
select is(
  (select message_id from claimed),
  (select tests.as_owner(format('select id from chat.messages where room_id = %L and body = ''number 10''', tests.room('pair'))))::uuid,
  'a push names its message'
);
select is((select badge from claimed), 10 + tests.as_owner(format($$
    select sum((chat_private.count_unread(m, null)).unread) from chat.room_members as m where m.user_id = %L and m.room_id <> %L and m.left_at is null
  $$, tests.id_of('Cat'), tests.room('pair')))::integer, 'the badge counts all rooms');
create temp table first_claim as select * from claimed;
grant all on first_claim to public;
select is(tests.claim(), 0, 'what one worker has claimed no other gets');
select tests.later('2 minutes 1 second');
select is(tests.claim(), 1, 'what a worker did not complete is claimed again after two minutes');
select is(tests.complete('sent'), 1, 'a push is completed');
select is(tests.claim(), 0, 'what was sent is not claimed again');
select is(tests.complete('sent'), 0, 'an empty list of results completes nothing');

-- While a push is on its way another message comes
select tests.say('pair', 'eleven');
select is(tests.claim(), 1, 'another message is another push');
select tests.say('pair', 'twelve');
select is(tests.complete('sent'), 1, 'the push before it is completed');
select is(tests.claim(), 1, 'what came meanwhile is pushed next');
select is((select body from claimed), 'twelve', 'the push that follows has the newest text');
select is(tests.complete('sent'), 1, 'the push that follows is completed, too');
insert into claimed select * from first_claim;
select is(tests.complete('sent'), 2, 'a result that comes late is taken, beside the newer one');
select is(tests.claim(), 0, 'a result that comes late moves nothing back');

-- A provider that is busy, and one that never answers
select tests.say('pair', 'busy');
select is(tests.claim(), 1, 'a push is claimed');
select is(tests.complete('retry', '{"after": 30}'), 1, 'a push may be put off');
select tests.later('29 seconds');
select is(tests.claim(), 0, 'a push that was put off waits as long as the provider asks');
select tests.later('2 seconds');
select is(tests.claim(), 1, 'after that it is tried again');
select is(tests.complete('retry'), 1, 'a push may fail a second time');
select tests.later('15 seconds');
select is(tests.claim(), 0, 'the second wait is longer than the first');
select tests.later('10 seconds');
select is(tests.claim(), 1, 'the second wait ends');
select is(tests.complete('retry'), 1, 'a push may fail a third time');
select tests.later('24 hours');
select is(tests.claim(), 0, 'after 24 hours a push is given up');
select tests.say('pair', 'refused');
select is(tests.claim(), 1, 'the next message is pushed all the same');
select is(tests.complete('failed'), 1, 'a provider refuses a push for good');
select is(tests.claim(), 0, 'a push that was refused for good is not tried again');

-- Between the outbox and the claim people read, look, snooze and leave
select tests.say('pair', 'read meanwhile');
select tests.as_owner('select chat_private.spread_pushes(1000)');
select tests.act_as('Cat');
select chat.mark_read(tests.room('pair'), 9000);
select is(tests.claim(), 1, 'reading takes what is shown away');
select is((select kind from claimed), 'clear', 'what was read meanwhile is not pushed');
select tests.later('1 hour');
select tests.say('pair', 'looked at');
select tests.act_as('Cat');
select chat.heartbeat('laptop', tests.room('pair'));
select is(tests.claim(), 0, 'somebody who looks at the room gets no push');
select tests.later('2 minutes');
select tests.say('pair', 'snoozed');
select tests.act_as('Cat');
select chat.set_room_preferences(tests.room('pair'), snoozed_until => clock_timestamp() + interval '1 hour');
select is(tests.claim(), 0, 'a room that is snoozed makes no push');
select tests.act_as('Cat');
select chat.set_room_preferences(tests.room('pair'), snoozed_until => '-infinity');
select tests.later('61 minutes');
select is(tests.claim(), 1, 'the push comes when snoozing has ended');
select is(tests.complete('sent'), 1, 'the push that waited is completed');

-- Reading on the laptop
select tests.later('1 hour');
select tests.act_as('Cat');
select chat.mark_read(tests.room('pair'), 9000);
select is(tests.claim(), 1, 'reading elsewhere makes a push that takes the shown one away');
select results_eq(
  $$ select kind, device_id, room_ids, is_background, title, body from claimed $$,
  $$ values ('clear', 'phone', array[tests.room('pair')], true, null::text, null::text) $$, 'a push that takes something away names the rooms, and may wake the device'
);
select is((select badge from claimed), tests.as_owner(format('select chat_private.count_badge(%L)', tests.id_of('Cat')))::integer,
  'a push that takes something away has the badge');
select tests.complete('retry');
select tests.later('1 hour');
select is(tests.claim(), 0, 'a push that takes something away is tried once');
select tests.act_as('Cat');
select chat.mark_read(tests.room('pair'), 9000);
select is(tests.claim(), 0, 'what is read twice takes nothing away twice');

-- Cat reads while the provider has the push, and before anybody says so
select tests.later('1 hour');
select tests.say('pair', 'on its way');
select is(tests.claim(), 1, 'a push is claimed and handed to its provider');
select tests.act_as('Cat');
select chat.mark_read(tests.room('pair'), 9000);
select tests.say('pair', 'not read');
select is(tests.complete('sent'), 1, 'the push is completed after its person has read');
select is(tests.claim(), 2, 'a message that follows is pushed, and what was read is taken away');
select results_eq(
  'select kind, body, room_ids from claimed order by kind',
  $$ values ('clear', null::text, array[tests.room('pair')]), ('message', 'not read', null) $$,
  'a push that is read before it is completed is taken away as soon as it is'
);
select tests.complete('sent');
select is(tests.claim(), 0, 'a push that was not read is not taken away');
select tests.later('1 hour');
select tests.stop_acting();
create function tests.read_elsewhere()
returns boolean
language plpgsql
as $$
begin
  perform tests.say('pair', 'again');
  perform tests.claim();
  perform tests.complete('sent');
  perform tests.act_as('Cat');
  perform chat.mark_read(tests.room('pair'), 9000);
  perform tests.claim();
  return (select c.is_background from claimed as c where c.kind = 'clear');
end;
$$;
select tests.stop_acting();
select results_eq(
  'select tests.read_elsewhere() from generate_series(1, 3)', 'values (true), (false), (false)',
  'an iOS device is woken at most twice an hour'
);
select tests.later('31 minutes');
select is(tests.read_elsewhere(), true, 'after half an hour it may be woken again');
select tests.act_as('Cat');
select chat.register_device('tab', 'web', 'web', json_build_object(
  'endpoint', 'https://fcm.googleapis.com/x', 'keys', json_build_object('p256dh', repeat('B', 87), 'auth', repeat('a', 22))
)::text);
select chat.unregister_device('phone');
select is(tests.read_elsewhere(), null, 'a browser is left alone, because it would have to show something');

-- A host that is taken off the list after a browser registered
select tests.say('pair', 'to a browser');
select is(tests.claim(), 1, 'a browser on a host of push_hosts is pushed to');
select tests.complete('retry');
select tests.later('1 minute');
select tests.allow('{updates.push.services.mozilla.com}');
select is(tests.claim(), 0, 'a push that is tried again does not go to a host that was taken off push_hosts meanwhile');
select tests.allow('{*.googleapis.com}');
select tests.say('pair', 'to a browser again');
select is(tests.claim(), 1, 'a host that is on push_hosts again is pushed to');
select tests.complete('sent');

-- Receipts of Expo
select tests.act_as('Cat');
select chat.unregister_device('tab');
select chat.register_device('phone', 'ios', 'expo', 'ExponentPushToken[Cat]');
select tests.say('pair', 'with a ticket');
select is(tests.claim(), 1, 'a push comes to the new device');
select tests.complete('sent', '{"ticket": "ticket-2"}');
select tests.later('14 minutes');
select is(tests.claim(), 0, 'a ticket rests for a quarter of an hour');
select tests.later('2 minutes');
select is(tests.claim(), 1, 'after a quarter of an hour the receipt of a ticket is asked for');
select results_eq($$ select kind, ticket from claimed $$, $$ values ('receipt', 'ticket-2') $$, 'a claim hands out the ticket');
select tests.complete('sent');
select tests.later('1 hour');
select is(tests.claim(), 0, 'a receipt that came is not asked for again');

-- A dead token
select tests.say('pair', 'to nobody');
select is(tests.claim(), 1, 'a push is claimed for a token that is dead');
select tests.complete('dead');
select is(tests.as_owner('select is_active from chat.devices where device_id = ''phone'''), 'false', 'a dead token makes its device inactive');
select is(tests.as_owner('select count(*) from chat_private.push_tokens'), '0', 'a dead token is forgotten');
select tests.say('pair', 'to nobody');
select is(tests.claim(), 0, 'an inactive device gets no push');
select tests.act_as('Cat');
select chat.register_device('phone', 'ios', 'expo', 'ExponentPushToken[new]');
select tests.complete('dead');
select is(tests.as_owner('select is_active from chat.devices where device_id = ''phone'''), 'true', 'a late result about an old token leaves the new one');

-- What a push says
select tests.say('pair', 'named');
select tests.claim();
select tests.complete('sent');
select tests.act_as('Ann');
select tests.say('trip', repeat('👨‍👩‍👧', 100));
select is(tests.claim(), 1, 'a group pushes, too');
select is((select title from claimed), tests.as_owner(format('select name from chat.rooms where id = %L', tests.room('trip'))), 'the title in a group is its name');
select ok(
  (select body ~ '^Ann: ' and char_length(body) <= 180 and right(body, 5) = '👨‍👩‍👧' from claimed),
  'a long text is cut between two characters as people see them');
select tests.complete('sent');
select tests.act_as('Ann');
select chat.send_message(tests.room('trip'), '', gen_random_uuid(), attachments => '[{"link": "x"}]');
select tests.claim();
select is((select body from claimed), null, 'an attachment alone has no text');
select tests.complete('sent');
select tests.stop_acting();
update chat.tenants set push_shows_text = false;
select tests.say('trip', 'secret');
select is(tests.claim(), 1, 'a tenant that shows no text pushes, too');
select ok((select body is null and not claimed::text like '%secret%' from claimed), 'where the tenant shows no text, a push has none');

-- Opaque rooms
select tests.stop_acting();
update chat.tenants set push_shows_text = true;
select tests.act_as('Ann');
select tests.remember('vault', (chat.create_room('Vault', member_ids => array[tests.id_of('Cat')], is_opaque => true)).id);
select tests.say('vault', 'ciphertext');
select is(tests.claim(), 1, 'an opaque room pushes, too');
select ok((select title = 'Vault' and body is null and not claimed::text like '%ciphertext%' from claimed), 'of an opaque room a push shows the name and no text');
select tests.stop_acting();

-- Bounds and rights
select tests.act_as_service();
select throws_ok(format('select chat.claim_pushes(%s)', size), 'PT400', 'invalid_input', format('a batch has no size %s', size))
from unnest(array['0', '501', 'null']) as s (size);
select throws_ok(format('select chat.complete_pushes(%L)', results), 'PT400', 'invalid_input', format('%s is no list of results', coalesce(results, 'null')))
from unnest(array['{}', '1', null]) as s (results);
select tests.act_as('Ann');
select throws_ok('select chat.claim_pushes()', '42501', 'permission denied for function claim_pushes', 'people claim no pushes');
select throws_ok('select chat.complete_pushes(''[]'')', '42501', 'permission denied for function complete_pushes', 'people complete no pushes');
select tests.act_as_nobody();
select throws_ok('select chat.claim_pushes()', '42501', 'permission denied for function claim_pushes', 'signed-out people claim no pushes');
select tests.stop_acting();

select * from finish();
rollback;
