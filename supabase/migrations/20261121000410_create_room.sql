-- create_room: open a group, with its first people in it.

create function chat_private.check_new_room(
  name text,
  kind text,
  member_ids uuid[],
  is_public boolean,
  history text,
  default_role text,
  metadata jsonb
)
returns void
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  if check_new_room.kind is distinct from 'group' then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'create_room only makes rooms of the kind group.',
      hint = 'Use open_direct for a room of two people.';
  end if;
  if coalesce(check_new_room.name, '') = '' then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'A room needs a name.',
      hint = 'Pass a name of 1 to 120 characters.';
  end if;
  if check_new_room.is_public is null
    or check_new_room.history is null
    or check_new_room.history not in ('all', 'since_join')
    or check_new_room.default_role is null
    or check_new_room.default_role not in ('member', 'reader')
  then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'history is all or since_join, default_role is member or reader, is_public is a boolean.',
      hint = 'Leave them out for the defaults.';
  end if;
  if cardinality(check_new_room.member_ids) > 1000 then
    raise exception using
      errcode = 'PT413',
      message = 'payload_too_large',
      detail = 'A room opens with at most 1,000 people.',
      hint = 'Add the others afterwards.';
  end if;
  perform chat_private.refuse(chat_private.refusal_by_metadata(check_new_room.metadata));
end;
$$;

comment on function chat_private.check_new_room(text, text, uuid[], boolean, text, text, jsonb) is
  $$Refuse arguments that no new room may have; they are those of create_room, with the name trimmed.

Raises:
  invalid_input: the kind, the name or an option is not as create_room describes it.
  payload_too_large: more than 1,000 people, or 4 KB of metadata.$$;

create function chat_private.create_room(
  name text,
  kind text,
  tenant_id uuid,
  member_ids uuid[],
  is_public boolean,
  history text,
  default_role text,
  metadata jsonb,
  is_opaque boolean
)
returns chat.rooms
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
declare
  v_me uuid := chat_private.current_user_id();
  v_name text := chat_private.clean_line(create_room.name, 'room name', 120);
  v_tenant uuid;
  v_people uuid[];
  v_ready_at timestamptz := chat_private.ready_at(v_me);
  v_room chat.rooms;
  v_head bigint;
begin
  if v_ready_at > clock_timestamp() then
    perform chat_private.refuse_by_wait(v_ready_at);
  end if;
  perform chat_private.check_new_room(
    v_name, create_room.kind, create_room.member_ids, create_room.is_public,
    create_room.history, create_room.default_role, create_room.metadata
  );

  v_people := array(
    select distinct u.user_id
    from unnest(create_room.member_ids) as u (user_id)
    where u.user_id <> v_me
  );
  v_tenant := chat_private.choose_tenant(create_room.tenant_id, v_me, v_people);
  perform chat_private.hold_tenant_places(v_tenant, v_people || v_me);
  perform chat_private.require_people(v_tenant, v_people || v_me, v_me);
  perform chat_private.lock_users(v_people || v_me);
  perform chat_private.require_room_left(v_me);
  perform chat_private.spend_on_people(v_me, cardinality(v_people), 10);

  insert into chat.rooms (
    tenant_id, kind, name, is_public, history, default_role, created_by, member_count, is_large,
    metadata, is_opaque
  )
  select
    v_tenant, 'group', v_name, create_room.is_public, create_room.history,
    create_room.default_role, v_me,
    1 + cardinality(v_people), 1 + cardinality(v_people) > s.fanout_limit,
    coalesce(create_room.metadata, '{}'), coalesce(create_room.is_opaque, false)
  from chat_private.settings as s
  returning * into v_room;

  v_people := v_people || v_me;
  v_head := chat_private.add_first_members(v_room.id, v_people, v_me, v_room.default_role);
  perform chat_private.add_notifications(
    array_remove(v_people, v_me), 'invite', v_room.id, null, v_me
  );
  perform chat_private.bump_users(v_people, '{memberships,notifications}');

  update chat.rooms as r
  set rev = v_head, changed_rev = 1, touched = '{rooms,members}'
  where r.id = v_room.id
  returning r.* into v_room;
  return v_room;
end;
$$;

-- A pull never splits the rows of one number over two answers, so a number holds at most 100
-- people.
create function chat_private.add_first_members(
  room_id uuid,
  user_ids uuid[],
  owner_id uuid,
  role text
)
returns bigint
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  c_people_per_number constant integer := 100;
begin
  insert into chat.room_members (room_id, user_id, role, joined_rev, rev, user_rev, joined_seq)
  select
    add_first_members.room_id, s.user_id,
    case s.user_id when add_first_members.owner_id then 'owner' else add_first_members.role end,
    1,
    1 + (
      row_number() over (order by s.user_id <> add_first_members.owner_id, s.user_id) - 1
    ) / c_people_per_number,
    s.rev + 1,
    0
  from chat_private.user_streams as s
  where s.user_id = any (add_first_members.user_ids);
  return 1 + greatest(cardinality(add_first_members.user_ids) - 1, 0) / c_people_per_number;
end;
$$;

comment on function chat_private.add_first_members(uuid, uuid[], uuid, text) is
  $$Write the people that a new room opens with; the caller holds their streams.

Args:
  room_id: a room without numbers.
  user_ids: different people, all with a stream.
  owner_id: the one who owns the room, in its first number.
  role: the role of the others.

Returns:
  The head of the room: a number for every hundred people, at least 1. They all came in with the
  first one, so the people in that step are told of the others.$$;

-- Without a tenant_id there must be exactly one tenant that would do; the function never picks one.
create function chat_private.choose_tenant(tenant_id uuid, me uuid, user_ids uuid[])
returns uuid
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_tenants uuid[] := array(
    select t.tenant_id
    from chat.tenant_members as t
    where t.user_id = choose_tenant.me
      and t.removed_at is null
      and (choose_tenant.tenant_id is null or t.tenant_id = choose_tenant.tenant_id)
  );
begin
  if v_tenants = '{}' then
    raise exception using
      errcode = 'PT403',
      message = 'not_allowed',
      detail = 'You can only open rooms in a tenant that you are in.',
      hint = 'Create a tenant, or ask for an invite into one.';
  end if;
  -- require_people() later refuses people who are not in that tenant, and names them.
  if cardinality(v_tenants) > 1 then
    v_tenants := array(
      select mine.tenant_id
      from unnest(v_tenants) as mine (tenant_id)
      where not exists (
        select
        from unnest(choose_tenant.user_ids) as u (user_id)
        where chat_private.is_blocked_between(choose_tenant.me, u.user_id) or not exists (
          select
          from chat.tenant_members as t
          join chat.profiles as p on p.user_id = t.user_id and p.closed_at is null
          where t.tenant_id = mine.tenant_id and t.user_id = u.user_id and t.removed_at is null
        )
      )
    );
  end if;
  if v_tenants = '{}' then
    raise exception using
      errcode = 'PT404',
      message = 'user_not_found',
      detail = 'You share no tenant with all of these people.',
      hint = 'Check their ids, or invite them into a tenant of yours.';
  end if;
  if cardinality(v_tenants) > 1 then
    raise exception using
      errcode = 'PT400',
      message = 'tenant_required',
      detail = format('The room could be in any of %s tenants of yours.', cardinality(v_tenants)),
      hint = 'Pass tenant_id.';
  end if;
  return v_tenants[1];
end;
$$;

comment on function chat_private.choose_tenant(uuid, uuid, uuid[]) is
  $$Choose the tenant of a new room.

Args:
  tenant_id: the one that was named; null for the only one that everybody is in.
  me: the caller.
  user_ids: the other people.

Raises:
  not_allowed: the caller is not in that tenant, or in none.
  user_not_found: no tenant of the caller's has all of these people.
  tenant_required: there are several.$$;

-- The answer is the same for people in other tenants, for people who left, for people with whom
-- there is a block, and for unknown ids. Blocks are looked for first, so that an id takes the same
-- time whether somebody has it or not.
create function chat_private.require_people(
  tenant_id uuid,
  user_ids uuid[],
  asker_id uuid default null
)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_missing uuid;
begin
  select u.user_id into v_missing
  from unnest(require_people.user_ids) as u (user_id)
  where chat_private.is_blocked_between(require_people.asker_id, u.user_id) or not exists (
    select
    from chat.tenant_members as t
    join chat.profiles as p on p.user_id = t.user_id and p.closed_at is null
    where t.tenant_id = require_people.tenant_id
      and t.user_id = u.user_id
      and t.removed_at is null
  )
  limit 1;

  if found then
    raise exception using
      errcode = 'PT404',
      message = 'user_not_found',
      detail = format('Nobody in this tenant has the id %s.', v_missing),
      hint = 'Check the id, or invite them into the tenant first.';
  end if;
end;
$$;

comment on function chat_private.require_people(uuid, uuid[], uuid) is
  $$Refuse people who are not in a tenant.

Args:
  tenant_id: the tenant.
  user_ids: the people.
  asker_id: somebody who wants to reach them; null where blocks do not matter.

Raises:
  user_not_found: one of them is absent, closed or elsewhere, or there is a block between the asker
    and them.$$;

revoke execute on function
  chat_private.check_new_room(text, text, uuid[], boolean, text, text, jsonb),
  chat_private.add_first_members(uuid, uuid[], uuid, text),
  chat_private.choose_tenant(uuid, uuid, uuid[]), chat_private.require_people(uuid, uuid[], uuid)
  from public, anon, authenticated;

-- Their stream is locked, so that two calls at once cannot both take the last room under the limit.
create function chat_private.require_room_left(user_id uuid)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_most integer;
begin
  select s.open_rooms_per_person into strict v_most from chat_private.settings as s;
  if v_most <= (
    select count(*)
    from (
      select
      from chat.rooms as r
      where r.created_by = require_room_left.user_id
        and r.kind = 'group'
        and r.archived_at is null
      limit v_most
    ) as open_room
  ) then
    raise exception using
      errcode = 'PT413',
      message = 'payload_too_large',
      detail = format('One person has at most %s open rooms that they created.', v_most),
      hint = 'Archive rooms that are no longer used.';
  end if;
end;
$$;

comment on function chat_private.require_room_left(uuid) is
  $$Refuse another open room to somebody who has reached the limit.

Args:
  user_id: the person who creates it; their stream is locked.

Raises:
  payload_too_large: they have that many.$$;

revoke execute on function chat_private.require_room_left(uuid) from public, anon, authenticated;

create function chat.create_room(
  name text,
  kind text default 'group',
  tenant_id uuid default null,
  member_ids uuid[] default '{}',
  is_public boolean default false,
  history text default 'all',
  default_role text default 'member',
  metadata jsonb default null,
  is_opaque boolean default false
)
returns chat.rooms
language sql
volatile
set search_path = '', pg_temp
return chat_private.create_room(
  name, kind, tenant_id, member_ids, is_public, history, default_role, metadata, is_opaque
);

comment on function chat.create_room(text, text, uuid, uuid[], boolean, text, text, jsonb, boolean) is
  $$Open a group room; the caller becomes its owner.

Price: 10, and 10 for everybody who is put into it.

Args:
  name: 1 to 120 characters, trimmed, no control characters.
  kind: group; rooms of two people come from open_direct.
  tenant_id: where the room lives; left out, the only tenant that the caller and all member_ids are
    in.
  member_ids: up to 1,000 people of the tenant, who are in from the start with default_role.
  is_public: true lets everybody in the tenant join by themselves.
  history: all, or since_join when newcomers must not read earlier messages.
  default_role: member, or reader for an announcement room.
  metadata: an object of the app's own, up to 4 KB.
  is_opaque: true where the bodies are what the app encrypted: they are not searched, not checked by
    the content rule, and no push shows them. It cannot be changed later.

Returns:
  The room. A number holds at most 100 people, so that it is at number 1, or at 11 with 1,000.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: a name or an option is not as described.
  payload_too_large: more than 1,000 people or 4 KB of metadata, or the caller has created too many
    open rooms.
  not_allowed: the caller is not in that tenant, or in none.
  user_not_found: one of member_ids is not in the tenant.
  tenant_required: tenant_id was left out, and several tenants would do.
  slow_down: too much at once; Retry-After tells the seconds.$$;

revoke execute on function
  chat_private.create_room(text, text, uuid, uuid[], boolean, text, text, jsonb, boolean),
  chat.create_room(text, text, uuid, uuid[], boolean, text, text, jsonb, boolean)
  from public, anon, authenticated;
grant execute on function
  chat_private.create_room(text, text, uuid, uuid[], boolean, text, text, jsonb, boolean),
  chat.create_room(text, text, uuid, uuid[], boolean, text, text, jsonb, boolean)
  to authenticated, service_role;
