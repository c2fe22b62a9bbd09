-- What Parley's schemas hold, and its policies and triggers on tables of the platform, one row each:
-- what kind it is, its name, and how it is defined. Long definitions are digests. What an adopter has
-- of their own is left out, also where it calls functions of the schema chat. A table that is partitioned
-- reads like one that is not: its options are those of its partitions.
with ours as (
  select n.* from pg_namespace as n where n.nspname in ('chat', 'chat_private')
),
relations as (
  select c.*, format('%s.%s', n.nspname, c.relname) as name
  from pg_class as c
  join ours as n on n.oid = c.relnamespace
),
tables as (
  select c.* from relations as c where c.relkind in ('r', 'p', 'v', 'm', 'f')
),
columns as (
  select
    a.attrelid,
    a.attname,
    a.attacl,
    row_number() over (partition by a.attrelid order by a.attnum) as place,
    concat(
      format_type(a.atttypid, a.atttypmod),
      case when a.attcollation <> t.typcollation then ' collate ' || a.attcollation::regcollation end,
      case when a.attnotnull then ' not null' end,
      case a.attidentity when 'a' then ' always identity' when 'd' then ' identity' end,
      case when a.attgenerated <> '' then ' generated' end,
      ' default ' || pg_get_expr(d.adbin, d.adrelid)
    ) as definition
  from relations as c
  join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  join pg_type as t on t.oid = a.atttypid
  left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
),
functions as (
  select p.*, format('%s.%s(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)) as name
  from pg_proc as p
  join ours as n on n.oid = p.pronamespace
  -- (stream_table() writes one for each table of the project's own.)
  where p.proname !~ '^tg_streamed_[a-q]+__note$'
),
policies as (
  select
    p.*,
    n.nspname,
    format('%I on %s.%s', p.polname, n.nspname, c.relname) as name,
    pg_get_expr(p.polqual, p.polrelid) as reads,
    pg_get_expr(p.polwithcheck, p.polrelid) as writes,
    case p.polcmd
      when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete'
      else 'all'
    end as cmd
  from pg_policy as p
  join pg_class as c on c.oid = p.polrelid
  join pg_namespace as n on n.oid = c.relnamespace
),
our_policies as (
  select p.*
  from policies as p
  where p.nspname in ('chat', 'chat_private')
    or (p.nspname in ('realtime', 'storage') and concat(p.reads, p.writes) ~ '\mchat_private\.')
),
triggers as (
  select t.*, format('%I on %s.%s', t.tgname, n.nspname, c.relname) as name
  from pg_trigger as t
  join pg_class as c on c.oid = t.tgrelid
  join pg_namespace as n on n.oid = c.relnamespace
  join functions as p on p.oid = t.tgfoid
  where not t.tgisinternal
    and n.nspname in ('chat', 'chat_private', 'auth')
),
grants (kind, acl, what) as (
  select 'grants on schemas', n.nspacl, format('schema %s', n.nspname)
  from ours as n
  union all
  select 'grants on tables', c.relacl, c.name
  from relations as c
  where c.relkind <> 'S'
  union all
  select 'grants on tables', a.attacl, format('%s of %s', a.attname, c.name)
  from tables as c
  join columns as a on a.attrelid = c.oid
  union all
  select 'grants on functions', coalesce(p.proacl, acldefault('f', p.proowner)), p.name
  from functions as p
),
commented (classoid, objoid, objsubid, name) as (
  select 'pg_namespace'::regclass, n.oid, 0, format('schema %s', n.nspname)
  from ours as n
  union all
  select 'pg_class'::regclass, c.oid, d.objsubid, concat_ws('.', c.name, a.attname)
  from relations as c
  join pg_description as d on d.classoid = 'pg_class'::regclass and d.objoid = c.oid
  left join pg_attribute as a on a.attrelid = c.oid and a.attnum = d.objsubid and d.objsubid > 0
  union all
  select 'pg_proc'::regclass, p.oid, 0, p.name
  from functions as p
  union all
  select 'pg_type'::regclass, t.oid, 0, format('%s.%s', n.nspname, t.typname)
  from pg_type as t
  join ours as n on n.oid = t.typnamespace
  union all
  select 'pg_constraint'::regclass, k.oid, 0, format('%I on %s', k.conname, c.name)
  from pg_constraint as k
  join relations as c on c.oid = k.conrelid
  union all
  select 'pg_policy'::regclass, p.oid, 0, p.name
  from our_policies as p
  union all
  select 'pg_trigger'::regclass, t.oid, 0, t.name
  from triggers as t
)
select 'tables' as kind, c.name as object,
  concat_ws(
    ' ',
    case c.relkind when 'r' then 'table' when 'p' then 'table' when 'v' then 'view' else c.relkind::text end,
    case c.relpersistence when 'u' then 'unlogged' end,
    case c.relreplident when 'd' then null when 'n' then null else 'replica ' || c.relreplident::text end,
    case when c.relforcerowsecurity then 'forced' end,
    array(select unnest(o.reloptions) order by 1)::text,
    case when c.relkind in ('v', 'm') then md5(pg_get_viewdef(c.oid)) end
  ) as definition
from tables as c
cross join lateral (
  select coalesce(
    (
      select p.reloptions
      from pg_inherits as i
      join pg_class as p on p.oid = i.inhrelid and p.relispartition
      where i.inhparent = c.oid
      limit 1
    ),
    c.reloptions
  ) as reloptions
) as o
union all
select 'columns', format('%s.%s', c.name, a.attname), format('%s. %s', a.place, a.definition)
from tables as c
join columns as a on a.attrelid = c.oid
union all
-- Postgres 18 has a constraint for each column that is not null; the line of the column says so.
select 'constraints', format('%I on %s', k.conname, c.name), pg_get_constraintdef(k.oid)
from pg_constraint as k
join relations as c on c.oid = k.conrelid
where k.contype not in ('n', 't') and k.conparentid = 0
union all
select 'indexes', format('%s on %s', i.indexrelid::regclass, c.name),
  concat(replace(pg_get_indexdef(i.indexrelid), ' ON ONLY ', ' ON '), case when not i.indisvalid then ' invalid' end)
from pg_index as i
join tables as c on c.oid = i.indrelid
union all
select 'types', c.name, string_agg(format('%s %s', a.attname, a.definition), ', ' order by a.place)
from relations as c
join columns as a on a.attrelid = c.oid
where c.relkind = 'c'
group by c.name
union all
select 'types', format('%s.%s', n.nspname, t.typname),
  concat_ws(
    ' ',
    format_type(t.typbasetype, t.typtypmod),
    case when t.typnotnull then 'not null' end,
    array(
      select pg_get_constraintdef(k.oid)
      from pg_constraint as k
      where k.contypid = t.oid and k.contype = 'c'
      order by 1
    )::text
  )
from pg_type as t
join ours as n on n.oid = t.typnamespace
where t.typtype = 'd'
union all
select 'types', format('%s.%s', n.nspname, g.cfgname),
  md5(string_agg(format('%s %s %s', m.maptokentype, m.mapseqno, m.mapdict::regdictionary), ', '
    order by m.maptokentype, m.mapseqno))
from pg_ts_config as g
join ours as n on n.oid = g.cfgnamespace
join pg_ts_config_map as m on m.mapcfg = g.oid
group by n.nspname, g.cfgname
union all
select 'functions', p.name,
  concat_ws(
    ' ',
    pg_get_function_arguments(p.oid),
    'returns ' || pg_get_function_result(p.oid),
    l.lanname,
    case p.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end,
    case when p.proisstrict then 'strict' end,
    case when p.proleakproof then 'leakproof' end,
    case when p.proparallel <> 'u' then 'parallel ' || p.proparallel::text end,
    case when p.procost <> 100 then 'cost ' || p.procost end,
    case when p.prorows not in (0, 1000) then 'rows ' || p.prorows end,
    case when p.prosecdef then 'security definer' end,
    array_to_string(p.proconfig, ' '),
    md5(coalesce(pg_get_function_sqlbody(p.oid), p.prosrc))
  )
from functions as p
join pg_language as l on l.oid = p.prolang
union all
select 'definer functions', p.name, coalesce(array_to_string(p.proconfig, ', '), 'any search_path')
from functions as p
where p.prosecdef
union all
select 'row level security', c.name, 'on'
from tables as c
where c.relrowsecurity
union all
select 'policies', p.name,
  format(
    '%sfor %s to %s using %s check %s', case when not p.polpermissive then 'restrictive ' end, p.cmd,
    array(
      select case when r.oid = 0 then 'public' else r.oid::regrole::text end
      from unnest(p.polroles) as r (oid)
      order by 1
    ),
    coalesce(p.reads, '-'), coalesce(p.writes, '-')
  )
from our_policies as p
union all
select 'triggers', t.name,
  concat(pg_get_triggerdef(t.oid), case when t.tgenabled = 'D' then ', disabled' end)
from triggers as t
union all
select
  g.kind,
  format(
    '%s on %s to %s', lower(x.privilege_type), g.what,
    case when x.grantee = 0 then 'public' else x.grantee::regrole::text end
  ),
  ''
from grants as g
cross join aclexplode(g.acl) as x
where x.grantee = 0
  or x.grantee::regrole::text in ('anon', 'authenticated', 'service_role')
union all
select 'comments', k.name, md5(d.description)
from commented as k
join pg_description as d
  on d.classoid = k.classoid and d.objoid = k.objoid and d.objsubid = k.objsubid
order by 1, 2
