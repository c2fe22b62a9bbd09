-- The push outbox: what a send leaves behind, and to which devices it is spread.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

create function tests.outbox()
returns bigint
language sql
security definer
return (select count(*) from chat_private.push_outbox);

create function tests.deliveries()
returns table (name text, device_id text, wanted bigint)
language sql
security definer
begin atomic
  select p.display_name, d.device_id, d.wanted_seq
  from chat_private.push_deliveries as d join chat.profiles as p on p.user_id = d.user_id
  where d.wanted_seq > d.sent_seq;
end;

create function tests.spread(most integer default 1000)
returns integer
language sql
security definer
return chat_private.spread_pushes(spread.most);

create function tests.members(room text)
returns integer
language sql
security definer
return (select r.member_count from chat.rooms as r where r.id = tests.room(members.room));

select chat_private.spread_pushes(1000000);
select is(tests.outbox(), 0::bigint, 'the outbox empties');
select tests.act_as('Ann');
select chat.register_device('phone of Ann', 'ios', 'expo', 'ExponentPushToken[Ann]');
select tests.act_as('Bob');
select chat.register_device('phone of Bob', 'ios', 'expo', 'ExponentPushToken[Bob]');
select chat.register_device('tab of Bob', 'android', 'fcm', 'bob-fcm');
select chat.register_device('mute tab of Bob', 'web');
select tests.act_as('Cat');
select chat.register_device('phone of Cat', 'ios', 'expo', 'ExponentPushToken[Cat]');
select tests.act_as('Dan');
select chat.register_device('phone of Dan', 'ios', 'expo', 'ExponentPushToken[Dan]');
select tests.act_as('Xen');
select chat.register_device('phone of Xen', 'ios', 'expo', 'ExponentPushToken[Xen]');

-- A send
select tests.act_as('Ann');
select chat.send_message(tests.room('trip'), 'one', '00000000-0000-4000-8000-000000000001');
select is(tests.outbox(), 1::bigint, 'a send leaves one row, whatever the size of its room');
select chat.send_message(tests.room('trip'), 'one', '00000000-0000-4000-8000-000000000001');
select is(tests.outbox(), 1::bigint, 'a send that is repeated leaves no second row');
select chat.send_messages(jsonb_build_array(
  jsonb_build_object('room_id', tests.room('trip'), 'client_id', gen_random_uuid(), 'body', 'two'),
  jsonb_build_object('room_id', tests.room('trip'), 'client_id', gen_random_uuid(), 'body', 'three')
));
select is(tests.outbox(), 3::bigint, 'a batch leaves a row per message');
savepoint undone; -- noqa: PRS
select chat.send_message(tests.room('trip'), 'x', gen_random_uuid());
rollback to undone;
select is(tests.outbox(), 3::bigint, 'a send that is rolled back leaves nothing');
select cmp_ok(tests.spread(), '>', 0, 'the outbox is spread');
select is(tests.outbox(), 0::bigint, 'what was spread is taken out of the outbox');
select set_eq(
  'select name, device_id, wanted from tests.deliveries()',
  $$
    select v.name, v.device_id, r.last_seq
    from chat.rooms as r,
      (values ('Bob', 'phone of Bob'), ('Bob', 'tab of Bob'), ('Cat', 'phone of Cat')) as v (name, device_id)
    where r.id = tests.room('trip')
  $$,
  'each device with a token of each other member has one delivery, for the newest message'
);

-- Who gets none
select tests.stop_acting();
create function tests.wanted_by(setup text, send text)
returns text[]
language plpgsql
as $$
declare
  v_names text[];
begin
  begin
    perform tests.change_as_owner('update chat_private.push_deliveries set sent_seq = wanted_seq');
    perform tests.act_as('Cat');
    execute setup;
    perform tests.act_as('Ann');
    execute send;
    perform tests.spread();
    v_names := array(select distinct d.name from tests.deliveries() as d order by d.name);
    raise exception using errcode = 'XX999';
  exception
    when sqlstate 'XX999' then
      return v_names;
  end;
end;
$$;
select is(
  tests.wanted_by(setup, format('select chat.send_message(tests.room(''trip''), ''x'', gen_random_uuid()%s)', more)),
  names::text[], title
)
from (
  values
  ('select', '', '{Bob,Cat}', 'members get pushes'),
  ('select chat.set_room_preferences(tests.room(''trip''), ''none'')', '', '{Bob}', 'somebody who wants none gets no push'),
  ('select chat.set_room_preferences(tests.room(''trip''), ''mentions'')', '', '{Bob}', 'somebody who wants mentions gets no push for another message'),
  ('select chat.set_room_preferences(tests.room(''trip''), ''mentions'')', ', mentions => array[tests.id_of(''Cat'')]', '{Bob,Cat}', 'somebody who wants mentions gets a push for one'),
  ('select chat.set_room_preferences(tests.room(''trip''), ''mentions'')', ', mention_all => true', '{Bob,Cat}', 'somebody who wants mentions gets a push when everybody is called'),
  ('select chat.set_room_preferences(tests.room(''trip''), ''none'')', ', mentions => array[tests.id_of(''Cat'')]', '{Bob}', 'somebody who wants none gets no push for a mention'),
  ('select chat.heartbeat(''laptop'', tests.room(''trip''))', '', '{Bob}', 'somebody who looks at the room gets no push on any device'),
  ('select chat.heartbeat(''laptop'', tests.room(''hall''))', '', '{Bob,Cat}', 'somebody who looks at another room gets a push'),
  ('select chat.heartbeat(''laptop'')', '', '{Bob,Cat}', 'somebody who looks at no room gets a push'),
  ('select chat.leave_room(tests.room(''trip''))', '', '{Bob}', 'an ex-member gets no push'),
  ('select chat.unregister_device(''phone of Cat'')', '', '{Bob}', 'a device that was unregistered gets no push'),
  ('select chat.register_device(''phone of Cat'', ''ios'', push_token => '''')', '', '{Bob}', 'a device without a token gets no push')
) as v (setup, more, names, title);
select is(
  tests.wanted_by(
    'select tests.act_as(''Ann''); select chat.mute_member(tests.room(''trip''), tests.id_of(''Cat''))',
    'select chat.send_message(tests.room(''trip''), ''x'', gen_random_uuid())'
  ), '{Bob}', 'somebody who is muted gets no push'
);
select is(
  tests.wanted_by(
    $$ select chat.set_room_preferences(tests.room('trip'), 'mentions'); select chat.send_message(tests.room('trip'), 'mine', '00000000-0000-4000-8000-00000000000a') $$,
    $$ select chat.send_message(tests.room('trip'), 'x', gen_random_uuid(), reply_to => (select last_seq from chat.rooms where id = tests.room('trip'))) $$
  ), '{Ann,Bob,Cat}', 'somebody who wants mentions gets a push for an answer'
);
select is(
  tests.wanted_by(
    'select', $$ select chat.send_message(tests.room('trip'), 'x', gen_random_uuid()); select chat.delete_message(tests.room('trip'), (select last_seq from chat.rooms where id = tests.room('trip'))) $$
  ), '{}', 'a message that was deleted meanwhile makes no push'
);

-- In portions
select tests.stop_acting();
update chat_private.push_deliveries set sent_seq = wanted_seq;
select tests.act_as('Ann');
select chat.send_message(tests.room('trip'), 'many', gen_random_uuid());
select cmp_ok(tests.spread(1), '<', tests.members('trip'), 'members are considered in portions, until one of them is to be told');
select is((select count(*) from tests.deliveries()), 1::bigint, 'a portion ends with whom it found');
select is(tests.outbox(), 1::bigint, 'a row of the outbox stays until all members were considered');
select is(tests.spread(1), 1, 'a portion goes on where the one before ended');
select tests.spread(1) from generate_series(1, 5);
select is(tests.outbox(), 0::bigint, 'after the last portion the row is taken out');
select is((select count(*) from tests.deliveries()), 3::bigint, 'portions reach every device once');

-- Snoozing
select is(
  tests.wanted_by(
    'select chat.set_room_preferences(tests.room(''trip''), snoozed_until => now() + interval ''1 hour'')',
    'select chat.send_message(tests.room(''trip''), ''x'', gen_random_uuid())'
  ), '{Bob,Cat}', 'snoozing takes no push away'
);

-- What nobody claims
select tests.stop_acting();
select tests.act_as('Ann');
select chat.send_message(tests.room('trip'), 'old', gen_random_uuid());
select chat.send_message(tests.room('trip'), 'new', gen_random_uuid());
select tests.stop_acting();
update chat_private.push_outbox set created_at = created_at - interval '25 hours' where seq = (select min(seq) from chat_private.push_outbox);
select tests.act_as_service();
select is((chat.run_maintenance() ->> 'pushes_dropped')::integer, 1, 'what nobody claimed in a day is taken out of the outbox');
select is(tests.outbox(), 1::bigint, 'what is newer than a day stays in the outbox');

-- A closed account
select tests.stop_acting();
delete from auth.users where id = tests.id_of('Cat');
select is((select count(*) from tests.deliveries() where name = 'Cat'), 1::bigint, 'a delivery for somebody is there');
select tests.act_as_service();
select chat.run_maintenance() from generate_series(1, 10);
select is((select count(*) from tests.deliveries() where name = 'Cat'), 0::bigint, 'the devices of a closed account are forgotten');
select is(tests.as_owner('select count(*) from chat.devices where user_id = tests.id_of(''Cat'')'), '0', 'a closed account has no device');
select tests.stop_acting();

select * from finish();
rollback;
