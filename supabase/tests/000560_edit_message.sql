-- edit_message: change what I said; what it was stays on record.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
select tests.act_as('Cat');
select chat.send_message(room_id, 'said', md5('said')::uuid, mentions => array[tests.id_of('Bob')]) from tests.rooms;

-- Slow mode
savepoint slow_mode; -- noqa: PRS
select tests.act_as('Ann');
select chat.update_room(tests.room('trip'), slow_mode_seconds => 600), chat.send_message(tests.room('trip'), 'mine', md5('mine')::uuid);
create function pg_temp.edits(name text, body text)
returns text
language plpgsql
as $$
begin
  perform tests.act_as(edits.name);
  return (
    select tests.slug_of(tests.refusal(format('select chat.edit_message(%L, %s, %L)', m.room_id, m.seq, edits.body)))
    from chat.messages as m
    where m.room_id = tests.room('trip') and m.sender_id = tests.id_of(edits.name)
      and m.client_id in (md5('said')::uuid, md5('mine')::uuid)
  );
end;
$$;
select is(pg_temp.edits('Cat', 'one'), 'slow_down', 'an edit waits for what was said before slow mode began');
select tests.change_as_owner('update chat_private.rate_buckets set full_at = full_at - interval ''600 s''');
select is(pg_temp.edits('Cat', 'one'), null, 'slow mode lets one edit through');
select is(pg_temp.edits('Cat', 'one'), null, 'saying the same again is no edit');
select is(pg_temp.edits('Cat', 'two'), 'slow_down', 'slow mode does not let the next edit through');
select is(
  tests.slug_of(tests.refusal('select chat.send_message(tests.room(''trip''), ''x'', gen_random_uuid())')), 'slow_down',
  'slow mode does not let a message after an edit through'
);
select tests.change_as_owner('update chat_private.rate_buckets set full_at = full_at - interval ''600 s''');
select tests.lets('Cat', 'select chat.send_message(tests.room(''trip''), ''x'', gen_random_uuid())', 'a message waits until the interval has passed');
select is(pg_temp.edits('Cat', 'two'), 'slow_down', 'an edit waits for the message before it');
select is(pg_temp.edits('Ann', body), null, 'moderators are not slowed') from unnest(array['one', 'two']) as b (body);
rollback to slow_mode;

-- What it costs
savepoint prices; -- noqa: PRS
select tests.costs('Cat', price, format($$
  select chat.edit_message(room_id, seq, %s) from chat.messages
  where room_id = tests.room(%L) and client_id = md5('said')::uuid
$$, body, room), title)
from (
  values
  ('trip', '''short''', 1, 'a short edit costs 1'),
  ('trip', '''short''', 0, 'an edit to the same text is free'),
  ('trip', 'repeat(''x'', 8000)', 12, 'a long edit costs 1 for every 4 KB to somebody'),
  ('trip', 'repeat(''y'', 8000)', 24, 'what the message said before counts as well'),
  ('hall', 'repeat(''x'', 8000)', 2, 'an edit in a large room has one copy')
) as c (room, body, price, title);
rollback to prices;

-- Whom an edit mentions
savepoint mentions; -- noqa: PRS
create function pg_temp.edit(body text, options text default '')
returns chat.messages
language plpgsql
as $$
declare
  v_message chat.messages;
begin
  perform tests.act_as('Cat');
  execute format(
    'select e.* from chat.messages as m cross join lateral chat.edit_message(m.room_id, m.seq, %L %s) as e
     where m.room_id = tests.room(''trip'') and m.client_id = md5(''said'')::uuid', edit.body, edit.options
  ) into v_message;
  return v_message;
end;
$$;
create function pg_temp.called(name text)
returns bigint
language plpgsql
as $$
begin
  perform tests.act_as(called.name);
  return (
    select count(*) from chat.list_notifications() as n
    join chat.messages as m on m.room_id = n.room_id and m.seq = n.message_seq
    where n.room_id = tests.room('trip') and m.client_id = md5('said')::uuid
  );
end;
$$;
select is(pg_temp.called('Bob'), 1::bigint, 'Bob is mentioned and notified');
select tests.watch('trip', 'Ann', 'Bob', 'Cat', 'Rea');
select is(
  (pg_temp.edit('hi Ann', ', mentions => array[tests.id_of(''Ann''), tests.id_of(''Dan'')]')).mentions,
  array[tests.id_of('Ann')], 'an edit changes whom a message mentions, and leaves out people who are not in the room'
);
select tests.took_one_number('trip', 'an edit of mentions takes one number');
select tests.took_one_user_number('Ann', 'somebody who is mentioned by an edit is told in their own stream');
select tests.moved('{"trip": 1, "Ann": 1}', 'somebody who is not mentioned any more is told nothing, because the message says it');
select is(pg_temp.called('Ann'), 1::bigint, 'somebody who is mentioned by an edit has a notification');
select is(pg_temp.called('Bob'), 0::bigint, 'the notification of somebody who is not mentioned any more is over');
select is_empty(
  $$ select from chat.notifications where user_id = tests.id_of('Bob') and kind = 'mention' and room_id = tests.room('trip') $$,
  'the notification of a mention that was taken out is not read from the table either'
);
select is((pg_temp.edit('hi again')).mentions, array[tests.id_of('Ann')], 'an edit without mentions leaves them as they are');
select is(pg_temp.called('Ann'), 1::bigint, 'somebody who stays mentioned is not told again');
select tests.watch('trip', 'Ann', 'Bob', 'Cat', 'Rea');
select is(
  (pg_temp.edit('hi again', ', mentions => array[tests.id_of(''Ann''), tests.id_of(''Ann'')]')).body, 'hi again', 'an edit may name the same people again'
);
select tests.changed_nothing('an edit that says and mentions the same changes nothing');
select is(
  (pg_temp.edit('hi again', ', mentions => array[tests.id_of(''Bob''), tests.id_of(''Ann'')]')).mentions,
  (select array_agg(p.id order by p.id) from unnest(array[tests.id_of('Ann'), tests.id_of('Bob')]) as p (id)),
  'an edit of the mentions alone leaves the text'
);
select tests.moved('{"trip": 1, "Bob": 1}', 'only somebody who is newly mentioned is told');
select is(pg_temp.called('Bob'), 1::bigint, 'somebody who is mentioned again has one notification of it, not two');
select is(
  (select n.read_at from chat.list_notifications() as n where n.kind = 'mention' and n.room_id = tests.room('trip')), null,
  'the notification of a repeated mention is unread'
);
select is((pg_temp.edit('hi', ', mentions => ''{}''')).mentions, '{}', 'an empty list takes all mentions out');
select is(pg_temp.called(name), 0::bigint, format('the notification of %s is over when all mentions are taken out', name)) from unnest(array['Ann', 'Bob']) as n (name);
select tests.refuses('Cat', 'too_many_mentions', format(
  'select chat.edit_message(%L, %s, ''x'', mentions => array(select gen_random_uuid() from generate_series(1, 51)))', m.room_id, m.seq
), 'an edit mentions at most 50 people')
from chat.messages as m where m.room_id = tests.room('trip') and m.client_id = md5('said')::uuid;
select tests.costs('Cat', 3, format(
  'select chat.edit_message(%L, %s, ''hi two'', mentions => array[tests.id_of(''Ann''), tests.id_of(''Bob'')])', m.room_id, m.seq
), 'everybody whom an edit notifies costs 1')
from chat.messages as m where m.room_id = tests.room('trip') and m.client_id = md5('said')::uuid;
select tests.act_as('Bob');
select chat.send_message(tests.room('trip'), 'all', md5('all')::uuid, mention_all => true);
select chat.edit_message(m.room_id, m.seq, 'everybody', mentions => array[tests.id_of('Rea')])
from chat.messages as m where m.room_id = tests.room('trip') and m.client_id = md5('all')::uuid;
select tests.act_as('Cat');
select isnt_empty(
  $$
    select from chat.list_notifications() as n join chat.messages as m on m.room_id = n.room_id and m.seq = n.message_seq
    where m.client_id = md5('all')::uuid
  $$,
  'a message that calls everybody calls them whoever it mentions besides'
);
rollback to mentions;

-- Metadata
savepoint metadata; -- noqa: PRS
create function pg_temp.edit(options text)
returns jsonb
language plpgsql
as $$
declare
  v_metadata jsonb;
begin
  perform tests.act_as('Cat');
  execute format(
    'select e.metadata from chat.messages as m cross join lateral chat.edit_message(m.room_id, m.seq, %s) as e
     where m.room_id = tests.room(''trip'') and m.client_id = md5(''said'')::uuid', edit.options
  ) into v_metadata;
  return v_metadata;
end;
$$;
select is(pg_temp.edit('''said'', metadata => ''{"state": "open"}'''), '{"state": "open"}', 'an edit sets metadata');
select is(pg_temp.edit('''said again'''), '{"state": "open"}', 'an edit without metadata leaves them as they are');
select tests.watch('trip');
select is(pg_temp.edit('''said again'', metadata => ''{"state": "open"}'''), '{"state": "open"}', 'an edit may give the same metadata again');
select tests.changed_nothing('an edit that gives the same metadata changes nothing');
select is(pg_temp.edit('''said again'', metadata => ''{}'''), '{}', 'an empty object clears the metadata');
select tests.took_one_number('trip', 'an edit of the metadata alone takes one number');
select results_eq(
  $$ select body from chat.message_edits where room_id = tests.room('trip') $$, $$ values ('said') $$,
  'only a text that changed is on record'
);
select tests.refuses('Cat', slug, format(
  'select chat.edit_message(%L, %s, ''x'', metadata => %L)', m.room_id, m.seq, value
), title)
from chat.messages as m,
  lateral (
    values
    ('[]', 'invalid_input', 'an edit gives no array as metadata'),
    (jsonb_build_object('x', repeat('x', 5000))::text, 'payload_too_large', 'an edit gives no metadata of 5 KB')
  ) as v (value, slug, title)
where m.room_id = tests.room('trip') and m.client_id = md5('said')::uuid;
rollback to metadata;

-- Cat, who wrote it
select tests.takes_one_number_everywhere(
  'Cat', $$
    select chat.edit_message(%1$L, (select max(seq) from chat.messages where room_id = %1$L and client_id = md5('said')::uuid), 'edited')
  $$, 'an edit takes one number'
);
select tests.changes_nothing_anywhere(
  'Cat', $$
    select chat.edit_message(%1$L, (select max(seq) from chat.messages where room_id = %1$L and client_id = md5('said')::uuid), 'edited')
  $$, 'the same words again change nothing'
);
select results_eq(
  $$
    select body, edited_at is not null, seq < (select last_seq + 1 from chat.rooms as r where r.id = m.room_id), mentions
    from chat.messages as m where m.room_id = tests.room('trip') and m.client_id = md5('said')::uuid
  $$,
  $$ values ('edited', true, true, array[tests.id_of('Bob')]) $$, 'an edited message keeps its place and says the new'
);
select results_eq(
  $$ select body, sender_id from chat.message_edits where room_id = tests.room('trip') $$,
  $$ values ('said', tests.id_of('Cat')) $$, 'the author reads what a message said before'
);
select tests.lets(
  'Cat', format(
    'select chat.edit_message(%L, %s, ''again'', %s)', tests.room('trip'), m.seq, m.rev
  ), 'an edit of what one saw goes through'
)
from chat.messages as m where m.room_id = tests.room('trip') and m.client_id = md5('said')::uuid;
select tests.refuses(
  'Cat', 'edit_conflict', format(
    'select chat.edit_message(%L, %s, ''third'', %s)', tests.room('trip'), m.seq, m.rev - 1
  ), 'an edit of what somebody no longer sees is refused'
)
from chat.messages as m where m.room_id = tests.room('trip') and m.client_id = md5('said')::uuid;
select tests.watch('trip');
select tests.lets(
  'Cat', format(
    'select chat.edit_message(%L, %s, ''again'', %s)', tests.room('trip'), m.seq, m.rev - 1
  ), 'a retry that finds its own edit is no conflict'
)
from chat.messages as m where m.room_id = tests.room('trip') and m.client_id = md5('said')::uuid;
select tests.changed_nothing('a retry that finds its own edit changes nothing');
select tests.refuses('Cat', slug, format('select chat.edit_message(%L, %s, %s)', tests.room('trip'), seq, body), title)
from (select m.seq from chat.messages as m where m.room_id = tests.room('trip') and m.client_id = md5('said')::uuid) as said,
  lateral (
    values
    ('invalid_input', 'null', 'an edit says something'), ('invalid_input', '''''', 'an edit is not empty'),
    ('invalid_input', 'U&''\200B''', 'an edit is not invisible'),
    ('message_too_long', 'repeat(''x'', 8001)', 'an edit is not too long')
  ) as v (slug, body, title);
select tests.refuses('Cat', slug, format('select chat.edit_message(%L, %s, ''x'')', tests.room('trip'), seq), title)
from (
  values
  ('message_not_found', '100000', 'what does not exist is not edited'),
  ('message_not_found', 'null', 'null is not edited'),
  ('message_not_found', (select min(seq)::text from chat.messages where room_id = tests.room('trip') and kind = 'system'),
    'nobody edits what the room says'),
  ('not_allowed', (select seq::text from chat.messages where room_id = tests.room('trip') and body = 'early'),
    'nobody edits what somebody else said')
) as v (slug, seq, title);

-- Ann, an owner; Bob, a moderator
select tests.refuses(name, 'not_allowed', format('select chat.edit_message(%L, %s, ''x'')', tests.room('trip'), said.seq),
  format('%s does not edit a message of Cat', name))
from (select m.seq from chat.messages as m where m.room_id = tests.room('trip') and m.client_id = md5('said')::uuid) as said,
  unnest(array['Ann', 'Bob']) as n (name);
select isnt_empty(
  $$ select from chat.message_edits where room_id = tests.room('trip') $$, 'a moderator reads what a message said before'
);
select tests.act_as('Rea');
select is_empty('select from chat.message_edits', 'other members do not read what a message said before');
select tests.act_as('Dan');
select is_empty('select from chat.message_edits', 'strangers do not read what was said before');

-- Lea, who came later, in a room without history
select tests.act_as('Lea');
select is(
  tests.refusal(format('select chat.edit_message(%L, %s, ''x'')', tests.room('late'), m.visible_after_seq)) ->> 'slug',
  'message_not_found', 'I8: a message from before one''s time does not exist'
)
from chat.room_members as m where m.room_id = tests.room('late') and m.user_id = tests.id_of('Lea');

-- Fences
select tests.stop_acting();
create temp table said as
select r.name, r.room_id, m.seq
from tests.rooms as r join chat.messages as m on m.room_id = r.room_id and m.client_id = md5('said')::uuid;
grant select on said to public;
select tests.act_as('Ann');
select chat.mute_member(tests.room('trip'), tests.id_of('Cat'));
select chat.archive_room(tests.room('hall'));
select chat.set_member_role(tests.room('tower'), tests.id_of('Cat'), 'reader');
select chat.delete_message(s.room_id, s.seq) from said as s where s.name = 'plaza';
select chat.remove_member(tests.room('late'), tests.id_of('Cat'));
select tests.refuses('Cat', slug, format('select chat.edit_message(%L, %s, ''x'')', s.room_id, s.seq), title)
from (
  values
  ('trip', 'member_muted', 'I3: somebody who is muted edits nothing'), ('hall', 'room_archived', 'I3: nobody edits in an archived room'),
  ('tower', 'not_allowed', 'a reader edits nothing'), ('plaza', 'message_deleted', 'nobody edits what was deleted'),
  ('late', 'room_not_found', 'I3: an ex-member edits nothing')
) as f (name, slug, title)
join said as s on s.name = f.name;

-- Strangers, ex-members, other tenants
select tests.strangers_find_nothing('select chat.edit_message(%L, 1, ''x'')', 'editing');

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  $$ select chat.edit_message(tests.room('trip'), 1, 'x') $$, '42501',
  'permission denied for function edit_message', 'signed-out people edit nothing'
);
select throws_ok(
  'select from chat.message_edits', '42501', 'permission denied for table message_edits', 'signed-out people read no edit'
);

select * from finish();
rollback;
