-- The permissive policies on realtime.messages that Parley did not make and that hold for people.
-- One line for what a policy lets them receive, one for what it lets them send.
select
  format('%%I', p.polname) as name,
  v.verb,
  v.expression,
  v.expression ~ '\mtopic\M' as asks_for_topic
from pg_policy as p
cross join lateral (
  values
    ('receive', 'r', pg_get_expr(p.polqual, p.polrelid)),
    ('send', 'a', pg_get_expr(coalesce(p.polwithcheck, p.polqual), p.polrelid))
) as v (verb, cmd, expression)
where p.polrelid = to_regclass('realtime.messages')
  and p.polpermissive
  and p.polcmd in (v.cmd::"char", '*')
  and v.expression is not null
  and p.polname <> all (%(ours)s::text[])
  and exists (
    select
    from unnest(p.polroles) as r (oid)
    cross join (values ('anon'), ('authenticated')) as people (role)
    where r.oid = 0 or pg_has_role(people.role, r.oid, 'usage')
  )
order by 1, 2
