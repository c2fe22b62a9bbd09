-- open_direct: the one room two people share, however often and from whichever side it is opened.

create function chat_private.open_direct(user_id uuid, tenant_id uuid, label text, their_label text)
returns chat.rooms
language plpgsql
volatile
-- definer: writes tables that nobody may write
security definer
set search_path = '', pg_temp
as $$
declare
  v_me uuid := chat_private.current_user_id();
  v_them uuid := open_direct.user_id;
  v_label text := nullif(chat_private.clean_line(open_direct.label, 'label', 40), '');
  v_their_label text := nullif(chat_private.clean_line(open_direct.their_label, 'label', 40), '');
  v_tenant uuid;
  v_room chat.rooms;
begin
  if v_them is null or v_them = v_me then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'A direct room needs somebody else.',
      hint = 'Pass the user id of the other person.';
  end if;

  -- Without a tenant it is the one they share for the longest time.
  select mine.tenant_id into v_tenant
  from chat.tenant_members as mine
  join chat.tenant_members as theirs
    on theirs.tenant_id = mine.tenant_id
    and theirs.user_id = v_them
    and theirs.removed_at is null
  join chat.profiles as p on p.user_id = v_them and p.closed_at is null
  where mine.user_id = v_me
    and mine.removed_at is null
    and (open_direct.tenant_id is null or mine.tenant_id = open_direct.tenant_id)
  order by greatest(mine.joined_at, theirs.joined_at), mine.tenant_id
  limit 1;
  if not found then
    raise exception using
      errcode = 'PT404',
      message = 'user_not_found',
      detail = format('There is nobody %s in a tenant of yours.', v_them),
      hint = 'Check the id, or ask to be added to their tenant.';
  end if;

  perform chat_private.hold_tenant_places(v_tenant, array[v_me, v_them]);
  perform chat_private.require_people(v_tenant, array[v_me, v_them]);

  -- Whoever comes second waits here for the first, and then finds the room below.
  insert into chat.rooms (tenant_id, kind, low_user, high_user, created_by, member_count, is_large)
  select
    v_tenant, 'direct', least(v_me, v_them), greatest(v_me, v_them), v_me, 2, 2 > s.fanout_limit
  from chat_private.settings as s
  on conflict on constraint direct_rooms_are_unique do nothing
  returning * into v_room;

  if not found then
    select r.* into v_room
    from chat.rooms as r
    where r.tenant_id = v_tenant
      and r.low_user = least(v_me, v_them)
      and r.high_user = greatest(v_me, v_them);
    return chat_private.reopen_direct(v_room.id, v_me);
  end if;

  perform chat_private.lock_users(array[v_me, v_them]);
  insert into chat.room_members (room_id, user_id, label, joined_rev, rev, user_rev)
  select
    v_room.id, s.user_id, case when s.user_id = v_me then v_label else v_their_label end,
    1, 1, s.rev + 1
  from chat_private.user_streams as s
  where s.user_id in (v_me, v_them);
  perform chat_private.bump_users(array[v_me, v_them], '{memberships}');

  update chat.rooms as r
  set rev = 1, changed_rev = 1, touched = '{rooms,members}'
  where r.id = v_room.id
  returning r.* into v_room;
  return v_room;
end;
$$;

-- Leaving the tenant ended their memberships; meeting there again continues the old room.
create function chat_private.reopen_direct(room_id uuid, actor_id uuid)
returns chat.rooms
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_room chat.rooms;
  v_gone uuid[];
begin
  select r.* into v_room from chat.rooms as r where r.id = reopen_direct.room_id;
  if v_room.member_count = 2 then
    return v_room;
  end if;

  select r.* into v_room
  from chat.rooms as r
  where r.id = reopen_direct.room_id
  for no key update;
  v_gone := array(
    select m.user_id
    from chat.room_members as m
    where m.room_id = v_room.id and m.left_at is not null
    order by m.user_id
  );
  if v_gone <> '{}' then
    update chat.rooms as r set archived_at = null where r.id = v_room.id;
    perform chat_private.begin_memberships(
      v_room, v_gone, 'member', null, reopen_direct.actor_id, 'member_joined'
    );
    select r.* into v_room from chat.rooms as r where r.id = v_room.id;
  end if;
  return v_room;
end;
$$;

comment on function chat_private.reopen_direct(uuid, uuid) is
  'Let both people into their direct room again; nothing for who is in.';

create function chat.open_direct(
  user_id uuid,
  tenant_id uuid default null,
  label text default null,
  their_label text default null
)
returns chat.rooms
language sql
volatile
set search_path = '', pg_temp
return chat_private.open_direct(user_id, tenant_id, label, their_label);

comment on function chat.open_direct(uuid, uuid, text, text) is
  $$Open the direct room with somebody, or find it.

Both people get the same room, however often and however concurrently it is opened.

Args:
  user_id: the other person, who shares a tenant with the caller.
  tenant_id: where the room lives; left out, the tenant they have shared for the longest time.
  label: what the caller is in this room, for example tourist; kept from the first opening.
  their_label: what the other person is, for example guide.

Returns:
  The room.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: there is no other person, or a label is not a word of up to 40 characters.
  user_not_found: nobody with that id shares a tenant with the caller.$$;

revoke execute on function
  chat_private.reopen_direct(uuid, uuid),
  chat_private.open_direct(uuid, uuid, text, text), chat.open_direct(uuid, uuid, text, text)
  from public, anon, authenticated;
grant execute on function
  chat_private.open_direct(uuid, uuid, text, text), chat.open_direct(uuid, uuid, text, text)
  to authenticated;
