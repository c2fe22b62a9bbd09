-- Parley {version} is taken out: the schemas chat and chat_private, with everything that was said in
-- them, and what hangs on them: triggers on auth.users, policies on realtime.messages and
-- storage.objects, and the jobs of pg_cron that call Parley.
-- The buckets chat-attachments and chat-avatars stay, because only the Storage API deletes files.
{found}
do $parley$
begin
  perform set_config('search_path', '', true);
{refusal}
  drop schema chat, chat_private cascade;
  if to_regclass('cron.job') is not null then
    perform cron.unschedule(j.jobid)
    from cron.job as j
    where j.command ~ '\m(chat\.run_maintenance|chat_private\.sweep_\w+)\M';
  end if;
end;
$parley$;
