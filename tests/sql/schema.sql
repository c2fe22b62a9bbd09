-- Everything that migrations leave in the catalog, one line per object.
with ours as (
  select n.oid, n.nspname from pg_namespace as n where n.nspname in ('chat', 'chat_private')
),
relations as (
  select c.*, o.nspname
  from pg_class as c
  join ours as o on o.oid = c.relnamespace
),
policies as (
  select p.*
  from pg_policy as p
  join pg_class as c on c.oid = p.polrelid
  join pg_namespace as n on n.oid = c.relnamespace
  where n.nspname in ('chat', 'chat_private', 'realtime', 'storage')
),
lines (line) as (
  select format('schema %s %s', n.nspname, n.nspacl)
  from pg_namespace as n
  join ours as o on o.oid = n.oid
  union all
  select format(
    'relation %s %s %s %s rls=%s', c.oid::regclass, c.relkind, c.reloptions, c.relacl,
    c.relrowsecurity
  )
  from relations as c
  union all
  select format(
    'column %s %s %s %s null=%s default=%s acl=%s', c.oid::regclass, a.attnum, a.attname,
    format_type(a.atttypid, a.atttypmod), not a.attnotnull, pg_get_expr(d.adbin, d.adrelid),
    a.attacl
  )
  from relations as c
  join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
  union all
  select format('constraint %s %s %s', c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid))
  from pg_constraint as c
  join ours as o on o.oid = c.connamespace
  union all
  select format('index %s', pg_get_indexdef(i.indexrelid))
  from pg_index as i
  join relations as c on c.oid = i.indrelid
  union all
  select format('view %s %s', c.oid::regclass, pg_get_viewdef(c.oid))
  from relations as c
  where c.relkind = 'v'
  union all
  select format('function %s %s', pg_get_functiondef(p.oid), p.proacl)
  from pg_proc as p
  join ours as o on o.oid = p.pronamespace
  where p.prokind = 'f'
  union all
  select format(
    'policy %s on %s for %s to %s using %s check %s', p.polname, p.polrelid::regclass, p.polcmd,
    p.polroles::regrole[], pg_get_expr(p.polqual, p.polrelid),
    pg_get_expr(p.polwithcheck, p.polrelid)
  )
  from policies as p
  union all
  select format('trigger %s', pg_get_triggerdef(t.oid))
  from pg_trigger as t
  join pg_proc as p on p.oid = t.tgfoid
  join ours as o on o.oid = p.pronamespace
  where not t.tgisinternal
  union all
  select format('search configuration %s %s %s', c.cfgname, m.maptokentype, m.mapdict::regdictionary)
  from pg_ts_config as c
  join ours as o on o.oid = c.cfgnamespace
  join pg_ts_config_map as m on m.mapcfg = c.oid
  union all
  select format('extension %s in %s', e.extname, e.extnamespace::regnamespace)
  from pg_extension as e
  where e.extowner = 'postgres'::regrole
  union all
  select format('comment on %s: %s', pg_describe_object(d.classoid, d.objoid, d.objsubid), d.description)
  from pg_description as d
  left join pg_class as c on d.classoid = 'pg_class'::regclass and c.oid = d.objoid
  left join pg_proc as p on d.classoid = 'pg_proc'::regclass and p.oid = d.objoid
  left join pg_type as t on d.classoid = 'pg_type'::regclass and t.oid = d.objoid
  join ours as o on o.oid in (c.relnamespace, p.pronamespace, t.typnamespace)
)
select line from lines order by line collate "C"
