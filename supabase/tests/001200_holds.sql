-- Legal hold: what is held outlives every change, and nobody but the auditor reads it.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
create function pg_temp.path(name text)
returns text
language sql
stable
return format('%s/%s/%s.png', tests.room('trip'), md5(name)::uuid, name);
insert into storage.objects (bucket_id, name, owner_id, metadata)
select 'chat-attachments', pg_temp.path(f.name), tests.id_of('Cat')::text, '{"size": 7, "mimetype": "image/png"}'
from unnest('{held,free}'::text[]) as f (name);

create function pg_temp.say(room text, name text, words text, attachments jsonb default '[]')
returns bigint
language plpgsql
volatile
as $$
declare
  v_seq bigint;
begin
  perform tests.act_as(name);
  v_seq := (chat.send_message(
    tests.room(room), words, gen_random_uuid(), metadata => '{"a": 1}', attachments => say.attachments
  )).seq;
  perform tests.stop_acting();
  return v_seq;
end;
$$;
create temp view kept as
select b.seq, b.body, b.metadata, b.attachments, b.sender_id, b.room_id from chat_private.held_bodies as b;

-- Without a hold
create temp table said as
select pg_temp.say('trip', 'Cat', 'free', jsonb_build_array(jsonb_build_object('path', pg_temp.path('free')))) as free;
grant select on said to public;
select tests.act_as('Cat');
select chat.edit_message(tests.room('trip'), free, 'free 2') from said;
select chat.delete_message(tests.room('trip'), free) from said;
select tests.stop_acting();
select is_empty('select from kept', 'without a hold nothing is kept of what people change');
select is(
  (select q.due_at <= clock_timestamp() from chat_private.file_queue as q where q.path = pg_temp.path('free')), true,
  'without a hold the files of a deleted message go'
);

-- The service
select tests.act_as_service();
select throws_ok(
  format('select chat.set_hold(%L, %L, %L)', kind, id, reason), 'PT400', 'invalid_input', title
)
from (
  values
  ('room', gen_random_uuid(), 'case 7', 'a hold is on a room that exists'),
  ('person', tests.room('trip'), 'case 7', 'a hold is on a person who exists'),
  ('tenant', tests.id_of('Cat'), 'case 7', 'a hold is on a tenant that exists'),
  ('table', tests.room('trip'), 'case 7', 'a hold is on a room, a person or a tenant'),
  (null, tests.room('trip'), 'case 7', 'a hold says what it is on'),
  ('room', tests.room('trip'), ' ', 'a hold has a reason'),
  ('room', tests.room('trip'), null, 'a hold has a reason that is no null')
) as h (kind, id, reason, title);
create temp table holds as
select h.hold_id, 'trip' as name from chat.set_hold('room', tests.room('trip'), 'case 7') as h;
grant all on holds to public;
select is(
  (chat.set_hold('room', tests.room('trip'), ' case 7 ')).hold_id, (select hold_id from holds),
  'a hold that is set again is the same one'
);
select isnt(
  (chat.set_hold('room', tests.room('trip'), 'case 8')).hold_id, (select hold_id from holds),
  'another case is another hold on the same room'
);
select is_empty($$ select chat.read_held(hold_id) from holds $$, 'a hold keeps nothing until something changes');
select throws_ok(
  'select chat.release_hold(gen_random_uuid())', 'PT404', 'hold_not_found', 'a hold that does not exist is not released'
);
select chat.release_hold(h.hold_id) from chat.set_hold('room', tests.room('trip'), 'case 8') as h;

-- An edit and a deletion
create temp table held as
select pg_temp.say('trip', 'Cat', 'one', jsonb_build_array(jsonb_build_object('path', pg_temp.path('held')))) as seq;
grant select on held to public;
select tests.act_as('Cat');
select chat.edit_message(tests.room('trip'), seq, 'two', metadata => '{"a": 2}') from held;
select tests.watch('trip', 'hall', 'Cat', 'Ann');
select is(
  (chat.delete_message(tests.room('trip'), seq)).body, '', 'I11: somebody who deletes a held message sees it gone'
)
from held;
select tests.took_one_number('trip', 'deleting a held message is announced like any deletion');
select is_empty(
  $$ select from chat.message_edits as e join held as h on h.seq = e.seq where e.room_id = tests.room('trip') $$,
  'earlier texts of a held message are gone for its author'
);
select is(
  tests.as_owner(format($$ select chat_private.may_read_file('chat-attachments', %L, %L) $$, pg_temp.path('held'), tests.id_of('Cat'))), 'false',
  'nobody reads the file of a held message that was deleted, its sender neither'
);
select tests.refuses('Cat', 'file_not_found', format(
  $$ select chat.send_message(tests.room('trip'), 'x', gen_random_uuid(), attachments => '[{"path": "%s"}]') $$, pg_temp.path('held')
), 'the file of a held message is not sent again');
select tests.act_as_service();
select results_eq(
  $$ select h.body, h.metadata, jsonb_array_length(h.attachments), h.sender_id from holds, chat.read_held(hold_id) as h $$,
  $$ values ('two', '{"a": 2}'::jsonb, 1, tests.id_of('Cat')), ('one', '{"a": 1}'::jsonb, 1, tests.id_of('Cat')) $$,
  'I11: the auditor reads what a held message said before each change, newest first'
);
select results_eq(
  $$
    select second.body
    from holds, chat.read_held(hold_id, page_size => 1) as first,
      chat.read_held(hold_id, jsonb_build_object('room_id', first.room_id, 'seq', first.seq, 'rev', first.rev)) as second
  $$,
  $$ values ('one') $$, 'a page begins behind the last row of the page before'
);
select throws_ok(
  format('select chat.read_held(%L, %L)', hold_id, before), 'PT400', 'invalid_input', 'a page begins behind the key of a row'
)
from holds, unnest('{[],"{\"room_id\": \"x\"}","{\"seq\": 1, \"rev\": 1}"}'::jsonb[]) as b (before);
select is((select count(*) from chat.claim_files(500) as f where f.path = pg_temp.path('held')), 0::bigint, 'no worker takes a held file');
select is((select count(*) from chat.claim_files(500)), 0::bigint, 'the file that was not held was taken');
select chat.complete_files(jsonb_build_array(jsonb_build_object('bucket_id', 'chat-attachments', 'path', pg_temp.path('held'), 'outcome', 'retry')));
select tests.stop_acting();
select is(
  (select q.due_at from chat_private.file_queue as q where q.path = pg_temp.path('held')), 'infinity', 'a worker that was wrong frees no held file'
);

-- Texts from before the hold, a purge, a person and a tenant
create temp table in_hall as select pg_temp.say('hall', 'Cat', 'first') as cat, pg_temp.say('hall', 'Bob', 'of Bob') as bob;
grant select on in_hall to public;
select tests.act_as('Cat');
select chat.edit_message(tests.room('hall'), cat, 'second') from in_hall;
select tests.act_as_service();
insert into holds select h.hold_id, 'Cat' from chat.set_hold('person', tests.id_of('Cat'), 'case 9') as h;
select tests.stop_acting();
select chat_private.purge_messages(tests.room('hall'), 1000000);
select tests.act_as_service();
select results_eq(
  $$ select h.body, h.metadata from holds, chat.read_held(hold_id) as h where name = 'Cat' and h.room_id = tests.room('hall') $$,
  $$ values ('second', '{"a": 1}'::jsonb), ('first', null) $$,
  'I11: a purge goes past held messages, and keeps the texts they had before the hold'
);
select is((select floor_seq = last_seq from chat.rooms where id = tests.room('hall')), true, 'a hold does not stop a purge');
select is_empty(
  $$ select from holds, chat.read_held(hold_id) as h where name = 'Cat' and h.sender_id <> tests.id_of('Cat') $$,
  'a hold on a person keeps what they wrote, and nothing of others'
);
select is((select count(*) from holds, chat.read_held(hold_id) as h where name = 'Cat'), 4::bigint, 'a hold on a person reads what another hold kept of theirs');
select tests.stop_acting();
create temp table in_pair as select pg_temp.say('pair', 'Ann', 'of Ann') as ann;
grant select on in_pair to public;
select tests.act_as_service();
insert into holds
select h.hold_id, 'default' from chat.set_hold('tenant', '00000000-0000-0000-0000-000000000001', 'case 10') as h;
select tests.act_as('Ann');
select chat.delete_message(tests.room('pair'), ann) from in_pair;
select tests.act_as_service();
select results_eq(
  $$ select h.body from holds, chat.read_held(hold_id) as h where name = 'default' and h.room_id = tests.room('pair') $$,
  $$ values ('of Ann') $$, 'a hold on a tenant keeps what is said in its rooms'
);

-- Release
select chat.release_hold(hold_id) from holds where name = 'trip';
select is(
  (select released_at from chat.release_hold(hold_id)), (select released_at from chat.release_hold(hold_id)), 'a hold is released once'
)
from holds where name = 'trip';
select throws_ok(
  format('select chat.read_held(%L)', hold_id), 'PT404', 'hold_not_found', 'a hold that was released is not read'
)
from holds where name = 'trip';
select tests.stop_acting();
select is(sum(chat_private.sweep_released(100)), 0::bigint, 'what another hold keeps stays') from generate_series(1, 3);
select is((select count(*) from kept where room_id = tests.room('trip')), 2::bigint, 'what another hold keeps is there');
select tests.act_as_service();
select chat.release_hold(hold_id) from holds;
select tests.stop_acting();
select is(chat_private.sweep_released(1), 2, 'all that was kept of a message goes together') limit 1;
select cmp_ok(sum(chat_private.sweep_released(1)), '>', 2::bigint, 'what no hold keeps goes') from generate_series(1, 30);
select is_empty('select from kept', 'I11: releasing the last hold lets go of everything');
select is(
  (select q.due_at <= clock_timestamp() from chat_private.file_queue as q where q.path = pg_temp.path('held')), true,
  'I11: the files go when the last hold is released'
);
select is_empty('select from chat_private.holds where swept_at is null', 'a hold of which nothing is left is done with');

-- The audit
select results_eq(
  $$
    select a.action, a.via, a.room_id, count(*)
    from chat_private.audit_log as a
    join holds as h on a.details ->> 'hold_id' = h.hold_id::text
    where h.name = 'trip' group by 1, 2, 3 order by 1
  $$,
  $$
    values
    ('held_read', 'server', tests.room('trip'), 4::bigint), ('hold_released', 'server', tests.room('trip'), 1::bigint),
    ('hold_set', 'server', tests.room('trip'), 1::bigint)
  $$,
  'the audit tells of a hold that is set, read and released, each time something happened'
);
select is_empty($$ select from chat_private.audit_log as a where a.details::text like '%case%' $$, 'the audit does not repeat the reason of a hold');

-- Everybody else
select tests.act_as('Ann');
select throws_ok(statement, '42501', null, title)
from (
  values
  ($$ select chat.set_hold('room', gen_random_uuid(), 'x') $$, 'members set no hold'),
  ('select chat.release_hold(gen_random_uuid())', 'members release no hold'),
  ('select chat.read_held(gen_random_uuid())', 'members read nothing that is held'),
  ('select from chat_private.held_bodies', 'members do not reach what is held')
) as s (statement, title);
select tests.act_as_service();
select throws_ok('select from chat_private.held_bodies', '42501', null, 'a server reaches what is held through read_held alone');

select * from finish();
rollback;
