-- The answer was given in a history that a restore undid. A send or a mark can go again.
update outbox
set state = 'pending', rev = null, row = null
where state = 'sent' and kind in ('send', 'read', 'delivered')
