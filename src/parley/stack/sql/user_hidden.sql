-- A soft delete: the row stays, and nobody signs in with it any more.
update auth.users as u
set
  deleted_at = now(),
  encrypted_password = '',
  email = case when u.email is not null then encode(sha256(u.email::bytea), 'hex') end,
  phone = case when u.phone is not null then left(encode(sha256(u.phone::bytea), 'hex'), 15) end,
  raw_user_meta_data = '{}',
  updated_at = now()
where u.id = %(id)s and u.deleted_at is null
