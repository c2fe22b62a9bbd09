-- Files whose send is in the room by now, or was dismissed.
delete from uploads
where not exists (
  select 1 from outbox as o
  where o.client_id = uploads.client_id and o.kind = 'send' and o.state in ('pending', 'failed')
)
returning path
