-- Files that somebody has uploaded and not sent yet, one for each of their next messages.
insert into storage.objects (bucket_id, name, owner_id, metadata)
select 'chat-attachments', f.path, f.user_id, '{"size": 7, "mimetype": "image/png"}'
from unnest(%(paths)s::text[], %(user_ids)s::text[]) as f (path, user_id);
