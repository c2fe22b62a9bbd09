-- edit_message: change what I said; what it was stays on record.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
select tests.act_as('Cat');
select chat.send_message(room_id, 'said', md5('said')::uuid, mentions => array[tests.id_of('Bob')]) from tests.rooms;

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
  $$ values ('edited', true, true, array[tests.id_of('Bob')]) $$, 'the message keeps its place and says the new'
);
select results_eq(
  $$ select body, sender_id from chat.message_edits where room_id = tests.room('trip') $$,
  $$ values ('said', tests.id_of('Cat')) $$, 'the author reads what it said before'
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
  ), 'an edit of what is no more does not'
)
from chat.messages as m where m.room_id = tests.room('trip') and m.client_id = md5('said')::uuid;
select tests.watch('trip');
select tests.lets(
  'Cat', format(
    'select chat.edit_message(%L, %s, ''again'', %s)', tests.room('trip'), m.seq, m.rev - 1
  ), 'a retry that finds its own edit is no conflict'
)
from chat.messages as m where m.room_id = tests.room('trip') and m.client_id = md5('said')::uuid;
select tests.changed_nothing('and changes nothing');
select tests.refuses('Cat', slug, format('select chat.edit_message(%L, %s, %s)', tests.room('trip'), seq, body), title)
from (select m.seq from chat.messages as m where m.room_id = tests.room('trip') and m.client_id = md5('said')::uuid) as said,
  lateral (
    values
    ('invalid_input', 'null', 'there is something to say'), ('invalid_input', '''''', 'that is not empty'),
    ('invalid_input', 'U&''\200B''', 'nor invisible'),
    ('message_too_long', 'repeat(''x'', 8001)', 'nor too long')
  ) as v (slug, body, title);
select tests.refuses('Cat', slug, format('select chat.edit_message(%L, %s, ''x'')', tests.room('trip'), seq), title)
from (
  values
  ('message_not_found', '100000', 'what does not exist is not edited'),
  ('message_not_found', 'null', 'nor null'),
  ('message_not_found', (select min(seq)::text from chat.messages where room_id = tests.room('trip') and kind = 'system'),
    'nor what the room says'),
  ('not_allowed', (select seq::text from chat.messages where room_id = tests.room('trip') and body = 'early'),
    'nor what somebody else said')
) as v (slug, seq, title);

-- Ann, an owner; Bob, a moderator
select tests.refuses(name, 'not_allowed', format('select chat.edit_message(%L, %s, ''x'')', tests.room('trip'), said.seq),
  format('%s edits nothing of Cat', name))
from (select m.seq from chat.messages as m where m.room_id = tests.room('trip') and m.client_id = md5('said')::uuid) as said,
  unnest(array['Ann', 'Bob']) as n (name);
select isnt_empty(
  $$ select from chat.message_edits where room_id = tests.room('trip') $$, 'a moderator reads what it said before'
);
select tests.act_as('Rea');
select is_empty('select from chat.message_edits', 'other members do not');
select tests.act_as('Dan');
select is_empty('select from chat.message_edits', 'nor strangers');

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
  ('trip', 'member_muted', 'I3: who is muted edits nothing'), ('hall', 'room_archived', 'I3: nor in an archived room'),
  ('tower', 'not_allowed', 'nor as a reader'), ('plaza', 'message_deleted', 'nor what was deleted'),
  ('late', 'room_not_found', 'I3: nor as an ex-member')
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
  'select from chat.message_edits', '42501', 'permission denied for table message_edits', 'and read no edit'
);

select * from finish();
rollback;
