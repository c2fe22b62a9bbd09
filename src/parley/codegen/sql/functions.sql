-- Functions that an API can call: no triggers, procedures, aggregates or window functions, and
-- nothing that an extension brought.
select
  n.nspname as schema,
  p.proname as name,
  p.prorettype as result,
  p.proretset as is_set,
  p.provolatile::text as volatility,
  coalesce(pg_catalog.obj_description(p.oid, 'pg_proc'), '') as comment,
  pg_catalog.has_function_privilege(%(role)s, p.oid, 'execute') as may_call,
  array(
    select pg_catalog.jsonb_build_object(
      'name', coalesce(p.proargnames[t.place], ''),
      'type', t.type::bigint,
      'mode', coalesce(p.proargmodes[t.place]::text, 'i'),
      'default', pg_catalog.pg_get_function_arg_default(p.oid, t.place::integer)
    )
    from unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) with ordinality as t (type, place)
    order by t.place
  ) as arguments
from pg_catalog.pg_proc as p
join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
where p.prokind = 'f'
  and n.nspname = any (%(schemas)s)
  and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
  and not exists (
    select from pg_catalog.pg_depend as d
    where d.classid = 'pg_catalog.pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'
  )
order by n.nspname, p.proname, p.oid
