-- A profile is what people see of an account; it outlives the account as a tombstone.

-- Only this chapter knows auth.users, and through triggers instead of a foreign key: an account
-- that ends must not take the conversation of others with it.
create table chat.profiles (
  user_id uuid primary key,
  display_name text not null,
  avatar_path text,
  label text,
  created_at timestamptz not null default now(),
  closed_at timestamptz,
  is_bot boolean not null default false,
  changed_xid xid8 not null default pg_current_xact_id(),
  metadata jsonb not null default '{}',
  share_presence boolean not null default true,
  constraint display_name_is_a_line check (
    char_length(display_name) between 1 and 80
    and not chat_private.has_hidden_characters(display_name)
  ),
  constraint avatar_path_is_short check (char_length(avatar_path) <= 500),
  constraint label_is_a_word check (
    char_length(label) between 1 and 40 and not chat_private.has_hidden_characters(label)
  ),
  constraint metadata_is_small check (
    jsonb_typeof(metadata) = 'object' and octet_length(metadata::text) <= 4096
  )
);

comment on table chat.profiles is 'What people who are in the same tenant see of each other.';
comment on column chat.profiles.label is 'Any word of the app: tourist, guide, support.';
comment on column chat.profiles.avatar_path is 'A path in storage, never a URL.';
comment on column chat.profiles.created_at is 'Null in an answer that shows no more than the name.';
comment on column chat.profiles.closed_at is 'When the account ended; the row stays for old messages.';
comment on column chat.profiles.is_bot is 'True for a program of the project, which has no account.';
comment on column chat.profiles.changed_xid is
  $$The last transaction that changed the row, or the set of people who may read it.

Null in an answer that shows no more than the name.$$;
comment on column chat.profiles.metadata is
  'Whatever the app keeps with a person, up to 4 KB; null in an answer that shows no more than the name.';
comment on column chat.profiles.share_presence is
  'False hides from everybody when this person is online; null in an answer that shows only the name.';

-- Maintenance looks for accounts that ended.
create index profiles_closed on chat.profiles (user_id) where closed_at is not null;

-- The ticks of a message do not wait for bots.
create index profiles_bots on chat.profiles (user_id) where is_bot;

-- A pull looks for the profiles that changed since a snapshot.
create index profiles_by_change on chat.profiles (changed_xid);

-- Profiles are outside the numbered streams: a name is shown in every room of a person, and none of
-- them should take a number for it. A counter per tenant would let sign-ups wait for each other. So
-- a change carries its transaction, and a client that has seen a snapshot asks for the changes that
-- the snapshot did not show.
create function chat_private.tg_profiles__stamp_change()
returns trigger
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  new.changed_xid := pg_current_xact_id();
  return new;
end;
$$;

revoke execute on function chat_private.tg_profiles__stamp_change() from public, anon, authenticated;

create trigger _100_stamp_change before update on chat.profiles
  for each row execute function chat_private.tg_profiles__stamp_change();

-- A profile may be read by people who share a tenant with its person. So when a person comes into a
-- tenant or leaves one, that changes the profile. Deferred, because a profile is locked after
-- everything else.
create function chat_private.tg_tenant_members__change_profile()
returns trigger
language plpgsql
volatile
-- definer: deferred, so it runs after the function that let somebody in, as its caller
security definer
set search_path = '', pg_temp
as $$
begin
  update chat.profiles as p
  set changed_xid = pg_current_xact_id()
  where p.user_id = new.user_id and p.changed_xid <> pg_current_xact_id();
  return null;
end;
$$;

revoke execute on function chat_private.tg_tenant_members__change_profile()
  from public, anon, authenticated;

create constraint trigger _100_change_profile after insert on chat.tenant_members
  deferrable initially deferred
  for each row execute function chat_private.tg_tenant_members__change_profile();

create constraint trigger _200_change_profile after update of removed_at on chat.tenant_members
  deferrable initially deferred
  for each row when (new.removed_at is distinct from old.removed_at)
  execute function chat_private.tg_tenant_members__change_profile();

alter table chat.tenant_members
  add constraint tenant_members_user_id_fkey foreign key (user_id) references chat.profiles (user_id);

-- The second kind of numbered stream: one counter per person, for rows that only this person sees.
create table chat_private.user_streams (
  user_id uuid primary key references chat.profiles (user_id),
  rev bigint not null default 0,
  epoch integer not null default 1,
  notification_seq bigint not null default 0,
  touched text[] not null default '{}',
  notifications_read_seq bigint not null default 0,
  notifications_read_at timestamptz,
  listens boolean not null default true
) with (fillfactor = 70);

comment on table chat_private.user_streams is 'The head and epoch of each person''s own stream.';
comment on column chat_private.user_streams.epoch is
  'Part of the user topic; raised by every removal, so that old sockets and replays go silent.';
comment on column chat_private.user_streams.notification_seq is 'The seq of the newest notification.';
comment on column chat_private.user_streams.touched is 'The kinds of rows the newest number stamped.';
comment on column chat_private.user_streams.notifications_read_seq is
  'Notifications up to this seq have been read: one mark, however many they are.';
comment on column chat_private.user_streams.notifications_read_at is 'When that mark last moved.';
comment on column chat_private.user_streams.listens is
  'False for a bot, which has no socket: no step is broadcast to it.';

create function chat_private.shares_tenant(user_id uuid)
returns boolean
language plpgsql
stable
-- definer: reads memberships of others to decide on one row
security definer
set search_path = '', pg_temp
as $$
begin
  return exists (
    select
    from chat.tenant_members as mine
    join chat.profiles as p on p.user_id = mine.user_id and p.closed_at is null
    join chat.tenant_members as theirs on theirs.tenant_id = mine.tenant_id
    where mine.user_id = case
        when current_setting('role') = 'service_role' then chat_private.acting_user_id()
        else auth.uid()
      end
      and mine.removed_at is null
      and theirs.user_id = shares_tenant.user_id
      and theirs.removed_at is null
  );
end;
$$;

comment on function chat_private.shares_tenant(uuid) is
  'Tell whether somebody is in a tenant of the caller now.';

revoke execute on function chat_private.shares_tenant(uuid) from public, anon, authenticated;
grant execute on function chat_private.shares_tenant(uuid) to authenticated, service_role;

-- Decides what the caller may know of a person, for every answer that shows a profile. It lists the
-- columns one by one, so that a new column stays hidden from strangers until it is added here.
create function chat_private.profile_for(profile chat.profiles)
returns chat.profiles
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_shown chat.profiles;
begin
  if (profile_for.profile).user_id = chat_private.acting_user_id()
    or chat_private.shares_tenant((profile_for.profile).user_id)
  then
    return profile_for.profile;
  end if;
  v_shown.user_id := (profile_for.profile).user_id;
  v_shown.display_name := (profile_for.profile).display_name;
  v_shown.is_bot := (profile_for.profile).is_bot;
  v_shown.closed_at := (profile_for.profile).closed_at;
  return v_shown;
end;
$$;

comment on function chat_private.profile_for(chat.profiles) is
  $$Show a profile to the caller, who has a row that names this person.

Returns:
  The profile for people who share a tenant now; else the name, is_bot and closed_at, the rest null.$$;

revoke execute on function chat_private.profile_for(chat.profiles)
  from public, anon, authenticated;

-- Every function that acts for a person begins here.
create function chat_private.current_user_id()
returns uuid
language plpgsql
stable
-- definer: the caller may be nobody yet
security definer
set search_path = '', pg_temp
as $$
declare
  v_me uuid := chat_private.acting_user_id();
  v_named text;
begin
  if exists (
    select from chat.profiles as p where p.user_id = v_me and p.closed_at is null
  ) then
    return v_me;
  end if;
  v_named := chat_private.named_user();
  if v_named is not null and chat_private.is_server() then
    raise exception using
      errcode = 'PT404',
      message = 'user_not_found',
      detail = format('Nobody with an open account has the id %s.', left(v_named, 100)),
      hint = 'Send the id of a person or a bot in the header x-parley-user.';
  end if;
  if v_named is not null and v_me is null then
    perform chat_private.log_refusal('act_as_another', null);
    raise exception using
      errcode = 'PT403',
      message = 'not_allowed',
      detail = 'Only a server with the secret key acts as somebody else.',
      hint = 'Leave out the header x-parley-user, or send the secret key from a server of yours.';
  end if;
  raise exception using
    errcode = 'PT401',
    message = 'sign_in_required',
    detail = 'This call needs the token of somebody with an open account.',
    hint = 'Sign in and send the access token; a server names somebody in the header x-parley-user.';
end;
$$;

comment on function chat_private.current_user_id() is
  $$Name the person a call acts as, whose account is open.

Returns:
  Their user id.

Raises:
  sign_in_required: there is no token, it names nobody, or the account is closed.
  not_allowed: the header x-parley-user names somebody else, and the caller is no server.
  user_not_found: a server names nobody with an open account.$$;

revoke execute on function chat_private.current_user_id() from public, anon, authenticated;

-- A character as people see it is a base with everything that belongs to it: marks, a skin tone, the
-- characters after a joiner, the other half of a flag, the next consonant of an Indic conjunct. A cut
-- inside of it would take a child from a family emoji, or an accent from a letter.
create function chat_private.cut_line(value text, longest integer)
returns text
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  v_joining constant text := chat_private.combining_characters()
    || '\u200C\u200D\U0001F3FB-\U0001F3FF\U000E0020-\U000E007F';
  v_character constant text := '((?:[\U0001F1E6-\U0001F1FF]{2}|.)[' || v_joining || ']*'
    '(?:(?:(?<=\u200D).|(?<=[\u094D\u09CD\u0ACD\u0B4D\u0C4D\u0D4D]\u200D?)[\u0904-\u0D7F])'
    '[' || v_joining || ']*)*)';
begin
  if char_length(cut_line.value) <= cut_line.longest then
    return cut_line.value;
  end if;
  return (
    select string_agg(c.shown, '' order by c.place)
    from (
      select
        m.parts[1] as shown, m.place,
        sum(char_length(m.parts[1])) over (order by m.place) as upto
      -- One code point more than fits, to see whether the last character that fits is whole.
      from regexp_matches(left(cut_line.value, cut_line.longest + 1), v_character, 'g')
        with ordinality as m (parts, place)
    ) as c
    where c.upto <= cut_line.longest
  );
end;
$$;

comment on function chat_private.cut_line(text, integer) is
  'Cut a line that is too long, between two characters as people see them.';

revoke execute on function chat_private.cut_line(text, integer) from public, anon, authenticated;

-- A name from a person or their sign-in provider may be blank, contain characters that would break a
-- list, or be an e-mail address, which others must not see.
create function chat_private.clean_name(value text)
returns text
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  c_spaces constant text := E' \u00A0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008'
    '\u2009\u200A\u202F\u205F\u3000';
  v_name text := btrim(
    regexp_replace(
      -- The first 1,000 characters are enough for a name; the value can be of any length.
      left(clean_name.value, 1000),
      '[' || chat_private.shapeless_characters() || ']', '', 'g'
    ),
    c_spaces
  );
begin
  if chat_private.is_blank(v_name) or v_name ~ '[^[:space:]@]@[^[:space:]@]+\.[^[:space:]@]' then
    return null;
  end if;
  return nullif(rtrim(chat_private.cut_line(v_name, 80), c_spaces || E'\u200C'), '');
end;
$$;

comment on function chat_private.clean_name(text) is
  $$Make a display name of a text.

Args:
  value: anything, of any length.

Returns:
  At most 80 characters; null where it shows nothing or holds an e-mail address.$$;

revoke execute on function chat_private.clean_name(text) from public, anon, authenticated;

-- The keys that apps ask for at sign-up, and those that Supabase Auth fills from providers: GitHub
-- and X have user_name and preferred_username, Kakao preferred_username, Twitch and Facebook
-- nickname and slug, Discord its global_name. It must never fail the sign-up.
create function chat_private.name_from_metadata(metadata jsonb)
returns text
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  v_data jsonb := name_from_metadata.metadata;
begin
  return coalesce(
    chat_private.clean_name(v_data ->> 'display_name'),
    chat_private.clean_name(v_data ->> 'full_name'),
    chat_private.clean_name(v_data ->> 'name'),
    chat_private.clean_name(concat_ws(
      ' ', chat_private.clean_name(v_data ->> 'given_name'),
      chat_private.clean_name(v_data ->> 'family_name')
    )),
    chat_private.clean_name(concat_ws(
      ' ', chat_private.clean_name(v_data ->> 'first_name'),
      chat_private.clean_name(v_data ->> 'last_name')
    )),
    chat_private.clean_name(v_data ->> 'user_name'),
    chat_private.clean_name(v_data ->> 'preferred_username'),
    chat_private.clean_name(v_data ->> 'nickname'),
    chat_private.clean_name(v_data ->> 'username'),
    chat_private.clean_name(v_data ->> 'slug'),
    chat_private.clean_name(v_data #>> '{custom_claims,global_name}'),
    'New member'
  );
end;
$$;

comment on function chat_private.name_from_metadata(jsonb) is
  $$Make a display name of what a sign-up sent; never fails.

Args:
  metadata: raw_user_meta_data of the account.

Returns:
  The first that shows something and is no e-mail address: display_name, full_name, name,
  given_name with family_name, first_name with last_name, user_name, preferred_username, nickname,
  username, slug, custom_claims.global_name; else New member.$$;

revoke execute on function chat_private.name_from_metadata(jsonb) from public, anon, authenticated;

create function chat_private.open_account(user_id uuid, metadata jsonb)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  c_default constant uuid := '00000000-0000-0000-0000-000000000001';
begin
  if exists (select from chat.profiles as p where p.user_id = open_account.user_id and p.is_bot) then
    raise exception using
      errcode = 'PT403',
      message = 'not_allowed',
      detail = format('The id %s belongs to a bot.', open_account.user_id),
      hint = 'Create the account with another id.';
  end if;

  insert into chat.profiles (user_id, display_name)
  values (open_account.user_id, chat_private.name_from_metadata(open_account.metadata))
  on conflict on constraint profiles_pkey do nothing;

  insert into chat_private.user_streams (user_id)
  values (open_account.user_id)
  on conflict on constraint user_streams_pkey do nothing;

  -- The share lock lets sign-ups pass each other, and waits for a ban that is being written.
  perform
  from chat.tenants as t, chat_private.settings as s
  where t.tenant_id = c_default and s.new_users_join_default_tenant
  for share of t;
  if found and not chat_private.is_banned_from_tenant(c_default, open_account.user_id) then
    insert into chat.tenant_members (tenant_id, user_id)
    values (c_default, open_account.user_id)
    on conflict on constraint tenant_members_pkey do nothing;
  end if;
end;
$$;

comment on function chat_private.open_account(uuid, jsonb) is
  $$Give an account its profile, its stream and, unless it is banned, its place in the default tenant.

Raises:
  not_allowed: a bot has this id, and nobody may sign in as it.$$;

revoke execute on function chat_private.open_account(uuid, jsonb) from public, anon, authenticated;

-- Parley may come into a project that has people already. They are opened in portions, because one
-- statement over all of auth.users takes minutes where there are many, and a hosted project stops it.
create table chat_private.account_opening (
  only_row boolean primary key default true,
  after uuid not null default '00000000-0000-0000-0000-000000000000',
  constraint there_is_one_row check (only_row)
);

comment on table chat_private.account_opening is
  'How far the opening of accounts from before Parley got; there is no row when all are open.';

create function chat_private.open_accounts(most integer)
returns integer
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_after uuid;
  v_user record;
  v_opened integer := 0;
begin
  select o.after into v_after
  from chat_private.account_opening as o
  for update skip locked;
  if not found then
    return 0;
  end if;
  for v_user in
    select u.id, u.raw_user_meta_data as metadata
    from auth.users as u
    where u.id > v_after
      and u.deleted_at is null
      and not exists (select from chat.profiles as p where p.user_id = u.id)
    order by u.id
    limit open_accounts.most
    -- An account that is being deleted is left alone, and none is deleted while it is opened.
    for key share of u skip locked
  loop
    perform chat_private.open_account(v_user.id, v_user.metadata);
    v_after := v_user.id;
    v_opened := v_opened + 1;
  end loop;
  if v_opened = open_accounts.most then
    update chat_private.account_opening as o
    set after = v_after;
  elsif exists (
    select
    from auth.users as u
    where u.deleted_at is null
      and not exists (select from chat.profiles as p where p.user_id = u.id)
  ) then
    -- Somebody had locked one of them: the next call begins anew.
    update chat_private.account_opening as o
    set after = default;
  else
    delete from chat_private.account_opening;
  end if;
  return v_opened;
end;
$$;

comment on function chat_private.open_accounts(integer) is
  $$Open accounts that people had before Parley came.

Args:
  most: how many at most.

Returns:
  How many; 0 when all are open.$$;

revoke execute on function chat_private.open_accounts(integer) from public, anon, authenticated;

create function chat_private.tg_users__open_account()
returns trigger
language plpgsql
volatile
-- definer: the auth service signs people up and has no rights here
security definer
set search_path = '', pg_temp
as $$
begin
  perform chat_private.open_account(new.id, new.raw_user_meta_data);
  return new;
end;
$$;

revoke execute on function chat_private.tg_users__open_account() from public, anon, authenticated;

-- From the moment an account is closed, every function refuses it. Maintenance takes it out of its
-- rooms afterwards, each with a numbered step.
create function chat_private.close_account(user_id uuid)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  perform chat_private.close_directs_of(close_account.user_id);
  -- The stream comes after rooms and before the profile, because profiles are always locked last. With
  -- the new epoch, sockets that are still open hear nothing more: later steps go to a topic that this
  -- person may not join any more.
  update chat_private.user_streams as s
  set epoch = s.epoch + 1
  where s.user_id = close_account.user_id;
  update chat.profiles as p
  set closed_at = clock_timestamp(), avatar_path = null, metadata = '{}'
  where p.user_id = close_account.user_id and p.closed_at is null;
  if found then
    perform chat_private.record_audit('account_closed', null, null, close_account.user_id);
  end if;
end;
$$;

comment on function chat_private.close_account(uuid) is
  'Close an account, and make of its profile a tombstone that keeps the name.';

revoke execute on function chat_private.close_account(uuid) from public, anon, authenticated;

-- Accounts are deleted in the dashboard or through the Auth API, which call no function of ours.
create function chat_private.tg_users__close_account()
returns trigger
language plpgsql
volatile
-- definer: the auth service deletes people and has no rights here
security definer
set search_path = '', pg_temp
as $$
begin
  perform chat_private.close_account(old.id);
  return case tg_op when 'DELETE' then old else new end;
end;
$$;

revoke execute on function chat_private.tg_users__close_account() from public, anon, authenticated;

alter table chat.profiles enable row level security;

create policy "people who share a tenant read each other" on chat.profiles
  for select to authenticated
  using (user_id = (select auth.uid()) or chat_private.shares_tenant(user_id));

grant select on chat.profiles to authenticated, service_role;
