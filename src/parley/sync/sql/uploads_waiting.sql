-- Files of sends that wait, in the order they were attached.
select u.path, u.client_id, u.mime_type, u.size
from uploads as u
join outbox as o on o.client_id = u.client_id and o.kind = 'send' and o.state = 'pending'
where not u.is_done
order by o.id, u.path
