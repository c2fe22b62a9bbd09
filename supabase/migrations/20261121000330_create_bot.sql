-- create_bot and retire_bot: programs of the project that take part like people.

-- A bot is a profile, a place in a tenant and a stream. Nobody signs in as it: servers act as it,
-- under the same rules as people. Its stream takes numbers like any other, so that a server may
-- pull as it, but nothing is broadcast to it.
create function chat_private.create_bot(
  display_name text,
  avatar_path text,
  tenant_id uuid,
  metadata jsonb
)
returns chat.profiles
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
declare
  c_default constant uuid := '00000000-0000-0000-0000-000000000001';
  v_tenant uuid := coalesce(create_bot.tenant_id, c_default);
  v_name text := chat_private.clean_line(create_bot.display_name, 'display name', 80);
  v_path text := chat_private.clean_line(create_bot.avatar_path, 'avatar path', 500);
  v_profile chat.profiles;
begin
  if coalesce(v_name, '') = '' then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'A bot needs a name.',
      hint = 'Pass a display name of 1 to 80 characters.';
  end if;
  perform chat_private.refuse(chat_private.refusal_by_metadata(create_bot.metadata));
  perform from chat.tenants as t where t.tenant_id = v_tenant for key share;
  if not found then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = format('There is no tenant %s.', v_tenant),
      hint = 'Check its id in the table tenants.';
  end if;

  insert into chat.profiles as p (user_id, display_name, avatar_path, is_bot, metadata)
  values (
    gen_random_uuid(), v_name, nullif(v_path, ''), true, coalesce(create_bot.metadata, '{}')
  )
  returning p.* into v_profile;
  insert into chat_private.user_streams (user_id, listens) values (v_profile.user_id, false);
  insert into chat.tenant_members (tenant_id, user_id) values (v_tenant, v_profile.user_id);
  perform chat_private.record_audit('bot_created', v_tenant, null, v_profile.user_id);
  return v_profile;
end;
$$;

create function chat_private.retire_bot(user_id uuid)
returns chat.profiles
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
declare
  v_profile chat.profiles;
begin
  perform from chat.profiles as p where p.user_id = retire_bot.user_id and p.is_bot;
  if not found then
    raise exception using
      errcode = 'PT404',
      message = 'user_not_found',
      detail = format('There is no bot %s.', retire_bot.user_id),
      hint = 'Check the id in the table profiles. Accounts of people end through Supabase Auth.';
  end if;
  perform chat_private.lock_users(array[retire_bot.user_id]);
  select p.* into v_profile from chat.profiles as p where p.user_id = retire_bot.user_id;
  if v_profile.closed_at is null then
    perform chat_private.close_account(v_profile.user_id);
    select p.* into v_profile from chat.profiles as p where p.user_id = retire_bot.user_id;
  end if;
  return v_profile;
end;
$$;

create function chat.create_bot(
  display_name text,
  avatar_path text default null,
  tenant_id uuid default null,
  metadata jsonb default null
)
returns chat.profiles
language sql
volatile
set search_path = '', pg_temp
return chat_private.create_bot(display_name, avatar_path, tenant_id, metadata);

create function chat.retire_bot(user_id uuid)
returns chat.profiles
language sql
volatile
set search_path = '', pg_temp
return chat_private.retire_bot(user_id);

comment on function chat.create_bot(text, text, uuid, jsonb) is
  $$Create a bot: a member of a tenant whom servers act as.

For the service role. Act as the bot with the header x-parley-user. It owns rooms, sends and reacts
like a person, and settings.bot_factor times as much; no message waits for it to be read, and it
inherits no office. A second call makes a second bot, so keep the id.

Args:
  display_name: 1 to 80 characters.
  avatar_path: a path in storage, up to 500 characters; null is none.
  tenant_id: where it has its place; left out, the tenant "default". More with add_tenant_member.
  metadata: an object of the app's own, up to 4 KB.

Returns:
  The profile of the bot; its user_id is what to act as.

Raises:
  invalid_input: the name is empty, a value is not as described, or there is no such tenant.
  payload_too_large: the metadata take more than 4 KB.$$;

comment on function chat.retire_bot(uuid) is
  $$Close a bot for good; its messages stay, under its name.

For the service role. From then on nobody acts as it, and maintenance takes it out of its rooms and
tenants; an office it held passes on to a person.

Args:
  user_id: a bot.

Returns:
  The profile, with closed_at; unchanged when it was closed before.

Raises:
  user_not_found: there is no such bot.$$;

revoke execute on function
  chat_private.create_bot(text, text, uuid, jsonb), chat.create_bot(text, text, uuid, jsonb),
  chat_private.retire_bot(uuid), chat.retire_bot(uuid)
  from public, anon, authenticated;
grant execute on function
  chat_private.create_bot(text, text, uuid, jsonb), chat.create_bot(text, text, uuid, jsonb),
  chat_private.retire_bot(uuid), chat.retire_bot(uuid)
  to service_role;
