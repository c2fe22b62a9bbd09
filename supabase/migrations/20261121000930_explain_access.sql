-- explain_access: why somebody may, or may not, listen and send on a topic.

-- Realtime answers a refused join with the same sentence for every reason. This function tells the
-- reason, to the person themselves and to owners and admins of the room or the tenant. About an id
-- that nobody has, they are told the same as about somebody in another tenant.
create type chat.access_explanation as (
  topic text,
  user_id uuid,
  may_listen boolean,
  may_send boolean,
  reason text,
  hint text
);

comment on type chat.access_explanation is 'What somebody may do on a topic, and why.';

-- Owners and admins of a room or a tenant may ask about the access of others to it. Nobody may ask
-- about the user topic of somebody else.
create function chat_private.require_explainable(kind text, id uuid)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if (
    require_explainable.kind = 'tenant' and chat_private.is_tenant_admin(require_explainable.id)
  ) or (
    require_explainable.kind in ('room', 'live') and exists (
      select from chat.room_members as m
      where m.room_id = require_explainable.id
        and m.user_id = chat_private.acting_user_id()
        and m.left_at is null
        and m.role in ('owner', 'admin')
    )
  ) then
    return;
  end if;
  perform chat_private.log_refusal('explain_access', require_explainable.id);
  raise exception using
    errcode = 'PT403',
    message = 'not_allowed',
    detail = 'Only owners and admins of the room or the tenant may ask about the access of others.',
    hint = 'Leave user_id out to ask for yourself.';
end;
$$;

comment on function chat_private.require_explainable(text, uuid) is
  $$Refuse to explain somebody's access, except to them, owners and admins.

Args:
  kind: the first word of the topic.
  id: the id in the topic.

Raises:
  not_allowed: the caller administers neither such a room nor such a tenant.$$;

-- The rights come from the function that the policies ask; only the reason is worked out here.
create function chat_private.refusal_on_topic(kind text, id uuid, user_id uuid)
returns chat.access_explanation
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_is_other boolean := refusal_on_topic.user_id is distinct from chat_private.acting_user_id();
  v_answer chat.access_explanation;
begin
  if refusal_on_topic.kind in ('room', 'live') and not exists (
    select from chat.room_members as m
    where m.room_id = refusal_on_topic.id
      and m.user_id = refusal_on_topic.user_id
      and m.left_at is null
  ) then
    if v_is_other and chat_private.is_banned(refusal_on_topic.id, refusal_on_topic.user_id) then
      v_answer.reason := 'banned';
      v_answer.hint := 'Lift the ban with unban_member.';
    else
      v_answer.reason := 'not_in_room';
      v_answer.hint := 'The room does not exist, or they are not in it.';
    end if;
  elsif refusal_on_topic.kind = 'tenant' and not exists (
    select from chat.tenant_members as t
    where t.tenant_id = refusal_on_topic.id
      and t.user_id = refusal_on_topic.user_id
      and t.removed_at is null
  ) then
    if v_is_other
      and chat_private.is_banned_from_tenant(refusal_on_topic.id, refusal_on_topic.user_id)
    then
      v_answer.reason := 'banned';
      v_answer.hint := 'Lift the ban with unban_tenant_member.';
    else
      v_answer.reason := 'not_in_tenant';
      v_answer.hint := 'People come into a tenant with the invites of create_tenant_invite.';
    end if;
  elsif exists (
    select from chat.profiles as p
    where p.user_id = refusal_on_topic.user_id and p.closed_at is not null
  ) then
    v_answer.reason := 'account_closed';
    v_answer.hint := 'The account is closed.';
  elsif refusal_on_topic.kind = 'user' and refusal_on_topic.id <> refusal_on_topic.user_id then
    v_answer.reason := 'not_their_topic';
    v_answer.hint := 'A user topic is for that person alone.';
  else
    v_answer.reason := 'old_epoch';
    v_answer.hint := format('The topic moved on to epoch %s; list_heads tells it.', case
      when refusal_on_topic.kind = 'user' then (
        select s.epoch from chat_private.user_streams as s where s.user_id = refusal_on_topic.id
      )
      else (select r.epoch from chat.rooms as r where r.id = refusal_on_topic.id)
    end);
  end if;
  return v_answer;
end;
$$;

comment on function chat_private.refusal_on_topic(text, uuid, uuid) is
  $$Say why somebody may not listen on a well-formed topic.

Args:
  kind: the first word of the topic.
  id: the id in the topic.
  user_id: the person who may not listen. If it is not the caller, bans are told.

Returns:
  The reason and the hint; everything else is null.$$;

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
  v_parts text[] := regexp_match(
    left(explain_access.topic, 200), chat_private.topic_pattern()
  );
  v_rights text[];
  v_answer chat.access_explanation;
begin
  if v_parts is null or (v_parts[1] = 'tenant') <> (v_parts[3] = 'dashboard') then
    v_answer.reason := 'topic_malformed';
    v_answer.hint := 'Topics are user:<user_id>:<epoch>, room:<room_id>:<epoch>, '
      'live:<room_id>:<epoch> and tenant:<tenant_id>:dashboard, in lower case.';
  else
    if v_them <> v_me then
      perform chat_private.require_explainable(v_parts[1], v_parts[2]::uuid);
    end if;
    v_rights := chat_private.rights_on_topic(explain_access.topic, v_them);
    if 'listen' = any (v_rights) then
      v_answer.reason := 'allowed';
      v_answer.hint := case
        when 'speak' = any (v_rights) then 'Join it as a private channel.'
        when 'appear' = any (v_rights)
          then 'Join it as a private channel; presence may be tracked there. Broadcasts are for '
            'members who may post: readers, muted people and everybody in an archived room may not.'
        else 'Join it as a private channel; only the server sends on it.'
      end;
    else
      v_answer := chat_private.refusal_on_topic(v_parts[1], v_parts[2]::uuid, v_them);
    end if;
  end if;
  v_answer.topic := left(explain_access.topic, 200);
  v_answer.user_id := v_them;
  v_answer.may_listen := coalesce('listen' = any (v_rights), false);
  v_answer.may_send := coalesce('speak' = any (v_rights), false);
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
  $$Explain what somebody may do on a topic, and why they may not do more.

Args:
  topic: as it is joined, for example room:<room_id>:<epoch>.
  user_id: somebody else, for owners and admins of the room or tenant that the topic is about; left
    out, the caller. User topics are explained to the person they belong to.

Returns:
  may_listen; may_send, which is about broadcasts (presence is for every member); and a reason:
  allowed, topic_malformed, account_closed, not_their_topic, not_in_tenant, not_in_room, banned or
  old_epoch; with a hint that says what to do.

Raises:
  sign_in_required: nobody is signed in.
  not_allowed: it is about somebody else, and the caller administers neither the room nor the tenant.$$;

revoke execute on function
  chat_private.require_explainable(text, uuid),
  chat_private.refusal_on_topic(text, uuid, uuid),
  chat_private.explain_access(text, uuid), chat.explain_access(text, uuid)
  from public, anon, authenticated;
grant execute on function
  chat_private.explain_access(text, uuid), chat.explain_access(text, uuid)
  to authenticated, service_role;
