-- A slot of this name that nobody reads; it would start behind what is wanted.
select pg_catalog.pg_drop_replication_slot(slot.slot_name)
from pg_catalog.pg_replication_slots as slot
where slot.slot_name = %(slot)s and not slot.active;
