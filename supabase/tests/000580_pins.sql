-- Pins: what a room keeps in sight.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
select tests.act_as('Ann');
select chat.send_message(room_id, 'said', md5('said')::uuid) from tests.rooms;
select tests.stop_acting();
create temp table said as
select r.name, r.room_id, m.seq
from tests.rooms as r join chat.messages as m on m.room_id = r.room_id and m.client_id = md5('said')::uuid;
grant select on said to public;

-- How many
savepoint caps; -- noqa: PRS
select tests.change_as_owner('update chat_private.settings set pins_per_room = 2');
select tests.act_as('Bob');
select chat.send_message(tests.room('trip'), 'pin ' || n, md5('pin ' || n)::uuid) from generate_series(1, 4) as n;
create function pg_temp.pin(call text, number integer)
returns text
language sql
stable
as $$
  select format('select chat.%s(%L, %s)', pin.call, m.room_id, m.seq) from chat.messages as m
  where m.room_id = tests.room('trip') and m.client_id = md5('pin ' || pin.number)::uuid
$$;
select tests.lets('Bob', pg_temp.pin('pin_message', n), 'messages are pinned') from generate_series(1, 2) as n;
select tests.refuses('Bob', 'payload_too_large', pg_temp.pin('pin_message', 3), 'no more messages are pinned than the limit');
select tests.lets('Bob', pg_temp.pin('unpin_message', 1), 'a pin may go when the limit is reached');
select tests.lets('Bob', pg_temp.pin('pin_message', 3), 'another pin may come when one goes');
select tests.lets('Bob', pg_temp.pin('delete_message', 3), 'a pinned message may be deleted');
select tests.lets('Bob', pg_temp.pin('pin_message', 4), 'a deleted message makes room for another pin');
rollback to caps;

-- What it costs
savepoint prices; -- noqa: PRS
select tests.costs('Bob', price, format('select chat.%s(%L, %s)', call, m.room_id, m.seq), title)
from (
  values
  (1, 'trip', 'pin_message', 6, 'a pin costs as much as the room has members'),
  (2, 'trip', 'pin_message', 0, 'pinning what is pinned is free'),
  (3, 'trip', 'unpin_message', 6, 'unpinning costs as much as the room has members'),
  (4, 'hall', 'pin_message', 1, 'a pin in a large room costs 1')
) as c (place, name, call, price, title)
join chat.messages as m on m.room_id = tests.room(c.name) and m.body = 'early'
order by c.place;
rollback to prices;

-- Bob, a moderator
select tests.takes_one_number_everywhere(
  'Bob', 'select chat.pin_message(room_id, seq) from said where room_id = %L', 'pinning takes one number'
);
select tests.changes_nothing_anywhere(
  'Abe', 'select chat.pin_message(room_id, seq) from said where room_id = %L', 'pinning again changes nothing'
);
select is(
  (select pinned_by from chat.pins where room_id = tests.room('trip')), tests.id_of('Bob'), 'a pin says who put it there'
);
select tests.takes_one_number_everywhere(
  'Abe', 'select chat.unpin_message(room_id, seq) from said where room_id = %L', 'unpinning takes one number'
);
select tests.changes_nothing_anywhere(
  'Bob', 'select chat.unpin_message(room_id, seq) from said where room_id = %L', 'unpinning again changes nothing'
);
select isnt((select removed_at from chat.pins where room_id = tests.room('trip')), null, 'a pin that was taken off stays as removed');
select tests.takes_one_number_everywhere(
  'Abe', 'select chat.pin_message(room_id, seq) from said where room_id = %L', 'a message may be pinned again'
);
select is(
  (select pinned_by from chat.pins where room_id = tests.room('trip')), tests.id_of('Abe'), 'a message that is pinned again says who did it'
);

-- Ranks
select tests.refuses(
  n.name, 'not_allowed', format('select chat.%s(%L, %s)', call, s.room_id, s.seq),
  format('%s is refused to %s', call, n.name)
)
from said as s, unnest(array['Cat', 'Rea']) as n (name), unnest(array['pin_message', 'unpin_message']) as c (call)
where s.name = 'trip';
select tests.lets(
  n.name, format('select chat.pin_message(%L, %s)', s.room_id, s.seq),
  format('in a direct room %s pins', n.name)
)
from said as s, unnest(array['Ann', 'Cat']) as n (name)
where s.name = 'pair';

-- What may be pinned
select tests.refuses('Bob', 'message_not_found', format('select chat.%s(%L, %s)', call, tests.room('trip'), seq), format('%s: %s', call, title))
from unnest(array['pin_message', 'unpin_message']) as c (call),
  lateral (
    values
    ('100000', 'what does not exist is not found'), ('null', 'null is not found'),
    ((select min(seq)::text from chat.messages where room_id = tests.room('trip') and kind = 'system'), 'what the room says itself is not found')
  ) as v (seq, title);

-- Who reads pins
select tests.act_as('Rea');
select isnt_empty('select from chat.pins', 'members read pins');
select tests.act_as('Ann');
select chat.pin_message(m.room_id, m.seq) from chat.messages as m where m.room_id = tests.room('late') and m.body = 'early';
select tests.act_as('Lea');
select is(
  (select count(*) from chat.pins where room_id = tests.room('late')), 1::bigint, 'members do not read pins on what they may not read'
);
select tests.act_as('Cat');
select is((select count(*) from chat.pins where room_id = tests.room('late')), 2::bigint, 'somebody who was there reads all pins');
select tests.act_as('Dan');
select is_empty('select from chat.pins', 'a stranger reads no pin');
select tests.act_as('Xen');
select is_empty('select from chat.pins', 'an ex-member reads no pin');
select throws_ok('delete from chat.pins', '42501', 'permission denied for table pins', 'nobody writes a pin');

-- Fences
select tests.act_as('Ann');
select chat.mute_member(tests.room('trip'), tests.id_of('Bob'));
select chat.archive_room(tests.room('hall'));
select chat.delete_message(s.room_id, s.seq) from said as s where s.name = 'plaza';
select chat.remove_member(tests.room('late'), tests.id_of('Bob'));
select tests.refuses('Bob', slug, format('select chat.pin_message(%L, %s)', s.room_id, s.seq), title)
from (
  values
  ('trip', 'member_muted', 'I3: somebody who is muted pins nothing'), ('hall', 'room_archived', 'I3: nobody pins in an archived room'),
  ('plaza', 'message_deleted', 'nobody pins what was deleted'), ('late', 'room_not_found', 'I3: an ex-member pins nothing')
) as f (name, slug, title)
join said as s on s.name = f.name;
select tests.act_as('Ann');
select is_empty(
  $$ select from chat.pins as p join said as s on s.room_id = p.room_id and s.seq = p.seq where s.name = 'plaza' $$,
  'a deleted message is no longer pinned'
);
select tests.watch('plaza');
select is((chat.unpin_message(s.room_id, s.seq)).seq, null, 'a deleted message cannot be unpinned') from said as s where s.name = 'plaza';
select tests.changed_nothing('unpinning a deleted message changes nothing');

-- Strangers, ex-members, other tenants
select tests.strangers_find_nothing(format('select chat.%s(%%L, 1)', call), call)
from unnest(array['pin_message', 'unpin_message']) as c (call);

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  format('select chat.%s(tests.room(''trip''), 1)', call), '42501',
  format('permission denied for function %s', call), format('signed-out people may not call %s', call)
)
from unnest(array['pin_message', 'unpin_message']) as c (call);

select * from finish();
rollback;
