-- The people of the demo who have an account here that this password opens.
select
  u.email,
  u.raw_user_meta_data ->> 'display_name' as name
from auth.users as u
where
  u.email = any(%(emails)s)
  and u.encrypted_password = extensions.crypt(%(password)s, u.encrypted_password)
order by u.email
