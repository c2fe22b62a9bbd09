-- Which of these schemas there are, and whether there is the role.
select
  array(select nspname::text from pg_namespace where nspname = any (%(schemas)s)) as schemas,
  exists (select from pg_roles where rolname = %(role)s) as has_role
