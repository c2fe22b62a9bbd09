-- Functions whose text names one of the tables %(names)s, each with a statement that changes nothing but
-- lets every session compile it anew. Wants an empty search_path.
select
  p.oid::regprocedure::text,
  format(
    'alter function %%s %%s;', p.oid::regprocedure,
    case p.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end
  )
from pg_proc as p
join pg_namespace as n on n.oid = p.pronamespace
where p.prokind = 'f'
  and n.nspname not in ('pg_catalog', 'information_schema', 'chat_next')
  and exists (
    select from unnest(%(names)s::text[]) as t (name)
    where p.prosrc ~ format('\m%%s\M', replace(t.name, '.', '\.'))
  )
order by 1
