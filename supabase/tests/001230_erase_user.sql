-- erase_my_account and erase_user: what somebody wrote and left behind goes, and nothing can be forgotten.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

-- What becomes of every column that could hold something of a person. erased: their words were there and
-- are gone; gone: rows with their id were there and are gone; kept: why that is right.
create temp table fates (relation text, columns text[], fate text, reason text);
insert into fates values
  ('chat.profiles', '{display_name,label,metadata}', 'erased', null),
  ('chat.profiles', '{avatar_path}', 'erased', null),
  ('chat.profiles', '{user_id}', 'kept', 'a tombstone, so that old messages have a sender'),
  ('chat.messages', '{body,metadata,attachments,sender_label}', 'erased', null),
  ('chat.messages', '{sender_id,mentions}', 'kept', 'ids that name nobody any more'),
  ('chat.messages', '{id,client_id,kind}', 'kept', 'the place of a tombstone'),
  ('chat.message_edits', '{body}', 'erased', null),
  ('chat.message_edits', '{sender_id}', 'gone', null),
  ('chat.attachments', '{path}', 'erased', null),
  ('chat.reactions', '{user_id,emoji}', 'kept', 'taken back; the rows go 90 days later'),
  ('chat.pins', '{pinned_by}', 'kept', 'an id that names nobody any more; pins of their messages go'),
  ('chat.receipts', '{device_id}', 'erased', null),
  ('chat.receipts', '{user_id,kind}', 'kept', 'ticks of others; an id that names nobody any more'),
  ('chat.room_members', '{label}', 'erased', null),
  ('chat.room_members', '{user_id,role}', 'kept', 'a former membership of an id that names nobody any more'),
  ('chat.removals', '{reason}', 'erased', null),
  ('chat.removals', '{user_id}', 'kept', 'an id that names nobody any more'),
  ('chat.bans', '{reason}', 'erased', null),
  ('chat.bans', '{user_id,banned_by}', 'kept', 'a ban of an id that names nobody any more'),
  ('chat.tenant_bans', '{reason}', 'erased', null),
  ('chat.tenant_bans', '{user_id,banned_by}', 'kept', 'a ban of an id that names nobody any more'),
  ('chat.reports', '{body,attachments,metadata,resolution}', 'erased', null),
  ('chat.reports', '{reason}', 'erased', null),
  ('chat.reports', '{reporter_id,user_id,resolved_by,taken_by,report_id}', 'kept', 'that something was reported, by ids that name nobody any more'),
  ('chat.notifications', '{data}', 'erased', null),
  ('chat.notifications', '{user_id}', 'gone', null),
  ('chat.notifications', '{kind,actor_id}', 'kept', 'notifications of others, by an id that names nobody any more'),
  ('chat.devices', '{device_id,app_version,public_key}', 'erased', null),
  ('chat.devices', '{user_id}', 'gone', null),
  ('chat.devices', '{platform,push_provider}', 'kept', 'words of Parley''s own, in rows that go'),
  ('chat.presence', '{device_id}', 'erased', null),
  ('chat.presence', '{user_id}', 'gone', null),
  ('chat.marks', '{user_id}', 'gone', null),
  ('chat.room_preferences', '{user_id}', 'gone', null),
  ('chat.room_preferences', '{notify}', 'kept', 'a word of Parley''s own, in a row that goes'),
  ('chat.blocks', '{user_id}', 'gone', null),
  ('chat.blocks', '{blocked_id}', 'kept', 'the blocks of others, of an id that names nobody any more'),
  ('chat.rooms', '{created_by,low_user,high_user}', 'kept', 'ids that name nobody any more'),
  ('chat.rooms', '{id,kind,name,topic,history,default_role,touched,metadata}', 'kept', 'belongs to everybody in the room'),
  ('chat.invites', '{created_by,id}', 'kept', 'an id that names nobody any more, and whose invites end'),
  ('chat.tenants', '{created_by}', 'kept', 'an id that names nobody any more'),
  ('chat.tenants', '{name,file_types}', 'kept', 'belongs to the organisation'),
  ('chat.tenant_members', '{user_id,role}', 'kept', 'a former place of an id that names nobody any more'),
  ('chat.tenant_invites', '{created_by,id,role}', 'kept', 'an id that names nobody any more, and whose invites end'),
  ('chat_private.user_streams', '{user_id,touched}', 'kept', 'a counter of an id that names nobody any more'),
  ('chat_private.sends', '{sender_id,client_id,sent_hash}', 'kept', 'the mark of an import; fingerprints go, see below'),
  ('chat_private.search_blocks', '{vector}', 'erased', null),
  ('chat_private.rate_buckets', '{user_id}', 'gone', null),
  ('chat_private.rate_buckets', '{bucket}', 'kept', 'a word of Parley''s own, in rows that go'),
  ('chat_private.push_tokens', '{token,device_id}', 'erased', null),
  ('chat_private.push_tokens', '{user_id}', 'gone', null),
  ('chat_private.push_tokens', '{token_hash}', 'kept', 'in rows that go'),
  ('chat_private.push_deliveries', '{ticket,device_id}', 'erased', null),
  ('chat_private.push_deliveries', '{user_id}', 'gone', null),
  ('chat_private.push_outbox', '{after_user_id}', 'kept', 'how far a message was spread; it goes within a day'),
  ('chat_private.erasures', '{user_id,after_room_id,swept}', 'kept', 'the certificate'),
  ('chat_private.audit_log', '{entry_id,actor_id,via,action,subject_id,details,hash}', 'kept', 'who did what, as ids and numbers; settings.keep_audit ends it'),
  ('chat_private.holds', '{hold_id,kind,target_id,reason}', 'kept', 'legal hold wins'),
  ('chat_private.held_bodies', '{sender_id,kind,body,mentions,attachments,metadata}', 'kept', 'legal hold wins, until it is released'),
  ('chat_private.file_queue', '{bucket_id,path}', 'kept', 'until the worker has removed the file'),
  ('chat_private.file_sweep', '{bucket_id,path}', 'kept', 'how far the search for files got; the next call moves it on'),
  ('chat_private.failed_checks', '{check_id,error}', 'kept', 'errors of the project''s own rule, for a week'),
  ('chat_private.lost_broadcasts', '{loss_id,error}', 'kept', 'errors of Postgres, for a week'),
  ('chat_private.streamed_tables', '{relation,owner_column,owner,key_columns,secret}', 'kept', 'names no person'),
  ('chat_private.table_owners', '{relation,owner_id}', 'kept', 'a counter of an id that names nobody any more'),
  ('chat_private.table_notes', '{owner_id,relation,told,keys}', 'kept', 'keys of rows of the project''s own, until settings.keep_changes ends them'),
  ('chat_private.note_folding', '{owner_id}', 'kept', 'how far maintenance got; the next call moves it on'),
  ('chat_private.slow_checks', '{check_id}', 'kept', 'names no person'),
  ('chat_private.invite_tokens', '{invite_id,token_hash}', 'kept', 'names no person'),
  ('chat_private.tenant_invite_tokens', '{invite_id,token_hash}', 'kept', 'names no person'),
  ('chat_private.settings', '{timeline_salt,push_hosts,file_types,content_check,on_check_failure}', 'kept', 'names no person'),
  ('chat_private.foldings', '{*}', 'kept', 'names no person'),
  ('chat_private.name_ends', '{*}', 'kept', 'names no person'),
  ('chat_private.stats_touched', '{*}', 'kept', 'names no person'),
  ('chat_private.maintenance_runs', '{*}', 'kept', 'names no person'),
  ('chat_private.account_opening', '{after}', 'kept', 'how far the opening of accounts got; it goes with the last'),
  ('chat_private.walks', '{*}', 'kept', 'how far maintenance got'),
  ('chat_private.watched_tables', '{*}', 'kept', 'names no person');

create temp view person_columns as
select c.oid::regclass::text as relation, a.attname::text as name, a.atttypid as type
from pg_class as c
join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relnamespace in ('chat'::regnamespace, 'chat_private'::regnamespace)
  and c.relkind in ('r', 'p')
  and a.attname not in ('room_id', 'tenant_id')
  and a.atttypid <> all (
    '{boolean,smallint,integer,bigint,timestamptz,interval,xid8,real,double precision}'::regtype[]
  );
select is_empty(
  $$
    select c.relation, c.name from person_columns as c
    where not exists (
      select from fates as f where f.relation = c.relation and (c.name = any (f.columns) or f.columns = '{*}')
    )
  $$,
  'for every column that could hold something of a person, the list above says what becomes of it'
);
select is_empty(
  $$
    select f.relation, f.columns from fates as f
    where f.columns <> '{*}' and not f.columns <@ array(select c.name from person_columns as c where c.relation = f.relation)
  $$,
  'the list above names columns that exist'
);

-- Columns that hold a word anywhere, or a person's id.
create function pg_temp.holding(word text)
returns table (relation text, name text)
language plpgsql
as $$
declare
  v_column record;
begin
  for v_column in select c.relation as r, c.name as n from person_columns as c loop
    execute format(
      'select %L::text, %L::text from %s as x where strpos(x.%I::text, %L) > 0 limit 1',
      v_column.r, v_column.n, v_column.r, v_column.n, holding.word
    ) into relation, name;
    if relation is not null then
      return next;
    end if;
  end loop;
end;
$$;

create function pg_temp.early(room text)
returns bigint
language sql
as $$ select m.seq from chat.messages as m where m.room_id = tests.room(early.room) and m.body = 'early' $$;
grant execute on all functions in schema pg_temp to public;

-- Cat leaves her word everywhere.
create function pg_temp.path(bucket text)
returns text
language sql
stable
return format('%s/%s/xylograph.png', case bucket when 'chat-avatars' then tests.id_of('Cat') else tests.room('trip') end, md5(bucket)::uuid);
grant execute on all functions in schema pg_temp to public;
insert into storage.objects (bucket_id, name, owner_id, metadata)
select b.id, pg_temp.path(b.id), tests.id_of('Cat')::text, '{"size": 7, "mimetype": "image/png"}'
from unnest('{chat-attachments,chat-avatars}'::text[]) as b (id);
update chat.room_members set label = 'xylograph' where user_id = tests.id_of('Cat') and room_id = tests.room('trip');
select tests.act_as('Cat');
select chat.update_profile('xylograph', pg_temp.path('chat-avatars'), 'xylograph', '{"x": "xylograph"}');
select chat.register_device('xylograph', 'ios', 'expo', 'xylograph', 'xylograph', 'xylograph');
select chat.heartbeat('xylograph', tests.room('trip'));
select chat.send_message(tests.room('trip'), 'the xylograph ' || n, gen_random_uuid(), metadata => '{"x": "xylograph"}') from generate_series(1, 40) as n;
select chat.send_message(
  tests.room('trip'), 'a xylograph', gen_random_uuid(),
  attachments => jsonb_build_array(jsonb_build_object('path', pg_temp.path('chat-attachments')))
);
create temp table last as select max(m.seq) as seq from chat.messages as m where m.room_id = tests.room('trip');
grant select on last to public;
select chat.edit_message(tests.room('trip'), seq - 1, 'another xylograph') from last;
select chat.delete_message(tests.room('trip'), seq - 2) from last;
select chat.add_reaction(tests.room('hall'), pg_temp.early('hall'), '👍'), chat.mark_read(tests.room('hall'), 1);
select chat.set_room_preferences(tests.room('hall'), notify => 'none'), chat.block_user(tests.id_of('Dan'));
select chat.report_message(tests.room('trip'), pg_temp.early('trip'), 'xylograph');
select chat.send_message(tests.room('tower'), 'Let us meet', gen_random_uuid());
select chat.mark_delivered(jsonb_build_object(tests.room('trip'), pg_temp.early('trip')), 'xylograph');
select tests.act_as('Bob');
select chat.report_message(tests.room('trip'), seq - 3, 'xylograph of Cat') from last;
select chat.ban_member(tests.room('late'), tests.id_of('Cat'), null, 'xylograph');
select tests.act_as('Ann');
select chat.remove_member(tests.room('plaza'), tests.id_of('Cat'), 'xylograph');
select tests.stop_acting();
update chat.reports set resolution = 'xylograph', resolved_at = now() where reporter_id = tests.id_of('Cat');
insert into chat.tenant_bans (tenant_id, user_id, reason, banned_by, removed_at)
values ('00000000-0000-0000-0000-000000000001', tests.id_of('Cat'), 'xylograph', tests.id_of('Ann'), now());
update chat.receipts set device_id = 'xylograph' where user_id = tests.id_of('Cat');
update chat.reports set metadata = '{"x": "xylograph"}', attachments = '["xylograph"]' where user_id = tests.id_of('Cat');
select tests.act_as_service();
select chat.notify(tests.id_of('Cat'), 'order_shipped', '{"x": "xylograph"}');
select chat.claim_pushes(1);
select tests.stop_acting();
insert into chat_private.push_deliveries (user_id, room_id, device_id, wanted_seq, due_at, ticket)
values (tests.id_of('Cat'), tests.room('trip'), 'xylograph', 1, now(), 'xylograph')
on conflict on constraint push_deliveries_pkey do update set ticket = 'xylograph';

select is_empty(
  $$
    select f.relation, c.name
    from fates as f, unnest(f.columns) as c (name)
    where f.fate = 'erased'
    except
    select h.relation, h.name from pg_temp.holding('xylograph') as h
  $$,
  'before, the word is in every column of which the list says that it is erased'
);
select is_empty(
  $$
    select f.relation, c.name
    from fates as f, unnest(f.columns) as c (name)
    where f.fate = 'gone'
    except
    select h.relation, h.name from pg_temp.holding(tests.id_of('Cat')::text) as h
  $$,
  'before, the id is in every column of which the list says that its rows go'
);
select ok(exists (select from realtime.messages as e where e.payload::text like '%xylograph%'), 'before, the word can be replayed');

-- Rights
select tests.refuses('Cat', 'invalid_input', format('select chat.erase_my_account(%L)', word), format('%s confirms nothing', coalesce(word, 'null')))
from unnest(array['yes', '', null]) as w (word);
select tests.act_as('Ann');
select throws_ok(
  format('select chat.erase_user(%L)', tests.id_of('Cat')), '42501', 'permission denied for function erase_user', 'people erase nobody else'
);
select tests.act_as_nobody();
select throws_ok(
  $$ select chat.erase_my_account('erase my account') $$, '42501', 'permission denied for function erase_my_account', 'signed-out people erase nothing'
);
select tests.act_as_service();
select throws_ok(
  format('select chat.erase_user(%L)', gen_random_uuid()), 'PT404', 'user_not_found', 'nobody can be erased who is not there'
);

-- Cat erases herself
create temp table certificates (place serial, certificate jsonb);
grant all on certificates, certificates_place_seq to public;
select tests.act_as('Cat');
insert into certificates (certificate) select chat.erase_my_account('erase my account');
select tests.refuses(
  'Cat', 'sign_in_required', $$ select chat.list_rooms() $$, 'an erased account is closed at once'
);
select tests.act_as('Cat');
select is(
  chat.erase_my_account(null), (select c.certificate from certificates as c), 'whoever missed the answer gets the same certificate again'
);
select tests.stop_acting();
select is(
  (select certificate ->> 'finished_at' from certificates), null, 'while rooms are left, the certificate says so'
);
select is(
  (select row(display_name, label, metadata, avatar_path)::text from chat.profiles where user_id = tests.id_of('Cat')),
  '("Deleted account",,{},)', 'the name and the picture are gone at once'
);
create temp table heads as select r.id, r.rev, r.last_seq from chat.rooms as r;
create function pg_temp.maintain()
returns integer
language plpgsql
as $$
begin
  for v_round in 1 .. 100 loop
    if not exists (select from jsonb_each_text(chat_private.run_maintenance()) as m where m.value <> '0') then
      return v_round;
    end if;
  end loop;
  return null;
end;
$$;
select isnt(pg_temp.maintain(), null, 'maintenance comes to an end');
insert into certificates (certificate) select chat_private.certificate(tests.id_of('Cat'));
select isnt((select certificate ->> 'finished_at' from certificates where place = 2), null, 'maintenance finishes the erasure');

select is_empty(
  $$ select h.relation, h.name from pg_temp.holding('xylograph') as h where (h.relation, h.name) <> ('chat_private.file_queue', 'path') $$,
  'afterwards the word is nowhere but among the files that are to be removed'
);
select is_empty(
  $$
    select f.relation, c.name
    from fates as f, unnest(f.columns) as c (name)
    join pg_temp.holding(tests.id_of('Cat')::text) as h on h.name = c.name
    where f.fate = 'gone' and h.relation = f.relation
  $$,
  'afterwards no row is left of which the list says that it goes'
);
select set_eq(
  'select bucket_id, path from chat_private.file_queue',
  $$ select b.id, pg_temp.path(b.id) from unnest('{chat-attachments,chat-avatars}'::text[]) as b (id) $$,
  'the files and the avatar wait for the worker'
);
select is_empty(
  $$ select e.topic from realtime.messages as e where e.payload::text like '%xylograph%' or e.topic like 'user:' || tests.id_of('Cat') || '%' $$,
  'afterwards nothing of it can be replayed'
);
select is_empty(
  $$ select s.seq from chat_private.sends as s where s.sender_id = tests.id_of('Cat') $$, 'fingerprints of what was sent are gone'
);
select is(
  (select row(count(*), bool_and(m.deleted_at is not null), max(m.seq) - min(m.seq) + 1)::text from chat.messages as m
   where m.room_id = tests.room('trip') and m.sender_id = tests.id_of('Cat') and m.kind = 'text'),
  '(41,t,41)', 'the messages stay as tombstones in their places'
);
select is_empty(
  $$
    select r.id from chat.rooms as r
    where r.last_seq <> (select count(*) from chat.messages as m where m.room_id = r.id) + r.floor_seq
      or r.rev < (select max(m.rev) from chat.messages as m where m.room_id = r.id)
  $$,
  'I1: every room is without a gap'
);
select is(
  (select bool_and(m.rev > h.rev) from chat.messages as m join heads as h on h.id = m.room_id where m.sender_id = tests.id_of('Cat') and m.kind = 'text')
  and (select e.removed_at is not null and e.rev > h.rev from chat.reactions as e join heads as h on h.id = e.room_id where e.user_id = tests.id_of('Cat')),
  true, 'tombstones and what was taken back have new numbers, so that copies get them'
);
select is(
  (select string_agg(m.body, ',' order by m.seq) from chat.messages as m where m.room_id = tests.room('trip') and m.sender_id <> tests.id_of('Cat') and m.kind = 'text'),
  'early', 'what others said stays'
);
select tests.act_as('Ann');
select is_empty($$ select chat.search_messages('xylograph') $$, 'nobody finds the word');
select tests.stop_acting();
select is(
  (select certificate -> 'swept' ->> 'chat.messages' from certificates where place = 2), '42', 'the certificate counts tombstones in all rooms'
);
select set_eq(
  $$ select c.key from certificates, jsonb_object_keys(certificate -> 'swept') as c (key) where place = 2 and c.key <> 'realtime.messages' $$,
  $$ select f.relation from fates as f where f.fate in ('erased', 'gone') and f.relation <> 'chat_private.search_blocks'
     union values ('chat.reactions'), ('chat_private.sends') $$,
  'the certificate lists each table that was swept'
);
select tests.act_as_service();
select is(chat.erase_user(tests.id_of('Cat')), (select certificate from certificates where place = 2), 'asked again, the certificate is the same');
select tests.stop_acting();
select results_eq(
  $$ select a.action from chat_private.audit_log as a where a.subject_id = tests.id_of('Cat') and a.action in ('account_erased', 'erasure_finished') order by a.at $$,
  $$ values ('account_erased'), ('erasure_finished') $$, 'the audit has the erasure'
);
select is_empty(
  $$ select from chat_private.audit_log as a where a.details::text like '%xylograph%' $$, 'the audit has none of the words'
);

-- Offices
select is(
  (select m.user_id from chat.room_members as m where m.room_id = tests.room('hall') and m.role = 'owner' and m.left_at is null),
  tests.id_of('Ann'), 'the owner of a room is who it was'
);
select tests.act_as_service();
select chat.erase_user(tests.id_of('Ann'));
select tests.stop_acting();
select pg_temp.maintain();
select is(
  (select m.user_id from chat.room_members as m where m.room_id = tests.room('hall') and m.role = 'owner' and m.left_at is null),
  tests.id_of('Abe'), 'the room of an erased owner passes to the longest-standing admin'
);

-- In either order
delete from auth.users where id in (tests.id_of('Ann'), tests.id_of('Rea'));
select tests.act_as_service();
select is((chat.erase_user(tests.id_of('Rea')) ->> 'user_id')::uuid, tests.id_of('Rea'), 'an account that was deleted through Auth can be erased afterwards');
select tests.stop_acting();
select pg_temp.maintain();
select is(
  (select count(*) from chat_private.erasures as e where e.finished_at is not null), 3::bigint, 'an account may be deleted before or after'
);

-- People who were never here
select tests.act_as('Bob');
select tests.remember('archive', (chat.create_room('Archive')).id);
select tests.act_as_service();
select chat.import_messages(tests.room('archive'), jsonb_build_array(jsonb_build_object(
  'client_id', md5('1')::uuid, 'sender_id', md5('Old')::uuid, 'sender_name', 'Old', 'body', 'an old word', 'created_at', '2020-01-01T00:00:00Z'
)));
select chat.erase_user(md5('Old')::uuid);
select tests.stop_acting();
select pg_temp.maintain();
select is(
  (select row(m.body, p.display_name)::text from chat.messages as m join chat.profiles as p on p.user_id = m.sender_id where m.room_id = tests.room('archive')),
  '("","Deleted account")', 'somebody who wrote only what was imported can be erased'
);
select tests.act_as_service();
select chat.import_messages(tests.room('archive'), jsonb_build_array(jsonb_build_object(
  'client_id', md5('1')::uuid, 'sender_id', md5('Old')::uuid, 'sender_name', 'Old', 'body', 'an old word', 'created_at', '2020-01-01T00:00:00Z'
)));
select tests.stop_acting();
select is(
  (select string_agg(m.body, ',') from chat.messages as m where m.room_id = tests.room('archive')), '', 'importing again does not bring back what was erased'
);

-- Legal hold
select tests.act_as('Bob');
select tests.remember('case', (chat.create_room('Case')).id);
select chat.send_message(tests.room('case'), 'evidence', gen_random_uuid());
select tests.act_as_service();
select tests.remember('hold', (chat.set_hold('person', tests.id_of('Bob'), 'case 7')).hold_id);
select chat.erase_user(tests.id_of('Bob'));
select tests.stop_acting();
select pg_temp.maintain();
select is(
  (select string_agg(m.body, '') from chat.messages as m where m.room_id = tests.room('case') and m.kind = 'text'), '', 'people see a held message gone with its sender'
);
select is((chat_private.certificate(tests.id_of('Bob')) ->> 'held')::integer > 0, true, 'I11: the certificate says how much is held');
select is(
  (select b.body from chat_private.held_bodies as b where b.room_id = tests.room('case')), 'evidence', 'I11: what is held outlives an erasure'
);
select tests.act_as_service();
select chat.release_hold(tests.room('hold'));
select tests.stop_acting();
select pg_temp.maintain();
select is(chat_private.certificate(tests.id_of('Bob')) ->> 'held', '0', 'when the hold is released, the erasure is complete');

select * from finish();
rollback;
