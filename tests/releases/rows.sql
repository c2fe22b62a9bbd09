-- At least one row in every table, after tests.make_company(). Run it in one transaction, as postgres.
create temp table said on commit drop as
select m.room_id, m.seq from chat.messages as m
where m.room_id = tests.room('trip') and m.body = 'early';
grant select on said to authenticated, service_role;

select tests.act_as('Ann');
select
  chat.create_tenant('other'),
  chat.pin_message(s.room_id, s.seq),
  chat.add_reaction(s.room_id, s.seq, '👍'),
  chat.edit_message(s.room_id, s.seq, 'edited'),
  chat.create_invite(s.room_id),
  chat.ban_member(tests.room('hall'), tests.id_of('Rea'), null, 'rude'),
  chat.remove_member(tests.room('plaza'), tests.id_of('Rea'), 'rude'),
  chat.set_room_preferences(s.room_id, pinned => true),
  chat.archive_room(tests.room('late'))
from said as s;
select
  chat.create_tenant_invite(t.tenant_id), chat.ban_tenant_member(t.tenant_id, tests.id_of('Dan'))
from chat.tenants as t
where t.name = 'other';
select tests.act_as('Cat');
select
  chat.block_user(tests.id_of('Bob')),
  chat.register_device('phone', 'web', 'fcm', 'token'),
  chat.heartbeat('phone', s.room_id),
  chat.mark_read(s.room_id, s.seq),
  chat.report_message(s.room_id, s.seq, 'spam')
from said as s;
select tests.stop_acting();

-- What takes time, a fault or a file to come about.
insert into chat.attachments (room_id, seq, path)
select s.room_id, s.seq, s.room_id || '/x/y.png' from said as s;
insert into chat_private.file_queue (bucket_id, path) values ('chat-avatars', 'x');
insert into chat_private.erasures (user_id) values (tests.id_of('Xen'));
insert into chat_private.failed_checks (room_id, error) select s.room_id, 'no' from said as s;
insert into chat_private.slow_checks (room_id, milliseconds) select s.room_id, 21 from said as s;
insert into chat_private.lost_broadcasts (error) values ('no');
insert into chat_private.push_deliveries (user_id, room_id, device_id, wanted_seq, due_at)
select tests.id_of('Cat'), s.room_id, 'phone', s.seq, now() from said as s;
insert into chat_private.search_blocks (room_id, block, upto, first_seq, vector)
select s.room_id, 0, 31, 1, '' from said as s;
insert into chat_private.sends (room_id, sender_id, client_id, seq, sent_hash)
select s.room_id, tests.id_of('Ann'), gen_random_uuid(), s.seq, '\x00' from said as s;
insert into chat_private.stats_touched (tables) values ('{messages}');
insert into chat_private.watched_tables (relation, tenant_column)
values ('chat.tenants', 'tenant_id');
insert into chat_private.account_opening default values on conflict do nothing;
insert into chat_private.holds (kind, target_id, reason)
select 'room', s.room_id, 'a case' from said as s;
insert into chat_private.held_bodies (room_id, seq, rev, tenant_id, sender_id, kind, body)
select s.room_id, s.seq, 1, r.tenant_id, tests.id_of('Ann'), 'text', 'before'
from said as s
join chat.rooms as r on r.id = s.room_id;
