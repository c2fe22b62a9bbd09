"""The `postgres_changes` extension: row changes of tables, as each subscriber may see them."""
