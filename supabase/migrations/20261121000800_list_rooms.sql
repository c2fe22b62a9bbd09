-- list_rooms: the start screen in one call.

-- Nothing is stored for it: the last message and the counts are looked up, so what was deleted,
-- edited or joined too late for is right by construction.
create function chat_private.list_rooms(before jsonb, page_size integer)
returns table (
  room chat.rooms,
  member chat.room_members,
  last_message chat.messages,
  other chat.profiles,
  activity_at timestamptz
)
language plpgsql
stable
-- definer: one pass over the caller's memberships instead of a policy per row
security definer
set search_path = ''
as $$
declare
  v_me uuid := chat_private.current_user_id();
  v_size integer := chat_private.clean_page_size(list_rooms.page_size);
  v_activity_at timestamptz;
  v_room_id uuid;
begin
  if list_rooms.before is not null then
    v_activity_at := (list_rooms.before ->> 'activity_at')::timestamptz;
    v_room_id := (list_rooms.before ->> 'room_id')::uuid;
    if v_activity_at is null or v_room_id is null then
      raise exception using
        errcode = 'PT400',
        message = 'invalid_input',
        detail = 'before is {"activity_at", "room_id"} of the last row of the page before.',
        hint = 'Leave it out for the first page.';
    end if;
  end if;

  return query
    select r, m, l, p, page.activity_at
    from (
      select
        mine.room_id,
        coalesce(
          (
            select newest.created_at
            from chat.messages as newest
            where newest.room_id = mine.room_id and newest.seq > mine.visible_after_seq
            order by newest.seq desc
            limit 1
          ),
          mine.joined_at
        ) as activity_at
      from chat.room_members as mine
      where mine.user_id = v_me and mine.left_at is null
    ) as page
    join chat.rooms as r on r.id = page.room_id
    join chat.room_members as m on m.room_id = page.room_id and m.user_id = v_me
    left join chat.messages as l
      on l.room_id = page.room_id and l.seq = r.last_seq and l.seq > m.visible_after_seq
    left join chat.profiles as p
      on p.user_id = case v_me when r.low_user then r.high_user else r.low_user end
    where v_room_id is null or (page.activity_at, page.room_id) < (v_activity_at, v_room_id)
    order by page.activity_at desc, page.room_id desc
    limit v_size;
end;
$$;

create function chat.list_rooms(before jsonb default null, page_size integer default 50)
returns table (
  room chat.rooms,
  member chat.room_members,
  last_message chat.messages,
  other chat.profiles,
  activity_at timestamptz
)
language sql
stable
set search_path = ''
begin atomic
  select i.room, i.member, i.last_message, i.other, i.activity_at
  from chat_private.list_rooms(before, page_size) as i;
end;

comment on function chat.list_rooms(jsonb, integer) is
  $$List the caller's rooms, the most recently active first.

Args:
  before: {"activity_at", "room_id"} of the last row of the page before.
  page_size: 1 to 200 rooms.

Returns:
  Per room: the room, the caller's membership, the last message the caller may see, the other
  person of a direct room, and when something last happened.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: before or the page size is not as described.$$;

revoke execute on function chat_private.list_rooms(jsonb, integer), chat.list_rooms(jsonb, integer)
  from public, anon, authenticated;
grant execute on function chat_private.list_rooms(jsonb, integer), chat.list_rooms(jsonb, integer)
  to authenticated;
