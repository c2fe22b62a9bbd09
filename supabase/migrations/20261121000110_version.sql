-- version: which Parley this is, and the oldest client that it serves.

-- scripts/upgrade.py writes the first number. The second is raised by hand when a change would
-- break clients that are older: these then say that the app has to be updated, and keep their copy.
create function chat_private.version()
returns jsonb
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return '{"version": "0.2.0", "lowest_client": "0.1.0"}';
end;
$$;

create function chat.version()
returns jsonb
language sql
immutable
set search_path = '', pg_temp
return chat_private.version();

comment on function chat.version() is
  $$Tell which version of Parley the database has, and whom it serves.

Returns:
  {"version", "lowest_client"}: the version of the schema, and the oldest version of the clients that
  may use it. list_heads returns both as well.

Raises:
  Nothing.$$;

revoke execute on function chat_private.version(), chat.version() from public, anon, authenticated;
grant execute on function chat_private.version(), chat.version() to authenticated, service_role;
