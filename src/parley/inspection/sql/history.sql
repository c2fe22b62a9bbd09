-- The migrations that were applied. Whoever fills the table by hand may leave the name out.
select h.version, coalesce(to_jsonb(h) ->> 'name', '') from supabase_migrations.schema_migrations as h
