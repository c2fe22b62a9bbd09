-- Topics: who may listen and who may speak, decided by one point lookup on the topic's name.

-- Epochs are part of the name, so a right that ended is a topic that no longer exists. The name is
-- parsed once and by pattern: what does not fit is a quiet "no", never a failing cast.
create function chat_private.listenable(topic text)
returns text[]
language plpgsql
stable
-- definer: reads memberships and epochs to answer for one topic
security definer
set search_path = ''
as $$
declare
  v_parts text[];
  v_id uuid;
  v_me uuid := auth.uid();
begin
  v_parts := regexp_match(
    listenable.topic,
    '^(user|room|live|tenant):([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}):([1-9][0-9]{0,8}|dashboard)$'
  );
  if v_parts is null or v_me is null then
    return '{}';
  end if;
  v_id := v_parts[2];

  if v_parts[1] = 'tenant' then
    if v_parts[3] = 'dashboard' and chat_private.is_tenant_member(v_id) then
      return '{broadcast}';
    end if;
    return '{}';
  end if;
  if v_parts[3] = 'dashboard' then
    return '{}';
  end if;

  if v_parts[1] = 'user' then
    if v_id = v_me and exists (
      select
      from chat_private.user_streams as s
      join chat.profiles as p on p.user_id = s.user_id and p.closed_at is null
      where s.user_id = v_me and s.epoch = v_parts[3]::integer
    ) then
      return '{broadcast}';
    end if;
    return '{}';
  end if;

  if chat_private.visible_after(v_id) is not null and exists (
    select from chat.rooms as r where r.id = v_id and r.epoch = v_parts[3]::integer
  ) then
    return case v_parts[1] when 'live' then '{broadcast,presence}'::text[] else '{broadcast}' end;
  end if;
  return '{}';
end;
$$;

comment on function chat_private.listenable(text) is
  $$Say what the caller may receive on a topic.

Args:
  topic: as Realtime asks for it, without the prefix of the wire.

Returns:
  broadcast, presence, both or neither.$$;

-- Server events come from definer functions only; people speak on live topics and nowhere else.
create function chat_private.speakable(topic text)
returns text[]
language plpgsql
stable
-- definer: API roles have no usage on chat_private
security definer
set search_path = ''
as $$
begin
  if speakable.topic like 'live:%' then
    return chat_private.listenable(speakable.topic);
  end if;
  return '{}';
end;
$$;

comment on function chat_private.speakable(text) is
  $$Say what the caller may send on a topic.

Returns:
  broadcast and presence on the live topic of a room they are in, otherwise nothing.$$;

revoke execute on function chat_private.listenable(text), chat_private.speakable(text)
  from public, anon, authenticated;
grant execute on function chat_private.listenable(text), chat_private.speakable(text)
  to authenticated;

-- Each policy binds the row to the topic that was asked for. Without that, whoever has joined one
-- topic could read the rows of all.
create policy "people listen to their own topics" on realtime.messages
  for select to authenticated
  using (
    topic = (select realtime.topic())
    and extension = any ((select chat_private.listenable(realtime.topic()))::text[])
  );

create policy "members speak on the live topics of their rooms" on realtime.messages
  for insert to authenticated
  with check (
    topic = (select realtime.topic())
    and extension = any ((select chat_private.speakable(realtime.topic()))::text[])
  );
