-- For the rest of the transaction, take on the caller's role and the settings that policies read.
select
  pg_catalog.set_config('role', %(role)s, true),
  pg_catalog.set_config('realtime.topic', %(topic)s, true),
  pg_catalog.set_config('request.jwt.claims', %(claims)s, true),
  pg_catalog.set_config('request.jwt.claim.sub', %(sub)s, true),
  pg_catalog.set_config('request.jwt.claim.role', %(role)s, true),
  pg_catalog.set_config('request.headers', %(headers)s, true);
