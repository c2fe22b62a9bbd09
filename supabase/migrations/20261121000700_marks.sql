-- mark_read and mark_delivered: how far I have read, and what every member has received and read.

-- Private and in the person's own stream: reading must not wait for a busy room.
create table chat.marks (
  user_id uuid not null references chat.profiles (user_id),
  room_id uuid not null references chat.rooms (id),
  delivered_seq bigint not null default 0,
  read_seq bigint not null default 0,
  rev bigint not null,
  constraint marks_pkey primary key (user_id, room_id),
  constraint read_is_delivered check (read_seq <= delivered_seq)
);

comment on table chat.marks is 'How far each person is in each room; nobody else sees it.';
comment on column chat.marks.delivered_seq is 'Everything up to this seq has reached a device.';
comment on column chat.marks.read_seq is 'Everything up to this seq has been looked at.';
comment on column chat.marks.rev is 'The number in this person''s own stream.';

create index marks_by_rev on chat.marks (user_id, rev);
create index marks_by_room on chat.marks (room_id, user_id);

-- One row per acknowledgement, however many messages it covers: catching up on five hundred is one
-- row, and the first row that covers a message tells when it was delivered or read.
create table chat.receipts (
  room_id uuid not null references chat.rooms (id),
  user_id uuid not null references chat.profiles (user_id),
  kind text not null,
  up_to_seq bigint not null,
  at timestamptz not null default clock_timestamp(),
  device_id text,
  rev bigint,
  joined_seq bigint not null,
  primary key (room_id, user_id, kind, up_to_seq),
  constraint kind_is_known check (kind in ('delivered', 'read')),
  constraint device_id_is_short check (char_length(device_id) between 1 and 200),
  constraint receipt_covers_something check (joined_seq < up_to_seq)
);

comment on table chat.receipts is 'Up to where each person acknowledged a room, and when.';
comment on column chat.receipts.rev is
  'The number in the room''s stream; null in rooms too large to announce every tick.';
comment on column chat.receipts.joined_seq is
  'Where the person had come in: the receipt is about the messages above it, up to up_to_seq.';

create index receipts_by_rev on chat.receipts (room_id, rev) where rev is not null;
create index receipts_by_user on chat.receipts (user_id, room_id, kind, up_to_seq);

-- For a person who comes into a room, by whatever way, earlier messages are not unread. Everything
-- that counts unread messages or mentions asks here where to begin.
create function chat_private.unread_after(member chat.room_members, mark chat.marks)
returns bigint
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return greatest(
    coalesce((unread_after.mark).read_seq, 0),
    (unread_after.member).joined_seq,
    chat_private.readable_after(unread_after.member)
  );
end;
$$;

comment on function chat_private.unread_after(chat.room_members, chat.marks) is
  $$Return the seq above which messages are unread for a member.

Args:
  member: the membership.
  mark: how far they have read; null is not at all.$$;

revoke execute on function chat_private.unread_after(chat.room_members, chat.marks)
  from public, anon, authenticated;

-- Devices that still show a push for messages that are read now should remove it. Rows that a push
-- worker has locked at this moment are skipped, so that reading never waits for a worker.
create function chat_private.clear_pushes(user_id uuid, room_id uuid, read_seq bigint)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  update chat_private.push_deliveries as d
  set clear_at = clock_timestamp()
  from (
    select shown.device_id
    from chat_private.push_deliveries as shown
    where shown.user_id = clear_pushes.user_id
      and shown.room_id = clear_pushes.room_id
      and shown.sent_seq > shown.cleared_seq
      and shown.sent_seq <= clear_pushes.read_seq
      and shown.clear_at is null
    for no key update skip locked
  ) as shown
  where d.user_id = clear_pushes.user_id
    and d.room_id = clear_pushes.room_id
    and d.device_id = shown.device_id;
end;
$$;

comment on function chat_private.clear_pushes(uuid, uuid, bigint) is
  'Note which devices show a push about a room that its person has read up to a message.';

revoke execute on function chat_private.clear_pushes(uuid, uuid, bigint)
  from public, anon, authenticated;

-- Marks many rooms at once. The rooms that announce ticks are locked ascending before the first
-- write, the person's stream once after them.
create function chat_private.set_marks(
  user_id uuid,
  kind text,
  room_ids uuid[],
  seqs bigint[],
  device_id text
)
returns setof chat.marks
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_announced uuid[];
  v_user_rev bigint;
  v_moved integer := 0;
  v_ended boolean := false;
  v_asked record;
  v_room chat.rooms;
  v_joined_seq bigint;
  v_mark chat.marks;
  v_seq bigint;
begin
  v_announced := array(
    select r.id
    from chat.rooms as r
    where r.id = any (set_marks.room_ids)
      and r.member_count <= (select s.receipts_limit from chat_private.settings as s)
      and chat_private.visible_after(r.id) is not null
    order by r.id
    for no key update
  );
  perform chat_private.lock_users(array[set_marks.user_id]);
  select s.rev + 1 into v_user_rev
  from chat_private.user_streams as s
  where s.user_id = set_marks.user_id;

  -- After the locks: only rooms the caller is still in, never past the head, never back.
  for v_asked in
    select a.room_id, a.seq
    from unnest(set_marks.room_ids, set_marks.seqs) as a (room_id, seq)
    order by a.room_id
  loop
    select m.joined_seq into v_joined_seq
    from chat.room_members as m
    where m.room_id = v_asked.room_id and m.user_id = set_marks.user_id and m.left_at is null;
    continue when not found;
    select r.* into v_room from chat.rooms as r where r.id = v_asked.room_id;
    select k.* into v_mark
    from chat.marks as k
    where k.user_id = set_marks.user_id and k.room_id = v_room.id;
    if not found then
      v_mark := row(set_marks.user_id, v_room.id, 0, 0, 0);
    end if;

    v_seq := least(v_asked.seq, v_room.last_seq);
    if v_seq > (
      case set_marks.kind when 'read' then v_mark.read_seq else v_mark.delivered_seq end
    ) then
      insert into chat.marks as k (user_id, room_id, delivered_seq, read_seq, rev)
      values (
        set_marks.user_id, v_room.id, greatest(v_seq, v_mark.delivered_seq),
        case set_marks.kind when 'read' then v_seq else v_mark.read_seq end, v_user_rev
      )
      on conflict on constraint marks_pkey do update
      set
        delivered_seq = excluded.delivered_seq,
        read_seq = excluded.read_seq,
        rev = excluded.rev
      returning k.* into v_mark;
      v_moved := v_moved + 1;
      if set_marks.kind = 'read' then
        perform chat_private.clear_pushes(set_marks.user_id, v_room.id, v_mark.read_seq);
      end if;
      -- Nobody waits for a receipt about messages from before the person came in.
      if v_seq > v_joined_seq then
        insert into chat.receipts (room_id, user_id, kind, up_to_seq, device_id, rev, joined_seq)
        values (
          v_room.id, set_marks.user_id, set_marks.kind, v_seq, set_marks.device_id,
          case when v_room.id = any (v_announced) then v_room.rev + 1 end, v_joined_seq
        );
        if v_room.id = any (v_announced) then
          update chat.rooms as r
          set rev = v_room.rev + 1, touched = '{receipts}'
          where r.id = v_room.id;
        end if;
      end if;
    end if;
    -- Reading up to the newest message ends "marked as unread", also when the mark did not move.
    if set_marks.kind = 'read' and v_asked.seq >= v_room.last_seq then
      update chat.room_preferences as p
      set marked_unread = false, rev = v_user_rev
      where p.user_id = set_marks.user_id and p.room_id = v_room.id and p.marked_unread;
      v_ended := v_ended or found;
    end if;
    return next v_mark;
  end loop;

  if v_moved > 0 or v_ended then
    perform chat_private.spend(set_marks.user_id, greatest(v_moved, 1));
    perform chat_private.bump_users(
      array[set_marks.user_id],
      case when v_ended then '{marks,preferences}'::text[] else '{marks}' end
    );
  end if;
end;
$$;

comment on function chat_private.set_marks(uuid, text, uuid[], bigint[], text) is
  $$Move the marks of a person forward.

Args:
  user_id: whose marks.
  kind: read, which implies delivered, or delivered.
  room_ids: different rooms; those the person is not in are left out.
  seqs: up to where, one for each room.
  device_id: where it was seen; may be null.

Returns:
  The marks of the remaining rooms, moved or not.$$;

create function chat_private.mark_read(room_id uuid, seq bigint)
returns chat.marks
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
declare
  v_me chat.room_members := chat_private.require_member(mark_read.room_id);
  v_mark chat.marks;
begin
  if mark_read.seq is null or mark_read.seq < 0 then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'seq is the number of a message.',
      hint = 'Pass the seq of the last message that was looked at.';
  end if;
  select k.* into v_mark
  from chat_private.set_marks(
    v_me.user_id, 'read', array[mark_read.room_id], array[mark_read.seq], null
  ) as k;
  if not found then
    perform chat_private.require_member(mark_read.room_id);
  end if;
  return v_mark;
end;
$$;

create function chat_private.mark_delivered(cursors jsonb, device_id text)
returns setof chat.marks
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
declare
  v_me uuid := chat_private.current_user_id();
  v_device text := nullif(chat_private.clean_line(mark_delivered.device_id, 'device id', 200), '');
  v_is_endless boolean;
  v_rooms uuid[];
  v_seqs bigint[];
begin
  -- Fifty rooms take 4 KB as jsonb, so a much larger value is refused before it is read.
  v_is_endless := pg_column_size(mark_delivered.cursors) > 65536;
  if jsonb_typeof(mark_delivered.cursors) is distinct from 'object'
    or not v_is_endless and exists (
      select from jsonb_each(mark_delivered.cursors) as c (room_id, seq)
      where c.room_id !~ chat_private.uuid_pattern()
        or case jsonb_typeof(c.seq)
          when 'number' then c.seq::numeric <> trunc(c.seq::numeric)
          else true
        end
    )
  then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'cursors is an object of room ids and the seq of the last message that arrived.',
      hint = 'Pass {"<room_id>": 12}.';
  end if;

  if not v_is_endless then
    select array_agg(c.room_id), array_agg(c.seq)
    into v_rooms, v_seqs
    from (
      select c.room_id::uuid, max(least(greatest(c.seq::numeric, 0), 1e18))::bigint
      from jsonb_each(mark_delivered.cursors) as c (room_id, seq)
      group by c.room_id::uuid
    ) as c (room_id, seq);
  end if;
  if v_is_endless or cardinality(v_rooms) > 50 then
    raise exception using
      errcode = 'PT413',
      message = 'payload_too_large',
      detail = 'At most 50 rooms are marked at once.',
      hint = 'Mark the others in another call.';
  end if;
  return query
    select k.* from chat_private.set_marks(v_me, 'delivered', v_rooms, v_seqs, v_device) as k;
end;
$$;

create function chat.mark_read(room_id uuid, seq bigint)
returns chat.marks
language sql
volatile
set search_path = '', pg_temp
return chat_private.mark_read(room_id, seq);

create function chat.mark_delivered(cursors jsonb, device_id text default null)
returns setof chat.marks
language sql
volatile
set search_path = '', pg_temp
begin atomic
  select k.* from chat_private.mark_delivered(cursors, device_id) as k;
end;

comment on function chat.mark_read(uuid, bigint) is
  $$Mark a room as read up to a message.

The mark only moves forward and never past the newest message. At the newest message it also ends that
the room is marked as unread, where the mark was there already too. In rooms of up to 8 people the others
are told; in larger ones they ask with list_receipts.

Price: 1.

Args:
  room_id: a room the caller is in.
  seq: the last message the caller has looked at.

Returns:
  The mark; unchanged when it was there already.

Raises:
  sign_in_required: nobody is signed in.
  room_not_found: the room does not exist, or the caller is not in it.
  invalid_input: seq is no number of a message.
  slow_down: too much at once; Retry-After tells the seconds.$$;

comment on function chat.mark_delivered(jsonb, text) is
  $$Mark messages as arrived on a device of the caller.

Price: 1 for each room whose mark moves.

Args:
  cursors: {room_id: seq of the last message that arrived}, up to 50 rooms; the marks only move
    forward and never past the newest message.
  device_id: which device, up to 200 characters, for the receipts.

Returns:
  The marks; rooms the caller is not in are left out.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: cursors is not as described.
  payload_too_large: more than 50 rooms.
  slow_down: too much at once; Retry-After tells the seconds.$$;

revoke execute on function
  chat_private.set_marks(uuid, text, uuid[], bigint[], text),
  chat_private.mark_read(uuid, bigint), chat.mark_read(uuid, bigint),
  chat_private.mark_delivered(jsonb, text), chat.mark_delivered(jsonb, text)
  from public, anon, authenticated;
grant execute on function
  chat_private.mark_read(uuid, bigint), chat.mark_read(uuid, bigint),
  chat_private.mark_delivered(jsonb, text), chat.mark_delivered(jsonb, text)
  to authenticated, service_role;

alter table chat.marks enable row level security;
alter table chat.receipts enable row level security;

create policy "people read their own marks" on chat.marks
  for select to authenticated
  using (user_id = (select auth.uid()));

create policy "members read receipts of what they may read" on chat.receipts
  for select to authenticated
  using (up_to_seq > chat_private.visible_after(room_id));

grant select on chat.marks, chat.receipts to authenticated, service_role;
