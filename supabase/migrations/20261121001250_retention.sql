-- Retention: maintenance walks through everything in portions and removes what has had its time.

-- Tables that every message or heartbeat writes have no index on a time, because keeping it would cost
-- each of these writes. So their rows are found by walking, round and round, as files are in file_sweep.
create table chat_private.walks (
  name text primary key,
  at uuid not null default '00000000-0000-0000-0000-000000000000',
  constraint name_is_known check (name in ('rooms', 'people', 'tenants'))
);

comment on table chat_private.walks is 'How far maintenance got in looking through rooms, people and tenants.';
comment on column chat_private.walks.at is 'The last one that was looked at; zeros begin a round.';

-- Whoever walks has the row until the transaction ends, so that two do not do the same.
create function chat_private.next_portion(name text, most integer)
returns uuid[]
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_at uuid;
begin
  select w.at into v_at
  from chat_private.walks as w
  where w.name = next_portion.name
  for update skip locked;
  if not found then
    return null;
  end if;
  return case next_portion.name
    when 'rooms' then array(
      select r.id from chat.rooms as r where r.id > v_at order by r.id limit next_portion.most
    )
    when 'people' then array(
      select p.user_id
      from chat.profiles as p
      where p.user_id > v_at
      order by p.user_id
      limit next_portion.most
    )
    else array(
      select t.tenant_id
      from chat.tenants as t
      where t.tenant_id > v_at
      order by t.tenant_id
      limit next_portion.most
    )
  end;
end;
$$;

comment on function chat_private.next_portion(text, integer) is
  $$Return those who are next on a walk, and keep others from walking there meanwhile.

Args:
  name: rooms, people or tenants.
  most: how many at most.

Returns:
  Their ids in order; an empty array at the end of a round, null while somebody else walks.$$;

create function chat_private.walk_on(name text, portion uuid[])
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  update chat_private.walks as w
  set at = coalesce(
    walk_on.portion[cardinality(walk_on.portion)], '00000000-0000-0000-0000-000000000000'
  )
  where w.name = walk_on.name and walk_on.portion is not null;
end;
$$;

comment on function chat_private.walk_on(text, uuid[]) is
  'Go on behind a portion; an empty one begins the next round, and null is not one''s own to go on.';

-- A message goes in the night after its days are over, so that a room takes one number a night and not
-- one a minute.
create function chat_private.find_purgeable(
  room_id uuid,
  floor_seq bigint,
  retain_days integer,
  most integer
)
returns bigint
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_before timestamptz := date_trunc('day', now(), 'UTC')
    - interval '1 day' * find_purgeable.retain_days;
begin
  return (
    select max(m.seq)
    from (
      select
        oldest.seq,
        bool_and(oldest.created_at < v_before) over (order by oldest.seq) as has_had_its_time
      from (
        select o.seq, o.created_at
        from chat.messages as o
        where o.room_id = find_purgeable.room_id and o.seq > find_purgeable.floor_seq
        order by o.seq
        limit find_purgeable.most
      ) as oldest
    ) as m
    where m.has_had_its_time
  );
end;
$$;

comment on function chat_private.find_purgeable(uuid, bigint, integer, integer) is
  $$Find how far a room can be purged.

Args:
  room_id, floor_seq: the room.
  retain_days: days a message is kept.
  most: how many messages at most.

Returns:
  The newest of the oldest messages that have all had their days; null when there is none.$$;

-- A busy room is left for the next round, so that maintenance, which holds other rooms, waits for nobody.
create function chat_private.purge_portion(room_ids uuid[], most integer)
returns integer
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_room record;
  v_up_to bigint;
  v_purged integer := 0;
begin
  for v_room in
    select r.id, r.floor_seq, least(r.retain_days, t.retain_days) as retain_days
    from chat.rooms as r
    join chat.tenants as t on t.tenant_id = r.tenant_id
    where r.id = any (purge_portion.room_ids)
      and r.last_seq > r.floor_seq
      and coalesce(r.retain_days, t.retain_days) is not null
    order by r.id
  loop
    exit when v_purged >= purge_portion.most;
    v_up_to := chat_private.find_purgeable(
      v_room.id, v_room.floor_seq, v_room.retain_days, purge_portion.most - v_purged
    );
    if v_up_to is not null then
      perform from chat.rooms as r where r.id = v_room.id for no key update skip locked;
      if found then
        v_purged := v_purged + chat_private.purge_messages(v_room.id, v_up_to);
      end if;
    end if;
  end loop;
  return v_purged;
end;
$$;

comment on function chat_private.purge_portion(uuid[], integer) is
  $$Purge rooms of messages that have had their days.

Args:
  room_ids: the rooms to look at. The shorter of what the room and its tenant say counts.
  most: how many messages at most.

Returns:
  How many messages went.$$;

-- A copy that has not heard of a removal would keep the reaction for ever once the row is gone. So this
-- raises floor_rev, below which copies start the room over: that is, copies that were away for 90 days.
-- What is due changes once a week.
create function chat_private.drop_removed_rows(room_ids uuid[], most integer)
returns integer
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_before timestamptz := date_trunc('week', now(), 'UTC') - interval '90 days';
  v_room_id uuid;
  v_room chat.rooms;
  v_rev bigint;
  v_count integer;
  v_dropped integer := 0;
begin
  for v_room_id in
    select i.id
    from unnest(drop_removed_rows.room_ids) as i (id)
    where exists (
      select from chat.reactions as e where e.room_id = i.id and e.removed_at < v_before
    ) or exists (
      select from chat.pins as p where p.room_id = i.id and p.removed_at < v_before
    )
    order by i.id
  loop
    exit when v_dropped >= drop_removed_rows.most;
    select r.* into v_room from chat.rooms as r where r.id = v_room_id for no key update skip locked;
    continue when not found;
    with reactions as (
      delete from chat.reactions as e
      where (e.room_id, e.seq, e.user_id, e.emoji) in (
        select d.room_id, d.seq, d.user_id, d.emoji
        from chat.reactions as d
        where d.room_id = v_room.id and d.removed_at < v_before
        order by d.removed_at
        limit drop_removed_rows.most
      )
      returning e.rev
    ),
    pins as (
      delete from chat.pins as p
      where p.room_id = v_room.id and p.removed_at < v_before
      returning p.rev
    )
    select max(d.rev), count(*) into v_rev, v_count
    from (select rev from reactions union all select rev from pins) as d;
    update chat.rooms as r
    set
      rev = v_room.rev + 1,
      changed_rev = v_room.rev + 1,
      floor_rev = greatest(v_room.floor_rev, v_rev),
      touched = '{rooms}'
    where r.id = v_room.id;
    v_dropped := v_dropped + v_count;
  end loop;
  return v_dropped;
end;
$$;

comment on function chat_private.drop_removed_rows(uuid[], integer) is
  $$Delete reactions and pins that were taken back 90 days ago.

Args:
  room_ids: the rooms to look at.
  most: at about how many rows to stop.

Returns:
  How many rows went.$$;

create function chat_private.drop_old_invites(room_ids uuid[])
returns integer
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_before timestamptz := now() - interval '90 days';
  v_count integer;
begin
  with old as (
    select i.room_id, i.id
    from chat.invites as i
    where i.room_id = any (drop_old_invites.room_ids)
      and (i.expires_at < v_before or i.removed_at < v_before)
    for update skip locked
  ),
  tokens as (
    delete from chat_private.invite_tokens as t
    using old as o
    where t.room_id = o.room_id and t.invite_id = o.id
  )
  delete from chat.invites as i
  using old as o
  where i.room_id = o.room_id and i.id = o.id;
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;

comment on function chat_private.drop_old_invites(uuid[]) is
  'Delete the invites into these rooms that ended 90 days ago; returns how many.';

create function chat_private.drop_old_tenant_invites(tenant_ids uuid[])
returns integer
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_before timestamptz := now() - interval '90 days';
  v_count integer;
begin
  with old as (
    select i.tenant_id, i.id
    from chat.tenant_invites as i
    where i.tenant_id = any (drop_old_tenant_invites.tenant_ids)
      and (i.expires_at < v_before or i.removed_at < v_before)
    for update skip locked
  ),
  tokens as (
    delete from chat_private.tenant_invite_tokens as t
    using old as o
    where t.tenant_id = o.tenant_id and t.invite_id = o.id
  )
  delete from chat.tenant_invites as i
  using old as o
  where i.tenant_id = o.tenant_id and i.id = o.id;
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;

comment on function chat_private.drop_old_tenant_invites(uuid[]) is
  'Delete the invites into these tenants that ended 90 days ago; returns how many.';

-- A device that is in use now is skipped, not waited for. Buckets come last, as in every write.
create function chat_private.drop_traces(user_ids uuid[])
returns integer
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_count integer;
begin
  with leases as (
    delete from chat.presence as p
    using (
      select l.user_id, l.device_id
      from chat.presence as l
      where l.user_id = any (drop_traces.user_ids)
        and l.last_seen_at < now() - interval '90 days'
      for update skip locked
    ) as old
    where p.user_id = old.user_id and p.device_id = old.device_id
    returning 1
  ),
  deliveries as (
    delete from chat_private.push_deliveries as d
    using (
      select e.user_id, e.room_id, e.device_id
      from chat_private.push_deliveries as e
      where e.user_id = any (drop_traces.user_ids)
        and e.wanted_seq <= e.sent_seq
        and e.clear_at is null
        and e.ticket is null
        and e.wanted_at < now() - interval '90 days'
      for update skip locked
    ) as old
    where d.user_id = old.user_id and d.room_id = old.room_id and d.device_id = old.device_id
    returning 1
  ),
  buckets as (
    delete from chat_private.rate_buckets as b
    using (
      select f.user_id, f.bucket
      from chat_private.rate_buckets as f
      where f.user_id = any (drop_traces.user_ids) and f.full_at < now() - interval '1 day'
      for update skip locked
    ) as old
    where b.user_id = old.user_id and b.bucket = old.bucket
    returning 1
  )
  select
    (select count(*) from leases) + (select count(*) from deliveries) + (select count(*) from buckets)
  into v_count;
  return v_count;
end;
$$;

comment on function chat_private.drop_traces(uuid[]) is
  $$Delete what is left of people's devices and calls: leases and pushes of 90 days ago, full buckets.

Args:
  user_ids: the people.

Returns:
  How many rows went.$$;

-- What is held is kept by the trigger on this table.
create function chat_private.drop_old_edits(room_ids uuid[], most integer)
returns integer
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_before timestamptz;
  v_count integer;
begin
  select now() - s.keep_edits into strict v_before from chat_private.settings as s;
  if v_before is null then
    return 0;
  end if;
  delete from chat.message_edits as e
  using (
    select o.room_id, o.seq, o.rev
    from chat.message_edits as o
    where o.room_id = any (drop_old_edits.room_ids) and o.edited_at < v_before
    limit drop_old_edits.most
    for update skip locked
  ) as old
  where e.room_id = old.room_id and e.seq = old.seq and e.rev = old.rev;
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;

comment on function chat_private.drop_old_edits(uuid[], integer) is
  'Delete what messages in these rooms said before edits of settings.keep_edits ago; returns how many.';

-- The position moves on only when nothing is left in the portion, so that a large room is finished first.
create function chat_private.keep_retention(most integer)
returns jsonb
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_rooms uuid[] := chat_private.next_portion('rooms', 1000);
  v_people uuid[] := chat_private.next_portion('people', 500);
  v_tenants uuid[] := chat_private.next_portion('tenants', 500);
  v_edits integer := chat_private.drop_old_edits(v_rooms, keep_retention.most);
  v_invites integer := chat_private.drop_old_invites(v_rooms)
    + chat_private.drop_old_tenant_invites(v_tenants);
  v_removed integer := chat_private.drop_removed_rows(v_rooms, keep_retention.most);
  v_purged integer := chat_private.purge_portion(v_rooms, keep_retention.most);
  v_traces integer := chat_private.drop_traces(v_people);
begin
  if greatest(v_purged, v_removed, v_edits) < keep_retention.most then
    perform chat_private.walk_on('rooms', v_rooms);
  end if;
  perform chat_private.walk_on('people', v_people);
  perform chat_private.walk_on('tenants', v_tenants);
  return jsonb_build_object(
    'messages_purged', v_purged,
    'removed_rows_dropped', v_removed,
    'edits_dropped', v_edits,
    'invites_dropped', v_invites,
    'traces_dropped', v_traces
  );
end;
$$;

comment on function chat_private.keep_retention(integer) is
  $$Do a portion of what retention asks for.

Args:
  most: how many messages, and how many other rows of a kind, at most.

Returns:
  {"messages_purged", "removed_rows_dropped", "edits_dropped", "invites_dropped", "traces_dropped"}.$$;

revoke execute on function
  chat_private.next_portion(text, integer),
  chat_private.walk_on(text, uuid[]),
  chat_private.find_purgeable(uuid, bigint, integer, integer),
  chat_private.purge_portion(uuid[], integer),
  chat_private.drop_removed_rows(uuid[], integer),
  chat_private.drop_old_invites(uuid[]),
  chat_private.drop_old_tenant_invites(uuid[]),
  chat_private.drop_traces(uuid[]),
  chat_private.drop_old_edits(uuid[], integer),
  chat_private.keep_retention(integer)
  from public, anon, authenticated;
