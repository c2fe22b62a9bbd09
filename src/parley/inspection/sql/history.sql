-- The migrations that were applied.
select version from supabase_migrations.schema_migrations
