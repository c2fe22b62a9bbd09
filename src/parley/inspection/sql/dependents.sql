-- What somebody else made that cannot stay as it is without Parley, in words. {ours} are the names of
-- Parley's own tables, types, functions, policies and triggers, as the query "promises" returns them.
-- Both want an empty search_path.
-- chat_partitions is where docs/scale.md puts the partitions of tables.
with schemas as (
  select n.oid from pg_namespace as n where n.nspname in ('chat', 'chat_private', 'chat_partitions')
),
tables as (
  select c.oid from pg_class as c where c.relnamespace in (select s.oid from schemas as s)
),
parts (classid, objid) as (
  select 'pg_class'::regclass, t.oid from tables as t
  union all
  select 'pg_proc'::regclass, p.oid from pg_proc as p
  where p.pronamespace in (select s.oid from schemas as s)
  union all
  select 'pg_type'::regclass, t.oid from pg_type as t
  where t.typnamespace in (select s.oid from schemas as s)
  union all
  select 'pg_constraint'::regclass, k.oid from pg_constraint as k
  where k.connamespace in (select s.oid from schemas as s)
  union all
  select 'pg_policy'::regclass, p.oid from pg_policy as p where p.polrelid in (select t.oid from tables as t)
  union all
  select 'pg_trigger'::regclass, g.oid from pg_trigger as g
  where g.tgrelid in (select t.oid from tables as t) or g.tgisinternal
  union all
  select 'pg_rewrite'::regclass, r.oid from pg_rewrite as r
  where r.ev_class in (select t.oid from tables as t)
  union all
  select 'pg_attrdef'::regclass, d.oid from pg_attrdef as d
  where d.adrelid in (select t.oid from tables as t)
  union all
  select 'pg_ts_config'::regclass, c.oid from pg_ts_config as c
  where c.cfgnamespace in (select s.oid from schemas as s)
),
-- What was put into Parley's schemas goes with them.
inside (classid, objid, objsubid) as (
  select p.classid, p.objid, 0
  from parts as p
  left join pg_class as c on p.classid = 'pg_class'::regclass and c.oid = p.objid
  left join pg_type as t on p.classid = 'pg_type'::regclass and t.oid = p.objid
  left join pg_trigger as g on p.classid = 'pg_trigger'::regclass and g.oid = p.objid
  where p.classid in ('pg_proc'::regclass, 'pg_policy'::regclass)
    or (c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition)
    or t.typtype in ('d', 'e')
    or (not g.tgisinternal and g.tgparentid = 0)
),
outside (classid, objid, objsubid) as (
  select distinct d.classid, d.objid, d.objsubid
  from pg_depend as d
  join parts as p on p.classid = d.refclassid and p.objid = d.refobjid
  where d.deptype in ('n', 'a')
    and not exists (select from parts as q where q.classid = d.classid and q.objid = d.objid)
),
named as (
  select distinct
    case i.type
      when 'table constraint' then 'constraint'
      when 'rule' then 'view'
      when 'default value' then 'default'
      when 'table column' then 'column'
      when 'publication relation' then 'table'
      else i.type
    end as kind,
    case
      when f.oid is null then regexp_replace(i.identity, '^("_RETURN"|for) (on )?', '')
      else format(
        '%s.%s(%s)', f.pronamespace::regnamespace, f.proname, pg_get_function_identity_arguments(f.oid)
      )
    end as name
  from (select * from inside union all select * from outside) as o
  cross join lateral pg_identify_object(o.classid, o.objid, o.objsubid) as i
  left join pg_proc as f on o.classid = 'pg_proc'::regclass and f.oid = o.objid
),
-- The body of a function is a text, of which the catalog knows nothing.
speaking as (
  select 'function' as kind, format('%s, whose text uses Parley', p.oid::regprocedure) as name
  from pg_proc as p
  join pg_namespace as n on n.oid = p.pronamespace
  where n.nspname not in ('chat', 'chat_private', 'pg_catalog', 'information_schema')
    and p.prosrc ~ '\mchat(_private)?\.[a-z_]'
    and not exists (
      select from pg_depend as d
      where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'
    )
)
select format('the %s %s', h.kind, h.name) as dependent
from (select * from named union all select * from speaking) as h
where h.name <> all ({ours})
order by 1
