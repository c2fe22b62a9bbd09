-- wake_pushes: calls the function that sends pushes, where the platform has pg_net and pg_cron.

-- Where a function is, and its secret, are two secrets of Vault, for pushes:
--   select vault.create_secret('https://<ref>.supabase.co/functions/v1/send-chat-push', 'parley_push_url');
--   select vault.create_secret('<PUSH_SECRET>', 'parley_push_secret');
create function chat_private.wake(worker text)
returns boolean
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_url text;
  v_secret text;
begin
  select s.decrypted_secret into v_url
  from vault.decrypted_secrets as s where s.name = format('parley_%s_url', wake.worker);
  select s.decrypted_secret into v_secret
  from vault.decrypted_secrets as s where s.name = format('parley_%s_secret', wake.worker);
  if v_url is null or v_secret is null then
    return false;
  end if;
  perform net.http_post(
    url := v_url,
    body := '{}'::jsonb,
    headers := jsonb_build_object(
      format('x-%s-secret', wake.worker), v_secret, 'content-type', 'application/json'
    )
  );
  return true;
end;
$$;

comment on function chat_private.wake(text) is
  $$Call an Edge Function once this transaction commits.

Args:
  worker: push or files.

Returns:
  False while Vault does not say where it is.$$;

create function chat_private.wake_pushes()
returns boolean
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  return chat_private.wake('push');
end;
$$;

comment on function chat_private.wake_pushes() is
  'Call the function that sends pushes once this transaction commits; false while it has no address.';

create function chat_private.sweep_pushes()
returns boolean
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  return (
    exists (select from chat_private.push_outbox)
    or exists (
      select from chat_private.push_deliveries as d
      where d.wanted_seq > d.sent_seq and d.due_at <= clock_timestamp()
    )
    or exists (select from chat_private.push_deliveries as d where d.clear_at is not null)
    or exists (
      select from chat_private.push_deliveries as d
      where d.ticket is not null and d.ticket_at < clock_timestamp() - interval '15 minutes'
    )
  ) and chat_private.wake_pushes();
end;
$$;

comment on function chat_private.sweep_pushes() is
  'Wake the function if anything is left for it: what was put off, or what nobody woke it for.';

-- One transaction at a time wakes, and a wake that fails costs whoever caused it nothing.
create function chat_private.try_wake_pushes()
returns boolean
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  return pg_try_advisory_xact_lock(hashtextextended('parley wake_pushes', 0))
    and chat_private.wake_pushes();
exception
  when others then
    raise warning 'the function that sends pushes was not woken: %', sqlerrm;
    return false;
end;
$$;

comment on function chat_private.try_wake_pushes() is
  'Wake the function unless another transaction is about to; never fails.';

-- Nobody wakes while an earlier message of the last two seconds waits: the transaction that sent that
-- one has woken the function.
create function chat_private.tg_push_outbox__wake()
returns trigger
language plpgsql
volatile
-- definer: reads Vault, and runs as the sender
security definer
set search_path = '', pg_temp
as $$
declare
  v_newest timestamptz := (select max(n.created_at) from new_rows as n);
begin
  if not exists (
    select from chat_private.push_outbox as o
    where o.created_at > v_newest - interval '2 seconds'
      and o.created_at < (select min(n.created_at) from new_rows as n)
  ) then
    perform chat_private.try_wake_pushes();
  end if;
  return null;
end;
$$;

-- Somebody read elsewhere what a device shows: its badge should not wait for the next minute. The same
-- rule, so the first of several devices wakes for all of them. (For each row, because a statement that
-- names columns has no transition tables, and most reads take nothing away.)
create function chat_private.tg_push_deliveries__wake()
returns trigger
language plpgsql
volatile
-- definer: reads Vault, and runs as the reader
security definer
set search_path = '', pg_temp
as $$
begin
  if not exists (
    select from chat_private.push_deliveries as d
    where d.clear_at > new.clear_at - interval '2 seconds'
      and (d.clear_at, d.user_id, d.room_id, d.device_id)
        < (new.clear_at, new.user_id, new.room_id, new.device_id)
  ) then
    perform chat_private.try_wake_pushes();
  end if;
  return null;
end;
$$;

-- Where neither is there, as in the local stack, something else wakes the function.
create function chat_private.attach_push()
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  if to_regproc('net.http_post') is null then
    return;
  end if;
  create or replace trigger _900_wake after insert on chat_private.push_outbox
    referencing new table as new_rows
    for each statement execute function chat_private.tg_push_outbox__wake();
  create or replace trigger _900_wake after update of clear_at on chat_private.push_deliveries
    for each row when (old.clear_at is null and new.clear_at is not null)
    execute function chat_private.tg_push_deliveries__wake();
  if to_regproc('cron.schedule') is not null then
    perform cron.schedule('parley_pushes', '* * * * *', 'select chat_private.sweep_pushes()');
  end if;
end;
$$;

comment on function chat_private.attach_push() is
  'Let sends, reads and every minute wake the function where there are pg_net and pg_cron; a part of attach().';

revoke execute on function
  chat_private.wake(text), chat_private.wake_pushes(), chat_private.sweep_pushes(),
  chat_private.try_wake_pushes(), chat_private.tg_push_outbox__wake(),
  chat_private.tg_push_deliveries__wake(), chat_private.attach_push()
  from public, anon, authenticated;
