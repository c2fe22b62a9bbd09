-- Topics: who may listen and who may speak, as Realtime asks it.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
create temp view topic as
select
  'user:' || tests.id_of('Cat') || ':' || (tests.head_of('Cat')).epoch as of_cat,
  'room:' || tests.room('hall') || ':' || (tests.head_of('hall')).epoch as of_hall,
  'live:' || tests.room('hall') || ':' || (tests.head_of('hall')).epoch as of_live,
  'live:' || tests.room('plaza') || ':' || (tests.head_of('plaza')).epoch as of_plaza,
  'tenant:00000000-0000-0000-0000-000000000001:dashboard' as of_tenant;

-- Who listens
select is(tests.listens_to(name, topic), expected::text[], title)
from topic as t,
  lateral (
    values
    ('Cat', t.of_cat, '{broadcast}', 'a person listens to their own topic'),
    ('Ann', t.of_cat, '{}', 'nobody else listens to a person''s topic'),
    ('Cat', t.of_hall, '{broadcast}', 'a member listens to the room'),
    ('Rea', t.of_hall, '{broadcast}', 'a reader listens to the room as well'),
    ('Dan', t.of_hall, '{}', 'a stranger does not listen to the room'),
    ('Xen', t.of_hall, '{}', 'an ex-member does not listen to the room'),
    ('Tom', t.of_hall, '{}', 'another tenant does not listen to the room'),
    ('Cat', t.of_live, '{broadcast,presence}', 'a member hears and sees who is there'),
    ('Rea', t.of_live, '{broadcast,presence}', 'a reader hears and sees who is there as well'),
    ('Dan', t.of_live, '{}', 'a stranger does not hear who is there'),
    ('Dan', t.of_plaza, '{}', 'a stranger does not hear even who is in a public room'),
    ('Dan', t.of_tenant, '{broadcast}', 'people of the tenant listen to its dashboard'),
    ('Tom', t.of_tenant, '{}', 'people of another tenant do not listen to a dashboard')
  ) as c (name, topic, expected, title);

-- Who speaks
select is(tests.speaks_on(name, topic), expected::text[], title)
from topic as t,
  lateral (
    values
    ('Cat', t.of_live, '{broadcast,presence}', 'a member speaks on the live topic'),
    ('Rea', t.of_live, '{presence}', 'a reader is seen on the live topic and not heard'),
    ('Rea', t.of_hall, '{}', 'I7: a reader is neither seen nor heard on the room topic'),
    ('Dan', t.of_live, '{}', 'a stranger does not speak on the live topic'),
    ('Xen', t.of_live, '{}', 'an ex-member does not speak'),
    ('Cat', t.of_cat, '{}', 'I7: nobody speaks on a user topic, their own included'),
    ('Ann', t.of_hall, '{}', 'I7: nobody speaks on a room topic, owners included'),
    ('Ann', t.of_tenant, '{}', 'I7: nobody speaks on a dashboard')
  ) as c (name, topic, expected, title);

-- Who may not post now is seen and not heard, and hears everybody
create function pg_temp.live_rights(name text)
returns text
language sql
volatile
as $$
  select format(
    '%s %s', tests.listens_to(live_rights.name, t.of_live), tests.speaks_on(live_rights.name, t.of_live)
  )
  from topic as t
$$;
select tests.act_as('Bob');
select chat.mute_member(tests.room('hall'), tests.id_of('Cat'), now() + interval '1 hour');
select tests.stop_acting();
select is(
  pg_temp.live_rights('Cat'), '{broadcast,presence} {presence}', 'somebody who is muted is seen and not heard'
);
select is(
  pg_temp.live_rights('Lea'), '{broadcast,presence} {broadcast,presence}', 'others are heard as before somebody was muted'
);
select tests.change_as_owner(format(
  'update chat.room_members set muted_until = now() - interval ''1 second'' where user_id = %L',
  tests.id_of('Cat')
));
select is(
  pg_temp.live_rights('Cat'), '{broadcast,presence} {broadcast,presence}', 'a mute that is over silences nobody'
);
select tests.act_as('Ann');
select chat.archive_room(tests.room('hall'));
select tests.stop_acting();
select is(
  pg_temp.live_rights(name), '{broadcast,presence} {presence}',
  format('in an archived room %s is seen and not heard', name)
)
from unnest('{Ann,Bob,Cat,Rea}'::text[]) as n (name);
select tests.act_as('Ann');
select chat.unarchive_room(tests.room('hall'));
select tests.stop_acting();
select is(
  pg_temp.live_rights('Cat'), '{broadcast,presence} {broadcast,presence}', 'a room is heard again when it is reopened'
);

-- Names that are none
select is(
  tests.listens_to('Cat', topic) || tests.speaks_on('Cat', topic), '{}'::text[],
  format('a malformed topic is a quiet no: %s', to_json(topic))
)
from topic as t,
  lateral unnest(array[
    '', ':', 'room', 'room:', 'room::', 'room:1:1', 'room:' || tests.room('hall'),
    t.of_hall || ':extra', t.of_hall || ' ', ' ' || t.of_hall, t.of_hall || E'\n', upper(t.of_hall),
    'Room' || substr(t.of_hall, 5), 'room:%:1', 'room:' || tests.room('hall') || ':0',
    'room:' || tests.room('hall') || ':01', 'room:' || tests.room('hall') || ':-1',
    'room:' || tests.room('hall') || ':99999999999999999999',
    'room:' || tests.room('hall') || ':dashboard', 'room:' || upper(tests.room('hall')::text) || ':1',
    'room:' || replace(tests.room('hall')::text, '-', '') || ':1', 'realtime:' || t.of_hall,
    'tenant:00000000-0000-0000-0000-000000000001:1', 'user:' || tests.id_of('Cat'),
    'user:' || tests.id_of('Cat') || ':dashboard', 'live:' || tests.room('hall') || U&':\0661',
    'public:' || tests.room('hall') || ':1', repeat('x', 10000)
  ]) as n (topic);

-- Each row is bound to the topic that was asked for
select tests.act_as('Cat');
select set_config('realtime.topic', (select 'user:' || tests.id_of('Cat') || ':1'), true);
select is_empty(
  $$ select from realtime.messages where topic <> 'user:' || tests.id_of('Cat') || ':1' $$,
  'somebody who has joined one topic reads the rows of no other'
);
select isnt_empty($$ select from realtime.messages $$, 'somebody who has joined one topic reads the rows of that one');
select set_config('realtime.topic', '', true);
select is_empty($$ select from realtime.messages $$, 'no rows are read without a topic');
select set_config('realtime.topic', (select 'live:' || tests.room('hall') || ':' || (tests.head_of('hall')).epoch), true);
select throws_ok(
  format(
    'insert into realtime.messages (topic, extension, event) values (%L, ''broadcast'', ''changed'')',
    'user:' || tests.id_of('Ann') || ':1'
  ),
  '42501', 'new row violates row-level security policy for table "messages"',
  'I7: somebody who may speak on one topic writes on no other'
);
select tests.stop_acting();

-- An epoch ends a topic
create temp table before as
select 'user:' || tests.id_of('Cat') || ':' || (tests.head_of('Cat')).epoch as of_cat, t.of_hall, t.of_live
from topic as t;
select tests.act_as('Bob');
select chat.remove_member(tests.room('hall'), tests.id_of('Cat'));
select tests.stop_acting();
select is(tests.listens_to(name, topic) || tests.speaks_on(name, topic), expected::text[], title)
from before as b, topic as t,
  lateral (
    values
    ('Ann', b.of_hall, '{}', 'I5: the old topic of a room that lost somebody is over for all'),
    ('Ann', t.of_hall, '{broadcast}', 'people who stay listen to the new topic'),
    ('Ann', b.of_live, '{}', 'the live topic of a room that lost somebody moves on as well'),
    ('Ann', t.of_live, '{broadcast,presence,broadcast,presence}', 'the live topic goes on with the people who stay'),
    ('Cat', b.of_cat, '{}', 'nobody listens to the old topic of somebody who was removed'),
    ('Cat', t.of_cat, '{broadcast}', 'somebody who was removed listens to a new topic of their own'),
    ('Cat', t.of_hall, '{}', 'somebody who was removed listens to no topic of the room'),
    ('Cat', t.of_live, '{}', 'somebody who was removed does not speak in the room')
  ) as c (name, topic, expected, title);

-- A closed account
delete from auth.users where id = tests.id_of('Rea');
select is(tests.listens_to('Rea', topic), '{}'::text[], 'a closed account listens to nothing')
from topic as t,
  lateral unnest(array[
    'user:' || tests.id_of('Rea') || ':' || (tests.head_of('Rea')).epoch, t.of_hall, t.of_live, t.of_tenant
  ]) as n (topic);

-- Signed out
select tests.act_as_nobody();
select set_config('realtime.topic', 'user:' || tests.id_of('Cat') || ':1', true);
select is_empty($$ select from realtime.messages $$, 'signed-out people receive nothing');
select tests.act_without_sub();
select is_empty($$ select from realtime.messages $$, 'a token without a name receives nothing');

select * from finish();
rollback;
