-- Four equal tables: alone, streamed, in the publication of Realtime, and with the trigger that seed schemas use.
create schema app;
grant usage on schema app to authenticated;
create table app.bare (id integer primary key, tenant_id uuid not null, amount integer not null) with (fillfactor = 50);
create index bare_by_tenant on app.bare (tenant_id, id);
create table app.streamed (like app.bare including all) with (fillfactor = 50);
create table app.published (like app.bare including all) with (fillfactor = 50);
create table app.broadcast (like app.bare including all) with (fillfactor = 50);
alter table app.bare enable row level security;
alter table app.streamed enable row level security;
alter table app.published enable row level security;
alter table app.broadcast enable row level security;
create policy "people write" on app.bare for all to authenticated using (true);
create policy "people write" on app.streamed for all to authenticated using (true);
create policy "people write" on app.published for all to authenticated using (true);
create policy "people write" on app.broadcast for all to authenticated using (true);
grant select, update on app.bare, app.streamed, app.published, app.broadcast to authenticated;

select chat_private.stream_table('app.streamed', 'tenant_id');
alter publication supabase_realtime add table app.published;
create function app.broadcast_row()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform realtime.send(
    jsonb_build_object('type', 'stats_updated', 'table', tg_table_name, 'tenant_id', new.tenant_id),
    'stats_invalidated', 'tenant:' || new.tenant_id || ':dashboard', true
  );
  return new;
end;
$$;
create trigger broadcast_row after insert or update on app.broadcast
  for each row execute function app.broadcast_row();
