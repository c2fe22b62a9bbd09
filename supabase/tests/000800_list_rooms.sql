-- list_rooms: the start screen in one call.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
select tests.act_as('Ann');
select chat.send_message(tests.room('trip'), 'to all ' || n, gen_random_uuid()) from generate_series(1, 3) as n;
select chat.send_message(tests.room('trip'), 'to Cat', gen_random_uuid(), mentions => array[tests.id_of('Cat')]);
select chat.send_message(tests.room('late'), 'late', gen_random_uuid());
select chat.send_message(tests.room('pair'), 'hi', gen_random_uuid());

-- Cat
select tests.act_as('Cat');
select results_eq(
  $$ select (room ->> 'id')::uuid from chat.list_rooms() limit 3 $$,
  $$ values (tests.room('pair')), (tests.room('late')), (tests.room('trip')) $$,
  'the most recently active room comes first'
);
select set_eq(
  $$ select (room ->> 'id')::uuid from chat.list_rooms() $$, $$ select id from chat.rooms $$,
  'all rooms of a person come'
);
create temp view inbox as
select r.name, l.* from chat.list_rooms() as l join tests.rooms as r on r.room_id = (l.room ->> 'id')::uuid;
select is(
  (select room from inbox where name = 'trip'),
  (select to_jsonb(r) from chat.rooms as r where r.id = tests.room('trip')), 'the room in the list is the row of the table'
);
select is(
  (select member from inbox where name = 'trip'),
  (
    select to_jsonb(m) from chat.room_members as m
    where m.room_id = tests.room('trip') and m.user_id = tests.id_of('Cat')
  ),
  'the membership in the list is the row of the table'
);
select is(
  (select last_message from inbox where name = 'trip'),
  (
    select to_jsonb(m) from chat.messages as m
    where m.room_id = tests.room('trip') order by m.seq desc limit 1
  ),
  'the last message in the list is the row of the table'
);
select is(
  (select other ->> 'display_name' from inbox where name = 'pair'), 'Ann',
  'a direct room shows the other person'
);
select is((select other from inbox where name = 'trip'), null, 'a group shows no other person');
select results_eq(
  $$ select name, unread, mentions from inbox where name in ('trip', 'late', 'pair') order by name $$,
  $$ values ('late', 2, 0), ('pair', 1, 0), ('trip', 5, 1) $$,
  'unread counts what people said, not what the room says'
);
select chat.mark_read(tests.room('trip'), (select last_seq - 1 from chat.rooms where id = tests.room('trip')));
select results_eq(
  $$ select unread, mentions, (mark ->> 'read_seq')::bigint = (room ->> 'last_seq')::bigint - 1 from inbox where name = 'trip' $$,
  $$ values (1, 1, true) $$, 'a mark takes off what was read'
);
select chat.send_message(tests.room('pair'), 'mine', gen_random_uuid());
select is((select unread from inbox where name = 'pair'), 1, 'one''s own messages are not unread, and move no mark');
select tests.act_as('Ann');
select chat.delete_message(tests.room('pair'), (select max(seq) from chat.messages where room_id = tests.room('pair') and body = 'hi'));
select chat.send_message(tests.room('hall'), 'x', gen_random_uuid(), mention_all => true) from generate_series(1, 98);
select tests.act_as('Cat');
select is((select unread from inbox where name = 'pair'), 0, 'deleted messages are not unread');
select is((select unread from inbox where name = 'hall'), 99, 'the number of unread messages is exact up to 99');
select is((select mentions from inbox where name = 'hall'), 98, 'everybody is mentioned by a call to all');
select tests.act_as('Ann');
select chat.send_message(tests.room('hall'), 'x', gen_random_uuid()) from generate_series(1, 5);
select tests.act_as('Cat');
select is((select unread from inbox where name = 'hall'), 100, 'the number of unread messages ends at 100, which means more');
select chat.set_room_preferences(tests.room('plaza'), pinned => true);
select is((select name from inbox limit 1), 'plaza', 'pinned rooms come first');
select is((select preferences ->> 'notify' from inbox where name = 'plaza'), 'all', 'rooms come with the preferences');

-- Pages
select results_eq(
  $$
    with recursive pages as (
      (select l.*, 1 as page from chat.list_rooms(page_size => 1) as l)
      union all
      select next.*, p.page + 1
      from pages as p,
        lateral chat.list_rooms(
          jsonb_build_object('pinned', p.pinned, 'activity_at', p.activity_at, 'room_id', p.room ->> 'id'), 1
        ) as next
    )
    select room ->> 'id' from pages order by page
  $$,
  $$ select room ->> 'id' from chat.list_rooms() $$,
  'pages join without gap or overlap'
);
select tests.refuses('Cat', 'invalid_input', format('select chat.list_rooms(%s)', arguments), title)
from (
  values
  ('''{}''', 'a page goes on from a row'),
  ('''[]''', 'a page does not go on from a list'),
  ('page_size => 0', 'a page is not empty'),
  ('page_size => 201', 'a page size is not larger than 200')
) as a (arguments, title);
create temp view goes_on as
select '{"pinned": false, "activity_at": "2026-11-21T01:00:00+00:00", "room_id": "00000000-0000-0000-0000-000000000000"}'::jsonb as before;
grant select on goes_on to public;
select tests.lets('Cat', format('select chat.list_rooms(%L)', before), 'a page goes on from a whole row') from goes_on;
select tests.refuses(
  'Cat', 'invalid_input', format('select chat.list_rooms(%L)', before || broken), format('with %s it is none', broken)
)
from goes_on, unnest(array[
  '{"pinned": "x"}', '{"pinned": null}', '{"pinned": []}', '{"activity_at": "z"}', '{"activity_at": 5}', '{"activity_at": null}',
  '{"activity_at": "300000-01-01"}', '{"room_id": "zz"}', '{"room_id": 5}', '{"room_id": null}'
]::jsonb[]) as b (broken);

-- Eve, who comes in by every way: the past is nothing she owes
select tests.make_people('Eve');
select tests.act_as('Ann');
select chat.send_message(tests.room('plaza'), 'old', gen_random_uuid(), mention_all => true);
create temp table token as select (chat.create_invite(tests.room('hall'))).token;
grant select on token to public;
select chat.add_member(tests.room('trip'), tests.id_of('Eve')), chat.add_member(tests.room('late'), tests.id_of('Eve'));
select tests.act_as('Eve');
select chat.join_room(tests.room('plaza'));
select chat.accept_invite(token) from token;
select tests.remember('eve', (chat.open_direct(tests.id_of('Cat'))).id);
select results_eq(
  $$ select name, unread, mentions from inbox order by name $$,
  $$ values ('eve', 0, 0), ('hall', 0, 0), ('late', 0, 0), ('plaza', 0, 0), ('trip', 0, 0) $$,
  'somebody who comes in, by whatever way, has nothing unread and no mention'
);
select isnt_empty($$ select chat.list_messages(tests.room('plaza'), before => 5) $$, 'somebody who comes in may read the past that counts as read');
select tests.act_as('Ann');
select chat.send_message(tests.room('plaza'), 'new', gen_random_uuid(), mention_all => true);
select tests.act_as('Eve');
select results_eq(
  $$ select unread, mentions from inbox where name = 'plaza' $$, $$ values (1, 1) $$,
  'what is unread for somebody who came in begins with the next message'
);
select chat.leave_room(tests.room('plaza'));
select tests.act_as('Ann');
select chat.send_message(tests.room('plaza'), 'while away', gen_random_uuid(), mention_all => true);
select tests.act_as('Eve');
select chat.join_room(tests.room('plaza'));
select results_eq($$ select unread, mentions from inbox where name = 'plaza' $$, $$ values (0, 0) $$, 'counting begins anew for somebody who comes back');
-- Pages are bounded by bytes
select tests.stop_acting();
update chat_private.settings set pull_bytes = 4096;
select tests.act_as('Cat');
create temp table page as select row_number() over () as place, (l.room ->> 'id')::uuid as room_id from chat.list_rooms() as l;
select cmp_ok(
  (select count(*) from page), '<', (select count(*) from chat.room_members where user_id = tests.id_of('Cat') and left_at is null),
  'a page of rooms ends where it is too long'
);
select cmp_ok((select count(*) from page), '>=', 1::bigint, 'a page of rooms is not empty');
select tests.stop_acting();
update chat_private.settings set pull_bytes = default;
select tests.act_as('Cat');
select results_eq(
  'select room_id from page order by place',
  format('select (room ->> ''id'')::uuid from chat.list_rooms() limit %s', (select count(*) from page)), 'a short page of rooms is the beginning of the list'
);

-- Unread is looked for among the newest
select tests.act_as('Ann');
select tests.remember('diary', (chat.create_room('Diary', member_ids => array[tests.id_of('Cat')])).id);
select chat.send_message(tests.room('diary'), 'long ago', gen_random_uuid());
select tests.stop_acting();
insert into chat.messages (room_id, seq, rev, sender_id, body)
select tests.room('diary'), n, n + 1, tests.id_of('Cat'), 'mine' from generate_series(2, 2000) as n;
update chat.rooms set last_seq = 2000, rev = 2001 where id = tests.room('diary');
select tests.act_as('Cat');
select is((select unread from inbox where name = 'diary'), 1, 'an unread message of somebody else is found among 2,000');
select chat.send_message(tests.room('diary'), 'mine', gen_random_uuid());
select is((select unread from inbox where name = 'diary'), 0, 'an unread message is not looked for before the newest 2,000');

-- Lea, who came later
select tests.act_as('Lea');
select is((select unread from inbox where name = 'tower'), 0, 'what was said before one''s time is not unread');
select is((select unread from inbox where name = 'late'), 1, 'what was said since one came in is unread');
select isnt(
  (select last_message ->> 'body' from inbox where name = 'tower'), 'early', 'what was said before one''s time is not the last message'
);

-- Dan, Xen and Tom
select tests.act_as('Dan');
select is_empty('select chat.list_rooms()', 'a stranger has no rooms, public ones included');
select tests.act_as('Xen');
select is_empty('select chat.list_rooms()', 'an ex-member has no rooms');
select tests.act_as('Tom');
select is_empty('select chat.list_rooms()', 'another tenant has no rooms');

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  'select chat.list_rooms()', '42501', 'permission denied for function list_rooms', 'signed-out people have no rooms'
);
select tests.act_without_sub();
select throws_ok(
  'select chat.list_rooms()', 'PT401', 'sign_in_required', 'a token without a name has no rooms'
);

select * from finish();
rollback;
