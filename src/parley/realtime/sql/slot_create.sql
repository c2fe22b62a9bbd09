-- The slot that keeps the WAL until it was dispatched. An error when somebody still reads one of
-- this name: it would start behind what is wanted.
select pg_catalog.pg_create_logical_replication_slot(%(slot)s, 'pgoutput');
