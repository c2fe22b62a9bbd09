-- Notifications: what should reach a person wherever they are: mentions, replies, invites.

create table chat.notifications (
  user_id uuid not null references chat.profiles (user_id),
  seq bigint not null,
  kind text not null,
  room_id uuid,
  message_seq bigint,
  actor_id uuid,
  created_at timestamptz not null default clock_timestamp(),
  read_at timestamptz,
  rev bigint not null,
  primary key (user_id, seq),
  constraint kind_is_known check (kind in ('mention', 'reply', 'invite', 'report', 'system'))
);

comment on table chat.notifications is 'What should reach a person; points at things, repeats nothing.';
comment on column chat.notifications.seq is 'Counts this person''s notifications.';
comment on column chat.notifications.message_seq is 'The message in room_id that it is about.';
comment on column chat.notifications.actor_id is 'Who caused it.';
comment on column chat.notifications.rev is 'The number in this person''s own stream.';

create index notifications_by_rev on chat.notifications (user_id, rev);
create index notifications_unread on chat.notifications (user_id, seq) where read_at is null;

create function chat_private.add_notifications(
  user_ids uuid[],
  kind text,
  room_id uuid,
  message_seq bigint,
  actor_id uuid
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
    where s.user_id = any (add_notifications.user_ids)
    returning s.user_id, s.notification_seq, s.rev
  )
  insert into chat.notifications (user_id, seq, kind, room_id, message_seq, actor_id, rev)
  select
    c.user_id, c.notification_seq, add_notifications.kind, add_notifications.room_id,
    add_notifications.message_seq, add_notifications.actor_id, c.rev + 1
  from counted as c;
end;
$$;

comment on function chat_private.add_notifications(uuid[], text, uuid, bigint, uuid) is
  'Write one notification to each person; the caller holds their streams and raises the heads.';

create function chat_private.list_notifications(before bigint, page_size integer)
returns setof chat.notifications
language plpgsql
stable
-- definer: one check for the page instead of a policy per row
security definer
set search_path = '', pg_temp
as $$
declare
  v_me uuid := chat_private.current_user_id();
  v_size integer := chat_private.clean_page_size(list_notifications.page_size);
begin
  return query
    select n.*
    from chat.notifications as n
    where n.user_id = v_me
      and n.seq < coalesce(list_notifications.before, 9223372036854775807)
    order by n.seq desc
    limit v_size;
end;
$$;

create function chat_private.mark_notifications_read(up_to bigint)
returns integer
language plpgsql
volatile
-- definer: writes tables that nobody may write
security definer
set search_path = '', pg_temp
as $$
declare
  v_me uuid := chat_private.current_user_id();
  v_rev bigint;
  v_count integer;
begin
  perform chat_private.lock_users(array[v_me]);
  select s.rev + 1 into v_rev from chat_private.user_streams as s where s.user_id = v_me;

  update chat.notifications as n
  set read_at = clock_timestamp(), rev = v_rev
  where n.user_id = v_me
    and n.seq <= mark_notifications_read.up_to
    and n.read_at is null;
  get diagnostics v_count = row_count;
  if v_count > 0 then
    perform chat_private.bump_users(array[v_me], '{notifications}');
  end if;
  return v_count;
end;
$$;

create function chat.list_notifications(before bigint default null, page_size integer default 50)
returns setof chat.notifications
language sql
stable
set search_path = '', pg_temp
begin atomic
  select n.* from chat_private.list_notifications(before, page_size) as n;
end;

create function chat.mark_notifications_read(up_to bigint)
returns integer
language sql
volatile
set search_path = '', pg_temp
return chat_private.mark_notifications_read(up_to);

comment on function chat.list_notifications(bigint, integer) is
  $$List the caller's notifications, the newest first.

Args:
  before: the seq of the last row of the page before.
  page_size: 1 to 200 notifications.

Returns:
  Notifications, by seq.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: the page size is out of range.$$;

comment on function chat.mark_notifications_read(bigint) is
  $$Mark the caller's notifications as read.

Args:
  up_to: the seq of the newest one that was seen.

Returns:
  How many were unread before.

Raises:
  sign_in_required: nobody is signed in.$$;

revoke execute on function
  chat_private.add_notifications(uuid[], text, uuid, bigint, uuid),
  chat_private.list_notifications(bigint, integer), chat.list_notifications(bigint, integer),
  chat_private.mark_notifications_read(bigint), chat.mark_notifications_read(bigint)
  from public, anon, authenticated;
grant execute on function
  chat_private.list_notifications(bigint, integer), chat.list_notifications(bigint, integer),
  chat_private.mark_notifications_read(bigint), chat.mark_notifications_read(bigint)
  to authenticated;

alter table chat.notifications enable row level security;

create policy "people read their own notifications" on chat.notifications
  for select to authenticated
  using (user_id = (select auth.uid()));

grant select on chat.notifications to authenticated, service_role;
