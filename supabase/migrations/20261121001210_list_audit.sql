-- list_audit and verify_audit: read the audit, and find out whether somebody changed it.

create type chat.audit_entry as (
  seq bigint,
  at timestamptz,
  actor_id uuid,
  via text,
  action text,
  tenant_id uuid,
  room_id uuid,
  subject_id uuid,
  details jsonb,
  sealed text,
  hash text
);

comment on type chat.audit_entry is
  'An entry of the audit. hash is the SHA-256, in hex, of the bytes of the hash before and of sealed as UTF-8.';

-- Seals first, so that a reader sees what happened up to now and every entry has its place.
create function chat_private.list_audit(before bigint, page_size integer)
returns setof chat.audit_entry
language plpgsql
volatile
-- definer: reads what no API role reads
security definer
set search_path = '', pg_temp
as $$
declare
  v_size integer := chat_private.clean_page_size(list_audit.page_size);
begin
  perform chat_private.seal_audit(1000);
  return query
    select
      a.seq, a.at, a.actor_id, a.via, a.action, a.tenant_id, a.room_id, a.subject_id, a.details,
      chat_private.sealed_text(a, a.seq), encode(a.hash, 'hex')
    from chat_private.audit_log as a
    where a.seq < coalesce(list_audit.before, 9223372036854775807)
    order by a.seq desc
    limit v_size;
end;
$$;

-- The hash before the first entry that is left is the one that the checkpoint tells. A hash that was
-- recomputed after a change is right by itself, and only a head that was given away shows it.
create function chat_private.verify_audit(known_head text)
returns jsonb
language plpgsql
volatile
-- definer: reads what no API role reads
security definer
set search_path = '', pg_temp
as $$
declare
  v_known_seq bigint;
  v_known_hash text;
  v_checkpoint chat_private.audit_log;
  v_floor bigint;
  v_first bigint;
  v_count bigint;
  v_broken bigint;
begin
  if verify_audit.known_head !~ '^[0-9]{1,18}:[0-9a-f]{64}$' then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'known_head is a number, a colon and 64 hexadecimal digits.',
      hint = 'Pass a head as list_audit, health or an export gave it: <seq>:<hash>.';
  end if;
  v_known_seq := split_part(verify_audit.known_head, ':', 1);
  v_known_hash := split_part(verify_audit.known_head, ':', 2);
  perform chat_private.seal_audit(1000);
  select a.* into v_checkpoint
  from chat_private.audit_log as a
  where a.action = 'audit_purged'
  order by a.seq desc nulls first, a.at desc
  limit 1;
  v_floor := coalesce((v_checkpoint.details ->> 'up_to')::bigint, 0);
  select count(*), min(e.seq), min(e.seq) filter (where not e.is_right)
  into v_count, v_first, v_broken
  from (
    select
      a.seq,
      a.seq = v_floor + row_number() over by_seq
      and a.hash = chat_private.chain_hash(
        coalesce(lag(a.hash) over by_seq, decode(v_checkpoint.details ->> 'hash', 'hex')),
        chat_private.sealed_text(a, a.seq)
      ) as is_right
    from chat_private.audit_log as a
    where a.seq is not null
    window by_seq as (order by a.seq)
  ) as e;
  return jsonb_build_object(
    'is_intact', v_broken is null,
    'broken_at', v_broken,
    'entries', v_count,
    'first_seq', v_first,
    'head', chat_private.audit_head(),
    'contains_known_head', case
      when v_known_seq > v_floor then exists (
        select from chat_private.audit_log as a
        where a.seq = v_known_seq and a.hash = decode(v_known_hash, 'hex')
      )
      when v_known_seq = v_floor then v_checkpoint.details ->> 'hash' = v_known_hash
    end
  );
end;
$$;

create function chat.list_audit(before bigint default null, page_size integer default 50)
returns setof chat.audit_entry
language sql
volatile
set search_path = '', pg_temp
begin atomic
  select
    e.seq, e.at, e.actor_id, e.via, e.action, e.tenant_id, e.room_id, e.subject_id, e.details,
    e.sealed, e.hash
  from chat_private.list_audit(before, page_size) as e;
end;

create function chat.verify_audit(known_head text default null)
returns jsonb
language sql
volatile
set search_path = '', pg_temp
return chat_private.verify_audit(known_head);

comment on function chat.list_audit(bigint, integer) is
  $$List who did what that others have to answer for, newest first.

For the service role. What happened up to now is sealed first.

Args:
  before: the seq of the last entry of the page before; null begins with the newest.
  page_size: 1 to 200 entries.

Returns:
  Entries with actor_id, via (user, server or maintenance), action, tenant_id, room_id, subject_id and
  details: ids and numbers, never texts. sealed and hash let anybody check the chain without the database.

Raises:
  invalid_input: the page size is out of range.$$;

comment on function chat.verify_audit(text) is
  $$Check the chain of the audit, and whether it still contains a head.

For the service role. Whoever owns the database can change entries and compute the chain anew. Only a head
that was kept elsewhere shows that.

Args:
  known_head: "<seq>:<hash>" as it was given away before; null checks the chain alone.

Returns:
  {"is_intact": every entry follows from the one before, "broken_at": the seq of the first that does not,
  "entries", "first_seq", "head": the newest head, "contains_known_head": true, false where history was
  changed since, null where none was asked for or retention took the entry away}.

Raises:
  invalid_input: known_head is no head.$$;

revoke execute on function
  chat_private.list_audit(bigint, integer), chat.list_audit(bigint, integer),
  chat_private.verify_audit(text), chat.verify_audit(text)
  from public, anon, authenticated;
grant execute on function
  chat_private.list_audit(bigint, integer), chat.list_audit(bigint, integer),
  chat_private.verify_audit(text), chat.verify_audit(text)
  to service_role;
