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
  constraint direct_rooms_are_unique unique (tenant_id, low_user, high_user)
) with (fillfactor = 70);

comment on table chat.rooms is 'A place to talk; the row holds the head of its stream.';
comment on column chat.rooms.kind is 'direct: two people, for good; group: everything else.';
comment on column chat.rooms.history is 'What a new member may read: all, or since_join.';
comment on column chat.rooms.default_role is
  'The role of who joins by themselves; reader makes an announcement room.';
comment on column chat.rooms.slow_mode_seconds is 'Seconds between two messages of one person; 0 is off.';
comment on column chat.rooms.retain_days is 'Days a message is kept; null keeps it for good.';
comment on column chat.rooms.active_at is 'When something was last said; the start screen sorts by it.';
comment on column chat.rooms.epoch is 'Part of the room''s topics; rises when somebody loses access.';
comment on column chat.rooms.is_large is 'Steps go to the room topic; true for good once it was.';
comment on column chat.rooms.changed_rev is 'The number that last changed this row itself.';
comment on column chat.rooms.rev is 'The head: the newest number of the room.';
comment on column chat.rooms.last_seq is 'The seq of the newest message.';
comment on column chat.rooms.floor_seq is 'Messages up to this seq were removed by retention.';
comment on column chat.rooms.floor_rev is 'The number that last raised floor_seq.';
comment on column chat.rooms.newest_visible_after is
  'Somebody may not see messages up to this seq, so steps about those carry no rows.';
comment on column chat.rooms.touched is 'The kinds of rows the newest number stamped.';

-- What hardly ever changes is checked when it does: every message raises the head, which is in the
-- same row, and as constraints these would be 8 % of a send.
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
    when greatest(new.changed_rev, new.floor_rev) > new.rev
      or greatest(new.floor_seq, new.newest_visible_after) > new.last_seq
      then 'numbers_are_in_order'
  end;
begin
  if v_broken is not null then
    perform chat_private.fail_check('rooms', v_broken);
  end if;
  return null;
end;
$$;

revoke execute on function chat_private.tg_rooms__check() from public, anon, authenticated;

create trigger _100_check
  after insert or update of
    kind, low_user, high_user, name, topic, is_public, history, default_role, slow_mode_seconds,
    retain_days, changed_rev, floor_rev, floor_seq, newest_visible_after
  on chat.rooms
  for each row execute function chat_private.tg_rooms__check();

create trigger _110_check_heads after update of rev, last_seq on chat.rooms
  for each row when (new.rev < old.rev or new.last_seq < old.last_seq)
  execute function chat_private.tg_rooms__check();

-- Left members keep their row: the next joining needs to know, and clients drop what ended.
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
  primary key (room_id, user_id),
  constraint role_is_known check (role in ('owner', 'admin', 'moderator', 'member', 'reader')),
  constraint label_is_a_word check (char_length(label) between 1 and 40)
);

comment on table chat.room_members is 'Who is in a room, as what, and who was.';
comment on column chat.room_members.label is 'Any word of the app for this room: tourist, guide.';
comment on column chat.room_members.joined_rev is 'The number that let them in; older cursors start over.';
comment on column chat.room_members.visible_after_seq is
  'They read messages above this seq; fixed at joining by the room''s history setting.';
comment on column chat.room_members.muted_until is
  'They may read but not act until then; the end of 9999 means without end.';
comment on column chat.room_members.rev is 'The number that last changed this row, in the room''s stream.';
comment on column chat.room_members.user_rev is
  'The number of the last joining or leaving, in this person''s own stream.';

-- A step or pull asks for the rows above a number; a start screen asks for the rooms of a person.
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

comment on table chat.bans is 'Who may not come back, and until when.';
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

-- The plain look and the check that counts are the same question at two moments: before the room
-- lock it turns strangers away without waiting, after the lock (in a later statement, so with a
-- later snapshot) it decides.
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
    and m.user_id = auth.uid()
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

-- Check, then lock. (One statement that locks and tests membership decides with the snapshot from
-- before the wait, and lets a message in after the kick has committed.)
create function chat_private.lock_room(room_id uuid)
returns chat.rooms
language plpgsql
volatile
security definer -- takes a row lock, which needs a right to update
set search_path = '', pg_temp
as $$
declare
  v_room chat.rooms;
begin
  perform chat_private.require_member(lock_room.room_id);

  select r.* into v_room
  from chat.rooms as r
  where r.id = lock_room.room_id
  for no key update;
  return v_room;
end;
$$;

comment on function chat_private.lock_room(uuid) is
  $$Take the lock that orders a room, as one of its members.

The caller asks require_member() again afterwards: that is the check that counts.

Raises:
  room_not_found: as require_member().$$;

revoke execute on function chat_private.lock_room(uuid) from public, anon, authenticated;

-- Archived, muted, role: in this order, for everything that people do in a room.
create function chat_private.refusal_by_right(
  room chat.rooms,
  me chat.room_members,
  least_role text
)
returns chat_private.refusal
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if (refusal_by_right.room).archived_at is not null then
    return row(
      'PT423', 'room_archived',
      'The room is archived and can only be read.',
      'Ask an admin of the room to unarchive it.', null
    )::chat_private.refusal;
  end if;
  if (refusal_by_right.me).muted_until > clock_timestamp() then
    return row(
      'PT403', 'member_muted',
      format('You are muted in this room until %s.', (refusal_by_right.me).muted_until),
      'Wait, or ask a moderator.', null
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

comment on function chat_private.refusal_by_right(chat.rooms, chat.room_members, text) is
  $$Say why a member may not act now; null when they may.

Args:
  room: the locked room.
  me: the caller's membership, read after the lock.
  least_role: the lowest role that may.$$;

revoke execute on function chat_private.refusal_by_right(chat.rooms, chat.room_members, text)
  from public, anon, authenticated;

create function chat_private.require_right(room chat.rooms, me chat.room_members, least_role text)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  perform chat_private.refuse(chat_private.refusal_by_right(
    require_right.room, require_right.me, require_right.least_role
  ));
end;
$$;

comment on function chat_private.require_right(chat.rooms, chat.room_members, text) is
  $$Refuse what a member may not do now.

Raises:
  room_archived: the room can only be read.
  member_muted: the caller may only read.
  not_allowed: the caller's role is too low.$$;

revoke execute on function chat_private.require_right(chat.rooms, chat.room_members, text)
  from public, anon, authenticated;

-- Moderation goes down the ladder only, except that owners answer for each other: an owner may be
-- demoted by another one, never by somebody below.
create function chat_private.require_outranked(me chat.room_members, their_role text)
returns void
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  if (require_outranked.me).role <> 'owner'
    and chat_private.role_rank((require_outranked.me).role)
      <= chat_private.role_rank(require_outranked.their_role)
  then
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

-- "Is this row's room mine, and what of it may I read" as a point lookup. (`room_id in (select
-- my_rooms())` looks nicer and is thirty times slower for somebody in a thousand rooms.)
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
    select m.visible_after_seq
    from chat.room_members as m
    join chat.profiles as p on p.user_id = m.user_id and p.closed_at is null
    where m.room_id = visible_after.room_id
      and m.user_id = auth.uid()
      and m.left_at is null
  );
end;
$$;

comment on function chat_private.visible_after(uuid) is
  'Return the seq above which the caller reads a room; null for who is not in it.';

revoke execute on function chat_private.visible_after(uuid) from public, anon, authenticated;
grant execute on function chat_private.visible_after(uuid) to authenticated;

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

-- A public room is shown to its whole tenant, except to whom it has banned.
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
      and not chat_private.is_banned(may_see_room.room_id, auth.uid())
    );
end;
$$;

comment on function chat_private.may_see_room(uuid, uuid, boolean) is
  'Tell whether the caller is in a room, or could join it.';

revoke execute on function chat_private.may_see_room(uuid, uuid, boolean)
  from public, anon, authenticated;
grant execute on function chat_private.may_see_room(uuid, uuid, boolean) to authenticated;

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
      and m.user_id = auth.uid()
      and m.left_at is null
      and m.role in ('moderator', 'admin', 'owner')
  );
end;
$$;

comment on function chat_private.is_moderator(uuid) is 'Tell whether the caller moderates a room.';

revoke execute on function chat_private.is_moderator(uuid) from public, anon, authenticated;
grant execute on function chat_private.is_moderator(uuid) to authenticated;

-- A locked stream, then stamped rows, then the raised head: the same three moves as for a room.
-- Locking in order is the whole point (`update … where user_id = any (ids)` locks as it finds them
-- and deadlocked half of its runs).
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
  -- Closing an account locks its stream too: who waited for that is nobody any more.
  if auth.uid() = any (lock_users.user_ids) then
    perform chat_private.current_user_id();
  end if;
end;
$$;

comment on function chat_private.lock_users(uuid[]) is
  $$Lock the streams of people, ascending, once per call and after every room.

Raises:
  sign_in_required: the caller is one of them, and the account was closed meanwhile.$$;

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
