-- Whether other transactions do not see one of these as committed yet. Transaction numbers have 32
-- bits and wrap around, so a number that is less than 2^31 ahead of the snapshot's end is newer.
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
