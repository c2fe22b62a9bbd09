-- export_my_data: everything about me, and nothing private of others.

create type chat_private.exported as (key text, content jsonb);

comment on type chat_private.exported is 'A row of an export, and its place among those of its section.';

-- What is a person's alone. Push tokens stay out: they are keys to a device, and the person has it.
create function chat_private.exported_of_person(section text, user_id uuid)
returns setof chat_private.exported
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_id uuid := exported_of_person.user_id;
begin
  return query
  select own.key, own.content
  from (
    select p.user_id::text as key, to_jsonb(p) - 'changed_xid' as content
    from chat.profiles as p
    where exported_of_person.section = 'profiles' and p.user_id = v_id
    union all
    select t.tenant_id::text, to_jsonb(t)
    from chat.tenant_members as t
    where exported_of_person.section = 'tenant_members' and t.user_id = v_id
    union all
    -- Of a room that somebody has left, the name is not theirs to read any more.
    select m.room_id::text, to_jsonb(m) || jsonb_build_object(
      'room_name', (select r.name from chat.rooms as r where r.id = m.room_id and m.left_at is null)
    )
    from chat.room_members as m
    where exported_of_person.section = 'room_members' and m.user_id = v_id
    union all
    select m.room_id::text, to_jsonb(m)
    from chat.marks as m
    where exported_of_person.section = 'marks' and m.user_id = v_id
    union all
    select p.room_id::text, to_jsonb(p)
    from chat.room_preferences as p
    where exported_of_person.section = 'room_preferences' and p.user_id = v_id
    union all
    select lpad(n.seq::text, 19, '0'), to_jsonb(n)
    from chat.notifications as n
    where exported_of_person.section = 'notifications' and n.user_id = v_id
    union all
    select d.device_id, to_jsonb(d)
    from chat.devices as d
    where exported_of_person.section = 'devices' and d.user_id = v_id
    union all
    select p.device_id, to_jsonb(p)
    from chat.presence as p
    where exported_of_person.section = 'presence' and p.user_id = v_id
    union all
    select b.blocked_id::text, to_jsonb(b)
    from chat.blocks as b
    where exported_of_person.section = 'blocks' and b.user_id = v_id
    union all
    -- What somebody else had said is theirs.
    select r.report_id::text, to_jsonb(r) - '{body,attachments,metadata,resolved_by,taken_by}'::text[]
    from chat.reports as r
    where exported_of_person.section = 'reports' and r.reporter_id = v_id
    union all
    -- Who banned somebody, and the words for moderators, are not theirs to read.
    select b.room_id::text, to_jsonb(b) - '{banned_by,reason}'::text[]
    from chat.bans as b
    where exported_of_person.section = 'bans' and b.user_id = v_id
    union all
    select b.tenant_id::text, to_jsonb(b) - '{banned_by,reason}'::text[]
    from chat.tenant_bans as b
    where exported_of_person.section = 'tenant_bans' and b.user_id = v_id
    union all
    select i.id::text, to_jsonb(i)
    from chat.tenant_invites as i
    where exported_of_person.section = 'tenant_invites' and i.created_by = v_id
    union all
    select 'chat-avatars ' || p.avatar_path,
      jsonb_build_object('bucket_id', 'chat-avatars', 'path', p.avatar_path)
    from chat.profiles as p
    where exported_of_person.section = 'avatars' and p.user_id = v_id and p.avatar_path is not null
  ) as own;
end;
$$;

comment on function chat_private.exported_of_person(text, uuid) is
  $$List the rows of a section that is not about a room at a time.

Args:
  section: the name of a table, or avatars.
  user_id: whose.$$;

create function chat_private.exported_of_room(section text, room_id uuid, user_id uuid)
returns setof chat_private.exported
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_id uuid := exported_of_room.user_id;
  v_room_id uuid := exported_of_room.room_id;
begin
  return query
  select own.key, own.content
  from (
    select lpad(m.seq::text, 19, '0') as key, to_jsonb(m) as content
    from chat.messages as m
    where exported_of_room.section = 'messages'
      and m.room_id = v_room_id
      and m.sender_id = v_id
      and m.client_id is not null
    union all
    select lpad(e.seq::text, 19, '0') || lpad(e.rev::text, 19, '0'), to_jsonb(e)
    from chat.message_edits as e
    join chat.messages as m on m.room_id = e.room_id and m.seq = e.seq
    where exported_of_room.section = 'message_edits'
      and m.room_id = v_room_id
      and m.sender_id = v_id
      and m.client_id is not null
    union all
    select a.path, jsonb_build_object('bucket_id', 'chat-attachments', 'path', a.path)
    from chat.attachments as a
    join chat.messages as m on m.room_id = a.room_id and m.seq = a.seq
    where exported_of_room.section = 'attachments'
      and m.room_id = v_room_id
      and m.sender_id = v_id
      and m.client_id is not null
    union all
    select lpad(e.seq::text, 19, '0') || e.emoji, to_jsonb(e)
    from chat.reactions as e
    where exported_of_room.section = 'reactions' and e.room_id = v_room_id and e.user_id = v_id
    union all
    select c.kind || lpad(c.up_to_seq::text, 19, '0'), to_jsonb(c)
    from chat.receipts as c
    where exported_of_room.section = 'receipts' and c.room_id = v_room_id and c.user_id = v_id
    union all
    select lpad(p.seq::text, 19, '0'), to_jsonb(p)
    from chat.pins as p
    where exported_of_room.section = 'pins' and p.room_id = v_room_id and p.pinned_by = v_id
    union all
    select lpad(r.rev::text, 19, '0'), to_jsonb(r)
    from chat.removals as r
    where exported_of_room.section = 'removals' and r.room_id = v_room_id and r.user_id = v_id
    union all
    select i.id::text, to_jsonb(i)
    from chat.invites as i
    where exported_of_room.section = 'invites' and i.room_id = v_room_id and i.created_by = v_id
  ) as own;
end;
$$;

comment on function chat_private.exported_of_room(text, uuid, uuid) is
  $$List the rows of a section in one room.

Args:
  section: the name of a table that is read room by room.
  room_id: the room.
  user_id: whose.$$;

create type chat_private.export_place as (section text, room_id uuid, key text);

comment on type chat_private.export_place is
  'Where a page of an export begins: the section, in sections by room the room, and the last row before.';

create function chat_private.export_sections()
returns text[]
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return '{profiles,tenant_members,room_members,marks,room_preferences,notifications,devices,presence,
    blocks,reports,bans,tenant_bans,tenant_invites,avatars,
    messages,message_edits,attachments,reactions,receipts,pins,removals,invites}';
end;
$$;

comment on function chat_private.export_sections() is
  'List the sections of an export in their order; from messages on, a section is read room by room.';

create function chat_private.read_export_place(page jsonb)
returns chat_private.export_place
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_place chat_private.export_place;
begin
  if read_export_place.page is null then
    v_place.section := (chat_private.export_sections())[1];
    v_place.key := '';
    return v_place;
  end if;
  if (
    read_export_place.page ->> 'section' = any (chat_private.export_sections())
    and pg_input_is_valid(read_export_place.page ->> 'room_id', 'uuid') is not false
    and octet_length(read_export_place.page ->> 'key') <= 1000
  ) is not true then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'page is what the answer before has as next.',
      hint = 'Leave it out for the first page.';
  end if;
  v_place.section := read_export_place.page ->> 'section';
  v_place.room_id := (read_export_place.page ->> 'room_id')::uuid;
  v_place.key := read_export_place.page ->> 'key';
  return v_place;
end;
$$;

comment on function chat_private.read_export_place(jsonb) is
  $$Read where a page of an export begins; null is the beginning.

Raises:
  invalid_input: it is nothing that export_my_data() returned.$$;

-- The next room of a section by room, else the next section. Null at the end.
create function chat_private.next_export_place(place chat_private.export_place, user_id uuid)
returns chat_private.export_place
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_place chat_private.export_place := next_export_place.place;
  v_sections text[] := chat_private.export_sections();
  v_at integer := array_position(v_sections, v_place.section);
begin
  v_place.key := '';
  loop
    if v_at >= array_position(v_sections, 'messages') then
      v_place.room_id := (
        select m.room_id
        from chat.room_members as m
        where m.user_id = next_export_place.user_id
          and (v_place.room_id is null or m.room_id > v_place.room_id)
        order by m.room_id
        limit 1
      );
      if v_place.room_id is not null then
        return v_place;
      end if;
    end if;
    v_at := v_at + 1;
    v_place.section := v_sections[v_at];
    if v_place.section is null then
      return null;
    end if;
    if v_at < array_position(v_sections, 'messages') then
      return v_place;
    end if;
  end loop;
end;
$$;

comment on function chat_private.next_export_place(chat_private.export_place, uuid) is
  $$Say where an export goes on when a section, or a room of it, is through.

Args:
  place: what is through.
  user_id: whose rooms they are.$$;

create function chat_private.export_my_data(page jsonb)
returns jsonb
language plpgsql
volatile
-- definer: reads rows that the caller has left behind in rooms they are no longer in
security definer
set search_path = '', pg_temp
as $$
declare
  c_most_places constant integer := 2000;
  v_me uuid := chat_private.current_user_id();
  v_place chat_private.export_place := chat_private.read_export_place(export_my_data.page);
  v_rows jsonb := '{}';
  v_left bigint := (select s.pull_bytes from chat_private.settings as s);
  v_looked_at integer := 0;
  v_some record;
begin
  perform chat_private.spend(v_me, 50);
  if export_my_data.page is null then
    perform chat_private.record_audit('data_exported', null, null, v_me);
  end if;
  loop
    select
      jsonb_agg(page.content order by page.key) filter (where page.fits) as rows,
      max(page.key) filter (where page.fits) as last_key,
      max(page.bytes) filter (where page.fits) as bytes,
      bool_or(not page.fits) is true as more
    into v_some
    from (
      select
        measured.*,
        measured.bytes <= v_left or measured.place = 1 and v_rows = '{}' as fits
      from (
        select
          e.key collate "C" as key,
          e.content,
          sum(octet_length(e.content::text)) over in_order as bytes,
          row_number() over in_order as place
        from (
          select own.*
          from chat_private.exported_of_person(v_place.section, v_me) as own
          where v_place.room_id is null
          union all
          select own.*
          from chat_private.exported_of_room(v_place.section, v_place.room_id, v_me) as own
          where v_place.room_id is not null
        ) as e
        where e.key collate "C" > v_place.key
        window in_order as (order by e.key collate "C")
      ) as measured
    ) as page;
    if v_some.rows is not null then
      v_rows := v_rows || jsonb_build_object(
        v_place.section, coalesce(v_rows -> v_place.section, '[]') || v_some.rows
      );
      v_left := v_left - v_some.bytes;
      v_place.key := v_some.last_key;
    end if;
    v_looked_at := v_looked_at + 1;
    exit when v_some.more or v_looked_at = c_most_places;
    v_place := chat_private.next_export_place(v_place, v_me);
    exit when v_place.section is null;
  end loop;
  return jsonb_build_object(
    'user_id', v_me,
    'rows', v_rows,
    'next', case when v_place.section is not null then to_jsonb(v_place) end,
    'audit_head', chat_private.audit_head()
  );
end;
$$;

create function chat.export_my_data(page jsonb default null)
returns jsonb
language sql
volatile
set search_path = '', pg_temp
return chat_private.export_my_data(page);

comment on function chat.export_my_data(jsonb) is
  $$Return everything about the caller, page by page, as JSON.

It has what the caller wrote, also in rooms they left, and what the project keeps about them. It has
nothing that others wrote, and no push token. What the app encrypted comes as it is kept. The first page is
added to the audit.

Price: 50.

Args:
  page: what the page before has as "next"; left out, the first page.

Returns:
  {"user_id", "rows": {table: [rows]}, "next": where to go on, null after the last page, "audit_head":
  the head of the audit, to be kept}. attachments and avatars are {"bucket_id", "path"}, to be
  downloaded from Storage; all other rows have the columns of their tables,
  and room_members the name of a room that the caller is in.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: page is nothing that a page before had as next.
  slow_down: too much at once; Retry-After tells the seconds.$$;

revoke execute on function
  chat_private.exported_of_person(text, uuid),
  chat_private.exported_of_room(text, uuid, uuid),
  chat_private.export_sections(),
  chat_private.read_export_place(jsonb),
  chat_private.next_export_place(chat_private.export_place, uuid),
  chat_private.export_my_data(jsonb), chat.export_my_data(jsonb)
  from public, anon, authenticated;
grant execute on function
  chat_private.export_my_data(jsonb), chat.export_my_data(jsonb) to authenticated, service_role;
