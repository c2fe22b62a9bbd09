select 1 from pg_catalog.pg_replication_slots as slot where slot.slot_name = %(slot)s;
