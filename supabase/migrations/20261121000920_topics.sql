-- Topics: who may listen, appear and speak, decided by one point lookup on the topic's name.

-- Immutable and without arguments, so the planner evaluates it once and a call costs nothing.
create function chat_private.topic_pattern()
returns text
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return '^(user|room|live|tenant)'
    ':([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})'
    ':([1-9][0-9]{0,8}|dashboard)$';
end;
$$;

comment on function chat_private.topic_pattern() is
  'Match the name of a topic: its kind, the id it is about, and its epoch or the word dashboard.';

-- The epoch is part of the name, so after a right has ended the old name gives no rights to
-- anybody. The name is matched against a pattern before any cast: another name gives no rights, and
-- no error.
create function chat_private.rights_on_topic(topic text, user_id uuid)
returns text[]
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_parts text[];
  v_id uuid;
  v_rights text[];
begin
  v_parts := regexp_match(rights_on_topic.topic, chat_private.topic_pattern());
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

  if v_parts[1] in ('room', 'live') then
    -- People who may not send a message now may not broadcast that they are typing either.
    select
      case
        when v_parts[1] = 'room' then '{listen}'::text[]
        -- Two people of whom one has blocked the other do not see each other there.
        when r.is_closed then '{}'
        when refusal.slug is null then '{listen,appear,speak}'
        else '{listen,appear}'
      end
    into v_rights
    from chat.room_members as m
    join chat.rooms as r on r.id = m.room_id and r.epoch = v_parts[3]::integer
    cross join lateral chat_private.refusal_by_right(r, m, 'member') as refusal
    where m.room_id = v_id and m.user_id = rights_on_topic.user_id and m.left_at is null;
    return coalesce(v_rights, '{}');
  end if;
  return case
    when v_parts[1] = 'user' and v_id = rights_on_topic.user_id and exists (
      select from chat_private.user_streams as s
      where s.user_id = v_id and s.epoch = v_parts[3]::integer
    ) then '{listen}'
    -- What is for the dashboards of all tenants goes there.
    when v_parts[1] = 'tenant' and v_id = '00000000-0000-0000-0000-000000000000' then '{listen}'
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
  user_id: the person to ask about.

Returns:
  Some of listen, appear (be seen there) and speak (send broadcasts), or nothing. Appearing and
  speaking are for live topics: the first for every member, the second for members who may post now.
  The live topic of a closed direct room is for nobody.$$;

-- The policies ask these two functions. Presence is allowed on live topics only.
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
    when '{listen,appear,speak}' then '{broadcast,presence}'
    when '{listen,appear}' then '{broadcast,presence}'
    when '{listen}' then '{broadcast}'
    else '{}'
  end;
end;
$$;

comment on function chat_private.listenable(text) is
  $$Say which extensions the caller may receive on a topic.

Returns:
  broadcast, presence, both or neither.$$;

-- Events of the server come from definer functions only; people may send on live topics and nowhere
-- else. Realtime asks once per extension and keeps the answer until the channel is joined again or
-- the token changes. So somebody who is muted meanwhile may still be heard, and clients ignore
-- them.
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
    when '{listen,appear,speak}' then '{broadcast,presence}'
    when '{listen,appear}' then '{presence}'
    else '{}'
  end;
end;
$$;

comment on function chat_private.speakable(text) is
  $$Say which extensions the caller may send on a topic.

Returns:
  On the live topic of a room they are in: broadcast and presence if they may post there now, else
  presence alone. On every other topic nothing.$$;

revoke execute on function
  chat_private.topic_pattern(),
  chat_private.rights_on_topic(text, uuid),
  chat_private.listenable(text), chat_private.speakable(text)
  from public, anon, authenticated;
grant execute on function chat_private.listenable(text), chat_private.speakable(text)
  to authenticated, service_role;
