-- The bytes of some tables by name: what holds their rows, then each index, the largest first.
select t.name, r.relation, r.bytes
from unnest(%s::text[]) with ordinality as t (name, place)
cross join lateral (
  select t.name as relation, pg_table_size(t.name::regclass) as bytes, 0 as rank
  union all
  select i.indexrelid::regclass::text, pg_relation_size(i.indexrelid), 1
  from pg_index as i
  where i.indrelid = t.name::regclass
) as r
order by t.place, r.rank, r.bytes desc, r.relation;
