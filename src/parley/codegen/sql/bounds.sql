-- The sections about limits in the comments of private functions.
select p.proname as name, pg_catalog.obj_description(p.oid, 'pg_proc') as comment
from pg_catalog.pg_proc as p
where p.pronamespace = 'chat_private'::regnamespace
  and pg_catalog.obj_description(p.oid, 'pg_proc') ~ '\nLimits:\n'
order by p.proname
