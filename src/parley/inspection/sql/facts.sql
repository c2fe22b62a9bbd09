-- The facts that most checks of parley doctor need, in one row.
select
  current_setting('server_version') as version,
  clock_timestamp() as now,
  to_regnamespace('chat') is not null and to_regnamespace('chat_private') is not null
    as is_installed,
  array(
    select split_part(setting.entry, '=', 2)
    from pg_db_role_setting as s
    join pg_roles as r on r.oid = s.setrole and r.rolname = 'authenticator'
    cross join unnest(s.setconfig) as setting (entry)
    where setting.entry like 'pgrst.db_schemas=%'
  ) as exposed,
  array(
    select to_char(day, 'YYYY_MM_DD')
    from generate_series(current_date, current_date + 1, interval '1 day') as day
    where to_regclass('realtime.messages_' || to_char(day, 'YYYY_MM_DD')) is null
  ) as missing_partitions,
  coalesce(has_table_privilege(to_regclass('realtime.messages'), 'delete'), false)
    as may_delete_broadcasts,
  to_regclass('supabase_migrations.schema_migrations') is not null as has_history,
  to_regclass('cron.job') is not null as has_cron
