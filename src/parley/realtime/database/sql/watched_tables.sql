-- The tables of the publication that an entry names, with the columns its role may read: their types
-- and, of the operators that match patterns, those that the type has.
select
  published.schemaname::text as schema,
  published.tablename::text as table,
  coalesce(
    (
      select pg_catalog.jsonb_object_agg(
        attribute.attname,
        pg_catalog.jsonb_build_object(
          'type', attribute.atttypid::pg_catalog.regtype,
          'patterns', array(
            select operator.oprname
            from pg_catalog.pg_operator as operator
            where
              operator.oprleft = attribute.atttypid
              and (
                operator.oprname = '~~'
                or operator.oprname in ('~', '~*') and operator.oprright = attribute.atttypid
              )
          )
        )
      )
      from pg_catalog.pg_attribute as attribute
      where
        attribute.attrelid = class.oid
        and attribute.attnum > 0
        and not attribute.attisdropped
        and pg_catalog.has_column_privilege(%(role)s, class.oid, attribute.attnum, 'SELECT')
    ),
    '{}'
  ) as columns
from pg_catalog.pg_publication_tables as published
join pg_catalog.pg_namespace as namespace
  on namespace.nspname = published.schemaname
join pg_catalog.pg_class as class
  on class.relname = published.tablename and class.relnamespace = namespace.oid
where
  published.pubname = 'supabase_realtime'
  and published.schemaname::text like case %(schema)s when '*' then '%%' else %(schema)s end escape ''
  and published.tablename::text like case %(table)s when '*' then '%%' else %(table)s end escape '';
