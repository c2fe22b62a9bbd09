-- health: what an operator has to know, in numbers for doctor and the metrics of the front door.

create table chat_private.maintenance_runs (
  only_row boolean primary key default true,
  ran_at timestamptz,
  constraint there_is_one_row check (only_row)
);

comment on table chat_private.maintenance_runs is 'When run_maintenance() ran last; null is never.';

-- Two that run at once do not wait for each other.
create function chat_private.note_maintenance()
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  update chat_private.maintenance_runs as r
  set ran_at = clock_timestamp()
  from (
    select free.only_row from chat_private.maintenance_runs as free for no key update skip locked
  ) as held
  where r.only_row = held.only_row;
end;
$$;

comment on function chat_private.note_maintenance() is 'Note that maintenance runs now.';

create function chat_private.age_in_seconds(since timestamptz)
returns integer
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return case
    when age_in_seconds.since is not null
      then greatest(0, extract(epoch from clock_timestamp() - age_in_seconds.since))
  end::integer;
end;
$$;

comment on function chat_private.age_in_seconds(timestamptz) is
  'Return how many seconds ago something was; null stays null, and the future is 0.';

-- Asked of rooms that were active just now, and of rooms with ticks, whose receipts are found by their
-- numbers. What somebody received of an hour ago is an hour late, whether they were offline or not.
create function chat_private.delivery_health()
returns jsonb
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  c_recently constant interval := '15 minutes';
begin
  return (
    select jsonb_build_object(
      'receipts', count(*),
      'p50_ms', percentile_disc(0.5) within group (order by late.ms),
      'p95_ms', percentile_disc(0.95) within group (order by late.ms),
      'p99_ms', percentile_disc(0.99) within group (order by late.ms)
    )
    from (
      select r.id
      from chat.rooms as r
      where r.active_at > clock_timestamp() - c_recently
      order by r.active_at desc
      limit 100
    ) as active
    cross join lateral (
      select c.up_to_seq, c.at
      from chat.receipts as c
      where c.room_id = active.id and c.rev is not null
      order by c.rev desc
      limit 50
    ) as received
    join chat.messages as m on m.room_id = active.id and m.seq = received.up_to_seq
    cross join lateral (
      select greatest(0, 1000 * extract(epoch from received.at - m.created_at))::bigint as ms
    ) as late
    where received.at > clock_timestamp() - c_recently and m.kind = 'text'
  );
end;
$$;

comment on function chat_private.delivery_health() is
  'Measure how long messages of the last 15 minutes took to devices, in milliseconds.';

create function chat_private.push_health()
returns jsonb
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_outbox_since timestamptz;
begin
  select o.created_at into v_outbox_since
  from chat_private.push_outbox as o
  order by o.created_at
  limit 1;
  return (
    select jsonb_build_object(
      'outbox_age', chat_private.age_in_seconds(v_outbox_since),
      'waiting', count(*),
      'oldest_age', chat_private.age_in_seconds(min(d.wanted_at)),
      'failing', count(*) filter (where d.tries >= 3),
      'can_reach_devices', exists (select from chat_private.push_tokens)
    )
    from chat_private.push_deliveries as d
    where d.wanted_seq > d.sent_seq and d.due_at < clock_timestamp() + interval '1 hour'
  );
end;
$$;

comment on function chat_private.push_health() is
  'Tell what waits to be pushed, since when, and how much of it failed three times.';

create function chat_private.health()
returns jsonb
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return jsonb_build_object(
    'push', chat_private.push_health(),
    'files', (
      select jsonb_build_object(
        'waiting', count(*) filter (where q.due_at < 'infinity'),
        'overdue_age', chat_private.age_in_seconds(
          min(q.due_at) filter (where q.due_at < clock_timestamp())
        ),
        'failing', count(*) filter (where q.tries >= 3 and q.due_at < 'infinity'),
        'held', count(*) filter (where q.due_at = 'infinity')
      )
      from chat_private.file_queue as q
    ),
    'broadcasts', (
      select jsonb_build_object('lost', count(*), 'last_error', max(l.error))
      from chat_private.lost_broadcasts as l
      where l.lost_at > clock_timestamp() - interval '24 hours'
    ),
    'maintenance', (
      select jsonb_build_object('age', chat_private.age_in_seconds(r.ran_at))
      from chat_private.maintenance_runs as r
    ),
    'erasures', (
      select jsonb_build_object(
        'open', count(*), 'oldest_age', chat_private.age_in_seconds(min(e.requested_at))
      )
      from chat_private.erasures as e
      where e.finished_at is null
    ),
    'audit', (
      select jsonb_build_object(
        'head', chat_private.audit_head(),
        'unsealed', count(*),
        'oldest_age', chat_private.age_in_seconds(min(a.at))
      )
      from chat_private.audit_log as a
      where a.seq is null
    ),
    'delivery', chat_private.delivery_health(),
    'reports', (
      select jsonb_build_object(
        'open', count(*), 'oldest_age', chat_private.age_in_seconds(min(r.created_at))
      )
      from chat.reports as r
      where r.resolved_at is null
    )
  );
end;
$$;

comment on function chat_private.health() is
  $$Tell how the chat is doing. For the operator, with SQL.

Returns:
  An object of objects. Every age is in seconds and null where nothing waits. push: outbox_age (the oldest
  message that nobody claimed a push of), waiting and failing deliveries with their oldest_age, and whether
  any device has a token. files: waiting to be removed, overdue_age, failing, and held by a legal hold.
  broadcasts: lost within 24 hours. maintenance: age of the last run. erasures: open. audit: the head, to
  be kept elsewhere, and what is unsealed. delivery: p50_ms, p95_ms and p99_ms of receipts of the last 15
  minutes. reports: open. Refused attempts are in the log of Postgres, as lines that begin with "parley
  refused".$$;

revoke execute on function
  chat_private.note_maintenance(),
  chat_private.age_in_seconds(timestamptz),
  chat_private.delivery_health(),
  chat_private.push_health(),
  chat_private.health()
  from public, anon, authenticated;
