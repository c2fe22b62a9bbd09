-- watch_stats: tables of the adopter's own that tell the dashboards of tenants as they change.

create table chat_private.watched_tables (
  relation regclass primary key,
  tenant_column text not null
);

comment on table chat_private.watched_tables is
  'Tables whose changes reach the dashboards of tenants; made by watch_stats().';

-- What one transaction touched. A row lives until the transaction ends, so it need not survive a crash.
create unlogged table chat_private.stats_touched (
  xid xid8 not null default pg_current_xact_id(),
  tenant_id uuid,
  tables text[] not null,
  constraint stats_touched_once unique nulls not distinct (xid, tenant_id)
);

comment on table chat_private.stats_touched is
  'The tables that an open transaction has changed for a tenant; tenant_id null is for all tenants.';

-- Everybody signed in may listen to this one; see rights_on_topic().
create function chat_private.dashboard_topic(tenant_id uuid)
returns text
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return format(
    'tenant:%s:dashboard',
    coalesce(dashboard_topic.tenant_id, '00000000-0000-0000-0000-000000000000')
  );
end;
$$;

comment on function chat_private.dashboard_topic(uuid) is
  'Name the topic of a tenant''s dashboard; null is the one that all tenants share.';

create function chat_private.touch_stats(tenant_ids uuid[], relation text)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  insert into chat_private.stats_touched as t (tenant_id, tables)
  select touched.tenant_id, array[touch_stats.relation]
  from unnest(
    case when cardinality(touch_stats.tenant_ids) > 1000 then array[null::uuid] else touch_stats.tenant_ids end
  ) as touched (tenant_id)
  on conflict on constraint stats_touched_once do update
  set tables = t.tables || excluded.tables
  where not t.tables @> excluded.tables;
end;
$$;

comment on function chat_private.touch_stats(uuid[], text) is
  $$Note that a table changed for some tenants.

Limits:
  dashboards: a dashboard is told once in a transaction and tenant, with the names of the tables. What
    touches more than 1,000 tenants is told once to all, with tenant_id null.$$;

-- Deferred, and on the note instead of the adopter's table: so it comes once, when the transaction is
-- about to end, and savepoints that were rolled back have taken their notes with them.
create function chat_private.tg_stats_touched__announce()
returns trigger
language plpgsql
volatile
-- definer: writes realtime.messages, which belongs to the platform
security definer
set search_path = '', pg_temp
set lock_timeout = '250ms'
as $$
declare
  v_tables text[];
begin
  delete from chat_private.stats_touched as t
  where t.xid = new.xid and t.tenant_id is not distinct from new.tenant_id
  returning t.tables into v_tables;
  insert into realtime.messages (id, topic, extension, event, payload, private)
  select
    e.id, chat_private.dashboard_topic(new.tenant_id), 'broadcast', 'stats_invalidated',
    jsonb_build_object('tenant_id', new.tenant_id, 'tables', v_tables, 'id', e.id), true
  from gen_random_uuid() as e (id);
  return null;
exception
  when others then
    raise warning 'a change of % was not announced: %', v_tables, sqlerrm;
    perform chat_private.note_loss(sqlerrm);
    return null;
end;
$$;

create constraint trigger _900_announce after insert on chat_private.stats_touched
  deferrable initially deferred
  for each row execute function chat_private.tg_stats_touched__announce();

-- The column got another name or type, or went. The write is not at fault, so it goes through.
create function chat_private.warn_unwatched(relation regclass, reason text)
returns uuid[]
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  raise warning 'watch_stats() has to be called again for %: %', warn_unwatched.relation, warn_unwatched.reason;
  return array[null::uuid];
end;
$$;

comment on function chat_private.warn_unwatched(regclass, text) is
  'Warn that the tenants of a change are not known; returns all of them, which is one null.';

-- The triggers of a watched table. The column has a name of the adopter's, so what is asked of the
-- changed rows is put together here; names are quoted, and come from watch_stats() alone. A row that
-- moves between tenants changes both.
create function chat_private.tg_watched__change()
returns trigger
language plpgsql
volatile
-- definer: whoever writes the adopter's table has no rights here
security definer
set search_path = '', pg_temp
as $$
declare
  v_tenants uuid[];
begin
  begin
    execute format(
      'select array(
        select distinct c.tenant_id
        from (' || case tg_op
          when 'INSERT' then 'select n.%1$I from new_rows as n'
          when 'DELETE' then 'select o.%1$I from old_rows as o'
          else 'select n.%1$I from new_rows as n union all select o.%1$I from old_rows as o'
        end || ') as c (tenant_id)
        where c.tenant_id is not null
        limit 1001
      )',
      tg_argv[0]
    ) into v_tenants;
  exception
    when undefined_column or invalid_text_representation then
      v_tenants := chat_private.warn_unwatched(tg_relid, sqlerrm);
  end;
  perform chat_private.touch_stats(v_tenants, tg_argv[1]);
  return null;
end;
$$;

-- Before it is empty: from one tenant to the next in the index, a thousand look-ups at most. (Without
-- an index each look-up would read the whole table, and one that reads it once is better.)
create function chat_private.tg_watched__truncate()
returns trigger
language plpgsql
volatile
-- definer: whoever truncates the adopter's table has no rights here
security definer
set search_path = '', pg_temp
as $$
declare
  v_has_index boolean := exists (
    select
    from pg_catalog.pg_index as i
    join pg_catalog.pg_attribute as a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
    where i.indrelid = tg_relid and i.indpred is null and a.attname = tg_argv[0]
  );
  v_tenants uuid[];
begin
  begin
    execute format(
      case when v_has_index then
        'with recursive found (tenant_id) as (
          (select t.%1$I from %2$s as t where t.%1$I is not null order by t.%1$I limit 1)
          union all
          select (select t.%1$I from %2$s as t where t.%1$I > f.tenant_id order by t.%1$I limit 1)
          from found as f
          where f.tenant_id is not null
        )
        select array(select f.tenant_id from found as f where f.tenant_id is not null limit 1001)'
      else
        'select array(select distinct t.%1$I from %2$s as t where t.%1$I is not null limit 1001)'
      end,
      tg_argv[0], tg_relid::regclass
    ) into v_tenants;
  exception
    when undefined_column or invalid_text_representation then
      v_tenants := chat_private.warn_unwatched(tg_relid, sqlerrm);
  end;
  perform chat_private.touch_stats(v_tenants, tg_argv[1]);
  return null;
end;
$$;

create function chat_private.unwatch_stats(relation regclass)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_trigger record;
begin
  for v_trigger in
    select t.tgname, t.tgrelid::regclass as relation
    from (
      select unwatch_stats.relation
      union
      select p.relid from pg_catalog.pg_partition_tree(unwatch_stats.relation) as p
    ) as part (relid)
    join pg_catalog.pg_trigger as t on t.tgrelid = part.relid
    join pg_catalog.pg_proc as f on f.oid = t.tgfoid
    where f.pronamespace = 'chat_private'::regnamespace and f.proname like 'tg\_watched\_\_%'
  loop
    execute format('drop trigger %I on %s', v_trigger.tgname, v_trigger.relation);
  end loop;
  delete from chat_private.watched_tables as w where w.relation = unwatch_stats.relation;
end;
$$;

comment on function chat_private.unwatch_stats(regclass) is
  $$Take away what watch_stats() attached to a table and its partitions.

Args:
  relation: the table; one that is not watched is left as it is.$$;

create function chat_private.watch_stats(relation regclass, tenant_column text)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_kind text := (
    select c.relkind from pg_catalog.pg_class as c where c.oid = watch_stats.relation
  );
  v_type regtype := (
    select a.atttypid
    from pg_catalog.pg_attribute as a
    where a.attrelid = watch_stats.relation
      and a.attname = watch_stats.tenant_column
      and a.attnum > 0
      and not a.attisdropped
  );
  v_part regclass;
begin
  if v_kind is null or v_kind not in ('r', 'p') then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = format('%s is no table, and only tables tell when their rows change.', watch_stats.relation),
      hint = 'Watch the tables that the view reads, or that hold the rows of the foreign table.';
  end if;
  if v_type is distinct from 'uuid'::regtype then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = format(
        '%s has no column %s of the type uuid.', watch_stats.relation, watch_stats.tenant_column
      ),
      hint = 'Name the column that holds the tenant_id of chat.tenants.';
  end if;
  perform chat_private.unwatch_stats(watch_stats.relation);
  -- Writes that name a partition fire the triggers of that partition alone.
  for v_part in
    select watch_stats.relation
    union
    select p.relid from pg_catalog.pg_partition_tree(watch_stats.relation) as p
  loop
    execute format(
      'create trigger _900_announce_insert after insert on %1$s
         referencing new table as new_rows
         for each statement execute function chat_private.tg_watched__change(%2$L, %3$L);
       create trigger _900_announce_update after update on %1$s
         referencing old table as old_rows new table as new_rows
         for each statement execute function chat_private.tg_watched__change(%2$L, %3$L);
       create trigger _900_announce_delete after delete on %1$s
         referencing old table as old_rows
         for each statement execute function chat_private.tg_watched__change(%2$L, %3$L);
       create trigger _900_announce_truncate before truncate on %1$s
         for each statement execute function chat_private.tg_watched__truncate(%2$L, %3$L)',
      v_part, watch_stats.tenant_column, watch_stats.relation
    );
  end loop;
  insert into chat_private.watched_tables (relation, tenant_column)
  values (watch_stats.relation, watch_stats.tenant_column);
end;
$$;

comment on function chat_private.watch_stats(regclass, text) is
  $$Tell the dashboards of tenants when a table of the project changes.

Run it as the role that owns the table, for example in a migration, and again after a partition was
added, or the table or the column got another name. (Until then events carry the old name of the table;
where the column cannot be read, all tenants are told, and the write warns.) Members of a tenant listen to
tenant:<tenant_id>:dashboard for stats_invalidated {tenant_id, tables}, which comes once in a transaction
and tenant, however many rows it changed.

Args:
  relation: a table or a partitioned table.
  tenant_column: its uuid column that holds the tenant; rows without one are told to nobody.

Raises:
  invalid_input: it is a view or a foreign table, or the column is not there or no uuid.$$;

revoke execute on function
  chat_private.dashboard_topic(uuid),
  chat_private.touch_stats(uuid[], text),
  chat_private.tg_stats_touched__announce(),
  chat_private.warn_unwatched(regclass, text),
  chat_private.tg_watched__change(),
  chat_private.tg_watched__truncate(),
  chat_private.unwatch_stats(regclass),
  chat_private.watch_stats(regclass, text)
  from public, anon, authenticated;
