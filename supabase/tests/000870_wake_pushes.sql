-- wake_pushes: calls the function that sends pushes, where the platform has pg_net and pg_cron.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
truncate chat_private.push_outbox;

select is_empty(
  $$ select from pg_trigger where tgrelid = 'chat_private.push_outbox'::regclass $$, 'without pg_net a send wakes nobody, and pays for nothing'
);

-- Stand-ins for what the platform has
create schema if not exists net;
create schema if not exists cron;
create schema if not exists vault;
create table vault.decrypted_secrets (name text, decrypted_secret text);
create table net.asked (url text, headers jsonb);
create table cron.jobs (name text primary key, schedule text, command text);
create function net.http_post(url text, body jsonb default '{}', params jsonb default '{}', headers jsonb default '{}', timeout_milliseconds integer default 5000)
returns bigint language sql volatile as $$ insert into net.asked values (url, headers) returning 1::bigint $$;
create function cron.schedule(name text, schedule text, command text)
returns bigint language sql volatile as $$
  insert into cron.jobs values (name, schedule, command) on conflict (name) do update set schedule = excluded.schedule returning 1::bigint
$$;
select lives_ok('select chat_private.attach_push()', 'a project may get pg_net later');
select lives_ok('select chat_private.attach_push()', 'attaching twice is once');
select is((select count(*) from cron.jobs), 1::bigint, 'every minute is swept');
select tests.act_as('Ann');
select lives_ok($$ select chat.send_message(tests.room('trip'), 'x', gen_random_uuid()) $$, 'a send works while the function has no address');
select is(tests.as_owner('select count(*) from net.asked'), '0', 'without an address nobody is asked');
select tests.stop_acting();
truncate chat_private.push_outbox;
insert into vault.decrypted_secrets values ('parley_push_url', 'https://demo.example/push'), ('parley_push_secret', 'hush');
select tests.act_as('Ann');
select chat.send_message(tests.room('trip'), 'x', gen_random_uuid());
select is(
  tests.as_owner('select jsonb_agg(to_jsonb(a)) from net.asked as a')::jsonb,
  '[{"url": "https://demo.example/push", "headers": {"x-push-secret": "hush", "content-type": "application/json"}}]', 'a send wakes the function, with its secret'
);
select chat.send_message(tests.room('trip'), 'x', gen_random_uuid());
select is(tests.as_owner('select count(*) from net.asked'), '1', 'a burst wakes once');
select tests.stop_acting();
update chat_private.push_outbox set created_at = created_at - interval '3 seconds';
select tests.act_as('Ann');
select chat.send_message(tests.room('trip'), 'x', gen_random_uuid());
select is(tests.as_owner('select count(*) from net.asked'), '2', 'what has waited for long does not keep others from waking');

-- The sweep
select tests.stop_acting();
select is(chat_private.sweep_pushes(), true, 'the sweep finds what is left');
truncate chat_private.push_outbox;
select is(chat_private.sweep_pushes(), false, 'the sweep wakes nobody for nothing');

-- Somebody who reads elsewhere what their devices show
select tests.act_as('Bob');
select chat.register_device(id, 'ios', 'expo', 'ExponentPushToken[' || id || ']') from unnest(array['phone', 'tablet']) as d (id);
select tests.act_as('Ann');
select chat.send_message(tests.room('trip'), 'x', gen_random_uuid());
select tests.act_as_service();
select chat.complete_pushes(jsonb_agg(to_jsonb(c) || '{"outcome": "sent"}')) from chat.claim_pushes() as c;
select tests.stop_acting();
truncate net.asked;
select tests.act_as('Bob');
select lives_ok($$ select chat.mark_read(tests.room('trip'), 1) $$, 'Bob reads less than what his devices show');
select is(tests.as_owner('select count(*) from net.asked'), '0', 'a read that takes nothing away wakes nobody');
select lives_ok($$ select chat.mark_read(tests.room('trip'), 1000000) $$, 'Bob reads up to the end');
select is(
  tests.as_owner('select count(*) from chat_private.push_deliveries where clear_at is not null'), '2', 'two devices are to take something away'
);
select is(tests.as_owner('select count(*) from net.asked'), '1', 'a read that takes something away wakes once, however many devices');
select tests.stop_acting();

-- A wake that fails
drop table net.asked;
select tests.lets('Ann', $$ select chat.send_message(tests.room('trip'), 'x', gen_random_uuid()) $$, 'I9: a wake that fails costs no send');
select tests.stop_acting();

select * from finish();
rollback;
