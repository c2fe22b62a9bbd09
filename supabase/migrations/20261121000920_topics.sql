-- Topics: who may listen and who may speak, decided by one point lookup on the topic's name.

-- Epochs are part of the name, so a right that ended is a topic that no longer exists. The name is
-- parsed once and by pattern: what does not fit is a quiet "no", never a failing cast.
create function chat_private.rights_on_topic(topic text, user_id uuid)
returns text[]
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_parts text[];
  v_id uuid;
begin
  v_parts := regexp_match(
    rights_on_topic.topic,
    '^(user|room|live|tenant):([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}):([1-9][0-9]{0,8}|dashboard)$'
  );
  if v_parts is null
    or (v_parts[1] = 'tenant') <> (v_parts[3] = 'dashboard')
    or not exists (
      select from chat.profiles as p
      where p.user_id = rights_on_topic.user_id and p.closed_at is null
    )
  then
    return '{}';
  end if;
  v_id := v_parts[2];

  return case
    when v_parts[1] = 'user' and v_id = rights_on_topic.user_id and exists (
      select from chat_private.user_streams as s
      where s.user_id = v_id and s.epoch = v_parts[3]::integer
    ) then '{listen}'
    when v_parts[1] in ('room', 'live') and exists (
      select
      from chat.room_members as m
      join chat.rooms as r on r.id = m.room_id and r.epoch = v_parts[3]::integer
      where m.room_id = v_id and m.user_id = rights_on_topic.user_id and m.left_at is null
    ) then case v_parts[1] when 'live' then '{listen,speak}' else '{listen}' end
    when v_parts[1] = 'tenant' and exists (
      select from chat.tenant_members as t
      where t.tenant_id = v_id and t.user_id = rights_on_topic.user_id and t.removed_at is null
    ) then '{listen}'
    else '{}'
  end;
end;
$$;

comment on function chat_private.rights_on_topic(text, uuid) is
  $$Say what somebody may do on a topic.

Args:
  topic: as Realtime asks for it, without the prefix of the wire.
  user_id: who asks.

Returns:
  listen, speak, both or neither.$$;

-- What the policies ask. Presence lives on live topics only.
create function chat_private.listenable(topic text)
returns text[]
language plpgsql
stable
-- definer: reads memberships and epochs to answer for one topic
security definer
set search_path = '', pg_temp
as $$
begin
  return case chat_private.rights_on_topic(listenable.topic, auth.uid())
    when '{listen,speak}' then '{broadcast,presence}'
    when '{listen}' then '{broadcast}'
    else '{}'
  end;
end;
$$;

comment on function chat_private.listenable(text) is
  $$Say which extensions the caller may receive on a topic.

Returns:
  broadcast, presence, both or neither.$$;

-- Server events come from definer functions only; people speak on live topics and nowhere else.
create function chat_private.speakable(topic text)
returns text[]
language plpgsql
stable
-- definer: reads memberships and epochs to answer for one topic
security definer
set search_path = '', pg_temp
as $$
begin
  return case chat_private.rights_on_topic(speakable.topic, auth.uid())
    when '{listen,speak}' then '{broadcast,presence}'
    else '{}'
  end;
end;
$$;

comment on function chat_private.speakable(text) is
  $$Say which extensions the caller may send on a topic.

Returns:
  broadcast and presence on the live topic of a room they are in, otherwise nothing.$$;

revoke execute on function
  chat_private.rights_on_topic(text, uuid),
  chat_private.listenable(text), chat_private.speakable(text)
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
