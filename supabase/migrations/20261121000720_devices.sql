-- register_device and unregister_device: the phones and browsers that push can reach.

create table chat.devices (
  user_id uuid not null references chat.profiles (user_id),
  device_id text not null,
  platform text not null,
  push_provider text,
  app_version text,
  is_active boolean not null,
  last_seen_at timestamptz not null,
  public_key text,
  primary key (user_id, device_id),
  constraint device_id_is_short check (char_length(device_id) between 1 and 200),
  constraint platform_is_known check (platform in ('ios', 'android', 'web')),
  constraint push_provider_is_known check (push_provider in ('expo', 'fcm', 'web')),
  constraint app_version_is_short check (char_length(app_version) between 1 and 40),
  constraint public_key_is_short check (octet_length(public_key) between 1 and 4096),
  constraint active_devices_have_a_provider check (not is_active or push_provider is not null)
);

comment on table chat.devices is 'What people read on, as far as they registered it for push.';
comment on column chat.devices.device_id is 'Made up by the client, once per installation.';
comment on column chat.devices.push_provider is 'expo, fcm or web; null while there is no push token.';
comment on column chat.devices.is_active is
  'False while push cannot reach the device: it has no token, or its provider said the token is dead.';
comment on column chat.devices.last_seen_at is 'When the device was registered last.';
comment on column chat.devices.public_key is
  'What others encrypt for this device with, as the app writes it; list_device_keys() shows it.';

-- Whoever holds a token can write to that phone, so no API role reads one. A phone has one token,
-- whoever is signed in on it: the hash keeps it from belonging to two accounts, and keeps 4 KB out
-- of an index.
create table chat_private.push_tokens (
  user_id uuid not null,
  device_id text not null,
  token text not null,
  token_hash bytea not null,
  woken_at timestamptz,
  primary key (user_id, device_id),
  constraint push_tokens_are_of_one_device unique (token_hash),
  constraint token_is_short check (octet_length(token) between 1 and 4096),
  constraint push_tokens_device_fkey foreign key (user_id, device_id)
    references chat.devices (user_id, device_id)
);

comment on table chat_private.push_tokens is 'The push token of each device that has one.';
comment on column chat_private.push_tokens.woken_at is
  'When the device was last woken in the background to take pushes away.';

-- The caller holds the streams of the people whose devices these are.
create function chat_private.drop_devices(user_id uuid, device_ids text[])
returns integer
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_count integer;
begin
  -- Devices before deliveries, each in the order of its key, as whoever spreads pushes takes them.
  perform from chat.devices as d
  where d.user_id = drop_devices.user_id and d.device_id = any (drop_devices.device_ids)
  order by d.device_id
  for update;
  perform from chat_private.push_deliveries as p
  where p.user_id = drop_devices.user_id and p.device_id = any (drop_devices.device_ids)
  order by p.room_id, p.device_id
  for update;
  delete from chat_private.push_deliveries as p
  where p.user_id = drop_devices.user_id and p.device_id = any (drop_devices.device_ids);
  delete from chat_private.push_tokens as t
  where t.user_id = drop_devices.user_id and t.device_id = any (drop_devices.device_ids);
  delete from chat.devices as d
  where d.user_id = drop_devices.user_id and d.device_id = any (drop_devices.device_ids);
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;

comment on function chat_private.drop_devices(uuid, text[]) is
  'Forget devices of somebody, with their tokens and pushes; returns how many there were.';

-- A Web Push token is an address that its user chose, and a server of ours will write to it.
create function chat_private.web_push_host(push_token text)
returns text
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return case when web_push_host.push_token is json object then
    substring(web_push_host.push_token::jsonb ->> 'endpoint' from '^https://([a-z0-9.-]+)/')
  end;
end;
$$;

comment on function chat_private.web_push_host(text) is
  'Return the host of a Web Push subscription; null where it is none, or its endpoint not https.';

create function chat_private.refusal_by_token(push_provider text, push_token text)
returns chat_private.refusal
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_host text;
begin
  if octet_length(refusal_by_token.push_token) > 4096 then
    return row(
      'PT413', 'payload_too_large', 'A push token has at most 4 KB.',
      'Pass the token as the provider gave it.', null
    )::chat_private.refusal;
  end if;
  if refusal_by_token.push_provider not in ('expo', 'fcm', 'web')
    or refusal_by_token.push_provider is null
    or chat_private.has_hidden_characters(refusal_by_token.push_token)
  then
    return row(
      'PT400', 'invalid_input', 'A push token comes with its provider: expo, fcm or web.',
      'Pass both as the client library of the provider gave them.', null
    )::chat_private.refusal;
  end if;
  if refusal_by_token.push_provider <> 'web' then
    return null;
  end if;
  v_host := chat_private.web_push_host(refusal_by_token.push_token);
  if v_host is null
    or refusal_by_token.push_token::jsonb #>> '{keys,p256dh}' !~ '^[A-Za-z0-9_=-]{80,100}$'
    or refusal_by_token.push_token::jsonb #>> '{keys,auth}' !~ '^[A-Za-z0-9_=-]{16,40}$'
    or (refusal_by_token.push_token::jsonb -> 'keys') ?& '{p256dh,auth}' is not true
  then
    return row(
      'PT400', 'invalid_input',
      'A Web Push token is a subscription as JSON: an https endpoint and its two keys.',
      'Pass JSON.stringify(subscription).', null
    )::chat_private.refusal;
  end if;
  if not chat_private.is_push_host(v_host) then
    return row(
      'PT400', 'invalid_input',
      format('%s is not one of the push services that this project writes to.', left(v_host, 100)),
      'Ask the operator to add it to settings.push_hosts.', null
    )::chat_private.refusal;
  end if;
  return null;
end;
$$;

comment on function chat_private.refusal_by_token(text, text) is
  $$Say what is wrong with a push token; null when nothing is.

Limits:
  push_token: a push token has at most 4 KB. That of a browser is a subscription whose endpoint begins
    with https and is on a host of push_hosts.
  devices: a person has at most 20 devices; the one that was registered longest ago gives way. The
    public key of a device has at most 4 KB.$$;

create function chat_private.is_push_host(host text)
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return exists (
    select
    from chat_private.settings as s, unnest(s.push_hosts) as allowed (host)
    where is_push_host.host = ltrim(allowed.host, '*.')
      or allowed.host like '*.%'
        and right(is_push_host.host, char_length(allowed.host) - 1) = substring(allowed.host from 2)
  );
end;
$$;

comment on function chat_private.is_push_host(text) is
  'Tell whether settings.push_hosts lets Web Push go to a host.';

create function chat_private.register_device(
  device_id text,
  platform text,
  push_provider text,
  push_token text,
  app_version text,
  public_key text
)
returns chat.devices
language plpgsql
volatile
-- definer: API roles may not write these tables, and read no token
security definer
set search_path = '', pg_temp
as $$
declare
  v_me uuid := chat_private.current_user_id();
  v_device_id text := chat_private.clean_line(register_device.device_id, 'device id', 200);
  v_version text := chat_private.clean_line(register_device.app_version, 'app version', 40);
  v_token text := nullif(register_device.push_token, '');
  v_hash bytea;
  v_device chat.devices;
begin
  if coalesce(v_device_id, '') = ''
    or coalesce(register_device.platform not in ('ios', 'android', 'web'), true)
  then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'A device has an id, and its platform is ios, android or web.',
      hint = 'Make up one id per installation and keep it.';
  end if;
  if octet_length(register_device.public_key) > 4096 then
    raise exception using
      errcode = 'PT413',
      message = 'payload_too_large',
      detail = 'A public key has at most 4 KB.',
      hint = 'Register the key that others encrypt with, and nothing else.';
  end if;
  if chat_private.has_hidden_characters(register_device.public_key) then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'A public key is one line of text.',
      hint = 'Write its bytes as base64.';
  end if;
  if v_token is not null then
    perform chat_private.refuse(
      chat_private.refusal_by_token(register_device.push_provider, v_token)
    );
    -- Two accounts may register the phone at once; then one after the other.
    v_hash := sha256(convert_to(v_token, 'UTF8'));
    perform pg_advisory_xact_lock(hashtextextended(encode(v_hash, 'hex'), 0));
  end if;
  perform chat_private.lock_users(
    v_me || array(select t.user_id from chat_private.push_tokens as t where t.token_hash = v_hash)
  );
  perform chat_private.spend(v_me, 1);

  insert into chat.devices as d (
    user_id, device_id, platform, push_provider, app_version, is_active, last_seen_at, public_key
  )
  values (
    v_me, v_device_id, register_device.platform,
    case when v_token is not null then register_device.push_provider end,
    nullif(v_version, ''), v_token is not null, clock_timestamp(),
    nullif(register_device.public_key, '')
  )
  on conflict on constraint devices_pkey do update
  set
    platform = excluded.platform,
    push_provider = case
      when register_device.push_token is null then d.push_provider else excluded.push_provider
    end,
    app_version = nullif(coalesce(v_version, d.app_version), ''),
    is_active = case
      when register_device.push_token is null then d.is_active else excluded.is_active
    end,
    last_seen_at = excluded.last_seen_at,
    public_key = nullif(coalesce(register_device.public_key, d.public_key), '')
  returning d.* into v_device;

  if register_device.push_token is not null then
    perform chat_private.move_token(v_me, v_device_id, v_token, v_hash);
  end if;
  perform chat_private.drop_devices(v_me, array(
    select d.device_id from chat.devices as d
    where d.user_id = v_me
    order by d.last_seen_at desc, d.device_id
    offset 20
  ));
  return v_device;
end;
$$;

create function chat_private.move_token(user_id uuid, device_id text, token text, token_hash bytea)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  with moved as (
    delete from chat_private.push_tokens as t
    where t.token_hash = move_token.token_hash
      or t.user_id = move_token.user_id and t.device_id = move_token.device_id
    returning t.user_id, t.device_id
  )
  update chat.devices as d
  set is_active = false, push_provider = null
  from moved as m
  where d.user_id = m.user_id
    and d.device_id = m.device_id
    and (d.user_id, d.device_id) <> (move_token.user_id, move_token.device_id);
  if move_token.token is not null then
    insert into chat_private.push_tokens (user_id, device_id, token, token_hash)
    values (move_token.user_id, move_token.device_id, move_token.token, move_token.token_hash);
  end if;
end;
$$;

comment on function chat_private.move_token(uuid, text, text, bytea) is
  $$Give a device its push token, and take it from the device that had it.

Args:
  user_id, device_id: the device, which exists; the caller holds the stream of this person, and that
    of the person who has the token now.
  token, token_hash: null takes the token away.$$;

create function chat_private.unregister_device(device_id text)
returns boolean
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
declare
  v_me uuid := chat_private.current_user_id();
begin
  perform chat_private.lock_users(array[v_me]);
  if not exists (
    select from chat.devices as d
    where d.user_id = v_me and d.device_id = unregister_device.device_id
  ) then
    return false;
  end if;
  perform chat_private.spend(v_me, 1);
  return chat_private.drop_devices(v_me, array[unregister_device.device_id]) > 0;
end;
$$;

create function chat.register_device(
  device_id text,
  platform text,
  push_provider text default null,
  push_token text default null,
  app_version text default null,
  public_key text default null
)
returns chat.devices
language sql
volatile
set search_path = '', pg_temp
return chat_private.register_device(
  device_id, platform, push_provider, push_token, app_version, public_key
);

create function chat.unregister_device(device_id text)
returns boolean
language sql
volatile
set search_path = '', pg_temp
return chat_private.unregister_device(device_id);

comment on function chat.register_device(text, text, text, text, text, text) is
  $$Register the device the caller reads on, so that push can reach it.

Call it at every start of the app, because providers change tokens. A token belongs to the account
that registered it last: when somebody else signs in on a phone, the phone gets their pushes only.
People have at most 20 devices; the one that was registered longest ago gives way to a new one.

Price: 1.

Args:
  device_id: up to 200 characters, made up by the client once per installation.
  platform: ios, android or web.
  push_provider: expo, fcm or web; needed with a token.
  push_token: up to 4 KB. For expo and fcm it is the token, for web the subscription as JSON. What is
    left out stays as it is; '' takes the token away.
  app_version: up to 40 characters; what is left out stays as it is, '' clears it.
  public_key: up to 4 KB, what others encrypt for this device with; who shares a room with the caller
    reads it with list_device_keys. What is left out stays as it is, '' clears it.

Returns:
  The device, without its token.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: a value is not as described, or the endpoint is not on a host of push_hosts.
  payload_too_large: the token or the key has more than 4 KB.
  slow_down: too much at once; Retry-After tells the seconds.$$;

comment on function chat.unregister_device(text) is
  $$Forget a device of the caller, so that no push reaches it any more.

Call it before signing out, while the token still stands.

Price: 1.

Args:
  device_id: as it was registered.

Returns:
  True; false when there was no such device.

Raises:
  sign_in_required: nobody is signed in.
  slow_down: too much at once; Retry-After tells the seconds.$$;

revoke execute on function
  chat_private.drop_devices(uuid, text[]),
  chat_private.web_push_host(text),
  chat_private.refusal_by_token(text, text),
  chat_private.is_push_host(text),
  chat_private.move_token(uuid, text, text, bytea),
  chat_private.register_device(text, text, text, text, text, text),
  chat.register_device(text, text, text, text, text, text),
  chat_private.unregister_device(text), chat.unregister_device(text)
  from public, anon, authenticated;
grant execute on function
  chat_private.register_device(text, text, text, text, text, text),
  chat.register_device(text, text, text, text, text, text),
  chat_private.unregister_device(text), chat.unregister_device(text)
  to authenticated, service_role;

alter table chat.devices enable row level security;

create policy "people read their own devices" on chat.devices
  for select to authenticated
  using (user_id = (select auth.uid()));

grant select on chat.devices to authenticated, service_role;
