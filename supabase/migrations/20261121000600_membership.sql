-- How a membership begins and ends: the two moves behind joining, adding, inviting, leaving,
-- removing and banning.

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
set search_path = ''
as $$
declare
  v_rev bigint := (begin_membership.room).rev + 1;
  v_visible_after bigint := case (begin_membership.room).history
    when 'all' then 0 else (begin_membership.room).last_seq
  end;
  v_member chat.room_members;
begin
  perform chat_private.lock_users(array[begin_membership.user_id]);

  -- A mute outlives leaving and coming back; everything else starts anew.
  insert into chat.room_members (
    room_id, user_id, role, label, joined_rev, visible_after_seq, rev, user_rev
  )
  select
    (begin_membership.room).id, s.user_id, begin_membership.role, begin_membership.label,
    v_rev, v_visible_after, v_rev, s.rev + 1
  from chat_private.user_streams as s
  where s.user_id = begin_membership.user_id
  on conflict on constraint room_members_pkey do update
  set
    role = excluded.role,
    label = excluded.label,
    joined_at = excluded.joined_at,
    left_at = null,
    left_reason = null,
    joined_rev = excluded.joined_rev,
    visible_after_seq = excluded.visible_after_seq,
    rev = excluded.rev,
    user_rev = excluded.user_rev
  returning * into v_member;
  perform chat_private.bump_users(array[begin_membership.user_id], '{memberships}');

  perform chat_private.add_system_message(
    v_member.room_id, (begin_membership.room).last_seq + 1, v_rev,
    begin_membership.actor_id, begin_membership.body, array[v_member.user_id]
  );

  update chat.rooms as r
  set
    rev = v_rev,
    changed_rev = v_rev,
    last_seq = r.last_seq + 1,
    member_count = r.member_count + 1,
    is_large = r.is_large or r.member_count + 1 > s.fanout_limit,
    newest_visible_after = greatest(r.newest_visible_after, v_visible_after),
    touched = '{rooms,members,messages}'
  from chat_private.settings as s
  where r.id = v_member.room_id;
  return v_member;
end;
$$;

comment on function
  chat_private.begin_membership(chat.rooms, uuid, text, text, uuid, text) is
  $$Let somebody into a locked room, as one numbered operation.

Args:
  room: the locked room.
  user_id: who comes in; not a member now.
  role: what they are.
  label: what the app calls them.
  actor_id: who did it.
  body: what the room is told, for example member_joined.

Returns:
  The new membership.$$;

-- Revocation is data: the epochs rise, so open sockets go silent, and the person's own stream tells
-- their devices to drop the room. A public room keeps its epoch, because who may join may read;
-- there a ban is the fence.
create function chat_private.end_membership(
  room chat.rooms,
  user_id uuid,
  actor_id uuid,
  body text,
  reason text,
  is_ban boolean
)
returns chat.room_members
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_rev bigint := (end_membership.room).rev + 1;
  v_member chat.room_members;
begin
  perform chat_private.lock_users(array[end_membership.user_id]);

  update chat.room_members as m
  set
    left_at = clock_timestamp(),
    left_reason = end_membership.reason,
    rev = v_rev,
    user_rev = s.rev + 1
  from chat_private.user_streams as s
  where m.room_id = (end_membership.room).id
    and m.user_id = end_membership.user_id
    and s.user_id = m.user_id
  returning m.* into v_member;
  perform chat_private.bump_users(array[end_membership.user_id], '{memberships}', true);

  perform chat_private.add_system_message(
    v_member.room_id, (end_membership.room).last_seq + 1, v_rev,
    end_membership.actor_id, end_membership.body, array[v_member.user_id]
  );

  -- A room that nobody is in any more is archived.
  update chat.rooms as r
  set
    rev = v_rev,
    changed_rev = v_rev,
    last_seq = r.last_seq + 1,
    member_count = r.member_count - 1,
    epoch = r.epoch + (end_membership.is_ban or not r.is_public)::integer,
    archived_at = case
      when r.member_count = 1 then coalesce(r.archived_at, clock_timestamp()) else r.archived_at
    end,
    touched = '{rooms,members,messages}'
  where r.id = v_member.room_id;
  return v_member;
end;
$$;

comment on function
  chat_private.end_membership(chat.rooms, uuid, uuid, text, text, boolean) is
  $$Take somebody out of a locked room, as one numbered operation.

Args:
  room: the locked room.
  user_id: who goes; a member now.
  actor_id: who did it.
  body: what the room is told, for example member_left.
  reason: kept with the membership, for the person who goes; may be null.
  is_ban: true raises the epoch of a public room as well.

Returns:
  The ended membership.$$;

-- Asked under the room lock, so that two owners cannot both be the one who is allowed to go.
create function chat_private.require_another_owner(room_id uuid, user_id uuid)
returns void
language plpgsql
stable
set search_path = ''
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

revoke execute on function
  chat_private.begin_membership(chat.rooms, uuid, text, text, uuid, text),
  chat_private.end_membership(chat.rooms, uuid, uuid, text, text, boolean),
  chat_private.require_another_owner(uuid, uuid)
  from public, anon, authenticated;
