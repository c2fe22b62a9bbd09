-- The rule about content and what went wrong with it since yesterday, and the open reports.
select
  s.content_check,
  s.on_check_failure = 'refuse' as refuses,
  exists (
    select from pg_proc as p
    join pg_namespace as n on n.oid = p.pronamespace
    where format('%%I.%%I', n.nspname, p.proname) = s.content_check
      and oidvectortypes(p.proargtypes) = 'uuid, uuid, text, jsonb, jsonb'
      and p.prorettype = 'text'::regtype
      and not p.proretset
  ) as is_there,
  -- Statistics count inserts that were rolled back, too. They may have been reset meanwhile.
  greatest(
    counted.inserted - case when counted.inserted >= c.failures then c.failures else 0 end,
    (
      select count(*)
      from chat_private.failed_checks as f
      where f.failed_at > now() - interval '24 hours'
    )
  ) as failures,
  (
    select f.error
    from chat_private.failed_checks as f
    order by f.failed_at desc
    limit 1
  ) as last_error,
  slow.calls as slow_calls,
  slow.longest_ms,
  reports.open_reports,
  reports.oldest_hours
from chat_private.settings as s
cross join chat_private.check_counts as c
cross join lateral (
  select pg_stat_get_tuples_inserted('chat_private.failed_checks'::regclass) as inserted
) as counted
cross join lateral (
  select count(*) as calls, coalesce(max(k.milliseconds), 0) as longest_ms
  from chat_private.slow_checks as k
  where k.checked_at > now() - interval '24 hours'
) as slow
cross join lateral (
  select
    count(*) as open_reports,
    coalesce(extract(epoch from now() - min(r.created_at)) / 3600, 0)::integer as oldest_hours
  from chat.reports as r
  where r.resolved_at is null
) as reports
