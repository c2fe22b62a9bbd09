-- delete_message: what was said is gone, its place stays.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
select tests.act_as('Cat');
select chat.send_message(
  room_id, 'secret', md5('said')::uuid, mentions => array[tests.id_of('Bob')], attachments => '[{"link": "a"}]',
  metadata => '{"order": 7}'
)
from tests.rooms;
select chat.edit_message(m.room_id, m.seq, 'secret, edited') from chat.messages as m where m.client_id = md5('said')::uuid;
select chat.add_reaction(m.room_id, m.seq, '👍') from chat.messages as m where m.client_id = md5('said')::uuid;
select tests.act_as('Bob');
select chat.pin_message(m.room_id, m.seq) from chat.messages as m
join chat.rooms as r on r.id = m.room_id and r.kind = 'group'
where m.client_id = md5('said')::uuid;
select tests.stop_acting();
create temp table said as
select r.name, r.room_id, m.seq
from tests.rooms as r join chat.messages as m on m.room_id = r.room_id and m.client_id = md5('said')::uuid;
grant select on said to public;

-- What it costs
savepoint prices; -- noqa: PRS
select tests.costs('Ann', price, $$
  select chat.delete_message(room_id, seq) from chat.messages as m
  where m.room_id = tests.room('trip') and m.client_id = (
    select o.client_id from chat.messages as o
    where o.room_id = m.room_id and o.kind = 'text' and o.sender_id = tests.id_of('Ann') order by o.seq limit 1
  )
$$, title)
from (
  values (6, 'a deletion costs as much as the room has members'), (0, 'deleting the same message again is free')
) as c (price, title);
rollback to prices;

-- Cat, who wrote it
select tests.takes_one_number_everywhere(
  'Cat', 'select chat.delete_message(room_id, seq) from said where room_id = %L', 'deleting takes one number for all that goes'
);
select tests.changes_nothing_anywhere(
  'Cat', 'select chat.delete_message(room_id, seq) from said where room_id = %L', 'deleting again changes nothing'
);
select results_eq(
  $$
    select m.body, m.mentions, m.attachments, m.metadata, m.deleted_at is not null, m.sender_id, m.client_id, m.seq
    from chat.messages as m join said as s on s.room_id = m.room_id and s.seq = m.seq where s.name = 'trip'
  $$,
  $$
    select '', '{}'::uuid[], '[]'::jsonb, '{}'::jsonb, true, tests.id_of('Cat'), md5('said')::uuid, s.seq from said as s where s.name = 'trip'
  $$,
  'a tombstone keeps the place and who wrote it, and says nothing'
);
select is(
  tests.as_owner(format(
    'select (select count(*) from chat.message_edits as e where e.room_id = %1$L)
       + (select count(*) from chat.reactions as e where e.room_id = %1$L and e.removed_at is null)
       + (select count(*) from chat.pins as p where p.room_id = %1$L and p.removed_at is null)',
    tests.room('trip')
  )),
  '0', 'earlier texts, reactions and the pin are gone'
);
select is(
  (chat.send_message(
    tests.room('trip'), 'secret', md5('said')::uuid, mentions => array[tests.id_of('Bob')], attachments => '[{"link": "a"}]', metadata => '{"order": 7}'
  )).deleted_at is not null,
  true, 'I2: a retry is answered with the tombstone'
)
from (select tests.act_as('Cat')) as actor;
select is_empty($$ select chat.search_messages('secret', tests.room('trip')) $$, 'a deleted message is not found');

select tests.stop_acting();
select is(
  (
    select jsonb_agg(distinct k.kind)
    from realtime.messages as e, jsonb_object_keys(e.payload -> 'rows') as k (kind)
    where e.payload ->> 'room_id' = tests.room('trip')::text
      and e.payload #>> '{rows,messages,0,deleted_at}' is not null
  ),
  '["messages"]', 'the step of a deletion brings the tombstone alone'
);
select tests.act_as('Bob');
select tests.watch('trip');
select is((chat.remove_reaction(s.room_id, s.seq, '👍')).seq, null, 'nobody takes a reaction back from a deleted message') from said as s where s.name = 'trip';
select tests.changed_nothing('taking a reaction back from a deleted message changes nothing');

-- Bob, a moderator
select tests.act_as('Cat');
select chat.send_message(room_id, 'other', md5('other')::uuid) from tests.rooms where name in ('trip', 'hall', 'pair');
select tests.refuses(
  'Ann', 'not_allowed', format('select chat.delete_message(%L, %s)', tests.room('pair'), max(m.seq)), 'people of a direct room delete only their own messages'
)
from chat.messages as m where m.room_id = tests.room('pair');
select tests.refuses(
  'Rea', 'not_allowed', format('select chat.delete_message(%L, %s)', tests.room('trip'), max(m.seq)), 'a member does not delete what others said'
)
from chat.messages as m where m.room_id = tests.room('trip');
select tests.lets(
  'Bob', format('select chat.delete_message(%L, %s)', tests.room('trip'), max(m.seq)), 'a moderator deletes what others said'
)
from chat.messages as m where m.room_id = tests.room('trip');
select tests.refuses('Bob', 'message_not_found', format('select chat.delete_message(%L, %s)', tests.room('trip'), seq), title)
from (
  values
  ('100000', 'what does not exist is not deleted'), ('null', 'null is not deleted'),
  ((select min(seq)::text from chat.messages where room_id = tests.room('trip') and kind = 'system'), 'a moderator does not delete what the room says')
) as v (seq, title);
select tests.act_as('Lea');
select is(
  tests.refusal(format('select chat.delete_message(%L, %s)', tests.room('late'), m.visible_after_seq)) ->> 'slug',
  'message_not_found', 'I8: a message from before one''s time does not exist'
)
from chat.room_members as m where m.room_id = tests.room('late') and m.user_id = tests.id_of('Lea');

-- Fences
select tests.act_as('Ann');
select chat.mute_member(tests.room('hall'), tests.id_of('Cat'));
select tests.refuses(
  'Cat', 'member_muted', format('select chat.delete_message(%L, %s)', tests.room('hall'), max(m.seq)), 'I3: somebody who is muted deletes nothing'
)
from chat.messages as m where m.room_id = tests.room('hall') and m.client_id = md5('other')::uuid;
select tests.act_as('Ann');
select chat.archive_room(tests.room('tower'));
select tests.refuses(
  'Bob', 'room_archived', format('select chat.delete_message(%L, %s)', tests.room('tower'), m.seq), 'I3: nobody deletes anything in an archived room'
)
from chat.messages as m where m.room_id = tests.room('tower') and m.body = 'early';

-- Strangers, ex-members, other tenants
select tests.strangers_find_nothing('select chat.delete_message(%L, 1)', 'deleting');

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  $$ select chat.delete_message(tests.room('trip'), 1) $$, '42501',
  'permission denied for function delete_message', 'signed-out people delete nothing'
);

select * from finish();
rollback;
