-- A user of Auth as its admin API prints one.
select
  jsonb_strip_nulls(
    jsonb_build_object(
      'email_confirmed_at', u.email_confirmed_at,
      'phone_confirmed_at', u.phone_confirmed_at,
      'confirmed_at', u.confirmed_at,
      'invited_at', u.invited_at,
      'last_sign_in_at', u.last_sign_in_at,
      'banned_until', u.banned_until,
      'deleted_at', u.deleted_at
    )
  )
  || jsonb_build_object(
    'id', u.id,
    'aud', u.aud,
    'role', u.role,
    'email', coalesce(u.email, ''),
    'phone', coalesce(u.phone, ''),
    'app_metadata', coalesce(u.raw_app_meta_data, '{}'),
    'user_metadata', coalesce(u.raw_user_meta_data, '{}'),
    'identities', coalesce(
      (
        select jsonb_agg(
          jsonb_build_object(
            'identity_id', i.id,
            'id', i.provider_id,
            'user_id', i.user_id,
            'identity_data', i.identity_data,
            'provider', i.provider,
            'last_sign_in_at', i.last_sign_in_at,
            'created_at', i.created_at,
            'updated_at', i.updated_at,
            'email', i.email
          )
          order by i.created_at
        )
        from auth.identities as i
        where i.user_id = u.id
      ),
      '[]'
    ),
    'is_anonymous', u.is_anonymous,
    'created_at', u.created_at,
    'updated_at', u.updated_at
  )
from auth.users as u
where u.id = any(%(ids)s)
order by u.created_at desc, u.id
