-- list_messages: pages of a room, before, after or around a message.

create function chat_private.list_messages(
  room_id uuid,
  before bigint,
  after bigint,
  around bigint,
  page_size integer
)
returns setof chat.messages
language plpgsql
stable
-- definer: one membership check for the page, then an index scan, instead of a policy per row
security definer
set search_path = '', pg_temp
as $$
declare
  v_size integer := chat_private.clean_page_size(list_messages.page_size);
  v_me chat.room_members;
begin
  if num_nonnulls(list_messages.before, list_messages.after, list_messages.around) > 1 then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'A page lies before, after or around a message.',
      hint = 'Pass one of the three.';
  end if;
  v_me := chat_private.require_member(list_messages.room_id);

  if list_messages.after is not null then
    return query
      select m.*
      from chat.messages as m
      where m.room_id = v_me.room_id
        and m.seq > greatest(list_messages.after, v_me.visible_after_seq)
      order by m.seq
      limit v_size;
  elsif list_messages.around is not null then
    return query
      select page.*
      from (
        (
          select m.*
          from chat.messages as m
          where m.room_id = v_me.room_id
            and m.seq < list_messages.around
            and m.seq > v_me.visible_after_seq
          order by m.seq desc
          limit v_size / 2
        )
        union all
        (
          select m.*
          from chat.messages as m
          where m.room_id = v_me.room_id
            and m.seq >= greatest(list_messages.around, v_me.visible_after_seq + 1)
          order by m.seq
          limit v_size - v_size / 2
        )
      ) as page
      order by page.seq;
  else
    return query
      select page.*
      from (
        select m.*
        from chat.messages as m
        where m.room_id = v_me.room_id
          and m.seq > v_me.visible_after_seq
          and m.seq < coalesce(list_messages.before, 9223372036854775807)
        order by m.seq desc
        limit v_size
      ) as page
      order by page.seq;
  end if;
end;
$$;

create function chat.list_messages(
  room_id uuid,
  before bigint default null,
  after bigint default null,
  around bigint default null,
  page_size integer default 50
)
returns setof chat.messages
language sql
stable
set search_path = '', pg_temp
begin atomic
  select m.* from chat_private.list_messages(room_id, before, after, around, page_size) as m;
end;

comment on function chat.list_messages(uuid, bigint, bigint, bigint, integer) is
  $$List a page of a room's messages, oldest first.

Without a position it is the newest page.

Args:
  room_id: a room the caller is in.
  before: only messages with a lower seq, the nearest ones.
  after: only messages with a higher seq, the nearest ones.
  around: the message with this seq in the middle of the page.
  page_size: 1 to 200 messages.

Returns:
  Messages the caller may see, tombstones included, by seq.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: more than one position, or a page size out of range.
  room_not_found: the room does not exist, or the caller is not in it.$$;

revoke execute on function
  chat_private.list_messages(uuid, bigint, bigint, bigint, integer),
  chat.list_messages(uuid, bigint, bigint, bigint, integer)
  from public, anon, authenticated;
grant execute on function
  chat_private.list_messages(uuid, bigint, bigint, bigint, integer),
  chat.list_messages(uuid, bigint, bigint, bigint, integer)
  to authenticated;
