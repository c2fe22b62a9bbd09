-- A room is a numbered stream of changes; its row is the head, and the lock that orders them.

-- One operation takes one number: it locks the room, stamps every row it changes with rev + 1 and
-- ends by raising rooms.rev. Because the lock is held until commit, commit order is number order: a
-- reader that has seen n has seen everything up to n. (A cursor over ids or timestamps misses rows
-- that commit late.)
create table chat.rooms (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references chat.tenants (tenant_id),
  kind text not null,
  low_user uuid,
  high_user uuid,
  name text,
  topic text not null default '',
  is_public boolean not null default false,
  history text not null default 'all',
  default_role text not null default 'member',
  slow_mode_seconds integer not null default 0,
  retain_days integer,
  archived_at timestamptz,
  created_by uuid,
  created_at timestamptz not null default now(),
  active_at timestamptz not null default now(),
  epoch integer not null default 1,
  member_count integer not null default 0,
  is_large boolean not null default false,
  changed_rev bigint not null default 0,
  rev bigint not null default 0,
  last_seq bigint not null default 0,
  floor_seq bigint not null default 0,
  floor_rev bigint not null default 0,
  newest_visible_after bigint not null default 0,
  touched text[] not null default '{}',
  metadata jsonb not null default '{}',
  is_closed boolean not null default false,
  is_opaque boolean not null default false,
  constraint direct_rooms_are_unique unique (tenant_id, low_user, high_user)
) with (fillfactor = 70);

comment on table chat.rooms is 'A place to talk; the row holds the head of its stream.';
comment on column chat.rooms.kind is 'direct: two people, for good; group: everything else.';
comment on column chat.rooms.history is 'What a new member may read: all, or since_join.';
comment on column chat.rooms.default_role is
  'The role of people who join by themselves; reader makes an announcement room.';
comment on column chat.rooms.slow_mode_seconds is
  'Seconds between two messages, or edits, of one person; 0 is off.';
comment on column chat.rooms.retain_days is
  'Days a message is kept; null is as long as its tenant says.';
comment on column chat.rooms.active_at is 'When something was last said; the start screen sorts by it.';
comment on column chat.rooms.epoch is 'Part of the room''s topics; rises when somebody loses access.';
comment on column chat.rooms.is_large is 'Steps go to the topic of the room. Once true, it stays true.';
comment on column chat.rooms.changed_rev is 'The number that last changed this row itself.';
comment on column chat.rooms.rev is 'The head: the newest number of the room.';
comment on column chat.rooms.last_seq is 'The seq of the newest message.';
comment on column chat.rooms.floor_seq is 'Messages up to this seq were removed by retention.';
comment on column chat.rooms.floor_rev is
  'Clients below this number start the room over. Only deleting rows about messages that are kept raises it.';
comment on column chat.rooms.newest_visible_after is
  'Somebody may not see messages up to this seq, so steps about those carry no rows.';
comment on column chat.rooms.touched is 'The kinds of rows the newest number stamped.';
comment on column chat.rooms.metadata is 'Whatever the app keeps with a room, up to 4 KB.';
comment on column chat.rooms.is_closed is
  'A direct room in which nobody can write now: one of the two is gone, or has blocked the other.';
comment on column chat.rooms.is_opaque is
  'Bodies are what the app encrypted: search and the content rule leave them alone. Fixed at creation.';

create index rooms_by_creator on chat.rooms (created_by)
  where kind = 'group' and archived_at is null;

alter table chat.tenant_invites
  add constraint tenant_invites_room_id_fkey foreign key (room_id) references chat.rooms (id);

create function chat_private.numbers_are_in_order(room chat.rooms)
returns boolean
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return greatest((numbers_are_in_order.room).changed_rev, (numbers_are_in_order.room).floor_rev)
    <= (numbers_are_in_order.room).rev
    and greatest(
      (numbers_are_in_order.room).floor_seq, (numbers_are_in_order.room).newest_visible_after
    ) <= (numbers_are_in_order.room).last_seq;
end;
$$;

comment on function chat_private.numbers_are_in_order(chat.rooms) is
  'Tell whether nothing in a room is above its head or its newest message.';

-- These rules are checked when one of the columns changes, which is rare. Every message raises the
-- head in the same row, so as check constraints they would be checked each time and take 8 % of a
-- send. A head that goes back is checked by _900_announce, which looks at every head anyway.
create function chat_private.tg_rooms__check()
returns trigger
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_broken text := case
    when new.kind not in ('direct', 'group') then 'kind_is_known'
    when new.history not in ('all', 'since_join') then 'history_is_known'
    when new.default_role not in ('member', 'reader') then 'default_role_is_known'
    when (new.kind = 'direct') is distinct from coalesce(new.low_user < new.high_user, false)
      then 'direct_rooms_name_two_people'
    when new.kind = 'group' and new.name is null then 'groups_have_a_name'
    when new.kind = 'direct' and new.is_public then 'direct_rooms_are_private'
    when char_length(new.name) not between 1 and 120 then 'name_is_short'
    when char_length(new.topic) > 500 then 'topic_is_short'
    when new.slow_mode_seconds not between 0 and 86400 then 'slow_mode_is_bounded'
    when new.retain_days not between 1 and 36500 then 'retention_is_bounded'
    when jsonb_typeof(new.metadata) <> 'object' or octet_length(new.metadata::text) > 4096
      then 'metadata_is_small'
    when not chat_private.numbers_are_in_order(new) then 'numbers_are_in_order'
    when new.is_opaque <> old.is_opaque then 'is_opaque_is_fixed'
  end;
begin
  if v_broken is not null then
    perform chat_private.fail_check('rooms', v_broken);
  end if;
  return null;
end;
$$;

revoke execute on function
  chat_private.numbers_are_in_order(chat.rooms),
  chat_private.tg_rooms__check()
  from public, anon, authenticated;

create trigger _100_check
  after insert or update of
    kind, low_user, high_user, name, topic, is_public, history, default_role, slow_mode_seconds,
    retain_days, changed_rev, floor_rev, floor_seq, newest_visible_after, metadata,
    is_opaque
  on chat.rooms
  for each row execute function chat_private.tg_rooms__check();

-- People who leave keep their row: joining again needs it, and it tells clients that they left.
create table chat.room_members (
  room_id uuid not null references chat.rooms (id),
  user_id uuid not null references chat.profiles (user_id),
  role text not null default 'member',
  label text,
  joined_at timestamptz not null default now(),
  left_at timestamptz,
  joined_rev bigint not null,
  visible_after_seq bigint not null default 0,
  muted_until timestamptz,
  rev bigint not null,
  user_rev bigint not null,
  joined_seq bigint not null,
  primary key (room_id, user_id),
  constraint role_is_known check (role in ('owner', 'admin', 'moderator', 'member', 'reader')),
  constraint label_is_a_word check (char_length(label) between 1 and 40)
);

comment on table chat.room_members is 'The members of a room, what they are in it, and former members.';
comment on column chat.room_members.label is
  'What the app calls this member here, for example tourist or guide.';
comment on column chat.room_members.joined_rev is
  'The number with which they came in. Clients below it start the room over.';
comment on column chat.room_members.visible_after_seq is
  'They read messages above this seq; fixed at joining by the room''s history setting.';
comment on column chat.room_members.muted_until is
  'They may read but not act until then; the end of 9999 means without end.';
comment on column chat.room_members.rev is 'The number that last changed this row, in the room''s stream.';
comment on column chat.room_members.user_rev is
  'The number of the last joining or leaving, in this person''s own stream.';
comment on column chat.room_members.joined_seq is
  'The newest message when they last came in. Unread, mentions and ticks begin above it.';

-- One for steps and pulls, which ask for the rows above a number; one for the rooms of a person.
create index room_members_by_rev on chat.room_members (room_id, rev);
create index room_members_by_user on chat.room_members (user_id, user_rev);
create index room_members_of_user on chat.room_members (user_id, room_id) where left_at is null;

create table chat.bans (
  room_id uuid not null references chat.rooms (id),
  user_id uuid not null references chat.profiles (user_id),
  until timestamptz,
  reason text not null default '',
  banned_by uuid not null,
  banned_at timestamptz not null default now(),
  removed_at timestamptz,
  rev bigint not null,
  constraint bans_pkey primary key (room_id, user_id),
  constraint reason_is_short check (char_length(reason) <= 500)
);

comment on table chat.bans is 'People who may not come back, and until when.';
comment on column chat.bans.until is 'When the ban ends by itself; null is without end.';

create index bans_by_user on chat.bans (user_id, room_id);

create function chat_private.role_rank(role text)
returns integer
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return array_position('{reader,member,moderator,admin,owner}', role_rank.role);
end;
$$;

comment on function chat_private.role_rank(text) is 'Order the roles of a room: reader 1 to owner 5.';

revoke execute on function chat_private.role_rank(text) from public, anon, authenticated;

create function chat_private.require_member(room_id uuid)
returns chat.room_members
language plpgsql
stable
-- definer: memberships are read past the policies that depend on this answer
security definer
set search_path = '', pg_temp
as $$
declare
  v_me chat.room_members;
begin
  select m.* into v_me
  from chat.room_members as m
  join chat.profiles as p on p.user_id = m.user_id and p.closed_at is null
  where m.room_id = require_member.room_id
    and m.user_id = chat_private.acting_user_id()
    and m.left_at is null;

  if not found then
    perform chat_private.current_user_id();
    raise exception using
      errcode = 'PT404',
      message = 'room_not_found',
      detail = format('There is no room %s that you can see.', require_member.room_id),
      hint = 'Join the room first, or check its id.';
  end if;
  return v_me;
end;
$$;

comment on function chat_private.require_member(uuid) is
  $$Return the caller's membership.

Args:
  room_id: any room.

Returns:
  The caller's row in room_members.

Raises:
  sign_in_required: nobody is signed in.
  room_not_found: the room does not exist, or the caller is not in it; both look the same.$$;

revoke execute on function chat_private.require_member(uuid) from public, anon, authenticated;

create function chat_private.events_in(room chat.rooms)
returns integer
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return case
    when (events_in.room).is_large then 1 else greatest(1, (events_in.room).member_count)
  end;
end;
$$;

comment on function chat_private.events_in(chat.rooms) is
  'Count the events that one number of a room makes, which is the price of most calls in it.';

revoke execute on function chat_private.events_in(chat.rooms) from public, anon, authenticated;

-- Everything that people do in a room is checked in this order: archived, closed, muted, role.
create function chat_private.refusal_by_right(
  room chat.rooms,
  me chat.room_members,
  least_role text,
  even_archived boolean default false
)
returns chat_private.refusal
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if (refusal_by_right.room).archived_at is not null and not refusal_by_right.even_archived then
    return row(
      'PT423', 'room_archived',
      'The room is archived and can only be read.',
      'Ask an admin of the room to unarchive it.', null
    )::chat_private.refusal;
  end if;
  -- The same words for a closed account and for a block, whoever of the two has blocked the other.
  if (refusal_by_right.room).is_closed and not refusal_by_right.even_archived then
    return row(
      'PT403', 'not_allowed',
      'The other person cannot be reached in this room.',
      'Show the room as one that can only be read.', null
    )::chat_private.refusal;
  end if;
  if (refusal_by_right.me).muted_until > clock_timestamp() then
    return row(
      'PT403', 'member_muted',
      format('You are muted in this room until %s.', (refusal_by_right.me).muted_until),
      'Wait until then, or ask a moderator to unmute you.', null
    )::chat_private.refusal;
  end if;
  if chat_private.role_rank((refusal_by_right.me).role)
    < chat_private.role_rank(refusal_by_right.least_role)
  then
    return row(
      'PT403', 'not_allowed',
      format(
        'This needs the role %s in the room; yours is %s.',
        refusal_by_right.least_role, (refusal_by_right.me).role
      ),
      'Ask somebody with that role.', null
    )::chat_private.refusal;
  end if;
  return null;
end;
$$;

comment on function
  chat_private.refusal_by_right(chat.rooms, chat.room_members, text, boolean) is
  $$Say why a member may not act now; null when they may.

Args:
  room: the locked room.
  me: the caller's membership, read after the lock.
  least_role: the lowest role that may.
  even_archived: true for calls that also work in an archived or closed room.$$;

revoke execute on function
  chat_private.refusal_by_right(chat.rooms, chat.room_members, text, boolean)
  from public, anon, authenticated;

create function chat_private.require_right(
  room chat.rooms,
  me chat.room_members,
  least_role text,
  even_archived boolean default false
)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_refusal chat_private.refusal := chat_private.refusal_by_right(
    require_right.room, require_right.me, require_right.least_role, require_right.even_archived
  );
begin
  if v_refusal.slug = 'not_allowed' and require_right.least_role in ('moderator', 'admin', 'owner') then
    perform chat_private.log_refusal(
      'act_as_' || require_right.least_role, (require_right.room).id
    );
  end if;
  perform chat_private.refuse(v_refusal);
end;
$$;

comment on function chat_private.require_right(chat.rooms, chat.room_members, text, boolean) is
  $$Raise the refusal of refusal_by_right() if there is one; it has the same arguments.

Raises:
  room_archived: the room can only be read.
  member_muted: the caller may only read.
  not_allowed: the caller's role is too low, or nobody can write in the direct room now.$$;

revoke execute on function
  chat_private.require_right(chat.rooms, chat.room_members, text, boolean)
  from public, anon, authenticated;

create type chat_private.entry as (room chat.rooms, me chat.room_members);

comment on type chat_private.entry is 'A locked room, and the caller''s membership as it is then.';

-- Check, lock, check. The first look turns strangers away without waiting for a busy room. The
-- second one decides: it is a later statement, so it sees what was committed during the wait. (One
-- statement that locks and tests membership decides with the snapshot from before the wait, and
-- lets a message in after the kick has committed.)
create function chat_private.enter_room(
  room_id uuid,
  least_role text,
  even_archived boolean default false
)
returns chat_private.entry
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_entry chat_private.entry;
begin
  perform chat_private.require_member(enter_room.room_id);
  v_entry.room := (
    select r
    from chat.rooms as r
    where r.id = enter_room.room_id
    for no key update
  );
  v_entry.me := chat_private.require_member(enter_room.room_id);
  if enter_room.least_role is not null then
    perform chat_private.require_right(
      v_entry.room, v_entry.me, enter_room.least_role, enter_room.even_archived
    );
  end if;
  return v_entry;
end;
$$;

comment on function chat_private.enter_room(uuid, text, boolean) is
  $$Lock a room, and return it if the caller is a member with the right to act in it.

Args:
  room_id: any room.
  least_role: the lowest role that may. With null every member may enter, muted or not, and the
    function that called asks for the right itself.
  even_archived: true for calls that also work in an archived or closed room.

Returns:
  The locked room, and the caller's membership, read under the lock.

Raises:
  sign_in_required: nobody is signed in.
  room_not_found: the room does not exist, or the caller is not in it.
  room_archived: the room can only be read.
  member_muted: the caller may only read.
  not_allowed: the caller's role is too low, or nobody can write in the direct room now.$$;

revoke execute on function chat_private.enter_room(uuid, text, boolean)
  from public, anon, authenticated;

-- People moderate only those with a lower role. Owners are the exception: they may demote one
-- another.
create function chat_private.require_outranked(me chat.room_members, their_role text)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if (require_outranked.me).role <> 'owner'
    and chat_private.role_rank((require_outranked.me).role)
      <= chat_private.role_rank(require_outranked.their_role)
  then
    perform chat_private.log_refusal(
      'act_on_' || require_outranked.their_role, (require_outranked.me).room_id
    );
    raise exception using
      errcode = 'PT403',
      message = 'not_allowed',
      detail = format(
        'A %s cannot do this to a %s.',
        (require_outranked.me).role, require_outranked.their_role
      ),
      hint = 'Ask somebody with a higher role.';
  end if;
end;
$$;

comment on function chat_private.require_outranked(chat.room_members, text) is
  $$Refuse to act on somebody of the same or a higher role.

Raises:
  not_allowed: the caller does not outrank them.$$;

revoke execute on function chat_private.require_outranked(chat.room_members, text)
  from public, anon, authenticated;

-- Policies ask with this whether the caller is in the room of a row, and from which message on they
-- may read. It is one point lookup. (`room_id in (select my_rooms())` is thirty times slower for
-- somebody in a thousand rooms.)
create function chat_private.visible_after(room_id uuid)
returns bigint
language plpgsql
stable
-- definer: the policies on room_members would call it again
security definer
set search_path = '', pg_temp
as $$
begin
  return (
    select greatest(m.visible_after_seq, f.cleared_seq)
    from chat.room_members as m
    join chat.profiles as p on p.user_id = m.user_id and p.closed_at is null
    left join chat.room_preferences as f on f.user_id = m.user_id and f.room_id = m.room_id
    where m.room_id = visible_after.room_id
      and m.user_id = case
        when current_setting('role') = 'service_role' then chat_private.acting_user_id()
        else auth.uid()
      end
      and m.left_at is null
  );
end;
$$;

comment on function chat_private.visible_after(uuid) is
  'Return the seq above which the caller reads a room; null for anybody else.';

revoke execute on function chat_private.visible_after(uuid) from public, anon, authenticated;
grant execute on function chat_private.visible_after(uuid) to authenticated, service_role;

create function chat_private.readable_after(member chat.room_members)
returns bigint
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return greatest(
    (readable_after.member).visible_after_seq,
    (
      select f.cleared_seq
      from chat.room_preferences as f
      where f.user_id = (readable_after.member).user_id and f.room_id = (readable_after.member).room_id
    )
  );
end;
$$;

comment on function chat_private.readable_after(chat.room_members) is
  'Return the seq above which a member reads their room: where they came in, or cleared its history.';

revoke execute on function chat_private.readable_after(chat.room_members)
  from public, anon, authenticated;

create function chat_private.is_banned(room_id uuid, user_id uuid)
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return exists (
    select from chat.bans as b
    where b.room_id = is_banned.room_id
      and b.user_id = is_banned.user_id
      and b.removed_at is null
      and (b.until is null or b.until > clock_timestamp())
  );
end;
$$;

comment on function chat_private.is_banned(uuid, uuid) is 'Tell whether a ban holds now.';

revoke execute on function chat_private.is_banned(uuid, uuid) from public, anon, authenticated;

-- Everybody in the tenant sees a public room, except people who are banned from it.
create function chat_private.may_see_room(room_id uuid, tenant_id uuid, is_public boolean)
returns boolean
language plpgsql
stable
-- definer: reads memberships and bans, which the caller may not read
security definer
set search_path = '', pg_temp
as $$
begin
  return chat_private.visible_after(may_see_room.room_id) is not null
    or (
      may_see_room.is_public
      and chat_private.is_tenant_member(may_see_room.tenant_id)
      and not chat_private.is_banned(may_see_room.room_id, chat_private.acting_user_id())
    );
end;
$$;

comment on function chat_private.may_see_room(uuid, uuid, boolean) is
  'Tell whether the caller is in a room, or could join it.';

revoke execute on function chat_private.may_see_room(uuid, uuid, boolean)
  from public, anon, authenticated;
grant execute on function chat_private.may_see_room(uuid, uuid, boolean)
  to authenticated, service_role;

create function chat_private.is_moderator(room_id uuid)
returns boolean
language plpgsql
stable
-- definer: the policies on room_members would call it again
security definer
set search_path = '', pg_temp
as $$
begin
  return exists (
    select
    from chat.room_members as m
    join chat.profiles as p on p.user_id = m.user_id and p.closed_at is null
    where m.room_id = is_moderator.room_id
      and m.user_id = chat_private.acting_user_id()
      and m.left_at is null
      and m.role in ('moderator', 'admin', 'owner')
  );
end;
$$;

comment on function chat_private.is_moderator(uuid) is 'Tell whether the caller moderates a room.';

revoke execute on function chat_private.is_moderator(uuid) from public, anon, authenticated;
grant execute on function chat_private.is_moderator(uuid) to authenticated, service_role;

-- The same three steps as for a room: lock the streams, stamp rows, raise the heads. The streams
-- are locked in the order of their ids, so that two calls cannot deadlock. (`update … where user_id
-- = any (ids)` locks rows as it finds them, and deadlocked in half of its runs.)
create function chat_private.lock_users(user_ids uuid[])
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  perform
  from chat_private.user_streams as s
  where s.user_id = any (lock_users.user_ids)
  order by s.user_id
  for no key update;
  -- Closing an account locks its stream too. A caller who waited for that has no account any more, and
  -- a server can no longer act as them.
  if chat_private.acting_user_id() = any (lock_users.user_ids) then
    perform chat_private.current_user_id();
  end if;
end;
$$;

comment on function chat_private.lock_users(uuid[]) is
  $$Lock the streams of people, ascending, once per call and after every room.

Raises:
  sign_in_required: the caller is one of them, and the account was closed meanwhile.
  user_not_found: the same, of the person a server acts as.$$;

revoke execute on function chat_private.lock_users(uuid[]) from public, anon, authenticated;

create function chat_private.bump_users(user_ids uuid[], touched text[], new_epoch boolean default false)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  update chat_private.user_streams as s
  set
    rev = s.rev + 1,
    epoch = s.epoch + bump_users.new_epoch::integer,
    touched = bump_users.touched
  where s.user_id = any (bump_users.user_ids);
end;
$$;

comment on function chat_private.bump_users(uuid[], text[], boolean) is
  $$Raise the heads of people whose rows were stamped.

Args:
  user_ids: locked by lock_users() before their rows were stamped with rev + 1.
  touched: the kinds of rows that were stamped.
  new_epoch: true when they lost a room, so that their topic changes.$$;

revoke execute on function chat_private.bump_users(uuid[], text[], boolean)
  from public, anon, authenticated;

alter table chat.rooms enable row level security;
alter table chat.room_members enable row level security;

alter table chat.bans enable row level security;

create policy "members read their rooms, and tenants their public ones" on chat.rooms
  for select to authenticated
  using (chat_private.may_see_room(id, tenant_id, is_public));

create policy "members read who is in the room, and everybody their own row" on chat.room_members
  for select to authenticated
  using (user_id = (select auth.uid()) or chat_private.visible_after(room_id) is not null);

create policy "moderators read bans" on chat.bans
  for select to authenticated
  using (chat_private.is_moderator(room_id));

grant select on chat.rooms, chat.room_members, chat.bans to authenticated, service_role;
