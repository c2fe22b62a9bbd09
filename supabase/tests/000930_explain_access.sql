-- explain_access: why somebody may, or may not, listen and send on a topic.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
select tests.act_as('Bob');
select chat.ban_member(tests.room('trip'), tests.id_of('Rea'));
select tests.stop_acting();
create temp table topic as
select
  'user:' || tests.id_of('Cat') || ':' || (tests.head_of('Cat')).epoch as of_cat,
  'room:' || tests.room('trip') || ':' || (tests.head_of('trip')).epoch as of_trip,
  'live:' || tests.room('trip') || ':' || (tests.head_of('trip')).epoch as of_live,
  'live:' || tests.room('trip') || ':1' as of_yesterday,
  'tenant:00000000-0000-0000-0000-000000000001:dashboard' as of_tenant;
grant select on topic to public;

-- Lea is muted: she listens and is seen, and may not send.
select tests.act_as('Bob');
select chat.mute_member(tests.room('trip'), tests.id_of('Lea'), now() + interval '1 hour');
select tests.stop_acting();

-- Of oneself
create temp table question (name text, topic text, whom text, expected text);
grant select on question to public;
insert into question
select c.*
from topic as t,
  lateral (
    values
    ('Cat', t.of_cat, null, '(t,f,allowed)'),
    ('Cat', t.of_trip, null, '(t,f,allowed)'),
    ('Cat', t.of_live, null, '(t,t,allowed)'),
    ('Lea', t.of_live, null, '(t,f,allowed)'),
    ('Cat', t.of_yesterday, null, '(f,f,old_epoch)'),
    ('Cat', t.of_tenant, null, '(t,f,allowed)'),
    ('Cat', 'room:nonsense', null, '(f,f,topic_malformed)'),
    ('Cat', null, null, '(f,f,topic_malformed)'),
    ('Cat', 'user:' || tests.id_of('Ann') || ':1', null, '(f,f,not_their_topic)'),
    ('Cat', 'user:' || tests.id_of('Cat') || ':99', null, '(f,f,old_epoch)'),
    ('Dan', t.of_live, null, '(f,f,not_in_room)'),
    ('Dan', 'live:' || gen_random_uuid() || ':1', null, '(f,f,not_in_room)'),
    ('Xen', t.of_live, null, '(f,f,not_in_room)'),
    ('Rea', t.of_live, null, '(f,f,not_in_room)'),
    ('Tom', t.of_tenant, null, '(f,f,not_in_tenant)'),
    ('Abe', t.of_live, 'Cat', '(t,t,allowed)'),
    ('Ann', t.of_live, 'Rea', '(f,f,banned)'),
    ('Abe', t.of_live, 'Xen', '(f,f,not_in_room)'),
    ('Abe', t.of_yesterday, 'Cat', '(f,f,old_epoch)'),
    ('Bob', t.of_live, 'Bob', '(t,t,allowed)')
  ) as c;
create function pg_temp.explain(question)
returns text
language plpgsql
as $$
declare
  v_answer chat.access_explanation;
begin
  perform tests.act_as(($1).name);
  v_answer := chat.explain_access(($1).topic, tests.id_of(($1).whom));
  perform tests.stop_acting();
  return (v_answer.may_listen, v_answer.may_send, v_answer.reason)::text;
end;
$$;
select is(
  pg_temp.explain(q), q.expected,
  format('%s, of %s on %s', q.name, coalesce(q.whom, 'themselves'), regexp_replace(q.topic, ':.*', ''))
)
from question as q;

-- It says what the policies do
select is(
  (
    select jsonb_agg(jsonb_build_array(
      tests.listens_to(q.name, coalesce(q.topic, '')) <> '{}',
      'broadcast' = any (tests.speaks_on(q.name, coalesce(q.topic, '')))
    ))
    from question as q where q.whom is null
  ),
  (
    select jsonb_agg(jsonb_build_array(q.expected like '(t,%', q.expected like '(_,t,%'))
    from question as q where q.whom is null
  ),
  'the explanation and the policies agree'
);

-- I8: a stranger is told nothing by it
select tests.act_as('Dan');
select is(
  to_jsonb(chat.explain_access(t.of_live)) - 'topic',
  to_jsonb(chat.explain_access('live:' || gen_random_uuid() || ':1')) - 'topic',
  'I8: a room that somebody is not in looks like none'
)
from topic as t;
select is(
  to_jsonb(chat.explain_access('user:' || tests.id_of('Ann') || ':1')) - 'topic',
  to_jsonb(chat.explain_access('user:' || gen_random_uuid() || ':1')) - 'topic',
  'I8: a person of another tenant looks like none'
);

-- Of others
select tests.refuses(
  name, 'not_allowed', format('select chat.explain_access(%L, %L)', topic, tests.id_of(whom)), title
)
from topic as t,
  lateral (
    values
    ('Cat', t.of_live, 'Ann', 'a member is told about nobody else'),
    ('Dan', t.of_live, 'Cat', 'a stranger is told about nobody else'),
    ('Tom', t.of_live, 'Cat', 'another tenant is told about nobody else'),
    ('Bob', t.of_live, 'Cat', 'a moderator is told about nobody else'),
    ('Ann', t.of_cat, 'Cat', 'an owner is told about the room, not about the person'),
    ('Bob', t.of_tenant, 'Cat', 'a moderator is not told about the tenant')
  ) as c (name, topic, whom, title);
select tests.change_as_owner(format(
  'update chat.tenant_members set role = ''admin'' where user_id = %L', tests.id_of('Dan')
));
select tests.refuses(
  'Dan', 'not_allowed', format('select chat.explain_access(%L, %L)', t.of_cat, tests.id_of('Cat')),
  'I13: not even an admin of the tenant is told about somebody''s own topic'
)
from topic as t;
select tests.refuses(
  'Dan', 'not_allowed', format('select chat.explain_access(%L, %L)', t.of_live, tests.id_of('Cat')),
  'an admin of the tenant is not told about a room that they do not look after'
)
from topic as t;
select tests.change_as_owner(format(
  'insert into chat.tenant_bans (tenant_id, user_id, banned_by)
   values (''00000000-0000-0000-0000-000000000001'', %L, %1$L)', tests.id_of('Zoe')
));
select is(
  (chat.explain_access(t.of_tenant, tests.id_of(c.name))).reason, c.expected, c.title
)
from topic as t, tests.act_as('Dan') as d,
  lateral (
    values
    ('Cat', 'allowed', 'an admin of the tenant is told about its topic'),
    ('Tom', 'not_in_tenant', 'an admin of the tenant is told that somebody is not in it'),
    ('Zoe', 'banned', 'an admin of the tenant is told that somebody is banned')
  ) as c (name, expected, title);

-- I8, I13: an id that nobody has answers like somebody elsewhere, whose account is closed or not
select tests.stop_acting();
select tests.make_people('Uma');
select tests.move_to_another_tenant('Uma');
delete from auth.users where id = tests.id_of('Tom');
select is(
  to_jsonb(chat.explain_access(c.topic, tests.id_of(h.name))) - 'user_id',
  to_jsonb(chat.explain_access(c.topic, gen_random_uuid())) - 'user_id',
  format('I8: %s asks about %s on %s and learns nothing', c.name, h.name, regexp_replace(c.topic, ':.*', ''))
)
from topic as t,
  lateral (values ('Ann', t.of_live), ('Dan', t.of_tenant)) as c (name, topic),
  (values ('Tom'), ('Uma')) as h (name),
  lateral tests.act_as(c.name) as a;
select tests.act_as('Dan');
select is(
  tests.refusal(format('select chat.explain_access(%L, %L)', 'user:' || hidden || ':1', hidden)),
  tests.refusal(format('select chat.explain_access(%L, %L)', 'user:' || absent || ':1', absent)),
  'I8: a user topic of others is refused alike'
)
from (select tests.id_of('Cat') as hidden, gen_random_uuid() as absent) as c;

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  $$ select chat.explain_access('x') $$, '42501', 'permission denied for function explain_access',
  'signed-out people are told nothing'
);
select tests.act_without_sub();
select throws_ok(
  $$ select chat.explain_access('x') $$, 'PT401', 'sign_in_required',
  'a token without a name is told nothing'
);

select * from finish();
rollback;
