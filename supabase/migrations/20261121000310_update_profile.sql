-- update_profile: what others see of me.

-- Outside the streams: a name is shown in every room of a person, and none of them should take a
-- number for it. A pull carries the profiles its rows name.
create function chat_private.update_profile(display_name text, avatar_path text, label text)
returns chat.profiles
language plpgsql
volatile
-- definer: writes tables that nobody may write
security definer
set search_path = '', pg_temp
as $$
declare
  v_me uuid := chat_private.current_user_id();
  v_name text := chat_private.clean_line(update_profile.display_name, 'display name', 80);
  v_path text := chat_private.clean_line(update_profile.avatar_path, 'avatar path', 500);
  v_label text := chat_private.clean_line(update_profile.label, 'label', 40);
  v_profile chat.profiles;
begin
  if v_name = '' then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'A display name is not empty.',
      hint = 'Pass 1 to 80 characters, or leave it out to keep it.';
  end if;

  update chat.profiles as p
  set
    display_name = coalesce(v_name, p.display_name),
    avatar_path = nullif(coalesce(v_path, p.avatar_path), ''),
    label = nullif(coalesce(v_label, p.label), '')
  where p.user_id = v_me and p.closed_at is null
  returning p.* into v_profile;
  if not found then
    perform chat_private.current_user_id();
  end if;
  return v_profile;
end;
$$;

create function chat.update_profile(
  display_name text default null,
  avatar_path text default null,
  label text default null
)
returns chat.profiles
language sql
volatile
set search_path = '', pg_temp
return chat_private.update_profile(display_name, avatar_path, label);

comment on function chat.update_profile(text, text, text) is
  $$Change the caller's profile; what is left out or null stays as it is.

Args:
  display_name: 1 to 80 characters.
  avatar_path: a path in storage; '' clears it.
  label: any word of the app, up to 40 characters; '' clears it.

Returns:
  The profile.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: a value is not as described, or holds control characters.$$;

revoke execute on function
  chat_private.update_profile(text, text, text), chat.update_profile(text, text, text)
  from public, anon, authenticated;
grant execute on function
  chat_private.update_profile(text, text, text), chat.update_profile(text, text, text)
  to authenticated;
