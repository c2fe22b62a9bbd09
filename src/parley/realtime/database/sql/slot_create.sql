-- Make the slot that keeps the WAL until we have read it. This fails while another connection still
-- reads a slot of this name; the caller then tries again.
select pg_catalog.pg_create_logical_replication_slot(%(slot)s, 'pgoutput');
