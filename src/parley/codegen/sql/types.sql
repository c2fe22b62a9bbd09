-- Every type, so that the types inside a type can be looked up without another query.
select
  t.oid,
  n.nspname as schema,
  t.typname as name,
  t.typtype::text as kind,
  case when t.typcategory = 'A' then t.typelem else 0 end as element,
  t.typbasetype as base,
  t.typnotnull as not_null,
  t.typrelid as relation,
  array(
    select e.enumlabel::text from pg_catalog.pg_enum as e
    where e.enumtypid = t.oid order by e.enumsortorder
  ) as labels,
  array(
    select pg_catalog.pg_get_constraintdef(c.oid) from pg_catalog.pg_constraint as c
    where c.contypid = t.oid and c.contype = 'c' and c.convalidated order by c.conname
  ) as checks,
  exists (
    select from pg_catalog.pg_cast as k
    where k.castsource = t.oid and k.casttarget = 'json'::regtype and k.castfunc <> 0
  ) as is_cast_to_json,
  coalesce(pg_catalog.obj_description(t.oid, 'pg_type'), '') as comment
from pg_catalog.pg_type as t
join pg_catalog.pg_namespace as n on n.oid = t.typnamespace
order by n.nspname, t.typname
