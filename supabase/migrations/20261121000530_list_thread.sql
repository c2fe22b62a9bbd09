-- list_thread: the message that began a thread, and its answers.

create function chat_private.list_thread(
  room_id uuid,
  thread_root bigint,
  after bigint,
  page_size integer
)
returns setof chat.messages
language plpgsql
stable
-- definer: one membership check for the page instead of a policy per row
security definer
set search_path = '', pg_temp
-- Postgres thinks that a kept plan reads more than it does, and would plan at every call of a large database.
set plan_cache_mode = force_generic_plan
as $$
declare
  v_size integer := chat_private.clean_page_size(list_thread.page_size);
  v_me chat.room_members := chat_private.require_member(list_thread.room_id);
  v_above bigint := greatest(list_thread.after, chat_private.readable_after(v_me));
  v_seqs bigint[];
begin
  -- Measured first, as in list_messages().
  v_seqs := array(
    select page.seq
    from (
      select
        near.seq,
        sum(near.bytes) over (order by near.seq) as bytes,
        row_number() over (order by near.seq) as place
      from (
        (
          select m.seq, chat_private.message_bytes(m) as bytes
          from chat.messages as m
          where m.room_id = v_me.room_id
            and m.seq = list_thread.thread_root
            and m.seq > v_above
        )
        union all
        (
          select m.seq, chat_private.message_bytes(m)
          from chat.messages as m
          where m.room_id = v_me.room_id
            and m.thread_root = list_thread.thread_root
            and m.seq > v_above
          order by m.seq
          limit v_size
        )
      ) as near
    ) as page
    where page.place = 1
      or (
        page.place <= v_size
        and page.bytes <= (select s.pull_bytes from chat_private.settings as s)
      )
  );
  return query
    select m.*
    from unnest(v_seqs) as page (seq)
    cross join lateral (
      select found.*
      from chat.messages as found
      where found.room_id = v_me.room_id and found.seq = page.seq
      offset 0
    ) as m
    order by m.seq;
end;
$$;

create function chat.list_thread(
  room_id uuid,
  thread_root bigint,
  after bigint default null,
  page_size integer default 50
)
returns setof chat.messages
language sql
stable
set search_path = '', pg_temp
begin atomic
  select m.* from chat_private.list_thread(room_id, thread_root, after, page_size) as m;
end;

comment on function chat.list_thread(uuid, bigint, bigint, integer) is
  $$List a thread, oldest first.

Args:
  room_id: a room the caller is in.
  thread_root: the seq of the message that began it.
  after: the seq of the last row of the page before.
  page_size: 1 to 200 messages. A page may be shorter, because it is bounded by bytes as well: go
    on from its last row until a page is empty.

Returns:
  The first message and its answers, as far as the caller may see them, by seq.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: the page size is out of range.
  room_not_found: the room does not exist, or the caller is not in it.$$;

revoke execute on function
  chat_private.list_thread(uuid, bigint, bigint, integer),
  chat.list_thread(uuid, bigint, bigint, integer)
  from public, anon, authenticated;
grant execute on function
  chat_private.list_thread(uuid, bigint, bigint, integer),
  chat.list_thread(uuid, bigint, bigint, integer)
  to authenticated, service_role;
