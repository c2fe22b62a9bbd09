-- create_bot and retire_bot: programs of the project, as which nobody signs in.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

-- A bucket that is neither full nor empty shows every price, however slow the machine is.
create temp table bases (user_id uuid primary key, full_at timestamptz not null);
create function pg_temp.begin_to_count(user_id uuid)
returns void
language sql
volatile
security definer
begin atomic
  insert into bases values (begin_to_count.user_id, clock_timestamp() + interval '1 d')
  on conflict on constraint bases_pkey do update set full_at = excluded.full_at;
  insert into chat_private.rate_buckets as b (user_id, bucket, full_at)
  select t.user_id, 'send', t.full_at from bases as t where t.user_id = begin_to_count.user_id
  on conflict on constraint rate_buckets_pkey do update set full_at = excluded.full_at;
end;
create function pg_temp.spent(user_id uuid)
returns numeric
language sql
volatile
security definer
return (
  select round(date_part('epoch', b.full_at - t.full_at)::numeric, 1)
  from chat_private.rate_buckets as b
  join bases as t on t.user_id = b.user_id
  where b.user_id = spent.user_id and b.bucket = 'send'
);

-- A server makes one
select tests.act_as_service();
create temp table bots as
select b.* from chat.create_bot('Helper', avatar_path => 'bots/helper.png', metadata => '{"model": "small"}') as b;
grant select on bots to public;
select results_eq(
  $$ select display_name, avatar_path, is_bot, metadata, closed_at is null from bots $$,
  $$ values ('Helper', 'bots/helper.png', true, '{"model": "small"}'::jsonb, true) $$,
  'a bot is a profile with is_bot'
);
select results_eq(
  $$
    select t.tenant_id, t.role from chat.tenant_members as t
    where t.user_id = (select user_id from bots) and t.removed_at is null
  $$,
  $$ values ('00000000-0000-0000-0000-000000000001'::uuid, 'member') $$,
  'a bot has a place in the default tenant'
);
select is(
  tests.as_owner('select listens from chat_private.user_streams where user_id = (select user_id from bots)'),
  'false', 'a bot has a stream that listens to nothing'
);
select is(
  tests.as_owner('select count(*) from auth.users where id = (select user_id from bots)'), '0',
  'a bot has no account'
);
select lives_ok(
  $$ select chat.create_bot('Guide', tenant_id => md5('elsewhere')::uuid) $$, 'a bot may be made in another tenant'
);
select is(
  (select t.tenant_id from chat.profiles as p join chat.tenant_members as t using (user_id) where p.display_name = 'Guide'),
  md5('elsewhere')::uuid, 'that bot has its place there'
);
select is(tests.refusal(call) ->> 'slug', slug, title)
from (
  values
  ('select chat.create_bot(null)', 'invalid_input', 'a bot needs a name'),
  ('select chat.create_bot('' '')', 'invalid_input', 'spaces are no name'),
  ('select chat.create_bot(repeat(''x'', 81))', 'invalid_input', 'a name of 81 characters is too long'),
  ('select chat.create_bot(repeat(''x'', 80))', null, 'a name of 80 characters is not'),
  ('select chat.create_bot(''B'', tenant_id => gen_random_uuid())', 'invalid_input',
    'a bot needs a tenant that exists'),
  ('select chat.create_bot(''B'', metadata => ''[]'')', 'invalid_input', 'metadata are an object'),
  ('select chat.create_bot(''B'', metadata => jsonb_build_object(''x'', repeat(''x'', 5000)))',
    'payload_too_large', 'metadata take 4 KB')
) as c (call, slug, title);

-- Nobody else makes or retires one
select tests.act_as('Ann');
select throws_ok(
  call, '42501', format('permission denied for function %s', name), format('people do not call %s', name)
)
from (
  values
  ('create_bot', 'select chat.create_bot(''Mine'')'),
  ('retire_bot', 'select chat.retire_bot((select user_id from bots))')
) as c (name, call);
select isnt_empty(
  $$ select from chat.profiles where user_id = (select user_id from bots) $$,
  'people of its tenant see a bot'
);
select tests.act_as('Tom');
select is_empty(
  $$ select from chat.profiles where user_id = (select user_id from bots) $$,
  'people of other tenants do not see a bot'
);

-- No account takes its id
select tests.stop_acting();
select is(
  tests.refusal(format('insert into auth.users (id, email) values (%L, ''b@tests.example'')', user_id)) ->> 'slug',
  'not_allowed', 'an account that would take the id of a bot is refused'
)
from bots;
select lives_ok(
  $$ insert into auth.users (id, email) values (gen_random_uuid(), 'c@tests.example') $$,
  'an account with an id of its own is not'
);

-- It takes part like a person: it owns, writes and reacts
create function pg_temp.act_as_bot()
returns void
language plpgsql
as $$
begin
  perform tests.act_as_service(), tests.send_header((select user_id::text from bots));
end;
$$;
select pg_temp.act_as_bot();
select tests.remember('desk', (chat.create_room('Desk', member_ids => array[tests.id_of('Cat'), tests.id_of('Ann')])).id);
select is(
  (chat.send_message(tests.room('desk'), 'How can I help?', md5('b1')::uuid)).sender_id,
  (select user_id from bots), 'a bot sends'
);
select is(
  (chat.edit_message(tests.room('desk'), 1, 'How can I help you?', 2)).body, 'How can I help you?', 'a bot edits what it sent'
);
select is((chat.add_reaction(tests.room('desk'), 1, '👋')).user_id, (select user_id from bots), 'a bot reacts');
select is(
  (chat.set_member_role(tests.room('desk'), tests.id_of('Cat'), 'moderator')).role, 'moderator',
  'a bot that owns a room gives out roles'
);
select is(
  tests.refusal('select chat.update_profile(display_name => ''Clerk'')'), null, 'a bot changes its own profile'
);
select is(
  (select jsonb_array_length(chat.pull_changes('{"user": null}') -> 'user' -> 'rows' -> 'memberships')),
  1, 'a server pulls as a bot'
);

-- Nothing is broadcast to it
select tests.act_as('Cat');
select tests.watch('desk', 'Cat');
select is((chat.send_message(tests.room('desk'), 'My order is late', md5('c1')::uuid)).seq, 3::bigint, 'people answer a bot');
select tests.took_one_number('desk', 'a step is broadcast to the people of a room, and to no bot');
select isnt(
  tests.as_owner('select count(*) from realtime.messages where topic like ''user:'' || tests.id_of(''Ann'') || '':%'''),
  '0', 'there are steps on the topic of a person'
);
select tests.as_owner(format(
  'select (chat_private.bump_users(array[%L]::uuid[], ''{memberships}''))::text', user_id
)) from bots;
select is(
  tests.as_owner('select count(*) from realtime.messages where topic like ''user:'' || (select user_id from bots) || '':%'''),
  '0', 'nothing is on the topic of a bot'
);
select is(
  (chat.send_message(tests.room('desk'), 'Anybody?', md5('c2')::uuid, mentions => array[(select user_id from bots)])).mentions,
  array[(select user_id from bots)], 'a bot can be mentioned'
);
select tests.change_as_owner('update chat.rooms set is_large = true where id = tests.room(''desk'')');
select is(
  (chat.send_message(tests.room('desk'), 'You?', md5('c3')::uuid, mentions => array[(select user_id from bots)])).seq,
  5::bigint, 'a bot can be mentioned in a large room'
);
select is(
  tests.as_owner('select count(*) from realtime.messages where topic like ''user:'' || (select user_id from bots) || '':%'''),
  '0', 'mentions are not broadcast to a bot either'
);
select tests.change_as_owner('update chat.rooms set is_large = false where id = tests.room(''desk'')');

-- Ticks wait for people alone
select set_eq(
  $$ select user_id from chat.list_receipts(tests.room('desk'), 3) $$,
  array[tests.id_of('Ann')], 'a message waits for people, and for no bot'
);
select pg_temp.act_as_bot();
select lives_ok($$ select chat.mark_read(tests.room('desk'), 3) $$, 'a bot may say what it has read');
select tests.act_as('Cat');
select set_eq(
  $$ select user_id from chat.message_receipts where room_id = tests.room('desk') and seq = 3 $$,
  array[tests.id_of('Ann')], 'what a bot has read counts for nobody'
);

-- It may write more than a person
savepoint prices; -- noqa: PRS
select tests.change_as_owner(
  'update chat_private.settings set send_burst = 1000000, sends_per_second = 1, bot_factor = 10'
);
select pg_temp.act_as_bot();
select pg_temp.begin_to_count(user_id) from bots;
select chat.send_message(tests.room('desk'), 'x', gen_random_uuid()) from generate_series(1, 10);
select is(pg_temp.spent(user_id), 1.0, 'ten messages of a bot cost it as much as one a person') from bots;
select pg_temp.begin_to_count(user_id) from bots;
select count(*) from chat.send_messages((
  select jsonb_agg(jsonb_build_object('room_id', tests.room('desk'), 'client_id', gen_random_uuid(), 'body', 'x'))
  from generate_series(1, 10)
));
select is(pg_temp.spent(user_id), 1.0, 'ten messages in a batch of a bot do as well') from bots;
select pg_temp.begin_to_count(user_id) from bots;
select chat.update_room(tests.room('desk'), name => 'Front desk');
select is(pg_temp.spent(user_id), 0.3, 'everything else that a bot writes costs it a tenth, too') from bots;
select tests.act_as('Cat');
select pg_temp.begin_to_count(tests.id_of('Cat'));
select chat.send_message(tests.room('desk'), 'x', gen_random_uuid());
select is(pg_temp.spent(tests.id_of('Cat')), 1.0, 'a person pays the whole price');
rollback to savepoint prices;

-- Its offices pass to people, and no office passes to it
select pg_temp.act_as_bot();
select lives_ok(
  $$ select chat.set_member_role(tests.room('desk'), tests.id_of('Cat'), 'owner') $$, 'Cat owns the desk, too'
);
select tests.stop_acting();
select is(
  (select (chat_private.find_heir(tests.room('desk'))).user_id), tests.id_of('Cat'), 'people are heirs'
);
update chat.room_members set left_at = now() where room_id = tests.room('desk') and user_id <> (select user_id from bots);
select is(
  (select (chat_private.find_heir(tests.room('desk'))).user_id), null, 'a bot is no heir'
);
update chat.room_members set left_at = null where room_id = tests.room('desk');

-- Retiring
select tests.act_as_service();
select is(
  tests.refusal(format('select chat.retire_bot(%L)', id)) ->> 'slug', 'user_not_found', title
)
from (
  values (gen_random_uuid(), 'nobody is retired whom there is not'), (tests.id_of('Ann'), 'people are not retired')
) as p (id, title);
select results_eq(
  $$ select r.display_name, r.avatar_path, r.metadata, r.closed_at is null from bots as b, chat.retire_bot(b.user_id) as r $$,
  $$ values ('Clerk', null::text, '{}'::jsonb, false) $$, 'a bot that is retired keeps its name'
);
select is(
  (select (chat.retire_bot(b.user_id)).closed_at from bots as b),
  (select p.closed_at from chat.profiles as p join bots as b using (user_id)), 'a bot is retired once'
);
select pg_temp.act_as_bot();
select is(
  tests.refusal('select chat.send_message(tests.room(''desk''), ''x'', gen_random_uuid())') ->> 'slug', 'user_not_found',
  'nobody acts as a bot that is retired'
);
select tests.act_as_service();
select is((chat.run_maintenance() ->> 'memberships_ended')::integer, 1, 'maintenance takes it out of its rooms');
select is(
  (select count(*) from chat.room_members where room_id = tests.room('desk') and role = 'owner' and left_at is null),
  1::bigint, 'a room that a bot owned is owned by a person'
);
select tests.stop_acting();
select is(
  tests.refusal(format('insert into auth.users (id, email) values (%L, ''d@tests.example'')', user_id)) ->> 'slug',
  'not_allowed', 'no account takes the id of a bot that is retired'
)
from bots;

select * from finish();
rollback;
