-- A page of users, the newest first.
select u.id, count(*) over () as total
from auth.users as u
order by u.created_at desc, u.id
limit %(per_page)s offset %(skipped)s
