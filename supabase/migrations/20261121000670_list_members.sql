-- list_members: who is in a room, page by page.

create function chat_private.list_members(room_id uuid, after uuid, page_size integer)
returns setof chat.room_members
language plpgsql
stable
-- definer: one membership check for the page instead of a policy per row
security definer
set search_path = '', pg_temp
as $$
declare
  v_size integer := chat_private.clean_page_size(list_members.page_size);
  v_me chat.room_members := chat_private.require_member(list_members.room_id);
begin
  return query
    select (page.member).*
    from (
      select
        near.member,
        sum(octet_length(to_json(near.member)::text)) over in_order as bytes,
        row_number() over in_order as place
      from (
        select m as member
        from chat.room_members as m
        where m.room_id = v_me.room_id
          and m.left_at is null
          and m.user_id > coalesce(list_members.after, '00000000-0000-0000-0000-000000000000')
        order by m.user_id
        limit v_size
      ) as near
      window in_order as (order by (near.member).user_id)
    ) as page
    where page.place = 1 or page.bytes <= (select s.pull_bytes from chat_private.settings as s)
    order by (page.member).user_id;
end;
$$;

create function chat.list_members(
  room_id uuid,
  after uuid default null,
  page_size integer default 50
)
returns setof chat.room_members
language sql
stable
set search_path = '', pg_temp
begin atomic
  select m.* from chat_private.list_members(room_id, after, page_size) as m;
end;

comment on function chat.list_members(uuid, uuid, integer) is
  $$List who is in a room.

Args:
  room_id: a room the caller is in.
  after: the user_id of the last row of the page before.
  page_size: 1 to 200 people. A page may be shorter, because it is bounded by bytes as well: go on
    from its last row until a page is empty.

Returns:
  Memberships, by user_id.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: the page size is out of range.
  room_not_found: the room does not exist, or the caller is not in it.$$;

revoke execute on function
  chat_private.list_members(uuid, uuid, integer), chat.list_members(uuid, uuid, integer)
  from public, anon, authenticated;
grant execute on function
  chat_private.list_members(uuid, uuid, integer), chat.list_members(uuid, uuid, integer)
  to authenticated, service_role;
