-- For each table of %(names)s, in this order, the parts of the SQL that makes it again in the schema
-- %(next)s. Wants an empty search_path.
with named as (
  select n.place, n.name, n.name::regclass as relation from unnest(%(names)s::text[]) with ordinality as n (name, place)
)
select
  n.name,
  c.relname::text as relation,
  c.relkind::text as kind,
  array_to_string(c.reloptions, ', ') as options,
  quote_literal(obj_description(c.oid, 'pg_class')) as comment,
  key.conname::text as key_name,
  array(
    select a.attname::text
    from unnest(key.conkey) with ordinality as k (attnum, place)
    join pg_attribute as a on a.attrelid = c.oid and a.attnum = k.attnum
    order by k.place
  ) as key,
  array(
    select quote_ident(a.attname)
    from pg_attribute as a
    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    order by a.attnum
  ) as columns,
  array(
    select format('add constraint %%I %%s', k.conname, pg_get_constraintdef(k.oid))
    from pg_constraint as k
    where k.conrelid = c.oid and k.contype in ('p', 'u', 'x')
    order by k.conname
  ) as constraints,
  array(
    select format(
      'add constraint %%I %%s', k.conname,
      case
        when k.confrelid in (select m.relation from named as m)
          then replace(
            pg_get_constraintdef(k.oid), format('REFERENCES %%s(', k.confrelid::regclass),
            format('REFERENCES %%s.%%I(', %(next)s::text, f.relname)
          )
        else pg_get_constraintdef(k.oid)
      end
    )
    from pg_constraint as k
    join pg_class as f on f.oid = k.confrelid
    where k.conrelid = c.oid and k.contype = 'f'
    order by k.conname
  ) as foreign_keys,
  -- What a row refers to, where that is partitioned as well: the table, its copy, and the condition.
  array(
    select array[
      k.confrelid::regclass::text,
      format('%%s.%%I', %(next)s::text, f.relname),
      (
        select string_agg(format('p.%%I = new.%%I', theirs.attname, ours.attname), ' and ' order by i.place)
        from unnest(k.conkey, k.confkey) with ordinality as i (ours, theirs, place)
        join pg_attribute as ours on ours.attrelid = k.conrelid and ours.attnum = i.ours
        join pg_attribute as theirs on theirs.attrelid = k.confrelid and theirs.attnum = i.theirs
      )
    ]
    from pg_constraint as k
    join pg_class as f on f.oid = k.confrelid
    where k.conrelid = c.oid and k.contype = 'f' and k.confrelid in (select m.relation from named as m)
    order by k.conname
  ) as parents,
  array(
    select replace(
      pg_get_indexdef(i.indexrelid), format(' ON %%s ', n.relation),
      format(' ON %%s.%%I ', %(next)s::text, c.relname)
    )
    from pg_index as i
    where i.indrelid = c.oid and not exists (select from pg_constraint as k where k.conindid = i.indexrelid and k.conrelid = c.oid)
    order by i.indexrelid::regclass::text
  ) as indexes,
  -- `like … including comments` brings those of the columns and checks.
  array(
    select format('comment on index %%s.%%I is %%L', %(next)s::text, x.relname, d.description)
    from pg_index as i
    join pg_class as x on x.oid = i.indexrelid
    join pg_description as d on d.classoid = 'pg_class'::regclass and d.objoid = x.oid
    where i.indrelid = c.oid
    union all
    select format('comment on constraint %%I on %%s.%%I is %%L', k.conname, %(next)s::text, c.relname, d.description)
    from pg_constraint as k
    join pg_description as d on d.classoid = 'pg_constraint'::regclass and d.objoid = k.oid
    where k.conrelid = c.oid and k.contype <> 'c'
    order by 1
  ) as comments,
  array_remove(array[
    case when c.relrowsecurity then 'enable row level security' end,
    case when c.relforcerowsecurity then 'force row level security' end
  ], null) as security,
  array(
    select format(
      'grant %%s on %%s to %%s%%s', lower(x.privilege_type), n.name,
      case when x.grantee = 0 then 'public' else x.grantee::regrole::text end,
      case when x.is_grantable then ' with grant option' end
    )
    from aclexplode(c.relacl) as x
    where x.grantee <> c.relowner
    union all
    select format(
      'grant %%s (%%I) on %%s to %%s%%s', lower(x.privilege_type), a.attname, n.name,
      case when x.grantee = 0 then 'public' else x.grantee::regrole::text end,
      case when x.is_grantable then ' with grant option' end
    )
    from pg_attribute as a
    cross join aclexplode(a.attacl) as x
    where a.attrelid = c.oid
    order by 1
  ) as grants
from named as n
join pg_class as c on c.oid = n.relation
join pg_constraint as key on key.conrelid = c.oid and key.contype = 'p'
order by n.place
