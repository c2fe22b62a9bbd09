-- archive_room and unarchive_room: a room that can only be read, and back.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
select tests.act_as('Ann');
select tests.remember('invite', (chat.create_invite(tests.room('trip'), 5)).invite_id);

-- How many
savepoint caps; -- noqa: PRS
select tests.act_as('Ann');
select tests.remember('old', (chat.create_room('Old', member_ids => array[tests.id_of('Bob')])).id);
select chat.set_member_role(tests.room('old'), tests.id_of('Bob'), 'admin'), chat.archive_room(tests.room('old'));
select tests.change_as_owner(format(
  'update chat_private.settings set open_rooms_per_person = (
     select count(*) from chat.rooms where created_by = %L and kind = ''group'' and archived_at is null
   )', tests.id_of('Ann')
));
select tests.refuses(
  name, 'payload_too_large', 'select chat.unarchive_room(tests.room(''old''))', format('%s opens no room over the limit of the person who created it', name)
)
from unnest(array['Ann', 'Bob']) as n (name);
select tests.act_as('Ann');
select chat.archive_room(tests.room('trip'));
select tests.lets('Bob', 'select chat.unarchive_room(tests.room(''old''))', 'a room that fits into the limit of open rooms is unarchived');
rollback to caps;

-- What it costs
savepoint prices; -- noqa: PRS
select tests.costs(
  'Ann', price, format('select chat.%s(%L)', call, tests.room('trip')), format('%s costs %s', call, price)
)
from (
  values ('archive_room', 6), ('archive_room', 0), ('unarchive_room', 6), ('unarchive_room', 0)
) as c (call, price);
rollback to prices;

-- Abe, an admin
select tests.takes_one_number_everywhere(
  'Abe', 'select chat.archive_room(%L)', 'archiving takes one number'
);
select tests.changes_nothing_anywhere(
  'Ann', 'select chat.archive_room(%L)', 'archiving again changes nothing'
);
select isnt(
  (select archived_at from chat.rooms where id = tests.room('trip')), null, 'an archived room says since when'
);

-- Everybody, behind the fence
select tests.act_as('Ann');
select throws_ok(
  statement, 'PT423', 'room_archived', title
)
from (
  values
  ($$ select chat.send_message(tests.room('trip'), 'x', gen_random_uuid()) $$, 'nobody sends in an archived room'),
  ($$ select chat.update_room(tests.room('trip'), 'x') $$, 'nobody changes an archived room'),
  ($$ select chat.add_member(tests.room('trip'), tests.id_of('Dan')) $$, 'nobody adds anybody to an archived room'),
  ($$ select chat.set_member_role(tests.room('trip'), tests.id_of('Cat'), 'admin') $$, 'nobody promotes in an archived room'),
  ($$ select chat.create_invite(tests.room('trip')) $$, 'nobody invites into an archived room')
) as f (statement, title);
select tests.act_as('Dan');
select throws_ok(
  $$ select chat.join_room(tests.room('plaza')) $$, 'PT423', 'room_archived', 'nobody joins an archived room'
);
select tests.act_as('Bob');
select lives_ok(
  $$ select chat.remove_member(tests.room('trip'), tests.id_of('Rea')) $$,
  'archiving shelters nobody from removal'
);
select lives_ok(
  $$ select chat.mute_member(tests.room('trip'), tests.id_of('Cat')) $$, 'archiving shelters nobody from a mute'
);
select lives_ok(
  $$ select chat.ban_member(tests.room('trip'), tests.id_of('Lea')) $$, 'archiving shelters nobody from a ban'
);
select lives_ok(
  $$ select chat.revoke_invite(tests.room('trip'), tests.room('invite')) $$, 'no way into an archived room stays open'
);
select tests.act_as('Cat');
select isnt_empty(
  $$ select chat.list_messages(tests.room('trip')) $$, 'what was said in an archived room is still read'
);
select lives_ok($$ select chat.leave_room(tests.room('trip')) $$, 'everybody may leave an archived room');
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
  $$ select chat.send_message(tests.room('trip'), 'x', gen_random_uuid()) $$, 'people send in a room that is open again'
);

-- Bob, a moderator; Cat, a member
select tests.act_as('Bob');
select throws_ok(
  $$ select chat.archive_room(tests.room('hall')) $$, 'PT403', 'not_allowed',
  'a moderator archives nothing'
);
select throws_ok(
  $$ select chat.unarchive_room(tests.room('hall')) $$, 'PT403', 'not_allowed', 'a moderator unarchives nothing'
);
select tests.act_as('Cat');
select throws_ok(
  $$ select chat.archive_room(tests.room('hall')) $$, 'PT403', 'not_allowed', 'a member archives nothing'
);
select throws_ok(
  $$ select chat.archive_room(tests.room('pair')) $$, 'PT403', 'not_allowed',
  'nobody archives a direct room'
);

-- Abe, muted
select tests.act_as('Ann');
select chat.mute_member(tests.room('hall'), tests.id_of('Abe'));
select tests.act_as('Abe');
select throws_ok(
  $$ select chat.archive_room(tests.room('hall')) $$, 'PT403', 'member_muted',
  'somebody who is muted archives nothing'
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
  'permission denied for function unarchive_room', 'signed-out people unarchive nothing'
);

select * from finish();
rollback;
