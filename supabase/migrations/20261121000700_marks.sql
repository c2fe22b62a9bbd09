-- mark_read and mark_delivered: how far I am, for me; and who has seen what, for the room.

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
  primary key (room_id, user_id, kind, up_to_seq),
  constraint kind_is_known check (kind in ('delivered', 'read')),
  constraint device_id_is_short check (char_length(device_id) between 1 and 200)
);

comment on table chat.receipts is 'Who acknowledged a room up to where, and when.';
comment on column chat.receipts.rev is
  'The number in the room''s stream; null in rooms too large to announce every tick.';

create index receipts_by_rev on chat.receipts (room_id, rev) where rev is not null;
create index receipts_by_user on chat.receipts (user_id, room_id, kind, up_to_seq);

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
  v_asked record;
  v_room chat.rooms;
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
    select r.* into v_room
    from chat.rooms as r
    join chat.room_members as m
      on m.room_id = r.id and m.user_id = set_marks.user_id and m.left_at is null
    where r.id = v_asked.room_id;
    continue when not found;
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
      insert into chat.receipts (room_id, user_id, kind, up_to_seq, device_id, rev)
      values (
        v_room.id, set_marks.user_id, set_marks.kind, v_seq, set_marks.device_id,
        case when v_room.id = any (v_announced) then v_room.rev + 1 end
      );
      if v_room.id = any (v_announced) then
        update chat.rooms as r
        set rev = v_room.rev + 1, touched = '{receipts}'
        where r.id = v_room.id;
      end if;
      v_moved := v_moved + 1;
    end if;
    return next v_mark;
  end loop;

  if v_moved > 0 then
    perform chat_private.bump_users(array[set_marks.user_id], '{marks}');
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
-- definer: writes tables that nobody may write
security definer
set search_path = '', pg_temp
as $$
declare
  v_mark chat.marks;
begin
  perform chat_private.require_member(mark_read.room_id);
  if mark_read.seq is null or mark_read.seq < 0 then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'seq is the number of a message.',
      hint = 'Pass the seq of the last message that was looked at.';
  end if;
  select k.* into v_mark
  from chat_private.set_marks(
    auth.uid(), 'read', array[mark_read.room_id], array[mark_read.seq], null
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
-- definer: writes tables that nobody may write
security definer
set search_path = '', pg_temp
as $$
declare
  v_me uuid := chat_private.current_user_id();
  v_device text := nullif(chat_private.clean_line(mark_delivered.device_id, 'device id', 200), '');
  v_rooms uuid[];
  v_seqs bigint[];
begin
  if jsonb_typeof(mark_delivered.cursors) is distinct from 'object'
    or exists (
      select from jsonb_each(mark_delivered.cursors) as c (room_id, seq)
      where c.room_id !~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'
        or c.seq::text !~ '^-?[0-9]+(\.0+)?$'
    )
  then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'cursors is an object of room ids and the seq of the last message that arrived.',
      hint = 'Pass {"<room_id>": 12}.';
  end if;

  select array_agg(c.room_id), array_agg(c.seq)
  into v_rooms, v_seqs
  from (
    select c.room_id::uuid, max(least(greatest(c.seq::numeric, 0), 1e18))::bigint
    from jsonb_each(mark_delivered.cursors) as c (room_id, seq)
    group by c.room_id::uuid
  ) as c (room_id, seq);
  if cardinality(v_rooms) > 50 then
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

The mark only moves forward and never past the newest message. In rooms of up to 8 people the others
are told; in larger ones they ask with list_receipts.

Args:
  room_id: a room the caller is in.
  seq: the last message the caller has looked at.

Returns:
  The mark; unchanged when it was there already.

Raises:
  sign_in_required: nobody is signed in.
  room_not_found: the room does not exist, or the caller is not in it.
  invalid_input: seq is no number of a message.$$;

comment on function chat.mark_delivered(jsonb, text) is
  $$Mark messages as arrived on a device of the caller.

Args:
  cursors: {room_id: seq of the last message that arrived}, up to 50 rooms; the marks only move
    forward and never past the newest message.
  device_id: which device, for the receipts.

Returns:
  The marks; rooms the caller is not in are left out.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: cursors is not as described.
  payload_too_large: more than 50 rooms.$$;

revoke execute on function
  chat_private.set_marks(uuid, text, uuid[], bigint[], text),
  chat_private.mark_read(uuid, bigint), chat.mark_read(uuid, bigint),
  chat_private.mark_delivered(jsonb, text), chat.mark_delivered(jsonb, text)
  from public, anon, authenticated;
grant execute on function
  chat_private.mark_read(uuid, bigint), chat.mark_read(uuid, bigint),
  chat_private.mark_delivered(jsonb, text), chat.mark_delivered(jsonb, text)
  to authenticated;

alter table chat.marks enable row level security;
alter table chat.receipts enable row level security;

create policy "people read their own marks" on chat.marks
  for select to authenticated
  using (user_id = (select auth.uid()));

create policy "members read receipts of what they may read" on chat.receipts
  for select to authenticated
  using (up_to_seq > chat_private.visible_after(room_id));

grant select on chat.marks, chat.receipts to authenticated, service_role;
