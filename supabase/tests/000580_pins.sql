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
select isnt((select removed_at from chat.pins where room_id = tests.room('trip')), null, 'what was unpinned stays as removed');
select tests.takes_one_number_everywhere(
  'Abe', 'select chat.pin_message(room_id, seq) from said where room_id = %L', 'it may be pinned again'
);
select is(
  (select pinned_by from chat.pins where room_id = tests.room('trip')), tests.id_of('Abe'), 'by somebody else'
);

-- Ranks
select tests.refuses(
  n.name, 'not_allowed', format('select chat.%s(%L, %s)', call, s.room_id, s.seq),
  format('%s: not by %s', call, n.name)
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
    ('100000', 'what does not exist'), ('null', 'null'),
    ((select min(seq)::text from chat.messages where room_id = tests.room('trip') and kind = 'system'), 'what the room says')
  ) as v (seq, title);

-- Who reads pins
select tests.act_as('Rea');
select isnt_empty('select from chat.pins', 'members read pins');
select tests.act_as('Ann');
select chat.pin_message(m.room_id, m.seq) from chat.messages as m where m.room_id = tests.room('late') and m.body = 'early';
select tests.act_as('Lea');
select is(
  (select count(*) from chat.pins where room_id = tests.room('late')), 1::bigint, 'but not those on what they may not read'
);
select tests.act_as('Cat');
select is((select count(*) from chat.pins where room_id = tests.room('late')), 2::bigint, 'who was there reads both');
select tests.act_as('Dan');
select is_empty('select from chat.pins', 'a stranger reads none');
select tests.act_as('Xen');
select is_empty('select from chat.pins', 'nor an ex-member');
select throws_ok('delete from chat.pins', '42501', 'permission denied for table pins', 'nobody writes one');

-- Fences
select tests.act_as('Ann');
select chat.mute_member(tests.room('trip'), tests.id_of('Bob'));
select chat.archive_room(tests.room('hall'));
select chat.delete_message(s.room_id, s.seq) from said as s where s.name = 'plaza';
select chat.remove_member(tests.room('late'), tests.id_of('Bob'));
select tests.refuses('Bob', slug, format('select chat.pin_message(%L, %s)', s.room_id, s.seq), title)
from (
  values
  ('trip', 'member_muted', 'I3: who is muted pins nothing'), ('hall', 'room_archived', 'I3: nobody does in an archived room'),
  ('plaza', 'message_deleted', 'nor what was deleted'), ('late', 'room_not_found', 'I3: nor as an ex-member')
) as f (name, slug, title)
join said as s on s.name = f.name;
select is(
  (select removed_at is not null from chat.pins as p join said as s on s.room_id = p.room_id and s.seq = p.seq where s.name = 'plaza'),
  true, 'a deleted message is no longer pinned'
)
from (select tests.act_as('Ann')) as actor;

-- Strangers, ex-members, other tenants
select tests.strangers_find_nothing(format('select chat.%s(%%L, 1)', call), call)
from unnest(array['pin_message', 'unpin_message']) as c (call);

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  format('select chat.%s(tests.room(''trip''), 1)', call), '42501',
  format('permission denied for function %s', call), format('signed-out people: no %s', call)
)
from unnest(array['pin_message', 'unpin_message']) as c (call);

select * from finish();
rollback;
