-- import_messages: bring in what was said elsewhere, with its own times.

-- People who said something and have no account here: a tombstone with a name, whom the tenant of
-- the room can read and nobody can act as.
create function chat_private.add_placeholder(user_id uuid, display_name text, tenant_id uuid)
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
  insert into chat.tenant_members (tenant_id, user_id, removed_at)
  select add_placeholder.tenant_id, p.user_id, clock_timestamp()
  from chat.profiles as p
  where p.user_id = add_placeholder.user_id and p.closed_at is not null
  on conflict on constraint tenant_members_pkey do nothing;
end;
$$;

comment on function chat_private.add_placeholder(uuid, text, uuid) is
  $$Make sure that somebody has a profile, with or without an account.

Args:
  user_id: who said something.
  display_name: what they are called where they have no profile yet.
  tenant_id: whose people read that name.$$;

-- A room of elsewhere is opened once, with those of its people who have an account here.
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
  insert into chat.room_members (room_id, user_id, role, joined_rev, rev, user_rev)
  select
    open_imported_room.room_id, s.user_id,
    case when s.user_id = v_people[1] then 'owner' else 'member' end, 1, 1, s.rev + 1
  from chat_private.user_streams as s
  where s.user_id = any (v_people);
  perform chat_private.bump_users(v_people, '{memberships}');
  update chat.rooms as r
  set rev = 1, changed_rev = 1, touched = '{rooms,members}'
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
  user_ids: its people; who has no open account stays out, and the first one owns it.

Returns:
  The room.

Raises:
  invalid_input: the name is too long or holds control characters.$$;

-- Imported messages are remembered like sent ones, with a fingerprint that no content has: importing
-- again finds them, and sending under their client_id is refused.
create function chat_private.import_messages(room_id uuid, items jsonb)
returns chat.rooms
language plpgsql
volatile
-- definer: writes tables that nobody may write
security definer
set search_path = '', pg_temp
as $$
declare
  v_room chat.rooms;
  v_item record;
  v_refusal chat_private.refusal;
  v_seq bigint;
  v_newest timestamptz;
  v_reply_to bigint;
  v_thread_root bigint;
begin
  if jsonb_typeof(import_messages.items) is distinct from 'array' then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'items is an array of messages.',
      hint = 'Pass at least one.';
  end if;
  if jsonb_array_length(import_messages.items) > 1000 then
    raise exception using
      errcode = 'PT413',
      message = 'payload_too_large',
      detail = 'One call imports at most 1,000 messages.',
      hint = 'Import the next ones with another call.';
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

  -- In one order for everybody, so that two imports do not wait for each other.
  for v_item in
    select distinct on (i.sender_id) i.sender_id, i.sender_name
    from jsonb_to_recordset(import_messages.items) as i (
      sender_id uuid, sender_name text, created_at timestamptz
    )
    where i.sender_id is not null
    order by i.sender_id, i.created_at
  loop
    perform chat_private.add_placeholder(v_item.sender_id, v_item.sender_name, v_room.tenant_id);
  end loop;

  for v_item in
    select i.*, s.seq as known_seq
    from rows from (
      jsonb_to_recordset(import_messages.items) as (
        client_id uuid, sender_id uuid, sender_name text, body text, created_at timestamptz,
        reply_to uuid, attachments jsonb
      )
    ) with ordinality as i (
      client_id, sender_id, sender_name, body, created_at, reply_to, attachments, place
    )
    left join chat_private.sends as s
      on s.room_id = v_room.id
      and s.sender_id = i.sender_id
      and s.client_id = i.client_id
      and s.sent_hash = ''
    order by i.created_at, i.place
  loop
    continue when v_item.known_seq is not null;
    if v_seq = v_room.last_seq and v_seq > 0 and not exists (
      select from chat.messages as m
      join chat_private.sends as s
        on s.room_id = m.room_id and s.sender_id = m.sender_id and s.client_id = m.client_id
        and s.sent_hash = ''
      where m.room_id = v_room.id and m.seq = v_seq
    ) then
      raise exception using
        errcode = 'PT400',
        message = 'invalid_input',
        detail = 'The room has messages of its own, and an import begins in a room without any.',
        hint = 'Import into a new room.';
    end if;
    v_refusal := chat_private.refusal_by_content(
      v_item.body, v_item.client_id, '{}', coalesce(v_item.attachments, '[]')
    );
    if v_refusal.slug is not null then
      perform chat_private.refuse(v_refusal);
    end if;
    if v_item.sender_id is null
      or v_item.created_at is null
      or v_item.created_at > clock_timestamp()
      or v_item.created_at < v_newest
    then
      raise exception using
        errcode = 'PT400',
        message = 'invalid_input',
        detail = format(
          'Message %s has no sender_id, or its created_at is missing, in the future, or before that '
          'of a message that is there.',
          v_item.client_id
        ),
        hint = 'Import the messages of a room in the order of their times.';
    end if;

    v_reply_to := null;
    v_thread_root := null;
    if v_item.reply_to is not null then
      select m.seq, coalesce(m.thread_root, m.seq) into v_reply_to, v_thread_root
      from chat_private.sends as s
      join chat.messages as m on m.room_id = s.room_id and m.seq = s.seq
      where s.room_id = v_room.id and s.client_id = v_item.reply_to and s.sent_hash = ''
      order by m.seq
      limit 1;
    end if;
    v_seq := v_seq + 1;
    v_newest := v_item.created_at;
    insert into chat.messages (
      room_id, seq, rev, sender_id, client_id, body, reply_to, thread_root, attachments, created_at
    )
    values (
      v_room.id, v_seq, v_room.rev + v_seq - v_room.last_seq, v_item.sender_id, v_item.client_id,
      v_item.body, v_reply_to, v_thread_root, coalesce(v_item.attachments, '[]'), v_item.created_at
    );
    insert into chat_private.sends (room_id, sender_id, client_id, seq, sent_hash)
    values (v_room.id, v_item.sender_id, v_item.client_id, v_seq, '');
    insert into chat_private.message_search (room_id, seq, created_at, vector)
    values (
      v_room.id, v_seq, v_item.created_at,
      to_tsvector('chat_private.search', chat_private.split_words(v_item.body))
    );
  end loop;

  if v_seq > v_room.last_seq then
    update chat.rooms as r
    set
      rev = v_room.rev + v_seq - v_room.last_seq,
      last_seq = v_seq,
      active_at = v_newest,
      touched = '{messages}'
    where r.id = v_room.id
    returning r.* into v_room;
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

For the service role. What was imported before is left as it is, so that a call can be repeated; a
long room takes several calls, in the order of time. Nobody is notified.

Args:
  room_id: a room in which nothing was said, or only imported.
  items: up to 1,000 objects: client_id, a uuid that is the same at every import; sender_id and
    sender_name, who becomes a closed profile where there is none; body; created_at; and where they
    apply reply_to, the client_id of an earlier message, and attachments.

Returns:
  The room with its new head: one step, in which every message took a number.

Raises:
  room_not_found: there is no such room.
  invalid_input: items is no array, a message is not as described, or the room has others.
  message_too_long: more than 8,000 characters.
  payload_too_large: more than 1,000 messages, 30 attachments or 16 KB of them.$$;

revoke execute on function
  chat_private.add_placeholder(uuid, text, uuid),
  chat_private.open_imported_room(uuid, text, uuid[]),
  chat_private.import_messages(uuid, jsonb), chat.import_messages(uuid, jsonb)
  from public, anon, authenticated;
grant execute on function
  chat_private.import_messages(uuid, jsonb), chat.import_messages(uuid, jsonb)
  to service_role;
