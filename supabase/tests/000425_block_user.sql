-- block_user and unblock_user: two people who do not reach each other any more.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

create function pg_temp.closed()
returns boolean
language sql
volatile
return tests.as_owner(format('select is_closed from chat.rooms where id = %L', tests.room('pair')))::boolean;

create function pg_temp.send(room text)
returns chat.messages
language sql
volatile
return chat.send_message(tests.room(room), 'hello', gen_random_uuid());

-- The person who blocks
select tests.act_as('Cat');
select tests.watch('Cat', 'Ann', 'pair', 'trip');
select is(
  (
    select row(b.user_id, b.blocked_id, b.removed_at)::text
    from chat.block_user(tests.id_of('Ann')) as b
  ),
  format('(%s,%s,)', tests.id_of('Cat'), tests.id_of('Ann')),
  'block_user returns the block'
);
select tests.took_one_user_number('Cat', 'a block is in the stream of the person who blocked');
select tests.took_one_number('pair', 'a block takes a number of the direct room, whose epoch rises');
select tests.moved(
  '{"Cat": 1, "pair": 1}', 'a block moves neither the stream of the blocked person nor a group'
);
select tests.watch('Cat', 'Ann', 'pair');
select lives_ok(
  $$ select chat.block_user(tests.id_of('Ann')) $$, 'blocking somebody again does no harm'
);
select tests.changed_nothing('blocking somebody again changes nothing');
select ok(
  chat.pull_changes('{}') #> '{user,rows,blocks}'
    @> jsonb_build_array(jsonb_build_object('blocked_id', tests.id_of('Ann'))),
  'somebody who has nothing yet pulls their blocks'
);
select ok(
  exists (
    select from jsonb_array_elements(chat.pull_changes('{}') -> 'profiles') as p (profile)
    where p.profile ->> 'user_id' = tests.id_of('Ann')::text
  ),
  'a pull brings the profile of a blocked person'
);
select results_eq(
  'select blocked_id from chat.blocks', $$ values (tests.id_of('Ann')) $$,
  'people read their own blocks'
);

-- Sends into the direct room
select tests.refuses(
  'Ann', 'not_allowed', $$ select pg_temp.send('pair') $$, 'a blocked person sends nothing into the direct room'
);
select tests.refuses(
  'Cat', 'not_allowed', $$ select pg_temp.send('pair') $$,
  'the person who blocked sends nothing into the direct room'
);
select tests.lets('Ann', $$ select pg_temp.send('trip') $$, 'a blocked person sends into a group of both');
select tests.act_as('Ann');
select is(
  (
    select o.outcome || ' ' || o.reason
    from chat.send_messages(jsonb_build_array(jsonb_build_object(
      'room_id', tests.room('pair'), 'client_id', gen_random_uuid(), 'body', 'hello'
    ))) as o
  ),
  'rejected not_allowed', 'a batch of a blocked person is rejected, too'
);
select tests.stop_acting();
select is(
  chat_private.rights_on_topic('live:' || r.id || ':' || r.epoch, tests.id_of('Ann')),
  '{}', 'nobody is on the live topic of a direct room with a block'
)
from chat.rooms as r
where r.id = tests.room('pair');
select is(
  chat_private.rights_on_topic('live:' || r.id || ':' || r.epoch, tests.id_of('Ann')),
  '{listen,appear,speak}', 'a member is on the live topic of a room without a block'
)
from chat.rooms as r
where r.id = tests.room('trip');

-- The same words as for a closed account
select tests.make_people('Eva');
select tests.act_as('Ann');
select tests.remember('gone', (chat.open_direct(tests.id_of('Eva'))).id);
select tests.lets('Ann', $$ select pg_temp.send('gone') $$, 'an open account is sent to');
select tests.stop_acting();
delete from auth.users where id = tests.id_of('Eva');
select tests.act_as('Ann');
select is(
  tests.refusal($$ select pg_temp.send('pair') $$), tests.refusal($$ select pg_temp.send('gone') $$),
  'a send answers for a block as for an account that closed, word for word'
);
select is(
  tests.refusal($$ select pg_temp.send('gone') $$) ->> 'slug', 'not_allowed',
  'a send to an account that closed is refused before maintenance has run'
);
select tests.stop_acting();
select chat_private.run_maintenance();
select tests.refuses(
  'Ann', 'not_allowed', $$ select pg_temp.send('gone') $$,
  'a send to an account that closed is refused after maintenance'
);

-- What else is done in a direct room
select tests.act_as('Cat');
select chat.unblock_user(tests.id_of('Ann'));
select tests.act_as('Ann');
select pg_temp.send('pair');
select tests.act_as('Cat');
select chat.block_user(tests.id_of('Ann'));
select tests.refuses(
  'Ann', 'not_allowed', $$ select chat.edit_message(tests.room('pair'), 1, 'worse') $$,
  'a blocked person edits nothing in the direct room'
);
select tests.refuses(
  'Ann', 'not_allowed', $$ select chat.add_reaction(tests.room('pair'), 1, '👍') $$,
  'a blocked person reacts to nothing in the direct room'
);
select tests.refuses(
  'Ann', 'not_allowed', $$ select chat.pin_message(tests.room('pair'), 1) $$,
  'a blocked person pins nothing in the direct room'
);
select tests.lets(
  'Ann', $$ select chat.delete_message(tests.room('pair'), 1) $$,
  'a blocked person still takes back what they said'
);

-- Reaching each other
select tests.act_as('Ann');
select tests.looks_absent(
  'select chat.open_direct(%L)', tests.id_of('Cat'), 'open_direct finds nobody who has blocked the caller'
);
select tests.looks_absent(
  format('select chat.add_member(%L, %%L)', tests.room('trip')), tests.id_of('Cat'),
  'add_member finds nobody who has blocked the caller'
);
select tests.looks_absent(
  'select chat.create_room(''Plans'', member_ids => array[%L]::uuid[])', tests.id_of('Cat'),
  'create_room finds nobody who has blocked the caller'
);
select tests.lets(
  'Ann', $$ select chat.open_direct(tests.id_of('Bob')) $$, 'open_direct finds others as before'
);
select tests.act_as('Cat');
select tests.looks_absent(
  'select chat.open_direct(%L)', tests.id_of('Ann'), 'open_direct finds nobody whom the caller has blocked'
);
select tests.lets(
  'Bob', $$ select chat.add_member(tests.room('trip'), tests.id_of('Dan')) $$,
  'a moderator adds people who are blocked by nobody'
);
select tests.stop_acting();
set constraints all immediate;
update chat_private.settings set people_are_findable = true;
select tests.act_as('Ann');
select is_empty(
  $$ select display_name from chat.search_profiles('Cat') $$,
  'search_profiles finds nobody who has blocked the caller'
);
select results_eq(
  $$ select display_name from chat.search_profiles('Bob') $$, $$ values ('Bob') $$,
  'search_profiles finds others as before'
);
select tests.act_as('Bob');
select results_eq(
  $$ select display_name from chat.search_profiles('Cat') $$, $$ values ('Cat') $$,
  'search_profiles finds a person for everybody who has no block with them'
);
select tests.lets(
  'Abe', $$ select chat.ban_member(tests.room('trip'), tests.id_of('Dan')) $$,
  'a ban does not ask for blocks'
);

-- With several tenants a block is no reason to ask for the tenant
select tests.stop_acting();
insert into chat.tenants (tenant_id, name) values (md5('second')::uuid, 'Second');
insert into chat.tenant_members (tenant_id, user_id)
select md5('second')::uuid, tests.id_of(p.name) from unnest('{Ann,Cat,Lea}'::text[]) as p (name);
select tests.refuses(
  'Ann', 'tenant_required', $$ select chat.create_room('Plans', member_ids => array[tests.id_of('Lea')]) $$,
  'create_room asks for the tenant where people share several'
);
select tests.act_as('Ann');
select tests.looks_absent(
  'select chat.create_room(''Plans'', member_ids => array[%L]::uuid[])', tests.id_of('Cat'),
  'create_room asks for no tenant of somebody who has blocked the caller'
);
select tests.looks_absent(
  'select chat.open_direct(%L)', tests.id_of('Cat'),
  'open_direct asks for no tenant of somebody who has blocked the caller'
);
select tests.stop_acting();
delete from chat.tenant_members where tenant_id = md5('second')::uuid;

-- Mentions and replies
select tests.act_as('Ann');
select tests.watch('Cat', 'Bob');
select is(
  (chat.send_message(
    tests.room('trip'), 'look', gen_random_uuid(),
    mentions => array[tests.id_of('Cat'), tests.id_of('Bob')]
  )).mentions,
  (select array_agg(u.id order by u.id) from unnest(array[tests.id_of('Cat'), tests.id_of('Bob')]) as u (id)),
  'a mention of somebody who has blocked the sender stays in the row'
);
select tests.moved('{"Bob": 1}', 'a mention notifies nobody who has blocked the sender');
select tests.act_as('Cat');
select pg_temp.send('trip');
select tests.act_as('Ann');
select tests.watch('Cat');
select lives_ok(
  $$
    select chat.send_message(tests.room('trip'), 'so?', gen_random_uuid(), (
      select max(m.seq) from chat.messages as m
      where m.room_id = tests.room('trip') and m.sender_id = tests.id_of('Cat')
    ))
  $$,
  'a blocked person replies in a group'
);
select tests.moved('{}', 'a reply notifies nobody who has blocked the sender');
select tests.act_as('Cat');
select tests.watch('Ann');
select lives_ok(
  $$
    select chat.send_message(
      tests.room('trip'), 'hey', gen_random_uuid(), mentions => array[tests.id_of('Ann')]
    )
  $$,
  'a person who has blocked somebody mentions them in a group'
);
select tests.moved('{"Ann": 1}', 'a blocked person is notified of what others say of them');
select tests.stop_acting();
select results_eq(
  $$
    select p.name, chat_private.may_push(m, s)
    from unnest('{Bob,Cat}'::text[]) as p (name)
    join chat.room_members as m
      on m.room_id = tests.room('trip') and m.user_id = tests.id_of(p.name)
    join chat.messages as s on s.room_id = m.room_id and s.body = 'look'
    order by p.name
  $$,
  $$ values ('Bob', true), ('Cat', false) $$,
  'a message is pushed to nobody who has blocked its sender'
);

-- Presence
select tests.act_as('Ann');
select chat.heartbeat('laptop');
select tests.act_as('Cat');
select chat.heartbeat('phone');
select results_eq(
  $$ select is_online, last_seen_at from chat.list_presence(array[tests.id_of('Ann')]) $$,
  $$ values (false, null::timestamptz) $$, 'a blocked person looks offline'
);
select tests.act_as('Ann');
select results_eq(
  $$ select is_online, last_seen_at from chat.list_presence(array[tests.id_of('Cat')]) $$,
  $$ values (false, null::timestamptz) $$, 'a person who has blocked the caller looks offline'
);
select tests.act_as('Bob');
select results_eq(
  $$ select is_online from chat.list_presence(array[tests.id_of('Ann'), tests.id_of('Cat')]) $$,
  $$ values (true), (true) $$, 'others see both people online'
);
select tests.stop_acting();
select is(
  chat_private.announce_presence(tests.id_of('Cat'), now()), 0,
  'presence is not announced to the other person of a direct room with a block'
);

-- Lifting a block
select tests.act_as('Ann');
select chat.block_user(tests.id_of('Cat'));
select tests.act_as('Cat');
select tests.watch('Cat', 'pair');
select isnt(
  (chat.unblock_user(tests.id_of('Ann'))).removed_at, null, 'unblock_user returns the lifted block'
);
select tests.took_one_user_number('Cat', 'lifting a block is in the stream of the person who blocked');
select ok(pg_temp.closed(), 'a direct room stays closed while the other person has blocked, too');
select tests.watch('Cat', 'pair');
select lives_ok(
  $$ select chat.unblock_user(tests.id_of('Ann')) $$, 'lifting a block again does no harm'
);
select tests.changed_nothing('lifting a block again changes nothing');
select is(
  chat.pull_changes('{}') #> '{user,rows,blocks}', null,
  'a block that was lifted does not come to somebody who has nothing yet'
);
select tests.act_as('Ann');
select tests.watch('pair');
select chat.unblock_user(tests.id_of('Cat'));
select tests.took_one_number('pair', 'the direct room opens with the last block that is lifted');
select tests.lets('Ann', $$ select pg_temp.send('pair') $$, 'people whose blocks are lifted talk again');
select tests.lets('Ann', $$ select chat.open_direct(tests.id_of('Cat')) $$, 'people whose blocks are lifted find each other');
select tests.stop_acting();
select is(
  chat_private.announce_presence(tests.id_of('Cat'), now()), 1,
  'presence is announced again in a direct room without a block'
);

-- The price
select tests.costs('Bob', 1, $$ select chat.block_user(tests.id_of('Lea')) $$, 'a block costs 1');
select tests.costs(
  'Cat', 3, $$ select chat.block_user(tests.id_of('Ann')) $$, 'a block costs 2 more for a direct room'
);
select tests.costs(
  'Cat', 0, $$ select chat.block_user(tests.id_of('Ann')) $$, 'a block that is there costs nothing'
);
select tests.costs(
  'Cat', 3, $$ select chat.unblock_user(tests.id_of('Ann')) $$, 'lifting a block costs as much as blocking'
);

-- Refusals
select tests.refuses(
  'Cat', 'invalid_input', $$ select chat.block_user(tests.id_of('Cat')) $$, 'nobody blocks themselves'
);
select tests.refuses('Cat', 'invalid_input', 'select chat.block_user(null)', 'nobody blocks nobody');
select tests.act_as('Cat');
select tests.looks_absent(
  'select chat.block_user(%L)', tests.id_of('Tom'), 'block_user finds nobody of another tenant'
);
select tests.looks_absent(
  'select chat.unblock_user(%L)', tests.id_of('Bob'), 'unblock_user finds nobody who was never blocked'
);
select is(
  tests.refusal('select chat.unblock_user(gen_random_uuid())') ->> 'slug', 'user_not_found',
  'unblock_user says that there is nobody'
);

-- Everybody else
select tests.act_as('Ann');
select is_empty('select blocked_id from chat.blocks where user_id <> tests.id_of(''Ann'')', 'nobody reads the blocks of others');
select tests.act_as_nobody();
select throws_ok(
  'select chat.block_user(tests.id_of(''Ann''))', '42501', 'permission denied for function block_user',
  'signed-out people may not call block_user'
);
select throws_ok(
  'select chat.unblock_user(tests.id_of(''Ann''))', '42501', 'permission denied for function unblock_user',
  'signed-out people may not call unblock_user'
);

select * from finish();
rollback;
