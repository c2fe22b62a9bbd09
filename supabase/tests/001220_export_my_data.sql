-- export_my_data: everything about me, and nothing private of others.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

create function pg_temp.path(bucket text)
returns text
language sql
stable
return format('%s/%s/a.png', case bucket when 'chat-avatars' then tests.id_of('Cat') else tests.room('trip') end, md5(bucket)::uuid);
insert into storage.objects (bucket_id, name, owner_id, metadata)
select b.id, pg_temp.path(b.id), tests.id_of('Cat')::text, '{"size": 7, "mimetype": "image/png"}'
from unnest('{chat-attachments,chat-avatars}'::text[]) as b (id);
grant execute on all functions in schema pg_temp to public;

-- Cat writes, and others write about her.
select tests.act_as('Ann');
select chat.send_message(tests.room('trip'), 'words of Ann', gen_random_uuid());
select tests.act_as('Cat');
select chat.update_profile('Cat', pg_temp.path('chat-avatars'));
select chat.register_device('phone', 'ios', 'expo', 'secret token', '1.0', 'KEY');
select chat.heartbeat('phone');
create temp table said as
select (chat.send_message(tests.room('trip'), 'word ' || n, gen_random_uuid())).seq from generate_series(1, 30) as n;
grant select on said to public;
select chat.send_message(
  tests.room('trip'), 'a file', gen_random_uuid(), attachments => jsonb_build_array(jsonb_build_object('path', pg_temp.path('chat-attachments')))
);
select chat.edit_message(tests.room('trip'), min(seq), 'edited') from said;
select chat.add_reaction(tests.room('trip'), min(seq), '👍') from said;
select chat.mark_read(tests.room('trip'), max(seq)), chat.set_room_preferences(tests.room('trip'), pinned => true) from said;
select chat.block_user(tests.id_of('Dan')), chat.report_user(tests.id_of('Bob'), 'my reason');
select chat.report_message(
  tests.room('trip'), (select m.seq from chat.messages as m where m.room_id = tests.room('trip') and m.body = 'words of Ann'), 'my other reason'
);
select chat.send_message(tests.room('late'), 'before I went', gen_random_uuid());
select tests.act_as('Bob');
select chat.pin_message(tests.room('trip'), min(seq)) from said;
select chat.report_user(tests.id_of('Cat'), 'words of Bob'), chat.create_invite(tests.room('trip'));
select chat.ban_member(tests.room('late'), tests.id_of('Cat'), null, 'why Cat was banned');
select tests.act_as('Ann');
select chat.remove_member(tests.room('plaza'), tests.id_of('Cat'), 'words for Cat');
select tests.act_as_service();
select chat.notify(tests.id_of('Cat'), 'order_shipped', '{"order": 7}');
select tests.stop_acting();

-- All pages of an export, one below the other.
create function pg_temp.export(name text)
returns table (page integer, place text, content jsonb)
language plpgsql
as $$
declare
  v_page jsonb;
begin
  perform tests.act_as(export.name);
  for v_number in 1 .. 200 loop
    v_page := chat.export_my_data(v_page -> 'next');
    return query
      select v_number, section.key, entry.value
      from jsonb_each(v_page -> 'rows') as section, jsonb_array_elements(section.value) as entry;
    exit when v_page -> 'next' = 'null';
  end loop;
  perform tests.stop_acting();
end;
$$;
create temp table cats as select * from pg_temp.export('Cat');
create temp table bobs as select * from pg_temp.export('Bob');

-- Cat
select results_eq(
  $$ select place, count(*) from cats where place not in ('room_members', 'notifications', 'receipts') group by place order by place collate "C" $$,
  $$ values ('attachments', 1::bigint), ('avatars', 1), ('bans', 1), ('blocks', 1), ('devices', 1), ('marks', 1), ('message_edits', 1),
       ('messages', 32), ('presence', 1), ('profiles', 1), ('reactions', 1), ('removals', 2), ('reports', 2), ('room_preferences', 1), ('tenant_members', 1) $$,
  'an export has a section for all that is about somebody'
);
select ok(
  bool_or(content ->> 'body' = 'before I went'), 'what somebody said in a room they lost is theirs'
) from cats where place = 'messages';
select set_eq(
  $$ select content ->> 'path' from cats where place in ('attachments', 'avatars') $$,
  $$ select pg_temp.path(b.id) from unnest('{chat-attachments,chat-avatars}'::text[]) as b (id) $$, 'an export has the paths of files'
);
select is_empty(
  $$
    select place, content from cats
    where content::text ~ 'words of|secret token'
      or place <> 'removals' and content ->> 'reporter_id' <> tests.id_of('Cat')::text
  $$,
  'an export has nothing that others wrote, and no push token'
);
select set_eq(
  $$ select content ->> 'reason' from cats where place = 'removals' $$, $$ values ('words for Cat'), ('why Cat was banned') $$,
  'an export has why somebody was removed'
);
select results_eq(
  $$ select content ->> 'room_name' from cats where place = 'room_members' order by 1 $$,
  $$ values ('hall'), ('tower'), ('trip'), (null), (null), (null) $$, 'an export has the names of rooms that somebody is in'
);
select is(
  (select string_agg(distinct content ->> 'kind', ',' order by content ->> 'kind') from cats where place = 'notifications'), 'invite,order_shipped',
  'an export has the notifications'
);
select is((select count(*) from bobs where place in ('pins', 'invites')), 2::bigint, 'an export has what a moderator pinned and whom they let in');
select is_empty($$ select content from bobs where content::text like '%' || 'my reason' || '%' $$, 'an export has no report about somebody');
select set_eq(
  $$
    select c.relname::text from pg_class as c
    where c.relnamespace = 'chat'::regnamespace and c.relkind in ('r', 'p')
    except
    select unnest(chat_private.export_sections())
  $$,
  $$ values ('rooms'), ('tenants') $$, 'an export has a section for every table but those that belong to everybody in a room or tenant'
);

-- Pages
update chat_private.settings set pull_bytes = 2048;
create temp table paged as select * from pg_temp.export('Cat');
select ok((select max(page) from paged) > 5, 'an export that is long has pages');
select results_eq(
  $$ select place, content from paged where place <> 'audit' order by place collate "C", content::text collate "C" $$,
  $$ select place, content from cats order by place collate "C", content::text collate "C" $$,
  'pages join without gap or overlap'
);
update chat_private.settings set pull_bytes = 1048576;
select tests.refuses('Cat', 'invalid_input', format('select chat.export_my_data(%L)', page), format('%s begins no page', page))
from unnest(array['{}', '[]', '1', '{"section": "secrets", "key": ""}', '{"section": "messages", "room_id": "x", "key": ""}', '{"section": "messages"}']) as p (page);

-- The audit
select tests.stop_acting();
select is(
  (select count(*) from chat_private.audit_log where action = 'data_exported' and subject_id = tests.id_of('Cat')), 2::bigint, 'each export is in the audit once'
);
select chat_private.seal_audit(1000);
select tests.act_as('Cat');
select ok((chat.export_my_data() ->> 'audit_head') ~ '^[0-9]+:[0-9a-f]{64}$', 'an export gives the head of the audit away');
select tests.costs('Ann', 50, $$ select chat.export_my_data() $$, 'a page of an export costs 50');

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  'select chat.export_my_data()', '42501', 'permission denied for function export_my_data', 'signed-out people may not call export_my_data'
);

select * from finish();
rollback;
