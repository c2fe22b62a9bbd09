-- A user that the admin API makes, and how they sign in.
with made as (
  insert into auth.users (
    id, aud, role, email, phone, encrypted_password, email_confirmed_at, phone_confirmed_at,
    raw_app_meta_data, raw_user_meta_data, banned_until
  )
  values (
    %(id)s, 'authenticated', %(role)s, %(email)s, %(phone)s, %(password_hash)s,
    case when %(email_confirm)s then now() end, case when %(phone_confirm)s then now() end,
    jsonb_build_object('provider', %(provider)s::text, 'providers', jsonb_build_array(%(provider)s::text))
    || %(app_metadata)s,
    %(user_metadata)s,
    %(banned_until)s::timestamptz
  )
  returning *
)
insert into auth.identities (id, provider, provider_id, user_id, identity_data)
select
  gen_random_uuid(), %(provider)s, m.id::text, m.id,
  jsonb_strip_nulls(
    jsonb_build_object(
      'sub', m.id, 'email', m.email, 'phone', m.phone,
      'email_verified', m.email_confirmed_at is not null,
      'phone_verified', m.phone_confirmed_at is not null
    )
  )
from made as m
