-- list_profiles: the names behind ids.

create function chat_private.list_profiles(user_ids uuid[])
returns setof chat.profiles
language plpgsql
stable
-- definer: one call instead of a policy per row
security definer
set search_path = '', pg_temp
as $$
declare
  v_me uuid := chat_private.current_user_id();
begin
  if cardinality(list_profiles.user_ids) > 200 then
    raise exception using
      errcode = 'PT413',
      message = 'payload_too_large',
      detail = 'At most 200 profiles come at once.',
      hint = 'Ask for the others in another call.';
  end if;
  return query
    select p.*
    from chat.profiles as p
    where p.user_id = any (list_profiles.user_ids)
      and (p.user_id = v_me or chat_private.shares_tenant(p.user_id))
    order by p.user_id;
end;
$$;

create function chat.list_profiles(user_ids uuid[])
returns setof chat.profiles
language sql
stable
set search_path = '', pg_temp
begin atomic
  select p.* from chat_private.list_profiles(user_ids) as p;
end;

comment on function chat.list_profiles(uuid[]) is
  $$List the profiles of people who share a tenant with the caller.

Args:
  user_ids: up to 200 people.

Returns:
  Profiles, by user_id; who is absent or elsewhere is left out.

Raises:
  sign_in_required: nobody is signed in.
  payload_too_large: more than 200 people.$$;

revoke execute on function chat_private.list_profiles(uuid[]), chat.list_profiles(uuid[])
  from public, anon, authenticated;
grant execute on function chat_private.list_profiles(uuid[]), chat.list_profiles(uuid[])
  to authenticated;
