-- Everything that depends on the tables %(names)s or on their row types, and on that in turn: for each
-- the SQL that drops it and the SQL that makes it again. What nobody here knows how to make has no SQL.
-- `needs` are the others of this list that it depends on. Wants an empty search_path.
with recursive tables as (
  select n.name::regclass::oid as oid from unnest(%(names)s::text[]) as n (name)
),
reached (classid, objid) as (
  select 'pg_class'::regclass::oid, t.oid from tables as t
  union
  select n.classid, n.objid
  from reached as r
  cross join lateral (
    select d.classid, d.objid
    from pg_depend as d
    where d.refclassid = r.classid and d.refobjid = r.objid and d.deptype in ('n', 'a', 'i')
    union all
    select 'pg_type'::regclass, t.oid from pg_type as t
    where r.classid = 'pg_class'::regclass and t.typrelid = r.objid
    union all
    select 'pg_class'::regclass, w.ev_class from pg_rewrite as w
    where r.classid = 'pg_rewrite'::regclass and w.oid = r.objid
  ) as n
),
-- What belongs to something else that is in this list: the row type of a type or view, the rule of a
-- view, and indexes, defaults and constraints of the tables, which the new tables have already.
parts (classid, objid, owner_classid, owner_objid) as (
  select 'pg_type'::regclass, t.oid, 'pg_class'::regclass, coalesce(nullif(t.typrelid, 0), e.typrelid)
  from pg_type as t
  left join pg_type as e on e.oid = t.typelem
  where t.typrelid <> 0 or e.typrelid <> 0
  union all
  select 'pg_rewrite'::regclass, w.oid, 'pg_class'::regclass, w.ev_class from pg_rewrite as w
),
of_tables (classid, objid) as (
  select 'pg_class'::regclass, t.oid from tables as t
  union all
  select 'pg_class'::regclass, i.indexrelid from pg_index as i
  where i.indrelid in (select t.oid from tables as t)
  union all
  select 'pg_class'::regclass, c.oid from pg_class as c where c.relnamespace = 'pg_toast'::regnamespace
  union all
  select 'pg_constraint'::regclass, k.oid from pg_constraint as k
  where k.conrelid in (select t.oid from tables as t)
  union all
  select 'pg_attrdef'::regclass, a.oid from pg_attrdef as a
  where a.adrelid in (select t.oid from tables as t)
  union all
  select 'pg_trigger'::regclass, g.oid from pg_trigger as g
  where g.tgisinternal or g.tgname = '_900_copy'
),
nodes as (
  select r.classid, r.objid
  from reached as r
  where not exists (
      select from of_tables as t where t.classid = r.classid and t.objid = r.objid
    )
    and not exists (select from parts as p where p.classid = r.classid and p.objid = r.objid)
),
edges as (
  select distinct
    coalesce(p.owner_classid, d.classid) as classid, coalesce(p.owner_objid, d.objid) as objid,
    coalesce(q.owner_classid, d.refclassid) as refclassid, coalesce(q.owner_objid, d.refobjid) as refobjid
  from pg_depend as d
  left join parts as p on p.classid = d.classid and p.objid = d.objid
  left join parts as q on q.classid = d.refclassid and q.objid = d.refobjid
),
functions as (
  select
    n.classid, n.objid,
    case p.prokind when 'p' then 'procedure' else 'function' end as kind,
    p.oid::regprocedure::text as name,
    case when p.prokind in ('f', 'p') then rtrim(pg_get_functiondef(p.oid), e'\n') end as body,
    p.proowner as owner,
    p.proacl as acl
  from nodes as n
  join pg_proc as p on n.classid = 'pg_proc'::regclass and p.oid = n.objid
),
types as (
  select
    n.classid, n.objid, 'type' as kind, c.oid::regclass::text as name,
    (
      select string_agg(
        format(
          '%%I %%s%%s', a.attname, format_type(a.atttypid, a.atttypmod),
          case when a.attcollation <> t.typcollation then ' collate ' || a.attcollation::regcollation end
        ), ', ' order by a.attnum
      )
      from pg_attribute as a
      join pg_type as t on t.oid = a.atttypid
      where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    ) as columns,
    c.reltype,
    c.relowner as owner
  from nodes as n
  join pg_class as c on n.classid = 'pg_class'::regclass and c.oid = n.objid and c.relkind = 'c'
),
views as (
  select
    n.classid, n.objid, 'view' as kind, c.oid::regclass::text as name, c.oid, c.relowner as owner,
    c.relacl as acl,
    coalesce(format(' with (%%s)', array_to_string(c.reloptions, ', ')), '') as options
  from nodes as n
  join pg_class as c on n.classid = 'pg_class'::regclass and c.oid = n.objid and c.relkind = 'v'
),
policies as (
  select
    n.classid, n.objid, p.oid, format('%%I on %%s', p.polname, p.polrelid::regclass) as name,
    concat(
      format(' as %%s for %%s to %%s',
      case when p.polpermissive then 'permissive' else 'restrictive' end,
      case p.polcmd
        when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete'
        else 'all'
      end,
      (
        select string_agg(case when r.oid = 0 then 'public' else r.oid::regrole::text end, ', ' order by r.oid)
        from unnest(p.polroles) as r (oid)
      )),
      ' using (' || pg_get_expr(p.polqual, p.polrelid) || ')',
      ' with check (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')'
    ) as definition

  from nodes as n
  join pg_policy as p on n.classid = 'pg_policy'::regclass and p.oid = n.objid
),
triggers as (
  select
    n.classid, n.objid, format('%%I on %%s', g.tgname, g.tgrelid::regclass) as name,
    pg_get_triggerdef(g.oid) as body,
    case g.tgenabled when 'D' then 'disable' when 'A' then 'enable always' when 'R' then 'enable replica' end
      as state,
    g.tgrelid::regclass::text as relation, g.tgname
  from nodes as n
  join pg_trigger as g on n.classid = 'pg_trigger'::regclass and g.oid = n.objid
),
-- Rows were checked when they came in: the last step looks at them again without a lock that anybody
-- would wait for.
keys as (
  select
    n.classid, n.objid, k.conrelid::regclass::text as relation, k.conname,
    pg_get_constraintdef(k.oid) as body
  from nodes as n
  join pg_constraint as k on n.classid = 'pg_constraint'::regclass and k.oid = n.objid
  join pg_class as c on c.oid = k.conrelid and c.relkind = 'r'
  where k.contype = 'f'
),
-- A function is made with the rights that the database gives to new ones, so all are taken first.
function_grants as (
  select f.objid, string_agg(g.line, e'\n' order by g.place, g.line) as lines
  from functions as f
  cross join lateral (
    select 0 as place, format('revoke all on %%s %%s from public%%s;', f.kind, f.name, (
      select string_agg(', ' || r.rolname, '' order by r.rolname)
      from pg_roles as r
      where r.rolname in ('anon', 'authenticated', 'service_role')
    )) as line
    union all
    select 1, format(
      'grant execute on %%s %%s to %%s%%s;', f.kind, f.name,
      case when x.grantee = 0 then 'public' else x.grantee::regrole::text end,
      case when x.is_grantable then ' with grant option' end
    )
    from aclexplode(coalesce(f.acl, acldefault('f', f.owner))) as x
    where x.grantee <> f.owner
  ) as g
  group by f.objid
),
view_grants as (
  select v.objid, string_agg(g.line, e'\n' order by g.place, g.line) as lines
  from views as v
  cross join lateral (
    select 0 as place, format('revoke all on %%s from public, anon, authenticated, service_role;', v.name) as line
    union all
    select 1, format(
      'grant %%s on %%s to %%s%%s;', lower(x.privilege_type), v.name,
      case when x.grantee = 0 then 'public' else x.grantee::regrole::text end,
      case when x.is_grantable then ' with grant option' end
    )
    from aclexplode(coalesce(v.acl, acldefault('r', v.owner))) as x
    where x.grantee <> v.owner
  ) as g
  group by v.objid
),
column_comments as (
  select
    d.objoid,
    string_agg(
      format('comment on column %%s.%%I is %%L;', d.objoid::regclass, a.attname, d.description), e'\n'
      order by d.objsubid
    ) as lines
  from pg_description as d
  join pg_attribute as a on a.attrelid = d.objoid and a.attnum = d.objsubid
  where d.classoid = 'pg_class'::regclass and d.objsubid > 0
  group by d.objoid
),
made (classid, objid, kind, name, drop_sql, create_sql) as (
  select f.classid, f.objid, f.kind, f.name, format('drop %%s %%s;', f.kind, f.name),
    concat_ws(
      e'\n', f.body || ';',
      format('comment on %%s %%s is ', f.kind, f.name) || quote_literal(obj_description(f.objid, 'pg_proc')) || ';', g.lines,
      case when f.owner <> current_user::regrole
        then format('alter %%s %%s owner to %%s;', f.kind, f.name, f.owner::regrole) end
    )
  from functions as f
  join function_grants as g on g.objid = f.objid
  where f.body is not null
  union all
  select t.classid, t.objid, t.kind, t.name, format('drop type %%s;', t.name),
    concat_ws(
      e'\n', format('create type %%s as (%%s);', t.name, t.columns),
      format('comment on type %%s is ', t.name) || quote_literal(obj_description(t.reltype, 'pg_type')) || ';', d.lines
    )
  from types as t
  left join column_comments as d on d.objoid = t.objid
  union all
  select v.classid, v.objid, v.kind, v.name, format('drop view %%s;', v.name),
    concat_ws(
      e'\n', format(e'create view %%s%%s as\n%%s', v.name, v.options, pg_get_viewdef(v.oid)),
      format('comment on view %%s is ', v.name) || quote_literal(obj_description(v.oid, 'pg_class')) || ';', d.lines,
      g.lines
    )
  from views as v
  left join column_comments as d on d.objoid = v.objid
  join view_grants as g on g.objid = v.objid
  union all
  select p.classid, p.objid, 'policy', p.name, format('drop policy %%s;', p.name),
    concat_ws(
      e'\n', format('create policy %%s%%s;', p.name, p.definition),
      format('comment on policy %%s is ', p.name) || quote_literal(obj_description(p.oid, 'pg_policy')) || ';'
    )
  from policies as p
  union all
  select g.classid, g.objid, 'trigger', g.name, format('drop trigger %%s;', g.name),
    concat_ws(
      e'\n', g.body || ';',
      case when g.state is not null then format('alter table %%s %%s trigger %%I;', g.relation, g.state, g.tgname) end,
      format('comment on trigger %%s is ', g.name) || quote_literal(obj_description(g.objid, 'pg_trigger')) || ';'
    )
  from triggers as g
  union all
  select k.classid, k.objid, 'foreign key', format('%%I on %%s', k.conname, k.relation),
    format('alter table %%s drop constraint %%I;', k.relation, k.conname),
    concat_ws(
      e'\n', format('alter table %%s add constraint %%I %%s not valid;', k.relation, k.conname, k.body),
      format('comment on constraint %%I on %%s is ', k.conname, k.relation) || quote_literal(obj_description(k.objid, 'pg_constraint')) || ';'
    )
  from keys as k
)
select
  format('%%s %%s', n.classid::oid, n.objid) as id,
  coalesce(m.kind, 'other') as kind,
  coalesce(m.name, pg_describe_object(n.classid, n.objid, 0)) as name,
  m.drop_sql,
  m.create_sql,
  array(
    select format('%%s %%s', e.refclassid::oid, e.refobjid)
    from edges as e
    where e.classid = n.classid and e.objid = n.objid
      and exists (select from nodes as o where o.classid = e.refclassid and o.objid = e.refobjid)
      and (e.refclassid, e.refobjid) <> (e.classid, e.objid)
  ) as needs
from nodes as n
left join made as m on m.classid = n.classid and m.objid = n.objid
order by 2, 3
