-- Reactions: one emoji per person and message, as often as there are emoji.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
select tests.act_as('Ann');
select chat.send_message(room_id, 'said', md5('said')::uuid) from tests.rooms;
select tests.stop_acting();
create temp table said as
select r.name, r.room_id, m.seq
from tests.rooms as r join chat.messages as m on m.room_id = r.room_id and m.client_id = md5('said')::uuid;
grant select on said to public;

-- Rea, a reader
select tests.takes_one_number_everywhere(
  'Rea', $$ select chat.add_reaction(room_id, seq, '👍') from said where room_id = %L $$, 'a reaction takes one number'
);
select tests.changes_nothing_anywhere(
  'Rea', $$ select chat.add_reaction(room_id, seq, '👍') from said where room_id = %L $$, 'the same again changes nothing'
);
select tests.takes_one_number_everywhere(
  'Cat', $$ select chat.add_reaction(room_id, seq, '👍') from said where room_id = %L $$, 'somebody else''s is another'
);
select tests.takes_one_number_everywhere(
  'Rea', $$ select chat.remove_reaction(room_id, seq, '👍') from said where room_id = %L $$, 'taking it back takes one number'
);
select tests.changes_nothing_anywhere(
  'Rea', $$ select chat.remove_reaction(room_id, seq, '👍') from said where room_id = %L $$, 'taking it back again changes nothing'
);
select tests.changes_nothing_anywhere(
  'Rea', $$ select chat.remove_reaction(room_id, seq, '🎉') from said where room_id = %L $$, 'nor does taking back what was never there'
);
select set_eq(
  $$ select user_id, emoji, removed_at is null from chat.reactions where room_id = tests.room('trip') $$,
  $$ values (tests.id_of('Rea'), '👍', false), (tests.id_of('Cat'), '👍', true) $$, 'what was taken back stays as removed'
);
select tests.takes_one_number_everywhere(
  'Rea', $$ select chat.add_reaction(room_id, seq, '👍') from said where room_id = %L $$, 'it may come again'
);

-- What is one emoji
select tests.lets(
  'Cat', format('select chat.add_reaction(%L, %s, %L)', s.room_id, s.seq, e.emoji), format('%s is one', e.emoji)
)
from said as s,
  unnest(array[
    '❤️', '👍🏽', '👨‍👩‍👧‍👦', '👩🏽‍⚕️', '❤️‍🔥', '🏳️‍🌈', '🇩🇪', '🇦', '🏻', '🏽', '🏿', '1️⃣', '🏴󠁧󠁢󠁥󠁮󠁧󠁿', '✓', 'é', 'a'
  ]) as e (emoji)
where s.name = 'hall';
select tests.refuses(
  'Cat', 'invalid_input', format('select chat.add_reaction(%L, %s, %L)', s.room_id, s.seq, e.emoji),
  format('%s is not one', to_json(e.emoji))
)
from said as s,
  unnest(array[
    '', ' ', '👍👍', 'ab', E'\n', E'\u200D', E'\u202E', '🇩🇪🇫', '🇩🇪🇫🇷', '👍 ', null, '<b>', repeat('x', 10000), E'\u0301',
    E'a\u200Db', E'a\u200D👍', E'👍\u200Da', E'👍\u200D', '🏽👍', '🏽🏽'
  ]) as e (emoji)
where s.name = 'hall';
select tests.lets(
  'Cat', format('select chat.add_reaction(%L, %s, %L)', s.room_id, s.seq, chr(9312 + n)), 'different ones add up'
)
from said as s, generate_series(1, 20) as n
where s.name = 'trip' and n <= 19;
select tests.refuses(
  'Cat', 'payload_too_large', format('select chat.add_reaction(%L, %s, %L)', s.room_id, s.seq, '🎉'), 'to 20'
)
from said as s where s.name = 'trip';
select tests.lets(
  'Abe', format('select chat.add_reaction(%L, %s, %L)', s.room_id, s.seq, '👍'), 'who joins in adds none'
)
from said as s where s.name = 'trip';

-- What may be answered
select tests.refuses(
  'Cat', 'message_not_found', format('select chat.%s(%L, %s, ''👍'')', call, tests.room('trip'), seq), format('%s: %s', call, title)
)
from unnest(array['add_reaction', 'remove_reaction']) as c (call),
  lateral (
    values
    ('100000', 'what does not exist'), ('null', 'null'),
    ((select min(seq)::text from chat.messages where room_id = tests.room('trip') and kind = 'system'), 'what the room says')
  ) as v (seq, title);
select tests.act_as('Lea');
select is(
  tests.refusal(format('select chat.add_reaction(%L, %s, ''👍'')', tests.room('late'), m.visible_after_seq)) ->> 'slug',
  'message_not_found', 'I8: a message from before one''s time does not exist'
)
from chat.room_members as m where m.room_id = tests.room('late') and m.user_id = tests.id_of('Lea');

-- Who reads reactions
select isnt_empty($$ select from chat.reactions where room_id = tests.room('trip') $$, 'a member reads them');
select tests.act_as('Ann');
select chat.add_reaction(m.room_id, m.seq, '👍') from chat.messages as m where m.room_id = tests.room('late') and m.body = 'early';
select tests.act_as('Lea');
select is_empty(
  $$
    select from chat.reactions as e
    where e.room_id = tests.room('late')
      and e.seq <= (select m.visible_after_seq from chat.room_members as m where m.room_id = e.room_id and m.user_id = tests.id_of('Lea'))
  $$,
  'but not those on what they may not read'
);
select tests.act_as('Dan');
select is_empty('select from chat.reactions', 'a stranger reads none');
select tests.act_as('Xen');
select is_empty('select from chat.reactions', 'nor an ex-member');
select throws_ok(
  'delete from chat.reactions', '42501', 'permission denied for table reactions', 'nobody writes one'
);

-- Fences
select tests.act_as('Ann');
select chat.mute_member(tests.room('trip'), tests.id_of('Cat'));
select chat.archive_room(tests.room('hall'));
select chat.delete_message(s.room_id, s.seq) from said as s where s.name = 'plaza';
select chat.remove_member(tests.room('late'), tests.id_of('Cat'));
select tests.refuses('Cat', slug, format('select chat.add_reaction(%L, %s, ''🎉'')', s.room_id, s.seq), title)
from (
  values
  ('trip', 'member_muted', 'I3: who is muted does not react'), ('hall', 'room_archived', 'I3: nobody does in an archived room'),
  ('plaza', 'message_deleted', 'nor to what was deleted'), ('late', 'room_not_found', 'I3: nor as an ex-member')
) as f (name, slug, title)
join said as s on s.name = f.name;
select tests.refuses('Cat', slug, format('select chat.remove_reaction(%L, %s, ''👍'')', s.room_id, s.seq), title)
from (
  values
  ('trip', 'member_muted', 'I3: who is muted takes nothing back'), ('hall', 'room_archived', 'I3: nor in an archived room')
) as f (name, slug, title)
join said as s on s.name = f.name;

-- Strangers, ex-members, other tenants
select tests.strangers_find_nothing(format('select chat.%s(%%L, 1, ''👍'')', call), call)
from unnest(array['add_reaction', 'remove_reaction']) as c (call);

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  format('select chat.%s(tests.room(''trip''), 1, ''👍'')', call), '42501',
  format('permission denied for function %s', call), format('signed-out people: no %s', call)
)
from unnest(array['add_reaction', 'remove_reaction']) as c (call);

select * from finish();
rollback;
