-- explain_access: why somebody may, or may not, listen and send on a topic.

-- Realtime answers a refused join with one sentence for every reason. This tells them apart, to the
-- person themselves and to those who look after the room or the tenant.
create type chat.access_explanation as (
  topic text,
  user_id uuid,
  may_listen boolean,
  may_send boolean,
  reason text,
  hint text
);

comment on type chat.access_explanation is 'What a topic is to somebody, and why.';

create function chat_private.explain_access(topic text, user_id uuid)
returns chat.access_explanation
language plpgsql
stable
-- definer: reads memberships, bans and epochs of somebody else
security definer
set search_path = '', pg_temp
as $$
declare
  v_me uuid := chat_private.current_user_id();
  v_them uuid := coalesce(explain_access.user_id, v_me);
  v_rights text[];
  v_answer chat.access_explanation;
  v_parts text[];
  v_id uuid;
  v_current integer;
begin
  v_answer.topic := explain_access.topic;
  v_answer.user_id := v_them;
  v_parts := regexp_match(
    explain_access.topic,
    '^(user|room|live|tenant):([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}):([1-9][0-9]{0,8}|dashboard)$'
  );
  if v_parts is null or (v_parts[1] = 'tenant') <> (v_parts[3] = 'dashboard') then
    v_answer.may_listen := false;
    v_answer.may_send := false;
    v_answer.reason := 'topic_malformed';
    v_answer.hint := 'Topics are user:<user_id>:<epoch>, room:<room_id>:<epoch>, '
      'live:<room_id>:<epoch> and tenant:<tenant_id>:dashboard, in lower case.';
    return v_answer;
  end if;
  v_id := v_parts[2];

  -- Somebody else's access is the business of who looks after the place.
  if v_them <> v_me and not (
    (v_parts[1] in ('room', 'live') and chat_private.is_moderator(v_id))
    or exists (
      select
      from chat.tenant_members as mine
      join chat.tenant_members as theirs
        on theirs.tenant_id = mine.tenant_id
        and theirs.user_id = v_them
        and theirs.removed_at is null
      where mine.user_id = v_me
        and mine.removed_at is null
        and mine.role in ('owner', 'admin')
        and v_parts[1] in ('user', 'tenant')
        and (v_parts[1] = 'user' or mine.tenant_id = v_id)
    )
  ) then
    raise exception using
      errcode = 'PT403',
      message = 'not_allowed',
      detail = 'The access of others is explained to moderators of the room and admins of the tenant.',
      hint = 'Leave user_id out to ask for yourself.';
  end if;

  -- The verdict is the policy's own; only the reason is worked out here.
  v_rights := chat_private.rights_on_topic(explain_access.topic, v_them);
  v_answer.may_listen := 'listen' = any (v_rights);
  v_answer.may_send := 'speak' = any (v_rights);

  v_current := case
    when v_parts[1] = 'user' then (
      select s.epoch from chat_private.user_streams as s where s.user_id = v_id
    )
    else (select r.epoch from chat.rooms as r where r.id = v_id)
  end;
  if v_answer.may_listen then
    v_answer.reason := 'allowed';
    v_answer.hint := case
      when v_answer.may_send then 'Join it as a private channel.'
      else 'Join it as a private channel; only the server sends on it.'
    end;
  elsif v_parts[1] in ('room', 'live') and not exists (
    select from chat.room_members as m
    where m.room_id = v_id and m.user_id = v_them and m.left_at is null
  ) then
    if v_them <> v_me and chat_private.is_banned(v_id, v_them) then
      v_answer.reason := 'banned';
      v_answer.hint := 'Lift the ban with unban_member.';
    else
      v_answer.reason := 'not_in_room';
      v_answer.hint := 'The room does not exist, or they are not in it.';
    end if;
  elsif exists (
    select from chat.profiles as p where p.user_id = v_them and p.closed_at is not null
  ) then
    v_answer.reason := 'account_closed';
    v_answer.hint := 'The account has ended.';
  elsif v_parts[1] = 'user' and v_id <> v_them then
    v_answer.reason := 'not_their_topic';
    v_answer.hint := 'A user topic is for that person alone.';
  elsif v_parts[1] = 'tenant' then
    v_answer.reason := 'not_in_tenant';
    v_answer.hint := 'Add them with add_tenant_member.';
  else
    v_answer.reason := 'old_epoch';
    v_answer.hint := format('The topic moved on to epoch %s; list_heads tells it.', v_current);
  end if;
  return v_answer;
end;
$$;

create function chat.explain_access(topic text, user_id uuid default null)
returns chat.access_explanation
language sql
stable
set search_path = '', pg_temp
return chat_private.explain_access(topic, user_id);

comment on function chat.explain_access(text, uuid) is
  $$Explain what somebody may do on a topic, and why not more.

Args:
  topic: as it is joined, for example room:<room_id>:<epoch>.
  user_id: somebody else, for moderators of the room and admins of the tenant; left out, the caller.

Returns:
  may_listen, may_send, and a reason: allowed, topic_malformed, account_closed, not_their_topic,
  not_in_tenant, not_in_room, banned or old_epoch; with a hint what to do.

Raises:
  sign_in_required: nobody is signed in.
  not_allowed: the caller looks after neither the room nor the tenant.$$;

revoke execute on function
  chat_private.explain_access(text, uuid), chat.explain_access(text, uuid)
  from public, anon, authenticated;
grant execute on function
  chat_private.explain_access(text, uuid), chat.explain_access(text, uuid)
  to authenticated;
