-- Each membership and each mark has a number of its person, so the heads are set to the last ones.
update chat_private.user_streams as s
set rev = n.rev, touched = '{memberships,marks}'
from seeded_streams as n
where s.user_id = n.user_id
