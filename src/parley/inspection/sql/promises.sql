-- Who may do what in our schemas, one line per right; compared with what the migrations leave.
with ours as (
  select n.* from pg_namespace as n where n.nspname in ('chat', 'chat_private')
),
relations as (
  select c.*, format('%s.%s', n.nspname, c.relname) as name
  from pg_class as c
  join ours as n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v')
),
functions as (
  select p.*, format('%s.%s(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)) as name
  from pg_proc as p
  join ours as n on n.oid = p.pronamespace
),
policies as (
  select
    p.*,
    format('%s.%s', n.nspname, c.relname) as relation,
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
grants (kind, acl, what) as (
  select 'grants on schemas', n.nspacl, format('schema %s', n.nspname)
  from ours as n
  union all
  select 'grants on tables', c.relacl, c.name
  from relations as c
  union all
  select 'grants on tables', a.attacl, format('%s of %s', a.attname, c.name)
  from relations as c
  join pg_attribute as a on a.attrelid = c.oid
  union all
  select 'grants on functions', coalesce(p.proacl, acldefault('f', p.proowner)), p.name
  from functions as p
)
select 'row level security' as kind, c.name as promise
from relations as c
where c.relrowsecurity
union all
select
  'policies',
  format(
    '%I on %s for %s to %s using %s check %s', p.polname, p.relation, p.cmd,
    array(
      select case when r.oid = 0 then 'public' else r.oid::regrole::text end
      from unnest(p.polroles) as r (oid)
      order by 1
    ),
    coalesce(p.reads, '-'), coalesce(p.writes, '-')
  )
from policies as p
where p.relation like 'chat.%'
  or p.relation like 'chat_private.%'
  or concat(p.reads, p.writes) ~ '\mchat(_private)?\.'
union all
select
  g.kind,
  format(
    '%s on %s to %s', lower(x.privilege_type), g.what,
    case when x.grantee = 0 then 'public' else x.grantee::regrole::text end
  )
from grants as g
cross join aclexplode(g.acl) as x
where x.grantee = 0
  or x.grantee::regrole::text in ('anon', 'authenticated', 'service_role')
union all
select
  'definer functions',
  format('%s with %s', p.name, coalesce(array_to_string(p.proconfig, ', '), 'any search_path'))
from functions as p
where p.prosecdef
order by 1, 2
