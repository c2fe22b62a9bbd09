-- Reports: what people find wrong with a message or a person, until somebody has dealt with it.

create table chat.reports (
  tenant_id uuid not null references chat.tenants (tenant_id),
  report_id uuid not null default gen_random_uuid(),
  reporter_id uuid not null,
  user_id uuid not null,
  room_id uuid,
  message_seq bigint,
  reason text not null,
  body text,
  attachments jsonb,
  metadata jsonb,
  said_at timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  resolved_at timestamptz,
  resolved_by uuid,
  resolution text,
  taken_at timestamptz,
  taken_by uuid,
  constraint reports_pkey primary key (tenant_id, report_id),
  constraint reason_is_short check (char_length(reason) between 1 and 500),
  constraint resolution_is_short check (char_length(resolution) between 1 and 500),
  constraint messages_are_in_a_room check ((room_id is null) = (message_seq is null))
);

comment on table chat.reports is 'What people reported, and what became of it.';
comment on column chat.reports.user_id is 'The person it is about: the sender, where a message was reported.';
comment on column chat.reports.message_seq is 'The message in room_id; null in a report about a person.';
comment on column chat.reports.body is
  'What the message said when it was reported; it stays when the message is edited, deleted or purged.';
comment on column chat.reports.said_at is 'When the message was sent or last edited.';
comment on column chat.reports.taken_at is
  'When somebody took it up, or resolved it if nobody had before; null until then.';
comment on column chat.reports.taken_by is 'Who took it up first; others may resolve it all the same.';
comment on column chat.reports.resolved_at is 'When somebody dealt with it; null while it is open.';
comment on column chat.reports.resolution is 'What was done; the person who reported is told.';

-- The order of the queue, the age of its oldest open report, and the open reports of one person.
create index reports_in_order
  on chat.reports (tenant_id, (resolved_at is null), created_at, report_id);
create index reports_by_reporter on chat.reports (reporter_id) where resolved_at is null;

-- Nobody deals with a report about themselves, or learns who reported them.
create function chat_private.may_handle_report(report chat.reports)
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return (may_handle_report.report).user_id <> chat_private.acting_user_id()
    and (
      chat_private.is_tenant_admin((may_handle_report.report).tenant_id)
      or chat_private.is_moderator((may_handle_report.report).room_id)
    );
end;
$$;

comment on function chat_private.may_handle_report(chat.reports) is
  'Tell whether the caller deals with a report: as an admin of the tenant or a moderator of the room.';

create function chat_private.file_report(report chat.reports)
returns chat.reports
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_report chat.reports := file_report.report;
  v_found chat.reports;
  v_most integer;
begin
  v_report.reason := chat_private.clean_line(v_report.reason, 'reason', 500);
  if coalesce(v_report.reason, '') = '' then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'A report needs a reason.',
      hint = 'Pass a word or a sentence of up to 500 characters.';
  end if;
  if v_report.user_id = v_report.reporter_id then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'People report others, and not themselves.',
      hint = 'Delete a message of your own with delete_message.';
  end if;
  -- With their stream held, two devices do not report the same thing twice.
  perform chat_private.lock_users(array[v_report.reporter_id]);
  select r.* into v_found
  from chat.reports as r
  where r.reporter_id = v_report.reporter_id
    and r.resolved_at is null
    and r.tenant_id = v_report.tenant_id
    and r.user_id = v_report.user_id
    and r.room_id is not distinct from v_report.room_id
    and r.message_seq is not distinct from v_report.message_seq;
  if found then
    return v_found;
  end if;
  select s.open_reports_per_person into strict v_most from chat_private.settings as s;
  if v_most <= (
    select count(*)
    from chat.reports as r
    where r.reporter_id = v_report.reporter_id and r.resolved_at is null
  ) then
    raise exception using
      errcode = 'PT413',
      message = 'payload_too_large',
      detail = format('At most %s reports of one person are open at once.', v_most),
      hint = 'Wait until some of them are resolved.';
  end if;
  perform chat_private.spend(v_report.reporter_id, 20);

  insert into chat.reports as r (
    tenant_id, reporter_id, user_id, room_id, message_seq, reason, body, attachments, metadata,
    said_at
  )
  values (
    v_report.tenant_id, v_report.reporter_id, v_report.user_id, v_report.room_id,
    v_report.message_seq, v_report.reason, v_report.body, v_report.attachments, v_report.metadata,
    v_report.said_at
  )
  returning r.* into v_report;
  return v_report;
end;
$$;

comment on function chat_private.file_report(chat.reports) is
  $$Put a report into the queue, unless it is there.

Args:
  report: the tenant, who reports what about whom, and why.

Returns:
  The open report.$$;

create function chat_private.report_message(room_id uuid, seq bigint, reason text)
returns chat.reports
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
declare
  v_me chat.room_members := chat_private.require_member(report_message.room_id);
  v_message chat.messages := chat_private.require_message(v_me, report_message.seq);
  v_report chat.reports;
begin
  perform chat_private.require_standing(v_message);
  v_report.tenant_id := (select r.tenant_id from chat.rooms as r where r.id = v_me.room_id);
  v_report.reporter_id := v_me.user_id;
  v_report.user_id := v_message.sender_id;
  v_report.room_id := v_message.room_id;
  v_report.message_seq := v_message.seq;
  v_report.reason := report_message.reason;
  v_report.body := v_message.body;
  v_report.attachments := v_message.attachments;
  v_report.metadata := v_message.metadata;
  v_report.said_at := coalesce(v_message.edited_at, v_message.created_at);
  return chat_private.file_report(v_report);
end;
$$;

-- Blocks do not matter here: somebody who was blocked can still be reported, and can report.
create function chat_private.report_user(user_id uuid, reason text, tenant_id uuid)
returns chat.reports
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
declare
  v_me uuid := chat_private.current_user_id();
  v_tenants uuid[];
  v_report chat.reports;
begin
  v_tenants := array(
    select mine.tenant_id
    from chat.tenant_members as mine
    join chat.tenant_members as theirs
      on theirs.tenant_id = mine.tenant_id
      and theirs.user_id = report_user.user_id
      and theirs.removed_at is null
    where mine.user_id = v_me
      and mine.removed_at is null
      and (report_user.tenant_id is null or mine.tenant_id = report_user.tenant_id)
  );
  if v_tenants = '{}' then
    raise exception using
      errcode = 'PT404',
      message = 'user_not_found',
      detail = format('Nobody in a tenant of yours has the id %s.', report_user.user_id),
      hint = 'Check the id.';
  end if;
  if cardinality(v_tenants) > 1 then
    raise exception using
      errcode = 'PT400',
      message = 'tenant_required',
      detail = format('You share %s tenants with them.', cardinality(v_tenants)),
      hint = 'Pass tenant_id.';
  end if;
  v_report.tenant_id := v_tenants[1];
  v_report.reporter_id := v_me;
  v_report.user_id := report_user.user_id;
  v_report.reason := report_user.reason;
  return chat_private.file_report(v_report);
end;
$$;

create type chat_private.report_position as (is_open boolean, created_at timestamptz, report_id uuid);

create function chat_private.read_report_position(before jsonb)
returns chat_private.report_position
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if read_report_position.before is null then
    return null;
  end if;
  if (
    pg_input_is_valid(read_report_position.before ->> 'is_open', 'boolean')
    and pg_input_is_valid(read_report_position.before ->> 'created_at', 'timestamptz')
    and pg_input_is_valid(read_report_position.before ->> 'report_id', 'uuid')
  ) is not true then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'before is {"is_open", "created_at", "report_id"} of the last row of the page before.',
      hint = 'Leave it out for the first page.';
  end if;
  return row(
    (read_report_position.before ->> 'is_open')::boolean,
    (read_report_position.before ->> 'created_at')::timestamptz,
    (read_report_position.before ->> 'report_id')::uuid
  )::chat_private.report_position;
end;
$$;

comment on function chat_private.read_report_position(jsonb) is
  'Read where a page of reports ends, as list_reports takes it; null stays null.';

create function chat_private.list_reports(tenant_id uuid, before jsonb, page_size integer)
returns setof chat.reports
language plpgsql
stable
-- definer: one check for the page instead of a policy per row
security definer
set search_path = '', pg_temp
as $$
declare
  v_me uuid := chat_private.current_user_id();
  v_size integer := chat_private.clean_page_size(list_reports.page_size);
  v_before chat_private.report_position := chat_private.read_report_position(list_reports.before);
  v_is_admin boolean := chat_private.is_tenant_admin(list_reports.tenant_id);
  v_room_ids uuid[];
begin
  if not chat_private.is_tenant_member(list_reports.tenant_id) then
    perform chat_private.log_refusal('list_reports', list_reports.tenant_id);
    raise exception using
      errcode = 'PT403',
      message = 'not_allowed',
      detail = 'Reports are read in a tenant that you are in.',
      hint = 'Check its id.';
  end if;
  if not v_is_admin then
    v_room_ids := array(
      select m.room_id
      from chat.room_members as m
      where m.user_id = v_me
        and m.left_at is null
        and m.role in ('moderator', 'admin', 'owner')
    );
  end if;
  return query
    select (page.report).*
    from (
      select
        near as report,
        sum(octet_length(to_json(near)::text)) over in_order as bytes,
        row_number() over in_order as place
      from (
        select r.*
        from chat.reports as r
        where r.tenant_id = list_reports.tenant_id
          and r.user_id <> v_me
          and (v_is_admin or r.room_id = any (v_room_ids))
          and (
            v_before.report_id is null
            or (r.resolved_at is null, r.created_at, r.report_id)
              < (v_before.is_open, v_before.created_at, v_before.report_id)
          )
        order by (r.resolved_at is null) desc, r.created_at desc, r.report_id desc
        limit v_size
      ) as near
      window in_order as (
        order by (near.resolved_at is null) desc, near.created_at desc, near.report_id desc
      )
    ) as page
    where page.place = 1 or page.bytes <= (select s.pull_bytes from chat_private.settings as s)
    order by page.place;
end;
$$;

-- Check, lock, check: of two who act on a report at once the second finds what the first has done.
create function chat_private.lock_report(tenant_id uuid, report_id uuid)
returns chat.reports
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_report chat.reports;
begin
  select r.* into v_report
  from chat.reports as r
  where r.tenant_id = lock_report.tenant_id and r.report_id = lock_report.report_id;
  if chat_private.may_handle_report(v_report) then
    select r.* into v_report
    from chat.reports as r
    where r.tenant_id = v_report.tenant_id and r.report_id = v_report.report_id
    for no key update;
  end if;
  if chat_private.may_handle_report(v_report) is not true then
    raise exception using
      errcode = 'PT404',
      message = 'report_not_found',
      detail = format('There is no report %s that you deal with.', lock_report.report_id),
      hint = 'Check the ids with list_reports.';
  end if;
  return v_report;
end;
$$;

comment on function chat_private.lock_report(uuid, uuid) is
  'Lock a report that the caller deals with, and return it as it is then. Raises report_not_found.';

create function chat_private.take_report(tenant_id uuid, report_id uuid)
returns chat.reports
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
declare
  v_me uuid := chat_private.current_user_id();
  v_report chat.reports := chat_private.lock_report(take_report.tenant_id, take_report.report_id);
begin
  if v_report.taken_at is not null then
    return v_report;
  end if;
  perform chat_private.spend(v_me, 1);
  update chat.reports as r
  set taken_at = clock_timestamp(), taken_by = v_me
  where r.tenant_id = v_report.tenant_id and r.report_id = v_report.report_id
  returning r.* into v_report;
  return v_report;
end;
$$;

create function chat_private.resolve_report(tenant_id uuid, report_id uuid, resolution text)
returns chat.reports
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
declare
  v_me uuid := chat_private.current_user_id();
  v_resolution text := chat_private.clean_line(resolve_report.resolution, 'resolution', 500);
  v_now timestamptz;
  v_report chat.reports;
begin
  if coalesce(v_resolution, '') = '' then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'A report ends with what was done.',
      hint = 'Pass a word or a sentence of up to 500 characters.';
  end if;
  v_report := chat_private.lock_report(resolve_report.tenant_id, resolve_report.report_id);
  if v_report.resolved_at is not null then
    return v_report;
  end if;
  perform chat_private.lock_users(array[v_report.reporter_id]);
  perform chat_private.spend(v_me, 2);

  v_now := clock_timestamp();
  update chat.reports as r
  set
    taken_at = coalesce(r.taken_at, v_now),
    taken_by = coalesce(r.taken_by, v_me),
    resolved_at = v_now,
    resolved_by = v_me,
    resolution = v_resolution
  where r.tenant_id = v_report.tenant_id and r.report_id = v_report.report_id
  returning r.* into v_report;
  perform chat_private.record_audit(
    'report_resolved', v_report.tenant_id, v_report.room_id, v_report.user_id,
    jsonb_build_object('report_id', v_report.report_id)
  );
  perform chat_private.add_notifications(
    array[v_report.reporter_id], 'report', v_report.room_id, v_report.message_seq, null,
    data => jsonb_build_object(
      'tenant_id', v_report.tenant_id, 'report_id', v_report.report_id,
      'user_id', v_report.user_id, 'resolution', v_report.resolution
    )
  );
  perform chat_private.bump_users(array[v_report.reporter_id], '{notifications}');
  return v_report;
end;
$$;

create function chat.report_message(room_id uuid, seq bigint, reason text)
returns chat.reports
language sql
volatile
set search_path = '', pg_temp
return chat_private.report_message(room_id, seq, reason);

create function chat.report_user(user_id uuid, reason text, tenant_id uuid default null)
returns chat.reports
language sql
volatile
set search_path = '', pg_temp
return chat_private.report_user(user_id, reason, tenant_id);

create function chat.list_reports(
  tenant_id uuid,
  before jsonb default null,
  page_size integer default 50
)
returns setof chat.reports
language sql
stable
set search_path = '', pg_temp
begin atomic
  select r.* from chat_private.list_reports(tenant_id, before, page_size) as r;
end;

create function chat.take_report(tenant_id uuid, report_id uuid)
returns chat.reports
language sql
volatile
set search_path = '', pg_temp
return chat_private.take_report(tenant_id, report_id);

create function chat.resolve_report(tenant_id uuid, report_id uuid, resolution text)
returns chat.reports
language sql
volatile
set search_path = '', pg_temp
return chat_private.resolve_report(tenant_id, report_id, resolution);

comment on function chat.report_message(uuid, bigint, text) is
  $$Report a message to moderators of the room and admins of the tenant.

The report keeps what the message says now. People report in archived rooms too, and while they are
muted. A notification of the kind report tells the caller how it ends.

Price: 20.

Args:
  room_id: a room the caller is in.
  seq: a message that somebody else wrote.
  reason: up to 500 characters.

Returns:
  The report; the one that is open, where the caller has reported the message before.

Raises:
  sign_in_required: nobody is signed in.
  room_not_found: the room does not exist, or the caller is not in it.
  message_not_found: there is no such message.
  message_deleted: it was deleted.
  invalid_input: there is no reason or too long a one, or the caller wrote the message.
  payload_too_large: too many reports of the caller are open.
  slow_down: too much at once; Retry-After tells the seconds.$$;

comment on function chat.report_user(uuid, text, uuid) is
  $$Report a person to the admins of a tenant.

A notification of the kind report tells the caller how it ends.

Price: 20.

Args:
  user_id: somebody who shares a tenant with the caller, blocked or not.
  reason: up to 500 characters.
  tenant_id: to whose admins it goes; left out, the only tenant they share.

Returns:
  The report; the one that is open, where the caller has reported them before.

Raises:
  sign_in_required: nobody is signed in.
  user_not_found: nobody with that id shares a tenant with the caller.
  tenant_required: they share several tenants.
  invalid_input: there is no reason or too long a one, or the caller names themselves.
  payload_too_large: too many reports of the caller are open.
  slow_down: too much at once; Retry-After tells the seconds.$$;

comment on function chat.list_reports(uuid, jsonb, integer) is
  $$List the reports that the caller deals with, open ones first.

Admins of the tenant deal with all of its reports, and moderators of a room with those about its
messages. Nobody deals with a report about themselves.

Args:
  tenant_id: a tenant the caller is in.
  before: {"is_open", "created_at", "report_id"} of the last row of the page before.
  page_size: 1 to 200 reports. A page may be shorter, because it is bounded by bytes as well: go on
    from its last row until a page is empty.

Returns:
  Reports, open ones first, the newest first among both.

Raises:
  sign_in_required: nobody is signed in.
  not_allowed: the caller is not in the tenant, or there is none.
  invalid_input: before is not as described, or the page size is out of range.$$;

comment on function chat.take_report(uuid, uuid) is
  $$Say that the caller deals with a report now.

Others see who took it up first, and when. It binds nobody: they may resolve it all the same. Nobody is
notified.

Price: 1.

Args:
  tenant_id: its tenant.
  report_id: a report that the caller deals with, as list_reports lists them.

Returns:
  The report, with taken_at and taken_by; unchanged when somebody has taken it up or resolved it already.

Raises:
  sign_in_required: nobody is signed in.
  report_not_found: there is no such report, or the caller does not deal with it.
  slow_down: too much at once; Retry-After tells the seconds.$$;

comment on function chat.resolve_report(uuid, uuid, text) is
  $$Close a report, and tell the person who reported what was done.

Price: 2.

Args:
  tenant_id: its tenant.
  report_id: a report that the caller deals with, as list_reports lists them.
  resolution: what was done, up to 500 characters. The person who reported reads it.

Returns:
  The report; unchanged when somebody has resolved it already.

Raises:
  sign_in_required: nobody is signed in.
  report_not_found: there is no such report, or the caller does not deal with it.
  invalid_input: the resolution is empty or too long.
  slow_down: too much at once; Retry-After tells the seconds.$$;

revoke execute on function
  chat_private.may_handle_report(chat.reports),
  chat_private.file_report(chat.reports),
  chat_private.read_report_position(jsonb),
  chat_private.report_message(uuid, bigint, text), chat.report_message(uuid, bigint, text),
  chat_private.report_user(uuid, text, uuid), chat.report_user(uuid, text, uuid),
  chat_private.list_reports(uuid, jsonb, integer), chat.list_reports(uuid, jsonb, integer),
  chat_private.lock_report(uuid, uuid),
  chat_private.take_report(uuid, uuid), chat.take_report(uuid, uuid),
  chat_private.resolve_report(uuid, uuid, text), chat.resolve_report(uuid, uuid, text)
  from public, anon, authenticated;
grant execute on function
  chat_private.report_message(uuid, bigint, text), chat.report_message(uuid, bigint, text),
  chat_private.report_user(uuid, text, uuid), chat.report_user(uuid, text, uuid),
  chat_private.list_reports(uuid, jsonb, integer), chat.list_reports(uuid, jsonb, integer),
  chat_private.take_report(uuid, uuid), chat.take_report(uuid, uuid),
  chat_private.resolve_report(uuid, uuid, text), chat.resolve_report(uuid, uuid, text)
  to authenticated, service_role;

alter table chat.reports enable row level security;

create policy "admins and moderators read reports about others" on chat.reports
  for select to authenticated
  using (
    user_id <> (select auth.uid())
    and (chat_private.is_tenant_admin(tenant_id) or chat_private.is_moderator(room_id))
  );

grant select on chat.reports to authenticated, service_role;
