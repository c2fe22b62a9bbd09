-- set_room_preferences: how a person wants a room, for themselves alone.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

-- Cat, who has said nothing yet
select tests.act_as('Cat');
select tests.watch('Cat');
select is(
  to_jsonb(p),
  jsonb_build_object(
    'user_id', tests.id_of('Cat'), 'room_id', tests.room('hall'), 'notify', 'all',
    'snoozed_until', null, 'archived', false, 'pinned', false, 'rev', 0
  ),
  'who sets nothing gets the defaults'
)
from chat.set_room_preferences(tests.room('hall')) as p;
select lives_ok(
  format('select chat.set_room_preferences(%L, %s)', tests.room('hall'), arguments),
  format('setting %s, as it is', arguments)
)
from unnest(array[
  'notify => ''all''', 'archived => false', 'pinned => false', 'snoozed_until => ''-infinity''',
  '''all'', ''2001-01-01'', false, false'
]) as a (arguments);
select tests.changed_nothing('changes nothing');
select is_empty('select from chat.room_preferences', 'and writes nothing');
select tests.watch('Cat');
select chat.set_room_preferences(tests.room('hall'), pinned => true);
select tests.took_one_user_number('Cat', 'the first change is one');
select tests.watch('Cat');
select is(
  (chat.set_room_preferences(tests.room('hall'), pinned => false)).pinned, false, 'and so is the way back'
);
select tests.took_one_user_number('Cat', 'to the defaults');

-- Cat
select tests.watch('trip', 'Cat', 'Ann');
select is(
  (chat.set_room_preferences(tests.room('trip'), 'mentions', '2100-01-01', true, true)).notify, 'mentions',
  'the preferences are what was said'
);
select tests.took_one_user_number('Cat', 'they take one number in the own stream');
select tests.moved('{"Cat": 1}', 'and none in the room''s');
select tests.watch('trip', 'Cat');
select lives_ok(
  format('select chat.set_room_preferences(%L, %s)', tests.room('trip'), arguments), 'saying it again'
)
from (
  values
  ('''mentions'', ''2100-01-01'', true, true'), ('null, null, null, null'), ('pinned => true')
) as a (arguments);
select tests.changed_nothing('changes nothing');
select results_eq(
  format('select notify, snoozed_until, archived, pinned from chat.set_room_preferences(%L, pinned => false)', tests.room('trip')),
  $$ values ('mentions', '2100-01-01'::timestamptz, true, false) $$, 'what is left out stays'
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
  '9999-12-31 00:00:00+00', 'infinity is as long as dates last'
);
select tests.took_one_user_number('Cat', 'and a change');
select tests.watch('Cat');
select is(
  (chat.set_room_preferences(tests.room('trip'), snoozed_until => until)).snoozed_until,
  '9999-12-31 00:00:00+00', format('%s is as long', until)
)
from unnest(array['infinity', '200000-01-01', '10000-01-01']::timestamptz[]) as u (until);
select tests.changed_nothing('and no change');
select is(
  (chat.set_room_preferences(tests.room('trip'), snoozed_until => '9999-12-30 00:00:00+00')).snoozed_until,
  '9999-12-30 00:00:00+00', 'what clients can parse is kept as it is'
);
select throws_ok(
  $$ select chat.set_room_preferences(tests.room('trip'), 'loud') $$, 'PT400', 'invalid_input',
  'notify is one of three'
);
select tests.lets('Rea', $$ select chat.set_room_preferences(tests.room('trip'), 'none') $$, 'a reader has preferences');
select tests.lets('Cat', $$ select chat.set_room_preferences(tests.room('pair'), 'none') $$, 'of a direct room as well');

-- Others
select tests.act_as('Ann');
select is_empty($$ select from chat.room_preferences $$, 'nobody sees those of others');
select tests.act_as('Cat');
select isnt_empty($$ select from chat.room_preferences $$, 'everybody sees their own');
select throws_ok(
  $$ update chat.room_preferences set pinned = true $$, '42501',
  'permission denied for table room_preferences', 'nobody writes them'
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
  'permission denied for table room_preferences', 'and read nothing'
);

select * from finish();
rollback;
