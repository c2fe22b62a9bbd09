-- The adopter's own rule about what may be said: a function that is asked before every message.

-- It is asked before the room is locked, so that a slow rule holds up its sender and nobody else. In a
-- function of Postgres no time limit can be set for another one; so its time is measured.
create table chat_private.failed_checks (
  check_id uuid primary key default gen_random_uuid(),
  failed_at timestamptz not null default clock_timestamp(),
  room_id uuid not null,
  error text not null
);

comment on table chat_private.failed_checks is
  $$Errors of settings.content_check, which maintenance deletes after a week.

Where such a message is refused its row is rolled back with it. The insert is counted all the same, in
Postgres's own statistics of this table.$$;

create index failed_checks_by_time on chat_private.failed_checks (failed_at);

create table chat_private.slow_checks (
  check_id uuid primary key default gen_random_uuid(),
  checked_at timestamptz not null default clock_timestamp(),
  room_id uuid not null,
  milliseconds integer not null
);

comment on table chat_private.slow_checks is
  'Calls of settings.content_check that took longer than 20 ms. Maintenance deletes them after a week.';

create index slow_checks_by_time on chat_private.slow_checks (checked_at);

-- How many inserts Postgres had counted at some time: doctor tells how many there have been since then.
create table chat_private.check_counts (
  only_row boolean primary key default true,
  failures bigint not null default 0,
  counted_at timestamptz not null default now(),
  constraint there_is_one_row check (only_row)
);

comment on table chat_private.check_counts is
  'How many failures of settings.content_check had been counted at counted_at, a day or two ago.';

create function chat_private.refusal_by_check(
  room_id uuid,
  sender_id uuid,
  body text,
  attachments jsonb,
  metadata jsonb
)
returns chat_private.refusal
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  c_slow constant interval := '20 ms';
  v_check text;
  v_on_failure text;
  v_began_at timestamptz := clock_timestamp();
  v_took interval;
  v_reason text;
begin
  select s.content_check, s.on_check_failure into v_check, v_on_failure
  from chat_private.settings as s
  -- A rule about words has nothing to say about ciphertext.
  where not exists (
    select from chat.rooms as r where r.id = refusal_by_check.room_id and r.is_opaque
  );
  if v_check is null then
    return null;
  end if;
  begin
    -- (A constraint of the settings makes sure that this is the name of a function and nothing else.)
    execute format('select %s($1, $2, $3, $4, $5)', v_check) into v_reason
    using
      refusal_by_check.room_id, refusal_by_check.sender_id, refusal_by_check.body,
      refusal_by_check.attachments, coalesce(refusal_by_check.metadata, '{}');
  exception
    -- What is wrong with the rule of an adopter cannot be known here.
    when others then
      raise warning 'the content check % failed: %', v_check, sqlerrm;
      insert into chat_private.failed_checks (room_id, error)
      values (refusal_by_check.room_id, left(sqlerrm, 500));
      if v_on_failure = 'refuse' then
        return row(
          'PT422', 'message_refused', 'The message could not be checked.',
          'Try again later.', null
        )::chat_private.refusal;
      end if;
  end;
  v_took := clock_timestamp() - v_began_at;
  if v_took > c_slow then
    insert into chat_private.slow_checks (room_id, milliseconds)
    values (refusal_by_check.room_id, 1000 * extract(epoch from v_took));
  end if;
  if v_reason is not null then
    return row(
      'PT422', 'message_refused',
      format('The message was refused: %s', left(v_reason, 500)),
      'Change it, then send it again.', null
    )::chat_private.refusal;
  end if;
  return null;
end;
$$;

comment on function chat_private.refusal_by_check(uuid, uuid, text, jsonb, jsonb) is
  $$Ask the adopter's rule about a message; null without a rule, in opaque rooms, and if it has no objection.

Call it before the room is locked.

Args:
  room_id, sender_id, body, attachments, metadata: of the message, checked in all other respects that
    can be checked without the room.$$;

create function chat_private.has_content_check()
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return (select s.content_check is not null from chat_private.settings as s);
end;
$$;

comment on function chat_private.has_content_check() is 'Tell whether the adopter has a rule.';

create function chat_private.drop_old_checks(most integer)
returns integer
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_before timestamptz := clock_timestamp() - interval '7 days';
  v_failed integer;
  v_slow integer;
begin
  update chat_private.check_counts as c
  set
    failures = pg_stat_get_tuples_inserted('chat_private.failed_checks'::regclass),
    counted_at = clock_timestamp()
  where c.counted_at < clock_timestamp() - interval '24 hours';
  delete from chat_private.failed_checks as f
  where f.check_id in (
    select old.check_id
    from chat_private.failed_checks as old
    where old.failed_at < v_before
    order by old.failed_at
    limit drop_old_checks.most
    for update skip locked
  );
  get diagnostics v_failed = row_count;
  delete from chat_private.slow_checks as s
  where s.check_id in (
    select old.check_id
    from chat_private.slow_checks as old
    where old.checked_at < v_before
    order by old.checked_at
    limit drop_old_checks.most
    for update skip locked
  );
  get diagnostics v_slow = row_count;
  return v_failed + v_slow;
end;
$$;

comment on function chat_private.drop_old_checks(integer) is
  'Delete what is kept of content checks of more than a week ago; returns how many rows.';

revoke execute on function
  chat_private.refusal_by_check(uuid, uuid, text, jsonb, jsonb),
  chat_private.has_content_check(),
  chat_private.drop_old_checks(integer)
  from public, anon, authenticated;
