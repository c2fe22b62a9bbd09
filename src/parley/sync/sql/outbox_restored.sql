-- After a restore, another message may have the number that an edit, deletion or reaction is about.
-- One that waits for a send of this outbox is about the message that this send makes.
update outbox
set state = 'discarded', reason = 'restored'
where state = 'pending' and kind not in ('send', 'read', 'delivered') and not exists (
  select 1 from outbox as o
  where o.kind = 'send' and o.state = 'pending' and o.client_id = outbox.client_id
)
