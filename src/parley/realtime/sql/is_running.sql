-- Whether others do not see the end of one of these transactions yet. Numbers wrap around: those up
-- to half a circle ahead are newer than all that have ended.
select exists (
  select
  from pg_catalog.unnest(%(xids)s::bigint[]) as asked (xid)
  cross join pg_catalog.pg_current_snapshot() as seen (snapshot)
  where (asked.xid - pg_catalog.pg_snapshot_xmax(seen.snapshot)::text::bigint) & 4294967295 < 2147483648
    or asked.xid in (
      select running.xid::text::bigint & 4294967295
      from pg_catalog.pg_snapshot_xip(seen.snapshot) as running (xid)
    )
) as is_running;
