select
  e.seq, to_json(e.at) #>> '{}' as at, e.actor_id::text, e.via, e.action, e.tenant_id::text,
  e.room_id::text, e.subject_id::text, e.details, e.sealed, e.hash
from chat.list_audit(%(before)s, %(size)s) as e
