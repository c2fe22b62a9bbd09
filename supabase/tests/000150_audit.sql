-- The audit: what is recorded stays as it was, and nobody waits to record.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
select tests.as_owner('select chat_private.seal_audit(1000)');

-- Who did it
create function pg_temp.record(action text)
returns text
language sql
volatile
return tests.as_owner(format(
  $$ select chat_private.record_audit(%L, null, %L, %L, '{"a": 1, "b": null}') $$, action, tests.room('trip'), tests.id_of('Bob')
));
select tests.act_as('Ann');
select pg_temp.record('tried');
select tests.act_as_server_for('Ann');
select pg_temp.record('tried_by_server');
select tests.act_as_service();
select pg_temp.record('tried_by_nobody');
select tests.stop_acting();
select pg_temp.record('tried_by_owner');
select results_eq(
  $$
    select a.action, a.actor_id, a.via, a.room_id, a.subject_id, a.details
    from chat_private.audit_log as a where a.action like 'tried%' order by a.action
  $$,
  $$
    values
    ('tried', tests.id_of('Ann'), 'user', tests.room('trip'), tests.id_of('Bob'), '{"a": 1}'::jsonb),
    ('tried_by_nobody', null, 'server', tests.room('trip'), tests.id_of('Bob'), '{"a": 1}'),
    ('tried_by_owner', null, 'maintenance', tests.room('trip'), tests.id_of('Bob'), '{"a": 1}'),
    ('tried_by_server', tests.id_of('Ann'), 'server', tests.room('trip'), tests.id_of('Bob'), '{"a": 1}')
  $$,
  'an entry says who did what to whom, and whether a server did it for them'
);

-- What is recorded
create temp view newest as
select a.action, a.actor_id, a.tenant_id is not null as in_tenant, a.room_id, a.subject_id, a.details
from chat_private.audit_log as a
where a.seq is null and a.action not like 'tried%'
order by a.at;
create temp table acts (place integer generated always as identity, name text, statement text, action text, subject text, details jsonb);
insert into acts (name, statement, action, subject, details) values
  ('Ann', $$ select chat.set_member_role(tests.room('trip'), tests.id_of('Cat'), 'moderator') $$, 'role_changed', 'Cat', '{"from": "member", "to": "moderator"}'),
  ('Bob', $$ select chat.mute_member(tests.room('trip'), tests.id_of('Rea'), '2099-01-01') $$, 'member_muted', 'Rea', '{"until": 4070908800}'),
  ('Bob', $$ select chat.unmute_member(tests.room('trip'), tests.id_of('Rea')) $$, 'member_unmuted', 'Rea', '{}'),
  ('Bob', $$ select chat.remove_member(tests.room('trip'), tests.id_of('Rea'), 'rude') $$, 'member_removed', 'Rea', '{}'),
  ('Bob', $$ select chat.ban_member(tests.room('trip'), tests.id_of('Lea'), null, 'rude') $$, 'member_banned', 'Lea', '{"was_member": true}'),
  ('Bob', $$ select chat.unban_member(tests.room('trip'), tests.id_of('Lea')) $$, 'member_unbanned', 'Lea', '{}'),
  ('Bob', $$ select chat.delete_message(tests.room('plaza'), m.seq) from chat.messages as m where m.room_id = tests.room('plaza') and m.body = 'early' $$,
    'message_deleted', 'Ann', null),
  ('Ann', $$ select chat.update_room(tests.room('trip'), name => 'rude', retain_days => 30, slow_mode_seconds => 5) $$,
    'room_changed', null, '{"name": [], "retain_days": [null, 30], "slow_mode_seconds": [0, 5]}'),
  ('Ann', $$ select chat.archive_room(tests.room('trip')) $$, 'room_archived', null, '{}'),
  ('Ann', $$ select chat.unarchive_room(tests.room('trip')) $$, 'room_unarchived', null, '{}'),
  ('service', $$ select chat.add_tenant_member('00000000-0000-0000-0000-000000000001', tests.id_of('Tom')) $$, 'tenant_member_added', 'Tom', '{"role": "member"}'),
  ('service', $$ select chat.add_tenant_member('00000000-0000-0000-0000-000000000001', tests.id_of('Ann'), 'owner') $$,
    'tenant_role_changed', 'Ann', '{"from": "member", "to": "owner"}'),
  ('Ann', $$ select chat.set_tenant_member_role('00000000-0000-0000-0000-000000000001', tests.id_of('Abe'), 'admin') $$,
    'tenant_role_changed', 'Abe', '{"from": "member", "to": "admin"}'),
  ('Ann', $$ select chat.remove_tenant_member('00000000-0000-0000-0000-000000000001', tests.id_of('Tom')) $$, 'tenant_member_removed', 'Tom', '{"role": "member"}'),
  ('Ann', $$ select chat.ban_tenant_member('00000000-0000-0000-0000-000000000001', tests.id_of('Tom'), null, 'rude') $$,
    'tenant_member_banned', 'Tom', '{"was_member": false}'),
  ('Ann', $$ select chat.unban_tenant_member('00000000-0000-0000-0000-000000000001', tests.id_of('Tom')) $$, 'tenant_member_unbanned', 'Tom', '{}'),
  ('owner', $$ update chat_private.settings set fanout_limit = 17, content_check = 'app.rule' $$,
    'settings_changed', null, '{"fanout_limit": [16, 17], "content_check": []}'),
  ('owner', $$ update chat_private.settings set content_check = null $$, 'settings_changed', null, '{"content_check": []}'),
  ('owner', $$ update chat.tenants set retain_days = 90, name = 'rude' where name = 'default' $$, 'tenant_changed', null, '{"name": [], "retain_days": [null, 90]}'),
  ('owner', $$ select chat_private.purge_messages(tests.room('hall'), 2) $$, 'messages_purged', null, '{"from": 1, "to": 2}');
create function pg_temp.act(name text, statement text)
returns void
language plpgsql
volatile
as $$
begin
  perform case name when 'service' then tests.act_as_service() when 'owner' then tests.stop_acting() else tests.act_as(name) end;
  execute statement;
  perform tests.stop_acting();
end;
$$;
select pg_temp.act(name, statement) from acts order by place;
select results_eq(
  $$
    select n.action, n.actor_id, n.subject_id, case when n.action = 'message_deleted' then null else n.details end
    from newest as n where n.action <> 'tenant_member_removed' or n.subject_id = tests.id_of('Tom')
  $$,
  $$
    select a.action, case when a.name not in ('service', 'owner') then tests.id_of(a.name) end, tests.id_of(a.subject), a.details
    from acts as a order by a.place
  $$,
  'what others have to answer for is recorded, once each'
);
select is_empty($$ select from chat_private.audit_log as a where a.details::text like '%rude%' $$, 'the audit repeats no text that somebody typed');
select tests.act_as('Ann');
select chat.update_room(tests.room('trip'), retain_days => 30);
select chat.set_member_role(tests.room('plaza'), tests.id_of('Abe'), 'owner');
select chat.leave_room(tests.room('plaza'));
select tests.lets(
  'Cat',
  $$ select chat.delete_message(tests.room('trip'), (chat.send_message(tests.room('trip'), 'x', gen_random_uuid())).seq) $$,
  'people delete their own messages'
);
select tests.stop_acting();
select is(
  (select array_agg(action order by at) from chat_private.audit_log where at > (select max(at) from chat_private.audit_log where action = 'messages_purged')),
  '{role_changed}', 'what changes nothing, leaving, and deleting one''s own message is not recorded'
);
select throws_ok(
  $$ select chat_private.record_audit('two words', null, null, null) $$, '23514', null, 'an action is one word'
);

-- Sealing
select is(chat_private.seal_audit(3), 3, 'entries are sealed in portions');
select cmp_ok(chat_private.seal_audit(1000), '>', 10, 'the rest is sealed later');
select is(chat_private.seal_audit(1000), 0, 'nothing is sealed twice');
select is_empty(
  $$
    select from (select a.seq, row_number() over (order by a.seq) as place from chat_private.audit_log as a) as e
    where e.seq is distinct from e.place
  $$,
  'every entry has a place, without a gap'
);
select is(
  chat_private.audit_head(), (select a.seq || ':' || encode(a.hash, 'hex') from chat_private.audit_log as a order by a.seq desc limit 1),
  'the head is that of the newest sealed entry'
);
select is_empty(
  $$
    select from chat_private.audit_log as a
    left join chat_private.audit_log as b on b.seq = a.seq - 1
    where a.hash <> sha256(coalesce(b.hash, '') || convert_to(chat_private.sealed_text(a, a.seq), 'UTF8'))
  $$,
  'each hash covers the entry and the hash before it'
);
create temp table texts as select a.seq, chat_private.sealed_text(a, a.seq) as sealed from chat_private.audit_log as a;
set local time zone 'Asia/Tokyo';
set local datestyle = 'German';
set local extra_float_digits = 0;
select is_empty(
  $$ select from chat_private.audit_log as a join texts as t on t.seq = a.seq where t.sealed <> chat_private.sealed_text(a, a.seq) $$,
  'what a hash covers depends on no setting of the session'
);
set local time zone 'UTC';

-- Nobody changes it
select throws_ok(statement, '23514', null, title)
from (
  values
  ($$ update chat_private.audit_log set action = 'other' where seq = 1 $$, 'a sealed entry is not changed'),
  ($$ update chat_private.audit_log set seq = null, hash = null where seq = 1 $$, 'a sealed entry is not unsealed'),
  ('delete from chat_private.audit_log where seq = 1', 'an entry is not deleted'),
  ('truncate chat_private.audit_log', 'the audit is not emptied')
) as s (statement, title);
select pg_temp.record('tried_again');
select throws_ok(
  $$ update chat_private.audit_log set actor_id = gen_random_uuid() where seq is null $$, '23514', null, 'an entry is not changed before it is sealed'
);
select throws_ok('delete from chat_private.audit_log where seq is null', '23514', null, 'an entry is not deleted before it is sealed');

-- Old entries
alter table chat_private.audit_log disable trigger _100_check;
update chat_private.audit_log set at = at - interval '3 years' where seq <= 4;
alter table chat_private.audit_log enable trigger _100_check;
select is(chat_private.purge_audit(3), 3, 'old entries go in portions');
select is(chat_private.purge_audit(3), 1, 'entries that are not old stay');
select is(chat_private.purge_audit(3), 0, 'nothing is left to go');
select results_eq(
  $$ select (a.details ->> 'up_to')::integer from chat_private.audit_log as a where a.action = 'audit_purged' order by a.at $$,
  'values (3), (4)', 'what goes leaves a checkpoint'
);
select is((select min(seq) from chat_private.audit_log), 5::bigint, 'the audit begins behind the checkpoint');
select throws_ok('delete from chat_private.audit_log where seq = 5', '23514', null, 'what is behind the checkpoint is not deleted');

select * from finish();
rollback;
