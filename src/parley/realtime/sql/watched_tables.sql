-- The tables of the publication that an entry names, with the columns its role may read.
select
  published.schemaname::text as schema,
  published.tablename::text as table,
  array(
    select attribute.attname::text
    from pg_catalog.pg_attribute as attribute
    where
      attribute.attrelid = class.oid
      and attribute.attnum > 0
      and not attribute.attisdropped
      and pg_catalog.has_column_privilege(
        %(role)s, class.oid, attribute.attnum, 'SELECT'
      )
  ) as columns
from pg_catalog.pg_publication_tables as published
join pg_catalog.pg_namespace as namespace
  on namespace.nspname = published.schemaname
join pg_catalog.pg_class as class
  on class.relname = published.tablename and class.relnamespace = namespace.oid
where
  published.pubname = 'supabase_realtime'
  and (%(schema)s = '*' or published.schemaname = %(schema)s)
  and (%(table)s = '*' or published.tablename = %(table)s);
