-- Columns, with what reading and writing them needs. %(role)s is the role whose rights decide. Where it may
-- read no column at all, of a composite type or a table for servers, others read the rows and all columns stay.
select
  a.attrelid as relation,
  a.attname as name,
  a.atttypid as type,
  a.attnotnull as not_null,
  a.atthasdef or a.attidentity <> '' as has_default,
  a.attgenerated <> '' or a.attidentity = 'a' as is_generated,
  coalesce(pg_catalog.col_description(a.attrelid, a.attnum), '') as comment,
  pg_catalog.has_column_privilege(%(role)s, a.attrelid, a.attnum, 'select')
    or not pg_catalog.has_any_column_privilege(%(role)s, a.attrelid, 'select') as may_read,
  pg_catalog.pg_relation_is_updatable(c.oid, true) & 8 <> 0
    and pg_catalog.has_column_privilege(%(role)s, a.attrelid, a.attnum, 'insert') as may_insert,
  pg_catalog.pg_relation_is_updatable(c.oid, true) & 4 <> 0
    and pg_catalog.has_column_privilege(%(role)s, a.attrelid, a.attnum, 'update') as may_update,
  array(
    select pg_catalog.pg_get_constraintdef(k.oid) from pg_catalog.pg_constraint as k
    where k.conrelid = a.attrelid
      and k.contype = 'c'
      and k.convalidated
      and k.conkey = array[a.attnum]
    order by k.conname
  ) as checks
from pg_catalog.pg_attribute as a
join pg_catalog.pg_class as c on c.oid = a.attrelid
join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
where a.attnum > 0
  and not a.attisdropped
  and c.relkind in ('r', 'p', 'v', 'm', 'f', 'c')
  and not c.relispartition
  and n.nspname not in ('pg_catalog', 'information_schema')
order by a.attrelid, a.attnum
