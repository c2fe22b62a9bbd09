-- The slot's name, whether the slot can be used, and which of our publications exist. Slot names are
-- unique in the whole server, so the name contains the database's oid.
select
  %(prefix)s || '_' || database.oid as slot,
  exists (
    select 1
    from pg_catalog.pg_replication_slots as slot
    where
      slot.slot_name = %(prefix)s || '_' || database.oid
      and slot.wal_status is distinct from 'lost'
  ) as is_usable,
  array(
    select publication.pubname::text
    from pg_catalog.pg_publication as publication
    where publication.pubname = any(%(publications)s::text[])
    order by publication.pubname
  ) as publications
from pg_catalog.pg_database as database
where database.datname = pg_catalog.current_database();
