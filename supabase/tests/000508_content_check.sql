-- content_check: the adopter's own rule about what may be said.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

-- A rule that knows one bad word, remembers what it was asked, and fails on demand.
create schema app;
create table app.asked (
  place serial primary key, room_id uuid, sender_id uuid, body text, attachments jsonb, metadata jsonb,
  asked_as text
);
create function app.check(room_id uuid, sender_id uuid, body text, attachments jsonb, metadata jsonb)
returns text
language plpgsql
volatile
as $$
begin
  insert into app.asked (room_id, sender_id, body, attachments, metadata, asked_as)
  values (
    "check".room_id, "check".sender_id, "check".body, "check".attachments, "check".metadata, current_user
  );
  if "check".body = 'slow' then
    perform pg_sleep(0.03);
  end if;
  return case when "check".body ~ 'fail' then (1 / (length("check".body) - length("check".body)))::text when "check".body ~ 'bad' then 'no bad words' end;
end;
$$;

create function pg_temp.send(body text, room text default 'trip', client_id uuid default gen_random_uuid())
returns chat.messages
language sql
volatile
return chat.send_message(tests.room(room), body, client_id);

create function pg_temp.asked()
returns bigint
language sql
volatile
return tests.as_owner('select count(*) from app.asked')::bigint;

-- Without a rule
select tests.lets('Cat', $$ select pg_temp.send('bad') $$, 'without a rule anything may be said');
select tests.change_as_owner($$ update chat_private.settings set content_check = 'app.check' $$);

-- Sends
select tests.lets('Cat', $$ select pg_temp.send('good') $$, 'what the rule says nothing against is sent');
select results_eq(
  $$
    select tests.as_owner(
      'select row(room_id, sender_id, body, attachments, metadata, asked_as)::text from app.asked'
    )
  $$,
  $$
    values (
      row(
        tests.room('trip'), tests.id_of('Cat'), 'good', '[]'::jsonb, '{}'::jsonb, 'postgres'
      )::text
    )
  $$,
  'the rule is asked once, as postgres, with the room, the sender and the content'
);
select is(
  tests.refusal($$ select pg_temp.send('so bad') $$),
  jsonb_build_object(
    'code', 'PT422', 'slug', 'message_refused', 'detail', 'The message was refused: no bad words',
    'hint', 'Change it, then send it again.'
  ),
  'what the rule is against is refused with its reason'
);
select is(
  tests.refusal(format(
    $$ select chat.send_message(%L, 'bad', gen_random_uuid(), mentions => array[tests.id_of('Bob')]) $$,
    tests.room('hall')
  )) ->> 'slug',
  'message_refused', 'a message that mentions somebody is checked, too'
);
select tests.lets(
  'Cat',
  $$
    select chat.send_message(
      tests.room('trip'), '', gen_random_uuid(), attachments => '[{"link": "a"}]', metadata => '{"a": 1}'
    )
  $$,
  'a message with an attachment is sent'
);
select is(
  tests.as_owner('select row(attachments, metadata)::text from app.asked order by place desc limit 1'),
  row('[{"link": "a"}]'::jsonb, '{"a": 1}'::jsonb)::text,
  'the rule sees attachments and metadata'
);

-- Whom the rule is not asked about
select tests.act_as('Cat');
select pg_temp.send('fine', client_id => md5('kept')::uuid);
select tests.change_as_owner(
  $$ create or replace function app.check(room_id uuid, sender_id uuid, body text, attachments jsonb, metadata jsonb)
     returns text language sql as 'select ''closed today''' $$
);
select is(
  (pg_temp.send('fine', client_id => md5('kept')::uuid)).body, 'fine',
  'a retry of what was sent gets its message, whatever the rule says by now'
);
select tests.refuses(
  'Cat', 'message_refused', $$ select pg_temp.send('new') $$, 'a new message meets the rule as it is now'
);
select tests.refuses(
  'Dan', 'room_not_found', $$ select pg_temp.send('new') $$, 'a stranger is told that there is no room'
);
select tests.refuses(
  'Cat', 'message_too_long', $$ select pg_temp.send(repeat('x', 8001)) $$,
  'what is no message is refused before the rule is asked'
);
select tests.act_as('Cat');
select results_eq(
  format(
    $$
      select o.outcome, o.reason
      from chat.send_messages('[
        {"room_id": "%1$s", "client_id": "%2$s", "body": "fine"},
        {"room_id": "%1$s", "client_id": "%3$s", "body": "new"},
        {"room_id": "%4$s", "client_id": "%3$s", "body": "new"}
      ]') as o
    $$,
    tests.room('trip'), md5('kept')::uuid, md5('another')::uuid, gen_random_uuid()
  ),
  $$
    values
    ('duplicate', null::text), ('rejected', 'message_refused'), ('rejected', 'room_not_found')
  $$,
  'a batch is checked item by item, without what was sent before'
);
select tests.change_as_owner(
  $$ create or replace function app.check(room_id uuid, sender_id uuid, body text, attachments jsonb, metadata jsonb)
     returns text language plpgsql as 'begin
       insert into app.asked (body) values (body);
       if body = ''slow'' then perform pg_sleep(0.03); end if;
       return case when body ~ ''fail'' then (1 / (length(body) - length(body)))::text when body ~ ''bad'' then ''no bad words'' end;
     end' $$
);
select results_eq(
  format(
    $$
      select o.outcome, o.reason
      from chat.send_messages('[
        {"room_id": "%1$s", "client_id": "%2$s", "body": "good"},
        {"room_id": "%1$s", "client_id": "%3$s", "body": "bad"},
        {"room_id": "%1$s", "client_id": "%4$s", "body": "better"}
      ]') as o
    $$,
    tests.room('trip'), gen_random_uuid(), gen_random_uuid(), gen_random_uuid()
  ),
  $$ values ('sent', null::text), ('rejected', 'message_refused'), ('sent', null::text) $$,
  'one refused item of a batch stops nothing but itself'
);

-- Edits
create function pg_temp.edit(body text)
returns chat.messages
language sql
volatile
return chat.edit_message(
  tests.room('trip'),
  (select m.seq from chat.messages as m where m.client_id = md5('kept')::uuid),
  body
);
select tests.refuses(
  'Cat', 'message_refused', $$ select pg_temp.edit('bad') $$, 'an edit that the rule is against is refused'
);
select tests.lets('Cat', $$ select pg_temp.edit('finer') $$, 'an edit that it says nothing against is made');
select is(pg_temp.asked(), (select pg_temp.asked() from pg_temp.edit('finer')), 'an edit that changes nothing is not checked');
select tests.refuses(
  'Bob', 'not_allowed', $$ select pg_temp.edit('bad') $$, 'an edit of somebody else''s message is refused as before'
);
select tests.refuses(
  'Cat', 'invalid_input', $$ select pg_temp.edit('') $$, 'an edit that says nothing is refused as before'
);

-- Imports
select tests.stop_acting();
insert into chat.rooms (id, tenant_id, kind, name)
values (md5('imported')::uuid, '00000000-0000-0000-0000-000000000001', 'group', 'Imported');
create function pg_temp.import(body text, client_id uuid default md5('first')::uuid)
returns chat.rooms
language sql
volatile
return chat.import_messages(
  md5('imported')::uuid,
  jsonb_build_array(jsonb_build_object(
    'client_id', client_id, 'sender_id', tests.id_of('Cat'), 'body', body,
    'created_at', '2024-05-01T10:00:00Z'
  ))
);
select tests.act_as_service();
select is(
  tests.refusal($$ select pg_temp.import('bad') $$) ->> 'detail',
  'Item 1 (client_id <id>): The message was refused: no bad words',
  'an import is refused as a whole, and the refusal names the item'
);
select is(
  tests.refusal($$ select pg_temp.import('good') $$), null, 'an import that the rule says nothing against is taken'
);
select is(
  pg_temp.asked(), (select pg_temp.asked() from pg_temp.import('good')), 'what was imported before is not checked again'
);
select is(
  tests.refusal(format(
    $$ select chat.import_messages(%L, '[{"client_id": "%s", "sender_id": "%s", "body": "bad", "created_at": "2024-05-01T10:00:00Z"}]') $$,
    gen_random_uuid(), gen_random_uuid(), gen_random_uuid()
  )) ->> 'slug',
  'room_not_found', 'an import into no room is refused as before'
);

-- A rule that fails or is slow
select tests.stop_acting();
select is_empty('select error from chat_private.failed_checks', 'a rule that works is counted nowhere');
delete from chat_private.slow_checks;
select tests.lets('Cat', $$ select pg_temp.send('fail') $$, 'a rule that fails lets the message pass');
select tests.lets('Cat', $$ select pg_temp.send('slow') $$, 'a slow rule holds up a message and no more');
select tests.stop_acting();
select results_eq(
  'select room_id, error from chat_private.failed_checks',
  $$ values (tests.room('trip'), 'division by zero') $$, 'what went wrong with a rule is kept'
);
select results_eq(
  'select room_id, milliseconds between 30 and 10000 from chat_private.slow_checks',
  $$ values (tests.room('trip'), true) $$, 'how long a slow rule took is kept'
);
update chat_private.settings set on_check_failure = 'refuse';
select tests.refuses(
  'Cat', 'message_refused', $$ select pg_temp.send('fail') $$,
  'a rule that fails refuses the message where the setting says so'
);
select tests.lets('Cat', $$ select pg_temp.send('good') $$, 'a rule that works lets messages pass as before');
select tests.stop_acting();
update chat_private.settings set content_check = 'app.nothing';
select tests.refuses(
  'Cat', 'message_refused', $$ select pg_temp.send('good') $$, 'a rule that is not there fails'
);
select tests.stop_acting();
select throws_ok(
  format('update chat_private.settings set content_check = %L', n.name), '23514', null,
  format('%s is no name of a rule', n.name)
)
from unnest(array['check', 'app.check(1)', 'app.check; drop table x', 'a.b.c', 'app."check"', '']) as n (name);

-- Opaque rooms
update chat_private.settings set content_check = 'app.check', on_check_failure = 'allow';
select tests.act_as('Cat');
select tests.remember('vault', (chat.create_room('Vault', is_opaque => true)).id);
select tests.lets('Cat', $$ select pg_temp.send('bad', 'vault') $$, 'in an opaque room the rule is not asked about a send');
select tests.lets('Cat', $$ select chat.edit_message(tests.room('vault'), 1, 'bad again') $$, 'in an opaque room the rule is not asked about an edit');
select tests.refuses('Cat', 'message_refused', $$ select pg_temp.send('bad') $$, 'in other rooms the rule is asked meanwhile');
select tests.stop_acting();

-- Maintenance
update chat_private.failed_checks set failed_at = now() - interval '8 days';
update chat_private.slow_checks set checked_at = now() - interval '6 days';
update chat_private.check_counts set counted_at = now() - interval '2 days';
select is(
  (chat_private.run_maintenance() ->> 'checks_forgotten')::integer, 1,
  'maintenance forgets what went wrong with a rule a week ago'
);
select is(
  (select counted_at > now() - interval '1 minute' from chat_private.check_counts), true,
  'maintenance notes every day how many failures were counted'
);

select * from finish();
rollback;
