-- What Supabase gives a project before its first migration: roles, extensions, default grants and
-- Realtime. Runs once, as the superuser supabase_admin on the database postgres of a new cluster.
-- The roles and their attributes are those of supabase/postgres 17; where they differ, the reason
-- is given.

-- Roles that stand for a request. Nobody logs in as one of them.
create role anon nologin;
create role authenticated nologin;
create role service_role nologin bypassrls;
create role authenticator login noinherit;
grant anon, authenticated, service_role to authenticator;

alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';
alter role authenticator set statement_timeout = '8s';
alter role authenticator set lock_timeout = '8s';
alter role authenticator set search_path = "$user", public, extensions;

-- Roles of the services.
create role supabase_auth_admin login noinherit;
create role supabase_storage_admin login noinherit createrole;
create role supabase_realtime_admin nologin noinherit;
create role supabase_replication_admin login replication;
create role supabase_etl_admin login replication bypassrls;
create role supabase_read_only_user login bypassrls;
create role supabase_functions_admin login noinherit createrole;
create role dashboard_user nologin createdb createrole replication;
create role pgbouncer login;
grant authenticator to supabase_storage_admin;
grant anon, authenticated, service_role to supabase_realtime_admin;
grant pg_read_all_data to supabase_etl_admin, supabase_read_only_user;
alter role supabase_auth_admin set search_path = auth;
alter role supabase_auth_admin set idle_in_transaction_session_timeout = '60s';
alter role supabase_storage_admin set search_path = storage;

-- The role of the developer and of every migration: powerful, and not a superuser.
create role postgres login createdb createrole replication bypassrls;
grant anon, authenticated, service_role, authenticator to postgres with admin option;
grant pg_monitor, pg_read_all_data, pg_signal_backend to postgres with admin option;
grant pg_create_subscription to postgres;
alter role postgres set search_path = "$user", public, extensions;
alter role supabase_admin set search_path = "$user", public, auth, extensions;

-- Migrations of projects configure PostgREST by "alter role authenticator set pgrst.…". The hosted
-- platform lets postgres do that through an extension of the server; by itself Postgres leaves
-- settings that it does not know to the superuser.
grant set on parameter
  pgrst.db_aggregates_enabled, pgrst.db_extra_search_path, pgrst.db_hoisted_tx_settings,
  pgrst.db_max_rows, pgrst.db_plan_enabled, pgrst.db_pre_request, pgrst.db_root_spec,
  pgrst.db_schemas, pgrst.db_tx_end, pgrst.openapi_mode, pgrst.openapi_security_active,
  pgrst.server_cors_allowed_origins, pgrst.server_timing_enabled, pgrst.server_trace_header
  to postgres;

alter database postgres owner to postgres;
grant all on database postgres to postgres, dashboard_user;
grant create on database postgres to supabase_auth_admin, supabase_storage_admin;

-- The extensions that every project has, out of the way of the API.
create schema extensions;
grant usage on schema extensions to anon, authenticated, service_role;
grant all on schema extensions to postgres, dashboard_user;
create extension pgcrypto with schema extensions;
create extension "uuid-ossp" with schema extensions;
create extension pg_stat_statements with schema extensions;
grant all on all tables in schema extensions to postgres, dashboard_user;
grant all on all routines in schema extensions to postgres, dashboard_user;

-- The default grants of a project. They let anon call every function that postgres creates in public,
-- so tests notice a forgotten revoke here as well.
grant usage on schema public to postgres, anon, authenticated, service_role;
alter default privileges for role postgres, supabase_admin in schema public
  grant all on tables to postgres, anon, authenticated, service_role;
alter default privileges for role postgres, supabase_admin in schema public
  grant all on sequences to postgres, anon, authenticated, service_role;
alter default privileges for role postgres, supabase_admin in schema public
  grant all on functions to postgres, anon, authenticated, service_role;
alter default privileges for role supabase_admin in schema extensions
  grant all on tables to postgres with grant option;
alter default privileges for role supabase_admin in schema extensions
  grant all on sequences to postgres with grant option;
alter default privileges for role supabase_admin in schema extensions
  grant all on functions to postgres with grant option;

create schema graphql_public;
grant usage on schema graphql_public to postgres, anon, authenticated, service_role;

-- Realtime. Everything in this schema belongs to supabase_realtime_admin, and since July 2026 postgres
-- is not a member of that role. It has the grants below, and may create policies (see
-- _realtime.lend_policies).
create schema realtime;
grant usage on schema realtime to anon, authenticated, service_role;
grant usage on schema realtime to postgres with grant option;
grant all on schema realtime to supabase_realtime_admin with grant option;
alter default privileges for role supabase_admin in schema realtime
  grant all on tables to postgres, dashboard_user;
alter default privileges for role supabase_admin in schema realtime
  grant all on sequences to postgres, dashboard_user;
alter default privileges for role supabase_admin in schema realtime
  grant all on routines to postgres, dashboard_user;

create table realtime.messages (
  topic text not null,
  extension text not null,
  payload jsonb,
  event text,
  private boolean default false,
  updated_at timestamp without time zone not null default now(),
  inserted_at timestamp without time zone not null default now(),
  id uuid not null default gen_random_uuid(),
  binary_payload bytea,
  constraint messages_pkey primary key (id, inserted_at)
) partition by range (inserted_at);

alter table realtime.messages
  add constraint messages_payload_exclusive
  check (payload is null or binary_payload is null) not valid;
create index messages_inserted_at_topic_index on realtime.messages (inserted_at desc, topic)
  where extension = 'broadcast' and private is true;
alter table realtime.messages owner to supabase_realtime_admin;
alter table realtime.messages enable row level security;
grant select, insert, update on realtime.messages to anon, authenticated, service_role;

create function realtime.topic()
returns text
language sql
stable
as $$ select nullif(current_setting('realtime.topic', true), '') $$;

-- As in the original, a failure to send is only a warning, and the topic stays set for the rest of the
-- transaction.
create function realtime.send(payload jsonb, event text, topic text, private boolean default true)
returns void
language plpgsql
volatile
as $$
declare
  v_id uuid := gen_random_uuid();
begin
  execute format('set local realtime.topic to %L', send.topic);
  insert into realtime.messages (id, payload, event, topic, private, extension)
  values (
    v_id,
    case
      when send.payload ? 'id' then send.payload
      else jsonb_set(send.payload, '{id}', to_jsonb(v_id))
    end,
    send.event, send.topic, send.private, 'broadcast'
  );
exception
  when others then
    raise warning 'WarnSendingBroadcastMessage: %', sqlerrm;
end
$$;

create function realtime.send_binary(
  payload bytea,
  event text,
  topic text,
  private boolean default true
)
returns void
language plpgsql
volatile
as $$
begin
  execute format('set local realtime.topic to %L', send_binary.topic);
  insert into realtime.messages (binary_payload, event, topic, private, extension)
  values (
    send_binary.payload, send_binary.event, send_binary.topic, send_binary.private, 'broadcast'
  );
exception
  when others then
    raise warning 'WarnSendingBroadcastMessage: %', sqlerrm;
end
$$;

create function realtime.broadcast_changes(
  topic_name text,
  event_name text,
  operation text,
  table_name text,
  table_schema text,
  new record,
  old record,
  level text default 'ROW'
)
returns void
language plpgsql
volatile
as $$
begin
  if level = 'STATEMENT' then
    raise exception 'function can only be triggered for each row, not for each statement';
  end if;
  if operation not in ('INSERT', 'UPDATE', 'DELETE') then
    raise exception 'Unexpected operation type: %', operation;
  end if;
  perform realtime.send(
    jsonb_build_object(
      'old_record', old,
      'record', new,
      'operation', operation,
      'table', table_name,
      'schema', table_schema
    ),
    event_name,
    topic_name
  );
exception
  when others then
    raise exception 'Failed to process the row: %', sqlerrm;
end
$$;

alter function realtime.topic() owner to supabase_realtime_admin;
alter function realtime.send(jsonb, text, text, boolean) owner to supabase_realtime_admin;
alter function realtime.send_binary(bytea, text, text, boolean) owner to supabase_realtime_admin;
alter function realtime.broadcast_changes(text, text, text, text, text, record, record, text)
  owner to supabase_realtime_admin;

create publication supabase_realtime_messages_publication for table realtime.messages;
create publication supabase_realtime;
alter publication supabase_realtime owner to postgres;

-- Objects of the Realtime server alone. API roles and migrations have no rights here.
create schema _realtime;

-- Lets postgres create, alter and drop policies on realtime.messages, and nothing else that needs an
-- owner.
-- The hosted platform does it with an extension of the server. Here postgres is a member of the owner
-- from the start of such a command to its end. No other statement runs in between, and other sessions
-- never see the membership, because it is taken back in the same transaction. As on the hosted
-- platform, that does not include policies on partitions, nor renaming a policy.
create function _realtime.lend_policies()
returns event_trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_names constant text := (
    select pg_catalog.string_agg(policy.polname, ',' order by policy.oid)
    from pg_catalog.pg_policy as policy
    where policy.polrelid = 'realtime.messages'::pg_catalog.regclass
  );
  v_refused text;
begin
  if tg_event = 'ddl_command_start' then
    grant supabase_realtime_admin to postgres with inherit true, set false;
    perform pg_catalog.set_config('_realtime.policies', coalesce(v_names, ''), true);
    return;
  end if;
  if tg_event = 'sql_drop' then
    v_refused := (
      select min(dropped.address_names[2])
      from pg_catalog.pg_event_trigger_dropped_objects() as dropped
      where
        dropped.object_type = 'policy'
        and dropped.address_names[1] = 'realtime'
        and dropped.address_names[2] <> 'messages'
    );
  else
    revoke supabase_realtime_admin from postgres;
    v_refused := (
      select min(class.relname)
      from pg_catalog.pg_event_trigger_ddl_commands() as command
      join pg_catalog.pg_policy as policy on policy.oid = command.objid
      join pg_catalog.pg_class as class on class.oid = policy.polrelid
      where
        command.object_type = 'policy'
        and class.relnamespace = 'realtime'::pg_catalog.regnamespace
        and (
          class.relname <> 'messages'
          or tg_tag = 'ALTER POLICY'
          and v_names <> pg_catalog.current_setting('_realtime.policies')
        )
    );
  end if;
  if v_refused is not null then
    raise insufficient_privilege using message = format('must be owner of table %s', v_refused);
  end if;
end
$$;

create event trigger realtime_lends_policies on ddl_command_start
  when tag in ('CREATE POLICY', 'ALTER POLICY', 'DROP POLICY')
  execute function _realtime.lend_policies();
create event trigger realtime_checks_dropped_policies on sql_drop
  when tag in ('DROP POLICY')
  execute function _realtime.lend_policies();
create event trigger realtime_takes_policies_back on ddl_command_end
  when tag in ('CREATE POLICY', 'ALTER POLICY', 'DROP POLICY')
  execute function _realtime.lend_policies();

-- Keep a partition per UTC day from yesterday to three days ahead and drop those of more than 72
-- hours ago. Called when the stack starts and by Realtime's janitor. The lock timeout is there
-- because a partition waiting for its lock makes every broadcast wait behind it.
create function _realtime.keep_partitions()
returns void
language plpgsql
volatile
set search_path = ''
set lock_timeout = '2s'
as $$
declare
  v_now constant timestamp := now() at time zone 'utc';
  v_day date;
  v_name text;
begin
  for v_day in select v_now::date + step from generate_series(-1, 3) as step loop
    v_name := to_char(v_day, '"messages_"YYYY_MM_DD');
    if to_regclass('realtime.' || v_name) is null then
      execute format(
        'create table realtime.%I partition of realtime.messages for values from (%L) to (%L)',
        v_name, v_day, v_day + 1
      );
      execute format('alter table realtime.%I owner to supabase_realtime_admin', v_name);
    end if;
  end loop;
  for v_name in
    select child.relname
    from pg_catalog.pg_inherits as link
    join pg_catalog.pg_class as child on child.oid = link.inhrelid
    where link.inhparent = 'realtime.messages'::regclass
      and child.relname ~ '^messages_\d{4}_\d{2}_\d{2}$'
      and to_date(substr(child.relname, 10), 'YYYY_MM_DD') < (v_now - interval '72 hours')::date
  loop
    execute format('drop table realtime.%I', v_name);
  end loop;
end
$$;
revoke execute on function _realtime.keep_partitions() from public;

select _realtime.keep_partitions();

-- PostgREST reads the schema again after a notification on the channel pgrst. As in a hosted project,
-- every change of the schema sends one. Temporary objects do not count.
create function extensions.pgrst_ddl_watch()
returns event_trigger
language plpgsql
as $$
begin
  if exists (
    select from pg_event_trigger_ddl_commands() as c
    where c.schema_name is distinct from 'pg_temp'
  ) then
    notify pgrst, 'reload schema';
  end if;
end
$$;
create function extensions.pgrst_drop_watch()
returns event_trigger
language plpgsql
as $$
begin
  if exists (select from pg_event_trigger_dropped_objects() as d where not d.is_temporary) then
    notify pgrst, 'reload schema';
  end if;
end
$$;
create event trigger pgrst_ddl_watch on ddl_command_end
  execute function extensions.pgrst_ddl_watch();
create event trigger pgrst_drop_watch on sql_drop
  execute function extensions.pgrst_drop_watch();
