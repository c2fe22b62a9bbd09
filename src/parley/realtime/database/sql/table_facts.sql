-- What is needed to show a change of a table: its columns with their types, its primary key, the
-- roles that may read each column, and whether row level security is on.
select
  class.relrowsecurity as has_policies,
  attribute.attname::text as name,
  type.typname::text as type,
  attribute.attnum = any(coalesce(key.conkey, '{}')) as is_key,
  array(
    select role.rolname::text
    from pg_catalog.pg_roles as role
    where
      role.rolname = any(%(roles)s::text[])
      and pg_catalog.has_column_privilege(role.oid, class.oid, attribute.attnum, 'SELECT')
  ) as readers
from pg_catalog.pg_class as class
join pg_catalog.pg_attribute as attribute on attribute.attrelid = class.oid
join pg_catalog.pg_type as type on type.oid = attribute.atttypid
left join pg_catalog.pg_constraint as key on key.conrelid = class.oid and key.contype = 'p'
where
  class.oid = %(oid)s::oid
  and attribute.attnum > 0
  and not attribute.attisdropped
order by attribute.attnum;
