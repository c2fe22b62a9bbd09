-- list_messages: pages of a room, before, after or around a message.

create type chat_private.seq_range as (first_seq bigint, last_seq bigint);

-- Messages are measured first, from the position in both directions. A page ends where it would
-- become too long, but always has the message next to the position.
create function chat_private.fit_page(
  me chat.room_members,
  seq bigint,
  below integer,
  above integer
)
returns chat_private.seq_range
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_me chat.room_members := fit_page.me;
  v_visible_after bigint := chat_private.readable_after(v_me);
  v_page chat_private.seq_range;
begin
  -- (message_bytes, written out: to call it for every row is a tenth of what a page costs.)
  select min(page.seq), max(page.seq) into v_page
  from (
    select
      near.seq,
      sum(
        600
        + octet_length(to_json(near.body)::text)
        + 40 * cardinality(near.mentions)
        + octet_length(near.attachments::text)
        + octet_length(near.metadata::text)
      ) over nearest as bytes,
      row_number() over nearest as place
    from (
      (
        select m.seq, m.body, m.mentions, m.attachments, m.metadata
        from chat.messages as m
        where m.room_id = v_me.room_id
          and m.seq < fit_page.seq
          and m.seq > v_visible_after
        order by m.seq desc
        limit fit_page.below
      )
      union all
      (
        select m.seq, m.body, m.mentions, m.attachments, m.metadata
        from chat.messages as m
        where m.room_id = v_me.room_id
          and m.seq >= greatest(fit_page.seq, v_visible_after + 1)
        order by m.seq
        limit fit_page.above
      )
    ) as near
    window nearest as (order by abs(near.seq - fit_page.seq), near.seq)
  ) as page
  where page.place = 1 or page.bytes <= (select s.pull_bytes from chat_private.settings as s);
  return v_page;
end;
$$;

comment on function chat_private.fit_page(chat.room_members, bigint, integer, integer) is
  $$Choose a page of messages around a seq.

Args:
  me: the membership of the person who reads.
  seq: the message around which the page lies.
  below: how many messages before that one at most.
  above: how many messages from that one on at most.

Returns:
  The first and the last message that fit into an answer; both null if there is none.$$;

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
-- Postgres thinks that a kept plan reads more than it does, and would plan at every call of a large database.
set plan_cache_mode = force_generic_plan
as $$
declare
  v_size integer := chat_private.clean_page_size(list_messages.page_size);
  v_me chat.room_members;
  v_position bigint;
  v_below integer := 0;
  v_page chat_private.seq_range;
begin
  if num_nonnulls(list_messages.before, list_messages.after, list_messages.around) > 1 then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'Only one of before, after and around may be given.',
      hint = 'Pass one of the three, or none for the newest messages.';
  end if;
  v_me := chat_private.require_member(list_messages.room_id);

  -- So many messages below the position, and the others from there on.
  if list_messages.after is not null then
    v_position := greatest(least(list_messages.after, 9223372036854775806) + 1, 0);
  elsif list_messages.around is not null then
    v_position := greatest(list_messages.around, 0);
    v_below := v_size / 2;
  else
    v_position := coalesce(list_messages.before, 9223372036854775807);
    v_below := v_size;
  end if;

  v_page := chat_private.fit_page(v_me, v_position, v_below, v_size - v_below);

  return query
    select m.*
    from chat.messages as m
    where m.room_id = v_me.room_id and m.seq between v_page.first_seq and v_page.last_seq
    order by m.seq;
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
  page_size: 1 to 200 messages. A page may be shorter, because it is bounded by bytes as well
    (settings.pull_bytes): go on from its outermost message until a page is empty.

Returns:
  Messages the caller may see, tombstones included, by seq; those nearest to the position.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: more than one position, or a page size out of range.
  room_not_found: the room does not exist, or the caller is not in it.$$;

revoke execute on function
  chat_private.fit_page(chat.room_members, bigint, integer, integer),
  chat_private.list_messages(uuid, bigint, bigint, bigint, integer),
  chat.list_messages(uuid, bigint, bigint, bigint, integer)
  from public, anon, authenticated;
grant execute on function
  chat_private.list_messages(uuid, bigint, bigint, bigint, integer),
  chat.list_messages(uuid, bigint, bigint, bigint, integer)
  to authenticated, service_role;
