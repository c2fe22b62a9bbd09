-- run_maintenance: what has to happen by itself.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
select tests.act_as('Cat');
select tests.remember('with_bob', (chat.open_direct(tests.id_of('Bob'))).id);
select tests.stop_acting();

-- The service
set local role service_role;
select is(
  (chat.run_maintenance() ->> 'memberships_ended')::integer, 0, 'nothing is due while all accounts are open'
);
reset role;
delete from auth.users where id = tests.id_of('Cat');
select tests.watch('trip', 'hall', 'late', 'tower', 'plaza', 'pair', 'with_bob', 'Cat', 'Ann', 'Bob');
set local role service_role;
select is(
  (chat.run_maintenance() ->> 'memberships_ended')::integer, 7, 'a closed account is taken out of its rooms'
);
reset role;
select tests.moved(
  '{"trip": 1, "hall": 1, "late": 1, "tower": 1, "plaza": 1, "pair": 1, "with_bob": 1, "Cat": 1}',
  'each room of a closed account takes one number'
);
select tests.took_one_number(name, format('the end of a closed account''s membership is announced in %s', name))
from unnest(array['trip', 'hall', 'late', 'tower', 'plaza', 'pair']) as n (name);
select is(
  (tests.head_of(h.stream)).epoch, h.epoch + 1, format('I5: %s moves to another topic, whoever may join it', h.stream)
)
from tests.heads as h
where h.stream in ('trip', 'tower', 'plaza');
set local role service_role;
select is((chat.run_maintenance() ->> 'places_ended')::integer, 1, 'a closed account is taken out of its tenant after its rooms');
select is_empty(
  $$ select from jsonb_each_text(chat.run_maintenance()) as r where r.value <> '0' $$,
  'maintenance has nothing left to do after a closed account is out'
);
reset role;
select isnt(
  (select removed_at from chat.tenant_members where user_id = tests.id_of('Cat')), null,
  'a closed account is in no tenant any more'
);
select tests.act_as('Ann');
select is_empty(
  $$ select from chat.profiles where user_id = tests.id_of('Cat') $$,
  'the profile of a closed account is nobody''s to read'
);
select is(
  (select display_name from chat.list_profiles(array[tests.id_of('Cat')], tests.room('trip'))), 'Cat',
  'the name of a closed account stays readable in rooms where it was'
);
select isnt_empty(
  $$ select from chat.rooms where id = tests.room('pair') $$, 'the direct room with a closed account stays readable to the other person'
);

-- A tenant whose owner is gone
select tests.stop_acting();
select tests.make_people('Eve', 'Fay', 'Gus', 'Hal', 'Ida');
create function pg_temp.tenant_of(owner_name text, others jsonb)
returns uuid
language plpgsql
as $$
declare
  v_tenant uuid;
  v_place record;
begin
  perform tests.act_as(tenant_of.owner_name);
  v_tenant := (chat.create_tenant('Team')).tenant_id;
  perform tests.stop_acting();
  for v_place in
    select o.value ->> 'name' as name, o.value ->> 'role' as role, o.number
    from jsonb_array_elements(tenant_of.others) with ordinality as o (value, number)
  loop
    insert into chat.tenant_members (tenant_id, user_id, role, joined_at)
    values (v_tenant, tests.id_of(v_place.name), v_place.role, now() + v_place.number * interval '1 s');
  end loop;
  return v_tenant;
end;
$$;
create temp table team as
select kind, pg_temp.tenant_of('Eve', others) as tenant_id
from (
  values
  ('admins', '[{"name": "Fay", "role": "member"}, {"name": "Gus", "role": "admin"}, {"name": "Hal", "role": "admin"}]'::jsonb),
  ('members', '[{"name": "Hal", "role": "member"}, {"name": "Fay", "role": "member"}]'),
  ('owners', '[{"name": "Fay", "role": "admin"}, {"name": "Ida", "role": "owner"}]'),
  ('alone', '[]'),
  ('bots', '[{"name": "Gus", "role": "member"}, {"name": "Ida", "role": "member"}]')
) as t (kind, others);
update chat.profiles set is_bot = true where user_id = tests.id_of('Gus');
update chat.tenant_members set role = 'member'
where tenant_id = (select tenant_id from team where kind = 'admins') and user_id = tests.id_of('Gus');
delete from auth.users where id = tests.id_of('Eve');
-- A member of the default tenant, which has no owner and needs none.
delete from auth.users where id = tests.id_of('Lea');
create function pg_temp.maintain()
returns void
language plpgsql
as $$
begin
  perform set_config('role', 'service_role', true);
  while exists (select from jsonb_each_text(chat.run_maintenance()) as r where r.value <> '0') loop
  end loop;
  perform set_config('role', 'none', true);
end;
$$;
select pg_temp.maintain();
select is(
  (
    select jsonb_object_agg(p.display_name, m.role)
    from chat.tenant_members as m
    join chat.profiles as p on p.user_id = m.user_id
    where m.tenant_id = t.tenant_id and m.removed_at is null
  ),
  c.expected, c.title
)
from team as t
join (
  values
  ('admins', '{"Fay": "member", "Gus": "member", "Hal": "owner"}'::jsonb, 'an admin inherits a tenant first'),
  ('members', '{"Hal": "owner", "Fay": "member"}', 'the longest-standing member inherits a tenant without admins'),
  ('owners', '{"Fay": "admin", "Ida": "owner"}', 'nobody inherits a tenant that somebody owns'),
  ('alone', null, 'a tenant in which nobody is left has no heir'),
  ('bots', '{"Gus": "member", "Ida": "owner"}', 'a bot is no heir')
) as c (kind, expected, title) on c.kind = t.kind;
select is_empty(
  $$ select from chat.tenant_members
     where tenant_id = '00000000-0000-0000-0000-000000000001' and role <> 'member' $$,
  'where nobody owned a tenant nobody inherits it'
);

-- What is remembered of purged messages; Zoe, as after an import, was never in the room
select tests.act_as('Bob');
select chat.send_message(tests.room('trip'), 'b' || n, md5('b' || n)::uuid) from generate_series(1, 3) as n;
select chat.edit_message(tests.room('trip'), m.seq, 'x')
from chat.messages as m where m.client_id in (md5('b1')::uuid, md5('b3')::uuid);
select tests.stop_acting();
select tests.make_people('Zoe');
update chat.messages set sender_id = tests.id_of('Zoe')
where room_id = tests.room('trip') and client_id is null;
update chat.messages set client_id = gen_random_uuid()
where room_id = tests.room('trip') and sender_id = tests.id_of('Zoe');
select tests.move_to_another_tenant('Zoe');
select chat_private.purge_messages(tests.room('trip'), m.seq)
from chat.messages as m where m.room_id = tests.room('trip') and m.client_id = md5('b2')::uuid;
create temp table purged as
select count(*) as sends, count(*) filter (where sender_id = tests.id_of('Zoe')) as of_zoe
from chat_private.sends where room_id = tests.room('trip') and purged_at is not null;
grant select on purged to public;
select ok(sends - of_zoe >= 2 and of_zoe >= 2, 'a purge remembers what members and others sent') from purged;
update chat_private.sends set purged_at = now() - interval '89 days' where purged_at is not null;
set local role service_role;
select is((chat.run_maintenance() ->> 'sends_forgotten')::integer, 0, 'what was purged 89 days ago is remembered');
reset role;
select tests.refuses(
  'Bob', 'message_deleted', $$ select chat.send_message(tests.room('trip'), 'b1', md5('b1')::uuid) $$,
  'I2: what was purged 89 days ago is not sent again'
);
select tests.stop_acting();
update chat_private.sends set purged_at = now() - interval '91 days' where purged_at is not null;
set local role service_role;
select is(
  (chat.run_maintenance() ->> 'sends_forgotten')::bigint, sends, 'what was purged 91 days ago is gone through'
)
from purged;
select is(
  (chat.run_maintenance() ->> 'sends_forgotten')::integer, 0, 'nothing is left to forget after that'
);
reset role;
select results_eq(
  $$ select client_id = md5('b3')::uuid, sender_id = tests.id_of('Zoe'), purged_at
     from chat_private.sends where room_id = tests.room('trip') order by 1 $$,
  $$ values (false, true, 'infinity'::timestamptz), (true, false, null) $$,
  'what stays is what was not purged, and the last that is known of somebody who never was in the room'
);
select tests.act_as('Ann');
select is(
  (select p.display_name from chat.list_profiles(array[tests.id_of('Zoe')], tests.room('trip')) as p), 'Zoe',
  'the name of somebody who wrote in a room stays readable there, whatever was purged and forgotten'
);
select tests.lets(
  'Bob', $$ select chat.send_message(tests.room('trip'), 'b1', md5('b1')::uuid) $$,
  'what was purged 91 days ago may be sent anew'
);

-- Everybody else
select tests.act_as('Ann');
select throws_ok(
  'select chat.run_maintenance()', '42501', 'permission denied for function run_maintenance',
  'signed-in people maintain nothing'
);
select tests.act_as_nobody();
select throws_ok(
  'select chat.run_maintenance()', '42501', 'permission denied for function run_maintenance',
  'signed-out people maintain nothing'
);

select * from finish();
rollback;
