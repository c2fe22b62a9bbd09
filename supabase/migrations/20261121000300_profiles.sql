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
  constraint display_name_is_a_line check (
    char_length(display_name) between 1 and 80
    and not chat_private.has_hidden_characters(display_name)
  ),
  constraint avatar_path_is_short check (char_length(avatar_path) <= 500),
  constraint label_is_a_word check (
    char_length(label) between 1 and 40 and not chat_private.has_hidden_characters(label)
  )
);

comment on table chat.profiles is 'What people who share a tenant see of each other.';
comment on column chat.profiles.label is 'Any word of the app: tourist, guide, support.';
comment on column chat.profiles.avatar_path is 'A path in storage, never a URL.';
comment on column chat.profiles.closed_at is 'When the account ended; the row stays for old messages.';

-- Maintenance looks for accounts that ended.
create index profiles_closed on chat.profiles (user_id) where closed_at is not null;

alter table chat.tenant_members
  add constraint tenant_members_user_id_fkey foreign key (user_id) references chat.profiles (user_id);

-- The second kind of numbered stream: one counter per person, for what is theirs alone.
create table chat_private.user_streams (
  user_id uuid primary key references chat.profiles (user_id),
  rev bigint not null default 0,
  epoch integer not null default 1,
  notification_seq bigint not null default 0,
  touched text[] not null default '{}'
) with (fillfactor = 70);

comment on table chat_private.user_streams is 'The head and epoch of each person''s own stream.';
comment on column chat_private.user_streams.epoch is
  'Part of the user topic; raised by every removal, so that old sockets and replays go silent.';
comment on column chat_private.user_streams.notification_seq is 'The seq of the newest notification.';
comment on column chat_private.user_streams.touched is 'The kinds of rows the newest number stamped.';

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
    where mine.user_id = auth.uid()
      and mine.removed_at is null
      and theirs.user_id = shares_tenant.user_id
  );
end;
$$;

comment on function chat_private.shares_tenant(uuid) is
  'Tell whether somebody is, or was, in a tenant of the caller.';

revoke execute on function chat_private.shares_tenant(uuid) from public, anon, authenticated;
grant execute on function chat_private.shares_tenant(uuid) to authenticated;

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
  v_me uuid := auth.uid();
begin
  if v_me is null or not exists (
    select from chat.profiles as p where p.user_id = v_me and p.closed_at is null
  ) then
    raise exception using
      errcode = 'PT401',
      message = 'sign_in_required',
      detail = 'This call needs the token of somebody with an open account.',
      hint = 'Sign in and send the access token.';
  end if;
  return v_me;
end;
$$;

comment on function chat_private.current_user_id() is
  $$Name the signed-in person.

Returns:
  Their user id.

Raises:
  sign_in_required: there is no token, it names nobody, or the account is closed.$$;

revoke execute on function chat_private.current_user_id() from public, anon, authenticated;

-- Metadata is typed by whoever signs up. It must neither fail the sign-up nor reach a list as is,
-- and the address is nobody else's business.
create function chat_private.name_from_metadata(metadata jsonb)
returns text
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  v_name text := coalesce(
    name_from_metadata.metadata ->> 'display_name',
    name_from_metadata.metadata ->> 'full_name',
    name_from_metadata.metadata ->> 'name',
    ''
  );
begin
  v_name := regexp_replace(
    v_name, '[\u0001-\u001F\u007F-\u009F\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069\uFEFF]', '', 'g'
  );
  v_name := btrim(left(btrim(v_name), 80));
  return case when chat_private.is_blank(v_name) then 'New member' else v_name end;
end;
$$;

comment on function chat_private.name_from_metadata(jsonb) is
  'Make a display name of what a sign-up sent; never fails.';

revoke execute on function chat_private.name_from_metadata(jsonb) from public, anon, authenticated;

create function chat_private.open_account(user_id uuid, metadata jsonb)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  insert into chat.profiles (user_id, display_name)
  values (open_account.user_id, chat_private.name_from_metadata(open_account.metadata))
  on conflict on constraint profiles_pkey do nothing;

  insert into chat_private.user_streams (user_id)
  values (open_account.user_id)
  on conflict on constraint user_streams_pkey do nothing;

  insert into chat.tenant_members (tenant_id, user_id)
  select '00000000-0000-0000-0000-000000000001', open_account.user_id
  from chat_private.settings as s
  where s.new_users_join_default_tenant
  on conflict on constraint tenant_members_pkey do nothing;
end;
$$;

comment on function chat_private.open_account(uuid, jsonb) is
  'Give an account its profile, its stream and its place in the default tenant.';

revoke execute on function chat_private.open_account(uuid, jsonb) from public, anon, authenticated;

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

create trigger _100_open_account after insert on auth.users
  for each row execute function chat_private.tg_users__open_account();

-- Accounts end in the dashboard or through the Auth API, where no function of ours is asked. The
-- trigger only closes the account, which is the fence: from then on every function refuses it.
-- Maintenance leaves its rooms afterwards, one numbered step at a time.
create function chat_private.tg_users__close_account()
returns trigger
language plpgsql
volatile
-- definer: the auth service deletes people and has no rights here
security definer
set search_path = '', pg_temp
as $$
begin
  update chat.profiles as p
  set closed_at = clock_timestamp(), avatar_path = null
  where p.user_id = old.id and p.closed_at is null;
  -- Open sockets go silent: what follows is sent to a topic that nobody may join.
  update chat_private.user_streams as s set epoch = s.epoch + 1 where s.user_id = old.id;
  return case tg_op when 'DELETE' then old else new end;
end;
$$;

revoke execute on function chat_private.tg_users__close_account() from public, anon, authenticated;

create trigger _100_close_account before delete on auth.users
  for each row execute function chat_private.tg_users__close_account();

-- The Auth API can also delete softly: it marks the row and keeps it.
create trigger _200_close_account before update of deleted_at on auth.users
  for each row when (new.deleted_at is not null and old.deleted_at is null)
  execute function chat_private.tg_users__close_account();

-- Parley may be installed into a project that already has people.
select chat_private.open_account(u.id, u.raw_user_meta_data) from auth.users as u;

alter table chat.profiles enable row level security;

create policy "people who share a tenant read each other" on chat.profiles
  for select to authenticated
  using (user_id = (select auth.uid()) or chat_private.shares_tenant(user_id));

grant select on chat.profiles to authenticated, service_role;
