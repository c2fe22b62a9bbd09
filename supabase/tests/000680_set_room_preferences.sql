-- set_room_preferences: how a person wants a room, for themselves alone.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

-- What it costs
savepoint prices; -- noqa: PRS
select tests.costs('Cat', price, $$ select chat.set_room_preferences(tests.room('trip'), notify => 'none') $$, title)
from (values (1, 'a preference costs 1'), (0, 'setting a preference to what it is is free')) as c (price, title);
rollback to prices;

-- Cat, who has said nothing yet
select tests.act_as('Cat');
select tests.watch('Cat');
select is(
  to_jsonb(p),
  jsonb_build_object(
    'user_id', tests.id_of('Cat'), 'room_id', tests.room('hall'), 'notify', 'all',
    'snoozed_until', null, 'archived', false, 'pinned', false, 'rev', 0, 'marked_unread', false,
    'cleared_seq', 0
  ),
  'somebody who sets nothing gets the defaults'
)
from chat.set_room_preferences(tests.room('hall')) as p;
select lives_ok(
  format('select chat.set_room_preferences(%L, %s)', tests.room('hall'), arguments),
  format('setting %s where it is the default is not refused', arguments)
)
from unnest(array[
  'notify => ''all''', 'archived => false', 'pinned => false', 'snoozed_until => ''-infinity''',
  'marked_unread => false',
  '''all'', ''2001-01-01'', false, false'
]) as a (arguments);
select tests.changed_nothing('setting the defaults where nothing is set changes nothing');
select is_empty('select from chat.room_preferences', 'naming the defaults writes nothing');
select tests.watch('Cat');
select chat.set_room_preferences(tests.room('hall'), pinned => true);
select tests.took_one_user_number('Cat', 'the first change of preferences takes one number');
select tests.watch('Cat');
select is(
  (chat.set_room_preferences(tests.room('hall'), pinned => false)).pinned, false, 'a room that was pinned can be unpinned'
);
select tests.took_one_user_number('Cat', 'going back to the defaults takes one number');

-- Cat
select tests.watch('trip', 'Cat', 'Ann');
select is(
  (chat.set_room_preferences(tests.room('trip'), 'mentions', '2100-01-01', true, true)).notify, 'mentions',
  'the preferences are what was said'
);
select tests.took_one_user_number('Cat', 'preferences take one number in the person''s own stream');
select tests.moved('{"Cat": 1}', 'preferences take no number in the room''s stream');
select tests.watch('trip', 'Cat');
select lives_ok(
  format('select chat.set_room_preferences(%L, %s)', tests.room('trip'), arguments), 'preferences may be set to what they are'
)
from (
  values
  ('''mentions'', ''2100-01-01'', true, true'), ('null, null, null, null'), ('pinned => true')
) as a (arguments);
select tests.changed_nothing('setting preferences to what they are changes nothing');
select results_eq(
  format('select notify, snoozed_until, archived, pinned from chat.set_room_preferences(%L, pinned => false)', tests.room('trip')),
  $$ values ('mentions', '2100-01-01'::timestamptz, true, false) $$, 'preferences that are left out stay'
);
select results_eq(
  format(
    $$
      select (chat.set_room_preferences(tests.room('trip'), snoozed_until => until)).snoozed_until
      from unnest(array['2100-01-01', %L]::timestamptz[]) as u (until)
    $$, passed
  ),
  $$ values ('2100-01-01'::timestamptz), (null) $$, format('%s ends a snooze', passed)
)
from unnest(array['-infinity', '4000-01-01 BC', '2001-01-01']) as p (passed);
select tests.watch('Cat');
select is(
  (chat.set_room_preferences(tests.room('trip'), snoozed_until => 'infinity')).snoozed_until,
  '9999-12-31 00:00:00+00', 'a snooze until infinity lasts as long as dates do'
);
select tests.took_one_user_number('Cat', 'an endless snooze is a change');
select tests.watch('Cat');
select is(
  (chat.set_room_preferences(tests.room('trip'), snoozed_until => until)).snoozed_until,
  '9999-12-31 00:00:00+00', format('a snooze until %s lasts as long as dates do', until)
)
from unnest(array['infinity', '200000-01-01', '10000-01-01']::timestamptz[]) as u (until);
select tests.changed_nothing('the same endless snooze again is no change');
select is(
  (chat.set_room_preferences(tests.room('trip'), snoozed_until => '9999-12-30 00:00:00+00')).snoozed_until,
  '9999-12-30 00:00:00+00', 'an end of a snooze that clients can parse is kept as it is'
);
select tests.watch('trip', 'Cat', 'Ann');
select is(
  (chat.set_room_preferences(tests.room('trip'), marked_unread => true)).marked_unread, true, 'a room can be marked as unread'
);
select tests.moved('{"Cat": 1}', 'marking as unread takes one number in the own stream alone');
select is(
  (select (i.preferences ->> 'marked_unread')::boolean from chat.list_rooms() as i where i.room ->> 'id' = tests.room('trip')::text),
  true, 'the start screen says that it is marked'
);
select is(
  (chat.set_room_preferences(tests.room('trip'), marked_unread => false)).marked_unread, false, 'the mark can be taken back'
);
select throws_ok(
  $$ select chat.set_room_preferences(tests.room('trip'), 'loud') $$, 'PT400', 'invalid_input',
  'notify is all, mentions or none'
);
select tests.lets('Rea', $$ select chat.set_room_preferences(tests.room('trip'), 'none') $$, 'a reader has preferences');
select tests.lets('Cat', $$ select chat.set_room_preferences(tests.room('pair'), 'none') $$, 'a direct room has preferences as well');

-- Others
select tests.act_as('Ann');
select is_empty($$ select from chat.room_preferences $$, 'nobody sees the preferences of others');
select tests.act_as('Cat');
select isnt_empty($$ select from chat.room_preferences $$, 'everybody sees their own preferences');
select throws_ok(
  $$ update chat.room_preferences set pinned = true $$, '42501',
  'permission denied for table room_preferences', 'nobody writes preferences'
);

-- Strangers, ex-members, other tenants
select tests.strangers_find_nothing('select chat.set_room_preferences(%L, ''none'')', 'preferring');

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  $$ select chat.set_room_preferences(tests.room('trip')) $$, '42501',
  'permission denied for function set_room_preferences', 'signed-out people prefer nothing'
);
select throws_ok(
  $$ select from chat.room_preferences $$, '42501',
  'permission denied for table room_preferences', 'signed-out people read no preferences'
);

select * from finish();
rollback;
