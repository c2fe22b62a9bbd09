-- How a membership begins and ends, in whatever way people come and go.

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
  v_others uuid[] := array_remove(begin_memberships.user_ids, begin_memberships.actor_id);
begin
  perform chat_private.lock_users(begin_memberships.user_ids);
  perform chat_private.spend_on_people(
    begin_memberships.actor_id, cardinality(v_others),
    chat_private.events_in(begin_memberships.room) + case when v_others = '{}' then 0 else 10 end
  );

  -- Somebody who was muted is still muted after coming back. Everything else starts anew.
  insert into chat.room_members (
    room_id, user_id, role, label, joined_rev, visible_after_seq, rev, user_rev, joined_seq
  )
  select
    (begin_memberships.room).id, s.user_id, begin_memberships.role, begin_memberships.label,
    v_rev, v_visible_after, v_rev, s.rev + 1, (begin_memberships.room).last_seq
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
    user_rev = excluded.user_rev,
    joined_seq = excluded.joined_seq;
  perform chat_private.add_notifications(
    v_others, 'invite', (begin_memberships.room).id, null, begin_memberships.actor_id
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
  user_ids: the people who come in; none of them is a member now.
  role: their role.
  label: what the app calls them.
  actor_id: the person who did it, and who is charged for it.
  body: the word of the system message, for example member_joined.

Raises:
  slow_down: a bucket of the actor is empty.$$;

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

-- An owner can manage a room while the account is open and not muted. A closed account does not
-- count from the moment it is closed, even before maintenance has taken it out of its rooms.
create function chat_private.is_owned(room_id uuid, except_user uuid)
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return exists (
    select from chat.room_members as m
    join chat.profiles as p on p.user_id = m.user_id and p.closed_at is null
    where m.room_id = is_owned.room_id
      and m.user_id <> is_owned.except_user
      and m.left_at is null
      and m.role = 'owner'
      and (m.muted_until > clock_timestamp()) is not true
  );
end;
$$;

comment on function chat_private.is_owned(uuid, uuid) is
  'Tell whether somebody else owns a room and can act in it now.';

-- When the last owner goes, a member with an open account inherits the room: people who are not muted
-- come first, then the highest role, then the longest membership. Bots inherit nothing.
create function chat_private.find_heir(room_id uuid)
returns chat.room_members
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_heir chat.room_members;
begin
  select m.* into v_heir
  from chat.room_members as m
  join chat.profiles as p on p.user_id = m.user_id and p.closed_at is null and not p.is_bot
  where m.room_id = find_heir.room_id and m.left_at is null
  order by
    (m.muted_until > clock_timestamp()) is true,
    chat_private.role_rank(m.role) desc,
    m.joined_rev,
    m.user_id
  limit 1;
  return v_heir;
end;
$$;

comment on function chat_private.find_heir(uuid) is
  'Find the member who inherits a room. All columns are null when no person is in it.';

-- When somebody loses a room, the epochs rise, so that the sockets they have open get nothing more,
-- and their own stream tells their devices to drop the room. A public room keeps its epoch while
-- they may come back, because everybody who may join it may read it.
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
  v_heir chat.room_members;
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

  if v_member.role = 'owner' and not chat_private.is_owned(v_member.room_id, v_member.user_id) then
    v_heir := chat_private.find_heir(v_member.room_id);
    -- If everybody is muted, the new owner is unmuted.
    update chat.room_members as m
    set role = 'owner', muted_until = null, rev = v_rev
    where m.room_id = v_heir.room_id and m.user_id = v_heir.user_id;
    if v_heir.role <> 'owner' then
      perform chat_private.record_audit(
        'role_changed', (end_membership_at.room).tenant_id, v_heir.room_id, v_heir.user_id,
        jsonb_build_object('from', v_heir.role, 'to', 'owner')
      );
      v_seq := v_seq + 1;
      perform chat_private.add_system_message(
        v_member.room_id, v_seq, v_rev, end_membership_at.actor_id, 'made_owner',
        array[v_heir.user_id]
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
    is_closed = r.is_closed or r.kind = 'direct',
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
  user_id: the member who leaves; their stream is locked.
  user_rev: the number their own stream will take for it.
  actor_id: the person who did it.
  body: the word of the system message, for example member_left.
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
  perform chat_private.spend(
    end_membership.actor_id, chat_private.events_in(end_membership.room)
  );
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
  actor_id: the person who did it, and who is charged for it.
  reason: for moderators and the person who goes; null is none.
  Others: those of end_membership_at().

Returns:
  The ended membership.

Raises:
  slow_down: the bucket of the actor is empty.$$;

-- People who may not come back must not go on listening to rooms they were in before.
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

-- All rooms are locked in ascending order before the first one is changed. Public rooms that
-- somebody left earlier are among them, because their sockets may still listen there.
create function chat_private.lock_rooms_of(user_id uuid, tenant_id uuid, most integer)
returns chat.rooms[]
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  return array(
    select r
    from chat.rooms as r
    where r.id in (
      select m.room_id
      from chat.room_members as m
      join chat.rooms as o on o.id = m.room_id
      where m.user_id = lock_rooms_of.user_id
        and (
          m.left_at is null and lock_rooms_of.tenant_id is null
          or (m.left_at is null or o.is_public) and o.tenant_id = lock_rooms_of.tenant_id
        )
      order by m.room_id
      limit lock_rooms_of.most
    )
    order by r.id
    for no key update
  );
end;
$$;

comment on function chat_private.lock_rooms_of(uuid, uuid, integer) is
  $$Lock the rooms that somebody is taken out of.

Args:
  user_id: the person who goes.
  tenant_id: only the rooms of this tenant, and its public ones that they left before; null is all.
  most: how many rooms at most; null is all.

Returns:
  The rooms, by id.$$;

-- When somebody leaves many rooms, their own stream takes one number for every hundred rooms,
-- because a pull never splits the rows of one number over two answers. Their topic changes with the
-- last number, so that the old topic still carries the others.
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
  c_rooms_per_number constant integer := 100;
  v_rooms chat.rooms[];
  v_room chat.rooms;
  v_user_rev bigint;
  v_ended integer := 0;
begin
  v_rooms := chat_private.lock_rooms_of(
    end_memberships.user_id, end_memberships.tenant_id, end_memberships.most
  );
  if v_rooms = '{}' and end_memberships.tenant_id is null then
    return 0;
  end if;

  perform chat_private.lock_users(array[end_memberships.user_id]);
  select s.rev + 1 into v_user_rev
  from chat_private.user_streams as s
  where s.user_id = end_memberships.user_id;
  foreach v_room in array v_rooms loop
    -- Somebody who left while we waited for the locks is not taken out again.
    if exists (
      select from chat.room_members as m
      where m.room_id = v_room.id and m.user_id = end_memberships.user_id and m.left_at is null
    ) then
      if v_ended > 0 and v_ended % c_rooms_per_number = 0 then
        perform chat_private.bump_users(array[end_memberships.user_id], '{memberships}');
        v_user_rev := v_user_rev + 1;
      end if;
      perform chat_private.end_membership_at(
        v_room, end_memberships.user_id, v_user_rev, end_memberships.actor_id,
        end_memberships.body, false
      );
      v_ended := v_ended + 1;
    elsif v_room.is_public then
      perform chat_private.raise_epoch(v_room);
    end if;
  end loop;
  -- The end of the place in the tenant reaches their devices with the last number.
  update chat.tenant_members as t
  set user_rev = v_user_rev
  where t.tenant_id = end_memberships.tenant_id and t.user_id = end_memberships.user_id;
  if v_ended > 0 or end_memberships.tenant_id is not null then
    perform chat_private.bump_users(
      array[end_memberships.user_id],
      array['memberships'] || case when end_memberships.tenant_id is not null then array['tenants'] end,
      v_ended > 0
    );
  end if;
  return v_ended;
end;
$$;

comment on function chat_private.end_memberships(uuid, uuid, uuid, text, integer) is
  $$Take somebody out of all their rooms.

Args:
  user_id: the person who leaves.
  tenant_id: only the rooms of this tenant, where their place has just ended; null is all.
  actor_id: the person who did it.
  body: the word of the system message in their rooms.
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
  if not chat_private.is_owned(require_another_owner.room_id, require_another_owner.user_id) then
    raise exception using
      errcode = 'PT409',
      message = 'last_owner',
      detail = 'A room keeps at least one owner who can act in it.',
      hint = 'Make somebody else owner first, or unmute another owner.';
  end if;
end;
$$;

comment on function chat_private.require_another_owner(uuid, uuid) is
  $$Refuse to lose the last owner of a locked room.

Raises:
  last_owner: there is no other owner who is not muted and has an open account.$$;

create function chat_private.require_target(me chat.room_members, user_id uuid)
returns chat.room_members
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_target chat.room_members;
begin
  select m.* into v_target
  from chat.room_members as m
  join chat.profiles as p on p.user_id = m.user_id and p.closed_at is null
  where m.room_id = (require_target.me).room_id
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

comment on function chat_private.require_target(chat.room_members, uuid) is
  $$Find the member that a moderator acts on.

Args:
  me: the moderator's membership; the room is locked.
  user_id: the person the moderator acts on.

Returns:
  Their membership.

Raises:
  user_not_found: they are not in the room.
  not_allowed: the caller does not outrank them.$$;

revoke execute on function
  chat_private.require_target(chat.room_members, uuid),
  chat_private.begin_memberships(chat.rooms, uuid[], text, text, uuid, text),
  chat_private.begin_membership(chat.rooms, uuid, text, text, uuid, text),
  chat_private.is_owned(uuid, uuid),
  chat_private.find_heir(uuid),
  chat_private.end_membership_at(chat.rooms, uuid, bigint, uuid, text, boolean),
  chat_private.end_membership(chat.rooms, uuid, uuid, text, boolean, text),
  chat_private.raise_epoch(chat.rooms),
  chat_private.lock_rooms_of(uuid, uuid, integer),
  chat_private.end_memberships(uuid, uuid, uuid, text, integer),
  chat_private.require_another_owner(uuid, uuid)
  from public, anon, authenticated;

alter table chat.removals enable row level security;

create policy "moderators and people who were removed read why" on chat.removals
  for select to authenticated
  using (user_id = (select auth.uid()) or chat_private.is_moderator(room_id));

grant select on chat.removals to authenticated, service_role;
