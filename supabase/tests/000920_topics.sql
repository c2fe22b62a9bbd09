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
    ('Ann', t.of_cat, '{}', 'nobody else does'),
    ('Cat', t.of_hall, '{broadcast}', 'a member listens to the room'),
    ('Rea', t.of_hall, '{broadcast}', 'a reader as well'),
    ('Dan', t.of_hall, '{}', 'a stranger does not'),
    ('Xen', t.of_hall, '{}', 'nor an ex-member'),
    ('Tom', t.of_hall, '{}', 'nor another tenant'),
    ('Cat', t.of_live, '{broadcast,presence}', 'a member hears and sees who is there'),
    ('Dan', t.of_live, '{}', 'a stranger does not'),
    ('Dan', t.of_plaza, '{}', 'not even in a public room'),
    ('Dan', t.of_tenant, '{broadcast}', 'people of the tenant listen to its dashboard'),
    ('Tom', t.of_tenant, '{}', 'people of another do not')
  ) as c (name, topic, expected, title);

-- Who speaks
select is(tests.speaks_on(name, topic), expected::text[], title)
from topic as t,
  lateral (
    values
    ('Cat', t.of_live, '{broadcast,presence}', 'a member speaks on the live topic'),
    ('Dan', t.of_live, '{}', 'a stranger does not'),
    ('Xen', t.of_live, '{}', 'nor an ex-member'),
    ('Cat', t.of_cat, '{}', 'I7: nobody speaks on a user topic, their own included'),
    ('Ann', t.of_hall, '{}', 'I7: nor on a room topic, owners included'),
    ('Ann', t.of_tenant, '{}', 'I7: nor on a dashboard')
  ) as c (name, topic, expected, title);

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
  'who has joined one topic reads the rows of no other'
);
select isnt_empty($$ select from realtime.messages $$, 'but of that one');
select set_config('realtime.topic', '', true);
select is_empty($$ select from realtime.messages $$, 'without a topic there are no rows');
select set_config('realtime.topic', (select 'live:' || tests.room('hall') || ':' || (tests.head_of('hall')).epoch), true);
select throws_ok(
  format(
    'insert into realtime.messages (topic, extension, event) values (%L, ''broadcast'', ''changed'')',
    'user:' || tests.id_of('Ann') || ':1'
  ),
  '42501', 'new row violates row-level security policy for table "messages"',
  'I7: who may speak on one topic writes on no other'
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
    ('Ann', t.of_hall, '{broadcast}', 'who stays listens to the new one'),
    ('Ann', b.of_live, '{}', 'the live topic moves on as well'),
    ('Ann', t.of_live, '{broadcast,presence,broadcast,presence}', 'with who stays'),
    ('Cat', b.of_cat, '{}', 'so is the old topic of who was removed'),
    ('Cat', t.of_cat, '{broadcast}', 'who listens to a new one of their own'),
    ('Cat', t.of_hall, '{}', 'and to none of the room''s'),
    ('Cat', t.of_live, '{}', 'nor speaks there')
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
select is_empty($$ select from realtime.messages $$, 'nor does a token without a name');

select * from finish();
rollback;
