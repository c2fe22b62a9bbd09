-- list_rooms: the start screen in one call.

-- No preview and no count is stored for it: both are looked up, so what was deleted, edited or joined
-- too late for is right by construction. Only the order comes from the heads.
create index messages_that_mention on chat.messages (room_id, seq)
  where mention_all or mentions <> '{}';

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
  v_pinned boolean;
  v_activity_at timestamptz;
  v_room_id uuid;
begin
  if list_rooms.before is not null then
    if (
      pg_input_is_valid(list_rooms.before ->> 'pinned', 'boolean')
      and pg_input_is_valid(list_rooms.before ->> 'activity_at', 'timestamptz')
      and pg_input_is_valid(list_rooms.before ->> 'room_id', 'uuid')
    ) is not true then
      raise exception using
        errcode = 'PT400',
        message = 'invalid_input',
        detail = 'before is {"pinned", "activity_at", "room_id"} of the last row of the page before.',
        hint = 'Leave it out for the first page.';
    end if;
    v_pinned := (list_rooms.before ->> 'pinned')::boolean;
    v_activity_at := (list_rooms.before ->> 'activity_at')::timestamptz;
    v_room_id := (list_rooms.before ->> 'room_id')::uuid;
  end if;

  return query
    select
      to_jsonb(r), to_jsonb(page.mine), to_jsonb(l), counted.unread, counted.mentions,
      to_jsonb(k), to_jsonb(f), to_jsonb(o), page.pinned, page.activity_at
    from (
      -- First which rooms, by their heads alone; only then what is shown of them. Who may see
      -- nothing of a room yet does not learn of talk in it.
      select mine.*
      from (
        select
          m as mine,
          m.room_id,
          coalesce(p.pinned, false) as pinned,
          case when h.last_seq > m.visible_after_seq then h.active_at else m.joined_at end
            as activity_at
        from chat.room_members as m
        cross join lateral (
          select r.active_at, r.last_seq from chat.rooms as r where r.id = m.room_id offset 0
        ) as h
        left join chat.room_preferences as p on p.user_id = v_me and p.room_id = m.room_id
        where m.user_id = v_me and m.left_at is null
      ) as mine
      where v_room_id is null
        or (mine.pinned, mine.activity_at, mine.room_id) < (v_pinned, v_activity_at, v_room_id)
      order by mine.pinned desc, mine.activity_at desc, mine.room_id desc
      limit v_size
    ) as page
    join chat.rooms as r on r.id = (page.mine).room_id
    left join chat.messages as l
      on l.room_id = r.id and l.seq = r.last_seq and l.seq > (page.mine).visible_after_seq
    left join chat.marks as k on k.user_id = v_me and k.room_id = r.id
    left join chat.room_preferences as f on f.user_id = v_me and f.room_id = r.id
    left join chat.profiles as o
      on o.user_id = case v_me when r.low_user then r.high_user else r.low_user end
    cross join lateral (
      select
        (
          select count(*)::integer
          from (
            select
            from chat.messages as u
            where u.room_id = r.id
              and u.seq > greatest(coalesce(k.read_seq, 0), (page.mine).visible_after_seq)
              and u.kind = 'text'
              and u.deleted_at is null
              and u.sender_id <> v_me
            order by u.seq
            limit 100
          ) as few
        ),
        (
          select count(*)::integer
          from (
            select
            from chat.messages as u
            where u.room_id = r.id
              and u.seq > greatest(coalesce(k.read_seq, 0), (page.mine).visible_after_seq)
              and u.kind = 'text'
              and u.sender_id <> v_me
              and (u.mention_all or u.mentions <> '{}')
              and (u.mention_all or v_me = any (u.mentions))
            order by u.seq
            limit 100
          ) as few
        )
    ) as counted (unread, mentions)
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
  page_size: 1 to 200 rooms.

Returns:
  Per room, as rows of their tables: room, the caller's member, the last_message the caller may see,
  the caller's mark and preferences, and other, the profile of the other person of a direct room;
  unread and mentions, exact to 99, where 100 means more; pinned, and activity_at, when something
  last happened.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: before or the page size is not as described.$$;

revoke execute on function chat_private.list_rooms(jsonb, integer), chat.list_rooms(jsonb, integer)
  from public, anon, authenticated;
grant execute on function chat_private.list_rooms(jsonb, integer), chat.list_rooms(jsonb, integer)
  to authenticated;
