-- Membership: how being in a room begins and ends, for the room and for the person.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
select tests.act_as('Ann');

-- Cat is taken out: the room's side
select tests.watch('trip', 'hall', 'late', 'tower', 'plaza', 'Cat', 'Ann', 'Bob', 'Lea');
select chat.remove_member(tests.room('trip'), tests.id_of('Cat'));
select tests.took_one_number('trip', 'an ending takes one number, told to the people who stay');
select tests.took_one_user_number('Cat', 'an ending takes one number in the stream of the person who goes');
select tests.moved('{"trip": 1, "Cat": 1}', 'nobody else is told to drop anything');
select is(
  (
    select jsonb_object_agg(h.stream, (tests.head_of(h.stream)).epoch - h.epoch)
    from tests.heads as h
    where h.stream in ('trip', 'Cat', 'Ann', 'hall')
  ),
  '{"trip": 1, "Cat": 1, "Ann": 0, "hall": 0}', 'the epochs of the room and of the person rise'
);
select is(
  tests.as_owner(format(
    'select count(*) from realtime.messages as m
     where m.topic like %L and m.payload ? ''room_id''
       and not exists (select from tests.seen_events as s where s.id = m.id)',
    'user:' || tests.id_of('Cat') || ':%'
  )),
  '0', 'I5: somebody who goes is sent nothing of the room'
);
select is(
  tests.as_owner(format(
    'select m.payload #>> ''{rows,memberships,0,room_id}'' from realtime.messages as m
     where m.topic = %L and m.event = ''epoch_changed''', 'user:' || tests.id_of('Cat') || ':1'
  )),
  tests.room('trip')::text, 'I5: somebody who goes is told that it is over, on the topic they still hold'
);
select is(
  tests.as_owner(format(
    'select m.payload ? ''rows'' from realtime.messages as m
     where m.topic = %L and m.event = ''epoch_changed''', 'room:' || tests.room('trip') || ':1'
  )),
  'false', 'the old topic of the room carries no rows'
);

-- Cat's side
select tests.act_as('Cat');
select set_eq(
  $$ select user_id from chat.room_members where room_id = tests.room('trip') $$,
  $$ values (tests.id_of('Cat')) $$, 'somebody who went reads their own row'
);
select is_empty(
  format('select from chat.%I where %I = %L', source, key, tests.room('trip')),
  format('somebody who left reads nothing else of the room in %s', source)
)
from (values ('rooms', 'id'), ('messages', 'room_id'), ('bans', 'room_id'), ('invites', 'room_id')) as s (source, key);
select isnt_empty(
  $$ select from chat.messages where room_id = tests.room('hall') $$, 'an ending leaves other rooms as before'
);

-- What happens next
select tests.act_as('Bob');
select tests.watch('trip', 'Cat');
select chat.send_message(tests.room('trip'), 'about Cat', gen_random_uuid(), mentions => array[tests.id_of('Cat')]);
select is(
  tests.as_owner(format(
    'select count(*) from realtime.messages as m
     where m.topic like %L and not exists (select from tests.seen_events as s where s.id = m.id)',
    'user:' || tests.id_of('Cat') || ':%'
  )),
  '0', 'I5: not even a mention reaches who went'
);
select tests.act_as('Cat');
select is_empty(
  format(
    'select m.body from chat.messages as m where m.room_id = %L', tests.room('trip')
  ),
  'somebody who went does not read the mention'
);
select tests.looks_absent(
  'select chat.send_message(%L, ''x'', gen_random_uuid())', tests.room('trip'),
  'I3: nothing that somebody did gets a number above the end of their membership'
);

-- Cat comes back
select tests.act_as('Ann');
select tests.watch('trip', 'Cat', 'Ann');
select is(
  (chat.add_member(tests.room('trip'), tests.id_of('Cat'), 'moderator', 'cook')).joined_rev,
  (select rev + 1 from tests.heads where stream = 'trip'), 'a new beginning has a new joined_rev'
);
select tests.took_one_number('trip', 'a beginning takes one number, told to the person who comes as well');
select tests.took_one_user_number('Cat', 'a beginning takes one number in the stream of the person who comes');
select is(
  (tests.head_of('Cat')).epoch, (select epoch from tests.heads where stream = 'Cat'),
  'joining moves no topic'
);
select results_eq(
  $$
    select role, label, left_at, visible_after_seq from chat.room_members
    where room_id = tests.room('trip') and user_id = tests.id_of('Cat')
  $$,
  $$ values ('moderator', 'cook', null::timestamptz, 0::bigint) $$,
  'somebody who comes back is what they are now'
);
select chat.remove_member(tests.room('late'), tests.id_of('Cat'));
select chat.add_member(tests.room('late'), tests.id_of('Cat'));
select is(
  (select m.joined_seq from chat.room_members as m where m.room_id = r.id and m.user_id = tests.id_of('Cat')), r.last_seq - 1,
  format('somebody who comes back came in after the newest message of %s', r.name)
)
from chat.rooms as r where r.id in (tests.room('trip'), tests.room('late'));
select tests.act_as('Cat');
select isnt_empty(
  $$ select from chat.messages where room_id = tests.room('trip') and body = 'about Cat' $$,
  'somebody who comes back reads what was missed, where history is for all'
);
select is_empty(
  $$ select from chat.messages where room_id = tests.room('late') and body = 'early' $$,
  'somebody who comes back does not read what they once read, where history is not for all'
);

-- A mute outlives it
select tests.act_as('Ann');
select chat.mute_member(tests.room('hall'), tests.id_of('Cat'));
select tests.act_as('Cat');
select lives_ok($$ select chat.leave_room(tests.room('hall')) $$, 'somebody who is muted may leave');
select tests.act_as('Bob');
select chat.add_member(tests.room('hall'), tests.id_of('Cat'));
select tests.act_as('Cat');
select throws_ok(
  $$ select chat.send_message(tests.room('hall'), 'x', gen_random_uuid()) $$, 'PT403',
  'member_muted', 'I3: leaving and coming back undoes no mute'
);

-- Public rooms keep their epoch, because who may join may read
select tests.act_as('Ann');
select tests.watch('plaza', 'Cat');
select chat.remove_member(tests.room('plaza'), tests.id_of('Cat'));
select is(
  (tests.head_of('plaza')).epoch, (select epoch from tests.heads where stream = 'plaza'),
  'taking somebody out of a public room moves no topic of it'
);
select is(
  (tests.head_of('Cat')).epoch, (select epoch + 1 from tests.heads where stream = 'Cat'),
  'taking somebody out of a public room moves their own topic'
);
select tests.watch('plaza');
select chat.ban_member(tests.room('plaza'), tests.id_of('Lea'));
select is(
  (tests.head_of('plaza')).epoch, (select epoch + 1 from tests.heads where stream = 'plaza'),
  'a ban from a public room moves its topic'
);

-- From small to large
select tests.make_people('P1', 'P2', 'P3');
select tests.remember('nook', (chat.create_room('Nook', member_ids => array[tests.id_of('Bob')])).id);
select tests.change_as_owner('update chat_private.settings set fanout_limit = 3');
select chat.add_member(tests.room('nook'), tests.id_of('P1'));
select is(
  (select is_large from chat.rooms where id = tests.room('nook')), false, 'up to the limit a room is small'
);
select tests.watch('nook');
select chat.add_member(tests.room('nook'), tests.id_of('P2'));
select is(
  (select is_large from chat.rooms where id = tests.room('nook')), true, 'one member more than the limit makes a room large'
);
select tests.took_one_number('nook', 'the step that makes a room large goes both ways');
select tests.watch('nook');
select chat.send_message(tests.room('nook'), 'x', gen_random_uuid());
select tests.took_one_number('nook', 'the step after the one that makes a room large goes to its topic only');
select chat.remove_member(tests.room('nook'), tests.id_of('P1'));
select chat.remove_member(tests.room('nook'), tests.id_of('P2'));
select is(
  (select is_large from chat.rooms where id = tests.room('nook')), true, 'a room that was large once stays it'
);

-- Accounts that end elsewhere: Ann's, who owns everything
select tests.stop_acting();
delete from auth.users where id = tests.id_of('Abe');
delete from auth.users where id = tests.id_of('Ann');
select tests.watch('trip', 'hall', 'Ann', 'Abe');
select is(chat_private.leave_closed_accounts(2) > 0, true, 'maintenance takes closed accounts out');
select is(
  (
    select max((tests.head_of(h.stream)).rev - h.rev) from tests.heads as h
    where h.stream in ('trip', 'hall')
  ) <= 1,
  true, 'maintenance ends one membership of a closed account by one number of the room'
);
do $$
begin
  while chat_private.leave_closed_accounts(2) > 0 loop
  end loop;
end;
$$;
select is_empty(
  $$
    select from chat.room_members as m
    join chat.profiles as p on p.user_id = m.user_id
    where m.left_at is null and p.closed_at is not null
  $$,
  'closed accounts leave until they are in no room'
);
select results_eq(
  $$
    select m.user_id from chat.room_members as m
    where m.room_id = tests.room('trip') and m.left_at is null and m.role = 'owner'
  $$,
  $$ values (tests.id_of('Bob')) $$, 'a room passes to the highest role, then the longest membership'
);
select is_empty(
  $$
    select r.name from chat.rooms as r
    where r.kind = 'group'
      and r.archived_at is null
      and not exists (
        select from chat.room_members as m
        join chat.profiles as p on p.user_id = m.user_id and p.closed_at is null
        where m.room_id = r.id and m.left_at is null and m.role = 'owner'
      )
  $$,
  'no open room is without an owner who can act'
);

-- An office passes to somebody who can hold it
select tests.make_people('Olga', 'Mick', 'Nora', 'Otto');
create function pg_temp.heirs(room text)
returns jsonb
language sql
security definer
as $$
  select jsonb_object_agg(p.display_name, jsonb_build_array(m.role, m.muted_until is not null))
  from chat.room_members as m join chat.profiles as p using (user_id)
  where m.room_id = tests.room(heirs.room) and m.left_at is null
$$;
create function pg_temp.close_account_of(name text)
returns void
language plpgsql
as $$
begin
  perform tests.stop_acting();
  delete from auth.users where id = tests.id_of(close_account_of.name);
  while chat_private.leave_closed_accounts(100) > 0 loop
  end loop;
end;
$$;
select tests.act_as('Olga');
select tests.remember(name, (chat.create_room(name, default_role => 'reader', member_ids => array[
  tests.id_of('Mick'), tests.id_of('Nora'), tests.id_of('Otto')
])).id)
from unnest(array['office', 'silent']) as n (name);
select
  chat.set_member_role(room, tests.id_of('Mick'), 'owner'), chat.mute_member(room, tests.id_of('Mick')),
  chat.set_member_role(room, tests.id_of('Otto'), 'admin'), chat.mute_member(room, tests.id_of('Otto'))
from unnest(array[tests.room('office'), tests.room('silent')]) as r (room);
select chat.mute_member(tests.room('silent'), tests.id_of('Nora'), clock_timestamp() + interval '1 day');
select pg_temp.close_account_of('Olga');
select is(
  pg_temp.heirs('office'), '{"Mick": ["owner", true], "Nora": ["owner", false], "Otto": ["admin", true]}',
  'a room passes to somebody who is not muted, even past an admin and an owner who are'
);
select tests.lets(
  'Nora', format('select chat.%s', call), format('the reader who inherited it can %s', call)
)
from unnest(array[
  'send_message(tests.room(''office''), ''x'', gen_random_uuid())', 'update_room(tests.room(''office''), topic => ''x'')',
  'unmute_member(tests.room(''office''), tests.id_of(''Mick''))'
]) as c (call);
select is(
  pg_temp.heirs('silent'), '{"Mick": ["owner", false], "Nora": ["reader", true], "Otto": ["admin", true]}',
  'a room in which everybody is muted lifts the mute of the highest'
);
select tests.lets('Mick', $$ select chat.update_room(tests.room('silent'), topic => 'x') $$, 'somebody whose mute was lifted so that they inherit can act');
select pg_temp.close_account_of('Nora');
select tests.stop_acting();
update chat.profiles set closed_at = now() where user_id = tests.id_of('Otto');
select pg_temp.close_account_of('Mick');
select is_empty(
  $$ select from chat.room_members where room_id = tests.room('office') and left_at is null and role = 'owner' $$,
  'a room in which only closed accounts are left has no heir'
);

-- Everywhere, after all of that
select is_empty(
  $$
    select r.id, r.member_count from chat.rooms as r
    where r.member_count <> (
      select count(*) from chat.room_members as m where m.room_id = r.id and m.left_at is null
    )
  $$,
  'the member_count of every room is right'
);
select is_empty(
  $$
    select r.id from chat.rooms as r
    where r.last_seq - r.floor_seq <> (select count(*) from chat.messages as m where m.room_id = r.id)
  $$,
  'I1: messages are numbered without a gap'
);

-- A number holds a hundred rooms
select tests.stop_acting();
select tests.make_people('Tim');
insert into chat.rooms (id, tenant_id, kind, name, member_count, rev)
select md5('tim ' || n)::uuid, '00000000-0000-0000-0000-000000000001', 'group', 'Room', 1, 1 from generate_series(1, 201) as n;
insert into chat.room_members (room_id, user_id, role, joined_rev, rev, user_rev, joined_seq)
select md5('tim ' || n)::uuid, tests.id_of('Tim'), 'owner', 1, 1, 0, 0 from generate_series(1, 201) as n;
select tests.watch('Tim');
select is(
  chat_private.end_memberships(tests.id_of('Tim'), null, tests.id_of('Tim'), 'member_left', null), 201,
  'somebody leaves 201 rooms at once'
);
select results_eq(
  $$
    select m.user_rev - h.rev, count(*)
    from chat.room_members as m, tests.heads as h
    where m.user_id = tests.id_of('Tim') and m.left_at is not null and h.stream = 'Tim'
    group by 1 order by 1
  $$,
  $$ values (1::bigint, 100::bigint), (2, 100), (3, 1) $$, 'leaving 201 rooms takes three numbers of the person''s own stream'
);
select results_eq(
  $$ select s.rev - h.rev, s.epoch - h.epoch from chat_private.user_streams as s, tests.heads as h where s.user_id = tests.id_of('Tim') and h.stream = 'Tim' $$,
  $$ values (3::bigint, 1) $$, 'leaving 201 rooms takes one epoch of the person''s own stream'
);
select results_eq(
  format($$
    select m.event, (m.payload ->> 'from')::bigint - h.rev, (m.payload ->> 'to')::bigint - h.rev, split_part(m.topic, ':', 3)::integer - h.epoch
    from realtime.messages as m, tests.heads as h
    where m.payload ->> 'user_id' = %L and h.stream = 'Tim' and (m.payload ->> 'from')::bigint >= h.rev
    order by 2
  $$, tests.id_of('Tim')),
  $$ values ('changed'::text, 0::bigint, 1::bigint, 0), ('changed', 1, 2, 0), ('epoch_changed', 2, 3, 0) $$,
  'the steps of leaving 201 rooms join, on the topic that the person''s devices listen to'
);

select * from finish();
rollback;
