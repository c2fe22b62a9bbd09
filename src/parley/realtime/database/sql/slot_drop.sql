-- Drop a slot of this name that nobody reads. It would begin with old WAL that is not needed.
select pg_catalog.pg_drop_replication_slot(slot.slot_name)
from pg_catalog.pg_replication_slots as slot
where slot.slot_name = %(slot)s and not slot.active;
