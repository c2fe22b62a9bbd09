-- clear_history: begin a room anew, for oneself alone.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
select tests.act_as('Ann');
select chat.send_message(room_id, 'quetzal ' || n, md5('past ' || n)::uuid, mentions => array[tests.id_of('Cat')])
from tests.rooms, generate_series(1, 3) as n;
select tests.act_as('Cat');
select chat.send_message(room_id, 'mine', md5('mine')::uuid) from tests.rooms;
select chat.add_reaction(m.room_id, m.seq, '👍'), chat.pin_message(m.room_id, m.seq)
from chat.messages as m where m.client_id = md5('past 1')::uuid and m.room_id = tests.room('pair');
select chat.add_reaction(m.room_id, m.seq, '👍') from chat.messages as m where m.client_id = md5('past 1')::uuid and m.room_id = tests.room('trip');
select tests.act_as('Ann');
select chat.pin_message(m.room_id, m.seq) from chat.messages as m where m.client_id = md5('past 1')::uuid and m.room_id = tests.room('trip');
select chat.mark_read(tests.room('trip'), 1000);
select tests.stop_acting();
create temp table past as select room_id, max(seq) as last_seq from chat.messages group by room_id;
grant select on past to public;

-- What it costs
savepoint prices; -- noqa: PRS
select tests.costs('Cat', price, $$ select chat.clear_history(tests.room('trip')) $$, title)
from (values (1, 'clearing the history costs 1'), (0, 'clearing a history that is cleared is free')) as c (price, title);
rollback to prices;

-- What Cat sees of a room: each way to read it
create function pg_temp.seen(name text, room_id uuid)
returns jsonb
language plpgsql
as $$
begin
  perform tests.act_as(seen.name);
  return (
    select jsonb_build_object(
      'listed', (select count(*) from chat.list_messages(seen.room_id)),
      'around', (select count(*) from chat.list_messages(seen.room_id, around => p.last_seq)),
      'found', (select count(*) from chat.search_messages('quetzal', seen.room_id)),
      'found anywhere', (select count(*) from chat.search_messages('quetzal') as f where f.message ->> 'room_id' = seen.room_id::text),
      'messages', (select count(*) from chat.messages as m where m.room_id = seen.room_id),
      'reactions', (select count(*) from chat.reactions as e where e.room_id = seen.room_id),
      'pins', (select count(*) from chat.pins as e where e.room_id = seen.room_id),
      'receipts', (select count(*) from chat.receipts as e where e.room_id = seen.room_id),
      'mentions', (select count(*) from chat.list_notifications() as n where n.room_id = seen.room_id and n.kind = 'mention'),
      'thread', (
        select count(*) from chat.list_thread(seen.room_id, (
          select t.last_seq from past as t where t.room_id = seen.room_id
        ))
      ),
      'pulled', (
        select sum(jsonb_array_length(rows.value)) from chat.pull_changes(
          jsonb_build_object('rooms', jsonb_build_object(seen.room_id, null))
        ) as answer, jsonb_array_elements(answer -> 'rooms') as room, jsonb_each(room -> 'rows') as rows
        where rows.key in ('messages', 'reactions', 'pins', 'receipts')
      ),
      'pulled on', (
        select sum(jsonb_array_length(rows.value)) from chat.pull_changes(
          jsonb_build_object('rooms', jsonb_build_object(seen.room_id, m.joined_rev))
        ) as answer, jsonb_array_elements(answer -> 'rooms') as room, jsonb_each(room -> 'rows') as rows
        where rows.key in ('messages', 'reactions', 'pins', 'receipts')
      ),
      'unread', (select i.unread + i.mentions from chat.list_rooms() as i where i.room ->> 'id' = seen.room_id::text),
      'last', (select i.last_message ->> 'body' from chat.list_rooms() as i where i.room ->> 'id' = seen.room_id::text),
      'older', (
        select room -> 'older_unread' from chat.pull_changes(
          jsonb_build_object(
            'rooms', jsonb_build_object(seen.room_id, m.joined_rev), 'first', jsonb_build_object(seen.room_id, p.last_seq + 1)
          )
        ) as answer, jsonb_array_elements(answer -> 'rooms') as room
      ),
      'summed', (select c.value -> 'count' from chat.room_checksum(seen.room_id, 0) as c (value))
    )
    from past as p
    join chat.room_members as m on m.room_id = p.room_id and m.user_id = tests.id_of(seen.name)
    where p.room_id = seen.room_id
  );
end;
$$;
create temp table before_clearing as
select n.name, r.name as room, pg_temp.seen(n.name, tests.room(r.name)) as seen
from unnest(array['Ann', 'Cat']) as n (name), unnest(array['trip', 'hall', 'late', 'tower', 'pair']) as r (name);
select tests.stop_acting();
grant select on before_clearing to public;
select is(
  seen - '{reactions,pins,receipts,listed,around,messages,pulled,pulled on,summed,last}'::text[],
  jsonb_build_object(
    'found', 3, 'found anywhere', 3, 'mentions', 3, 'thread', 1, 'unread', n + 3, 'older', n
  ),
  format('Cat sees the past of %s', room)
)
from before_clearing
join (values ('hall', 4), ('pair', 3)) as c (about, n) on c.about = room
where name = 'Cat';

-- Cat clears
select tests.act_as('Cat');
select tests.watch('trip', 'hall', 'Cat', 'Ann');
select results_eq(
  $$ select (chat.clear_history(tests.room('trip'))).cleared_seq $$,
  $$ select last_seq from chat.rooms where id = tests.room('trip') $$, 'the history is cleared up to the newest message'
);
select tests.took_one_user_number('Cat', 'clearing takes one number in the own stream');
select tests.moved('{"Cat": 1}', 'clearing takes no number of the room, and none of anybody else');
select tests.watch('trip', 'hall', 'Cat', 'Ann');
select is((chat.clear_history(tests.room('trip'))).cleared_seq, (select last_seq from chat.rooms where id = tests.room('trip')), 'a history may be cleared again');
select tests.changed_nothing('clearing a history that is cleared changes nothing');
select is(
  (select r.newest_visible_after from chat.rooms as r where r.id = tests.room('trip')), 0::bigint,
  'steps keep their rows for everybody'
);
select chat.clear_history(tests.room(room)) from unnest(array['hall', 'late', 'tower', 'pair']) as r (room);
select is(
  pg_temp.seen('Cat', tests.room(room)) - 'last',
  '{
    "listed": 0, "around": 0, "found": 0, "found anywhere": 0, "messages": 0, "reactions": 0, "pins": 0, "receipts": 0,
    "mentions": 0, "thread": 0, "pulled": null, "pulled on": null, "unread": 0, "older": 0, "summed": 0
  }',
  format('there is nothing of the past of %s in any way to read it', room)
)
from unnest(array['trip', 'hall', 'late', 'tower', 'pair']) as r (room);
select is(
  pg_temp.seen('Cat', tests.room('trip')) -> 'last', 'null', 'the start screen shows no last message'
);
select is(pg_temp.seen('Ann', tests.room(b.room)), b.seen, format('Ann sees no difference in %s', b.room))
from before_clearing as b where b.name = 'Ann';

-- What was cleared is not there to act on either
select tests.refuses('Cat', 'message_not_found', format(call, p.room_id, p.last_seq), title)
from past as p,
  (
    values
    ('select chat.send_message(%L, ''x'', gen_random_uuid(), %s)', 'nobody answers what they have cleared'),
    ('select chat.edit_message(%L, %s, ''x'')', 'nobody edits what they have cleared'),
    ('select chat.delete_message(%L, %s)', 'nobody deletes what they have cleared'),
    ('select chat.add_reaction(%L, %s, ''👍'')', 'nobody reacts to what they have cleared'),
    ('select chat.list_receipts(%L, %s)', 'nobody asks who has read what they have cleared')
  ) as c (call, title)
where p.room_id = tests.room('trip');
select tests.lets('Cat', format('select chat.edit_message(room_id, seq, ''x'') from chat.messages where client_id = %L', md5('new')::uuid), 'somebody edits what they said after clearing the history')
from (select tests.act_as('Cat')) as c, lateral (select chat.send_message(tests.room('trip'), 'new', md5('new')::uuid)) as n;

-- What comes after is there as always
select tests.act_as('Ann');
select chat.send_message(tests.room('trip'), 'quetzal again', md5('after')::uuid, mentions => array[tests.id_of('Cat')]);
select is(
  pg_temp.seen('Cat', tests.room('trip')) - '{around,reactions,pins,receipts,thread,pulled,pulled on,older}'::text[],
  '{
    "listed": 2, "found": 1, "found anywhere": 1, "messages": 2, "mentions": 1, "unread": 2, "last": "quetzal again", "summed": 2
  }',
  'what is said afterwards is there as always'
);

-- A room without messages to see
select tests.act_as('Ann');
select tests.remember('empty', (chat.create_room('empty', member_ids => array[tests.id_of('Cat')])).id);
select tests.act_as('Cat');
select tests.watch('empty', 'Cat');
select is((chat.clear_history(tests.room('empty'))).rev, 0::bigint, 'an empty room is answered with the preferences as they are');
select tests.changed_nothing('where there is nothing to see, nothing is cleared');
select tests.act_as('Ann');
select chat.archive_room(tests.room('plaza')), chat.mute_member(tests.room('plaza'), tests.id_of('Cat'));
select tests.lets('Cat', $$ select chat.clear_history(tests.room('plaza')) $$, 'an archived room can be cleared, by somebody who is muted as well');

-- Coming back
select tests.act_as('Cat');
select chat.leave_room(tests.room('hall'));
select tests.act_as('Ann');
select chat.add_member(tests.room('hall'), tests.id_of('Cat'));
select tests.act_as('Cat');
select is(
  (select min(m.seq) > (select p.last_seq from past as p where p.room_id = m.room_id) from chat.messages as m where m.room_id = tests.room('hall') group by m.room_id),
  true, 'coming back to a room brings nothing back that was cleared'
);

-- Strangers, ex-members, other tenants
select tests.strangers_find_nothing('select chat.clear_history(%L)', 'clearing');

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  $$ select chat.clear_history(tests.room('trip')) $$, '42501',
  'permission denied for function clear_history', 'signed-out people clear nothing'
);

select * from finish();
rollback;
