-- Takes Parley out of a database, with everything that was said in it. Run it as postgres.
begin;

-- What stands outside the two schemas hangs on functions inside them and goes with those: the
-- triggers on auth.users and the policies on realtime.messages.
drop schema chat cascade;
drop schema chat_private cascade;

-- The extensions stay: something else may use them by now.
delete from supabase_migrations.schema_migrations where version like '20261121______';

do $$
begin
  -- pg_cron is optional, and so is our job.
  if to_regclass('cron.job') is not null then
    perform cron.unschedule(jobid) from cron.job where command ~ '\mchat\.run_maintenance\M';
  end if;

  if exists (
    select from pg_policies as p
    where p.schemaname = 'realtime'
      and p.tablename = 'messages'
      and p.policyname in (
        'people listen to their own topics', 'members speak on the live topics of their rooms'
      )
  ) or exists (
    select from pg_trigger as t
    where t.tgrelid = 'auth.users'::regclass
      and t.tgname in ('_100_open_account', '_100_close_account', '_200_close_account')
  ) then
    raise exception 'something of Parley is left; nothing was removed';
  end if;
end;
$$;

commit;
