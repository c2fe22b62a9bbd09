-- The rows that migrations make and functions rely on: what each is for, and what it has to hold.
-- What an operator may change is left out.
select 'chat_private.settings' as name, '' as definition
from chat_private.settings
union all
select 'the tenant default', '' from chat.tenants as t
where t.tenant_id = '00000000-0000-0000-0000-000000000001'
union all
select format('the bucket %s', b.id), case when b.public then 'public' else '' end
from storage.buckets as b
where b.id in ('chat-attachments', 'chat-avatars')
union all
select format('the walk through %s', w.name), '' from chat_private.walks as w
union all
select 'chat_private.file_sweep', '' from chat_private.file_sweep
union all
select 'chat_private.check_counts', '' from chat_private.check_counts
union all
select 'chat_private.maintenance_runs', '' from chat_private.maintenance_runs
union all
select 'chat_private.foldings', md5(string_agg(concat(f.letter, f.folded), ',' order by f.letter collate "C"))
from chat_private.foldings as f
