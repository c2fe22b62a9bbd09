-- Each membership and each mark took a number of its person; the heads follow in one go.
update chat_private.user_streams as s
set rev = n.rev, touched = '{memberships,marks}'
from seeded_streams as n
where s.user_id = n.user_id
