-- archive_room and unarchive_room: a room that can only be read, and back.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
select tests.act_as('Ann');
select tests.remember('invite', (chat.create_invite(tests.room('trip'), 5)).invite_id);

-- Abe, an admin
select tests.takes_one_number_everywhere(
  'Abe', 'select chat.archive_room(%L)', 'archiving takes one number'
);
select tests.changes_nothing_anywhere(
  'Ann', 'select chat.archive_room(%L)', 'archiving again changes nothing'
);
select isnt(
  (select archived_at from chat.rooms where id = tests.room('trip')), null, 'the room says since when'
);

-- Everybody, behind the fence
select tests.act_as('Ann');
select throws_ok(
  statement, 'PT423', 'room_archived', title
)
from (
  values
  ($$ select chat.send_message(tests.room('trip'), 'x', gen_random_uuid()) $$, 'nobody sends'),
  ($$ select chat.update_room(tests.room('trip'), 'x') $$, 'changes the room'),
  ($$ select chat.add_member(tests.room('trip'), tests.id_of('Dan')) $$, 'adds anybody'),
  ($$ select chat.set_member_role(tests.room('trip'), tests.id_of('Cat'), 'admin') $$, 'promotes'),
  ($$ select chat.create_invite(tests.room('trip')) $$, 'or invites')
) as f (statement, title);
select tests.act_as('Dan');
select throws_ok(
  $$ select chat.join_room(tests.room('plaza')) $$, 'PT423', 'room_archived', 'and nobody joins'
);
select tests.act_as('Bob');
select lives_ok(
  $$ select chat.remove_member(tests.room('trip'), tests.id_of('Rea')) $$,
  'but archiving shelters nobody from removal'
);
select lives_ok(
  $$ select chat.mute_member(tests.room('trip'), tests.id_of('Cat')) $$, 'from a mute'
);
select lives_ok(
  $$ select chat.ban_member(tests.room('trip'), tests.id_of('Lea')) $$, 'from a ban'
);
select lives_ok(
  $$ select chat.revoke_invite(tests.room('trip'), tests.room('invite')) $$, 'no way in stays open'
);
select tests.act_as('Cat');
select isnt_empty(
  $$ select chat.list_messages(tests.room('trip')) $$, 'what was said is still read'
);
select lives_ok($$ select chat.leave_room(tests.room('trip')) $$, 'and everybody may leave');
select is(
  (
    select count(*) from chat.messages as m
    join chat.rooms as r on r.id = m.room_id
    where m.room_id = tests.room('hall') and m.rev > r.changed_rev
  ),
  0::bigint, 'no message has a number above the archiving'
);

-- Abe, who opens it again
select tests.takes_one_number_everywhere(
  'Abe', 'select chat.unarchive_room(%L)', 'unarchiving takes one number'
);
select tests.changes_nothing_anywhere(
  'Abe', 'select chat.unarchive_room(%L)', 'unarchiving again changes nothing'
);
select tests.act_as('Ann');
select lives_ok(
  $$ select chat.send_message(tests.room('trip'), 'x', gen_random_uuid()) $$, 'and people send'
);

-- Bob, a moderator; Cat, a member
select tests.act_as('Bob');
select throws_ok(
  $$ select chat.archive_room(tests.room('hall')) $$, 'PT403', 'not_allowed',
  'a moderator archives nothing'
);
select throws_ok(
  $$ select chat.unarchive_room(tests.room('hall')) $$, 'PT403', 'not_allowed', 'and opens nothing'
);
select tests.act_as('Cat');
select throws_ok(
  $$ select chat.archive_room(tests.room('hall')) $$, 'PT403', 'not_allowed', 'nor does a member'
);
select throws_ok(
  $$ select chat.archive_room(tests.room('pair')) $$, 'PT403', 'not_allowed',
  'a direct room is archived by nobody'
);

-- Abe, muted
select tests.act_as('Ann');
select chat.mute_member(tests.room('hall'), tests.id_of('Abe'));
select tests.act_as('Abe');
select throws_ok(
  $$ select chat.archive_room(tests.room('hall')) $$, 'PT403', 'member_muted',
  'who is muted archives nothing'
);

-- Strangers, ex-members, other tenants
select tests.strangers_find_nothing('select chat.archive_room(%L)', 'archiving');
select tests.strangers_find_nothing('select chat.unarchive_room(%L)', 'unarchiving');

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  $$ select chat.archive_room(tests.room('trip')) $$, '42501',
  'permission denied for function archive_room', 'signed-out people archive nothing'
);
select throws_ok(
  $$ select chat.unarchive_room(tests.room('trip')) $$, '42501',
  'permission denied for function unarchive_room', 'and open nothing'
);

select * from finish();
rollback;
