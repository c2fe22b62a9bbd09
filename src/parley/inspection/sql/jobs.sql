-- The scheduled jobs that call Parley's maintenance, and what became of their last run.
select
  coalesce(j.jobname, j.jobid::text) as name,
  j.active as is_active,
  coalesce(d.status = 'failed', false) as has_failed,
  coalesce(d.return_message, '') as said
from cron.job as j
left join lateral (
  select r.status, r.return_message
  from cron.job_run_details as r
  where r.jobid = j.jobid
  order by r.start_time desc
  limit 1
) as d on true
where j.command ~ '\mchat(_private)?\.run_maintenance\M'
order by 1
