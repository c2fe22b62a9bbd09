-- What the admin API changes of a user; null leaves a value as it is, and a key of
-- metadata whose value is null goes.
with changed as (
  update auth.users as u
  set
    role = coalesce(%(role)s::text, u.role),
    email = coalesce(%(email)s::text, u.email),
    phone = coalesce(%(phone)s::text, u.phone),
    encrypted_password = coalesce(%(password_hash)s::text, u.encrypted_password),
    email_confirmed_at = case
      when %(email_confirm)s then coalesce(u.email_confirmed_at, now()) else u.email_confirmed_at
    end,
    phone_confirmed_at = case
      when %(phone_confirm)s then coalesce(u.phone_confirmed_at, now()) else u.phone_confirmed_at
    end,
    raw_app_meta_data = (
      select coalesce(jsonb_object_agg(e.key, e.value) filter (where e.value <> 'null'), '{}')
      from jsonb_each(coalesce(u.raw_app_meta_data, '{}') || coalesce(%(app_metadata)s::jsonb, '{}'))
        as e
    ),
    raw_user_meta_data = (
      select coalesce(jsonb_object_agg(e.key, e.value) filter (where e.value <> 'null'), '{}')
      from jsonb_each(coalesce(u.raw_user_meta_data, '{}') || coalesce(%(user_metadata)s::jsonb, '{}'))
        as e
    ),
    banned_until = case when %(changes_ban)s then %(banned_until)s::timestamptz else u.banned_until end,
    updated_at = now()
  where u.id = %(id)s and u.deleted_at is null
  returning u.*
)
update auth.identities as i
set
  identity_data = i.identity_data || jsonb_strip_nulls(
    jsonb_build_object('email', c.email, 'email_verified', c.email_confirmed_at is not null)
  ),
  updated_at = now()
from changed as c
where i.user_id = c.id and i.provider = 'email'
