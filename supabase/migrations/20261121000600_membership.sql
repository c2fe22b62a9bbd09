-- How a membership begins and ends, whichever way people come and go.

create function chat_private.begin_memberships(
  room chat.rooms,
  user_ids uuid[],
  role text,
  label text,
  actor_id uuid,
  body text
)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_rev bigint := (begin_memberships.room).rev + 1;
  v_visible_after bigint := case (begin_memberships.room).history
    when 'all' then 0 else (begin_memberships.room).last_seq
  end;
begin
  perform chat_private.lock_users(begin_memberships.user_ids);

  -- A mute outlives leaving and coming back; everything else starts anew.
  insert into chat.room_members (
    room_id, user_id, role, label, joined_rev, visible_after_seq, rev, user_rev
  )
  select
    (begin_memberships.room).id, s.user_id, begin_memberships.role, begin_memberships.label,
    v_rev, v_visible_after, v_rev, s.rev + 1
  from chat_private.user_streams as s
  where s.user_id = any (begin_memberships.user_ids)
  on conflict on constraint room_members_pkey do update
  set
    role = excluded.role,
    label = excluded.label,
    joined_at = excluded.joined_at,
    left_at = null,
    joined_rev = excluded.joined_rev,
    visible_after_seq = excluded.visible_after_seq,
    rev = excluded.rev,
    user_rev = excluded.user_rev;
  perform chat_private.add_notifications(
    array_remove(begin_memberships.user_ids, begin_memberships.actor_id), 'invite',
    (begin_memberships.room).id, null, begin_memberships.actor_id
  );
  perform chat_private.bump_users(begin_memberships.user_ids, '{memberships,notifications}');

  perform chat_private.add_system_message(
    (begin_memberships.room).id, (begin_memberships.room).last_seq + 1, v_rev,
    begin_memberships.actor_id, begin_memberships.body, begin_memberships.user_ids
  );

  update chat.rooms as r
  set
    rev = v_rev,
    changed_rev = v_rev,
    last_seq = r.last_seq + 1,
    active_at = clock_timestamp(),
    member_count = r.member_count + cardinality(begin_memberships.user_ids),
    is_large = r.is_large
      or r.member_count + cardinality(begin_memberships.user_ids) > s.fanout_limit,
    newest_visible_after = greatest(r.newest_visible_after, v_visible_after),
    touched = '{rooms,members,messages}'
  from chat_private.settings as s
  where r.id = (begin_memberships.room).id;
end;
$$;

comment on function
  chat_private.begin_memberships(chat.rooms, uuid[], text, text, uuid, text) is
  $$Let people into a locked room, as one numbered operation.

Args:
  room: the locked room.
  user_ids: who comes in; nobody of them is a member now.
  role: what they are.
  label: what the app calls them.
  actor_id: who did it.
  body: what the room is told, for example member_joined.$$;

create function chat_private.begin_membership(
  room chat.rooms,
  user_id uuid,
  role text,
  label text,
  actor_id uuid,
  body text
)
returns chat.room_members
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_member chat.room_members;
begin
  perform chat_private.begin_memberships(
    begin_membership.room, array[begin_membership.user_id], begin_membership.role,
    begin_membership.label, begin_membership.actor_id, begin_membership.body
  );
  select m.* into v_member
  from chat.room_members as m
  where m.room_id = (begin_membership.room).id and m.user_id = begin_membership.user_id;
  return v_member;
end;
$$;

comment on function
  chat_private.begin_membership(chat.rooms, uuid, text, text, uuid, text) is
  'Let one person into a locked room; the arguments are those of begin_memberships().';

create table chat.removals (
  room_id uuid not null,
  user_id uuid not null,
  rev bigint not null,
  reason text not null,
  constraint removals_pkey primary key (room_id, user_id, rev),
  constraint removals_member_fkey foreign key (room_id, user_id)
  references chat.room_members (room_id, user_id),
  constraint reason_is_short check (char_length(reason) <= 500)
);

comment on table chat.removals is 'Why somebody was removed, where a reason was given.';
comment on column chat.removals.rev is 'The number of the removal.';

-- Revocation is data: the epochs rise, so open sockets go silent, and the person's own stream tells
-- their devices to drop the room. A public room keeps its epoch as long as they may come back,
-- because who may join may read.
create function chat_private.end_membership_at(
  room chat.rooms,
  user_id uuid,
  user_rev bigint,
  actor_id uuid,
  body text,
  may_return boolean
)
returns chat.room_members
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_rev bigint := (end_membership_at.room).rev + 1;
  v_seq bigint := (end_membership_at.room).last_seq + 1;
  v_member chat.room_members;
  v_heir uuid;
begin
  update chat.room_members as m
  set
    left_at = clock_timestamp(),
    rev = v_rev,
    user_rev = end_membership_at.user_rev
  where m.room_id = (end_membership_at.room).id and m.user_id = end_membership_at.user_id
  returning m.* into v_member;
  perform chat_private.add_system_message(
    v_member.room_id, v_seq, v_rev,
    end_membership_at.actor_id, end_membership_at.body, array[v_member.user_id]
  );

  -- A room is never without an owner: it passes to the highest role, then the longest membership.
  if v_member.role = 'owner' and not exists (
    select from chat.room_members as m
    where m.room_id = v_member.room_id and m.left_at is null and m.role = 'owner'
  ) then
    select m.user_id into v_heir
    from chat.room_members as m
    join chat.profiles as p on p.user_id = m.user_id and p.closed_at is null
    where m.room_id = v_member.room_id and m.left_at is null
    order by chat_private.role_rank(m.role) desc, m.joined_rev, m.user_id
    limit 1;
    if found then
      update chat.room_members as m
      set role = 'owner', rev = v_rev
      where m.room_id = v_member.room_id and m.user_id = v_heir;
      v_seq := v_seq + 1;
      perform chat_private.add_system_message(
        v_member.room_id, v_seq, v_rev, end_membership_at.actor_id, 'made_owner', array[v_heir]
      );
    end if;
  end if;

  -- A room that nobody is in any more is archived.
  update chat.rooms as r
  set
    rev = v_rev,
    changed_rev = v_rev,
    last_seq = v_seq,
    active_at = clock_timestamp(),
    member_count = r.member_count - 1,
    epoch = r.epoch + (not (end_membership_at.may_return and r.is_public))::integer,
    archived_at = case
      when r.member_count = 1 then coalesce(r.archived_at, clock_timestamp()) else r.archived_at
    end,
    touched = '{rooms,members,messages}'
  where r.id = v_member.room_id;
  return v_member;
end;
$$;

comment on function
  chat_private.end_membership_at(chat.rooms, uuid, bigint, uuid, text, boolean) is
  $$Take somebody out of a locked room, as one numbered operation of the room.

Args:
  room: the locked room.
  user_id: who goes; a member now, whose stream is locked.
  user_rev: the number their own stream will take for it.
  actor_id: who did it.
  body: what the room is told, for example member_left.
  may_return: false raises the epoch of a public room as well.

Returns:
  The ended membership.$$;

create function chat_private.end_membership(
  room chat.rooms,
  user_id uuid,
  actor_id uuid,
  body text,
  may_return boolean,
  reason text default null
)
returns chat.room_members
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_member chat.room_members;
begin
  perform chat_private.lock_users(array[end_membership.user_id]);
  v_member := chat_private.end_membership_at(
    end_membership.room, end_membership.user_id,
    (
      select s.rev + 1
      from chat_private.user_streams as s
      where s.user_id = end_membership.user_id
    ),
    end_membership.actor_id, end_membership.body, end_membership.may_return
  );
  if end_membership.reason is not null then
    insert into chat.removals (room_id, user_id, rev, reason)
    values (v_member.room_id, v_member.user_id, v_member.rev, end_membership.reason);
  end if;
  perform chat_private.bump_users(array[end_membership.user_id], '{memberships}', true);
  return v_member;
end;
$$;

comment on function
  chat_private.end_membership(chat.rooms, uuid, uuid, text, boolean, text) is
  $$Take somebody out of one locked room.

Args:
  reason: for moderators and the person who goes; null is none.
  Others: those of end_membership_at().

Returns:
  The ended membership.$$;

-- Who may not come back must not go on listening where they have been before.
create function chat_private.raise_epoch(room chat.rooms)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  update chat.rooms as r
  set
    rev = (raise_epoch.room).rev + 1,
    changed_rev = (raise_epoch.room).rev + 1,
    epoch = (raise_epoch.room).epoch + 1,
    touched = '{rooms}'
  where r.id = (raise_epoch.room).id;
end;
$$;

comment on function chat_private.raise_epoch(chat.rooms) is
  'Send everybody in a locked room to new topics, as one numbered operation.';

-- Leaving everything: all rooms are locked ascending before the first one is touched, and the
-- person's own stream takes one number for all of them. From public rooms of a tenant somebody may
-- have gone before, and still listen.
create function chat_private.end_memberships(
  user_id uuid,
  tenant_id uuid,
  actor_id uuid,
  body text,
  most integer
)
returns integer
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_rooms chat.rooms[];
  v_room chat.rooms;
  v_user_rev bigint;
  v_ended integer := 0;
begin
  v_rooms := array(
    select r
    from chat.rooms as r
    where r.id in (
      select m.room_id
      from chat.room_members as m
      join chat.rooms as o on o.id = m.room_id
      where m.user_id = end_memberships.user_id
        and (
          m.left_at is null and end_memberships.tenant_id is null
          or (m.left_at is null or o.is_public) and o.tenant_id = end_memberships.tenant_id
        )
      order by m.room_id
      limit end_memberships.most
    )
    order by r.id
    for no key update
  );
  if v_rooms = '{}' then
    return 0;
  end if;

  perform chat_private.lock_users(array[end_memberships.user_id]);
  select s.rev + 1 into v_user_rev
  from chat_private.user_streams as s
  where s.user_id = end_memberships.user_id;
  foreach v_room in array v_rooms loop
    -- The locks were waited for; who left meanwhile is not taken out again.
    if exists (
      select from chat.room_members as m
      where m.room_id = v_room.id and m.user_id = end_memberships.user_id and m.left_at is null
    ) then
      perform chat_private.end_membership_at(
        v_room, end_memberships.user_id, v_user_rev, end_memberships.actor_id,
        end_memberships.body, false
      );
      v_ended := v_ended + 1;
    elsif v_room.is_public then
      perform chat_private.raise_epoch(v_room);
    end if;
  end loop;
  if v_ended > 0 then
    perform chat_private.bump_users(array[end_memberships.user_id], '{memberships}', true);
  end if;
  return v_ended;
end;
$$;

comment on function chat_private.end_memberships(uuid, uuid, uuid, text, integer) is
  $$Take somebody out of all their rooms.

Args:
  user_id: who goes.
  tenant_id: only the rooms of this tenant; null is all.
  actor_id: who did it.
  body: what the rooms are told.
  most: how many rooms at most; null is all.

Returns:
  The number of rooms they were in.$$;

-- Asked under the room lock, so that two owners cannot both be the one who is allowed to go.
create function chat_private.require_another_owner(room_id uuid, user_id uuid)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if not exists (
    select from chat.room_members as m
    where m.room_id = require_another_owner.room_id
      and m.user_id <> require_another_owner.user_id
      and m.left_at is null
      and m.role = 'owner'
  ) then
    raise exception using
      errcode = 'PT409',
      message = 'last_owner',
      detail = 'A room keeps at least one owner.',
      hint = 'Make somebody else owner first.';
  end if;
end;
$$;

comment on function chat_private.require_another_owner(uuid, uuid) is
  $$Refuse to lose the last owner of a locked room.

Raises:
  last_owner: nobody else owns it.$$;

-- Taking somebody out works in an archived room too: archiving must not shelter anybody.
create function chat_private.require_target(room chat.rooms, me chat.room_members, user_id uuid)
returns chat.room_members
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_room chat.rooms := require_target.room;
  v_target chat.room_members;
begin
  v_room.archived_at := null;
  perform chat_private.require_right(v_room, require_target.me, 'moderator');

  select m.* into v_target
  from chat.room_members as m
  where m.room_id = v_room.id
    and m.user_id = require_target.user_id
    and m.left_at is null;
  if not found then
    raise exception using
      errcode = 'PT404',
      message = 'user_not_found',
      detail = format('There is no member %s in this room.', require_target.user_id),
      hint = 'Check the id with list_members.';
  end if;
  perform chat_private.require_outranked(require_target.me, v_target.role);
  return v_target;
end;
$$;

comment on function chat_private.require_target(chat.rooms, chat.room_members, uuid) is
  $$Find the member that a moderator acts on.

Returns:
  Their membership.

Raises:
  member_muted: the caller may only read.
  not_allowed: the caller is no moderator, or does not outrank them.
  user_not_found: they are not in the room.$$;

revoke execute on function
  chat_private.require_target(chat.rooms, chat.room_members, uuid),
  chat_private.begin_memberships(chat.rooms, uuid[], text, text, uuid, text),
  chat_private.begin_membership(chat.rooms, uuid, text, text, uuid, text),
  chat_private.end_membership_at(chat.rooms, uuid, bigint, uuid, text, boolean),
  chat_private.end_membership(chat.rooms, uuid, uuid, text, boolean, text),
  chat_private.raise_epoch(chat.rooms),
  chat_private.end_memberships(uuid, uuid, uuid, text, integer),
  chat_private.require_another_owner(uuid, uuid)
  from public, anon, authenticated;

alter table chat.removals enable row level security;

create policy "moderators and who was removed read why" on chat.removals
  for select to authenticated
  using (user_id = (select auth.uid()) or chat_private.is_moderator(room_id));

grant select on chat.removals to authenticated, service_role;
