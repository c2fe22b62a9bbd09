-- claim_files and complete_files: a worker removes what is to go through the Storage API.

create type chat.claimed_file as (bucket_id text, path text);

comment on type chat.claimed_file is 'A file to remove through the Storage API.';

-- How far the search for files that nobody has sent got. It goes round and round in portions, because
-- Storage has no index on the time of an upload.
create table chat_private.file_sweep (
  only_row boolean primary key default true,
  bucket_id text not null default 'chat-attachments',
  path text not null default '',
  constraint there_is_one_row check (only_row)
);

comment on table chat_private.file_sweep is 'The last file that was looked at whether it is still wanted.';

create function chat_private.is_wanted(bucket_id text, path text)
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return case is_wanted.bucket_id
    when 'chat-attachments' then exists (
      select from chat.attachments as a where a.path = is_wanted.path
    )
    else exists (
      select from chat.profiles as p
      where p.user_id = chat_private.folder_of(is_wanted.path) and p.avatar_path = is_wanted.path
    )
  end;
end;
$$;

comment on function chat_private.is_wanted(text, text) is
  'Tell whether a message holds a file, or a profile shows it.';

-- A file is given up while its room is held, as it is sent while its room is held. A room that is busy
-- is left for the next round, so that nobody waits for somebody who waits.
create function chat_private.queue_orphans(most integer)
returns integer
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_at chat_private.file_sweep;
  v_paths text[];
  v_old text[];
  v_count integer;
begin
  select s.* into v_at from chat_private.file_sweep as s for update skip locked;
  if not found then
    return 0;
  end if;
  v_paths := array(
    select o.name
    from storage.objects as o
    where o.bucket_id = v_at.bucket_id and o.name > v_at.path
    order by o.name
    limit queue_orphans.most
  );
  v_old := array(
    select o.name
    from storage.objects as o
    where o.bucket_id = v_at.bucket_id
      and o.name = any (v_paths)
      and o.created_at < clock_timestamp() - interval '1 day'
      and chat_private.folder_of(o.name) is not null
      and not chat_private.is_wanted(o.bucket_id, o.name)
  );
  if v_at.bucket_id = 'chat-attachments' then
    with held as (
      select r.id
      from chat.rooms as r
      where r.id = any (array(select chat_private.folder_of(p) from unnest(v_old) as p))
      order by r.id
      for no key update skip locked
    )
    select coalesce(array_agg(p.path), '{}') into v_old
    from unnest(v_old) as p (path)
    where chat_private.folder_of(p.path) in (select h.id from held as h);
  end if;
  -- A later statement, so that it sees what was sent until the rooms were held.
  insert into chat_private.file_queue (bucket_id, path)
  select v_at.bucket_id, p.path
  from unnest(v_old) as p (path)
  where not chat_private.is_wanted(v_at.bucket_id, p.path)
  on conflict on constraint file_queue_pkey do nothing;
  get diagnostics v_count = row_count;
  update chat_private.file_sweep as s
  set
    bucket_id = case
      when cardinality(v_paths) = queue_orphans.most then s.bucket_id
      when s.bucket_id = 'chat-attachments' then 'chat-avatars'
      else 'chat-attachments'
    end,
    path = case
      when cardinality(v_paths) = queue_orphans.most then v_paths[queue_orphans.most] else ''
    end;
  return v_count;
end;
$$;

comment on function chat_private.queue_orphans(integer) is
  $$Give up files that were uploaded a day ago and that nobody has sent, and avatars nobody shows.

Args:
  most: how many files to look at; the next call goes on behind them.

Returns:
  How many files were given up.$$;

create function chat_private.claim_files(batch_size integer)
returns setof chat.claimed_file
language plpgsql
volatile
-- definer: reads and writes tables that nobody may write
security definer
set search_path = '', pg_temp
as $$
declare
  v_now timestamptz := clock_timestamp();
begin
  if claim_files.batch_size is null or claim_files.batch_size not between 1 and 500 then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'A batch has 1 to 500 files.',
      hint = 'Leave batch_size out for 100.';
  end if;
  return query
    update chat_private.file_queue as q
    set due_at = v_now + interval '2 minutes'
    from (
      select d.bucket_id, d.path
      from chat_private.file_queue as d
      where d.due_at <= v_now
      order by d.due_at
      limit claim_files.batch_size
      for update skip locked
    ) as due
    where q.bucket_id = due.bucket_id and q.path = due.path
    returning q.bucket_id, q.path;
end;
$$;

create type chat_private.file_result as (bucket_id text, path text, outcome text);

-- A file has gone when its row in storage has, whatever the worker says.
create function chat_private.complete_files(results jsonb)
returns integer
language plpgsql
volatile
-- definer: writes tables that nobody may write
security definer
set search_path = '', pg_temp
as $$
declare
  v_result chat_private.file_result;
  v_count integer := 0;
begin
  if jsonb_typeof(complete_files.results) is distinct from 'array' then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'results is an array with an object for each file.',
      hint = 'Pass what claim_files returned, each with its outcome.';
  end if;
  for v_result in
    select r.*
    from jsonb_populate_recordset(null::chat_private.file_result, complete_files.results) as r
    order by r.bucket_id, r.path
  loop
    delete from chat_private.file_queue as q
    where q.bucket_id = v_result.bucket_id
      and q.path = v_result.path
      and v_result.outcome = 'removed'
      and not exists (
        select from storage.objects as o where o.bucket_id = q.bucket_id and o.name = q.path
      );
    if found then
      v_count := v_count + 1;
    else
      update chat_private.file_queue as q
      set
        due_at = clock_timestamp() + interval '1 s' * least(60 * 2 ^ least(q.tries, 12), 3600),
        tries = q.tries + 1
      where q.bucket_id = v_result.bucket_id
        and q.path = v_result.path
        and q.due_at < 'infinity';
    end if;
  end loop;
  return v_count;
end;
$$;

create function chat.claim_files(batch_size integer default 100)
returns setof chat.claimed_file
language sql
volatile
set search_path = '', pg_temp
begin atomic
  select f.bucket_id, f.path from chat_private.claim_files(batch_size) as f;
end;

create function chat.complete_files(results jsonb)
returns integer
language sql
volatile
set search_path = '', pg_temp
return chat_private.complete_files(results);

comment on function chat.claim_files(integer) is
  $$Take files that are to be removed now.

For the service role. What was taken is nobody else's for two minutes; tell complete_files what became
of it, or it is taken again. Call it again until nothing comes.

Args:
  batch_size: 1 to 500 files.

Returns:
  Files to remove through the Storage API.

Raises:
  invalid_input: the batch size is out of range.$$;

comment on function chat.complete_files(jsonb) is
  $$Say what became of claimed files.

For the service role. A file that is still in storage is tried again after a minute, then after two, up
to an hour.

Args:
  results: an array of {bucket_id, path} as claim_files returned them, with outcome: removed or retry.

Returns:
  How many files are gone.

Raises:
  invalid_input: results is no array.$$;

revoke execute on function
  chat_private.is_wanted(text, text),
  chat_private.queue_orphans(integer),
  chat_private.claim_files(integer), chat.claim_files(integer),
  chat_private.complete_files(jsonb), chat.complete_files(jsonb)
  from public, anon, authenticated;
grant execute on function
  chat_private.claim_files(integer), chat.claim_files(integer),
  chat_private.complete_files(jsonb), chat.complete_files(jsonb)
  to service_role;

-- Where the function is, and its secret, are two secrets of Vault:
--   select vault.create_secret('https://<ref>.supabase.co/functions/v1/collect-chat-files', 'parley_files_url');
--   select vault.create_secret('<FILES_SECRET>', 'parley_files_secret');
create function chat_private.sweep_files()
returns boolean
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  return exists (
    select from chat_private.file_queue as q where q.due_at <= clock_timestamp()
  ) and chat_private.wake('files');
end;
$$;

comment on function chat_private.sweep_files() is
  'Wake the function that removes files if anything is left for it.';

-- Nobody waits for a file to go, so once a minute is enough.
create function chat_private.attach_files()
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  if to_regproc('net.http_post') is not null and to_regproc('cron.schedule') is not null then
    perform cron.schedule('parley_files', '* * * * *', 'select chat_private.sweep_files()');
  end if;
end;
$$;

comment on function chat_private.attach_files() is
  'Let every minute wake the function where there are pg_net and pg_cron; a part of attach().';

revoke execute on function chat_private.sweep_files(), chat_private.attach_files()
  from public, anon, authenticated;
