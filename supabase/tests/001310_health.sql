-- health: what an operator has to know, in numbers.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

-- Nothing to tell
select chat_private.spread_pushes(1000000);
select is(
  chat_private.health() #- '{audit}' #- '{delivery}',
  '{
    "push": {"outbox_age": null, "waiting": 0, "oldest_age": null, "failing": 0, "can_reach_devices": false},
    "files": {"waiting": 0, "overdue_age": null, "failing": 0, "held": 0},
    "broadcasts": {"lost": 0, "last_error": null},
    "maintenance": {"age": null},
    "erasures": {"open": 0, "oldest_age": null},
    "reports": {"open": 0, "oldest_age": null}
  }'::jsonb,
  'where nothing waits, every age is null'
);

-- Something of everything
select tests.act_as('Cat');
select chat.register_device('phone', 'ios', 'expo', 'token');
create temp table said as select (chat.send_message(tests.room('pair'), 'hello', gen_random_uuid())).seq;
grant select on said to public;
select tests.act_as('Ann');
select chat.mark_delivered(jsonb_build_object(tests.room('pair'), seq)) from said;
select chat.report_user(tests.id_of('Cat'), 'spam');
select tests.stop_acting();
update chat.messages as m set created_at = m.created_at - interval '2 s' from said where m.room_id = tests.room('pair') and m.seq = said.seq;
update chat.reports set created_at = created_at - interval '1 hour';
update chat_private.push_outbox set created_at = created_at - interval '10 minutes';
insert into chat_private.push_deliveries (user_id, room_id, device_id, wanted_seq, wanted_at, due_at, tries)
values (tests.id_of('Cat'), tests.room('trip'), 'phone', 5, now() - interval '20 minutes', now(), 3);
insert into chat_private.file_queue (bucket_id, path, due_at, tries)
values ('chat-attachments', 'late', now() - interval '3 minutes', 3), ('chat-attachments', 'held', 'infinity', 0);
select chat_private.note_loss('no room on the disk');
select chat_private.record_audit('hold_set', null, null, null);
select chat_private.seal_audit(1000);
select chat_private.record_audit('hold_set', null, null, null);
select tests.act_as_service();
select chat.erase_user(tests.id_of('Rea'));
select tests.stop_acting();
create temp table health as select chat_private.health() as h;

select is((h #>> '{push,outbox_age}')::integer between 600 and 660, true, 'the oldest message that nobody claimed tells its age') from health;
select is(
  (h -> 'push') - '{outbox_age,oldest_age}'::text[], '{"waiting": 1, "failing": 1, "can_reach_devices": true}', 'pushes that failed three times are counted'
) from health;
select is((h #>> '{push,oldest_age}')::integer between 1200 and 1260, true, 'the oldest push that waits tells its age') from health;
select is((h -> 'files') - 'overdue_age', '{"waiting": 1, "failing": 1, "held": 1}', 'files that wait, fail or are held are counted') from health;
select is((h #>> '{files,overdue_age}')::integer between 180 and 240, true, 'the file that is overdue longest tells its age') from health;
select is(h -> 'broadcasts', '{"lost": 1, "last_error": "no room on the disk"}', 'lost broadcasts are counted') from health;
select is(h #>> '{erasures,open}', '1', 'erasures that are not finished are counted') from health;
select is(
  (h #>> '{audit,head}') ~ '^[0-9]+:[0-9a-f]{64}$' and (h #>> '{audit,unsealed}')::integer > 0,
  true, 'the head of the audit is told, and what is not sealed'
) from health;
select is((h #>> '{reports,oldest_age}')::integer between 3600 and 3660, true, 'the oldest open report tells its age') from health;
select is(
  (h #>> '{delivery,receipts}')::integer > 0 and (h #>> '{delivery,p99_ms}')::integer between 2000 and 60000
  and (h #>> '{delivery,p50_ms}')::integer <= (h #>> '{delivery,p99_ms}')::integer,
  true, 'how long messages took to devices is measured'
) from health;

-- A broadcast that cannot be made
create or replace function chat_private.room_rows(
  room_id uuid, above bigint, up_to bigint, visible_after bigint, touched text[]
)
returns jsonb language plpgsql stable set search_path = '' as $$
begin
  raise exception 'broken';
end;
$$;
select tests.lets(
  'Cat', $$ select chat.edit_message(tests.room('pair'), seq, 'into the dark') from said $$, 'I9: a broadcast that fails is no failure of its write'
);
select tests.stop_acting();
select is(chat_private.health() #>> '{broadcasts,lost}', '2', 'a broadcast that fails is noted');
update chat_private.lost_broadcasts set lost_at = lost_at - interval '8 days';

-- Maintenance
select is((chat_private.run_maintenance() ->> 'losses_forgotten')::integer, 2, 'maintenance forgets lost broadcasts after a week');
select is((chat_private.health() #>> '{maintenance,age}')::integer, 0, 'maintenance tells when it ran last');

select * from finish();
rollback;
