-- Retention and restores: purging old messages, and how clients notice that history has changed.

-- Replay reads broadcasts for three days, and must not bring purged messages back. What said so longer
-- ago is gone, so old messages cost nothing here. The table belongs to the platform: where the right to
-- delete there is missing, the purge goes on.
create function chat_private.retract_purged(room_id uuid, floor_seq bigint, since timestamptz)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_since timestamptz := greatest(retract_purged.since, now() - interval '4 days');
begin
  if retract_purged.since is null then
    return;
  end if;
  delete from realtime.messages as e
  where e.inserted_at >= v_since at time zone 'UTC' - interval '10 s'
    and e.payload ->> 'room_id' = retract_purged.room_id::text
    and chat_private.lowest_seq(e.payload -> 'rows') <= retract_purged.floor_seq;
exception
  when insufficient_privilege then
    raise warning 'purged messages of room % can still be replayed: %', retract_purged.room_id, sqlerrm;
end;
$$;

comment on function chat_private.retract_purged(uuid, bigint, timestamptz) is
  $$Take back the broadcasts of purged messages.

Args:
  room_id: the locked room.
  floor_seq: the last message that went.
  since: when the first of them was said that was said or edited lately; null is none.$$;

-- A purge raises the floor of the room, which takes a number. Copies drop what is at or below the
-- floor and go on from where they are. It does not raise floor_rev, because that would make every
-- copy below it start the room over.
create function chat_private.purge_messages(room_id uuid, up_to_seq bigint)
returns bigint
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_room chat.rooms;
  v_floor bigint;
  v_since timestamptz;
begin
  select r.* into v_room
  from chat.rooms as r
  where r.id = purge_messages.room_id
  for no key update;
  v_floor := least(coalesce(purge_messages.up_to_seq, 0), v_room.last_seq);
  if v_room.id is null or v_floor <= v_room.floor_seq then
    return 0;
  end if;

  with purged as (
    delete from chat.messages as m
    where m.room_id = v_room.id and m.seq <= v_floor
    returning m.*
  ),
  remembered as (
    insert into chat_private.sends (room_id, sender_id, client_id, seq, sent_hash, purged_at)
    select
      p.room_id, p.sender_id, p.client_id, p.seq,
      chat_private.hash_content(
        p.body, p.reply_to, p.mentions, p.mention_all, p.attachments, p.metadata
      ),
      now()
    from purged as p
    where p.client_id is not null
    on conflict on constraint sends_pkey do update set purged_at = excluded.purged_at
  )
  select min(p.created_at) into v_since
  from purged as p
  where greatest(p.created_at, p.edited_at) > now() - interval '4 days';
  delete from chat_private.search_blocks as b where b.room_id = v_room.id and b.upto <= v_floor;
  perform chat_private.renew_search(v_room.id, v_floor + 1);
  delete from chat.receipts as c where c.room_id = v_room.id and c.up_to_seq <= v_floor;
  perform chat_private.retract_purged(v_room.id, v_floor, v_since);
  perform chat_private.record_audit(
    'messages_purged', v_room.tenant_id, v_room.id, null,
    jsonb_build_object('from', v_room.floor_seq + 1, 'to', v_floor)
  );

  update chat.rooms as r
  set
    rev = v_room.rev + 1,
    changed_rev = v_room.rev + 1,
    floor_seq = v_floor,
    touched = '{rooms}'
  where r.id = v_room.id;
  return v_floor - v_room.floor_seq;
end;
$$;

comment on function chat_private.purge_messages(uuid, bigint) is
  $$Remove the oldest messages of a room for good; what is under legal hold is kept aside.

A retry of what was purged is recognized for settings.keep_sends; run_maintenance() forgets it then.

Args:
  room_id: the room.
  up_to_seq: the last message to go.

Returns:
  How many went.$$;

-- A restored database gives out numbers that clients have already seen with other content. The
-- database cannot notice that by itself, so the operator has to call this after every restore.
create function chat_private.start_timeline()
returns text
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  update chat_private.settings as s set timeline_salt = gen_random_uuid();
  return chat_private.timeline();
end;
$$;

comment on function chat_private.start_timeline() is
  $$Begin a new history: a step of every restore, before clients come back.

Returns:
  The new timeline; clients that hold another one compare checksums and fetch rooms that differ.$$;

revoke execute on function
  chat_private.retract_purged(uuid, bigint, timestamptz),
  chat_private.purge_messages(uuid, bigint), chat_private.start_timeline()
  from public, anon, authenticated;
