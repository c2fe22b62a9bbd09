-- Reports: what people find wrong with a message or a person, until somebody has dealt with it.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

create function pg_temp.tenant()
returns uuid
language sql
immutable
return '00000000-0000-0000-0000-000000000001'::uuid;

create function pg_temp.report(body text)
returns uuid
language sql
volatile
return tests.as_owner(format('select report_id from chat.reports where body is not distinct from %L', body))::uuid;

select tests.act_as('Cat');
select chat.send_message(tests.room('trip'), 'rude', md5('rude')::uuid, metadata => '{"a": 1}');
create function pg_temp.rude()
returns bigint
language sql
volatile
return tests.as_owner(format('select seq from chat.messages where client_id = %L', md5('rude')::uuid))::bigint;
select tests.stop_acting();
-- (Ann owns the default tenant here, and Bob moderates the room.)
update chat.tenant_members set role = 'admin' where user_id = tests.id_of('Ann');

-- The person who reports
select tests.act_as('Lea');
select tests.watch('trip', 'Lea', 'Cat', 'Ann', 'Bob');
select is(
  (
    select row(r.reporter_id, r.user_id, r.room_id, r.message_seq, r.reason, r.body, r.metadata, r.resolved_at)::text
    from chat.report_message(tests.room('trip'), pg_temp.rude(), ' spam ') as r
  ),
  row(
    tests.id_of('Lea'), tests.id_of('Cat'), tests.room('trip'), pg_temp.rude(), 'spam', 'rude',
    '{"a": 1}'::jsonb, null
  )::text,
  'a report says who reported what, about whom and why'
);
select tests.changed_nothing('a report moves no stream, and nobody is told of it');
select is(
  (chat.report_message(tests.room('trip'), pg_temp.rude(), 'again')).reason, 'spam',
  'a report that is open already is returned as it is'
);
select is(
  (
    select row(r.user_id, r.room_id, r.message_seq, r.body)::text
    from chat.report_user(tests.id_of('Bob'), 'shouts') as r
  ),
  row(tests.id_of('Bob'), null::uuid, null::bigint, null::text)::text, 'people are reported as well as messages'
);
select is_empty('select report_id from chat.reports', 'somebody who only reported reads no reports');
select is_empty(
  'select report_id from chat.list_reports(pg_temp.tenant())', 'somebody who moderates nothing lists no reports'
);
select tests.act_as('Cat');
select chat.edit_message(tests.room('trip'), pg_temp.rude(), 'polite');
select is(
  tests.as_owner(format('select body from chat.reports where message_seq = %s', pg_temp.rude())), 'rude',
  'a report keeps what was said when it was reported'
);

-- The queue
select tests.act_as('Bob');
select results_eq(
  'select body from chat.list_reports(pg_temp.tenant())', $$ values ('rude') $$,
  'a moderator lists reports of messages in their rooms'
);
select results_eq(
  'select body from chat.reports', $$ values ('rude') $$, 'a moderator reads reports of messages in their rooms'
);
select tests.act_as('Ann');
select results_eq(
  'select user_id from chat.list_reports(pg_temp.tenant())',
  $$ values (tests.id_of('Bob')), (tests.id_of('Cat')) $$, 'an admin of the tenant lists all reports, the newest first'
);
select results_eq(
  $$
    select n.user_id
    from chat.list_reports(pg_temp.tenant(), page_size => 1) as r
    cross join lateral chat.list_reports(
      pg_temp.tenant(),
      jsonb_build_object('is_open', r.resolved_at is null, 'created_at', r.created_at, 'report_id', r.report_id)
    ) as n
  $$,
  $$ values (tests.id_of('Cat')) $$, 'the next page goes on behind the last row'
);
select tests.refuses(
  'Ann', 'invalid_input', $$ select chat.list_reports(pg_temp.tenant(), '{"report_id": 1}') $$,
  'a page goes on behind a row and nothing else'
);
select tests.refuses(
  'Ann', 'invalid_input', 'select chat.list_reports(pg_temp.tenant(), page_size => 0)', 'a page has a row at least'
);
select tests.refuses(
  'Tom', 'not_allowed', 'select chat.list_reports(pg_temp.tenant())', 'another tenant lists no reports'
);
select tests.refuses(
  'Ann', 'not_allowed', 'select chat.list_reports(gen_random_uuid())', 'a tenant that is not there has no reports'
);
select tests.stop_acting();
update chat.tenant_members set role = 'admin' where user_id = tests.id_of('Bob');
select tests.act_as('Bob');
select results_eq(
  'select user_id from chat.list_reports(pg_temp.tenant())', $$ values (tests.id_of('Cat')) $$,
  'nobody lists a report about themselves'
);
select results_eq(
  'select user_id from chat.reports', $$ values (tests.id_of('Cat')) $$, 'nobody reads a report about themselves'
);
select tests.looks_absent(
  'select chat.resolve_report(pg_temp.tenant(), %L, ''nothing'')', pg_temp.report(null),
  'nobody resolves a report about themselves'
);

-- Its age
select tests.stop_acting();
update chat.reports set created_at = now() - interval '2 hours' where body = 'rude';
select tests.act_as('Ann');
select results_eq(
  'select open_reports, oldest_report_seconds / 10 from chat.tenant_stats(pg_temp.tenant())',
  'values (2::bigint, 720::bigint)', 'tenant_stats says how long the oldest open report has been waiting'
);

-- Taking up
select tests.act_as('Rea');
select tests.looks_absent(
  'select chat.take_report(pg_temp.tenant(), %L)', pg_temp.report('rude'), 'somebody who moderates nothing takes up no report'
);
select tests.act_as('Bob');
select tests.looks_absent(
  'select chat.take_report(pg_temp.tenant(), %L)', pg_temp.report(null), 'nobody takes up a report about themselves'
);
select tests.watch('trip', 'Lea', 'Cat', 'Ann', 'Bob');
select tests.costs('Bob', 1, $$ select chat.take_report(pg_temp.tenant(), pg_temp.report('rude')) $$, 'taking a report up costs 1');
select tests.costs('Ann', 0, $$ select chat.take_report(pg_temp.tenant(), pg_temp.report('rude')) $$, 'a report that is taken up already costs nothing');
select tests.act_as('Ann');
select results_eq(
  $$ select r.taken_by, r.taken_at between now() and clock_timestamp(), r.resolved_at is null from chat.list_reports(pg_temp.tenant()) as r where r.body = 'rude' $$,
  $$ values (tests.id_of('Bob'), true, true) $$, 'the queue says who took a report up first, and when'
);
select tests.changed_nothing('a report that is taken up moves no stream, and nobody is told of it');
select results_eq(
  'select open_reports from chat.tenant_stats(pg_temp.tenant())', 'values (2::bigint)', 'a report that is taken up is still open'
);

-- The end
select tests.act_as('Bob');
select tests.watch('trip', 'Lea', 'Cat', 'Ann', 'Bob');
select is(
  (
    select row(r.resolved_by, r.resolution, r.resolved_at > r.taken_at)::text
    from chat.resolve_report(pg_temp.tenant(), pg_temp.report('rude'), 'removed') as r
  ),
  row(tests.id_of('Bob'), 'removed', true)::text, 'a report is resolved with what was done'
);
select tests.took_one_user_number('Lea', 'the person who reported is told in their own stream');
select tests.moved('{"Lea": 1}', 'the end of a report is told to nobody else');
select tests.watch('Lea');
select is(
  (chat.resolve_report(pg_temp.tenant(), pg_temp.report('rude'), 'other')).resolution, 'removed',
  'a report that is resolved stays as it is'
);
select tests.changed_nothing('a report that is resolved tells nobody again');
select tests.act_as('Lea');
select is(
  (
    select row(n.kind, n.room_id, n.message_seq, n.actor_id, n.data)::text
    from chat.list_notifications(page_size => 1) as n
  ),
  row(
    'report', tests.room('trip'), pg_temp.rude(), null::uuid,
    jsonb_build_object(
      'tenant_id', pg_temp.tenant(), 'report_id', pg_temp.report('rude'), 'user_id', tests.id_of('Cat'),
      'resolution', 'removed'
    )
  )::text,
  'the notification says what was done, and not who did it'
);
select tests.act_as('Ann');
select results_eq(
  'select body, resolved_at is null from chat.list_reports(pg_temp.tenant())',
  $$ values (null, true), ('rude', false) $$, 'open reports come before those that are resolved'
);
select results_eq(
  'select open_reports from chat.tenant_stats(pg_temp.tenant())', 'values (1::bigint)', 'a resolved report is not counted'
);
select tests.lets(
  'Lea', 'select chat.report_message(tests.room(''trip''), pg_temp.rude(), ''spam'')',
  'what was resolved can be reported again'
);
select is(
  tests.as_owner('select count(*) from chat.reports where reporter_id = tests.id_of(''Lea'')')::integer, 3,
  'what is reported again is another report'
);

-- Who resolves, and what is refused
select tests.act_as('Ann');
select tests.looks_absent(
  'select chat.resolve_report(%L, pg_temp.report(''polite''), ''x'')', md5('elsewhere')::uuid,
  'a report is found in its own tenant alone'
);
select tests.act_as('Rea');
select tests.looks_absent(
  'select chat.resolve_report(pg_temp.tenant(), %L, ''x'')', pg_temp.report('polite'),
  'somebody who moderates nothing resolves no report'
);
select tests.refuses(
  'Bob', 'invalid_input', $$ select chat.resolve_report(pg_temp.tenant(), pg_temp.report('polite'), ' ') $$,
  'a report does not end without a word'
);
select tests.refuses(
  'Lea', 'invalid_input', $$ select chat.report_user(tests.id_of('Cat'), '') $$, 'nobody is reported without a reason'
);
select tests.refuses(
  'Cat', 'invalid_input', $$ select chat.report_message(tests.room('trip'), pg_temp.rude(), 'spam') $$,
  'nobody reports a message of their own'
);
select tests.refuses(
  'Cat', 'invalid_input', $$ select chat.report_user(tests.id_of('Cat'), 'spam') $$, 'nobody reports themselves'
);
select tests.refuses(
  'Cat', 'message_not_found', $$ select chat.report_message(tests.room('trip'), 999, 'spam') $$,
  'a message that is not there is not reported'
);
select tests.refuses(
  'Cat', 'message_not_found',
  $$
    select chat.report_message(
      tests.room('trip'), (select min(m.seq) from chat.messages as m where m.room_id = tests.room('trip') and m.kind = 'system'), 'x'
    )
  $$,
  'a message of the system is not reported'
);
select tests.strangers_find_nothing('select chat.report_message(%L, 1, ''spam'')', 'report_message');
select tests.act_as('Lea');
select tests.looks_absent(
  'select chat.report_user(%L, ''spam'')', tests.id_of('Tom'), 'nobody of another tenant is reported'
);
select tests.act_as('Cat');
select chat.delete_message(tests.room('trip'), pg_temp.rude());
select tests.refuses(
  'Bob', 'message_deleted', $$ select chat.report_message(tests.room('trip'), pg_temp.rude(), 'spam') $$,
  'a message that was deleted is not reported'
);

-- Muted, blocked, with several tenants
select tests.act_as('Bob');
select chat.mute_member(tests.room('trip'), tests.id_of('Lea'));
select tests.lets(
  'Lea',
  $$
    select chat.report_message(m.room_id, m.seq, 'spam')
    from chat.messages as m
    where m.room_id = tests.room('trip') and m.body = 'early'
  $$,
  'a muted member reports messages'
);
select tests.act_as('Cat');
select chat.block_user(tests.id_of('Lea'));
select tests.lets('Lea', $$ select chat.report_user(tests.id_of('Cat'), 'spam') $$, 'a blocked person reports the person who blocked them');
select tests.lets('Cat', $$ select chat.report_user(tests.id_of('Lea'), 'spam') $$, 'people report those whom they have blocked');
select tests.stop_acting();
insert into chat.tenants (tenant_id, name) values (md5('second')::uuid, 'Second');
insert into chat.tenant_members (tenant_id, user_id)
select md5('second')::uuid, tests.id_of(p.name) from unnest('{Abe,Rea}'::text[]) as p (name);
select tests.refuses(
  'Abe', 'tenant_required', $$ select chat.report_user(tests.id_of('Rea'), 'spam') $$,
  'people who share several tenants say to whose admins a report goes'
);
select tests.act_as('Abe');
select is(
  (chat.report_user(tests.id_of('Rea'), 'spam', md5('second')::uuid)).tenant_id, md5('second')::uuid,
  'a report goes to the tenant that was named'
);

-- Limits and prices
select tests.stop_acting();
update chat_private.settings set open_reports_per_person = 1;
select tests.refuses(
  'Abe', 'payload_too_large', $$ select chat.report_user(tests.id_of('Cat'), 'spam') $$,
  'somebody with too many open reports makes no other'
);
select tests.lets(
  'Abe', $$ select chat.report_user(tests.id_of('Rea'), 'spam', md5('second')::uuid) $$,
  'a report that is open already is no other'
);
select tests.stop_acting();
update chat_private.settings set open_reports_per_person = 100;
select tests.costs('Abe', 20, $$ select chat.report_user(tests.id_of('Cat'), 'spam') $$, 'a report costs 20');
select tests.costs('Abe', 0, $$ select chat.report_user(tests.id_of('Cat'), 'spam') $$, 'a report that is open already costs nothing');
select tests.costs('Ann', 2, $$ select chat.resolve_report(pg_temp.tenant(), pg_temp.report('polite'), 'removed') $$, 'resolving a report costs 2');
select results_eq(
  $$ select r.taken_by, r.resolved_by, r.taken_at = r.resolved_at from chat.list_reports(pg_temp.tenant()) as r where r.body = 'polite' $$,
  $$ values (tests.id_of('Ann'), tests.id_of('Ann'), true) $$, 'a report that nobody took up is taken up as it is resolved'
);
select tests.costs('Bob', 0, $$ select chat.take_report(pg_temp.tenant(), pg_temp.report('polite')) $$, 'a report that is resolved is not taken up');

-- Signed out
select tests.act_as_nobody();
select throws_ok(n.call, '42501', 'permission denied for function ' || n.name, 'signed-out people may not call ' || n.name)
from (
  values
  ('report_message', 'select chat.report_message(gen_random_uuid(), 1, ''x'')'),
  ('report_user', 'select chat.report_user(gen_random_uuid(), ''x'')'),
  ('list_reports', 'select chat.list_reports(gen_random_uuid())'),
  ('take_report', 'select chat.take_report(gen_random_uuid(), gen_random_uuid())'),
  ('resolve_report', 'select chat.resolve_report(gen_random_uuid(), gen_random_uuid(), ''x'')')
) as n (name, call);

select * from finish();
rollback;
