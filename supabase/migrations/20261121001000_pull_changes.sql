-- pull_changes: everything the caller may see and does not have yet, from one snapshot.

-- The database is the only thing that decides what a client is missing; broadcasts merely arrive
-- earlier. Stable, like its twin: heads and rows are read in the snapshot of the one calling
-- statement, so nothing can commit between them.
--
-- An answer is bounded by rows and by bytes. Where it ends is decided by the lengths of the rows, in
-- the order of their numbers, before anything is built. So a pull never holds more than a few times
-- settings.pull_bytes in memory, however much was written.

-- A client tells what it has. Nothing that it tells can make it see more than its person may.
create type chat_private.pull_cursor as (
  timeline text,
  user_rev bigint,
  room_ids uuid[],
  room_revs bigint[],
  first_seqs bigint[],
  window_size integer,
  row_limit integer,
  seen pg_snapshot
);

create function chat_private.read_cursor(cursor jsonb)
returns chat_private.pull_cursor
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  c_number constant text := '^[0-9]{1,18}$';
  c_room_id constant text := chat_private.uuid_pattern();
  v_cursor chat_private.pull_cursor;
  v_rooms jsonb := coalesce(nullif(read_cursor.cursor -> 'rooms', 'null'), '{}');
  v_first jsonb := coalesce(nullif(read_cursor.cursor -> 'first', 'null'), '{}');
  v_seen text := read_cursor.cursor ->> 'seen';
begin
  if jsonb_typeof(read_cursor.cursor) is distinct from 'object'
    or coalesce(nullif(jsonb_typeof(read_cursor.cursor -> 'timeline'), 'null'), 'string') <> 'string'
    or coalesce(read_cursor.cursor ->> 'user', '0') !~ c_number
    or coalesce(read_cursor.cursor ->> 'window', '1') !~ '^[0-9]{1,3}$'
    or coalesce(read_cursor.cursor ->> 'limit', '1') !~ '^[0-9]{1,4}$'
    or jsonb_typeof(v_rooms) <> 'object'
    or exists (
      select from jsonb_each_text(v_rooms) as r (room_id, rev)
      where r.room_id !~ c_room_id or coalesce(r.rev, '0') !~ c_number
    )
    or jsonb_typeof(v_first) <> 'object'
    or exists (
      select from jsonb_each_text(v_first) as f (room_id, seq)
      where f.room_id !~ c_room_id or coalesce(f.seq, '') !~ c_number
    )
    or not pg_input_is_valid(v_seen, 'pg_snapshot')
  then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'A cursor is {"timeline", "user", "rooms": {room_id: number or null}, '
        '"first": {room_id: seq}, "seen", "window", "limit"}.',
      hint = 'Leave out what you have nothing of; numbers and "seen" are those of earlier answers.';
  end if;

  v_cursor.timeline := read_cursor.cursor ->> 'timeline';
  v_cursor.seen := v_seen::pg_snapshot;
  v_cursor.user_rev := (read_cursor.cursor ->> 'user')::bigint;
  v_cursor.window_size := coalesce((read_cursor.cursor ->> 'window')::integer, 200);
  v_cursor.row_limit := coalesce((read_cursor.cursor ->> 'limit')::integer, 1000);
  select
    coalesce(array_agg(r.room_id::uuid order by r.room_id::uuid), '{}'),
    coalesce(array_agg(r.rev::bigint order by r.room_id::uuid), '{}'),
    coalesce(array_agg(f.seq::bigint order by r.room_id::uuid), '{}')
  into v_cursor.room_ids, v_cursor.room_revs, v_cursor.first_seqs
  from jsonb_each_text(v_rooms) as r (room_id, rev)
  left join jsonb_each_text(v_first) as f (room_id, seq) on f.room_id::uuid = r.room_id::uuid;
  if v_cursor.window_size not between 1 and 200
    or v_cursor.row_limit not between 1 and 5000
    or cardinality(v_cursor.room_ids) > 2000
    or (select count(*) from jsonb_object_keys(v_first)) > 2000
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

-- The part of an answer that one stream gives, and how much of the limits it uses. The answer is null
-- if the stream is left for the next pull.
create type chat_private.pull_part as (
  answer jsonb,
  first_seq bigint,
  row_count integer,
  byte_count bigint
);

-- The number at which a stream has to stop, and how much comes up to there.
create type chat_private.pull_stop as (number bigint, row_count integer, byte_count bigint);

-- Stops just before the number that would not fit any more, but never before the first one, so that
-- no number is split. Rows are fetched one by one and only as far as they fit.
create function chat_private.last_whole_number(
  candidates refcursor,
  row_limit integer,
  byte_limit bigint,
  head bigint
)
returns chat_private.pull_stop
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_rev bigint;
  v_bytes bigint;
  v_person uuid;
  v_people uuid[] := '{}';
  v_first bigint;
  v_number bigint;
  v_whole chat_private.pull_stop;
  v_so_far chat_private.pull_stop;
begin
  v_so_far.row_count := 0;
  v_so_far.byte_count := 0;
  loop
    fetch candidates into v_rev, v_bytes, v_person;
    exit when not found;
    if v_rev is distinct from v_number then
      v_whole := v_so_far;
      v_whole.number := v_rev - 1;
      v_first := coalesce(v_first, v_rev);
      v_number := v_rev;
    end if;
    v_so_far.row_count := v_so_far.row_count + (v_bytes > 0)::integer;
    v_so_far.byte_count := v_so_far.byte_count + v_bytes;
    -- A row brings the profile of the person it names, once.
    if v_person <> all (v_people) then
      v_people := v_people || v_person;
      v_so_far.byte_count := v_so_far.byte_count + coalesce(chat_private.profile_bytes(v_person), 0);
    end if;
    if v_number <> v_first and (
      v_so_far.row_count > last_whole_number.row_limit
      or v_so_far.byte_count > last_whole_number.byte_limit
    ) then
      return v_whole;
    end if;
  end loop;
  v_so_far.number := last_whole_number.head;
  return v_so_far;
end;
$$;

comment on function
  chat_private.last_whole_number(refcursor, integer, bigint, bigint) is
  $$Choose the number up to which a pull answers.

Args:
  candidates: (number, bytes, user_id) of rows in the order of their numbers; those without bytes do
    not come, and do not count.
  row_limit: how many rows may come.
  byte_limit: how long they may be, with the profiles of the people they name.
  head: the newest number of the stream.

Returns:
  The head when everything fits, otherwise the last number that does, at least the first; with the
  rows and bytes up to there.$$;

-- The answer is jsonb, which is printed with spaces. 64 bytes are more than those of a row.
create function chat_private.row_bytes(value json)
returns integer
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return octet_length(row_bytes.value::text) + 64;
end;
$$;

comment on function chat_private.row_bytes(json) is 'Tell how long a row is in an answer.';

create function chat_private.profile_bytes(user_id uuid)
returns integer
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return (
    select chat_private.row_bytes(to_json(p))
    from chat.profiles as p
    where p.user_id = profile_bytes.user_id
  );
end;
$$;

comment on function chat_private.profile_bytes(uuid) is
  'Tell how long somebody''s profile is in an answer.';

-- The rows of a stream above a number, in the order of the numbers and measured as they are fetched.
-- A sort would first measure all rows, and their number depends on how much others wrote. Every kind
-- of rows has an index in this order, so sorts are switched off. Postgres reads a union in the order
-- of indexes only if the union has no conditions of its own, so all conditions are outside of it.
create function chat_private.open_user_rows(
  user_id uuid,
  above bigint,
  only_standing boolean,
  seen_seq bigint
)
returns refcursor
language plpgsql
stable
set search_path = '', pg_temp
set enable_sort = off
set enable_seqscan = off
as $$
declare
  v_rows refcursor;
begin
  open v_rows no scroll for
    select stamped.rev, stamped.bytes, stamped.person_id
    from (
      select
        m.user_id,
        m.user_rev as rev,
        case
          when open_user_rows.only_standing and m.left_at is not null then 0
          else chat_private.row_bytes(to_json(m))
        end as bytes,
        m.user_id as person_id
      from chat.room_members as m
      union all
      select k.user_id, k.rev, chat_private.row_bytes(to_json(k)), k.user_id
      from chat.marks as k
      union all
      select p.user_id, p.rev, chat_private.row_bytes(to_json(p)), p.user_id
      from chat.room_preferences as p
      union all
      select
        n.user_id,
        n.rev,
        case when n.seq > open_user_rows.seen_seq then chat_private.row_bytes(to_json(n)) else 0 end,
        case when n.seq > open_user_rows.seen_seq then n.actor_id end
      from chat.notifications as n
      union all
      select
        b.user_id,
        b.rev,
        case
          when open_user_rows.only_standing and b.removed_at is not null then 0
          else chat_private.row_bytes(to_json(b))
        end,
        b.blocked_id
      from chat.blocks as b
      union all
      select
        t.user_id,
        t.user_rev,
        case
          when open_user_rows.only_standing or t.removed_at is null then 0
          else octet_length(to_json(t.tenant_id)::text) + 2
        end,
        null::uuid
      from chat.tenant_members as t
    ) as stamped
    where stamped.user_id = open_user_rows.user_id and stamped.rev > open_user_rows.above
    order by stamped.rev;
  return v_rows;
end;
$$;

comment on function chat_private.open_user_rows(uuid, bigint, boolean, bigint) is
  $$Open (number, bytes, user_id) of the rows of a person's own stream above a number.

Args:
  user_id: whose stream.
  above: the number before the first one.
  only_standing: whether memberships, blocks and places in tenants that ended come to nothing.
  seen_seq: notifications up to this seq come to nothing.

Returns:
  A cursor; what comes to nothing is in it with no bytes.$$;

-- A client that has nothing yet first gets the rows that stand, up to some number. From that number
-- on it is answered like any other client.
create function chat_private.pull_user(
  user_id uuid,
  above bigint,
  row_limit integer,
  byte_limit bigint,
  window_size integer
)
returns chat_private.pull_part
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  -- Those that are over are looked at as well, and there may be any number of them.
  c_most_looked_at constant bigint := 5000;
  v_head bigint;
  v_read_seq bigint;
  v_newest_seq bigint;
  v_has_nothing boolean;
  v_above bigint;
  v_standing chat.notifications[];
  v_seen_seq bigint := 0;
  v_candidates refcursor;
  v_stop chat_private.pull_stop;
  v_rows jsonb;
  v_part chat_private.pull_part;
begin
  select s.rev, s.notifications_read_seq, s.notification_seq
  into v_head, v_read_seq, v_newest_seq
  from chat_private.user_streams as s
  where s.user_id = pull_user.user_id;
  -- The number was not given out yet, so the client has seen another history, as after a restore.
  v_has_nothing := pull_user.above is null or pull_user.above > v_head;
  v_above := case when v_has_nothing then 0 else pull_user.above end;
  if v_has_nothing then
    v_standing := array(
      select n
      from chat_private.standing_notifications(
        pull_user.user_id, null, v_newest_seq - c_most_looked_at, pull_user.window_size
      ) as n
    );
    v_seen_seq := coalesce((select min(n.seq) - 1 from unnest(v_standing) as n), v_newest_seq);
  end if;

  v_candidates := chat_private.open_user_rows(
    pull_user.user_id, v_above, v_has_nothing, v_seen_seq
  );
  v_stop := chat_private.last_whole_number(
    v_candidates, pull_user.row_limit, pull_user.byte_limit, v_head
  );
  close v_candidates;

  if v_has_nothing then
    select coalesce(jsonb_object_agg(part.kind, part.entries), '{}')
    into v_rows
    from (
      select 'memberships', jsonb_agg(to_jsonb(m) order by m.room_id)
      from chat.room_members as m
      where m.user_id = pull_user.user_id
        and m.left_at is null
        and m.user_rev <= v_stop.number
      union all
      select 'marks', jsonb_agg(to_jsonb(k) order by k.room_id)
      from chat.marks as k
      where k.user_id = pull_user.user_id and k.rev <= v_stop.number
      union all
      select 'preferences', jsonb_agg(to_jsonb(p) order by p.room_id)
      from chat.room_preferences as p
      where p.user_id = pull_user.user_id and p.rev <= v_stop.number
      union all
      select 'notifications', jsonb_agg(to_jsonb(n) order by n.seq)
      from unnest(v_standing) as n
      where n.rev <= v_stop.number
      union all
      select 'blocks', jsonb_agg(to_jsonb(b) order by b.blocked_id)
      from chat.blocks as b
      where b.user_id = pull_user.user_id
        and b.removed_at is null
        and b.rev <= v_stop.number
    ) as part (kind, entries)
    where part.entries is not null;
  else
    v_rows := chat_private.user_rows(
      pull_user.user_id, v_above, v_stop.number,
      '{memberships,marks,preferences,notifications,blocks}'
    );
  end if;
  v_part.answer := jsonb_build_object(
    'from', case when not v_has_nothing then v_above end,
    'to', v_stop.number,
    'rows', v_rows,
    'dropped_rooms', coalesce(
      (
        select jsonb_agg(m.value -> 'room_id')
        from jsonb_array_elements(v_rows -> 'memberships') as m (value)
        where m.value -> 'left_at' <> 'null'
      ),
      '[]'
    ),
    'dropped_tenants', case
      when v_has_nothing then '[]'
      else chat_private.dropped_tenants(pull_user.user_id, v_above, v_stop.number)
    end,
    'notifications_read_seq', v_read_seq
  );
  v_part.row_count := v_stop.row_count;
  v_part.byte_count := v_stop.byte_count;
  return v_part;
end;
$$;

comment on function chat_private.pull_user(uuid, bigint, integer, bigint, integer) is
  $$Answer for a person's own stream.

Args:
  user_id: whose stream.
  above: the number the client has; null is nothing.
  row_limit: how many rows may come, whole numbers all the same.
  byte_limit: how long they may be, whole numbers all the same.
  window_size: how many notifications come to a client that has nothing, of the newest 5,000.

Returns:
  {"from", "to", "rows", "dropped_rooms", "dropped_tenants", "notifications_read_seq"}, and what it
  takes of the limits; from is null when rows replace what the client has.$$;

-- For a client that has nothing of a room: its newest messages and the rows that belong to them. Such
-- a client has nothing to remove, so removed rows are left out. The membership of its own person
-- always comes.
create function chat_private.room_window(
  room chat.rooms,
  me chat.room_members,
  first_seq bigint,
  marked_from_seq bigint
)
returns jsonb
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_room_id uuid := (room_window.room).id;
begin
  return (
    select jsonb_object_agg(part.kind, part.entries)
    from (
      select 'rooms', jsonb_build_array(to_jsonb(room_window.room))
      union all
      select 'members', jsonb_agg(to_jsonb(m) order by m.user_id)
      from (
        (
          select some_members.*
          from chat.room_members as some_members
          where some_members.room_id = v_room_id and some_members.left_at is null
          order by some_members.user_id
          limit 200
        )
        union
        select (room_window.me).*
      ) as m
      union all
      select 'messages', jsonb_agg(to_jsonb(m) order by m.seq)
      from chat.messages as m
      where m.room_id = v_room_id and m.seq >= room_window.first_seq
      union all
      select 'reactions', jsonb_agg(to_jsonb(e) order by e.seq, e.user_id, e.emoji)
      from chat.reactions as e
      where e.room_id = v_room_id
        and e.seq >= room_window.marked_from_seq
        and e.removed_at is null
      union all
      select 'pins', jsonb_agg(to_jsonb(p) order by p.seq)
      from chat.pins as p
      where p.room_id = v_room_id and p.seq >= room_window.marked_from_seq and p.removed_at is null
      union all
      select 'receipts', jsonb_agg(to_jsonb(c) order by c.user_id, c.kind, c.up_to_seq)
      from chat.receipts as c
      where c.room_id = v_room_id
        and c.rev > chat_private.rev_before(v_room_id, room_window.marked_from_seq)
        and c.up_to_seq >= room_window.marked_from_seq
    ) as part (kind, entries)
    where part.entries is not null
  );
end;
$$;

comment on function
  chat_private.room_window(chat.rooms, chat.room_members, bigint, bigint) is
  $$Gather what a client starts a room with.

Args:
  room: the room.
  me: the caller's membership.
  first_seq: messages from here on.
  marked_from_seq: reactions, pins and receipts of messages from here on.

Returns:
  {kind: [rows]}, without empty kinds.$$;

-- Receipts have no index by message. But every row about a message has a higher number than the
-- message had when it was sent, and the message still has that number unless it was changed.
create function chat_private.rev_before(room_id uuid, seq bigint)
returns bigint
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return coalesce(
    (
      select m.rev
      from chat.messages as m
      where m.room_id = rev_before.room_id
        and m.seq <= rev_before.seq
        and m.edited_at is null
        and m.deleted_at is null
      order by m.seq desc
      limit 1
    ),
    0
  );
end;
$$;

comment on function chat_private.rev_before(uuid, bigint) is
  'Return a number below which nothing is about a message or later ones.';

create function chat_private.open_window_rows(room_id uuid, from_seq bigint)
returns refcursor
language plpgsql
stable
set search_path = '', pg_temp
set enable_sort = off
set enable_seqscan = off
as $$
declare
  v_rows refcursor;
begin
  open v_rows no scroll for
    with told as materialized (
      select c.up_to_seq, chat_private.row_bytes(to_json(c)) as bytes, c.user_id
      from chat.receipts as c
      where c.room_id = open_window_rows.room_id
        and c.rev > chat_private.rev_before(open_window_rows.room_id, open_window_rows.from_seq)
        and c.up_to_seq >= open_window_rows.from_seq
    )
    select m.seq, belonging.bytes, belonging.person_id
    from chat.messages as m
    cross join lateral (
      select chat_private.row_bytes(to_json(m)), m.sender_id
      union all
      select chat_private.row_bytes(to_json(e)), e.user_id
      from chat.reactions as e
      where e.room_id = open_window_rows.room_id and e.seq = m.seq and e.removed_at is null
      union all
      select chat_private.row_bytes(to_json(p)), null::uuid
      from chat.pins as p
      where p.room_id = open_window_rows.room_id and p.seq = m.seq and p.removed_at is null
      union all
      select t.bytes, t.user_id
      from told as t
      where t.up_to_seq = m.seq
    ) as belonging (bytes, person_id)
    where m.room_id = open_window_rows.room_id and m.seq >= open_window_rows.from_seq
    order by m.seq desc;
  return v_rows;
end;
$$;

comment on function chat_private.open_window_rows(uuid, bigint) is
  $$Open (seq, bytes, user_id) of messages and of what belongs to them, the newest message first.

Args:
  room_id: the room.
  from_seq: the oldest message.

Returns:
  A cursor.$$;

-- A window holds as many of the newest messages as fit, each with all that belongs to it. If not
-- even the newest fits (ten thousand people may have reacted to it), it comes alone, and the window
-- ends at the number before the first of those rows: the next pull brings them, number by number.
create function chat_private.pull_window(
  room chat.rooms,
  me chat.room_members,
  least_rev bigint,
  row_limit integer,
  byte_limit bigint,
  window_size integer,
  is_reset boolean,
  may_be_smaller boolean
)
returns chat_private.pull_part
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_room_id uuid := (pull_window.room).id;
  v_head bigint := (pull_window.room).rev;
  v_last bigint := (pull_window.room).last_seq;
  -- seq has no gaps above the floor, so the first message is known without looking.
  v_lowest bigint := 1 + greatest(
    v_last - pull_window.window_size,
    (pull_window.room).floor_seq,
    chat_private.readable_after(pull_window.me)
  );
  v_candidates refcursor;
  v_message_seq bigint;
  v_bytes bigint;
  v_person uuid;
  v_people uuid[];
  v_row_count integer;
  v_byte_count bigint;
  v_part chat_private.pull_part;
  v_seq bigint := v_last + 1;
  v_fits boolean := true;
  v_marked_from bigint;
  v_up_to bigint := v_head;
begin
  -- The row of the room and all of its members come, whatever the limits are.
  select 1 + count(*), coalesce(sum(someone.bytes), 0), coalesce(array_agg(someone.user_id), '{}')
  into v_row_count, v_byte_count, v_people
  from (
    select m.user_id, chat_private.row_bytes(to_json(m)) + chat_private.row_bytes(to_json(p)) as bytes
    from (
      (
        select some_members.*
        from chat.room_members as some_members
        where some_members.room_id = v_room_id and some_members.left_at is null
        order by some_members.user_id
        limit 200
      )
      union
      select (pull_window.me).*
    ) as m
    cross join lateral (
      select found.*
      from chat.profiles as found
      where found.user_id = m.user_id
      offset 0
    ) as p
  ) as someone;
  v_byte_count := v_byte_count + chat_private.row_bytes(to_json(pull_window.room));

  v_candidates := chat_private.open_window_rows(v_room_id, v_lowest);
  loop
    fetch v_candidates into v_message_seq, v_bytes, v_person;
    exit when not found;
    if v_message_seq < v_seq then
      -- From the message before this one on, everything fits.
      v_part.first_seq := v_seq;
      v_part.row_count := v_row_count;
      v_part.byte_count := v_byte_count;
      v_seq := v_message_seq;
    end if;
    v_row_count := v_row_count + 1;
    v_byte_count := v_byte_count + v_bytes;
    if v_person <> all (v_people) then
      v_people := v_people || v_person;
      v_byte_count := v_byte_count + coalesce(chat_private.profile_bytes(v_person), 0);
    end if;
    v_fits := v_row_count <= pull_window.row_limit and v_byte_count <= pull_window.byte_limit;
    exit when not v_fits;
  end loop;
  close v_candidates;
  if v_fits or v_part.first_seq > v_last then
    v_part.first_seq := v_seq;
    v_part.row_count := v_row_count;
    v_part.byte_count := v_byte_count;
  end if;
  if not v_fits and not pull_window.may_be_smaller then
    return null;
  end if;

  v_marked_from := v_part.first_seq;
  if not v_fits and v_seq = v_last then
    v_marked_from := v_last + 1;
    v_up_to := coalesce(chat_private.rev_of_marks(v_room_id, v_last) - 1, v_head);
    if v_up_to < pull_window.least_rev then
      -- A cursor that ends there would begin anew at every pull. Older messages are read as pages.
      v_part.first_seq := v_last + 1;
      v_up_to := v_head;
    end if;
  end if;
  v_part.answer := jsonb_build_object(
    'room_id', v_room_id,
    'from', null,
    'to', v_up_to,
    'rows', chat_private.room_window(
      pull_window.room, pull_window.me, v_part.first_seq, v_marked_from
    ),
    'reset', pull_window.is_reset
  );
  return v_part;
end;
$$;

comment on function
  chat_private.pull_window(
    chat.rooms, chat.room_members, bigint, integer, bigint, integer, boolean, boolean
  ) is
  $$Answer for a room that the client has nothing of.

Args:
  room: the room.
  me: the caller's membership, which always comes; messages that it does not show stay out.
  least_rev: a cursor below this number begins anew.
  row_limit: how many rows may come.
  byte_limit: how long they may be.
  window_size: how many messages at most.
  is_reset: what the client had is no beginning of this.
  may_be_smaller: whether fewer messages may come than the window and the room have.

Returns:
  {"room_id", "from", "to", "rows", "reset"}, the first message that came, and what it takes of the
  limits; null when not all of the window fits and it may not be smaller.$$;

create function chat_private.rev_of_marks(room_id uuid, seq bigint)
returns bigint
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return (
    select min(marked.rev)
    from (
      select e.rev
      from chat.reactions as e
      where e.room_id = rev_of_marks.room_id and e.seq = rev_of_marks.seq and e.removed_at is null
      union all
      select p.rev
      from chat.pins as p
      where p.room_id = rev_of_marks.room_id and p.seq = rev_of_marks.seq and p.removed_at is null
      union all
      select c.rev
      from chat.receipts as c
      where c.room_id = rev_of_marks.room_id
        and c.rev > chat_private.rev_before(rev_of_marks.room_id, rev_of_marks.seq)
        and c.up_to_seq = rev_of_marks.seq
    ) as marked
  );
end;
$$;

comment on function chat_private.rev_of_marks(uuid, bigint) is
  'Return the lowest number among the reactions, pins and receipts of a message.';

create function chat_private.open_room_rows(room_id uuid, above bigint, visible_after bigint)
returns refcursor
language plpgsql
stable
set search_path = '', pg_temp
set enable_sort = off
set enable_seqscan = off
as $$
declare
  v_rows refcursor;
begin
  open v_rows no scroll for
    select stamped.rev, stamped.bytes, stamped.person_id
    from (
      select m.room_id, m.rev, chat_private.row_bytes(to_json(m)) as bytes, m.user_id as person_id
      from chat.room_members as m
      union all
      select
        m.room_id,
        m.rev,
        case
          when m.seq > open_room_rows.visible_after then chat_private.row_bytes(to_json(m)) else 0
        end,
        case when m.seq > open_room_rows.visible_after then m.sender_id end
      from chat.messages as m
      union all
      select
        e.room_id,
        e.rev,
        case
          when e.seq > open_room_rows.visible_after then chat_private.row_bytes(to_json(e)) else 0
        end,
        case when e.seq > open_room_rows.visible_after then e.user_id end
      from chat.reactions as e
      union all
      select
        p.room_id,
        p.rev,
        case
          when p.seq > open_room_rows.visible_after then chat_private.row_bytes(to_json(p)) else 0
        end,
        null::uuid
      from chat.pins as p
      union all
      select
        c.room_id,
        c.rev,
        case
          when c.up_to_seq > open_room_rows.visible_after then chat_private.row_bytes(to_json(c))
          else 0
        end,
        case when c.up_to_seq > open_room_rows.visible_after then c.user_id end
      from chat.receipts as c
    ) as stamped
    where stamped.room_id = open_room_rows.room_id and stamped.rev > open_room_rows.above
    order by stamped.rev;
  return v_rows;
end;
$$;

comment on function chat_private.open_room_rows(uuid, bigint, bigint) is
  $$Open (number, bytes, user_id) of the rows of a room above a number.

Args:
  room_id: the room; its own row is not among them.
  above: the number before the first one.
  visible_after: rows about messages up to this seq come to nothing.

Returns:
  A cursor; what comes to nothing is in it with no bytes.$$;

create function chat_private.pull_room(
  room chat.rooms,
  me chat.room_members,
  above bigint,
  first_seq bigint,
  row_limit integer,
  byte_limit bigint,
  window_size integer,
  may_be_smaller boolean
)
returns chat_private.pull_part
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_room_id uuid := (pull_room.room).id;
  v_head bigint := (pull_room.room).rev;
  v_visible_after bigint := chat_private.readable_after(pull_room.me);
  v_above bigint := pull_room.above;
  -- Removed and added again, below floor_rev, or (above the head) of another history: what the client
  -- has of the room is not a beginning of what it should have. A purge is none of these: the client
  -- drops what is at or below floor_seq by itself, and nothing of that is gathered here any more.
  v_least_rev bigint := greatest((pull_room.me).joined_rev, (pull_room.room).floor_rev);
  v_room_bytes integer := 0;
  v_candidates refcursor;
  v_stop chat_private.pull_stop;
  v_part chat_private.pull_part;
  v_mark chat.marks;
  v_count chat_private.unread_count;
begin
  if v_above is null or v_above < v_least_rev or v_above > v_head then
    v_part := chat_private.pull_window(
      pull_room.room, pull_room.me, v_least_rev, pull_room.row_limit, pull_room.byte_limit,
      pull_room.window_size, v_above is not null, pull_room.may_be_smaller
    );
    if v_part.answer is null then
      return null;
    end if;
  else
    -- The room's own row may come with any number, so there is always space for it.
    if (pull_room.room).changed_rev > v_above then
      v_room_bytes := chat_private.row_bytes(to_json(pull_room.room));
    end if;
    v_candidates := chat_private.open_room_rows(v_room_id, v_above, v_visible_after);
    v_stop := chat_private.last_whole_number(
      v_candidates, pull_room.row_limit, pull_room.byte_limit - v_room_bytes, v_head
    );
    close v_candidates;
    v_part.first_seq := pull_room.first_seq;
    v_part.row_count := v_stop.row_count + (v_room_bytes > 0)::integer;
    v_part.byte_count := v_stop.byte_count + v_room_bytes;
    v_part.answer := jsonb_build_object(
      'room_id', v_room_id,
      'from', v_above,
      'to', v_stop.number,
      'rows', chat_private.room_rows(
        v_room_id, v_above, v_stop.number, v_visible_after,
        '{rooms,members,messages,reactions,pins,receipts}'
      ),
      'reset', false
    );
  end if;

  if pull_room.first_seq is not null then
    select k.* into v_mark
    from chat.marks as k
    where k.user_id = (pull_room.me).user_id and k.room_id = v_room_id;
    v_count := chat_private.count_unread(pull_room.me, v_mark, v_part.first_seq);
    v_part.answer := v_part.answer || jsonb_build_object(
      'older_unread', v_count.unread, 'older_mentions', v_count.mentions
    );
  end if;
  return v_part;
end;
$$;

comment on function
  chat_private.pull_room(
    chat.rooms, chat.room_members, bigint, bigint, integer, bigint, integer, boolean
  ) is
  $$Answer for one room.

Args:
  room: the room.
  me: the caller's membership.
  above: the number the client has; null is nothing.
  first_seq: the first message the client has; null when it does not want to know what it has not
    read before that.
  row_limit: how many rows may come, whole numbers all the same.
  byte_limit: how long they may be, whole numbers all the same.
  window_size: how many messages come to a client that has nothing.
  may_be_smaller: whether fewer of them may come, so that they fit.

Returns:
  {"room_id", "from", "to", "rows", "reset", "older_unread", "older_mentions"}, and what it takes of
  the limits; null when it is left for the next answer.$$;

-- The people whose profiles changed since a snapshot, and the snapshot that shows these changes.
create type chat_private.changed_people as (user_ids uuid[], seen text, more boolean);

-- Changes that a snapshot did not show are found by their transactions, without a counter that sign-ups
-- would have to wait for. If not everything fits, the snapshot in the answer ends before the first
-- transaction that is left out, and shows the same as the present one of all earlier transactions.
create function chat_private.changed_people(
  user_id uuid,
  seen pg_snapshot,
  byte_limit bigint
)
returns chat_private.changed_people
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  c_most_looked_at constant integer := 5000;
  v_now pg_snapshot := pg_current_snapshot();
  v_people chat_private.changed_people;
  v_profile record;
  v_xid xid8;
  v_looked_at integer := 0;
  v_bytes bigint := 0;
begin
  v_people.user_ids := '{}';
  v_people.more := false;
  -- A crash gives numbers of transactions that were rolled back right before it to others, and a
  -- snapshot of that time would hide these. Up to a change that is seen, all numbers are on disk.
  v_people.seen := chat_private.snapshot_before(
    v_now, (
      select (p.changed_xid::text::bigint + 1)::text::xid8
      from chat.profiles as p
      order by p.changed_xid desc
      limit 1
    )
  );
  if pg_is_in_recovery() then
    -- A replica does not know which transactions are open, and would take some of them for shown.
    v_people.seen := format('%1$s:%1$s:', pg_snapshot_xmin(v_now));
  end if;
  if changed_people.seen is null then
    return v_people;
  end if;
  for v_profile in
    select
      p.changed_xid as xid,
      p.user_id,
      p.user_id = changed_people.user_id or exists (
        -- People who left a tenant count as well: their profiles now show less than before.
        select
        from chat.tenant_members as mine
        join chat.tenant_members as theirs on theirs.tenant_id = mine.tenant_id
        where mine.user_id = changed_people.user_id
          and mine.removed_at is null
          and theirs.user_id = p.user_id
      ) as is_known
    from chat.profiles as p
    where p.changed_xid >= pg_snapshot_xmin(changed_people.seen)
      and not pg_visible_in_snapshot(p.changed_xid, changed_people.seen)
    order by p.changed_xid
  loop
    if v_xid <> v_profile.xid
      and (v_looked_at >= c_most_looked_at or v_bytes > changed_people.byte_limit)
    then
      v_people.more := true;
      v_people.seen := chat_private.snapshot_before(v_people.seen::pg_snapshot, v_profile.xid);
      return v_people;
    end if;
    v_xid := v_profile.xid;
    v_looked_at := v_looked_at + 1;
    if v_profile.is_known then
      v_people.user_ids := v_people.user_ids || v_profile.user_id;
      v_bytes := v_bytes + chat_private.profile_bytes(v_profile.user_id);
    end if;
  end loop;
  return v_people;
end;
$$;

comment on function chat_private.changed_people(uuid, pg_snapshot, bigint) is
  $$Name the people in somebody's tenants whose profiles changed since a snapshot.

Args:
  user_id: the caller, who is among the people.
  seen: the snapshot of an earlier answer; null names nobody.
  byte_limit: how long their profiles may be; what one transaction changed is never split.

Returns:
  The people, the snapshot to ask with next time, and whether there are more.$$;

create function chat_private.snapshot_before(snapshot pg_snapshot, xid xid8)
returns text
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return format(
    '%s:%s:%s',
    least(pg_snapshot_xmin(snapshot_before.snapshot), snapshot_before.xid),
    least(pg_snapshot_xmax(snapshot_before.snapshot), snapshot_before.xid),
    (
      select string_agg(x.open::text, ',' order by x.open)
      from pg_snapshot_xip(snapshot_before.snapshot) as x (open)
      where x.open < snapshot_before.xid
    )
  );
end;
$$;

comment on function chat_private.snapshot_before(pg_snapshot, xid8) is
  'Cut a snapshot off, so that it shows nothing from this transaction on.';

-- A replica surely shows the transactions before the oldest one that may be open there. More of them
-- may be shown, but a replica does not know which are open.
create function chat_private.lacks(oldest_open xid8, seen pg_snapshot)
returns boolean
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  -- Compares how many transactions there are from the oldest open one on, and how many of them the
  -- snapshot does not show.
  return pg_snapshot_xmax(lacks.seen)::text::bigint - lacks.oldest_open::text::bigint > (
    select count(*)
    from pg_snapshot_xip(lacks.seen) as x (open)
    where x.open >= lacks.oldest_open
  );
end;
$$;

comment on function chat_private.lacks(xid8, pg_snapshot) is
  $$Tell whether a snapshot shows a transaction from the oldest open one on.

Args:
  oldest_open: everything before it is there.
  seen: the snapshot of an earlier answer.$$;

-- What a replica has not replayed yet it cannot answer. Everything that was ever committed is on the
-- primary, so nothing is refused there.
create function chat_private.refuse_if_behind(seen pg_snapshot, is_ahead boolean default false)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if pg_is_in_recovery() and (
    refuse_if_behind.is_ahead
    or chat_private.lacks(pg_snapshot_xmin(pg_current_snapshot()), refuse_if_behind.seen)
  ) then
    raise exception using
      errcode = 'PT503',
      message = 'replica_behind',
      detail = 'This read replica does not have yet what an earlier answer showed.',
      hint = 'Ask the primary.';
  end if;
end;
$$;

comment on function chat_private.refuse_if_behind(pg_snapshot, boolean) is
  $$Refuse to answer on a replica that lacks what the caller has seen.

Args:
  seen: the snapshot of an earlier answer; null when there is none.
  is_ahead: whether the caller has something else that is not here.

Raises:
  replica_behind: this is a replica, and it is behind.$$;

-- On the primary such a cursor is of another history, and the client begins anew.
create function chat_private.is_ahead(
  cursor chat_private.pull_cursor,
  user_id uuid,
  timeline text
)
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return is_ahead.timeline <> coalesce((is_ahead.cursor).timeline, is_ahead.timeline)
    or (is_ahead.cursor).user_rev > (
      select s.rev from chat_private.user_streams as s where s.user_id = is_ahead.user_id
    )
    or exists (
      select
      from unnest((is_ahead.cursor).room_ids, (is_ahead.cursor).room_revs) as asked (room_id, rev)
      left join chat.rooms as r on r.id = asked.room_id
      where asked.rev > coalesce(r.rev, 0)
    );
end;
$$;

comment on function chat_private.is_ahead(chat_private.pull_cursor, uuid, text) is
  $$Tell whether a cursor has a number above the heads, or is of another timeline.

Args:
  cursor: what a client has.
  user_id: whose client it is.
  timeline: the present one.$$;

create function chat_private.pull_changes(cursor jsonb)
returns jsonb
language plpgsql
stable
-- definer: one membership check per room instead of a policy per row
security definer
set search_path = '', pg_temp
-- Postgres thinks that a kept plan reads more than it does, and would plan at every call of a large database.
set plan_cache_mode = force_generic_plan
as $$
declare
  c_bytes_per_room constant integer := 256;
  v_me uuid := chat_private.current_user_id();
  v_cursor chat_private.pull_cursor := chat_private.read_cursor(pull_changes.cursor);
  v_timeline text := chat_private.timeline();
  v_rows_left integer := v_cursor.row_limit;
  v_pull_bytes bigint := (select s.pull_bytes from chat_private.settings as s);
  v_bytes_left bigint := v_pull_bytes;
  v_user jsonb;
  v_rooms jsonb[] := '{}';
  v_behind record;
  v_room chat.rooms;
  v_member chat.room_members;
  v_part chat_private.pull_part;
  v_people chat_private.changed_people;
  v_more boolean := false;
begin
  if pg_is_in_recovery() then
    perform chat_private.refuse_if_behind(
      v_cursor.seen, chat_private.is_ahead(v_cursor, v_me, v_timeline)
    );
  end if;

  -- The numbers of another timeline mean nothing here, so the client has to fetch its rooms anew.
  if v_cursor.timeline <> v_timeline then
    return jsonb_build_object(
      'timeline', v_timeline, 'schema', 1, 'user', null, 'rooms', '[]'::jsonb,
      'profiles', '[]'::jsonb, 'seen', null, 'more', false
    );
  end if;

  v_part := chat_private.pull_user(
    v_me, v_cursor.user_rev, v_rows_left, v_bytes_left, v_cursor.window_size
  );
  v_user := v_part.answer;
  v_rows_left := v_rows_left - v_part.row_count;
  v_bytes_left := v_bytes_left - v_part.byte_count;
  v_more := (v_user ->> 'to')::bigint < (
    select s.rev from chat_private.user_streams as s where s.user_id = v_me
  );

  -- Rooms with few changes come first, so that a room with a thousand new messages delays no other.
  for v_behind in
    select asked.room_id, asked.rev, asked.first_seq
    from unnest(v_cursor.room_ids, v_cursor.room_revs, v_cursor.first_seqs)
      as asked (room_id, rev, first_seq)
    cross join lateral (
      select h.id, h.rev
      from chat.room_members as m
      join chat.rooms as h on h.id = m.room_id
      where m.room_id = asked.room_id and m.user_id = v_me and m.left_at is null
      offset 0
    ) as r
    where asked.rev is distinct from r.rev or asked.first_seq is not null
    order by coalesce(r.rev - asked.rev, v_cursor.window_size), r.id
  loop
    if least(v_rows_left, v_bytes_left) <= 0
      and (v_more or v_rooms <> '{}' or v_user -> 'rows' <> '{}')
    then
      v_more := true;
      exit;
    end if;
    select r.* into v_room from chat.rooms as r where r.id = v_behind.room_id;
    select m.* into v_member
    from chat.room_members as m
    where m.room_id = v_behind.room_id and m.user_id = v_me;
    -- A window is cut only if little else is in the answer. Otherwise it goes whole into the next one.
    v_part := chat_private.pull_room(
      v_room, v_member, v_behind.rev, v_behind.first_seq, greatest(v_rows_left, 1),
      greatest(v_bytes_left, 1), v_cursor.window_size,
      v_user -> 'rows' = '{}' and v_rooms = '{}'
        or 2 * v_rows_left > v_cursor.row_limit and 2 * v_bytes_left > v_pull_bytes
    );
    if v_part.answer is null then
      v_more := true;
      exit;
    end if;
    v_rooms := v_rooms || v_part.answer;
    v_rows_left := v_rows_left - v_part.row_count;
    v_bytes_left := v_bytes_left - v_part.byte_count - c_bytes_per_room;
    v_more := v_more or (v_part.answer ->> 'to')::bigint < v_room.rev;
  end loop;

  v_people := chat_private.changed_people(v_me, v_cursor.seen, greatest(v_bytes_left, 0));
  v_more := v_more or v_people.more;
  return jsonb_build_object(
    'timeline', v_timeline,
    'schema', 1,
    'user', v_user,
    'rooms', to_jsonb(v_rooms),
    'profiles', chat_private.profiles_named(v_rooms || v_user, v_people.user_ids),
    'seen', v_people.seen,
    'more', v_more
  );
end;
$$;

-- Profiles are outside the streams, so an answer also brings those of the people its rows name.
create function chat_private.profiles_named(answers jsonb[], user_ids uuid[])
returns jsonb
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return (
    select coalesce(jsonb_agg(to_jsonb(chat_private.profile_for(p)) order by p.user_id), '[]')
    from (
      select (person.id #>> '{}')::uuid
      from unnest(profiles_named.answers) as a (answer)
      cross join unnest(
        '{$.rows.*[*].user_id,$.rows.*[*].sender_id,$.rows.*[*].actor_id,$.rows.*[*].blocked_id}'
          ::jsonpath[]
      ) as named (path)
      cross join jsonb_path_query(a.answer, named.path) as person (id)
      union
      select changed.user_id
      from unnest(profiles_named.user_ids) as changed (user_id)
    ) as person (user_id)
    cross join lateral (
      select found.*
      from chat.profiles as found
      where found.user_id = person.user_id
      offset 0
    ) as p
  );
end;
$$;

comment on function chat_private.profiles_named(jsonb[], uuid[]) is
  $$Return profiles as the caller may see them.

Args:
  answers: parts of a pull, whose rows name people.
  user_ids: more people.$$;

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

An answer is bounded by its rows (limit) and by its bytes (settings.pull_bytes, 1 MB), and exceeds
both by less than one number. A number is small: a message with its 30 attachments, a hundred people
who came in together, or whatever else one call changed. Rooms with little news come first.

Args:
  cursor: {"timeline": text or null, "user": number or null, "rooms": {room_id: number or null},
    "first": {room_id: seq}, "seen": text or null, "window": 1 to 200, default 200, "limit": 1 to 5,000 rows, default
    1,000}. Only the rooms named are read; null means that the client has nothing of it and gets the
    newest window messages, as many as fit and at least one, with the reactions and pins that stand.
    first names, for rooms in rooms, the first message the client has; such a room is always
    answered, and tells what is unread below. seen is that of the last answer: the profiles in the
    caller's tenants that changed since then come too, and the caller's own. Where that one has
    another changed_xid, the caller may have come into a tenant or left one: ask list_profiles for
    the people you know, and of those it leaves out keep only the name.

Returns:
  {"timeline", "schema", "user": {"from", "to", "rows", "dropped_rooms", "dropped_tenants",
  "notifications_read_seq"}, "rooms": [{"room_id", "from", "to", "rows", "reset", "older_unread",
  "older_mentions"}], "profiles", "seen", "more"}. Where from is null, rows replace what the client has, and go
  on from to while more is true; reset tells that it had something. dropped_tenants names tenants the
  caller is no longer in. older_unread and older_mentions count what the caller has not read before the
  message named in first, or before the window; exact to 99, where 100 means more. On another timeline
  user is null and nothing comes: compare room_checksum first. Rooms without news are left out, unless
  first names them. What ended with something else is not told again: drop the reactions, the pin and
  the notifications of a tombstone, everything about messages up to rooms.floor_seq and up to
  cleared_seq of the caller's preferences, the notifications about a room from before the last joining
  or leaving, and those of a mention that its message, at message_rev or later, does not hold. Of
  several about one mention the newest stands. Notifications up to
  notifications_read_seq are read.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: it is not a cursor.
  replica_behind: a read replica was asked that lacks what the cursor has; ask the primary.$$;

revoke execute on function
  chat_private.read_cursor(jsonb),
  chat_private.last_whole_number(refcursor, integer, bigint, bigint),
  chat_private.row_bytes(json),
  chat_private.profile_bytes(uuid),
  chat_private.pull_user(uuid, bigint, integer, bigint, integer),
  chat_private.room_window(chat.rooms, chat.room_members, bigint, bigint),
  chat_private.open_user_rows(uuid, bigint, boolean, bigint),
  chat_private.open_room_rows(uuid, bigint, bigint),
  chat_private.open_window_rows(uuid, bigint),
  chat_private.rev_before(uuid, bigint),
  chat_private.rev_of_marks(uuid, bigint),
  chat_private.pull_window(
    chat.rooms, chat.room_members, bigint, integer, bigint, integer, boolean, boolean
  ),
  chat_private.pull_room(
    chat.rooms, chat.room_members, bigint, bigint, integer, bigint, integer, boolean
  ),
  chat_private.profiles_named(jsonb[], uuid[]),
  chat_private.changed_people(uuid, pg_snapshot, bigint),
  chat_private.snapshot_before(pg_snapshot, xid8),
  chat_private.lacks(xid8, pg_snapshot),
  chat_private.refuse_if_behind(pg_snapshot, boolean),
  chat_private.is_ahead(chat_private.pull_cursor, uuid, text),
  chat_private.pull_changes(jsonb), chat.pull_changes(jsonb)
  from public, anon, authenticated;
grant execute on function chat_private.pull_changes(jsonb), chat.pull_changes(jsonb)
  to authenticated, service_role;
