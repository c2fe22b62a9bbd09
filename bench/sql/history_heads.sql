-- `touched` is empty, so that no step carries all this.
update chat.rooms as r
set last_seq = m.last_seq, rev = m.last_rev, active_at = m.last_at, touched = '{}'
from (
  select m.room_id, max(m.seq) as last_seq, max(m.rev) as last_rev, max(m.created_at) as last_at
  from chat.messages as m
  group by m.room_id
) as m
where m.room_id = r.id and m.last_rev > r.rev;
