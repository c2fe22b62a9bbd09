-- list_rooms: the start screen in one call.

-- No preview and no count is stored for it: both are looked up, so what was deleted, edited or joined
-- too late for is right by construction. Only the order comes from the heads.
create index messages_that_mention on chat.messages (room_id, seq)
  where mention_all or mentions <> '{}';

create type chat_private.unread_count as (unread integer, mentions integer);

-- The one place that knows what counts, from unread_after() on. Somebody's own messages and those of
-- the room do not, and there may be any number of them, so only the newest are looked at: in the order
-- of their index, for a sort would read them all.
create function chat_private.count_unread(
  me chat.room_members,
  mark chat.marks,
  below bigint default null
)
returns chat_private.unread_count
language plpgsql
stable
set search_path = '', pg_temp
set enable_sort = off
as $$
declare
  c_most constant integer := 100;
  c_looked_at constant integer := 2000;
  v_above bigint := chat_private.unread_after(count_unread.me, count_unread.mark);
  v_below bigint := coalesce(count_unread.below, 9223372036854775807);
  v_count chat_private.unread_count;
begin
  select count(*) into v_count.unread
  from (
    select
    from (
      select m.kind, m.deleted_at, m.sender_id
      from chat.messages as m
      where m.room_id = (count_unread.me).room_id and m.seq > v_above and m.seq < v_below
      order by m.seq desc
      limit c_looked_at
    ) as u
    where u.kind = 'text' and u.deleted_at is null and u.sender_id <> (count_unread.me).user_id
    limit c_most
  ) as few;
  select count(*) into v_count.mentions
  from (
    select
    from (
      select m.kind, m.sender_id, m.mention_all, m.mentions
      from chat.messages as m
      where m.room_id = (count_unread.me).room_id
        and m.seq > v_above
        and m.seq < v_below
        and (m.mention_all or m.mentions <> '{}')
      order by m.seq desc
      limit c_looked_at
    ) as u
    where u.kind = 'text'
      and u.sender_id <> (count_unread.me).user_id
      and (u.mention_all or (count_unread.me).user_id = any (u.mentions))
    limit c_most
  ) as few;
  return v_count;
end;
$$;

comment on function chat_private.count_unread(chat.room_members, chat.marks, bigint) is
  $$Count what a member has not read.

Args:
  me: the membership.
  mark: how far they have read; null is not at all.
  below: only messages before this seq; null is all.

Returns:
  Messages of others, and those that mention the member, exact to 99, where 100 means more; of the
  newest 2,000 messages that are not read.$$;

create type chat_private.room_position as (pinned boolean, activity_at timestamptz, room_id uuid);

create function chat_private.read_room_position(before jsonb)
returns chat_private.room_position
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if read_room_position.before is null then
    return null;
  end if;
  if (
    pg_input_is_valid(read_room_position.before ->> 'pinned', 'boolean')
    and pg_input_is_valid(read_room_position.before ->> 'activity_at', 'timestamptz')
    and pg_input_is_valid(read_room_position.before ->> 'room_id', 'uuid')
  ) is not true then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'before is {"pinned", "activity_at", "room_id"} of the last row of the page before.',
      hint = 'Leave it out for the first page.';
  end if;
  return row(
    (read_room_position.before ->> 'pinned')::boolean,
    (read_room_position.before ->> 'activity_at')::timestamptz,
    (read_room_position.before ->> 'room_id')::uuid
  )::chat_private.room_position;
end;
$$;

comment on function chat_private.read_room_position(jsonb) is
  $$Read where a page of rooms ends; null stays null.

Args:
  before: as list_rooms takes it.

Raises:
  invalid_input: it is not as described.$$;

create type chat_private.listed_room as (
  member chat.room_members,
  pinned boolean,
  activity_at timestamptz
);

-- First which rooms, by their heads alone; then how many of them fit into an answer, by the length of
-- what varies in it. Only for these does list_rooms look up what is shown. It says rows 50, because for
-- the thousand that Postgres assumes otherwise it would plan list_rooms with scans of whole tables.
create function chat_private.page_of_rooms(
  me uuid,
  before chat_private.room_position,
  page_size integer
)
returns setof chat_private.listed_room
language plpgsql
stable
rows 50
set search_path = '', pg_temp
as $$
begin
  return query
    with asked as (
      -- Somebody who may see nothing of a room yet does not learn of talk in it.
      select mine.*
      from (
        select
          m as mine,
          m.room_id,
          coalesce(p.pinned, false) as pinned,
          greatest(m.visible_after_seq, p.cleared_seq) as visible_after,
          case when h.last_seq > m.visible_after_seq then h.active_at else m.joined_at end
            as activity_at
        from chat.room_members as m
        cross join lateral (
          select r.active_at, r.last_seq from chat.rooms as r where r.id = m.room_id offset 0
        ) as h
        left join chat.room_preferences as p on p.user_id = page_of_rooms.me and p.room_id = m.room_id
        where m.user_id = page_of_rooms.me and m.left_at is null
      ) as mine
      where (page_of_rooms.before).room_id is null
        or (mine.pinned, mine.activity_at, mine.room_id) < (
          (page_of_rooms.before).pinned, (page_of_rooms.before).activity_at,
          (page_of_rooms.before).room_id
        )
      order by mine.pinned desc, mine.activity_at desc, mine.room_id desc
      limit page_of_rooms.page_size
    ),
    measured as (
      select
        asked.*,
        sum(
          1000
          + octet_length(to_json(r)::text)
          + coalesce(chat_private.message_bytes(l.message), 0)
          + coalesce(octet_length(to_json(o)::text), 0)
        ) over in_order as bytes,
        row_number() over in_order as place
      from asked
      join chat.rooms as r on r.id = asked.room_id
      -- (limit: one look into an index for each room, and never a join with all messages)
      left join lateral (
        select m from chat.messages as m where m.room_id = r.id and m.seq = r.last_seq limit 1
      ) as l (message) on r.last_seq > asked.visible_after
      left join chat.profiles as o
        on o.user_id = case page_of_rooms.me when r.low_user then r.high_user else r.low_user end
      window in_order as (
        order by asked.pinned desc, asked.activity_at desc, asked.room_id desc
      )
    )
    select fitting.mine, fitting.pinned, fitting.activity_at
    from measured as fitting
    where fitting.place = 1
      or fitting.bytes <= (select s.pull_bytes from chat_private.settings as s)
    order by fitting.place;
end;
$$;

comment on function chat_private.page_of_rooms(uuid, chat_private.room_position, integer) is
  $$Choose the rooms of a page, in the order of list_rooms.

Args:
  me: whose rooms.
  before: the last room of the page before; null for the first page.
  page_size: how many at most.

Returns:
  As many as fit into an answer, at least one where there is one: the membership, and what they are
  ordered by.$$;

create function chat_private.list_rooms(before jsonb, page_size integer)
returns table (
  room jsonb,
  member jsonb,
  last_message jsonb,
  unread integer,
  mentions integer,
  mark jsonb,
  preferences jsonb,
  other jsonb,
  pinned boolean,
  activity_at timestamptz
)
language plpgsql
stable
-- definer: one pass over the caller's memberships instead of a policy per row
security definer
set search_path = '', pg_temp
as $$
declare
  v_me uuid := chat_private.current_user_id();
  v_size integer := chat_private.clean_page_size(list_rooms.page_size);
  v_before chat_private.room_position := chat_private.read_room_position(list_rooms.before);
begin
  return query
    select
      to_jsonb(r), to_jsonb(page.member), to_jsonb(l.message), counted.unread, counted.mentions,
      to_jsonb(k), to_jsonb(f),
      case when o.user_id is not null then to_jsonb(chat_private.profile_for(o)) end,
      page.pinned, page.activity_at
    from chat_private.page_of_rooms(v_me, v_before, v_size) as page
    join chat.rooms as r on r.id = (page.member).room_id
    left join chat.marks as k on k.user_id = v_me and k.room_id = r.id
    left join chat.room_preferences as f on f.user_id = v_me and f.room_id = r.id
    left join lateral (
      select m from chat.messages as m where m.room_id = r.id and m.seq = r.last_seq limit 1
    ) as l (message) on r.last_seq > greatest((page.member).visible_after_seq, f.cleared_seq)
    left join chat.profiles as o
      on o.user_id = case v_me when r.low_user then r.high_user else r.low_user end
    cross join lateral chat_private.count_unread(page.member, k) as counted
    order by page.pinned desc, page.activity_at desc, r.id desc;
end;
$$;

create function chat.list_rooms(before jsonb default null, page_size integer default 50)
returns table (
  room jsonb,
  member jsonb,
  last_message jsonb,
  unread integer,
  mentions integer,
  mark jsonb,
  preferences jsonb,
  other jsonb,
  pinned boolean,
  activity_at timestamptz
)
language sql
stable
set search_path = '', pg_temp
begin atomic
  select
    i.room, i.member, i.last_message, i.unread, i.mentions, i.mark, i.preferences, i.other,
    i.pinned, i.activity_at
  from chat_private.list_rooms(before, page_size) as i;
end;

comment on function chat.list_rooms(jsonb, integer) is
  $$List the caller's rooms: pinned ones, then the most recently active.

Args:
  before: {"pinned", "activity_at", "room_id"} of the last row of the page before.
  page_size: 1 to 200 rooms. A page may be shorter, because it is bounded by bytes as well: go on
    from its last row until a page is empty.

Returns:
  Per room, as rows of their tables: room, the caller's member, the last_message the caller may see,
  the caller's mark and preferences, and other, the profile of the other person of a direct room;
  unread and mentions since the caller last came in, exact to 99, where 100 means more, of the newest
  2,000 messages; pinned, and
  activity_at, when something last happened.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: before or the page size is not as described.$$;

revoke execute on function
  chat_private.count_unread(chat.room_members, chat.marks, bigint),
  chat_private.read_room_position(jsonb),
  chat_private.page_of_rooms(uuid, chat_private.room_position, integer),
  chat_private.list_rooms(jsonb, integer), chat.list_rooms(jsonb, integer)
  from public, anon, authenticated;
grant execute on function chat_private.list_rooms(jsonb, integer), chat.list_rooms(jsonb, integer)
  to authenticated, service_role;
