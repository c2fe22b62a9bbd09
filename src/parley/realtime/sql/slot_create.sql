-- The slot that keeps the WAL until it was dispatched; nothing happens when it is there already.
select pg_catalog.pg_create_logical_replication_slot(%(slot)s, 'pgoutput')
where not exists (
  select 1 from pg_catalog.pg_replication_slots as slot where slot.slot_name = %(slot)s
);
