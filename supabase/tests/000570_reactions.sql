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

-- How many
savepoint caps; -- noqa: PRS
select tests.change_as_owner('update chat_private.settings set emoji_per_message = 2, reactions_per_person = 3');
create function pg_temp.reacts(name text, emoji text)
returns text
language plpgsql
as $$
declare
  v_slug text;
begin
  perform tests.act_as(reacts.name);
  select tests.slug_of(tests.refusal(format('select chat.add_reaction(%L, %s, %L)', s.room_id, s.seq, reacts.emoji)))
  into v_slug from said as s where s.name = 'trip';
  if v_slug is null then
    perform chat.remove_reaction(s.room_id, s.seq, reacts.emoji) from said as s where s.name = 'trip';
  end if;
  return v_slug;
end;
$$;
select is(pg_temp.reacts('Cat', emoji), slug, title)
from (
  values
  ('a', null, 'a first emoji may be used'), ('b', null, 'a second emoji may be used'), ('c', null, 'a third emoji may be used'),
  ('d', 'payload_too_large', 'what somebody took back counts for them'), ('b', null, 'somebody may use again an emoji that they have used')
) as r (emoji, slug, title);
select is(pg_temp.reacts('Rea', 'd'), null, 'nobody else is held to the limit of one person');
select tests.lets(
  'Ann', format('select chat.add_reaction(%L, %s, %L)', s.room_id, s.seq, e.emoji), 'a reaction that was taken back does not count for the message'
)
from said as s, unnest(array['d', 'e']) as e (emoji) where s.name = 'trip';
select is(pg_temp.reacts('Rea', emoji), slug, title)
from (
  values ('f', 'payload_too_large', 'a message has no more emoji than the limit'), ('e', null, 'anybody may join in with an emoji that stands')
) as r (emoji, slug, title);
rollback to caps;

-- What it costs
savepoint prices; -- noqa: PRS
select tests.costs('Rea', price, format('select chat.%s(%L, %s, ''👍'')', call, s.room_id, s.seq), title)
from (
  values
  (1, 'trip', 'add_reaction', 6, 'a reaction costs as much as the room has members'),
  (2, 'trip', 'add_reaction', 0, 'a reaction that stands already is free'),
  (3, 'trip', 'remove_reaction', 6, 'taking a reaction back costs as much as the room has members'),
  (4, 'trip', 'remove_reaction', 0, 'taking a reaction back again is free'),
  (5, 'hall', 'add_reaction', 1, 'a reaction in a large room costs 1')
) as c (place, name, call, price, title)
join said as s on s.name = c.name
order by c.place;
rollback to prices;

-- Rea, a reader
select tests.takes_one_number_everywhere(
  'Rea', $$ select chat.add_reaction(room_id, seq, '👍') from said where room_id = %L $$, 'a reaction takes one number'
);
select tests.changes_nothing_anywhere(
  'Rea', $$ select chat.add_reaction(room_id, seq, '👍') from said where room_id = %L $$, 'the same reaction again changes nothing'
);
select tests.takes_one_number_everywhere(
  'Cat', $$ select chat.add_reaction(room_id, seq, '👍') from said where room_id = %L $$, 'the same emoji of somebody else is another reaction'
);
select tests.takes_one_number_everywhere(
  'Rea', $$ select chat.remove_reaction(room_id, seq, '👍') from said where room_id = %L $$, 'taking a reaction back takes one number'
);
select tests.changes_nothing_anywhere(
  'Rea', $$ select chat.remove_reaction(room_id, seq, '👍') from said where room_id = %L $$, 'taking a reaction back again changes nothing'
);
select tests.changes_nothing_anywhere(
  'Rea', $$ select chat.remove_reaction(room_id, seq, '🎉') from said where room_id = %L $$, 'taking back what was never there changes nothing'
);
select set_eq(
  $$ select user_id, emoji, removed_at is null from chat.reactions where room_id = tests.room('trip') $$,
  $$ values (tests.id_of('Rea'), '👍', false), (tests.id_of('Cat'), '👍', true) $$, 'a reaction that was taken back stays as removed'
);
select tests.takes_one_number_everywhere(
  'Rea', $$ select chat.add_reaction(room_id, seq, '👍') from said where room_id = %L $$, 'a reaction that was taken back may come again'
);

-- However it is spelled (tests/emoji_table.py has every emoji of Unicode)
select tests.takes_one_number_everywhere(
  'Rea', $$ select chat.add_reaction(room_id, seq, U&'\2764') from said where room_id = %L $$, 'a heart without a selector is a reaction'
);
select tests.changes_nothing_anywhere(
  'Rea', $$ select chat.add_reaction(room_id, seq, U&'\2764\FE0F') from said where room_id = %L $$, 'a heart with a selector is the same reaction'
);
select is(
  (
    select e.emoji from chat.reactions as e
    where e.room_id = tests.room('trip') and e.user_id = tests.id_of('Rea') and e.emoji like U&'\2764%'
  ),
  U&'\2764\FE0F', 'a heart is stored as keyboards send it'
);
select tests.takes_one_number_everywhere(
  'Cat', $$ select chat.add_reaction(room_id, seq, U&'\2764\FE0E') from said where room_id = %L $$, 'somebody else joins in, spelling it a third way'
);
select tests.act_as('Cat');
select results_eq(
  format(
    $$ select e.emoji, count(*) from chat.reactions as e where e.room_id = %L and e.emoji like U&'\2764%%' group by e.emoji $$,
    tests.room('trip')
  ),
  $$ values (U&'\2764\FE0F', 2::bigint) $$, 'a heart that two people spell differently is one emoji'
);
select tests.takes_one_number_everywhere(
  'Rea', $$ select chat.remove_reaction(room_id, seq, U&'\2764') from said where room_id = %L $$, 'any spelling takes a heart back'
);
select tests.takes_one_number_everywhere(
  'Cat', $$ select chat.remove_reaction(room_id, seq, U&'\2764\FE0F\FE0F') from said where room_id = %L $$, 'another spelling takes back the same reaction'
);
select tests.takes_one_number_everywhere(
  'Rea', $$ select chat.add_reaction(room_id, seq, U&'e\0301') from said where room_id = %L $$, 'a letter and its accent are a reaction'
);
select tests.changes_nothing_anywhere(
  'Rea', $$ select chat.add_reaction(room_id, seq, U&'\00E9') from said where room_id = %L $$, 'the letter with its accent is the same one'
);
select tests.takes_one_number_everywhere(
  'Rea', $$ select chat.remove_reaction(room_id, seq, U&'\00E9') from said where room_id = %L $$, 'the letter with its accent takes it back'
);
select tests.takes_one_number_everywhere(
  'Rea', $$ select chat.add_reaction(room_id, seq, '👍🏽') from said where room_id = %L $$, 'another skin tone is another reaction'
);
select tests.takes_one_number_everywhere(
  'Rea', $$ select chat.remove_reaction(room_id, seq, '👍🏽') from said where room_id = %L $$, 'another skin tone is taken back by itself'
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
  format('%s is not an emoji', to_json(e.emoji))
)
from said as s,
  unnest(array[
    '', ' ', '👍👍', 'ab', E'\n', E'\u200D', E'\u202E', '🇩🇪🇫', '🇩🇪🇫🇷', '👍 ', null, '<b>', repeat('x', 10000), E'\u0301',
    E'a\u200Db', E'a\u200D👍', E'👍\u200Da', E'👍\u200D', '🏽👍', '🏽🏽', 'a🏽', '👍🏽🏿', E'\u3164', E'\u2800',
    E'👍\U000E0067\U000E007F'
  ]) as e (emoji)
where s.name = 'hall';
select tests.lets(
  'Cat', format('select chat.add_reaction(%L, %s, %L)', s.room_id, s.seq, chr(9312 + n)), 'different emoji on a message add up'
)
from said as s, generate_series(1, 20) as n
where s.name = 'trip' and n <= 19;
select tests.refuses(
  'Cat', 'payload_too_large', format('select chat.add_reaction(%L, %s, %L)', s.room_id, s.seq, '🎉'), 'a message has 20 different emoji at most'
)
from said as s where s.name = 'trip';
select tests.lets(
  'Abe', format('select chat.add_reaction(%L, %s, %L)', s.room_id, s.seq, '👍'), 'somebody who joins in adds no emoji to the limit'
)
from said as s where s.name = 'trip';

select tests.refuses(
  'Cat', 'invalid_input', format('select chat.remove_reaction(%L, %s, repeat(''x'', 1000000))', s.room_id, s.seq),
  'an endless emoji is refused before it is looked for'
)
from said as s where s.name = 'trip';

-- What may be answered
select tests.refuses(
  'Cat', 'message_not_found', format('select chat.%s(%L, %s, ''👍'')', call, tests.room('trip'), seq), format('%s: %s', call, title)
)
from unnest(array['add_reaction', 'remove_reaction']) as c (call),
  lateral (
    values
    ('100000', 'what does not exist is not found'), ('null', 'null is not found'),
    ((select min(seq)::text from chat.messages where room_id = tests.room('trip') and kind = 'system'), 'what the room says itself is not found')
  ) as v (seq, title);
select tests.act_as('Lea');
select is(
  tests.refusal(format('select chat.add_reaction(%L, %s, ''👍'')', tests.room('late'), m.visible_after_seq)) ->> 'slug',
  'message_not_found', 'I8: a message from before one''s time does not exist'
)
from chat.room_members as m where m.room_id = tests.room('late') and m.user_id = tests.id_of('Lea');

-- Who reads reactions
select isnt_empty($$ select from chat.reactions where room_id = tests.room('trip') $$, 'a member reads reactions');
select tests.act_as('Ann');
select chat.add_reaction(m.room_id, m.seq, '👍') from chat.messages as m where m.room_id = tests.room('late') and m.body = 'early';
select tests.act_as('Lea');
select is_empty(
  $$
    select from chat.reactions as e
    where e.room_id = tests.room('late')
      and e.seq <= (select m.visible_after_seq from chat.room_members as m where m.room_id = e.room_id and m.user_id = tests.id_of('Lea'))
  $$,
  'a member does not read reactions on what they may not read'
);
select tests.act_as('Dan');
select is_empty('select from chat.reactions', 'a stranger reads no reaction');
select tests.act_as('Xen');
select is_empty('select from chat.reactions', 'an ex-member reads no reaction');
select throws_ok(
  'delete from chat.reactions', '42501', 'permission denied for table reactions', 'nobody writes a reaction'
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
  ('trip', 'member_muted', 'I3: somebody who is muted does not react'), ('hall', 'room_archived', 'I3: nobody reacts in an archived room'),
  ('plaza', 'message_deleted', 'nobody reacts to what was deleted'), ('late', 'room_not_found', 'I3: an ex-member reacts to nothing')
) as f (name, slug, title)
join said as s on s.name = f.name;
select tests.refuses('Cat', slug, format('select chat.remove_reaction(%L, %s, ''👍'')', s.room_id, s.seq), title)
from (
  values
  ('trip', 'member_muted', 'I3: somebody who is muted takes nothing back'), ('hall', 'room_archived', 'I3: nobody takes a reaction back in an archived room')
) as f (name, slug, title)
join said as s on s.name = f.name;

-- Strangers, ex-members, other tenants
select tests.strangers_find_nothing(format('select chat.%s(%%L, 1, ''👍'')', call), call)
from unnest(array['add_reaction', 'remove_reaction']) as c (call);

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  format('select chat.%s(tests.room(''trip''), 1, ''👍'')', call), '42501',
  format('permission denied for function %s', call), format('signed-out people may not call %s', call)
)
from unnest(array['add_reaction', 'remove_reaction']) as c (call);

select * from finish();
rollback;
