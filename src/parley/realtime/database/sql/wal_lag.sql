select pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), %(position)s::pg_lsn) as lag;
