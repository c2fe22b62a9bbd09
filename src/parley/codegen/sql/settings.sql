-- The settings that are numbers or times, with their defaults, their bounds and their comments.
select
  a.attname as name,
  coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid), '') as start,
  coalesce(pg_catalog.col_description(a.attrelid, a.attnum), '') as comment,
  coalesce(
    (
      select pg_catalog.string_agg(pg_catalog.pg_get_constraintdef(c.oid), ' and ' order by c.conname)
      from pg_catalog.pg_constraint as c
      where c.conrelid = a.attrelid and c.contype = 'c' and c.conkey = array[a.attnum]
    ),
    ''
  ) as checks
from pg_catalog.pg_attribute as a
left join pg_catalog.pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
where a.attrelid = 'chat_private.settings'::regclass
  and a.attgenerated = ''
  and a.attnum > 0
  and not a.attisdropped
  and a.atttypid in (
    'smallint'::regtype, 'integer'::regtype, 'bigint'::regtype, 'numeric'::regtype,
    'double precision'::regtype, 'interval'::regtype
  )
order by a.attnum
