-- What checks the foreign keys to the tables %(names)s that were made without looking at the rows that
-- were there. Wants an empty search_path.
select format('alter table %%s validate constraint %%I;', k.conrelid::regclass, k.conname)
from pg_constraint as k
where k.contype = 'f'
  and not k.convalidated
  and k.confrelid in (select n.name::regclass from unnest(%(names)s::text[]) as n (name))
order by 1
