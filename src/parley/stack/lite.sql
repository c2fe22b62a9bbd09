-- Gives the objects that lite made at its first start to the roles that own them on a hosted project,
-- and creates the role that lite runs as. Runs once, as supabase_admin, after lite has been started
-- once as supabase_admin.

grant usage on schema auth to anon, authenticated, service_role, postgres, dashboard_user;
grant all on schema auth to supabase_auth_admin;
grant usage on schema storage
  to supabase_storage_admin, anon, authenticated, service_role, dashboard_user;
grant usage on schema storage to postgres with grant option;

do $$
declare
  v_object record;
begin
  for v_object in
    select oid::regclass::text as name, relnamespace::regnamespace::text as place
    from pg_catalog.pg_class
    where relnamespace in ('auth'::regnamespace, 'storage'::regnamespace) and relkind = 'r'
  loop
    execute format('alter table %s owner to supabase_%s_admin', v_object.name, v_object.place);
  end loop;
  for v_object in
    select oid::regprocedure::text as name, pronamespace::regnamespace::text as place
    from pg_catalog.pg_proc
    where pronamespace in ('auth'::regnamespace, 'storage'::regnamespace)
  loop
    execute format('alter function %s owner to supabase_%s_admin', v_object.name, v_object.place);
  end loop;
end
$$;

grant all on all tables in schema auth to postgres, dashboard_user;
grant all on all tables in schema storage to anon, authenticated, service_role;
grant all on all tables in schema storage to postgres with grant option;

-- lite's own versions read only the setting that lite makes. These read the claims as well, as the
-- hosted ones do. lite tries to put its own back at every start and, not being their owner, is
-- refused and goes on.
create or replace function auth.uid()
returns uuid
language sql
stable
as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.sub', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'
  )::uuid
$$;

create or replace function auth.role()
returns text
language sql
stable
as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.role', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role'
  )
$$;

create or replace function auth.email()
returns text
language sql
stable
as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.email', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email'
  )
$$;

create or replace function auth.jwt()
returns jsonb
language sql
stable
as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')
  )::jsonb
$$;

-- As on a hosted project, only the Storage API deletes rows of storage, because a file without its row
-- would be lost. Its deletes come from the session of lite, which either acts as itself or has set
-- storage.operation; requests to REST do neither. Hosted Storage sets storage.allow_delete_query.
create function storage.protect_delete()
returns trigger
language plpgsql
as $$
begin
  if coalesce(current_setting('storage.allow_delete_query', true), 'false') <> 'true'
    and not (
      session_user = 'lite_rest'
      and (
        current_user = 'lite_rest' or coalesce(current_setting('storage.operation', true), '') <> ''
      )
    )
  then
    raise exception
      'Direct deletion from storage tables is not allowed. Use the Storage API instead.'
      using
        errcode = '42501',
        hint = 'This prevents accidental data loss from orphaned objects.';
  end if;
  return null;
end
$$;
alter function storage.protect_delete() owner to supabase_storage_admin;
create trigger protect_objects_delete before delete on storage.objects
  for each statement execute function storage.protect_delete();
create trigger protect_buckets_delete before delete on storage.buckets
  for each statement execute function storage.protect_delete();

-- Both the Supabase CLI, as postgres, and lite create and alter the table of applied migrations.
create role supabase_migrations_admin nologin;
alter schema supabase_migrations owner to supabase_migrations_admin;
alter table supabase_migrations.schema_migrations owner to supabase_migrations_admin;
alter table supabase_migrations.seed_files owner to supabase_migrations_admin;
grant supabase_migrations_admin to postgres with inherit true, set false;

-- The hosted platform lets postgres create policies on storage.objects through an extension of the
-- server. Here it is a member of the owner, which has nothing but usage on the schema.
grant supabase_storage_admin to postgres with inherit true, set false;

-- lite runs as this role. At its first request it grants everything in every schema with row level
-- security to the API roles; as somebody who owns nothing there and holds no grant option, it
-- grants nothing. It needs some privilege on every table it is to know about, also on those that do
-- not exist yet.
create role lite_rest login noinherit;
alter role lite_rest set statement_timeout = '8s';
alter role lite_rest set client_min_messages = error;
alter role lite_rest set search_path = "$user", public, extensions;
grant anon, authenticated, service_role to lite_rest;
grant supabase_storage_admin to lite_rest with inherit true, set false;
grant supabase_migrations_admin to lite_rest with inherit true, set false;
grant create on database postgres to lite_rest;
grant usage on schema auth, public, graphql_public, realtime to lite_rest;
grant select, insert, update, delete on all tables in schema auth to lite_rest;
grant references on all tables in schema realtime to lite_rest;
alter default privileges for role supabase_admin in schema realtime
  grant references on tables to lite_rest;
alter default privileges for role postgres grant usage on schemas to lite_rest;
alter default privileges for role postgres grant references on tables to lite_rest;
alter default privileges for role postgres grant select on sequences to lite_rest;
