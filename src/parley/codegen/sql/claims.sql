-- The checks of tables that bound a size or a number, for every way to write a row.
select
  c.conrelid::regclass::text as relation,
  c.conname as name,
  pg_catalog.pg_get_constraintdef(c.oid, true) as definition
from pg_catalog.pg_constraint as c
where c.connamespace = 'chat'::regnamespace
  and c.contype = 'c'
  and pg_catalog.pg_get_constraintdef(c.oid) ~ '\d'
order by 1, 2
