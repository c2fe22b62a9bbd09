-- Closed accounts that maintenance should have taken out of their rooms and tenants by now.
select count(*)
from chat.profiles as p
where p.closed_at < now() - interval '1 hour'
  and (
    exists (select from chat.room_members as m where m.user_id = p.user_id and m.left_at is null)
    or exists (
      select from chat.tenant_members as t where t.user_id = p.user_id and t.removed_at is null
    )
  )
