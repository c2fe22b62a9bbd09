-- list_heads: where every stream of the caller stands.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

-- Cat
select tests.act_as('Cat');
select is(
  (chat.list_heads() -> 'user'),
  jsonb_build_object('rev', (tests.head_of('Cat')).rev, 'epoch', (tests.head_of('Cat')).epoch),
  'the head of one''s own stream is listed'
);
select is(
  (chat.list_heads() -> 'rooms'),
  (
    select jsonb_agg(
      jsonb_build_object('room_id', r.id, 'rev', r.rev, 'epoch', r.epoch) order by r.id
    )
    from chat.rooms as r
  ),
  'the head of every room that one is in is listed'
);
select tests.watch('Cat');
select chat.send_message(tests.room('trip'), 'x', gen_random_uuid());
select is(
  (
    select (r.value ->> 'rev')::bigint
    from jsonb_array_elements(chat.list_heads() -> 'rooms') as r (value)
    where r.value ->> 'room_id' = tests.room('trip')::text
  ),
  (tests.head_of('trip')).rev, 'a change moves the listed head of a room'
);
select matches(chat.list_heads() ->> 'timeline', '^[0-9a-f]{64}$', 'the timeline is a name and tells nothing');
select is(
  (chat.list_heads() ->> 'timeline'), (chat.list_heads() ->> 'timeline'), 'the timeline is the same in the next call'
);
select set_config('tests.timeline', chat.list_heads() ->> 'timeline', true);
select tests.change_as_owner('update chat_private.settings set timeline_salt = gen_random_uuid()');
select isnt(
  chat.list_heads() ->> 'timeline', current_setting('tests.timeline'),
  'the timeline stays until a restore begins another one'
);

-- Xen, an ex-member; Dan, a stranger
select tests.act_as('Xen');
select is((chat.list_heads() -> 'rooms'), '[]', 'somebody who left sees no head');
select is(
  (chat.list_heads() #>> '{user,epoch}')::integer, 6, 'somebody who left sees only their own epoch, which rose with every leaving'
);
select tests.act_as('Dan');
select is((chat.list_heads() -> 'rooms'), '[]', 'somebody who is in no room sees no head, public rooms included');

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  'select chat.list_heads()', '42501', 'permission denied for function list_heads',
  'signed-out people see no heads'
);
select tests.act_without_sub();
select throws_ok(
  'select chat.list_heads()', 'PT401', 'sign_in_required', 'a token without a name sees no heads'
);

select * from finish();
rollback;
