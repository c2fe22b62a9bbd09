-- Membership: how being in a room begins and ends, for the room and for the person.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
select tests.act_as('Ann');

-- Cat is taken out: the room's side
select tests.watch('trip', 'hall', 'late', 'tower', 'plaza', 'Cat', 'Ann', 'Bob', 'Lea');
select chat.remove_member(tests.room('trip'), tests.id_of('Cat'));
select tests.took_one_number('trip', 'an ending takes one number, told to who stays');
select tests.took_one_user_number('Cat', 'and one in the stream of who goes');
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
  '0', 'I5: who goes is sent nothing of the room'
);
select is(
  tests.as_owner(format(
    'select m.payload #>> ''{rows,memberships,0,room_id}'' from realtime.messages as m
     where m.topic = %L and m.event = ''epoch_changed''', 'user:' || tests.id_of('Cat') || ':1'
  )),
  tests.room('trip')::text, 'but that it is over, on the topic they still hold'
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
  $$ values (tests.id_of('Cat')) $$, 'who went reads their own row'
);
select is_empty(
  format('select from chat.%I where %I = %L', source, key, tests.room('trip')),
  format('and nothing else of it in %s', source)
)
from (values ('rooms', 'id'), ('messages', 'room_id'), ('bans', 'room_id'), ('invites', 'room_id')) as s (source, key);
select isnt_empty(
  $$ select from chat.messages where room_id = tests.room('hall') $$, 'other rooms are as before'
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
  'nor do they read it'
);
select tests.looks_absent(
  'select chat.send_message(%L, ''x'', gen_random_uuid())', tests.room('trip'),
  'I3: nothing they do gets a number above it'
);

-- Cat comes back
select tests.act_as('Ann');
select tests.watch('trip', 'Cat', 'Ann');
select is(
  (chat.add_member(tests.room('trip'), tests.id_of('Cat'), 'moderator', 'cook')).joined_rev,
  (select rev + 1 from tests.heads where stream = 'trip'), 'a new beginning has a new joined_rev'
);
select tests.took_one_number('trip', 'a beginning takes one number, told to who comes as well');
select tests.took_one_user_number('Cat', 'and one in their own stream');
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
  'who comes back is what they are now'
);
select chat.remove_member(tests.room('late'), tests.id_of('Cat'));
select chat.add_member(tests.room('late'), tests.id_of('Cat'));
select tests.act_as('Cat');
select isnt_empty(
  $$ select from chat.messages where room_id = tests.room('trip') and body = 'about Cat' $$,
  'and reads what was missed, where history is for all'
);
select is_empty(
  $$ select from chat.messages where room_id = tests.room('late') and body = 'early' $$,
  'and not what they once read, where it is not'
);

-- A mute outlives it
select tests.act_as('Ann');
select chat.mute_member(tests.room('hall'), tests.id_of('Cat'));
select tests.act_as('Cat');
select lives_ok($$ select chat.leave_room(tests.room('hall')) $$, 'who is muted may leave');
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
  'but their own'
);
select tests.watch('plaza');
select chat.ban_member(tests.room('plaza'), tests.id_of('Lea'));
select is(
  (tests.head_of('plaza')).epoch, (select epoch + 1 from tests.heads where stream = 'plaza'),
  'a ban does'
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
  (select is_large from chat.rooms where id = tests.room('nook')), true, 'one more makes it large'
);
select tests.took_one_number('nook', 'and that step goes both ways');
select tests.watch('nook');
select chat.send_message(tests.room('nook'), 'x', gen_random_uuid());
select tests.took_one_number('nook', 'the next one to the room''s topic only');
select chat.remove_member(tests.room('nook'), tests.id_of('P1'));
select chat.remove_member(tests.room('nook'), tests.id_of('P2'));
select is(
  (select is_large from chat.rooms where id = tests.room('nook')), true, 'once large, a room stays it'
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
  true, 'a room at a time by one number'
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
  'until they are in no room'
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

-- Everywhere, after all of that
select is_empty(
  $$
    select r.id, r.member_count from chat.rooms as r
    where r.member_count <> (
      select count(*) from chat.room_members as m where m.room_id = r.id and m.left_at is null
    )
  $$,
  'members are counted'
);
select is_empty(
  $$
    select r.id from chat.rooms as r
    where r.last_seq - r.floor_seq <> (select count(*) from chat.messages as m where m.room_id = r.id)
  $$,
  'I1: messages are numbered without a gap'
);

select * from finish();
rollback;
