-- attach: makes what Parley has outside its two schemas, and the rows that it cannot do without.

-- A squash of migrations and a dump of a schema lose all of this, so none of it is made anywhere else.
-- Everything here can be repeated: what is there stays as it is.
create function chat_private.attach_rows()
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  insert into chat_private.settings default values on conflict (only_row) do nothing;
  insert into chat_private.check_counts default values on conflict (only_row) do nothing;
  insert into chat_private.file_sweep default values on conflict (only_row) do nothing;
  insert into chat_private.maintenance_runs default values on conflict (only_row) do nothing;
  insert into chat_private.note_folding default values on conflict (only_row) do nothing;
  insert into chat_private.walks (name)
  values ('rooms'), ('people'), ('tenants')
  on conflict (name) do nothing;
  perform chat_private.fill_foldings();

  -- The tenant of projects with one team, which need no other.
  insert into chat.tenants (tenant_id, name)
  values ('00000000-0000-0000-0000-000000000001', 'default')
  on conflict (tenant_id) do nothing;

  -- Private, and without limits of their own: what is allowed is up to the tenant of a room.
  insert into storage.buckets (id, name, public)
  values ('chat-attachments', 'chat-attachments', false), ('chat-avatars', 'chat-avatars', false)
  on conflict (id) do nothing;
end;
$$;

comment on function chat_private.attach_rows() is
  'Make the settings, the default tenant, the buckets and other rows that have to be there.';

create function chat_private.attach_accounts()
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  create or replace trigger _100_open_account after insert on auth.users
    for each row execute function chat_private.tg_users__open_account();
  create or replace trigger _100_close_account before delete on auth.users
    for each row execute function chat_private.tg_users__close_account();
  -- The Auth API can also delete softly: it marks the row and keeps it.
  create or replace trigger _200_close_account before update of deleted_at on auth.users
    for each row when (new.deleted_at is not null and old.deleted_at is null)
    execute function chat_private.tg_users__close_account();

  -- People who signed up while there was no trigger. The first take part at once; maintenance opens the
  -- rest, because a hosted project stops a statement after two minutes.
  insert into chat_private.account_opening default values
  on conflict on constraint account_opening_pkey do update set after = default;
  perform chat_private.open_accounts(10000);
end;
$$;

comment on function chat_private.attach_accounts() is
  'Hear of accounts that are made and deleted, and begin to open those that are there.';

create function chat_private.has_policy(relation regclass, policy text)
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return exists (
    select from pg_catalog.pg_policy as p
    where p.polrelid = has_policy.relation and p.polname = has_policy.policy
  );
end;
$$;

comment on function chat_private.has_policy(regclass, text) is 'Tell whether a table has a policy of this name.';

-- Each of these compares the topic of the row with the topic that was asked for. Without that, anybody
-- who may join one topic could read the rows of all topics.
create function chat_private.attach_topics()
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  if not chat_private.has_policy('realtime.messages', 'people listen to their own topics') then
    create policy "people listen to their own topics" on realtime.messages
      for select to authenticated
      using (
        topic = (select realtime.topic())
        and extension = any ((select chat_private.listenable(realtime.topic()))::text[])
      );
  end if;
  if not chat_private.has_policy(
    'realtime.messages', 'members speak on the live topics of their rooms'
  ) then
    create policy "members speak on the live topics of their rooms" on realtime.messages
      for insert to authenticated
      with check (
        topic = (select realtime.topic())
        and extension = any ((select chat_private.speakable(realtime.topic()))::text[])
      );
  end if;
end;
$$;

comment on function chat_private.attach_topics() is
  'Let people onto the topics that they may listen to and speak on, and onto no others of Parley.';

-- A signed URL would outlive the membership of whoever signed it, so people fetch files with their
-- session; a server may sign for a minute. A signed upload would outlive a membership as well, and a copy
-- would come past the limits. There is no policy for update or delete: nothing is overwritten, moved, or
-- taken from under a message.
create function chat_private.attach_storage()
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  if not chat_private.has_policy('storage.objects', 'people read the files that they may see') then
    create policy "people read the files that they may see" on storage.objects
      for select to authenticated
      using (
        bucket_id in ('chat-attachments', 'chat-avatars')
        and not (select storage.allow_any_operation('{object.sign,object.sign_many}'))
        and chat_private.may_read_file(bucket_id, name, owner_id)
      );
  end if;
  if not chat_private.has_policy('storage.objects', 'members upload files to their rooms') then
    create policy "members upload files to their rooms" on storage.objects
      for insert to authenticated
      with check (
        bucket_id in ('chat-attachments', 'chat-avatars')
        and (
          select storage.allow_any_operation(
            '{object.upload,tus.upload.create,tus.upload.part,tus.upload.get}'
          )
        )
        and chat_private.may_add_file(bucket_id, name, metadata)
      );
  end if;
end;
$$;

comment on function chat_private.attach_storage() is
  'Let people read and upload the files of their rooms, and their avatars.';

-- A job of the project's own that calls maintenance is enough, whatever it is called.
create function chat_private.attach_jobs()
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  perform chat_private.attach_push();
  perform chat_private.attach_files();
  if to_regproc('cron.schedule') is null then
    return;
  end if;
  if not exists (select from cron.job as j where j.command ~ '\mrun_maintenance\M') then
    perform cron.schedule('parley', '* * * * *', 'select chat.run_maintenance()');
  end if;
end;
$$;

comment on function chat_private.attach_jobs() is
  'Let pg_cron call maintenance and the Edge Functions every minute, where it is installed.';

create function chat_private.attach()
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  perform chat_private.attach_rows();
  perform chat_private.attach_accounts();
  perform chat_private.attach_topics();
  perform chat_private.attach_storage();
  perform chat_private.attach_jobs();
end;
$$;

comment on function chat_private.attach() is
  $$Make what Parley needs outside its schemas, and its own first rows, where they are missing.

As postgres: after a squash of migrations, after a dump of a schema was restored, and when a project got
pg_cron or pg_net after Parley. It may be called at any time, and changes nothing that is there.$$;

revoke execute on function
  chat_private.attach_rows(), chat_private.attach_accounts(), chat_private.has_policy(regclass, text),
  chat_private.attach_topics(), chat_private.attach_storage(), chat_private.attach_jobs(),
  chat_private.attach()
  from public, anon, authenticated;

select chat_private.attach();
