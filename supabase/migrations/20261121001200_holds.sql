-- Legal hold: what is held outlives edits, deletion, retention and erasure, sealed from everybody.

-- A hold is on a room, on a person (what they wrote), or on a tenant. People see and do what they would
-- without it. What a change would destroy of a held message is copied first.
create table chat_private.holds (
  hold_id uuid primary key default gen_random_uuid(),
  kind text not null,
  target_id uuid not null,
  reason text not null,
  placed_at timestamptz not null default clock_timestamp(),
  released_at timestamptz,
  swept_at timestamptz,
  constraint kind_is_known check (kind in ('room', 'person', 'tenant')),
  constraint reason_is_short check (char_length(reason) between 1 and 500)
);

comment on table chat_private.holds is 'What must not be destroyed. A released hold keeps its row.';
comment on column chat_private.holds.target_id is 'The room, person or tenant.';
comment on column chat_private.holds.reason is 'Why, in the operator''s words, such as the number of a case.';
comment on column chat_private.holds.swept_at is
  'When everything that this hold alone had kept was gone; null until then.';

-- Every change that destroys looks here, and most projects hold nothing.
create index holds_standing on chat_private.holds (target_id) where released_at is null;
create index holds_to_sweep on chat_private.holds (released_at)
  where released_at is not null and swept_at is null;

create table chat_private.held_bodies (
  room_id uuid not null,
  seq bigint not null,
  rev bigint not null,
  tenant_id uuid not null,
  sender_id uuid not null,
  kind text not null,
  body text not null,
  reply_to bigint,
  mentions uuid[],
  mention_all boolean,
  attachments jsonb,
  metadata jsonb,
  created_at timestamptz,
  edited_at timestamptz,
  kept_at timestamptz not null default clock_timestamp(),
  constraint held_bodies_pkey primary key (room_id, seq, rev)
);

comment on table chat_private.held_bodies is
  'What held messages said before they were edited, deleted, purged or erased. No API role reads it.';
comment on column chat_private.held_bodies.rev is 'The number of the change that this outlived.';
comment on column chat_private.held_bodies.mentions is
  'Null in an earlier text that was edited before the hold: then nothing but the text was kept.';
comment on column chat_private.held_bodies.kept_at is 'When the change was.';

create index held_bodies_by_sender on chat_private.held_bodies (sender_id, room_id, seq, rev);
create index held_bodies_by_tenant on chat_private.held_bodies (tenant_id, room_id, seq, rev);

-- Whatever destroys shares this lock, and set_hold() has it alone. So a hold waits for changes that did
-- not see it, and later changes see it. It is taken after every other lock.
create function chat_private.take_no_hold_lock()
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  perform pg_advisory_xact_lock_shared(hashtextextended('parley holds', 0));
end;
$$;

comment on function chat_private.take_no_hold_lock() is
  'Keep new holds away until the transaction ends. Look for holds in a later statement.';

create function chat_private.is_held(room_id uuid, sender_id uuid, tenant_id uuid)
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return exists (
    select from chat_private.holds as h
    where h.target_id in (is_held.room_id, is_held.sender_id, is_held.tenant_id)
      and h.released_at is null
  );
end;
$$;

comment on function chat_private.is_held(uuid, uuid, uuid) is
  $$Tell whether what somebody wrote in a room is under legal hold.

Args:
  room_id: the room.
  sender_id: who wrote it; null looks at the holds on the room and the tenant only.
  tenant_id: the tenant of the room.$$;

-- Triggers copy, so that no change can forget to.
create function chat_private.tg_messages__keep_held()
returns trigger
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_tenant_id uuid;
  v_rev bigint;
begin
  perform chat_private.take_no_hold_lock();
  if exists (select from chat_private.holds as h where h.released_at is null) then
    select r.tenant_id, r.rev + 1 into v_tenant_id, v_rev
    from chat.rooms as r
    where r.id = old.room_id;
    if chat_private.is_held(old.room_id, old.sender_id, v_tenant_id) then
      insert into chat_private.held_bodies (
        room_id, seq, rev, tenant_id, sender_id, kind, body, reply_to, mentions, mention_all,
        attachments, metadata, created_at, edited_at
      )
      values (
        old.room_id, old.seq, v_rev, v_tenant_id, old.sender_id, old.kind, old.body, old.reply_to,
        old.mentions, old.mention_all, old.attachments, old.metadata, old.created_at, old.edited_at
      )
      on conflict on constraint held_bodies_pkey do nothing;
    end if;
  end if;
  return coalesce(new, old);
end;
$$;

create trigger _300_keep_held
  before update of body, mentions, mention_all, attachments, metadata or delete
  on chat.messages
  for each row when (old.deleted_at is null)
  execute function chat_private.tg_messages__keep_held();

-- Earlier texts go with their message, which is gone by then where it was purged.
create function chat_private.tg_message_edits__keep_held()
returns trigger
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_tenant_id uuid;
begin
  perform chat_private.take_no_hold_lock();
  if exists (select from chat_private.holds as h where h.released_at is null) then
    select r.tenant_id into v_tenant_id from chat.rooms as r where r.id = old.room_id;
    if chat_private.is_held(old.room_id, old.sender_id, v_tenant_id) then
      insert into chat_private.held_bodies (
        room_id, seq, rev, tenant_id, sender_id, kind, body, edited_at
      )
      values (
        old.room_id, old.seq, old.rev, v_tenant_id, old.sender_id, 'text', old.body, old.edited_at
      )
      on conflict on constraint held_bodies_pkey do nothing;
    end if;
  end if;
  return coalesce(new, old);
end;
$$;

create trigger _300_keep_held
  before update of body or delete
  on chat.message_edits
  for each row
  execute function chat_private.tg_message_edits__keep_held();

create type chat.hold as (
  hold_id uuid,
  kind text,
  target_id uuid,
  reason text,
  placed_at timestamptz,
  released_at timestamptz
);

comment on type chat.hold is 'A legal hold on a room, a person or a tenant.';

create function chat_private.shown_hold(hold chat_private.holds)
returns chat.hold
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  v_shown chat.hold;
begin
  v_shown.hold_id := (shown_hold.hold).hold_id;
  v_shown.kind := (shown_hold.hold).kind;
  v_shown.target_id := (shown_hold.hold).target_id;
  v_shown.reason := (shown_hold.hold).reason;
  v_shown.placed_at := (shown_hold.hold).placed_at;
  v_shown.released_at := (shown_hold.hold).released_at;
  return v_shown;
end;
$$;

comment on function chat_private.shown_hold(chat_private.holds) is 'Return a hold as the API shows it.';

-- An id that does not exist is refused, because a hold on it would hold nothing and say nothing.
create function chat_private.require_hold_target(kind text, target_id uuid)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if not (case require_hold_target.kind
    when 'room' then exists (
      select from chat.rooms as r where r.id = require_hold_target.target_id
    )
    when 'person' then exists (
      select from chat.profiles as p where p.user_id = require_hold_target.target_id
    )
    when 'tenant' then exists (
      select from chat.tenants as t where t.tenant_id = require_hold_target.target_id
    )
    else false
  end) then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = format(
        'There is no %s with the id %s.', left(require_hold_target.kind, 40),
        require_hold_target.target_id
      ),
      hint = 'Pass room, person or tenant as the kind, and its id as target_id.';
  end if;
end;
$$;

comment on function chat_private.require_hold_target(text, uuid) is
  $$Refuse a hold on what does not exist.

Raises:
  invalid_input: there is no such room, person or tenant.$$;

create function chat_private.set_hold(kind text, target_id uuid, reason text)
returns chat.hold
language plpgsql
volatile
-- definer: reads and writes tables that nobody may write
security definer
set search_path = '', pg_temp
as $$
declare
  v_reason text := chat_private.clean_line(set_hold.reason, 'reason', 500);
  v_hold chat_private.holds;
begin
  perform chat_private.require_hold_target(set_hold.kind, set_hold.target_id);
  if coalesce(v_reason, '') = '' then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'A hold has a reason.',
      hint = 'Pass the number of the case, or why it is held.';
  end if;
  perform pg_advisory_xact_lock(hashtextextended('parley holds', 0));
  select h.* into v_hold
  from chat_private.holds as h
  where h.target_id = set_hold.target_id
    and h.kind = set_hold.kind
    and h.reason = v_reason
    and h.released_at is null;
  if not found then
    insert into chat_private.holds as h (kind, target_id, reason)
    values (set_hold.kind, set_hold.target_id, v_reason)
    returning h.* into v_hold;
    perform chat_private.record_hold('hold_set', v_hold);
  end if;
  return chat_private.shown_hold(v_hold);
end;
$$;

create function chat_private.record_hold(action text, hold chat_private.holds)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_target_id uuid := (record_hold.hold).target_id;
  v_kind text := (record_hold.hold).kind;
begin
  perform chat_private.record_audit(
    record_hold.action,
    case when v_kind = 'tenant' then v_target_id end,
    case when v_kind = 'room' then v_target_id end,
    case when v_kind = 'person' then v_target_id end,
    jsonb_build_object('hold_id', (record_hold.hold).hold_id)
  );
end;
$$;

comment on function chat_private.record_hold(text, chat_private.holds) is
  'Add to the audit what was done with a hold.';

create function chat_private.require_hold(hold_id uuid)
returns chat_private.holds
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_hold chat_private.holds;
begin
  select h.* into v_hold
  from chat_private.holds as h
  where h.hold_id = require_hold.hold_id
  for update;
  if not found then
    raise exception using
      errcode = 'PT404',
      message = 'hold_not_found',
      detail = format('There is no hold %s.', require_hold.hold_id),
      hint = 'Pass the hold_id that set_hold returned.';
  end if;
  return v_hold;
end;
$$;

comment on function chat_private.require_hold(uuid) is
  $$Find a hold and lock it.

Raises:
  hold_not_found: there is none.$$;

create function chat_private.release_hold(hold_id uuid)
returns chat.hold
language plpgsql
volatile
-- definer: reads and writes tables that nobody may write
security definer
set search_path = '', pg_temp
as $$
declare
  v_hold chat_private.holds := chat_private.require_hold(release_hold.hold_id);
begin
  if v_hold.released_at is null then
    update chat_private.holds as h
    set released_at = clock_timestamp()
    where h.hold_id = v_hold.hold_id
    returning h.* into v_hold;
    perform chat_private.record_hold('hold_released', v_hold);
  end if;
  return chat_private.shown_hold(v_hold);
end;
$$;

-- What is not held any more goes, and what was asked for happens: texts here, files by the worker. All
-- that is kept of a message goes together, because its texts share its files. The lock keeps a new hold
-- on the same from being set meanwhile.
create function chat_private.sweep_released(most integer)
returns integer
language plpgsql
volatile
set search_path = '', pg_temp
-- planned for the kind that it is called with, so that an index is used
set plan_cache_mode = force_custom_plan
as $$
declare
  v_hold chat_private.holds;
  v_swept integer := 0;
begin
  for v_hold in
    select h.*
    from chat_private.holds as h
    where h.released_at is not null and h.swept_at is null
    order by h.released_at
    for update skip locked
  loop
    perform chat_private.take_no_hold_lock();
    with free as (
      select distinct b.room_id, b.seq
      from chat_private.held_bodies as b
      where case v_hold.kind
          when 'room' then b.room_id
          when 'person' then b.sender_id
          else b.tenant_id
        end = v_hold.target_id
        and not chat_private.is_held(b.room_id, b.sender_id, b.tenant_id)
      limit sweep_released.most
    ),
    swept as (
      delete from chat_private.held_bodies as b
      using free as f
      where b.room_id = f.room_id and b.seq = f.seq
      returning b.attachments
    ),
    freed as (
      update chat_private.file_queue as q
      set due_at = clock_timestamp()
      from swept as s
      cross join lateral unnest(chat_private.paths_in(s.attachments)) as p (path)
      where q.bucket_id = 'chat-attachments' and q.path = p.path and q.due_at = 'infinity'
    )
    select count(*) into v_swept from swept;
    exit when v_swept > 0;
    update chat_private.holds as h
    set swept_at = clock_timestamp()
    where h.hold_id = v_hold.hold_id;
  end loop;
  return v_swept;
end;
$$;

comment on function chat_private.sweep_released(integer) is
  $$Let go of what one released hold had kept and no other hold keeps.

Args:
  most: the messages of which to let go, at most.

Returns:
  How many texts went; 0 when nothing is left to do.$$;

create type chat.held_body as (
  room_id uuid,
  seq bigint,
  rev bigint,
  sender_id uuid,
  kind text,
  body text,
  reply_to bigint,
  mentions uuid[],
  mention_all boolean,
  attachments jsonb,
  metadata jsonb,
  created_at timestamptz,
  edited_at timestamptz,
  kept_at timestamptz
);

comment on type chat.held_body is
  'What a held message said before the change with the number rev: an edit, a deletion, a purge or an erasure.';

create function chat_private.read_held(hold_id uuid, before jsonb, page_size integer)
returns setof chat.held_body
language plpgsql
volatile
-- definer: reads what no API role reads
security definer
set search_path = '', pg_temp
-- planned for the kind that it is called with, so that an index is used
set plan_cache_mode = force_custom_plan
as $$
declare
  v_size integer := chat_private.clean_page_size(read_held.page_size);
  v_hold chat_private.holds := chat_private.require_hold(read_held.hold_id);
  v_at chat_private.held_bodies;
begin
  if v_hold.released_at is not null then
    raise exception using
      errcode = 'PT404',
      message = 'hold_not_found',
      detail = format('The hold %s was released.', v_hold.hold_id),
      hint = 'What it alone had kept is gone, or goes with the next maintenance.';
  end if;
  v_at := chat_private.read_held_cursor(read_held.before);
  perform chat_private.record_hold('held_read', v_hold);
  return query
    select
      b.room_id, b.seq, b.rev, b.sender_id, b.kind, b.body, b.reply_to, b.mentions, b.mention_all,
      b.attachments, b.metadata, b.created_at, b.edited_at, b.kept_at
    from chat_private.held_bodies as b
    where case v_hold.kind
        when 'room' then b.room_id
        when 'person' then b.sender_id
        else b.tenant_id
      end = v_hold.target_id
      and (v_at.room_id is null or (b.room_id, b.seq, b.rev) < (v_at.room_id, v_at.seq, v_at.rev))
    order by b.room_id desc, b.seq desc, b.rev desc
    limit v_size;
end;
$$;

create function chat_private.read_held_cursor(before jsonb)
returns chat_private.held_bodies
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  c_number constant text := '^[0-9]{1,18}$';
  v_at chat_private.held_bodies;
begin
  if read_held_cursor.before is not null then
    if (
      jsonb_typeof(read_held_cursor.before) = 'object'
      and read_held_cursor.before ->> 'room_id' ~ chat_private.uuid_pattern()
      and read_held_cursor.before ->> 'seq' ~ c_number
      and read_held_cursor.before ->> 'rev' ~ c_number
    ) is not true then
      raise exception using
        errcode = 'PT400',
        message = 'invalid_input',
        detail = 'before is {"room_id", "seq", "rev"}.',
        hint = 'Pass those of the last row of the page before.';
    end if;
    v_at.room_id := read_held_cursor.before ->> 'room_id';
    v_at.seq := read_held_cursor.before ->> 'seq';
    v_at.rev := read_held_cursor.before ->> 'rev';
  end if;
  return v_at;
end;
$$;

comment on function chat_private.read_held_cursor(jsonb) is
  $$Read where a page of read_held() ended; null is the beginning.

Raises:
  invalid_input: it is not the key of a row.$$;

create function chat.set_hold(kind text, target_id uuid, reason text)
returns chat.hold
language sql
volatile
set search_path = '', pg_temp
return chat_private.set_hold(kind, target_id, reason);

create function chat.release_hold(hold_id uuid)
returns chat.hold
language sql
volatile
set search_path = '', pg_temp
return chat_private.release_hold(hold_id);

create function chat.read_held(hold_id uuid, before jsonb default null, page_size integer default 50)
returns setof chat.held_body
language sql
volatile
set search_path = '', pg_temp
begin atomic
  select
    h.room_id, h.seq, h.rev, h.sender_id, h.kind, h.body, h.reply_to, h.mentions, h.mention_all,
    h.attachments, h.metadata, h.created_at, h.edited_at, h.kept_at
  from chat_private.read_held(hold_id, before, page_size) as h;
end;

comment on function chat.set_hold(text, uuid, text) is
  $$Keep what messages say, whatever becomes of them, until it is released.

For the service role. People notice nothing: they edit and delete as before and see the result, retention
and erasure go on, and what is destroyed is kept aside for read_held. What was destroyed before is not
brought back. The call waits for edits and deletions that have begun. It is added to the audit.

Args:
  kind: room, person (everything they wrote) or tenant.
  target_id: which.
  reason: why, up to 500 characters. It is kept with the hold; the audit does not repeat it.

Returns:
  The hold; the same one for the same target and reason while it stands.

Raises:
  invalid_input: there is no such room, person or tenant, or no reason.$$;

comment on function chat.release_hold(uuid) is
  $$End a hold, so that what people and retention asked for happens.

For the service role. What no other hold keeps goes with the next maintenance, files included. It is added
to the audit.

Args:
  hold_id: the hold.

Returns:
  The hold; unchanged when it was released already.

Raises:
  hold_not_found: there is no such hold.$$;

comment on function chat.read_held(uuid, jsonb, integer) is
  $$Read what a hold has kept of messages that were changed or destroyed.

For the service role. Each page that is read is added to the audit. What a message says now is read in the
table messages.

Args:
  hold_id: a hold that stands.
  before: {"room_id", "seq", "rev"} of the last row of the page before; null begins.
  page_size: 1 to 200 rows.

Returns:
  A row for each text that was replaced or destroyed, by room, newest message first. Its files are still in
  the bucket chat-attachments; the secret key reads them.

Raises:
  hold_not_found: there is no such hold, or it was released.
  invalid_input: before is not the key of a row, or the page size is out of range.$$;

revoke execute on function
  chat_private.take_no_hold_lock(),
  chat_private.is_held(uuid, uuid, uuid),
  chat_private.tg_messages__keep_held(), chat_private.tg_message_edits__keep_held(),
  chat_private.shown_hold(chat_private.holds),
  chat_private.require_hold_target(text, uuid),
  chat_private.record_hold(text, chat_private.holds),
  chat_private.require_hold(uuid),
  chat_private.sweep_released(integer),
  chat_private.read_held_cursor(jsonb),
  chat_private.set_hold(text, uuid, text), chat.set_hold(text, uuid, text),
  chat_private.release_hold(uuid), chat.release_hold(uuid),
  chat_private.read_held(uuid, jsonb, integer), chat.read_held(uuid, jsonb, integer)
  from public, anon, authenticated;
grant execute on function
  chat_private.set_hold(text, uuid, text), chat.set_hold(text, uuid, text),
  chat_private.release_hold(uuid), chat.release_hold(uuid),
  chat_private.read_held(uuid, jsonb, integer), chat.read_held(uuid, jsonb, integer)
  to service_role;
