-- pull_changes: everything the caller may see and does not have yet, from one snapshot.

-- The database is the only thing that decides what a client is missing; broadcasts merely arrive
-- earlier. Stable, like its twin: heads and rows are read in the snapshot of the one calling
-- statement, so nothing can commit between them.

-- A client says what it has. Nothing it says can widen what it gets.
create type chat_private.pull_cursor as (
  timeline text,
  user_rev bigint,
  room_ids uuid[],
  room_revs bigint[],
  window_size integer,
  row_limit integer
);

create function chat_private.read_cursor(cursor jsonb)
returns chat_private.pull_cursor
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  c_number constant text := '^[0-9]{1,18}$';
  v_cursor chat_private.pull_cursor;
  v_rooms jsonb := coalesce(nullif(read_cursor.cursor -> 'rooms', 'null'), '{}');
begin
  if jsonb_typeof(read_cursor.cursor) is distinct from 'object'
    or coalesce(nullif(jsonb_typeof(read_cursor.cursor -> 'timeline'), 'null'), 'string') <> 'string'
    or coalesce(read_cursor.cursor ->> 'user', '0') !~ c_number
    or coalesce(read_cursor.cursor ->> 'window', '1') !~ '^[0-9]{1,3}$'
    or coalesce(read_cursor.cursor ->> 'limit', '1') !~ '^[0-9]{1,4}$'
    or jsonb_typeof(v_rooms) <> 'object'
    or exists (
      select from jsonb_each_text(v_rooms) as r (room_id, rev)
      where r.room_id !~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'
        or coalesce(r.rev, '0') !~ c_number
    )
  then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'A cursor is {"timeline", "user", "rooms": {room_id: number or null}, "window", "limit"}.',
      hint = 'Leave out what you have nothing of; numbers are those of earlier answers.';
  end if;

  v_cursor.timeline := read_cursor.cursor ->> 'timeline';
  v_cursor.user_rev := (read_cursor.cursor ->> 'user')::bigint;
  v_cursor.window_size := coalesce((read_cursor.cursor ->> 'window')::integer, 200);
  v_cursor.row_limit := coalesce((read_cursor.cursor ->> 'limit')::integer, 1000);
  select
    coalesce(array_agg(r.room_id::uuid order by r.room_id::uuid), '{}'),
    coalesce(array_agg(r.rev::bigint order by r.room_id::uuid), '{}')
  into v_cursor.room_ids, v_cursor.room_revs
  from jsonb_each_text(v_rooms) as r (room_id, rev);
  if v_cursor.window_size not between 1 and 200
    or v_cursor.row_limit not between 1 and 5000
    or cardinality(v_cursor.room_ids) > 2000
  then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'A window is 1 to 200 messages, a limit 1 to 5,000 rows, and a cursor names up to 2,000 rooms.',
      hint = 'Name fewer rooms, and pull again while more is true.';
  end if;
  return v_cursor;
end;
$$;

comment on function chat_private.read_cursor(jsonb) is
  $$Read what a client says it has.

Raises:
  invalid_input: it is not a cursor.$$;

-- Where to stop so that no number is split: just before the number that would not fit any more, but
-- never before the first one.
create function chat_private.last_whole_number(revs bigint[], row_limit integer, head bigint)
returns bigint
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  if cardinality(last_whole_number.revs) <= last_whole_number.row_limit then
    return last_whole_number.head;
  end if;
  return greatest(
    last_whole_number.revs[last_whole_number.row_limit + 1] - 1, last_whole_number.revs[1]
  );
end;
$$;

comment on function chat_private.last_whole_number(bigint[], integer, bigint) is
  $$Choose the number up to which a pull answers.

Args:
  revs: the numbers of the rows, ascending; one more than the limit when there are more.
  row_limit: how many rows may come.
  head: the newest number of the stream.

Returns:
  The head when everything fits, otherwise the last number that does, at least the first.$$;

create function chat_private.pull_user(
  user_id uuid,
  above bigint,
  row_limit integer,
  window_size integer
)
returns jsonb
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_head bigint;
  v_above bigint := pull_user.above;
  v_up_to bigint;
  v_rows jsonb;
begin
  select s.rev into v_head from chat_private.user_streams as s where s.user_id = pull_user.user_id;
  -- A number nobody has given out yet: the client has seen another history.
  if v_above > v_head then
    v_above := null;
  end if;

  if v_above is null then
    select coalesce(jsonb_object_agg(part.kind, part.entries), '{}')
    into v_rows
    from (
      select 'memberships', jsonb_agg(to_jsonb(m) order by m.room_id)
      from chat.room_members as m
      where m.user_id = pull_user.user_id and m.left_at is null
      union all
      select 'marks', jsonb_agg(to_jsonb(k) order by k.room_id)
      from chat.marks as k
      where k.user_id = pull_user.user_id
      union all
      select 'preferences', jsonb_agg(to_jsonb(p) order by p.room_id)
      from chat.room_preferences as p
      where p.user_id = pull_user.user_id
      union all
      select 'notifications', jsonb_agg(to_jsonb(n) order by n.seq)
      from (
        select newest.*
        from chat.notifications as newest
        where newest.user_id = pull_user.user_id
        order by newest.seq desc
        limit pull_user.window_size
      ) as n
    ) as part (kind, entries)
    where part.entries is not null;
    return jsonb_build_object(
      'from', null, 'to', v_head, 'rows', v_rows, 'dropped_rooms', '[]'::jsonb
    );
  end if;

  v_up_to := chat_private.last_whole_number(
    array(
      select stamped.rev
      from (
        select m.user_rev as rev
        from chat.room_members as m
        where m.user_id = pull_user.user_id and m.user_rev > v_above
        union all
        select k.rev
        from chat.marks as k
        where k.user_id = pull_user.user_id and k.rev > v_above
        union all
        select p.rev
        from chat.room_preferences as p
        where p.user_id = pull_user.user_id and p.rev > v_above
        union all
        select n.rev
        from chat.notifications as n
        where n.user_id = pull_user.user_id and n.rev > v_above
      ) as stamped
      order by stamped.rev
      limit pull_user.row_limit + 1
    ),
    pull_user.row_limit,
    v_head
  );
  v_rows := chat_private.user_rows(
    pull_user.user_id, v_above, v_up_to, '{memberships,marks,preferences,notifications,blocks}'
  );
  return jsonb_build_object(
    'from', v_above,
    'to', v_up_to,
    'rows', v_rows,
    'dropped_rooms', coalesce(
      (
        select jsonb_agg(m.value -> 'room_id')
        from jsonb_array_elements(v_rows -> 'memberships') as m (value)
        where m.value -> 'left_at' <> 'null'
      ),
      '[]'
    )
  );
end;
$$;

comment on function chat_private.pull_user(uuid, bigint, integer, integer) is
  $$Answer for a person's own stream.

Args:
  user_id: whose stream.
  above: the number the client has; null is nothing.
  row_limit: how many rows may come, whole numbers all the same.
  window_size: how many notifications come to who has nothing.

Returns:
  {"from", "to", "rows", "dropped_rooms"}; from is null when rows replace what the client has.$$;

-- To somebody who has nothing of a room: the newest messages and what belongs to them. Who has
-- nothing has nothing to take away, so what was removed stays out.
create function chat_private.room_window(
  room chat.rooms,
  visible_after bigint,
  window_size integer
)
returns jsonb
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_room_id uuid := (room_window.room).id;
  -- seq has no gaps above the floor, so the first message is known without looking.
  v_first bigint := 1 + greatest(
    (room_window.room).last_seq - room_window.window_size,
    (room_window.room).floor_seq,
    room_window.visible_after
  );
begin
  return (
    select jsonb_object_agg(part.kind, part.entries)
    from (
      select 'rooms', jsonb_build_array(to_jsonb(room_window.room))
      union all
      select 'members', jsonb_agg(to_jsonb(m) order by m.user_id)
      from (
        select some_members.*
        from chat.room_members as some_members
        where some_members.room_id = v_room_id and some_members.left_at is null
        order by some_members.user_id
        limit 200
      ) as m
      union all
      select 'messages', jsonb_agg(to_jsonb(m) order by m.seq)
      from chat.messages as m
      where m.room_id = v_room_id and m.seq >= v_first
      union all
      select 'reactions', jsonb_agg(to_jsonb(e) order by e.seq, e.user_id, e.emoji)
      from chat.reactions as e
      where e.room_id = v_room_id and e.seq >= v_first and e.removed_at is null
      union all
      select 'pins', jsonb_agg(to_jsonb(p) order by p.seq)
      from chat.pins as p
      where p.room_id = v_room_id and p.seq >= v_first and p.removed_at is null
      union all
      select 'receipts', jsonb_agg(to_jsonb(c) order by c.user_id, c.kind, c.up_to_seq)
      from chat.receipts as c
      where c.room_id = v_room_id and c.rev is not null and c.up_to_seq >= v_first
    ) as part (kind, entries)
    where part.entries is not null
  );
end;
$$;

comment on function chat_private.room_window(chat.rooms, bigint, integer) is
  $$Gather what a client starts a room with.

Args:
  room: the room.
  visible_after: messages up to this seq stay out.
  window_size: how many messages at most.

Returns:
  {kind: [rows]}, without empty kinds.$$;

create function chat_private.pull_room(
  room chat.rooms,
  me chat.room_members,
  above bigint,
  row_limit integer,
  window_size integer
)
returns jsonb
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_room_id uuid := (pull_room.room).id;
  v_head bigint := (pull_room.room).rev;
  v_visible_after bigint := (pull_room.me).visible_after_seq;
  v_above bigint := pull_room.above;
  v_up_to bigint;
begin
  -- Removed and added again, below a purge, or of another history: what the client has of the room
  -- is not a beginning of what it should have.
  if v_above is null
    or v_above < greatest((pull_room.me).joined_rev, (pull_room.room).floor_rev)
    or v_above > v_head
  then
    return jsonb_build_object(
      'room_id', v_room_id,
      'from', null,
      'to', v_head,
      'rows', chat_private.room_window(pull_room.room, v_visible_after, pull_room.window_size),
      'reset', v_above is not null
    );
  end if;

  v_up_to := chat_private.last_whole_number(
    array(
      select stamped.rev
      from (
        select m.rev
        from chat.room_members as m
        where m.room_id = v_room_id and m.rev > v_above
        union all
        select m.rev
        from chat.messages as m
        where m.room_id = v_room_id and m.rev > v_above and m.seq > v_visible_after
        union all
        select e.rev
        from chat.reactions as e
        where e.room_id = v_room_id and e.rev > v_above and e.seq > v_visible_after
        union all
        select p.rev
        from chat.pins as p
        where p.room_id = v_room_id and p.rev > v_above and p.seq > v_visible_after
        union all
        select c.rev
        from chat.receipts as c
        where c.room_id = v_room_id and c.rev > v_above and c.up_to_seq > v_visible_after
      ) as stamped
      order by stamped.rev
      limit pull_room.row_limit + 1
    ),
    pull_room.row_limit,
    v_head
  );
  return jsonb_build_object(
    'room_id', v_room_id,
    'from', v_above,
    'to', v_up_to,
    'rows', chat_private.room_rows(
      v_room_id, v_above, v_up_to, v_visible_after,
      '{rooms,members,messages,reactions,pins,receipts}'
    ),
    'reset', false
  );
end;
$$;

comment on function
  chat_private.pull_room(chat.rooms, chat.room_members, bigint, integer, integer) is
  $$Answer for one room.

Args:
  room: the room.
  me: the caller's membership.
  above: the number the client has; null is nothing.
  row_limit: how many rows may come, whole numbers all the same.
  window_size: how many messages come to who has nothing.

Returns:
  {"room_id", "from", "to", "rows", "reset"}.$$;

create function chat_private.count_rows(changed jsonb)
returns integer
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return (
    select coalesce(sum(jsonb_array_length(kind.entries)), 0)
    from jsonb_each(count_rows.changed) as kind (name, entries)
  );
end;
$$;

comment on function chat_private.count_rows(jsonb) is 'Count the rows of {kind: [rows]}.';

create function chat_private.pull_changes(cursor jsonb)
returns jsonb
language plpgsql
stable
-- definer: one membership check per room instead of a policy per row
security definer
set search_path = '', pg_temp
as $$
declare
  v_me uuid := chat_private.current_user_id();
  v_cursor chat_private.pull_cursor := chat_private.read_cursor(pull_changes.cursor);
  v_timeline text := chat_private.timeline();
  v_left integer := v_cursor.row_limit;
  v_user jsonb;
  v_rooms jsonb[] := '{}';
  v_behind record;
  v_answer jsonb;
  v_more boolean := false;
begin
  -- Numbers of another history mean nothing here: the client compares checksums first.
  if v_cursor.timeline <> v_timeline then
    return jsonb_build_object(
      'timeline', v_timeline, 'schema', 1, 'user', null, 'rooms', '[]'::jsonb,
      'profiles', '[]'::jsonb, 'more', false
    );
  end if;

  v_user := chat_private.pull_user(v_me, v_cursor.user_rev, v_left, v_cursor.window_size);
  v_left := v_left - chat_private.count_rows(v_user -> 'rows');
  v_more := (v_user ->> 'to')::bigint < (
    select s.rev from chat_private.user_streams as s where s.user_id = v_me
  );

  for v_behind in
    select r as room, m as me, asked.rev as above
    from unnest(v_cursor.room_ids, v_cursor.room_revs) as asked (room_id, rev)
    join chat.room_members as m
      on m.room_id = asked.room_id and m.user_id = v_me and m.left_at is null
    join chat.rooms as r on r.id = asked.room_id
    where asked.rev is distinct from r.rev
    order by r.id
  loop
    if v_left <= 0 and (v_more or v_rooms <> '{}' or v_user -> 'rows' <> '{}') then
      v_more := true;
      exit;
    end if;
    v_answer := chat_private.pull_room(
      v_behind.room, v_behind.me, v_behind.above, greatest(v_left, 1), v_cursor.window_size
    );
    v_rooms := v_rooms || v_answer;
    v_left := v_left - chat_private.count_rows(v_answer -> 'rows');
    v_more := v_more or (v_answer ->> 'to')::bigint < (v_behind.room).rev;
  end loop;

  return jsonb_build_object(
    'timeline', v_timeline,
    'schema', 1,
    'user', v_user,
    'rooms', to_jsonb(v_rooms),
    'profiles', chat_private.profiles_named(v_rooms || v_user),
    'more', v_more
  );
end;
$$;

-- Profiles are outside the streams; an answer brings those of the people its rows speak of.
create function chat_private.profiles_named(answers jsonb[])
returns jsonb
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return (
    select coalesce(jsonb_agg(to_jsonb(p) order by p.user_id), '[]')
    from chat.profiles as p
    where p.user_id in (
      select person.id::uuid
      from unnest(profiles_named.answers) as a (answer)
      cross join jsonb_each(a.answer -> 'rows') as kind (name, entries)
      cross join jsonb_array_elements(kind.entries) as entry (value)
      cross join lateral (
        values
        (entry.value ->> 'user_id'),
        (entry.value ->> 'sender_id'),
        (entry.value ->> 'actor_id')
      ) as person (id)
      where person.id is not null
    )
  );
end;
$$;

comment on function chat_private.profiles_named(jsonb[]) is
  'Return the profiles of the people that the rows of answers name.';

create function chat.pull_changes(cursor jsonb)
returns jsonb
language sql
stable
set search_path = '', pg_temp
return chat_private.pull_changes(cursor);

comment on function chat.pull_changes(jsonb) is
  $$Pull what the caller may see and does not have yet.

Apply an answer and its numbers in one local transaction, and pull again while more is true. A step
may arrive by broadcast before a pull sees it: repeat until the number you were told is reached.

Args:
  cursor: {"timeline": text or null, "user": number or null, "rooms": {room_id: number or null},
    "window": 1 to 200, default 200, "limit": 1 to 5,000 rows, default 1,000}. Only the rooms named
    are read; null means that the client has nothing of it and gets the newest window messages,
    with the reactions and pins that stand.

Returns:
  {"timeline", "schema", "user": {"from", "to", "rows", "dropped_rooms"}, "rooms": [{"room_id",
  "from", "to", "rows", "reset"}], "profiles", "more"}. Where from is null, rows replace what the
  client has; reset tells that it had something. On another timeline user is null and nothing
  comes: compare room_checksum first. Rooms without news are left out.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: it is not a cursor.$$;

revoke execute on function
  chat_private.read_cursor(jsonb),
  chat_private.last_whole_number(bigint[], integer, bigint),
  chat_private.pull_user(uuid, bigint, integer, integer),
  chat_private.room_window(chat.rooms, bigint, integer),
  chat_private.pull_room(chat.rooms, chat.room_members, bigint, integer, integer),
  chat_private.count_rows(jsonb),
  chat_private.profiles_named(jsonb[]),
  chat_private.pull_changes(jsonb), chat.pull_changes(jsonb)
  from public, anon, authenticated;
grant execute on function chat_private.pull_changes(jsonb), chat.pull_changes(jsonb)
  to authenticated;
