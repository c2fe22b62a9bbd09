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
select is(answer -> 'rooms', '[]', 'somebody who has everything gets no room') from pull where name = 'Cat';
select is(
  answer -> 'user',
  jsonb_build_object(
    'from', c.at -> 'user', 'to', c.at -> 'user', 'rows', '{}'::jsonb, 'dropped_rooms', '[]'::jsonb,
    'dropped_tenants', '[]'::jsonb, 'notifications_read_seq', 0
  ),
  'somebody who has everything gets nothing of their own stream'
)
from pull as p join cursors as c using (name) where p.name = 'Cat';
select is(answer -> 'more', 'false', 'a pull of somebody who has everything is done') from pull where name = 'Cat';
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
  '["Ann"]', 'the profiles the rows speak of come along'
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
  pg_temp.pull_all('Cat', size) -> 1, pg_temp.pull_all('Cat', 5000) -> 1, format('pulls of %s rows at a time come to the same', size)
)
from unnest(array[1, 2, 3, 7]) as s (size);
select cmp_ok((pg_temp.pull_all('Cat', 2) ->> 0)::integer, '>', 4, 'small pages come in several answers');

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
  'somebody who has nothing gets the newest messages'
)
from pull where name = 'Cat';
select is(
  (
    select jsonb_agg(jsonb_build_array(r.value -> 'from', r.value -> 'reset')) from jsonb_array_elements(answer -> 'rooms') as r (value)
  ),
  '[[null, false], [null, false], [null, false], [null, false]]', 'somebody who has nothing gets each room that is named from its beginning'
)
from pull where name = 'Cat';
select is(jsonb_array_length(answer #> '{user,rows,memberships}'), 6, 'somebody who has nothing gets their own memberships')
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
  'somebody who has nothing gets the reactions and pins that stand'
);
select set_eq(
  'select * from pg_temp.marked_in_trip(999999)', 'select * from pg_temp.marked_in_trip(null)', 'somebody who starts over gets the reactions and pins that stand'
);
select set_eq(
  $$ select * from pg_temp.marked_in_trip((select rev from tests.heads where stream = 'trip')) $$,
  $$ values ('reactions 👍', true), ('reactions 🎉', false), ('pins', true), ('pins', false) $$,
  'somebody who has something is told which reactions and pins were removed'
);

-- What ended with something else is not told of
select tests.act_as('Ann');
select chat.send_message(tests.room('trip'), 'gone', md5('gone')::uuid, mentions => array[tests.id_of('Cat')]);
create temp table gone as
select m.seq, (tests.head_of('trip')).rev, (tests.head_of('Cat')).rev as user_rev
from chat.messages as m where m.client_id = md5('gone')::uuid;
grant select on gone to public;
create function pg_temp.news()
returns table (kind text)
language sql
as $$
  select jsonb_object_keys(answer #> '{user,rows}' || coalesce(answer #> '{rooms,0,rows}', '{}'))
  from gone as g, lateral chat.pull_changes(jsonb_build_object(
    'user', g.user_rev - 1, 'rooms', jsonb_build_object(tests.room('trip'), g.rev)
  )) as answer
$$;
select chat.add_reaction(tests.room('trip'), seq, '👍'), chat.pin_message(tests.room('trip'), seq) from gone;
select tests.act_as('Cat');
select set_eq(
  'select pg_temp.news()', $$ values ('notifications'), ('reactions'), ('pins') $$, 'a message has a reaction, a pin and a notification'
);
select tests.act_as('Ann');
select chat.delete_message(tests.room('trip'), seq) from gone;
select tests.act_as('Cat');
select set_eq('select pg_temp.news()', $$ values ('messages') $$, 'only the tombstone of a message that was deleted comes');
select is(
  (
    select count(*) from jsonb_array_elements(chat.pull_changes('{}') #> '{user,rows,notifications}') as n (value), gone as g
    where n.value -> 'message_seq' = to_jsonb(g.seq)
  ),
  0::bigint, 'somebody who has nothing does not get the notification of a deleted message'
);

-- Many notifications, read at once
select tests.stop_acting();
update chat_private.user_streams set notification_seq = 20000 where user_id = tests.id_of('Cat');
insert into chat.notifications (user_id, seq, kind, rev)
select tests.id_of('Cat'), n, 'report', 1 from generate_series(101, 20000) as n;
select tests.act_as('Cat');
select cmp_ok(chat.mark_notifications_read(20000), '>=', 19900, 'twenty thousand notifications are read by one call');
select is(
  answer -> 'user',
  jsonb_build_object(
    'from', s.rev - 1, 'to', s.rev, 'rows', '{}'::jsonb, 'dropped_rooms', '[]'::jsonb,
    'dropped_tenants', '[]'::jsonb, 'notifications_read_seq', 20000
  ),
  'a pull tells one number of the notifications that were read'
)
from tests.head_of('Cat') as s, lateral chat.pull_changes(jsonb_build_object('user', s.rev - 1)) as answer;
select is(chat.pull_changes('{}') #> '{user,notifications_read_seq}', '20000', 'somebody who has nothing is told which notifications were read');
select tests.change_as_owner(format(
  'update chat.notifications set kind = ''mention'', room_id = gen_random_uuid(), message_seq = 1 where user_id = %L and seq > 15001',
  tests.id_of('Cat')
));
select is(
  jsonb_path_query_array(chat.pull_changes('{"window": 5}'), '$.user.rows.notifications[*].seq'), '[15001]',
  'somebody who has nothing gets those that stand of the newest 5,000 notifications'
);
select is((select max(n.seq) from chat.list_notifications(page_size => 1) as n), 15001::bigint, 'a list goes past all notifications that are over');
select tests.change_as_owner(format(
  'delete from chat.notifications where user_id = %L and seq = 15001', tests.id_of('Cat')
));
select is(chat.pull_changes('{}') #> '{user,rows,notifications}', null, 'where 5,000 notifications are over no older one comes');
select is((select max(n.seq) from chat.list_notifications(page_size => 1) as n), 15000::bigint, 'a list brings what a pull did not look at');

-- Their own membership
select tests.make_people(variadic array(select 'Crowd ' || n from generate_series(1, 230) as n));
select tests.act_as('Ann');
select tests.remember('crowd', (chat.create_room('Crowd', member_ids => array(
  select tests.id_of('Crowd ' || n) from generate_series(1, 230) as n
))).id);
create temp view last_in_crowd as
select right(p.display_name, -6) as number
from chat.profiles as p where p.display_name like 'Crowd %' order by p.user_id desc limit 1;
grant select on last_in_crowd to public;
select tests.act_as('Crowd ' || l.number) from last_in_crowd as l;
select is(
  (
    select count(*) || ' ' || bool_or(m.value ->> 'user_id' = auth.uid()::text)
    from jsonb_array_elements(
      chat.pull_changes(jsonb_build_object('rooms', jsonb_build_object(tests.room('crowd'), null))) #> '{rooms,0,rows,members}'
    ) as m (value)
  ),
  '201 true', 'a window brings some of the members, and always the own membership'
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
  'somebody who came later gets the number of what they may not see, and not the rows'
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
  true, 'somebody who came later does not get the rows from the start either'
);

-- Cat is removed, and comes back
select tests.stop_acting();
update cursors set at = pg_temp.cursor_of('Cat', 'trip', 'hall') where name = 'Cat';
select tests.act_as('Ann');
select chat.remove_member(tests.room('trip'), tests.id_of('Cat'));
select chat.send_message(tests.room('trip'), 'without Cat', gen_random_uuid());
select tests.act_as('Cat');
select is(answer -> 'rooms', '[]', 'I5: somebody who was removed gets nothing of the room') from pull where name = 'Cat';
select is(answer #> '{user,dropped_rooms}', jsonb_build_array(tests.room('trip')), 'somebody who was removed gets that the room is to be dropped')
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
  'somebody who was removed and added again starts over'
)
from pull where name = 'Cat';
select is(
  (
    select jsonb_agg(jsonb_build_array(r.value -> 'from', r.value -> 'reset'))
    from jsonb_array_elements(chat.pull_changes(jsonb_build_object('rooms', jsonb_build_object(tests.room('hall'), 999999))) -> 'rooms') as r (value)
  ),
  '[[null, true]]', 'somebody who is above the head starts over'
);
select is(
  chat.pull_changes(jsonb_build_object('user', 999999)) #> '{user,from}', 'null', 'somebody who is above the head of their own stream starts over'
);
select is(
  chat.pull_changes('{"timeline": "another", "user": 1}') - 'timeline',
  '{"schema": 1, "user": null, "rooms": [], "profiles": [], "seen": null, "more": false}', 'nothing comes on another timeline'
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
select is(jsonb_array_length(pg_temp.rooms_for('Rea')), 5, 'a member gets something of every room they are in');

-- How long an answer may become
select tests.stop_acting();
update chat_private.settings set pull_bytes = 20000;
select tests.act_as('Ann');
select tests.remember('saga', (chat.create_room('Saga', member_ids => array[tests.id_of('Cat')])).id);
select tests.remember('note', (chat.create_room('Note', member_ids => array[tests.id_of('Cat')])).id);
select tests.stop_acting();
update cursors set at = pg_temp.cursor_of('Cat', 'saga', 'note') where name = 'Cat';
select tests.act_as('Ann');
select chat.send_message(tests.room('saga'), n || repeat(body, size), gen_random_uuid())
from generate_series(1, 5) as n, (values (chr(1), 2700), ('x', 6000), (chr(128512), 1500)) as s (body, size);
select chat.send_message(tests.room('note'), 'short', gen_random_uuid());
select tests.act_as('Cat');
select is(
  (select r.value ->> 'room_id' from jsonb_array_elements(answer -> 'rooms') with ordinality as r (value, place) where place = 1),
  tests.room('note')::text, 'the room with little news comes first'
)
from pull where name = 'Cat';
select is(
  (
    select jsonb_agg(m.value -> 'seq')
    from jsonb_array_elements(answer -> 'rooms') as r (value), jsonb_array_elements(r.value #> '{rows,messages}') as m (value)
    where r.value ->> 'room_id' = tests.room('saga')::text
  ),
  '[1]', 'as many numbers of a room as fit come after the rooms with little news'
)
from pull where name = 'Cat';
select is(answer -> 'more', 'true', 'the pull says that there is more') from pull where name = 'Cat';
select cmp_ok(octet_length(answer::text), '<', 20000, 'the answer is not too long') from pull where name = 'Cat';
select tests.stop_acting();
select is(
  pg_temp.pull_all('Cat', 5000) -> 1,
  (
    select jsonb_build_array('short') || jsonb_agg(m.body order by m.seq)
    from chat.messages as m where m.room_id = tests.room('saga')
  ),
  'all answers together have everything once'
);
select tests.act_as('Cat');
select is(
  (
    select jsonb_agg(m.value -> 'seq')
    from jsonb_array_elements(
      chat.pull_changes(c.at || jsonb_build_object('rooms', jsonb_build_object(tests.room('saga'), null))) #> '{rooms,0,rows,messages}'
    ) as m (value)
  ),
  '[14, 15]', 'a window holds the newest messages that fit'
)
from cursors as c where c.name = 'Cat';
select tests.stop_acting();
update chat_private.settings set pull_bytes = 1024;
select tests.act_as('Cat');
select is(
  (
    select jsonb_agg(m.value -> 'seq')
    from jsonb_array_elements(
      chat.pull_changes(c.at || jsonb_build_object('rooms', jsonb_build_object(tests.room('saga'), above))) #> '{rooms,0,rows,messages}'
    ) as m (value)
  ),
  found, format('one message always comes, above %s as well', above)
)
from cursors as c, (values (null::bigint, '[15]'::jsonb), (1, '[1]'), (7, '[7]')) as a (above, found)
where c.name = 'Cat';
select tests.stop_acting();
update chat_private.settings set pull_bytes = default;
select tests.act_as('Cat');
select is(
  (
    select jsonb_array_length(chat.pull_changes(c.at || jsonb_build_object(
      'rooms', jsonb_build_object(tests.room('saga'), null), 'limit', size
    )) #> '{rooms,0,rows,messages}')
  ),
  found, format('a limit of %s rows holds for a window', size)
)
from cursors as c, (values (1, 1), (6, 3), (18, 15), (1000, 15)) as l (size, found)
where c.name = 'Cat';

-- More reactions than fit
select tests.stop_acting();
select tests.make_people(variadic array(select 'R' || n from generate_series(1, 60) as n));
select tests.act_as('Ann');
select tests.remember('poll', (chat.create_room('Poll')).id);
select chat.send_message(tests.room('poll'), 'before', gen_random_uuid());
select chat.send_message(tests.room('poll'), 'vote', gen_random_uuid());
select tests.stop_acting();
insert into chat.reactions (room_id, seq, user_id, emoji, rev)
select tests.room('poll'), 2, tests.id_of('R' || n), '👍', 3 + n from generate_series(1, 60) as n;
update chat.rooms set rev = 63 where id = tests.room('poll');
create function pg_temp.take_all(room text, bytes integer, size integer)
returns jsonb
language plpgsql
as $$
declare
  v_at jsonb := jsonb_build_object(
    'user', (tests.head_of('Ann')).rev, 'rooms', jsonb_build_object(tests.room(take_all.room), null), 'limit', size
  );
  v_answer jsonb;
  v_room jsonb;
  v_people jsonb := '[]';
  v_messages jsonb := '[]';
  v_calls integer := 0;
begin
  update chat_private.settings set pull_bytes = bytes;
  perform tests.act_as('Ann');
  loop
    v_answer := chat.pull_changes(v_at);
    v_room := v_answer #> '{rooms,0}';
    v_calls := v_calls + 1;
    v_messages := v_messages || coalesce(jsonb_path_query_array(v_room, '$.rows.messages[*].body'), '[]');
    v_people := v_people || coalesce(jsonb_path_query_array(v_room, '$.rows.reactions[*].user_id'), '[]');
    v_at := jsonb_set(v_at, array['rooms', tests.room(take_all.room)::text], v_room -> 'to');
    exit when not (v_answer ->> 'more')::boolean or v_calls > 100;
  end loop;
  perform tests.stop_acting();
  update chat_private.settings set pull_bytes = default;
  return jsonb_build_array(
    v_messages, jsonb_array_length(v_people), (select count(distinct p.value) from jsonb_array_elements(v_people) as p), v_calls > 1
  );
end;
$$;
select is(
  pg_temp.take_all('poll', bytes, size), jsonb_build_array(messages, 60, 60, more),
  format('of %s bytes and %s rows, reactions that do not fit come with the next answers', bytes, size)
)
from (
  values
  (1048576, 5000, '["before", "vote"]'::jsonb, false), (1024, 5000, '["vote"]', true), (9000, 5000, '["vote"]', true),
  (1048576, 1, '["vote"]', true), (1048576, 7, '["vote"]', true), (1048576, 63, '["vote"]', false), (1048576, 64, '["before", "vote"]', false)
) as b (bytes, size, messages, more);
update chat.rooms set floor_seq = 1, floor_rev = 63 where id = tests.room('poll');
select is(
  pg_temp.take_all('poll', 1024, 5000), '[[], 0, 0, false]', 'nothing below the number of a purge comes, and the answers end'
);
select is(
  pg_temp.take_all('poll', 1048576, 5000), '[["vote"], 60, 60, false]', 'what remains after a purge comes where all of it fits'
);

-- A stream of one's own that is long
select tests.stop_acting();
select tests.make_people('Una');
insert into chat.rooms (id, tenant_id, kind, name, member_count, rev)
select md5('una ' || n)::uuid, '00000000-0000-0000-0000-000000000001', 'group', 'Room', 1, 1 from generate_series(1, 300) as n;
insert into chat.room_members (room_id, user_id, role, joined_rev, rev, user_rev, left_at, joined_seq)
select md5('una ' || n)::uuid, tests.id_of('Una'), 'owner', 1, 1, n, case when n % 3 = 0 then now() end, 0 from generate_series(1, 300) as n;
insert into chat.notifications (user_id, seq, kind, rev)
select tests.id_of('Una'), n, 'report', 300 + n from generate_series(1, 500) as n;
update chat_private.user_streams set rev = 800, notification_seq = 500 where user_id = tests.id_of('Una');
create function pg_temp.take_own(bytes integer, size integer)
returns jsonb
language plpgsql
as $$
declare
  v_at jsonb := jsonb_build_object('user', null, 'limit', size, 'window', 20);
  v_answer jsonb;
  v_rooms jsonb := '[]';
  v_seqs jsonb := '[]';
  v_froms jsonb := '[]';
begin
  update chat_private.settings set pull_bytes = bytes;
  perform tests.act_as('Una');
  loop
    v_answer := chat.pull_changes(v_at);
    v_rooms := v_rooms || coalesce(jsonb_path_query_array(v_answer, '$.user.rows.memberships[*] ? (@.left_at == null).room_id'), '[]');
    v_seqs := v_seqs || coalesce(jsonb_path_query_array(v_answer, '$.user.rows.notifications[*].seq'), '[]');
    v_froms := v_froms || (v_answer #> '{user,from}');
    exit when not (v_answer ->> 'more')::boolean or jsonb_array_length(v_froms) > 1000;
    v_at := jsonb_set(v_at, '{user}', v_answer #> '{user,to}');
  end loop;
  perform tests.stop_acting();
  update chat_private.settings set pull_bytes = default;
  return jsonb_build_array(
    jsonb_array_length(v_rooms), (select count(distinct r.value) from jsonb_array_elements(v_rooms) as r),
    v_seqs @> (select jsonb_agg(n) from generate_series(481, 500) as n), v_froms -> 0, jsonb_array_length(v_froms) > 1
  );
end;
$$;
select is(
  pg_temp.take_own(bytes, size), jsonb_build_array(200, 200, true, null, more), format('in answers of %s bytes and %s rows all memberships come', bytes, size)
)
from (values (1048576, 5000, false), (20000, 5000, true), (1048576, 100, true), (1048576, 7, true)) as b (bytes, size, more);

-- What is not read before the window
select tests.act_as('Ann');
select tests.remember('feed', (chat.create_room('Feed', member_ids => array[tests.id_of('Cat')])).id);
select chat.send_message(
  tests.room('feed'), 'x', gen_random_uuid(), mentions => case when n % 10 = 0 then array[tests.id_of('Cat')] else '{}' end
)
from generate_series(1, 45) as n;
select tests.stop_acting();
create function pg_temp.older(above bigint, first bigint, window_size integer default 20)
returns jsonb
language plpgsql
as $$
declare
  v_answer jsonb;
begin
  perform tests.act_as('Cat');
  v_answer := chat.pull_changes(jsonb_strip_nulls(jsonb_build_object(
    'user', (tests.head_of('Cat')).rev, 'first', jsonb_build_object(tests.room('feed'), first), 'window', window_size
  )) || jsonb_build_object('rooms', jsonb_build_object(tests.room('feed'), above)));
  perform tests.stop_acting();
  return jsonb_build_array(
    jsonb_array_length(v_answer -> 'rooms'), v_answer #> '{rooms,0,older_unread}', v_answer #> '{rooms,0,older_mentions}'
  );
end;
$$;
select is(pg_temp.older(above, first, size), counts, format('above %s, first %s, window %s: %s', above, first, size, title))
from (
  values
  (null::bigint, 1::bigint, 20, '[1, 25, 2]'::jsonb, 'what is before a window is counted'),
  (null, 40, 45, '[1, 0, 0]', 'nothing is before a window that holds everything'),
  (46, 26, 20, '[1, 25, 2]', 'what is before the first message is counted without news'),
  (40, 11, 20, '[1, 10, 1]', 'what is before a window is counted with news'),
  (46, 1, 20, '[1, 0, 0]', 'nothing is before the first message of all'),
  (46, null, 20, '[0, null, null]', 'somebody who does not ask is not told what is before'),
  (40, null, 20, '[1, null, null]', 'somebody who does not ask is not told what is before, even with news')
) as f (above, first, size, counts, title);
select tests.act_as('Cat');
select chat.mark_read(tests.room('feed'), 12);
select tests.stop_acting();
select is(pg_temp.older(46, 26), '[1, 13, 1]', 'what is marked as read is not unread before the window');
select tests.act_as('Ann');
select chat.delete_message(tests.room('feed'), 20);
select tests.stop_acting();
select is(pg_temp.older(null, 1), '[1, 12, 0]', 'what is deleted is not unread before the window');
select tests.act_as('Ann');
select chat.send_message(tests.room('feed'), 'x', gen_random_uuid()) from generate_series(1, 200) as n;
select tests.act_as('Cat');
select is(
  chat.pull_changes(jsonb_build_object('rooms', jsonb_build_object(tests.room('feed'), null), 'first', jsonb_build_object(tests.room('feed'), 0), 'window', 10))
    #> '{rooms,0,older_unread}',
  '100', 'what is unread before the window ends at 100, which means more'
);
select is(
  chat.pull_changes(jsonb_build_object('first', jsonb_build_object(tests.room('feed'), 5))) -> 'rooms', '[]', 'a room that is not in rooms is not answered'
);
select tests.stop_acting();
select tests.make_people('Ida');
select tests.act_as('Ann');
select chat.add_member(tests.room('feed'), tests.id_of('Ida'));
select tests.act_as('Ida');
select is(
  jsonb_build_array(r.value -> 'older_unread', r.value -> 'older_mentions', r.value #> '{rows,messages,0,seq}'), '[0, 0, 237]',
  'somebody who has just come in has nothing unread before the window, though there is something'
)
from jsonb_array_elements(
  chat.pull_changes(jsonb_build_object('rooms', jsonb_build_object(tests.room('feed'), null), 'first', jsonb_build_object(tests.room('feed'), 0), 'window', 10))
    -> 'rooms'
) as r (value);

-- Lea loses a tenant, and comes back
select tests.act_as('Ann');
select tests.remember('club', (chat.create_tenant('Club')).tenant_id);
select tests.act_as_service();
select chat.add_tenant_member(tests.room('club'), tests.id_of('Lea'));
select tests.stop_acting();
create temp table lea as select jsonb_build_object('user', (tests.head_of('Lea')).rev) as at;
grant select on lea to public;
select tests.act_as('Lea');
select chat.remove_tenant_member(tests.room('club'), tests.id_of('Lea'));
select is(
  chat.pull_changes(at) -> 'user',
  jsonb_build_object(
    'from', at -> 'user', 'to', (at ->> 'user')::bigint + 1, 'rows', '{}'::jsonb,
    'dropped_rooms', '[]'::jsonb, 'dropped_tenants', jsonb_build_array(tests.room('club')),
    'notifications_read_seq', 0
  ),
  'a tenant without rooms that was lost comes by its id, with a number'
)
from lea;
select is(
  chat.pull_changes(jsonb_build_object('user', (at ->> 'user')::bigint + 1)) #> '{user,dropped_tenants}',
  '[]', 'a tenant that was lost comes once'
)
from lea;
select is(
  chat.pull_changes('{}') #> '{user,dropped_tenants}', '[]', 'a copy that has nothing yet is told of no lost tenant'
);
select tests.act_as_service();
select chat.add_tenant_member(tests.room('club'), tests.id_of('Lea'));
select tests.act_as('Lea');
select is(
  chat.pull_changes(at) #> '{user,dropped_tenants}', '[]', 'somebody who is in again has lost nothing'
)
from lea;
select tests.act_as('Ann');
select tests.remember('club ' || n, (chat.create_tenant('Club')).tenant_id) from generate_series(1, 3) as n;
select tests.act_as_service();
select chat.add_tenant_member(tests.room('club ' || n), tests.id_of('Lea')) from generate_series(1, 3) as n;
select tests.stop_acting();
update lea set at = jsonb_build_object('user', (tests.head_of('Lea')).rev);
select tests.act_as('Lea');
select chat.remove_tenant_member(tests.room('club ' || n), tests.id_of('Lea')) from generate_series(1, 3) as n;
select is(
  jsonb_build_array(answer #> '{user,dropped_tenants}', answer -> 'more'),
  jsonb_build_array(
    (select jsonb_agg(tests.room('club ' || n) order by n) from generate_series(1, size) as n), size < 3
  ),
  format('a limit of %s rows holds for lost tenants as well', size)
)
from lea, generate_series(1, 3) as s (size), chat.pull_changes(at || jsonb_build_object('limit', size)) as answer;

-- Snapshots that are cut off
select tests.stop_acting();
select is(
  chat_private.snapshot_before(snapshot::pg_snapshot, xid::xid8), cut, format('%s shows nothing from %s on when it is cut off there', snapshot, xid)
)
from (
  values
  ('10:20:12,15', '14', '10:14:12'), ('10:20:12,15', '11', '10:11:'), ('10:20:12,15', '25', '10:20:12,15'),
  ('10:20:12,15', '12', '10:12:'), ('10:20:', '10', '10:10:'), ('10:20:10', '7', '7:7:')
) as s (snapshot, xid, cut);
select ok(chat_private.snapshot_before('10:20:12,15', '14')::pg_snapshot is not null, 'what is cut off is a snapshot');

-- Replicas that are behind
select is(
  chat_private.lacks(oldest_open::xid8, seen::pg_snapshot), lacks,
  format('a replica that has everything before %s %s what %s shows', oldest_open, case when lacks then 'lacks' else 'has' end, seen)
)
from (
  values
  ('20', '10:20:12,15', false), ('19', '10:20:12,15', true), ('19', '10:20:19', false), ('12', '10:20:12,15', true),
  ('30', '10:20:', false), ('5', '10:20:', true), ('10', '10:10:', false), ('9', '10:10:', true),
  ('12', '12:14:12,13', false), ('11', '12:14:12,13', true), ('1', '1:9223372036854775807:', true)
) as s (oldest_open, seen, lacks);
select is(
  chat_private.lacks('5', null), null, 'a replica lacks nothing of what somebody who has seen nothing has seen'
);
select lives_ok(
  $$ select chat_private.refuse_if_behind('1:9223372036854775807:', true) $$, 'the primary is never behind'
);

-- What is no cursor
select tests.refuses('Cat', 'invalid_input', format('select chat.pull_changes(%L)', cursor), format('%s is no cursor', coalesce(cursor, 'null')))
from unnest(array[
  null, '[]', '5', '"x"', '{"user": "x"}', '{"user": -1}', '{"user": 1.5}', '{"rooms": []}', '{"rooms": {"x": 1}}',
  '{"rooms": {"00000000-0000-0000-0000-000000000000": "x"}}', '{"window": 0}', '{"window": 201}', '{"limit": 0}',
  '{"limit": 5001}', '{"timeline": 5}', '{"first": []}', '{"first": {"x": 1}}',
  '{"first": {"00000000-0000-0000-0000-000000000000": null}}', '{"first": {"00000000-0000-0000-0000-000000000000": -1}}'
]) as c (cursor);
select tests.refuses('Cat', 'invalid_input', format(
  'select chat.pull_changes(%L)', jsonb_build_object('rooms', (select jsonb_object_agg(gen_random_uuid(), null) from generate_series(1, 2001)))
), 'more than 2,000 rooms are not asked for at once');
select tests.refuses('Cat', 'invalid_input', format(
  'select chat.pull_changes(%L)', jsonb_build_object('first', (select jsonb_object_agg(gen_random_uuid(), 1) from generate_series(1, 2001)))
), 'first messages of more than 2,000 rooms are not asked for at once');
select tests.lets('Cat', 'select chat.pull_changes(''{}'')', 'an empty cursor is one');
select tests.act_as('Cat');
select is(chat.pull_changes(cursor), chat.pull_changes('{}'), format('%s is an empty one', cursor))
from unnest(array[
  '{"rooms": null}', '{"timeline": null, "user": null, "rooms": null, "first": null, "window": null, "limit": null}'
]::jsonb[]) as c (cursor);

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  $$ select chat.pull_changes('{}') $$, '42501', 'permission denied for function pull_changes', 'signed-out people pull nothing'
);
select tests.act_without_sub();
select throws_ok(
  $$ select chat.pull_changes('{}') $$, 'PT401', 'sign_in_required', 'a token without a name pulls nothing'
);

select * from finish();
rollback;
