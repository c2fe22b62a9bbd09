-- list_profiles: the names behind ids.

create function chat_private.list_profiles(user_ids uuid[], room_id uuid)
returns setof chat.profiles
language plpgsql
stable
-- definer: one call instead of a policy per row
security definer
set search_path = '', pg_temp
as $$
declare
  v_me uuid := chat_private.current_user_id();
  v_room_id uuid := case
    when chat_private.visible_after(list_profiles.room_id) is not null then list_profiles.room_id
  end;
begin
  if cardinality(list_profiles.user_ids) > 200 then
    raise exception using
      errcode = 'PT413',
      message = 'payload_too_large',
      detail = 'At most 200 profiles come at once.',
      hint = 'Ask for the others in another call.';
  end if;
  -- What somebody sent is remembered with their id even when it was purged.
  return query
    select shown.*
    from chat.profiles as p
    cross join lateral chat_private.profile_for(p) as shown
    where p.user_id = any (list_profiles.user_ids)
      and (
        p.user_id = v_me
        or chat_private.shares_tenant(p.user_id)
        or exists (
          select from chat.room_members as m
          where m.room_id = v_room_id and m.user_id = p.user_id
        )
        or exists (
          select from chat.messages as m
          where m.room_id = v_room_id and m.sender_id = p.user_id and m.client_id is not null
        )
        or exists (
          select from chat_private.sends as s
          where s.room_id = v_room_id and s.sender_id = p.user_id
        )
      )
    order by p.user_id;
end;
$$;

create function chat.list_profiles(user_ids uuid[], room_id uuid default null)
returns setof chat.profiles
language sql
stable
set search_path = '', pg_temp
begin atomic
  select p.* from chat_private.list_profiles(user_ids, room_id) as p;
end;

comment on function chat.list_profiles(uuid[], uuid) is
  $$List the profiles of people whom the caller may know.

These are people who are in a tenant with the caller now and, with a room, everybody who is or was in
it or wrote in it.

Args:
  user_ids: up to 200 people.
  room_id: a room the caller is in, whose people are added; another one adds nobody.

Returns:
  Profiles, by user_id; everybody else is left out. Of people without a shared tenant only the name,
  is_bot and closed_at are told, and all else is null.

Raises:
  sign_in_required: nobody is signed in.
  payload_too_large: more than 200 people.$$;

revoke execute on function
  chat_private.list_profiles(uuid[], uuid), chat.list_profiles(uuid[], uuid)
  from public, anon, authenticated;
grant execute on function
  chat_private.list_profiles(uuid[], uuid), chat.list_profiles(uuid[], uuid)
  to authenticated, service_role;
