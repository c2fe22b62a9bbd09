-- probe_prepare
-- The statements of probe_read, once for each connection. Parsing and planning them again would cost
-- more than all the rest of a join.
-- (An attempt that was cancelled may have left some.)
deallocate all;
-- One row per extension that is asked about. The transaction is rolled back, so nobody sees them.
prepare probe_rows (text, uuid[], text[]) as
insert into realtime.messages (id, topic, extension, inserted_at, updated_at)
select
  probe.id,
  $1,
  probe.extension,
  now() at time zone 'utc',
  now() at time zone 'utc'
from unnest($2, $3) as probe (id, extension);
-- For the rest of the transaction, take on the caller's role and the settings that policies read.
prepare take_on (text, text, text, text, text) as
select
  pg_catalog.set_config('role', $1, true),
  pg_catalog.set_config('realtime.topic', $2, true),
  pg_catalog.set_config('request.jwt.claims', $3, true),
  pg_catalog.set_config('request.jwt.claim.sub', $4, true),
  pg_catalog.set_config('request.jwt.claim.role', $1, true),
  pg_catalog.set_config('request.headers', $5, true);
-- The probe rows that the caller's `select` policies let through. There are two extensions. With an
-- array Postgres would take the general plan for dearer, and plan again each time.
prepare probe_read (uuid, uuid) as
select message.id from realtime.messages as message where message.id in ($1, $2);
