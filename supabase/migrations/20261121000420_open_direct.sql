-- open_direct: the one room two people share, however often and from whichever side it is opened.

create function chat_private.open_direct(user_id uuid, tenant_id uuid, label text, their_label text)
returns chat.rooms
language plpgsql
volatile
-- definer: API roles may not write these tables
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
      detail = 'A direct room needs another person than yourself.',
      hint = 'Pass the user id of the other person.';
  end if;

  v_tenant := chat_private.choose_direct_tenant(open_direct.tenant_id, v_me, v_them);
  perform chat_private.hold_tenant_places(v_tenant, array[v_me, v_them]);
  perform chat_private.require_people(v_tenant, array[v_me, v_them], v_me);

  -- If both people call at once, the second call waits here and then finds the room below.
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
  perform chat_private.spend(v_me, 20);
  insert into chat.room_members (room_id, user_id, label, joined_rev, rev, user_rev, joined_seq)
  select
    v_room.id, s.user_id, case when s.user_id = v_me then v_label else v_their_label end,
    1, 1, s.rev + 1, 0
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

create function chat_private.choose_direct_tenant(tenant_id uuid, me uuid, other uuid)
returns uuid
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  -- Looked for first, so that an id takes the same time whether somebody has it or not.
  v_is_blocked boolean := chat_private.is_blocked_between(
    choose_direct_tenant.me, choose_direct_tenant.other
  );
  v_shared uuid[];
  v_tenants uuid[];
begin
  v_shared := array(
    select mine.tenant_id
    from chat.tenant_members as mine
    join chat.tenant_members as theirs
      on theirs.tenant_id = mine.tenant_id
      and theirs.user_id = choose_direct_tenant.other
      and theirs.removed_at is null
    join chat.profiles as p on p.user_id = choose_direct_tenant.other and p.closed_at is null
    where not v_is_blocked
      and mine.user_id = choose_direct_tenant.me
      and mine.removed_at is null
      and (
        choose_direct_tenant.tenant_id is null
        or mine.tenant_id = choose_direct_tenant.tenant_id
      )
  );
  if v_shared = '{}' then
    raise exception using
      errcode = 'PT404',
      message = 'user_not_found',
      detail = format('Nobody in a tenant of yours has the id %s.', choose_direct_tenant.other),
      hint = 'Check the id, or invite them into a tenant of yours.';
  end if;

  v_tenants := v_shared;
  if cardinality(v_shared) > 1 then
    v_tenants := array(
      select r.tenant_id
      from chat.rooms as r
      where r.tenant_id = any (v_shared)
        and r.low_user = least(choose_direct_tenant.me, choose_direct_tenant.other)
        and r.high_user = greatest(choose_direct_tenant.me, choose_direct_tenant.other)
    );
  end if;
  if cardinality(v_tenants) <> 1 then
    raise exception using
      errcode = 'PT400',
      message = 'tenant_required',
      detail = format('You share %s tenants with them.', cardinality(v_shared)),
      hint = 'Pass tenant_id.';
  end if;
  return v_tenants[1];
end;
$$;

comment on function chat_private.choose_direct_tenant(uuid, uuid, uuid) is
  $$Choose the tenant in which two people talk: where they do already, else the only one.

Args:
  tenant_id: the one that was named; null for any that both are in.
  me: the caller.
  other: the other person.

Raises:
  user_not_found: they share no tenant, or not the one that was named, or one has blocked the other.
  tenant_required: they share several, and have a room in none of them, or in several.$$;

-- Leaving a tenant ended the membership. Once both people are in the tenant again, they get their
-- old room back.
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
    -- Both are there again, and open_direct() has made sure that there is no block.
    update chat.rooms as r set archived_at = null, is_closed = false where r.id = v_room.id;
    perform chat_private.begin_memberships(
      v_room, v_gone, 'member', null, reopen_direct.actor_id, 'member_joined'
    );
    select r.* into v_room from chat.rooms as r where r.id = v_room.id;
  end if;
  return v_room;
end;
$$;

comment on function chat_private.reopen_direct(uuid, uuid) is
  'Let both people into their direct room again; leave alone those who are in it.';

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

Price: 20 for a new room; what add_member costs where people come into an old one again; nothing to
find it.

Args:
  user_id: the other person, who shares a tenant with the caller.
  tenant_id: where the room lives; left out, where they have one, else the only tenant they share.
  label: what the app calls the caller here, such as tourist, up to 40 characters; kept from the
    first opening.
  their_label: what the app calls the other person, such as guide, up to 40 characters.

Returns:
  The room.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: there is no other person, or a label is not a word of up to 40 characters.
  user_not_found: nobody with that id shares a tenant with the caller, or one has blocked the other.
  tenant_required: they share several tenants and have a room in none of them, or in several.
  slow_down: too much at once; Retry-After tells the seconds.$$;

revoke execute on function
  chat_private.choose_direct_tenant(uuid, uuid, uuid),
  chat_private.reopen_direct(uuid, uuid),
  chat_private.open_direct(uuid, uuid, text, text), chat.open_direct(uuid, uuid, text, text)
  from public, anon, authenticated;
grant execute on function
  chat_private.open_direct(uuid, uuid, text, text), chat.open_direct(uuid, uuid, text, text)
  to authenticated, service_role;
