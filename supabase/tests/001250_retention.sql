-- Retention: what has had its time goes, in portions, and copies go on from where they are.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
create function pg_temp.say(room text, name text, words text, age interval)
returns bigint
language plpgsql
volatile
as $$
declare
  v_seq bigint;
begin
  perform tests.act_as(name);
  v_seq := (chat.send_message(tests.room(room), words, gen_random_uuid())).seq;
  perform tests.stop_acting();
  update chat.messages as m set created_at = now() - age where m.room_id = tests.room(room) and m.seq = v_seq;
  return v_seq;
end;
$$;
create function pg_temp.age(room text, age interval)
returns void
language sql
volatile
begin atomic
  update chat.messages as m set created_at = now() - age where m.room_id = tests.room(room);
end;
-- Maintenance until nothing is left, as it is meant to be called.
create function pg_temp.keep(most integer default 500)
returns jsonb
language plpgsql
volatile
as $$
declare
  v_done jsonb;
  v_sum jsonb := '{}';
begin
  for i in 1..20 loop
    v_done := chat_private.keep_retention(most);
    v_sum := (
      select jsonb_object_agg(d.key, d.value::integer + coalesce((v_sum ->> d.key)::integer, 0))
      from jsonb_each_text(v_done) as d
    );
  end loop;
  return v_sum;
end;
$$;

-- Nothing is asked for
select pg_temp.age('trip', '400 days');
select is(
  pg_temp.keep(),
  '{"messages_purged": 0, "removed_rows_dropped": 0, "edits_dropped": 0, "invites_dropped": 0, "traces_dropped": 0}',
  'everything is kept for good unless a room, a tenant or a setting says otherwise'
);

-- A room
select pg_temp.say('trip', 'Cat', 'n' || n, make_interval(days => 20 - n)) from generate_series(1, 19) as n;
select tests.act_as('Ann');
select chat.update_room(tests.room('trip'), retain_days => 10);
select tests.stop_acting();
create temp table copy as select r.rev, r.last_seq from chat.rooms as r where r.id = tests.room('trip');
grant select on copy to public;
select tests.watch('trip', 'hall', 'late', 'tower', 'plaza', 'pair', 'Cat');
select is(pg_temp.keep() -> 'messages_purged', to_jsonb((select last_seq - 10 from copy)), 'messages that have had their days go');
select tests.took_one_number('trip', 'a night''s purge takes one number');
select tests.moved('{"trip": 1}', 'rooms that keep everything are left alone');
select is(
  (select m.body from chat.messages as m join chat.rooms as r on r.id = m.room_id and m.seq = r.floor_seq + 1 where r.id = tests.room('trip')),
  'n10', 'a message goes in the night after its days are over'
);
select tests.act_as('Cat');
select is(
  (
    select p.answer #- '{rooms,0,rows,rooms}' -> 'rooms'
    from copy, chat.pull_changes(jsonb_build_object('rooms', jsonb_build_object(tests.room('trip'), rev))) as p (answer)
  ),
  (select jsonb_build_array(jsonb_build_object('room_id', tests.room('trip'), 'from', rev, 'to', rev + 1, 'reset', false, 'rows', '{}'::jsonb)) from copy),
  'I4: a copy from before the night gets the floor and nothing again'
);
select tests.stop_acting();
select is(pg_temp.keep() -> 'messages_purged', '0', 'what was purged once is done');

-- Portions
select pg_temp.say('pair', 'Ann', 'old', '30 days') from generate_series(1, 7);
update chat.tenants set retain_days = 15 where name = 'default';
update chat.rooms set retain_days = 100 where id = tests.room('hall');
select pg_temp.age('hall', '20 days');
select chat_private.walk_on('rooms', '{}');
select is(chat_private.keep_retention(3) -> 'messages_purged', '3', 'a portion purges no more than it was told');
select is((select w.at from chat_private.walks as w where w.name = 'rooms'), '00000000-0000-0000-0000-000000000000', 'maintenance goes on where it has not finished');
select cmp_ok((pg_temp.keep(3) ->> 'messages_purged')::integer, '>', 7, 'portions come to an end');
select is((select count(*) from chat.messages where room_id = tests.room('pair') and body = 'old'), 0::bigint, 'a tenant''s days count in direct rooms');
select is((select floor_seq = last_seq from chat.rooms where id = tests.room('hall')), true, 'a tenant''s days count in a room that would keep messages for longer');
select is((select count(*) from chat.messages where room_id = tests.room('trip')), 10::bigint, 'a room''s days count where they are fewer');
select is((select count(*) from chat.messages where room_id = tests.room('plaza') and body = 'early'), 1::bigint, 'messages that have not had their days stay');

-- Messages that were imported out of order in time wait for each other
select chat_private.find_purgeable(tests.room('plaza'), 0, 1, 500) is null;
update chat.messages set created_at = now() - interval '9 days' where room_id = tests.room('plaza') and seq = 3;
select is(chat_private.find_purgeable(tests.room('plaza'), 0, 1, 500), null, 'no message goes before the ones below it');
update chat.messages set created_at = now() - interval '9 days' where room_id = tests.room('plaza') and seq < 3;
select is(chat_private.find_purgeable(tests.room('plaza'), 0, 1, 500), 3::bigint, 'the oldest messages go together');

-- Holds
select tests.as_owner(format($$ select chat_private.set_hold('room', %L, 'case') $$, tests.room('plaza')));
update chat.tenants set retain_days = 1 where name = 'default';
select cmp_ok((pg_temp.keep() ->> 'messages_purged')::integer, '>=', 3, 'I11: retention goes past held messages');
select is(
  (select count(*) from chat_private.held_bodies where room_id = tests.room('plaza') and seq <= 3),
  3::bigint, 'I11: what retention took of held messages is kept'
);
update chat.tenants set retain_days = null where name = 'default';

-- Reactions and pins that were taken back
create temp table at as select pg_temp.say('late', 'Ann', 'x', '0') as seq;
grant select on at to public;
select tests.act_as('Ann');
select chat.pin_message(tests.room('late'), seq), chat.unpin_message(tests.room('late'), seq) from at;
select chat.add_reaction(tests.room('late'), seq, e), chat.remove_reaction(tests.room('late'), seq, e)
from at, unnest('{👍,👎}'::text[]) as e;
select chat.add_reaction(tests.room('late'), seq, '🎉') from at;
select tests.stop_acting();
select is(pg_temp.keep() -> 'removed_rows_dropped', '0', 'what was just taken back stays for copies to hear of it');
update chat.reactions set removed_at = removed_at - interval '98 days' where removed_at is not null and emoji = '👍';
update chat.pins set removed_at = removed_at - interval '98 days';
create temp table last_removed as
select greatest((select max(rev) from chat.reactions where emoji = '👍'), (select max(rev) from chat.pins)) as rev;
grant select on last_removed to public;
select tests.watch('trip', 'late', 'Ann');
select is(pg_temp.keep() -> 'removed_rows_dropped', '2', 'what was taken back 90 days ago goes');
select tests.took_one_number('late', 'deleting what was taken back takes one number');
select set_eq(
  $$ select e.emoji, e.removed_at is null from chat.reactions as e where e.room_id = tests.room('late') $$,
  $$ values ('👎', false), ('🎉', true) $$, 'reactions that stand, or were taken back lately, stay'
);
select is((select floor_rev from chat.rooms where id = tests.room('late')), (select rev from last_removed), 'the floor for copies rises to what went, and no further');
select tests.act_as('Ann');
select is(
  (select chat.pull_changes(jsonb_build_object('rooms', jsonb_build_object(tests.room('late'), rev - 1))) #> '{rooms,0,reset}' from last_removed),
  'true', 'a copy that has not heard of a removal whose row is gone starts the room over'
);
select is(
  (select chat.pull_changes(jsonb_build_object('rooms', jsonb_build_object(tests.room('late'), rev))) #> '{rooms,0,reset}' from last_removed),
  'false', 'a copy that has heard of it goes on'
);
select tests.stop_acting();

-- Earlier texts
select tests.act_as('Ann');
select chat.edit_message(tests.room('late'), seq, 'y') from at;
select tests.stop_acting();
update chat.message_edits set edited_at = edited_at - interval '10 days';
update chat_private.settings set keep_edits = '20 days';
select is(pg_temp.keep() -> 'edits_dropped', '0', 'earlier texts stay as long as the setting says');
update chat_private.settings set keep_edits = '5 days';
select is(pg_temp.keep() -> 'edits_dropped', '1', 'earlier texts go when their time is over');

-- Invites
select tests.act_as('Ann');
create temp table invites as select (chat.create_invite(tests.room('late'))).invite_id as id, n from generate_series(1, 3) as n;
select chat.create_tenant('Firm');
select chat.create_tenant_invite(t.tenant_id) from chat.tenants as t where t.name = 'Firm';
select tests.stop_acting();
select is(pg_temp.keep() -> 'invites_dropped', '0', 'open invites stay');
update chat.invites as i set expires_at = expires_at - interval '98 days' from invites as o where o.id = i.id and o.n = 1;
update chat.invites as i set removed_at = now() - interval '91 days' from invites as o where o.id = i.id and o.n = 2;
update chat.tenant_invites set expires_at = expires_at - interval '98 days';
select is(pg_temp.keep() -> 'invites_dropped', '3', 'invites that ended 90 days ago go, with their tokens');
select set_eq('select i.id from chat.invites as i', 'select o.id from invites as o where o.n = 3', 'invites that have not ended stay');

-- Leases and buckets
select tests.act_as('Cat');
select chat.heartbeat('phone'), chat.heartbeat('desk');
select tests.stop_acting();
update chat_private.rate_buckets set full_at = now() + interval '1 h';
update chat.presence set last_seen_at = now() - interval '91 days' where device_id = 'desk';
select is(pg_temp.keep() -> 'traces_dropped', '1', 'leases of 90 days ago go');
select is((select array_agg(device_id) from chat.presence), '{phone}', 'leases that are newer stay');
update chat_private.rate_buckets set full_at = now() - interval '2 days' where user_id = tests.id_of('Cat');
select cmp_ok((pg_temp.keep() ->> 'traces_dropped')::integer, '>=', 1, 'full buckets go');
select tests.lets('Cat', $$ select chat.send_message(tests.room('late'), 'x', gen_random_uuid()) $$, 'a bucket that went is full');

-- The walk
select tests.stop_acting();
select chat_private.walk_on('people', '{}');
select is(
  (select array_agg(id order by place) from (select chat_private.next_portion('people', 1000)) as p (ids), unnest(p.ids) with ordinality as u (id, place)),
  (select array_agg(p.user_id order by p.user_id) from chat.profiles as p), 'a walk goes through everybody'
);
select chat_private.walk_on('people', chat_private.next_portion('people', 1000));
select is(chat_private.next_portion('people', 1000), '{}', 'a round has an end');
select chat_private.walk_on('people', null);
select is(chat_private.next_portion('people', 1000), '{}', 'whoever did not walk does not move the walk');
select throws_ok(
  $$ select chat.run_maintenance() $$, '42501', null, 'members keep no retention'
)
from (select tests.act_as('Ann')) as a;

select * from finish();
rollback;
