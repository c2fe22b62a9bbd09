-- claim_files and complete_files: what is given up, who takes it, and when it has gone.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
create function pg_temp.path(room text, name text)
returns text
language sql
stable
return format('%s/%s/%s.png', tests.room(room), md5(name)::uuid, name);
insert into storage.objects (bucket_id, name, owner_id, metadata, created_at)
select f.bucket_id, f.name, tests.id_of('Cat')::text, '{"size": 7, "mimetype": "image/png"}', now() - f.age::interval
from (
  values
  ('chat-attachments', pg_temp.path('trip', 'old'), '25 hours'), ('chat-attachments', pg_temp.path('trip', 'new'), '23 hours'),
  ('chat-attachments', pg_temp.path('trip', 'sent'), '25 hours'), ('chat-attachments', pg_temp.path('hall', 'old'), '25 hours'),
  ('chat-attachments', 'by hand.txt', '25 hours'),
  ('chat-avatars', format('%s/%s/old.png', tests.id_of('Cat'), md5('old')::uuid), '25 hours'),
  ('chat-avatars', format('%s/%s/new.png', tests.id_of('Cat'), md5('new')::uuid), '23 hours'),
  ('chat-avatars', format('%s/%s/shown.png', tests.id_of('Cat'), md5('shown')::uuid), '25 hours')
) as f (bucket_id, name, age);
select tests.act_as('Cat');
select chat.send_message(tests.room('trip'), '', gen_random_uuid(), attachments => jsonb_build_array(jsonb_build_object('path', pg_temp.path('trip', 'sent'))));
select chat.update_profile(avatar_path => format('%s/%s/shown.png', tests.id_of('Cat'), md5('shown')::uuid));

-- What is given up
select tests.stop_acting();
select is(sum(chat_private.queue_orphans(2)), 3::bigint, 'the search goes round both buckets in portions') from generate_series(1, 5);
select set_eq(
  $$ select q.bucket_id, q.path from chat_private.file_queue as q $$,
  $$
    values
    ('chat-attachments', pg_temp.path('trip', 'old')), ('chat-attachments', pg_temp.path('hall', 'old')),
    ('chat-avatars', format('%s/%s/old.png', tests.id_of('Cat'), md5('old')::uuid))
  $$,
  'what was not sent or shown within a day is given up, and what others put there is left alone'
);
select is(sum(chat_private.queue_orphans(2)), 0::bigint, 'what was given up is given up once') from generate_series(1, 6);
select tests.act_as_service();
select is((chat.run_maintenance() ->> 'files_given_up')::integer, 0, 'maintenance searches');
select tests.refuses('Cat', 'file_not_found', format(
  $$ select chat.send_message(tests.room('trip'), 'x', gen_random_uuid(), attachments => '[{"path": "%s"}]') $$, pg_temp.path('trip', 'old')
), 'what was given up is not sent any more');
select tests.lets('Cat', format(
  $$ select chat.send_message(tests.room('trip'), 'x', gen_random_uuid(), attachments => '[{"path": "%s"}]') $$, pg_temp.path('trip', 'new')
), 'what was not given up is sent');

-- The service
select tests.act_as_service();
select is((select count(*) from chat.claim_files(2)), 2::bigint, 'a worker takes a batch');
select is((select count(*) from chat.claim_files()), 1::bigint, 'another worker takes the rest');
select is((select count(*) from chat.claim_files()), 0::bigint, 'what was taken is nobody else''s');
select tests.stop_acting();
update chat_private.file_queue set due_at = now();
select set_config('storage.allow_delete_query', 'true', true);
delete from storage.objects where name = pg_temp.path('trip', 'old');
select tests.act_as_service();
select is((select count(*) from chat.claim_files()), 3::bigint, 'a lease ends');
select is(
  chat.complete_files(jsonb_build_array(
    jsonb_build_object('bucket_id', 'chat-attachments', 'path', pg_temp.path('trip', 'old'), 'outcome', 'removed'),
    jsonb_build_object('bucket_id', 'chat-attachments', 'path', pg_temp.path('hall', 'old'), 'outcome', 'removed'),
    jsonb_build_object('bucket_id', 'chat-attachments', 'path', pg_temp.path('trip', 'sent'), 'outcome', 'removed'),
    '{"bucket_id": "chat-attachments", "path": 7}'::jsonb
  )), 1, 'a file has gone when its row in storage has'
);
select tests.stop_acting();
select results_eq(
  format('select q.tries, q.due_at > clock_timestamp() + interval ''50 s'' from chat_private.file_queue as q where q.path = %L', pg_temp.path('hall', 'old')),
  $$ values (1, true) $$, 'what is still there is tried again after a minute'
);
select tests.act_as_service();
select is(
  chat.complete_files(jsonb_build_array(jsonb_build_object('bucket_id', 'chat-attachments', 'path', pg_temp.path('hall', 'old'), 'outcome', 'retry'))),
  0, 'a worker may ask for another try'
);
select throws_ok('select chat.claim_files(0)', 'PT400', 'invalid_input', 'a batch has a file');
select throws_ok('select chat.claim_files(501)', 'PT400', 'invalid_input', 'a batch has 500 files at most');
select throws_ok('select chat.claim_files(null)', 'PT400', 'invalid_input', 'a batch has a size');
select throws_ok($$ select chat.complete_files('{}') $$, 'PT400', 'invalid_input', 'results are an array');

-- Everybody else
select tests.act_as('Ann');
select throws_ok('select chat.claim_files()', '42501', 'permission denied for function claim_files', 'people do not claim');
select throws_ok($$ select chat.complete_files('[]') $$, '42501', 'permission denied for function complete_files', 'people do not complete');

-- An account that ends
select tests.stop_acting();
delete from auth.users where id = tests.id_of('Cat');
select is(
  (select count(*) from chat_private.file_queue as q where q.bucket_id = 'chat-avatars'), 2::bigint, 'the avatar of a closed account is to be removed'
);

-- Waking
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
select lives_ok('select chat_private.attach_files()', 'a project may get pg_net and pg_cron later');
select lives_ok('select chat_private.attach_files()', 'attaching files twice is once');
select results_eq('select command from cron.jobs', $$ values ('select chat_private.sweep_files()') $$, 'every minute looks for files');
select is(chat_private.sweep_files(), false, 'without an address nobody is woken');
insert into vault.decrypted_secrets values ('parley_files_url', 'https://demo.example/files'), ('parley_files_secret', 'hush');
select is(chat_private.sweep_files(), true, 'the sweep wakes the function');
select results_eq(
  'select a.url, a.headers from net.asked as a',
  $$ values ('https://demo.example/files', '{"x-files-secret": "hush", "content-type": "application/json"}'::jsonb) $$, 'the function is called with its secret'
);
truncate chat_private.file_queue;
select is(chat_private.sweep_files(), false, 'the sweep wakes nobody when no file is due');

select * from finish();
rollback;
