-- The audit: who did what that others have to answer for, in a chain that cannot be changed unseen.

-- Entries hold ids and numbers, never texts, so nothing has to be taken out of them when somebody is
-- erased. An entry gets its place when it is sealed, not when it is written: a place given at once would
-- make writers wait for each other, or leave gaps where a transaction was rolled back.
create table chat_private.audit_log (
  entry_id uuid primary key default gen_random_uuid(),
  seq bigint,
  at timestamptz not null default clock_timestamp(),
  actor_id uuid,
  via text not null,
  action text not null,
  tenant_id uuid,
  room_id uuid,
  subject_id uuid,
  details jsonb not null default '{}',
  hash bytea,
  constraint audit_log_by_seq unique (seq),
  constraint via_is_known check (via in ('user', 'server', 'maintenance')),
  constraint action_is_a_word check (action ~ '^[a-z][a-z_]{0,62}$' collate "C"),
  constraint details_are_small check (
    jsonb_typeof(details) = 'object' and octet_length(details::text) <= 4096
  ),
  constraint sealed_entries_have_a_place check ((seq is null) = (hash is null))
);

comment on table chat_private.audit_log is
  'Privileged actions. Entries are added and sealed, never changed; retention takes old ones away.';
comment on column chat_private.audit_log.seq is 'The place in the chain, without a gap; null until sealed.';
comment on column chat_private.audit_log.actor_id is
  'Who did it; null where nobody in particular did.';
comment on column chat_private.audit_log.via is
  'user: with their own token; server: with the secret key; maintenance: with SQL, by an operator or by itself.';
comment on column chat_private.audit_log.subject_id is 'The person it was done to.';
comment on column chat_private.audit_log.details is 'Ids and numbers, and words of Parley''s own, such as roles.';
comment on column chat_private.audit_log.hash is
  'SHA-256 of the hash of the entry before and of sealed_text() of this one; null until sealed.';

create index audit_log_unsealed on chat_private.audit_log (at) where seq is null;

create function chat_private.record_audit(
  action text,
  tenant_id uuid,
  room_id uuid,
  subject_id uuid,
  details jsonb default '{}'
)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_actor_id uuid := chat_private.acting_user_id();
begin
  insert into chat_private.audit_log (actor_id, via, action, tenant_id, room_id, subject_id, details)
  values (
    v_actor_id,
    case
      when chat_private.is_server() then 'server'
      when v_actor_id is not null then 'user'
      else 'maintenance'
    end,
    record_audit.action, record_audit.tenant_id, record_audit.room_id, record_audit.subject_id,
    jsonb_strip_nulls(record_audit.details)
  );
end;
$$;

comment on function chat_private.record_audit(text, uuid, uuid, uuid, jsonb) is
  $$Add an entry to the audit; the caller of the API is found by itself.

Locks nothing, so it may be called anywhere in a transaction. It is undone with the transaction.

Args:
  action: what was done, as a word in the past tense: role_changed.
  tenant_id, room_id: where; null where it was in none.
  subject_id: the person it was done to; null where it was done to nobody.
  details: ids, numbers and words of Parley's own. Never a text that somebody typed.$$;

-- What a refused call has written is undone, the audit included. A line in the log of Postgres is not,
-- and people who call the API do not see it.
create function chat_private.log_refusal(action text, id uuid)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  raise log 'parley refused % to % (%)',
    log_refusal.action, coalesce(chat_private.acting_user_id()::text, 'nobody'),
    coalesce(log_refusal.id::text, 'nowhere');
end;
$$;

comment on function chat_private.log_refusal(text, uuid) is
  $$Note in the log of Postgres that somebody tried what they have no right to.

Args:
  action: the right that they lack, as a word.
  id: the room, tenant or person it was about.$$;

-- jsonb prints the same value in the same way everywhere. The time is a number, because as a text it
-- would depend on the time zone of the session.
create function chat_private.sealed_text(entry chat_private.audit_log, seq bigint)
returns text
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return jsonb_build_array(
    sealed_text.seq, extract(epoch from (sealed_text.entry).at), (sealed_text.entry).actor_id,
    (sealed_text.entry).via, (sealed_text.entry).action, (sealed_text.entry).tenant_id,
    (sealed_text.entry).room_id, (sealed_text.entry).subject_id, (sealed_text.entry).details
  )::text;
end;
$$;

comment on function chat_private.sealed_text(chat_private.audit_log, bigint) is
  $$Return what the hash of an entry covers.

Args:
  entry: the entry.
  seq: its place in the chain.

Returns:
  A JSON array: seq, at in seconds since 1970, actor_id, via, action, tenant_id, room_id, subject_id,
  details.$$;

create function chat_private.chain_hash(before bytea, content text)
returns bytea
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return sha256(coalesce(chain_hash.before, '') || convert_to(chain_hash.content, 'UTF8'));
end;
$$;

comment on function chat_private.chain_hash(bytea, text) is
  'Return the hash of an entry: of the hash before it, which is null for the first one, and its text.';

-- Only what is committed is seen, so an entry that commits late is sealed later and none is missed.
create function chat_private.seal_audit(most integer)
returns integer
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_entry chat_private.audit_log;
  v_seq bigint;
  v_hash bytea;
  v_sealed integer := 0;
begin
  perform pg_advisory_xact_lock(hashtextextended('parley seal_audit', 0));
  select a.seq, a.hash into v_seq, v_hash
  from chat_private.audit_log as a
  where a.seq is not null
  order by a.seq desc
  limit 1;
  for v_entry in
    select a.*
    from chat_private.audit_log as a
    where a.seq is null
    order by a.at, a.entry_id
    limit seal_audit.most
  loop
    v_seq := coalesce(v_seq, 0) + 1;
    v_hash := chat_private.chain_hash(v_hash, chat_private.sealed_text(v_entry, v_seq));
    update chat_private.audit_log as a
    set seq = v_seq, hash = v_hash
    where a.entry_id = v_entry.entry_id;
    v_sealed := v_sealed + 1;
  end loop;
  return v_sealed;
end;
$$;

comment on function chat_private.seal_audit(integer) is
  $$Give entries their places in the chain; one transaction at a time does it.

Args:
  most: how many at most, the oldest first.

Returns:
  How many were sealed.$$;

create function chat_private.audit_head()
returns text
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return (
    select a.seq || ':' || encode(a.hash, 'hex')
    from chat_private.audit_log as a
    where a.seq is not null
    order by a.seq desc
    limit 1
  );
end;
$$;

comment on function chat_private.audit_head() is
  $$Return the head of the audit, to be kept where the owner of the database cannot change it.

Returns:
  "<seq>:<hash in hex>" of the newest sealed entry; null while nothing is sealed. verify_audit() tells
  later whether the history still contains it.$$;

-- Old entries go, and what is left begins behind a checkpoint: an entry that tells the hash before it. What
-- is due changes once a day, or every entry that goes would leave one.
create function chat_private.purge_audit(most integer)
returns integer
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_last chat_private.audit_log;
  v_purged integer;
begin
  perform pg_advisory_xact_lock(hashtextextended('parley seal_audit', 0));
  select due.* into v_last
  from (
    select a.*
    from chat_private.audit_log as a
    where a.seq is not null
    order by a.seq
    limit purge_audit.most
  ) as due
  where due.at < (
    select date_trunc('day', now(), 'UTC') - s.keep_audit from chat_private.settings as s
  )
  order by due.seq desc
  limit 1;
  if not found then
    return 0;
  end if;
  perform chat_private.record_audit(
    'audit_purged', null, null, null,
    jsonb_build_object('up_to', v_last.seq, 'hash', encode(v_last.hash, 'hex'))
  );
  delete from chat_private.audit_log as a where a.seq <= v_last.seq;
  get diagnostics v_purged = row_count;
  return v_purged;
end;
$$;

comment on function chat_private.purge_audit(integer) is
  $$Take away entries that are older than settings.keep_audit, and leave a checkpoint.

Args:
  most: how many at most.

Returns:
  How many went.$$;

-- Against accidents, also of the owner. The owner can drop a trigger, which is why heads are given away.
create function chat_private.tg_audit_log__check()
returns trigger
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  if tg_op = 'UPDATE' and (
    old.seq is not null
    or (new.entry_id, new.at, new.via, new.action, new.details)
      is distinct from (old.entry_id, old.at, old.via, old.action, old.details)
    or (new.actor_id, new.tenant_id, new.room_id, new.subject_id)
      is distinct from (old.actor_id, old.tenant_id, old.room_id, old.subject_id)
  ) then
    perform chat_private.fail_check('audit_log', 'entries_are_only_sealed');
  end if;
  if tg_op = 'DELETE' and not exists (
    select from chat_private.audit_log as a
    where a.action = 'audit_purged' and (a.details ->> 'up_to')::bigint >= old.seq
  ) then
    perform chat_private.fail_check('audit_log', 'a_checkpoint_comes_first');
  end if;
  if tg_op = 'TRUNCATE' then
    perform chat_private.fail_check('audit_log', 'entries_are_only_sealed');
  end if;
  return null;
end;
$$;

create trigger _100_check after update or delete on chat_private.audit_log
  for each row execute function chat_private.tg_audit_log__check();
create trigger _110_check after truncate on chat_private.audit_log
  for each statement execute function chat_private.tg_audit_log__check();

create function chat_private.changed_values(before jsonb, after jsonb)
returns jsonb
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return (
    select coalesce(jsonb_object_agg(
      n.key,
      case
        when 'string' in (jsonb_typeof(n.value), jsonb_typeof(o.value))
          or 'array' in (jsonb_typeof(n.value), jsonb_typeof(o.value))
          or 'object' in (jsonb_typeof(n.value), jsonb_typeof(o.value))
          then '[]'
        else jsonb_build_array(o.value, n.value)
      end
    ), '{}')
    from jsonb_each(changed_values.after) as n
    join jsonb_each(changed_values.before) as o on o.key = n.key
    where n.value <> o.value
  );
end;
$$;

comment on function chat_private.changed_values(jsonb, jsonb) is
  $$Say which columns of a row changed, for the audit.

Args:
  before, after: the row as an object.

Returns:
  {"column": [before, after]}, where both are numbers, true, false or null; else {"column": []}, because
  a text is not repeated in the audit.$$;

-- Settings have no function: they are changed by update.
create function chat_private.tg_settings__record()
returns trigger
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  perform chat_private.record_audit(
    'settings_changed', null, null, null, chat_private.changed_values(to_jsonb(old), to_jsonb(new))
  );
  return null;
end;
$$;

create trigger _900_record after update on chat_private.settings
  for each row when (new.* is distinct from old.*)
  execute function chat_private.tg_settings__record();

revoke execute on function
  chat_private.record_audit(text, uuid, uuid, uuid, jsonb),
  chat_private.log_refusal(text, uuid),
  chat_private.sealed_text(chat_private.audit_log, bigint),
  chat_private.chain_hash(bytea, text),
  chat_private.seal_audit(integer),
  chat_private.audit_head(),
  chat_private.purge_audit(integer),
  chat_private.changed_values(jsonb, jsonb),
  chat_private.tg_audit_log__check(), chat_private.tg_settings__record()
  from public, anon, authenticated;
