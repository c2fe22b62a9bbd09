-- update_profile: what others see of me.

-- It takes no number: a pull brings the profiles that changed since the snapshot of the one before.
create function chat_private.update_profile(
  display_name text,
  avatar_path text,
  label text,
  metadata jsonb,
  share_presence boolean
)
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

  perform chat_private.refuse(chat_private.refusal_by_metadata(update_profile.metadata));
  -- Under a name people are found in each of their tenants.
  perform chat_private.spend(
    v_me,
    case
      when v_name is null then 1
      else greatest(1, (
        select count(*)::integer
        from chat.tenant_members as t
        where t.user_id = v_me and t.removed_at is null
      ))
    end
  );
  update chat.profiles as p
  set
    display_name = coalesce(v_name, p.display_name),
    avatar_path = nullif(coalesce(v_path, p.avatar_path), ''),
    label = nullif(coalesce(v_label, p.label), ''),
    metadata = coalesce(update_profile.metadata, p.metadata),
    share_presence = coalesce(update_profile.share_presence, p.share_presence)
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
  label text default null,
  metadata jsonb default null,
  share_presence boolean default null
)
returns chat.profiles
language sql
volatile
set search_path = '', pg_temp
return chat_private.update_profile(display_name, avatar_path, label, metadata, share_presence);

comment on function chat.update_profile(text, text, text, jsonb, boolean) is
  $$Change the caller's profile; what is left out or null stays as it is.

Price: 1; with a display_name as many as the caller is in tenants.

Args:
  display_name: 1 to 80 characters.
  avatar_path: a path in storage, up to 500 characters; '' clears it.
  label: any word of the app, up to 40 characters; '' clears it.
  metadata: an object of the app's own, up to 4 KB; {} clears it.
  share_presence: false hides when the caller is online; they still see others.

Returns:
  The profile.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: a value is not as described, or holds control characters.
  payload_too_large: the metadata take more than 4 KB.
  slow_down: too much at once; Retry-After tells the seconds.$$;

revoke execute on function
  chat_private.update_profile(text, text, text, jsonb, boolean),
  chat.update_profile(text, text, text, jsonb, boolean)
  from public, anon, authenticated;
grant execute on function
  chat_private.update_profile(text, text, text, jsonb, boolean),
  chat.update_profile(text, text, text, jsonb, boolean)
  to authenticated, service_role;
