-- Attachments: files of a room, for those who may post there, and for those who may see the message.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

create function pg_temp.path(room text, name text)
returns text
language sql
stable
return format('%s/%s/%s.png', tests.room(room), md5(name)::uuid, name);

create function pg_temp.uploads(
  person text, bucket text, path text, operation text default 'object.upload',
  metadata jsonb default '{"size": 7, "mimetype": "image/png"}'
)
returns boolean
language plpgsql
volatile
as $$
begin
  perform tests.act_as(person), set_config('storage.operation', 'storage.' || operation, true);
  insert into storage.objects (bucket_id, name, owner_id, metadata) values (bucket, path, tests.id_of(person)::text, metadata);
  return true;
exception
  when insufficient_privilege then return false;
end;
$$;

create function pg_temp.reads(person text, path text, operation text default 'object.get_authenticated')
returns boolean
language plpgsql
volatile
as $$
begin
  perform tests.act_as(person), set_config('storage.operation', 'storage.' || operation, true);
  return exists (select from storage.objects where name = path);
end;
$$;

-- Who uploads
select is(pg_temp.uploads(p.name, 'chat-attachments', pg_temp.path('trip', p.name)), p.may, p.title)
from (
  values
  ('Cat', true, 'a member uploads a file to their room'), ('Ann', true, 'an owner uploads a file'),
  ('Rea', false, 'a reader does not upload'), ('Xen', false, 'an ex-member does not upload'),
  ('Dan', false, 'a stranger does not upload'), ('Tom', false, 'somebody of another tenant does not upload')
) as p (name, may, title);
select is(pg_temp.uploads('Cat', 'chat-attachments', p.path), false, p.title)
from (
  values
  ('Cat.png', 'a file without a room is refused'), (pg_temp.path('trip', 'x') || '/', 'a name that is a folder is refused'),
  (tests.room('trip') || '//x.png', 'a file without a folder of its own is refused'),
  (tests.room('trip') || '/x/x.png', 'a folder that is no uuid is refused'),
  (upper(tests.room('trip')::text) || '/' || md5('x')::uuid || '/x.png', 'a room has one spelling'),
  (pg_temp.path('trip', 'x') || '/../x.png', 'a deeper folder is refused'),
  (pg_temp.path('trip', 'x') || repeat('x', 300), 'a name has 300 bytes at most'),
  (gen_random_uuid() || '/' || md5('x')::uuid || '/x.png', 'a room that does not exist is refused')
) as p (path, title);
select is(pg_temp.uploads('Cat', 'chat-attachments', pg_temp.path('trip', o.name), o.name), o.may, o.title)
from (
  values
  ('tus.upload.create', true, 'a resumable upload is an upload'),
  ('object.sign_upload_url', false, 'nobody signs an upload, which would outlive a membership'),
  ('object.upload_update', false, 'nobody overwrites'), ('object.upload_signed', false, 'a signed upload gets nothing from policies'),
  ('object.copy', false, 'nobody copies past the limits'), ('object.move', false, 'nobody moves'),
  ('s3.upload', false, 'S3 uploads nothing'), ('s3.object.copy', false, 'S3 copies nothing'), ('', false, 'without an operation nothing is uploaded')
) as o (name, may, title);
select tests.stop_acting();
select chat_private.purge_messages(tests.room('late'), 0);
select tests.act_as('Ann');
select chat.mute_member(tests.room('trip'), tests.id_of('Lea'), now() + interval '1 hour'), chat.archive_room(tests.room('plaza'));
select is(pg_temp.uploads('Lea', 'chat-attachments', pg_temp.path('trip', 'muted')), false, 'a muted member does not upload');
select is(pg_temp.uploads('Cat', 'chat-attachments', pg_temp.path('plaza', 'archived')), false, 'nobody uploads to an archived room');
select is(pg_temp.uploads('Cat', 'chat-attachments', pg_temp.path('hall', 'hall')), true, 'the same member uploads to another room');

-- Limits
select is(pg_temp.uploads('Cat', 'chat-attachments', pg_temp.path('trip', l.name), metadata => l.metadata::jsonb), l.may, l.title)
from (
  values
  ('large', '{"contentLength": 26214401, "mimetype": "image/png"}', false, 'a file over settings.file_bytes is refused where Storage says its size'),
  ('just', '{"contentLength": 26214400, "mimetype": "image/png"}', true, 'a file of exactly settings.file_bytes is taken'),
  ('svg', '{"mimetype": "image/svg+xml"}', false, 'image/* is no SVG, which could hold scripts'),
  ('html', '{"mimetype": "text/html; charset=utf-8"}', false, 'pages are refused'),
  ('plain', '{"mimetype": "Text/Plain; charset=utf-8"}', true, 'a type has one meaning, however it is spelled'),
  ('unknown', null, true, 'what is not known yet is looked at when it is sent'),
  ('odd', '{"size": "-1"}', false, 'a size is a number')
) as l (name, metadata, may, title);
select tests.stop_acting();
update chat.tenants set file_bytes = 10, file_types = '{image/svg+xml}' where tenant_id = '00000000-0000-0000-0000-000000000001';
select is(pg_temp.uploads('Cat', 'chat-attachments', pg_temp.path('trip', l.name), metadata => l.metadata::jsonb), l.may, l.title)
from (
  values
  ('tenant', '{"size": 11, "mimetype": "image/svg+xml"}', false, 'a tenant may allow less'),
  ('other', '{"size": 10, "mimetype": "image/png"}', false, 'a tenant may allow other types'),
  ('own', '{"size": 10, "mimetype": "image/svg+xml"}', true, 'a tenant may name SVG')
) as l (name, metadata, may, title);
select tests.refuses('Cat', 'payload_too_large', format($$
  select chat.send_message(tests.room('trip'), '', gen_random_uuid(), attachments => '[{"path": "%s"}]')
$$, pg_temp.path('trip', 'just')), 'a file that is too large is not sent');
select tests.stop_acting();
update chat.tenants set file_bytes = null where tenant_id = '00000000-0000-0000-0000-000000000001';
select tests.refuses('Cat', 'invalid_input', format($$
  select chat.send_message(tests.room('trip'), '', gen_random_uuid(), attachments => '[{"path": "%s"}]')
$$, pg_temp.path('trip', 'just')), 'a file of another type is not sent');
select tests.stop_acting();
update chat.tenants set file_types = null where tenant_id = '00000000-0000-0000-0000-000000000001';

-- Files that are left unsent
savepoint unsent; -- noqa: PRS
update chat_private.settings set unsent_files_per_person = 2;
delete from chat_private.file_queue;
-- (Ann has files in the hall, and both of them have files in other rooms.)
insert into storage.objects (bucket_id, name, owner_id, metadata)
select 'chat-attachments', format('%s/%s/x.png', r.id, gen_random_uuid()), tests.id_of(p.name)::text, '{"size": 7}'
from unnest('{Ann,Abe}'::text[]) as p (name)
cross join (values (tests.room('hall')), (tests.room('pair')), (md5('elsewhere')::uuid)) as r (id)
cross join generate_series(1, 5)
where p.name = 'Ann' or r.id <> tests.room('hall');
select is(pg_temp.uploads('Abe', 'chat-attachments', pg_temp.path('hall', 'unsent ' || n)), true, 'an unsent file is one of two that may be: ' || n)
from generate_series(1, 2) as n;
select is(pg_temp.uploads('Abe', 'chat-attachments', pg_temp.path('hall', 'unsent 3')), false, 'somebody with too many unsent files in a room uploads no other');
select is(pg_temp.uploads('Lea', 'chat-attachments', pg_temp.path('hall', 'unsent by Lea')), true, 'unsent files of others do not count');
select tests.lets('Abe', format(
  $$ select chat.send_message(tests.room('hall'), '', gen_random_uuid(), attachments => '[{"path": "%s"}]') $$, pg_temp.path('hall', 'unsent 1')
), 'an unsent file is sent');
select is(pg_temp.uploads('Abe', 'chat-attachments', pg_temp.path('hall', 'unsent 3')), true, 'a file that was sent is not unsent any more');
select is(pg_temp.uploads('Abe', 'chat-attachments', pg_temp.path('hall', 'unsent 4')), false, 'another file was unsent all the time');
select tests.stop_acting();
insert into chat_private.file_queue (bucket_id, path) values ('chat-attachments', pg_temp.path('hall', 'unsent 2'));
select is(pg_temp.uploads('Abe', 'chat-attachments', pg_temp.path('hall', 'unsent 4')), true, 'a file that was given up is not unsent any more');
select is(
  pg_temp.uploads('Abe', 'chat-avatars', format('%s/%s/x.png', tests.id_of('Abe'), md5(n::text)::uuid)), n <= 2,
  'two avatars that are not shown may be there: ' || n
)
from generate_series(1, 3) as n;
select tests.act_as('Abe');
select chat.update_profile(avatar_path => format('%s/%s/x.png', tests.id_of('Abe'), md5('1')::uuid));
select is(
  pg_temp.uploads('Abe', 'chat-avatars', format('%s/%s/x.png', tests.id_of('Abe'), md5('3')::uuid)), true,
  'an avatar that is shown does not count'
);
select tests.stop_acting();
-- (Ann has five files in the hall, and thirty of 1,500 on the trip.)
update chat_private.settings set unsent_files_per_person = 6;
insert into storage.objects (bucket_id, name, owner_id, metadata)
select 'chat-attachments', format('%s/%s/x.png', tests.room('hall'), md5(n::text)::uuid), tests.id_of('Cat')::text, '{"size": 7}'
from generate_series(1, 400) as n;
select is(pg_temp.uploads('Ann', 'chat-attachments', pg_temp.path('hall', 'sixth')), true, 'the sixth of six unsent files is taken');
select is(
  pg_temp.uploads('Ann', 'chat-attachments', format('%s/%s/x.png', tests.room('hall'), f.folder)), false,
  'an unsent file is found among hundreds of others, wherever the next one is put: ' || f.folder
)
from unnest('{00000000-0000-4000-8000-000000000000,ffffffff-ffff-4fff-bfff-ffffffffffff}'::uuid[]) as f (folder);
select tests.stop_acting();
insert into storage.objects (bucket_id, name, owner_id, metadata)
select
  'chat-attachments', format('%s/%s/x.png', tests.room('trip'), md5(n::text)::uuid),
  case n % 50 when 0 then tests.id_of('Ann') else tests.id_of('Cat') end, '{"size": 7}'
from generate_series(1, 1500) as n;
select is(
  pg_temp.uploads('Ann', 'chat-attachments', format('%s/%s/x.png', tests.room('trip'), f.folder)), false,
  'a large room is sampled, wherever the next file is put: ' || f.folder
)
from unnest('{00000000-0000-4000-8000-000000000000,80000000-0000-4000-8000-000000000000,ffffffff-ffff-4fff-bfff-ffffffffffff}'::uuid[]) as f (folder);
rollback to unsent;

-- Before it is sent
select is(pg_temp.reads('Cat', pg_temp.path('trip', 'Cat')), true, 'a member reads the file that they have uploaded');
select is(pg_temp.reads('Ann', pg_temp.path('trip', 'Cat')), false, 'nobody else reads it before it is sent');

-- Sending
create temp table calls as
select c.*
from (
  values
  ('Ann', 'trip', pg_temp.path('trip', 'Cat'), 'nobody sends a file of somebody else'),
  ('Cat', 'hall', pg_temp.path('trip', 'Cat'), 'a file is sent to its own room'),
  ('Cat', 'trip', pg_temp.path('trip', 'never'), 'a file that was not uploaded is not sent'),
  ('Rea', 'trip', pg_temp.path('trip', 'Cat'), null)
) as c (name, room, path, title);
select tests.refuses(c.name, 'file_not_found', format(
  $$ select chat.send_message(tests.room(%L), 'x', gen_random_uuid(), attachments => '[{"path": "%s"}]') $$, c.room, c.path
), c.title) from calls as c where c.title is not null;
select tests.refuses('Rea', 'not_allowed', format(
  $$ select chat.send_message(tests.room('trip'), 'x', gen_random_uuid(), attachments => '[{"path": "%s"}]') $$, pg_temp.path('trip', 'Cat')
), 'a reader learns nothing about files');
select tests.refuses('Dan', 'room_not_found', format(
  $$ select chat.send_message(tests.room('trip'), 'x', gen_random_uuid(), attachments => '[{"path": "%s"}]') $$, pg_temp.path('trip', 'Cat')
), 'a stranger learns nothing about rooms');
select tests.refuses('Cat', 'invalid_input', format(
  $$ select chat.send_message(tests.room('trip'), 'x', gen_random_uuid(), attachments => %L::jsonb) $$,
  jsonb_build_array(jsonb_build_object('path', pg_temp.path('trip', 'Cat')) || f.says::jsonb)
), f.title)
from (
  values
  ('{"path": 7}', 'a path is text'), ('{"path": "a"}', 'a path has a room and a folder'), ('{"name": 7}', 'a name is text'),
  ('{"name": "a\nb"}', 'a name is a line'), ('{"width": "7"}', 'a width is a number'), ('{"width": 0}', 'a width is positive'),
  ('{"height": 1.5}', 'a height is whole'), ('{"height": 100001}', 'a height is bounded'), ('{"width": null}', 'what is not known is left out'),
  ('{"duration": -1}', 'a duration is positive'), ('{"duration": 604801}', 'a duration is a week at most'),
  ('{"blurhash": "x"}', 'a blur hash has a length'), ('{"blurhash": "LEHV6nWB2yk8pyo0adR*.7kCMd"}', 'a blur hash has as many parts as it says'),
  ('{"blurhash": "é0000000"}', 'a blur hash has its own letters'), ('{"blurhash": ""}', 'a blur hash is not empty'),
  ('{"size": 8}', 'the size is that of the file'), ('{"mime_type": "image/gif"}', 'the type is that of the file'), ('{"mime_type": true}', 'a type is text')
) as f (says, title);
select tests.refuses('Cat', 'invalid_input', format(
  $$ select chat.send_message(tests.room('trip'), 'x', gen_random_uuid(), attachments => '[{"path": "%1$s"}, {"path": "%1$s"}]') $$, pg_temp.path('trip', 'Cat')
), 'a message names a file once');
select tests.act_as('Cat');
select chat.send_message(
  tests.room('trip'), '', md5('photo')::uuid, attachments => jsonb_build_array(jsonb_build_object(
    'path', pg_temp.path('trip', 'Cat'), 'name', 'Olá.png', 'size', 7, 'mime_type', 'image/png', 'width', 640, 'height', 480,
    'duration', 1.5, 'blurhash', 'LEHV6nWB2yk8pyo0adR*.7kCMdnj'
  ), '{"kind": "place", "path_to": "the beach", "width": "wide"}'::jsonb)
);
select is(
  (chat.send_message(tests.room('trip'), '', md5('photo')::uuid, attachments => m.attachments)).seq, m.seq, 'a retry is not a second use of the file'
) from chat.messages as m where m.client_id = md5('photo')::uuid;
select tests.refuses('Cat', 'file_not_found', format(
  $$ select chat.send_message(tests.room('trip'), 'x', gen_random_uuid(), attachments => '[{"path": "%s"}]') $$, pg_temp.path('trip', 'Cat')
), 'a file belongs to one message');
select results_eq(
  $$ select a.path from chat.attachments as a where a.room_id = tests.room('trip') $$,
  $$ values (pg_temp.path('trip', 'Cat')) $$, 'members read what a message holds'
);
select pg_temp.uploads('Cat', 'chat-attachments', pg_temp.path('trip', f)) from unnest(array['b1', 'b2']) as f;
select tests.act_as('Cat');
select results_eq(
  format($$
    select o.outcome, o.reason from chat.send_messages(jsonb_build_array(
      jsonb_build_object('room_id', tests.room('trip'), 'client_id', gen_random_uuid(), 'body', '', 'attachments', '[{"path": "%1$s"}]'::jsonb),
      jsonb_build_object('room_id', tests.room('trip'), 'client_id', gen_random_uuid(), 'body', '', 'attachments', '[{"path": "%1$s"}]'::jsonb),
      jsonb_build_object('room_id', tests.room('trip'), 'client_id', gen_random_uuid(), 'body', 'x'),
      jsonb_build_object('room_id', tests.room('trip'), 'client_id', gen_random_uuid(), 'body', '', 'attachments', '[{"path": "%2$s"}]'::jsonb)
    )) as o
  $$, pg_temp.path('trip', 'b1'), pg_temp.path('trip', 'b2')),
  $$ values ('sent', null), ('rejected', 'file_not_found'), ('sent', null), ('sent', null) $$,
  'one file is one message in a batch as well, and stops no other'
);
select set_eq(
  $$
    select m.attachments -> 0 ->> 'path' from chat.messages as m where m.room_id = tests.room('trip') and m.attachments <> '[]'
  $$,
  $$ select a.path from chat.attachments as a $$, 'what messages hold is what they name'
);

-- Who reads what was sent
select is(pg_temp.reads(p.name, pg_temp.path('trip', 'Cat')), p.may, p.title)
from (
  values
  ('Cat', true, 'the sender reads it'), ('Bob', true, 'a member reads it'), ('Rea', true, 'a reader reads it'), ('Lea', true, 'a muted member reads it'),
  ('Xen', false, 'an ex-member does not read it'), ('Dan', false, 'a stranger does not read it'), ('Tom', false, 'another tenant does not read it')
) as p (name, may, title);
select tests.act_as_nobody();
select is_empty('select from storage.objects', 'signed-out people read no files');
select is(pg_temp.reads('Bob', pg_temp.path('trip', 'Cat'), o.name), o.may, o.title)
from (
  values
  ('object.sign', false, 'a member does not sign a URL'), ('object.sign_many', false, 'a member does not sign many URLs'),
  ('object.list', true, 'a member lists the room'),
  ('object.info_authenticated', true, 'a member asks about a file'), ('render.image_authenticated', true, 'a member has it made smaller')
) as o (name, may, title);
select is(pg_temp.reads(p.name, pg_temp.path('trip', 'Cat'), o.name), false, format('%s gets nothing by %s', p.name, o.name))
from unnest(array['Xen', 'Dan', 'Tom']) as p (name)
cross join unnest(array[
  'object.list', 'object.list_v2', 'object.copy', 'object.move', 'object.info_authenticated', 'object.get_authenticated_info',
  'object.head_authenticated_info', 'render.image_authenticated', 's3.object.get', 's3.object.list', 's3.object.info', 's3.object.copy', 'tus.upload.get'
]) as o (name);
select tests.act_as('Cat');
select set_config('storage.operation', 'storage.object.upload_update', true);
create temp table counts (n bigint);
grant all on counts to public;
with changed as (update storage.objects set name = name || 'x' returning 1) insert into counts select count(*) from changed;
select is((select n from counts), 0::bigint, 'nobody overwrites or moves a file, their own included');
select set_config('storage.allow_delete_query', 'true', true);
with gone as (delete from storage.objects returning 1) insert into counts select count(*) from gone;
select is((select sum(n) from counts), 0::numeric, 'nobody deletes a file, their own included');

-- What is not seen any more
select tests.act_as('Bob');
select chat.clear_history(tests.room('trip'));
select is(pg_temp.reads('Bob', pg_temp.path('trip', 'Cat')), false, 'a cleared history has no files');
select tests.act_as('Bob');
select is_empty($$ select from chat.attachments where room_id = tests.room('trip') $$, 'a cleared history has no list of files');
select pg_temp.uploads('Ann', 'chat-attachments', pg_temp.path('late', 'before'));
select tests.act_as('Ann');
select chat.send_message(tests.room('late'), '', gen_random_uuid(), attachments => jsonb_build_array(jsonb_build_object('path', pg_temp.path('late', 'before'))));
select chat.add_member(tests.room('late'), tests.id_of('Dan'));
select is(pg_temp.reads('Dan', pg_temp.path('late', 'before')), false, 'history from before somebody came has no files for them');
select is(pg_temp.reads('Lea', pg_temp.path('late', 'before')), true, 'members who were there before read them');
select tests.act_as('Ann');
select chat.remove_member(tests.room('trip'), tests.id_of('Cat'));
select is(pg_temp.reads('Cat', pg_temp.path('trip', 'Cat')), false, 'I5: a removed member does not read what they sent');
select is(pg_temp.reads('Cat', pg_temp.path('trip', 'plain')), false, 'I5: a removed member does not read what they uploaded');
select is(pg_temp.reads('Ann', pg_temp.path('trip', 'Cat')), true, 'members who stayed read it');
select is(pg_temp.uploads('Cat', 'chat-attachments', pg_temp.path('trip', 'late')), false, 'I5: a removed member uploads nothing');
select tests.act_as('Ann');
select chat.delete_message(m.room_id, m.seq) from chat.messages as m where m.client_id = md5('photo')::uuid;
select is(pg_temp.reads('Ann', pg_temp.path('trip', 'Cat')), false, 'nobody reads a file of a deleted message');
select tests.stop_acting();
select results_eq(
  $$ select q.bucket_id, q.path from chat_private.file_queue as q $$, $$ values ('chat-attachments', pg_temp.path('trip', 'Cat')) $$,
  'a file of a deleted message is to be removed'
);
select chat_private.purge_messages(tests.room('trip'), 100);
select results_eq(
  $$ select count(*) from chat_private.file_queue $$, $$ values (3::bigint) $$, 'files of purged messages are to be removed as well'
);
select is_empty($$ select from chat.attachments as a where a.room_id = tests.room('trip') $$, 'purged messages hold nothing');
select tests.act_as('Ann');
select chat.add_member(tests.room('trip'), tests.id_of('Cat'));
select tests.stop_acting();
delete from chat.attachments;
select tests.refuses('Cat', 'file_not_found', format(
  $$ select chat.send_message(tests.room('trip'), 'x', gen_random_uuid(), attachments => '[{"path": "%s"}]') $$, pg_temp.path('trip', 'Cat')
), 'what is to be removed is not sent again');
select is(pg_temp.reads('Cat', pg_temp.path('trip', 'Cat')), false, 'what is to be removed is not read by the member who uploaded it');

-- Servers
select tests.stop_acting();
insert into storage.objects (bucket_id, name, metadata) values
  ('chat-attachments', pg_temp.path('hall', 'server'), '{"size": 7, "mimetype": "image/png"}'), ('chat-attachments', pg_temp.path('hall', 'server 2'), '{"size": 7}');
select tests.refuses('Cat', 'file_not_found', format(
  $$ select chat.send_message(tests.room('hall'), 'x', gen_random_uuid(), attachments => '[{"path": "%s"}]') $$, pg_temp.path('hall', 'server')
), 'a member does not send what a server uploaded');
select tests.act_as_server_for('Cat');
select lives_ok(format(
  $$ select chat.send_message(tests.room('hall'), 'x', gen_random_uuid(), attachments => '[{"path": "%s"}]') $$, pg_temp.path('hall', 'server')
), 'a server sends it as that member');
select tests.act_as_server_for('Ann');
select throws_ok(format(
  $$ select chat.send_message(tests.room('hall'), 'x', gen_random_uuid(), attachments => '[{"path": "%s"}]') $$, pg_temp.path('hall', 'hall')
), 'PT404', 'file_not_found', 'a server does not send a file of another member');
select tests.act_as_server_for('Cat');
select lives_ok(format(
  $$ select chat.send_message(tests.room('hall'), 'x', gen_random_uuid(), attachments => '[{"path": "%s"}]') $$, pg_temp.path('hall', 'hall')
), 'a server sends the files of the member it acts as');

-- Avatars
create function pg_temp.avatar(name text, file text)
returns text
language sql
stable
return format('%s/%s/%s.png', tests.id_of(name), md5(file)::uuid, file);
select is(pg_temp.uploads('Cat', 'chat-avatars', pg_temp.avatar('Cat', 'me')), true, 'people upload avatars to their own folder');
select is(pg_temp.uploads('Cat', 'chat-avatars', pg_temp.avatar('Cat', 'you')), true, 'people upload several avatars');
select is(pg_temp.uploads('Cat', 'chat-avatars', a.path, metadata => a.metadata::jsonb), false, a.title)
from (
  values
  (pg_temp.avatar('Ann', 'me'), '{}', 'nobody uploads an avatar of somebody else'),
  (pg_temp.avatar('Cat', 'pdf'), '{"mimetype": "application/pdf"}', 'an avatar is an image'),
  (pg_temp.avatar('Cat', 'svg'), '{"mimetype": "image/svg+xml"}', 'an avatar is no SVG'),
  (pg_temp.avatar('Cat', 'large'), '{"contentLength": 5242881}', 'an avatar over settings.avatar_bytes is refused')
) as a (path, metadata, title);
select is(pg_temp.reads('Ann', pg_temp.avatar('Cat', 'me')), false, 'an avatar that is not shown is its person''s');
select tests.act_as('Cat');
select chat.update_profile(avatar_path => pg_temp.avatar('Cat', 'me'));
select is(pg_temp.reads(p.name, pg_temp.avatar('Cat', 'me')), p.may, p.title)
from (
  values
  ('Cat', true, 'people read their own avatar'), ('Dan', true, 'people of the tenant read it'), ('Tom', false, 'people of other tenants do not read it')
) as p (name, may, title);
select is(pg_temp.reads('Dan', pg_temp.avatar('Cat', 'me'), 'object.sign'), false, 'nobody signs a URL of an avatar');
select tests.act_as('Cat');
select chat.update_profile(avatar_path => pg_temp.avatar('Cat', 'you'));
select is(pg_temp.reads('Ann', pg_temp.avatar('Cat', 'me')), false, 'nobody reads a replaced avatar');
select tests.stop_acting();
select is(
  (select count(*) from chat_private.file_queue as q where q.path = pg_temp.avatar('Cat', 'me')), 1::bigint, 'a replaced avatar is to be removed'
);
select tests.act_as('Cat');
select chat.update_profile(avatar_path => pg_temp.avatar('Cat', 'me'));
select is(pg_temp.reads('Ann', pg_temp.avatar('Cat', 'me')), true, 'an avatar that is shown again stays');
select tests.act_as('Cat');
select chat.update_profile(avatar_path => pg_temp.avatar('Ann', 'me'));
select chat.update_profile(avatar_path => 'elsewhere/cat.png');
select tests.stop_acting();
select is_empty(
  $$ select q.path from chat_private.file_queue as q where q.bucket_id = 'chat-avatars' and q.path not like tests.id_of('Cat') || '/%' $$,
  'nobody has an avatar of somebody else removed'
);

select * from finish();
rollback;
