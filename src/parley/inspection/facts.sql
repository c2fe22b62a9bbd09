-- What a look at a database needs, in one row.
select
  current_setting('server_version_num')::integer / 10000 as major,
  clock_timestamp() as now,
  to_regnamespace('chat') is not null and to_regnamespace('chat_private') is not null
    as is_installed,
  array(
    select wanted.name
    from unnest('{unaccent,btree_gin,pgcrypto}'::text[]) as wanted (name)
    where not exists (select from pg_extension as e where e.extname = wanted.name)
  ) as missing_extensions,
  array(
    select split_part(setting.entry, '=', 2)
    from pg_db_role_setting as s
    join pg_roles as r on r.oid = s.setrole and r.rolname = 'authenticator'
    cross join unnest(s.setconfig) as setting (entry)
    where setting.entry like 'pgrst.db_schemas=%'
  ) as exposed,
  array(
    select c.relname::text
    from pg_class as c
    where c.relnamespace = to_regnamespace('chat') and c.relkind in ('r', 'p')
      and not c.relrowsecurity
    order by c.relname
  ) as tables_without_rls,
  array(
    select format('%s may %s on %s', granted.grantee, lower(granted.privilege_type), granted.table_name)
    from information_schema.role_table_grants as granted
    where granted.table_schema = 'chat'
      and granted.grantee in ('anon', 'authenticated', 'PUBLIC')
      and (granted.privilege_type in ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')
        or granted.grantee <> 'authenticated')
    order by 1
  ) as table_grants,
  array(
    select format('%s may call %s.%s', roles.name, n.nspname, p.proname)
    from pg_proc as p
    join pg_namespace as n on n.oid = p.pronamespace and n.nspname in ('chat', 'chat_private')
    cross join (values ('anon')) as roles (name)
    where has_function_privilege(roles.name, p.oid, 'execute')
    union all
    select format('%s may use the schema chat_private', roles.name)
    from (values ('anon'), ('authenticated')) as roles (name)
    where to_regnamespace('chat_private') is not null
      and has_schema_privilege(roles.name, 'chat_private', 'usage')
    order by 1
  ) as function_grants,
  array(
    select p.proname::text
    from pg_proc as p
    where p.pronamespace = to_regnamespace('chat')
      and (
        has_function_privilege('authenticated', p.oid, 'execute')
        or has_function_privilege('service_role', p.oid, 'execute')
      )
    order by p.proname
  ) as functions,
  (
    select count(*)::integer
    from pg_policies as p
    where p.schemaname = 'realtime'
      and p.tablename = 'messages'
      and coalesce(p.qual, '') || coalesce(p.with_check, '') ~ 'chat_private'
  ) as topic_policies,
  array(
    select to_char(day, 'YYYY_MM_DD')
    from generate_series(current_date, current_date + 1, interval '1 day') as day
    where to_regclass('realtime.messages_' || to_char(day, 'YYYY_MM_DD')) is null
  ) as missing_partitions,
  to_regclass('cron.job') is not null as has_cron
