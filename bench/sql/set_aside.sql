-- What a table %(table)s checks and keeps for every row, each with the SQL that takes it away and the SQL
-- that makes it again over all rows. The primary key stays, because other tables refer to it.
select drop_sql, make_sql
from (
  select 1, format('alter table %%s disable trigger user', %(table)s::regclass),
    format('alter table %%s enable trigger user', %(table)s::regclass)
  union all
  select 2, format('alter table %%s drop constraint %%I', k.conrelid::regclass, k.conname),
    format('alter table %%s add constraint %%I %%s', k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid))
  from pg_constraint as k
  where k.conrelid = %(table)s::regclass and k.contype = 'f' and k.conparentid = 0
  union all
  select 3, format('drop index %%s', i.indexrelid::regclass),
    replace(pg_get_indexdef(i.indexrelid), ' ON ONLY ', ' ON ')
  from pg_index as i
  where i.indrelid = %(table)s::regclass
    and not exists (select from pg_constraint as k where k.conindid = i.indexrelid and k.conrelid = i.indrelid)
) as s (place, drop_sql, make_sql)
order by place, drop_sql
