-- import_messages: bring in the messages of another system, with their own times.

-- Senders who have no account here become closed profiles: members of the room can read their
-- names, and nobody can sign in as them.
create function chat_private.add_placeholder(user_id uuid, display_name text)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  insert into chat.profiles (user_id, display_name, closed_at)
  values (
    add_placeholder.user_id,
    chat_private.name_from_metadata(jsonb_build_object('name', add_placeholder.display_name)),
    clock_timestamp()
  )
  on conflict on constraint profiles_pkey do nothing;
  insert into chat_private.user_streams (user_id)
  values (add_placeholder.user_id)
  on conflict on constraint user_streams_pkey do nothing;
end;
$$;

comment on function chat_private.add_placeholder(uuid, text) is
  $$Make sure that somebody has a profile, with or without an account.

Args:
  user_id: the sender.
  display_name: their name, if they have no profile yet.$$;

-- A room of the other system is opened once, with those of its people who have an account here.
create function chat_private.open_imported_room(room_id uuid, name text, user_ids uuid[])
returns chat.rooms
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  c_tenant constant uuid := '00000000-0000-0000-0000-000000000001';
  v_name text := chat_private.clean_line(open_imported_room.name, 'room name', 120);
  v_people uuid[];
  v_room chat.rooms;
  v_head bigint;
begin
  select r.* into v_room from chat.rooms as r where r.id = open_imported_room.room_id;
  if found then
    return v_room;
  end if;

  perform chat_private.hold_tenant_places(c_tenant, open_imported_room.user_ids);
  v_people := array(
    select t.user_id
    from chat.tenant_members as t
    join chat.profiles as p on p.user_id = t.user_id and p.closed_at is null
    where t.tenant_id = c_tenant
      and t.removed_at is null
      and t.user_id = any (open_imported_room.user_ids)
  );
  insert into chat.rooms (id, tenant_id, kind, name, created_by, member_count, is_large)
  select
    open_imported_room.room_id, c_tenant, 'group', coalesce(nullif(v_name, ''), 'Imported'),
    v_people[1], cardinality(v_people), cardinality(v_people) > s.fanout_limit
  from chat_private.settings as s;
  perform chat_private.lock_users(v_people);
  v_head := chat_private.add_first_members(
    open_imported_room.room_id, v_people, v_people[1], 'member'
  );
  perform chat_private.bump_users(v_people, '{memberships}');
  update chat.rooms as r
  set rev = v_head, changed_rev = 1, touched = '{rooms,members}'
  where r.id = open_imported_room.room_id
  returning r.* into v_room;
  return v_room;
end;
$$;

comment on function chat_private.open_imported_room(uuid, text, uuid[]) is
  $$Open a room for an import, in the default tenant; one that is there stays as it is.

Args:
  room_id: its id, the same at every import.
  name: 1 to 120 characters.
  user_ids: its people. Those without an open account stay out; the first of the others owns it.

Returns:
  The room.

Raises:
  invalid_input: the name is too long or holds control characters.$$;

-- Items are checked as JSON, before they are cast. With jsonb_to_recordset one bad uuid would fail
-- the whole call, and the error would not say which item it is in.
create function chat_private.refusal_of_item(item jsonb)
returns chat_private.refusal
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_time text := refusal_of_item.item ->> 'created_at';
  v_fault text;
begin
  v_fault := case
    when jsonb_typeof(refusal_of_item.item) <> 'object' then 'It is not an object.'
    when refusal_of_item.item ->> 'sender_id' is null then 'It has no sender_id.'
    when not pg_input_is_valid(refusal_of_item.item ->> 'sender_id', 'uuid')
      or not pg_input_is_valid(refusal_of_item.item ->> 'client_id', 'uuid')
      or not pg_input_is_valid(refusal_of_item.item ->> 'reply_to', 'uuid')
      then 'Its client_id, sender_id or reply_to is not a uuid.'
    -- A time without a zone would be read in the time zone of the session.
    when v_time is null
      or v_time !~* '^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)$'
      or not pg_input_is_valid(v_time, 'timestamptz')
      then 'Its time is missing, does not exist, or has no zone.'
    when v_time::timestamptz < '1970-01-01T00:00:00Z' then 'Its time is before 1970.'
    when v_time::timestamptz > clock_timestamp() then 'Its time is in the future.'
  end;
  if v_fault is not null then
    return row(
      'PT400', 'invalid_input', v_fault,
      'Pass uuids, and the time at which it was said, as 2024-05-01T10:00:00Z.', null
    )::chat_private.refusal;
  end if;
  return chat_private.refusal_by_content(
    case jsonb_typeof(refusal_of_item.item -> 'body')
      when 'string' then refusal_of_item.item ->> 'body'
    end,
    (refusal_of_item.item ->> 'client_id')::uuid,
    '{}',
    coalesce(nullif(refusal_of_item.item -> 'attachments', 'null'), '[]'),
    nullif(refusal_of_item.item -> 'metadata', 'null')
  );
end;
$$;

comment on function chat_private.refusal_of_item(jsonb) is
  'Say what is wrong with one item of an import, looked at alone; null when it is right.';

-- An import is refused as a whole, so the refusal names the item to correct.
create function chat_private.refuse_item(
  place bigint,
  client_id text,
  refusal chat_private.refusal
)
returns void
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  perform chat_private.refuse(row(
    (refuse_item.refusal).errcode,
    (refuse_item.refusal).slug,
    format(
      'Item %s (client_id %s): %s', refuse_item.place,
      coalesce(left(refuse_item.client_id, 36), 'missing'), (refuse_item.refusal).detail
    ),
    (refuse_item.refusal).hint,
    null
  )::chat_private.refusal);
end;
$$;

comment on function chat_private.refuse_item(bigint, text, chat_private.refusal) is
  $$Raise a refusal of one item of an import.

Args:
  place: its place in items; the first is 1.
  client_id: the client_id of the item.
  refusal: the refusal of the item.$$;

-- Everything that can be checked without the room is checked before the room is locked.
create function chat_private.check_items(items jsonb)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_item record;
  v_refusal chat_private.refusal;
begin
  if jsonb_typeof(check_items.items) is distinct from 'array' then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'items must be an array of messages.',
      hint = 'Pass an array with at least one message.';
  end if;
  if jsonb_array_length(check_items.items) > 1000 then
    raise exception using
      errcode = 'PT413',
      message = 'payload_too_large',
      detail = 'One call imports at most 1,000 messages.',
      hint = 'Import the next ones with another call.';
  end if;

  for v_item in
    select i.item, i.place
    from jsonb_array_elements(check_items.items) with ordinality as i (item, place)
    order by i.place
  loop
    v_refusal := chat_private.refusal_of_item(v_item.item);
    if v_refusal.slug is not null then
      perform chat_private.refuse_item(v_item.place, v_item.item ->> 'client_id', v_refusal);
    end if;
  end loop;

  select i.place, i.client_id, i.first_place
  into v_item
  from (
    select
      e.place,
      (e.item ->> 'client_id')::uuid as client_id,
      min(e.place) over (partition by (e.item ->> 'client_id')::uuid) as first_place
    from jsonb_array_elements(check_items.items) with ordinality as e (item, place)
  ) as i
  where i.place > i.first_place
  order by i.place
  limit 1;
  if found then
    perform chat_private.refuse_item(v_item.place, v_item.client_id::text, row(
      'PT400', 'invalid_input',
      format('Its client_id is that of item %s as well.', v_item.first_place),
      'Give every message a client_id of its own.', null
    )::chat_private.refusal);
  end if;
end;
$$;

comment on function chat_private.check_items(jsonb) is
  $$Refuse items that no room could take, naming the first bad one.

Args:
  items: as import_messages takes them.

Raises:
  invalid_input: items is no array, or an item is not as described.
  message_too_long: more than 8,000 characters.
  payload_too_large: more than 1,000 messages, 30 attachments or 16 KB of them, or 4 KB of metadata.$$;

create function chat_private.add_senders(items jsonb)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_sender record;
begin
  -- All imports insert profiles in the same order, so that two of them cannot deadlock.
  for v_sender in
    select distinct on (i.sender_id) i.sender_id, i.sender_name
    from jsonb_to_recordset(add_senders.items) as i (
      sender_id uuid, sender_name text, created_at timestamptz
    )
    where i.sender_id is not null
    order by i.sender_id, i.created_at
  loop
    perform chat_private.add_placeholder(v_sender.sender_id, v_sender.sender_name);
  end loop;
end;
$$;

comment on function chat_private.add_senders(jsonb) is
  'Make sure that every sender in an import has a profile.';

create type chat_private.import_item as (
  place bigint,
  client_id uuid,
  sender_id uuid,
  body text,
  created_at timestamptz,
  reply_to uuid,
  attachments jsonb,
  metadata jsonb
);

create function chat_private.new_items(room_id uuid, items jsonb)
returns setof chat_private.import_item
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return query
    select
      i.place, i.client_id, i.sender_id, i.body, i.created_at, i.reply_to, i.attachments, i.metadata
    from rows from (
      jsonb_to_recordset(new_items.items) as (
        client_id uuid, sender_id uuid, body text, created_at timestamptz, reply_to uuid,
        attachments jsonb, metadata jsonb
      )
    ) with ordinality as i (
      client_id, sender_id, body, created_at, reply_to, attachments, metadata, place
    )
    where not exists (
      select from chat_private.sends as s
      where s.room_id = new_items.room_id
        and s.sender_id = i.sender_id
        and s.client_id = i.client_id
        and s.sent_hash = ''
    )
    order by i.created_at, i.place;
end;
$$;

comment on function chat_private.new_items(uuid, jsonb) is
  'List the items of an import that the room does not hold yet, in the order of their times.';

create function chat_private.check_imported(room_id uuid, items jsonb)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_item chat_private.import_item;
  v_refusal chat_private.refusal;
begin
  if not exists (select from chat.rooms as r where r.id = check_imported.room_id) then
    return;
  end if;
  for v_item in
    select i.* from chat_private.new_items(check_imported.room_id, check_imported.items) as i
  loop
    v_refusal := chat_private.refusal_by_check(
      check_imported.room_id, v_item.sender_id, v_item.body, coalesce(v_item.attachments, '[]'),
      v_item.metadata
    );
    if v_refusal.slug is not null then
      perform chat_private.refuse_item(v_item.place, v_item.client_id::text, v_refusal);
    end if;
  end loop;
end;
$$;

comment on function chat_private.check_imported(uuid, jsonb) is
  $$Ask the adopter's rule about the new items of an import, before the room is locked.

Raises:
  message_refused: the rule is against one of them.$$;

create function chat_private.require_imported_room(room chat.rooms)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if (require_imported_room.room).last_seq > 0 and not exists (
    select from chat.messages as m
    join chat_private.sends as s
      on s.room_id = m.room_id and s.sender_id = m.sender_id and s.client_id = m.client_id
      and s.sent_hash = ''
    where m.room_id = (require_imported_room.room).id
      and m.seq = (require_imported_room.room).last_seq
  ) then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'The room has messages of its own, and an import needs a room without messages.',
      hint = 'Import into a new room.';
  end if;
end;
$$;

comment on function chat_private.require_imported_room(chat.rooms) is
  $$Refuse to import into a room whose last message was not imported.

Args:
  room: the locked room, as it was before the import.

Raises:
  invalid_input: it has messages of its own.$$;

create function chat_private.add_imported(room chat.rooms, seq bigint, item chat_private.import_item)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_room chat.rooms := add_imported.room;
  v_item chat_private.import_item := add_imported.item;
  v_reply_to bigint;
  v_thread_root bigint;
  v_refusal chat_private.refusal;
begin
  if v_item.reply_to is not null then
    select m.seq, coalesce(m.thread_root, m.seq) into v_reply_to, v_thread_root
    from chat_private.sends as s
    join chat.messages as m on m.room_id = s.room_id and m.seq = s.seq
    where s.room_id = v_room.id and s.client_id = v_item.reply_to and s.sent_hash = ''
    order by m.seq
    limit 1;
    if not found then
      perform chat_private.refuse_item(v_item.place, v_item.client_id::text, row(
        'PT400', 'invalid_input', 'Its reply_to names no earlier message of the room.',
        'Import that message as well, or leave reply_to out.', null
      )::chat_private.refusal);
    end if;
  end if;

  v_refusal := chat_private.refusal_by_missing_file(
    v_room, v_item.sender_id, coalesce(v_item.attachments, '[]'), '{}'
  );
  if v_refusal.slug is not null then
    perform chat_private.refuse_item(v_item.place, v_item.client_id::text, v_refusal);
  end if;
  insert into chat.messages (
    room_id, seq, rev, sender_id, client_id, body, reply_to, thread_root, attachments, metadata,
    created_at
  )
  values (
    v_room.id, add_imported.seq, v_room.rev + add_imported.seq - v_room.last_seq,
    v_item.sender_id, v_item.client_id, v_item.body, v_reply_to, v_thread_root,
    coalesce(v_item.attachments, '[]'), coalesce(v_item.metadata, '{}'), v_item.created_at
  );
  insert into chat_private.sends (room_id, sender_id, client_id, seq, sent_hash)
  values (v_room.id, v_item.sender_id, v_item.client_id, add_imported.seq, '');
  perform chat_private.keep_files(v_room.id, add_imported.seq, coalesce(v_item.attachments, '[]'));
end;
$$;

comment on function chat_private.add_imported(chat.rooms, bigint, chat_private.import_item) is
  $$Write one message of an import.

Args:
  room: the locked room, as it was before the import.
  seq: which message of the room it becomes.
  item: one message with its sender.

Raises:
  invalid_input: it answers a message that the room does not hold.$$;

create function chat_private.announce_import(room chat.rooms, last_seq bigint, active_at timestamptz)
returns chat.rooms
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  c_people_per_number constant integer := 100;
  v_room chat.rooms := announce_import.room;
  v_rev bigint := v_room.rev + announce_import.last_seq - v_room.last_seq;
begin
  -- Imported messages are unread for nobody. A pull never splits the rows of one number over two
  -- answers, so the number of the last message holds a hundred members, and further members take
  -- further numbers.
  update chat.room_members as m
  set joined_seq = announce_import.last_seq, rev = v_rev + inside.place / c_people_per_number
  from (
    select i.user_id, row_number() over (order by i.user_id) - 1 as place
    from chat.room_members as i
    where i.room_id = v_room.id and i.left_at is null
  ) as inside
  where m.room_id = v_room.id and m.user_id = inside.user_id;
  update chat.rooms as r
  set
    rev = v_rev + greatest(v_room.member_count - 1, 0) / c_people_per_number,
    last_seq = announce_import.last_seq,
    active_at = announce_import.active_at,
    touched = '{members,messages}'
  where r.id = v_room.id
  returning r.* into v_room;
  return v_room;
end;
$$;

comment on function chat_private.announce_import(chat.rooms, bigint, timestamptz) is
  $$Raise the head of a room over the messages that were imported.

Args:
  room: the locked room, as it was before the import.
  last_seq: its last message now.
  active_at: when that was said.

Returns:
  The room with its new head.$$;

-- Imported messages are remembered like sent ones, with a fingerprint that no content has. So
-- importing again finds them, and sending another message under their client_id is refused.
create function chat_private.import_messages(room_id uuid, items jsonb)
returns chat.rooms
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
declare
  v_room chat.rooms;
  v_item chat_private.import_item;
  v_seq bigint;
  v_newest timestamptz;
begin
  perform chat_private.check_items(import_messages.items);
  if chat_private.has_content_check() then
    perform chat_private.check_imported(import_messages.room_id, import_messages.items);
  end if;

  select r.* into v_room
  from chat.rooms as r
  where r.id = import_messages.room_id
  for no key update;
  if not found then
    raise exception using
      errcode = 'PT404',
      message = 'room_not_found',
      detail = format('There is no room %s.', import_messages.room_id),
      hint = 'Check its id.';
  end if;
  select m.created_at into v_newest
  from chat.messages as m
  where m.room_id = v_room.id and m.seq = v_room.last_seq;
  v_seq := v_room.last_seq;
  perform chat_private.add_senders(import_messages.items);

  for v_item in
    select i.*
    from chat_private.new_items(v_room.id, import_messages.items) as i
    order by i.created_at, i.place
  loop
    if v_seq = v_room.last_seq then
      perform chat_private.require_imported_room(v_room);
    end if;
    if v_item.created_at < v_newest then
      perform chat_private.refuse_item(v_item.place, v_item.client_id::text, row(
        'PT400', 'invalid_input', 'Its time is before that of a message that is there.',
        'Import the messages of a room in the order of their times.', null
      )::chat_private.refusal);
    end if;

    v_seq := v_seq + 1;
    v_newest := v_item.created_at;
    perform chat_private.add_imported(v_room, v_seq, v_item);
  end loop;

  if v_seq > v_room.last_seq then
    perform chat_private.record_audit(
      'messages_imported', v_room.tenant_id, v_room.id, null,
      jsonb_build_object('from', v_room.last_seq + 1, 'to', v_seq)
    );
    perform chat_private.grow_search(v_room.id, v_seq);
    return chat_private.announce_import(v_room, v_seq, v_newest);
  end if;
  return v_room;
end;
$$;

create function chat.import_messages(room_id uuid, items jsonb)
returns chat.rooms
language sql
volatile
set search_path = '', pg_temp
return chat_private.import_messages(room_id, items);

comment on function chat.import_messages(uuid, jsonb) is
  $$Import messages of elsewhere into a room without messages of its own.

For the service role. Messages that were imported before stay as they are, so a call can be repeated; a
long room takes several calls, in the order of time. Nobody is notified, and nothing is unread: every
import moves the joined_seq of everybody in the room to its last message. A call is taken as a whole
or not at all, and what is said about an item begins with its place: "Item 3 (client_id …): …".

Args:
  room_id: a room without messages, or with imported messages only.
  items: up to 1,000 objects: client_id, a uuid that is the same at every import; sender_id and
    sender_name, who becomes a closed profile where there is none; body; created_at, with a zone,
    from 1970 to now; and where they apply reply_to, the client_id of an earlier message,
    attachments, and metadata.

Returns:
  The room with its new head: one step, in which every message took a number, and the last one one
  more for every further hundred people.

Raises:
  room_not_found: there is no such room.
  invalid_input: items is no array, a message is not as described, or the room has others.
  message_too_long: more than 8,000 characters.
  payload_too_large: more than 1,000 messages, 30 attachments or 16 KB of them, or 4 KB of metadata.
  message_refused: the project's own rule about content is against one of them.$$;

revoke execute on function
  chat_private.add_placeholder(uuid, text),
  chat_private.open_imported_room(uuid, text, uuid[]),
  chat_private.refusal_of_item(jsonb),
  chat_private.refuse_item(bigint, text, chat_private.refusal),
  chat_private.check_items(jsonb),
  chat_private.add_senders(jsonb),
  chat_private.new_items(uuid, jsonb),
  chat_private.check_imported(uuid, jsonb),
  chat_private.require_imported_room(chat.rooms),
  chat_private.add_imported(chat.rooms, bigint, chat_private.import_item),
  chat_private.announce_import(chat.rooms, bigint, timestamptz),
  chat_private.import_messages(uuid, jsonb), chat.import_messages(uuid, jsonb)
  from public, anon, authenticated;
grant execute on function
  chat_private.import_messages(uuid, jsonb), chat.import_messages(uuid, jsonb)
  to service_role;
