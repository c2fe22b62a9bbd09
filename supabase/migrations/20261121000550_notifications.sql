-- Notifications: what should reach a person anywhere: mentions, replies, invites, words of the app.

create table chat.notifications (
  user_id uuid not null references chat.profiles (user_id),
  seq bigint not null,
  kind text not null,
  room_id uuid,
  message_seq bigint,
  actor_id uuid,
  created_at timestamptz not null default clock_timestamp(),
  rev bigint not null,
  message_rev bigint,
  data jsonb not null default '{}',
  primary key (user_id, seq),
  constraint kind_is_a_word check (
    octet_length(kind) <= 100 and kind ~ '^[a-z][a-z0-9_]*$' collate "C"
  ),
  constraint data_is_small check (jsonb_typeof(data) = 'object' and octet_length(data::text) <= 4096)
);

comment on table chat.notifications is
  'What should reach a person. A row points at the message or room and does not repeat it.';
comment on column chat.notifications.kind is
  'mention, reply, invite, report (one''s own was resolved), or a word of the app''s own.';
comment on column chat.notifications.seq is 'Counts this person''s notifications.';
comment on column chat.notifications.message_seq is 'The message in room_id that it is about.';
comment on column chat.notifications.actor_id is
  'The person who caused it; null is the project itself.';
comment on column chat.notifications.rev is 'The number in this person''s own stream.';
comment on column chat.notifications.message_rev is
  'The number in the room''s stream at which that message called the person.';
comment on column chat.notifications.data is 'What the app tells of its own kinds, up to 4 KB; of a report, how it ended.';

create index notifications_by_rev on chat.notifications (user_id, rev);

-- An edit that mentions somebody again looks for what it told them before.
create index notifications_by_message on chat.notifications (room_id, message_seq, user_id)
  where kind = 'mention';

-- Rows do not say whether they were read. One mark in the person's stream says it for all of them.
create type chat.listed_notification as (
  user_id uuid,
  seq bigint,
  kind text,
  room_id uuid,
  message_seq bigint,
  actor_id uuid,
  created_at timestamptz,
  read_at timestamptz,
  rev bigint,
  data jsonb
);

comment on type chat.listed_notification is
  'A notification with read_at: null while it is unread, else when the mark last moved past it.';

-- Nothing is stamped when a notification ends. A mention, a reply or an invite ends when the person
-- leaves its room, and does not come back when they join again. It also ends when its message is
-- deleted, purged, or no longer visible to the person. A mention ends when an edit takes it out.
create function chat_private.notification_stands(
  user_id uuid,
  kind text,
  room_id uuid,
  message_seq bigint,
  rev bigint
)
returns boolean
language plpgsql
stable
-- definer: reads a membership and a message past the policies, in one point lookup each
security definer
set search_path = '', pg_temp
as $$
begin
  return exists (
    select from chat.profiles as p
    where p.user_id = notification_stands.user_id and p.closed_at is null
  ) and (
    notification_stands.kind not in ('mention', 'reply', 'invite')
    or exists (
      select from chat.room_members as m
      where m.room_id = notification_stands.room_id
        and m.user_id = notification_stands.user_id
        and m.left_at is null
        and m.user_rev <= notification_stands.rev
        and (
          notification_stands.message_seq is null
          or exists (
            select from chat.messages as s
            where s.room_id = m.room_id
              and s.seq = notification_stands.message_seq
              and s.seq > greatest(
                m.visible_after_seq,
                (
                  select f.cleared_seq
                  from chat.room_preferences as f
                  where f.user_id = m.user_id and f.room_id = m.room_id
                )
              )
              and s.deleted_at is null
              and (
                notification_stands.kind <> 'mention'
                or s.mention_all
                or m.user_id = any (s.mentions)
              )
          )
        )
    )
  );
end;
$$;

comment on function chat_private.notification_stands(uuid, text, uuid, bigint, bigint) is
  $$Tell whether a notification is still about something.

Args:
  user_id: the person it is for.
  kind, room_id, message_seq, rev: the columns of its row.$$;

revoke execute on function chat_private.notification_stands(uuid, text, uuid, bigint, bigint)
  from public, anon, authenticated;
grant execute on function chat_private.notification_stands(uuid, text, uuid, bigint, bigint)
  to authenticated, service_role;

create function chat_private.add_notifications(
  user_ids uuid[],
  kind text,
  room_id uuid,
  message_seq bigint,
  actor_id uuid,
  message_rev bigint default null,
  data jsonb default '{}'
)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  with counted as (
    update chat_private.user_streams as s
    set notification_seq = s.notification_seq + 1
    from chat.profiles as p
    where s.user_id = any (add_notifications.user_ids)
      and p.user_id = s.user_id
      and p.closed_at is null
    returning s.user_id, s.notification_seq, s.rev
  )
  insert into chat.notifications (
    user_id, seq, kind, room_id, message_seq, actor_id, rev, message_rev, data
  )
  select
    c.user_id, c.notification_seq, add_notifications.kind, add_notifications.room_id,
    add_notifications.message_seq, add_notifications.actor_id, c.rev + 1,
    add_notifications.message_rev, add_notifications.data
  from counted as c;
end;
$$;

comment on function chat_private.add_notifications(uuid[], text, uuid, bigint, uuid, bigint, jsonb) is
  'Write one notification to each open account; the caller holds their streams and raises the heads.';

-- Postgres plans a cursor for a fast first row. So it reads the newest notifications in the order
-- of the key, and stops after as many as are asked for, however many the person has.
create function chat_private.standing_notifications(
  user_id uuid,
  before bigint,
  after bigint,
  most integer
)
returns setof chat.notifications
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_newest cursor for
    select n.*
    from chat.notifications as n
    where n.user_id = standing_notifications.user_id
      and n.seq < coalesce(standing_notifications.before, 9223372036854775807)
      and n.seq > standing_notifications.after
      and chat_private.notification_stands(n.user_id, n.kind, n.room_id, n.message_seq, n.rev)
    order by n.seq desc;
  v_left integer := standing_notifications.most;
begin
  for v_notification in v_newest loop
    return next v_notification;
    v_left := v_left - 1;
    exit when v_left = 0;
  end loop;
end;
$$;

comment on function chat_private.standing_notifications(uuid, bigint, bigint, integer) is
  $$List somebody's newest notifications that are not over.

Args:
  user_id: the person they are for.
  before: only those with a lower seq; null is all.
  after: only those with a higher seq.
  most: how many at most.$$;

create function chat_private.list_notifications(before bigint, page_size integer)
returns setof chat.listed_notification
language plpgsql
stable
-- definer: one check for the page instead of a policy per row
security definer
set search_path = '', pg_temp
as $$
declare
  v_me uuid := chat_private.current_user_id();
  v_size integer := chat_private.clean_page_size(list_notifications.page_size);
  v_read_seq bigint;
  v_read_at timestamptz;
begin
  select s.notifications_read_seq, s.notifications_read_at into v_read_seq, v_read_at
  from chat_private.user_streams as s
  where s.user_id = v_me;
  return query
    select
      page.user_id, page.seq, page.kind, page.room_id, page.message_seq, page.actor_id,
      page.created_at, page.read_at, page.rev, page.data
    from (
      select
        near.*,
        sum(octet_length(to_json(near)::text)) over newest as bytes,
        row_number() over newest as place
      from (
        select
          n.user_id, n.seq, n.kind, n.room_id, n.message_seq, n.actor_id, n.created_at,
          case when n.seq <= v_read_seq then v_read_at end as read_at, n.rev, n.data
        from chat_private.standing_notifications(v_me, list_notifications.before, 0, v_size) as n
      ) as near
      window newest as (order by near.seq desc)
    ) as page
    where page.place = 1 or page.bytes <= (select s.pull_bytes from chat_private.settings as s)
    order by page.seq desc;
end;
$$;

create function chat_private.mark_notifications_read(up_to bigint)
returns integer
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
declare
  v_me uuid := chat_private.current_user_id();
  v_read_seq bigint;
  v_up_to bigint;
  v_count integer;
begin
  perform chat_private.lock_users(array[v_me]);
  select
    s.notifications_read_seq, least(mark_notifications_read.up_to, s.notification_seq)
  into v_read_seq, v_up_to
  from chat_private.user_streams as s
  where s.user_id = v_me;
  if mark_notifications_read.up_to is null or v_up_to <= v_read_seq then
    return 0;
  end if;

  select count(*) into v_count
  from chat.notifications as n
  where n.user_id = v_me
    and n.seq > v_read_seq
    and n.seq <= v_up_to
    and chat_private.notification_stands(n.user_id, n.kind, n.room_id, n.message_seq, n.rev);
  update chat_private.user_streams as s
  set notifications_read_seq = v_up_to, notifications_read_at = clock_timestamp()
  where s.user_id = v_me;
  perform chat_private.spend(v_me, 1);
  perform chat_private.bump_users(array[v_me], '{notifications}');
  return v_count;
end;
$$;

create function chat.list_notifications(before bigint default null, page_size integer default 50)
returns setof chat.listed_notification
language sql
stable
set search_path = '', pg_temp
begin atomic
  select
    n.user_id, n.seq, n.kind, n.room_id, n.message_seq, n.actor_id, n.created_at, n.read_at, n.rev,
    n.data
  from chat_private.list_notifications(before, page_size) as n;
end;

create function chat.mark_notifications_read(up_to bigint)
returns integer
language sql
volatile
set search_path = '', pg_temp
return chat_private.mark_notifications_read(up_to);

comment on function chat.list_notifications(bigint, integer) is
  $$List the caller's notifications, the newest first.

A mention, a reply or an invite is over, and left out, when the caller has left its room, or when its
message was deleted, purged or is no longer visible to the caller. A mention is also over when an edit
took it out of the message. A notification of the app's own stays.

Args:
  before: the seq of the last row of the page before.
  page_size: 1 to 200 notifications. A page may be shorter, because it is bounded by bytes as well:
    go on from its last row until a page is empty.

Returns:
  Notifications, by seq; read_at is null while they are unread, else when the mark last moved.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: the page size is out of range.$$;

comment on function chat.mark_notifications_read(bigint) is
  $$Mark the caller's notifications as read.

It moves one mark, which only moves forward and never past the newest notification. Clients learn of
it as notifications_read_seq of their own stream.

Price: 1.

Args:
  up_to: the seq of the newest one that was seen.

Returns:
  How many were unread before.

Raises:
  sign_in_required: nobody is signed in.
  slow_down: too much at once; Retry-After tells the seconds.$$;

revoke execute on function
  chat_private.add_notifications(uuid[], text, uuid, bigint, uuid, bigint, jsonb),
  chat_private.standing_notifications(uuid, bigint, bigint, integer),
  chat_private.list_notifications(bigint, integer), chat.list_notifications(bigint, integer),
  chat_private.mark_notifications_read(bigint), chat.mark_notifications_read(bigint)
  from public, anon, authenticated;
grant execute on function
  chat_private.list_notifications(bigint, integer), chat.list_notifications(bigint, integer),
  chat_private.mark_notifications_read(bigint), chat.mark_notifications_read(bigint)
  to authenticated, service_role;

alter table chat.notifications enable row level security;

create policy "people read their own notifications while these stand" on chat.notifications
  for select to authenticated
  using (
    user_id = (select auth.uid())
    and chat_private.notification_stands(user_id, kind, room_id, message_seq, rev)
  );

grant select on chat.notifications to authenticated, service_role;
