-- Four equal tables: alone, streamed, in the publication of Realtime, and with the trigger that seed schemas use. They
-- have the columns, the index and the policies of payments in examples/dashboard.
create schema app;
grant usage on schema app to authenticated;
create table app.bare (
  id bigint primary key,
  tenant_id uuid not null,
  payee text not null,
  amount numeric(12, 2) not null,
  status text not null default 'open',
  due_on date not null,
  constraint status_is_known check (status in ('open', 'paid'))
) with (fillfactor = 50);
create index bare_by_tenant on app.bare (tenant_id);
create table app.streamed (like app.bare including all) with (fillfactor = 50);
create table app.published (like app.bare including all) with (fillfactor = 50);
create table app.broadcast (like app.bare including all) with (fillfactor = 50);
-- And two of the smallest that travel, which everybody may write.
create table app.small_bare (id bigint primary key, tenant_id uuid not null, status text not null)
  with (fillfactor = 50);
create table app.small_streamed (like app.small_bare including all) with (fillfactor = 50);

do $$
declare
  v_name text;
begin
  foreach v_name in array '{bare,streamed,published,broadcast,small_bare,small_streamed}'::text[] loop
    execute format('alter table app.%I enable row level security', v_name);
    execute format('grant select, update on app.%I to authenticated', v_name);
    if v_name like 'small%' then
      execute format('create policy "people write" on app.%I to authenticated using (true)', v_name);
    else
      execute format(
        'create policy "members read" on app.%1$I for select to authenticated using (%2$s);
         create policy "members pay" on app.%1$I for update to authenticated using (%2$s)',
        v_name,
        'tenant_id in (select t.tenant_id from chat.tenant_members as t'
        ' where t.user_id = (select auth.uid()) and t.removed_at is null)'
      );
    end if;
  end loop;
end;
$$;

select chat_private.stream_table('app.streamed', 'tenant_id');
select chat_private.stream_table('app.small_streamed', 'tenant_id');
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
