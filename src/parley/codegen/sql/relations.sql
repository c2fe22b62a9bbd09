-- Tables, views and composite types. A partition is part of its table and not listed.
select
  c.oid,
  n.nspname as schema,
  c.relname as name,
  c.relkind::text as kind,
  coalesce(pg_catalog.obj_description(c.oid, 'pg_class'), '') as comment
from pg_catalog.pg_class as c
join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'f', 'c')
  and not c.relispartition
  and n.nspname not in ('pg_catalog', 'information_schema')
order by n.nspname, c.relname
