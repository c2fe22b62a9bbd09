-- pull_changes: everything the caller may see and does not have yet.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
create function pg_temp.cursor_of(people text, variadic rooms text[])
returns jsonb
language sql
as $$
  select jsonb_build_object(
    'user', (tests.head_of(people)).rev,
    'rooms', (select jsonb_object_agg(tests.room(r.name), (tests.head_of(r.name)).rev) from unnest(rooms) as r (name))
  )
$$;
create temp table cursors (name text primary key, at jsonb);
grant all on cursors to public;
insert into cursors values
  ('Cat', pg_temp.cursor_of('Cat', 'trip', 'hall', 'late', 'pair')),
  ('Lea', pg_temp.cursor_of('Lea', 'trip', 'late')),
  ('Xen', pg_temp.cursor_of('Xen', 'trip'));
create temp view pull as
select c.name, chat.pull_changes(c.at) as answer from cursors as c;
grant select on pull to public;

create function pg_temp.pull_all(name text, row_limit integer)
returns jsonb
language plpgsql
as $$
declare
  v_at jsonb := (select c.at from cursors as c where c.name = pull_all.name)
    || jsonb_build_object('limit', row_limit);
  v_answer jsonb;
  v_bodies jsonb := '[]';
  v_calls integer := 0;
begin
  perform tests.act_as(name);
  loop
    v_answer := chat.pull_changes(v_at);
    v_calls := v_calls + 1;
    v_bodies := v_bodies || coalesce(
      jsonb_path_query_array(v_answer, '$.rooms[*].rows.messages[*].body'), '[]'
    );
    v_at := jsonb_set(v_at, '{user}', v_answer #> '{user,to}');
    v_at := jsonb_set(v_at, '{rooms}', (v_at -> 'rooms') || coalesce(
      (select jsonb_object_agg(r.value ->> 'room_id', r.value -> 'to') from jsonb_array_elements(v_answer -> 'rooms') as r), '{}'
    ));
    exit when not (v_answer ->> 'more')::boolean or v_calls > 100;
  end loop;
  perform tests.stop_acting();
  return jsonb_build_array(v_calls, v_bodies);
end;
$$;

-- Cat, with nothing new
select tests.act_as('Cat');
select is(answer -> 'rooms', '[]', 'who has everything gets no room') from pull where name = 'Cat';
select is(
  answer -> 'user', jsonb_build_object('from', c.at -> 'user', 'to', c.at -> 'user', 'rows', '{}'::jsonb, 'dropped_rooms', '[]'::jsonb),
  'and nothing of their own'
)
from pull as p join cursors as c using (name) where p.name = 'Cat';
select is(answer -> 'more', 'false', 'and is done') from pull where name = 'Cat';
select is(answer ->> 'timeline', chat.list_heads() ->> 'timeline', 'the timeline is that of the heads') from pull where name = 'Cat';

-- A step is a pull that arrived early
select tests.watch('trip', 'Cat', 'Ann');
select tests.act_as('Ann');
select chat.send_message(tests.room('trip'), 'news', gen_random_uuid());
select chat.update_room(tests.room('trip'), topic => 'News');
select tests.act_as('Cat');
select is(
  answer #> '{rooms,0}',
  jsonb_build_object(
    'room_id', tests.room('trip'), 'from', (c.at -> 'rooms' -> tests.room('trip')::text),
    'to', (tests.head_of('trip')).rev, 'reset', false,
    'rows', jsonb_build_object(
      'rooms', (select jsonb_build_array(to_jsonb(r)) from chat.rooms as r where r.id = tests.room('trip')),
      'messages', (select jsonb_agg(to_jsonb(m)) from chat.messages as m where m.room_id = tests.room('trip') and m.body = 'news')
    )
  ),
  'what is new comes as the rows of the tables, whole'
)
from pull as p join cursors as c using (name) where p.name = 'Cat';
select is(jsonb_array_length(answer -> 'rooms'), 1, 'rooms without news are left out') from pull where name = 'Cat';
select is(
  (select jsonb_agg(distinct r.value) from jsonb_array_elements(answer -> 'profiles') as p (value), lateral (select p.value -> 'display_name') as r (value)),
  '["Ann"]', 'with the profiles the rows speak of'
)
from pull where name = 'Cat';
select is(
  (
    select jsonb_agg(distinct e.payload -> 'rows')
    from (
      select jsonb_array_elements(tests.as_owner(format(
        'select jsonb_agg(m.payload order by m.payload -> ''from'') from realtime.messages as m
         where m.payload ->> ''room_id'' = %L and m.topic like ''user:%%''
           and not exists (select from tests.seen_events as s where s.id = m.id)', tests.room('trip')
      ))::jsonb) as payload
    ) as e
    where e.payload -> 'rows' ? 'messages'
  ),
  (select jsonb_build_array(jsonb_build_object('messages', answer #> '{rooms,0,rows,messages}')) from pull where name = 'Cat'),
  'the broadcast carried the same rows'
);

-- A limit splits no number
select tests.act_as('Ann');
select chat.send_message(tests.room('trip'), 'n' || n, gen_random_uuid()) from generate_series(1, 10) as n;
select tests.stop_acting();
select is(
  pg_temp.pull_all('Cat', size) -> 1, pg_temp.pull_all('Cat', 5000) -> 1, format('%s rows at a time come to the same', size)
)
from unnest(array[1, 2, 3, 7]) as s (size);
select cmp_ok((pg_temp.pull_all('Cat', 2) ->> 0)::integer, '>', 4, 'in several answers');

-- Nothing yet
update cursors set at = jsonb_build_object('user', null, 'rooms', (
  select jsonb_object_agg(k, null) from jsonb_object_keys(at -> 'rooms') as k
), 'window', 4)
where name = 'Cat';
select tests.act_as('Cat');
select is(
  (
    select jsonb_agg(m.value -> 'seq')
    from jsonb_array_elements(answer -> 'rooms') as r (value), jsonb_array_elements(r.value #> '{rows,messages}') as m (value)
    where r.value ->> 'room_id' = tests.room('trip')::text
  ),
  (select jsonb_agg(n) from chat.rooms as r, generate_series(r.last_seq - 3, r.last_seq) as n where r.id = tests.room('trip')),
  'who has nothing gets the newest messages'
)
from pull where name = 'Cat';
select is(
  (
    select jsonb_agg(jsonb_build_array(r.value -> 'from', r.value -> 'reset')) from jsonb_array_elements(answer -> 'rooms') as r (value)
  ),
  '[[null, false], [null, false], [null, false], [null, false]]', 'of each room that is named'
)
from pull where name = 'Cat';
select is(jsonb_array_length(answer #> '{user,rows,memberships}'), 6, 'and their own memberships')
from pull where name = 'Cat';

-- What was removed
create function pg_temp.marked_in_trip(above bigint)
returns table (what text, stands boolean)
language sql
as $$
  select kind.name || coalesce(' ' || (marked.value ->> 'emoji'), ''), marked.value -> 'removed_at' = 'null'
  from
    jsonb_each(
      chat.pull_changes(jsonb_build_object('rooms', jsonb_build_object(tests.room('trip'), above))) #> '{rooms,0,rows}'
    ) as kind (name, entries),
    jsonb_array_elements(kind.entries) as marked (value)
  where kind.name in ('reactions', 'pins')
$$;
select tests.watch('trip');
select tests.act_as('Ann');
select chat.add_reaction(r.id, r.last_seq, e.emoji) from chat.rooms as r, unnest(array['👍', '🎉']) as e (emoji) where r.id = tests.room('trip');
select chat.pin_message(r.id, seq) from chat.rooms as r, generate_series(r.last_seq - 1, r.last_seq) as seq where r.id = tests.room('trip');
select chat.remove_reaction(r.id, r.last_seq, '🎉') from chat.rooms as r where r.id = tests.room('trip');
select chat.unpin_message(r.id, r.last_seq - 1) from chat.rooms as r where r.id = tests.room('trip');
select tests.act_as('Cat');
select set_eq(
  'select * from pg_temp.marked_in_trip(null)', $$ values ('reactions 👍', true), ('pins', true) $$,
  'who has nothing gets what stands'
);
select set_eq(
  'select * from pg_temp.marked_in_trip(999999)', 'select * from pg_temp.marked_in_trip(null)', 'who starts over as well'
);
select set_eq(
  $$ select * from pg_temp.marked_in_trip((select rev from tests.heads where stream = 'trip')) $$,
  $$ values ('reactions 👍', true), ('reactions 🎉', false), ('pins', true), ('pins', false) $$,
  'who has something is told what was removed'
);

-- Lea, who came later
select tests.act_as('Ann');
select chat.edit_message(m.room_id, m.seq, 'Early') from chat.messages as m where m.room_id = tests.room('late') and m.body = 'early';
select tests.act_as('Lea');
select is(
  (
    select r.value - 'room_id' from jsonb_array_elements(answer -> 'rooms') as r (value)
    where r.value ->> 'room_id' = tests.room('late')::text
  ),
  jsonb_build_object('from', (tests.head_of('late')).rev - 1, 'to', (tests.head_of('late')).rev, 'rows', '{}'::jsonb, 'reset', false),
  'who came later gets the number of what they may not see, and not the rows'
)
from pull where name = 'Lea';
select is(
  (
    select min((m.value ->> 'seq')::bigint) > (
      select s.visible_after_seq from chat.room_members as s where s.room_id = tests.room('late') and s.user_id = tests.id_of('Lea')
    )
    from jsonb_array_elements(
      chat.pull_changes(jsonb_build_object('rooms', jsonb_build_object(tests.room('late'), null))) #> '{rooms,0,rows,messages}'
    ) as m (value)
  ),
  true, 'nor from the start'
);

-- Cat is removed, and comes back
select tests.stop_acting();
update cursors set at = pg_temp.cursor_of('Cat', 'trip', 'hall') where name = 'Cat';
select tests.act_as('Ann');
select chat.remove_member(tests.room('trip'), tests.id_of('Cat'));
select chat.send_message(tests.room('trip'), 'without Cat', gen_random_uuid());
select tests.act_as('Cat');
select is(answer -> 'rooms', '[]', 'I5: who was removed gets nothing of the room') from pull where name = 'Cat';
select is(answer #> '{user,dropped_rooms}', jsonb_build_array(tests.room('trip')), 'but that it is to be dropped')
from pull where name = 'Cat';
select tests.act_as('Ann');
select chat.add_member(tests.room('trip'), tests.id_of('Cat'));
select tests.act_as('Cat');
select is(
  (
    select jsonb_agg(jsonb_build_array(r.value -> 'room_id', r.value -> 'from', r.value -> 'reset'))
    from jsonb_array_elements(answer -> 'rooms') as r (value)
  ),
  jsonb_build_array(jsonb_build_array(tests.room('trip'), null, true)),
  'who was removed and added again starts over'
)
from pull where name = 'Cat';
select is(
  (
    select jsonb_agg(jsonb_build_array(r.value -> 'from', r.value -> 'reset'))
    from jsonb_array_elements(chat.pull_changes(jsonb_build_object('rooms', jsonb_build_object(tests.room('hall'), 999999))) -> 'rooms') as r (value)
  ),
  '[[null, true]]', 'so does who is above the head'
);
select is(
  chat.pull_changes(jsonb_build_object('user', 999999)) #> '{user,from}', 'null', 'in the own stream as well'
);
select is(
  chat.pull_changes('{"timeline": "another", "user": 1}') - 'timeline',
  '{"schema": 1, "user": null, "rooms": [], "profiles": [], "more": false}', 'on another timeline nothing comes'
);

-- Dan, Xen and Tom
select tests.stop_acting();
create function pg_temp.rooms_for(name text)
returns jsonb
language plpgsql
as $$
declare
  v_answer jsonb;
begin
  perform tests.act_as(name);
  v_answer := chat.pull_changes(jsonb_build_object('rooms', (select jsonb_object_agg(r.room_id, null) from tests.rooms as r)));
  perform tests.stop_acting();
  return v_answer -> 'rooms';
end;
$$;
select is(pg_temp.rooms_for(name), '[]', format('%s gets nothing of any room', name))
from unnest(array['Dan', 'Xen', 'Tom']) as n (name);
select is(jsonb_array_length(pg_temp.rooms_for('Rea')), 5, 'Rea gets hers');

-- What is no cursor
select tests.refuses('Cat', 'invalid_input', format('select chat.pull_changes(%L)', cursor), format('%s is no cursor', coalesce(cursor, 'null')))
from unnest(array[
  null, '[]', '5', '"x"', '{"user": "x"}', '{"user": -1}', '{"user": 1.5}', '{"rooms": []}', '{"rooms": {"x": 1}}',
  '{"rooms": {"00000000-0000-0000-0000-000000000000": "x"}}', '{"window": 0}', '{"window": 201}', '{"limit": 0}',
  '{"limit": 5001}', '{"timeline": 5}'
]) as c (cursor);
select tests.refuses('Cat', 'invalid_input', format(
  'select chat.pull_changes(%L)', jsonb_build_object('rooms', (select jsonb_object_agg(gen_random_uuid(), null) from generate_series(1, 2001)))
), 'nor are more than 2,000 rooms');
select tests.lets('Cat', 'select chat.pull_changes(''{}'')', 'an empty one is');
select tests.act_as('Cat');
select is(chat.pull_changes(cursor), chat.pull_changes('{}'), format('%s is an empty one', cursor))
from unnest(array[
  '{"rooms": null}', '{"timeline": null, "user": null, "rooms": null, "window": null, "limit": null}'
]::jsonb[]) as c (cursor);

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  $$ select chat.pull_changes('{}') $$, '42501', 'permission denied for function pull_changes', 'signed-out people pull nothing'
);
select tests.act_without_sub();
select throws_ok(
  $$ select chat.pull_changes('{}') $$, 'PT401', 'sign_in_required', 'nor does a token without a name'
);

select * from finish();
rollback;
