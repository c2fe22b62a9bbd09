-- create_room: open a group, with its first people in it.

create function chat_private.create_room(
  name text,
  kind text,
  tenant_id uuid,
  member_ids uuid[],
  is_public boolean,
  history text,
  default_role text
)
returns chat.rooms
language plpgsql
volatile
-- definer: writes tables that nobody may write
security definer
set search_path = '', pg_temp
as $$
declare
  v_me uuid := chat_private.current_user_id();
  v_name text := chat_private.clean_line(create_room.name, 'room name', 120);
  v_tenant uuid;
  v_people uuid[];
  v_room chat.rooms;
begin
  if create_room.kind is distinct from 'group' then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'create_room makes rooms of the kind group.',
      hint = 'Use open_direct for a room of two people.';
  end if;
  if coalesce(v_name, '') = '' then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'A room needs a name.',
      hint = 'Pass a name of 1 to 120 characters.';
  end if;
  if create_room.is_public is null
    or create_room.history is null
    or create_room.history not in ('all', 'since_join')
    or create_room.default_role is null
    or create_room.default_role not in ('member', 'reader')
  then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'history is all or since_join, default_role is member or reader, is_public is a boolean.',
      hint = 'Leave them out for the defaults.';
  end if;
  if cardinality(create_room.member_ids) > 1000 then
    raise exception using
      errcode = 'PT413',
      message = 'payload_too_large',
      detail = 'A room opens with at most 1,000 people.',
      hint = 'Add the others afterwards.';
  end if;

  -- Without a tenant it is the one the caller joined first.
  select t.tenant_id into v_tenant
  from chat.tenant_members as t
  where t.user_id = v_me
    and t.removed_at is null
    and (create_room.tenant_id is null or t.tenant_id = create_room.tenant_id)
  order by t.joined_at, t.tenant_id
  limit 1;
  if not found then
    raise exception using
      errcode = 'PT403',
      message = 'not_allowed',
      detail = 'Rooms are opened in a tenant that you are in.',
      hint = 'Create a tenant, or ask to be added to one.';
  end if;

  v_people := array(
    select distinct u.user_id
    from unnest(create_room.member_ids) as u (user_id)
    where u.user_id <> v_me
  );
  perform chat_private.hold_tenant_places(v_tenant, v_people || v_me);
  perform chat_private.require_people(v_tenant, v_people || v_me);

  insert into chat.rooms (
    tenant_id, kind, name, is_public, history, default_role, created_by,
    member_count, is_large
  )
  select
    v_tenant, 'group', v_name, create_room.is_public, create_room.history,
    create_room.default_role, v_me,
    1 + cardinality(v_people), 1 + cardinality(v_people) > s.fanout_limit
  from chat_private.settings as s
  returning * into v_room;

  v_people := v_people || v_me;
  perform chat_private.lock_users(v_people);
  insert into chat.room_members (room_id, user_id, role, joined_rev, rev, user_rev)
  select
    v_room.id, s.user_id, case when s.user_id = v_me then 'owner' else v_room.default_role end,
    1, 1, s.rev + 1
  from chat_private.user_streams as s
  where s.user_id = any (v_people);
  perform chat_private.add_notifications(
    array_remove(v_people, v_me), 'invite', v_room.id, null, v_me
  );
  perform chat_private.bump_users(v_people, '{memberships,notifications}');

  update chat.rooms as r
  set rev = 1, changed_rev = 1, touched = '{rooms,members}'
  where r.id = v_room.id
  returning r.* into v_room;
  return v_room;
end;
$$;

-- Somebody of another tenant, somebody who left and nobody at all are the same answer.
create function chat_private.require_people(tenant_id uuid, user_ids uuid[])
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
  where not exists (
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
      detail = format('There is nobody %s in this tenant.', v_missing),
      hint = 'Check the id, or add them to the tenant first.';
  end if;
end;
$$;

comment on function chat_private.require_people(uuid, uuid[]) is
  $$Refuse people who are not in a tenant.

Raises:
  user_not_found: one of them is absent, closed or elsewhere.$$;

revoke execute on function chat_private.require_people(uuid, uuid[])
  from public, anon, authenticated;

create function chat.create_room(
  name text,
  kind text default 'group',
  tenant_id uuid default null,
  member_ids uuid[] default '{}',
  is_public boolean default false,
  history text default 'all',
  default_role text default 'member'
)
returns chat.rooms
language sql
volatile
set search_path = '', pg_temp
return chat_private.create_room(
  name, kind, tenant_id, member_ids, is_public, history, default_role
);

comment on function chat.create_room(text, text, uuid, uuid[], boolean, text, text) is
  $$Open a group room; the caller becomes its owner.

Args:
  name: 1 to 120 characters, trimmed, no control characters.
  kind: group; rooms of two people come from open_direct.
  tenant_id: where the room lives; left out, the tenant the caller joined first.
  member_ids: up to 1,000 people of the tenant, who are in from the start with default_role.
  is_public: true lets everybody in the tenant join by themselves.
  history: all, or since_join when newcomers must not read what was said before.
  default_role: member, or reader for an announcement room.

Returns:
  The room, at its first number.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: a name or an option is not as described.
  payload_too_large: more than 1,000 people.
  not_allowed: the caller is not in that tenant.
  user_not_found: one of member_ids is not in the tenant.$$;

revoke execute on function
  chat_private.create_room(text, text, uuid, uuid[], boolean, text, text),
  chat.create_room(text, text, uuid, uuid[], boolean, text, text)
  from public, anon, authenticated;
grant execute on function
  chat_private.create_room(text, text, uuid, uuid[], boolean, text, text),
  chat.create_room(text, text, uuid, uuid[], boolean, text, text)
  to authenticated;
