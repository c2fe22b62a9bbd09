-- Accounts without a password: nobody can sign in with them.
insert into auth.users (
  id, aud, role, email, email_confirmed_at, raw_app_meta_data, raw_user_meta_data,
  created_at, updated_at, confirmation_token, recovery_token, email_change, email_change_token_new
)
select
  p.id, 'authenticated', 'authenticated', 'seeded-' || p.id || '@parley.example', now(),
  '{"provider": "email", "providers": ["email"]}',
  jsonb_build_object('display_name', p.name), now(), now(), '', '', '', ''
from seeded_people as p
