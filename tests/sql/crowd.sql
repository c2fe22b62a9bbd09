-- Ann in 1,000 rooms, 5,000 people in the largest of them, and enough of everything else that a
-- plan which reads a table whole would be the wrong one. Placed past all functions, for speed.
insert into chat.profiles (user_id, display_name)
select tests.id_of('P' || n), 'P' || n from generate_series(1, 5000) as n;

insert into chat_private.user_streams (user_id, rev, notification_seq)
select p.user_id, 1000, 1000 from chat.profiles as p on conflict do nothing;

insert into chat.tenant_members (tenant_id, user_id)
select '00000000-0000-0000-0000-000000000001', p.user_id from chat.profiles as p
on conflict do nothing;

-- As many people of the same names in another tenant, whom nobody here finds.
insert into chat.tenants (tenant_id, name) values (md5('elsewhere')::uuid, 'Elsewhere');

insert into chat.profiles (user_id, display_name)
select tests.id_of('Q' || n), 'P' || n from generate_series(1, 5000) as n;

insert into chat.tenant_members (tenant_id, user_id)
select md5('elsewhere')::uuid, tests.id_of('Q' || n) from generate_series(1, 5000) as n;

update chat_private.settings set people_are_findable = true;

insert into chat.rooms (
  id, tenant_id, kind, name, is_public, member_count, is_large, rev, last_seq
)
select
  md5('room ' || n)::uuid, '00000000-0000-0000-0000-000000000001', 'group', 'Room ' || n, false,
  case n when 1 then 5001 else 4 end, n = 1, case n when 1 then 10000 else 20 end,
  case n when 1 then 10000 else 10 end
from generate_series(1, 30000) as n;

-- Room 1 holds everybody; Ann is in rooms 1 to 1,000, and each room holds four more.
insert into chat.room_members (room_id, user_id, role, joined_rev, rev, user_rev, joined_seq)
select
  m.room_id, m.user_id, case when m.user_id = tests.id_of('Ann') then 'owner' else 'member' end, 1,
  row_number() over (partition by m.room_id), row_number() over (partition by m.user_id), 0
from (
  select md5('room 1')::uuid, t.user_id
  from chat.tenant_members as t
  where t.tenant_id = '00000000-0000-0000-0000-000000000001' and t.user_id <> tests.id_of('New')
  union
  select md5('room ' || n)::uuid, tests.id_of('Ann')
  from generate_series(2, 1000) as n
  union
  select md5('room ' || n)::uuid, tests.id_of('P' || 1 + (n * 7 + m * 1201) % 5000)
  from generate_series(2, 5000) as n, generate_series(1, 4) as m
) as m (room_id, user_id);

insert into chat.messages (room_id, seq, rev, sender_id, client_id, body, mentions, reply_to, thread_root)
select
  md5('room ' || r)::uuid, s, s, tests.id_of('P' || 1 + s % 5000), gen_random_uuid(),
  'message ' || s, case when s % 10 = 0 then array[tests.id_of('Ann')] else '{}' end,
  case when s % 5 = 0 then s - 1 end, case when s % 5 = 0 then s - 1 end
from generate_series(1, 5000) as r, generate_series(1, case r when 1 then 10000 else 10 end) as s;

select count(chat_private.grow_search(r.id, r.last_seq)) from chat.rooms as r where r.last_seq > 10;

insert into chat.marks (user_id, room_id, delivered_seq, read_seq, rev)
select m.user_id, m.room_id, 5, 5, m.user_rev from chat.room_members as m;

insert into chat.room_preferences (user_id, room_id, rev)
select m.user_id, m.room_id, m.user_rev from chat.room_members as m;

insert into chat.receipts (room_id, user_id, kind, up_to_seq, rev, joined_seq)
select m.room_id, m.user_id, 'read', 5, m.rev, 0 from chat.room_members as m;

insert into chat.reactions (room_id, seq, user_id, emoji, rev)
select m.room_id, m.seq, m.sender_id, '👍', m.rev from chat.messages as m;

insert into chat.pins (room_id, seq, pinned_by, rev)
select m.room_id, m.seq, m.sender_id, m.rev from chat.messages as m where m.seq % 5 = 0;

insert into chat.message_edits (room_id, seq, rev, sender_id, body)
select m.room_id, m.seq, m.rev, m.sender_id, 'before' from chat.messages as m where m.seq % 5 = 0;

insert into chat.notifications (user_id, seq, kind, room_id, message_seq, rev)
select tests.id_of('P' || 1 + n % 5000), n / 5000, 'mention', md5('room 1')::uuid, 1, 1
from generate_series(1, 50000) as n;

insert into chat.notifications (user_id, seq, kind, room_id, message_seq, rev)
select tests.id_of('Ann'), n, 'reply', md5('room 1')::uuid, n, 1000
from generate_series(1, 2000) as n;

insert into chat.devices (user_id, device_id, platform, push_provider, is_active, last_seen_at)
select tests.id_of('P' || n), 'phone', 'ios', 'expo', true, now() from generate_series(1, 5000) as n;

insert into chat_private.push_deliveries (user_id, room_id, device_id, wanted_seq, sent_seq, due_at)
select tests.id_of('P' || n), md5('room 1')::uuid, 'phone', 5, 5, now()
from generate_series(1, 5000) as n;

insert into chat.attachments (room_id, seq, path)
select md5('room 1')::uuid, n, md5('room 1')::uuid || '/' || gen_random_uuid() || '/a.jpg'
from generate_series(1, 5000) as n;

insert into chat.blocks (user_id, blocked_id, rev)
select tests.id_of('P' || n), tests.id_of('P' || 1 + n % 5000), 1 from generate_series(1, 5000) as n;

insert into chat.bans (room_id, user_id, banned_by, rev)
select md5('room ' || n)::uuid, tests.id_of('P' || n), tests.id_of('Ann'), 1
from generate_series(1, 5000) as n;

insert into chat.invites (room_id, max_uses, expires_at, created_by, rev)
select md5('room ' || n)::uuid, 1, now() + interval '1 day', tests.id_of('Ann'), 1
from generate_series(1, 5000) as n;

insert into chat_private.invite_tokens (token_hash, room_id, invite_id)
select sha256(i.id::text::bytea), i.room_id, i.id from chat.invites as i;

update chat.tenant_members set role = 'owner' where user_id = tests.id_of('Ann');

insert into chat.tenant_invites (tenant_id, role, max_uses, expires_at, created_by)
select
  '00000000-0000-0000-0000-000000000001', 'member', 1, now() + (n - 4990) * interval '1 minute',
  tests.id_of('Ann')
from generate_series(1, 5000) as n;

insert into chat_private.tenant_invite_tokens (token_hash, tenant_id, invite_id)
select sha256(i.id::text::bytea), i.tenant_id, i.id from chat.tenant_invites as i;

insert into chat.tenant_bans (tenant_id, user_id, banned_by)
select '00000000-0000-0000-0000-000000000001', gen_random_uuid(), tests.id_of('Ann')
from generate_series(1, 5000) as n;

insert into chat_private.rate_buckets (user_id, bucket, full_at)
select p.user_id, 'send', now() from chat.profiles as p on conflict do nothing;

insert into realtime.messages (topic, extension)
values
('room:' || md5('room 1')::uuid || ':1', 'broadcast'),
('user:' || tests.id_of('Ann') || ':1', 'broadcast');

analyze;
