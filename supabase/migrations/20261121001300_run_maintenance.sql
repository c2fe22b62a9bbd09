-- run_maintenance: what has to happen by itself, in steps small enough to be interrupted.

-- An account that ended is fenced at once and leaves its rooms here.
create function chat_private.leave_closed_accounts(most integer)
returns integer
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_user_id uuid;
  v_left integer := 0;
begin
  for v_user_id in
    select distinct p.user_id
    from chat.profiles as p
    join chat.room_members as m on m.user_id = p.user_id and m.left_at is null
    where p.closed_at is not null
    order by p.user_id
    limit 1
  loop
    v_left := chat_private.end_memberships(
      v_user_id, null, v_user_id, 'member_left', leave_closed_accounts.most
    );
  end loop;
  return v_left;
end;
$$;

comment on function chat_private.leave_closed_accounts(integer) is
  $$Take one closed account out of its rooms.

Args:
  most: how many rooms at most.

Returns:
  The number of rooms it left; 0 when there is nothing left to do.$$;

-- Afterwards its places in tenants end, one at a time, because a tenant is locked before rooms.
create function chat_private.end_closed_place()
returns integer
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_place chat.tenant_members;
begin
  select t.* into v_place
  from chat.profiles as p
  join chat.tenant_members as t on t.user_id = p.user_id and t.removed_at is null
  where p.closed_at is not null
  order by t.tenant_id, t.user_id
  limit 1;
  if not found then
    return 0;
  end if;
  perform from chat.tenants as t where t.tenant_id = v_place.tenant_id for no key update;
  select t.* into v_place
  from chat.tenant_members as t
  where t.tenant_id = v_place.tenant_id and t.user_id = v_place.user_id and t.removed_at is null;
  if found then
    perform chat_private.end_place(v_place, v_place.user_id, 'member_left');
    if v_place.role = 'owner' then
      perform chat_private.pass_on_tenant(v_place.tenant_id);
    end if;
  end if;
  return 1;
end;
$$;

comment on function chat_private.end_closed_place() is
  $$End one place that a closed account has in a tenant, with what is left of its rooms there.

Returns:
  1; 0 when there is none.$$;

-- Heirs are living people: an office that nobody can hold is lost to everybody.
create function chat_private.pass_on_tenant(tenant_id uuid)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_heir chat.tenant_members;
begin
  update chat.tenant_members as m
  set role = 'owner'
  from (
    select t.user_id, t.role
    from chat.tenant_members as t
    join chat.profiles as p on p.user_id = t.user_id and p.closed_at is null and not p.is_bot
    where t.tenant_id = pass_on_tenant.tenant_id and t.removed_at is null
    order by array_position('{owner,admin,member}', t.role), t.joined_at, t.user_id
    limit 1
  ) as heir
  where m.tenant_id = pass_on_tenant.tenant_id
    and m.user_id = heir.user_id
    and heir.role <> 'owner'
  returning m.* into v_heir;
  if found then
    perform chat_private.record_audit(
      'tenant_role_changed', v_heir.tenant_id, null, v_heir.user_id, '{"to": "owner"}'
    );
  end if;
end;
$$;

comment on function chat_private.pass_on_tenant(uuid) is
  'Make the longest-standing admin, else member, owner of a locked tenant that has no living owner.';

-- What is remembered of purged messages has an end, because it would outweigh what the purge has freed.
-- People who were never in a room but wrote there, as after an import, are known in it only by what they
-- sent. The last row of such a person is kept, so that members can go on reading the name.
create function chat_private.forget_purged_sends(most integer)
returns integer
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_before timestamptz;
  v_done integer;
begin
  select now() - s.keep_sends into strict v_before from chat_private.settings as s;
  with due as (
    select
      s.room_id, s.sender_id, s.client_id,
      exists (
        select from chat.room_members as m
        where m.room_id = s.room_id and m.user_id = s.sender_id
      )
      or exists (
        select from chat.messages as m
        where m.room_id = s.room_id and m.sender_id = s.sender_id and m.client_id is not null
      )
      or exists (
        select from chat_private.sends as o
        where o.room_id = s.room_id
          and o.sender_id = s.sender_id
          and (o.purged_at, o.client_id) > (s.purged_at, s.client_id)
      ) as may_go
    from chat_private.sends as s
    where s.purged_at < v_before
    order by s.purged_at
    limit forget_purged_sends.most
    for update skip locked
  ),
  forgotten as (
    delete from chat_private.sends as s
    using due as d
    where d.may_go
      and s.room_id = d.room_id
      and s.sender_id = d.sender_id
      and s.client_id = d.client_id
  ),
  kept as (
    update chat_private.sends as s
    set purged_at = 'infinity'
    from due as d
    where not d.may_go
      and s.room_id = d.room_id
      and s.sender_id = d.sender_id
      and s.client_id = d.client_id
  )
  select count(*) into v_done from due;
  return v_done;
end;
$$;

comment on function chat_private.forget_purged_sends(integer) is
  $$Forget sends whose messages were purged settings.keep_sends ago.

Args:
  most: how many at most.

Returns:
  How many it went through; 0 when there is nothing left to do.$$;

create function chat_private.run_maintenance()
returns jsonb
language plpgsql
volatile
-- definer: writes tables that nobody may write
security definer
set search_path = '', pg_temp
as $$
declare
  v_memberships integer := chat_private.leave_closed_accounts(100);
begin
  perform chat_private.note_maintenance();
  return jsonb_build_object(
    'accounts_opened', chat_private.open_accounts(2000),
    'memberships_ended', v_memberships,
    'places_ended', case when v_memberships = 0 then chat_private.end_closed_place() else 0 end,
    'devices_dropped', case when v_memberships = 0 then chat_private.drop_closed_devices(100) else 0 end,
    'pushes_dropped', chat_private.drop_old_pushes(5000),
    'sends_forgotten', chat_private.forget_purged_sends(1000),
    'files_given_up', chat_private.queue_orphans(1000),
    'checks_forgotten', chat_private.drop_old_checks(1000),
    'losses_forgotten', chat_private.drop_old_losses(5000)
  )
  || chat_private.tidy_table_notes(1000)
  -- From here on nothing waits for a room: these take the locks that a hold waits for.
  || chat_private.keep_retention(500)
  || jsonb_build_object(
    'rows_erased', case when v_memberships = 0 then chat_private.erase_portion(1000) else 0 end,
    'held_texts_dropped', chat_private.sweep_released(500),
    'audit_entries_dropped', chat_private.purge_audit(1000),
    'audit_entries_sealed', chat_private.seal_audit(1000),
    -- Last, because it locks a table of the project until the end.
    'tables_streamed_again', chat_private.stream_changed_tables()
  );
end;
$$;

create function chat.run_maintenance()
returns jsonb
language sql
volatile
set search_path = '', pg_temp
return chat_private.run_maintenance();

comment on function chat.run_maintenance() is
  $$Do a portion of what is due.

For the service role: every minute, and again until all it returns is zero.

Returns:
  {"accounts_opened": people who had signed up before Parley came, and can take part now,
  "memberships_ended": rooms that closed accounts have left, "places_ended": tenants that they have
  left, "devices_dropped": their devices, "pushes_dropped": messages that nobody claimed pushes of
  within 24 hours, "sends_forgotten": retries of purged messages that are not recognized any more,
  "files_given_up": files that were uploaded and are held by no message after a day,
  "checks_forgotten": content checks of a week ago that failed or were slow,
  "losses_forgotten": notes of broadcasts that were lost a week ago,
  "table_notes_folded": notes of changes in streamed tables that later ones made shorter,
  "table_notes_dropped": such notes of settings.keep_changes ago,
  "messages_purged": messages that have had the days their room or tenant keeps them,
  "removed_rows_dropped": reactions and pins that were taken back 90 days ago,
  "edits_dropped": earlier texts of messages, after settings.keep_edits,
  "invites_dropped": invites that ended 90 days ago,
  "traces_dropped": leases of presence and settled pushes of 90 days ago, and buckets that are full,
  "rows_erased": rows of people who are erased, or 1 where it only got further,
  "held_texts_dropped": what released holds had kept,
  "audit_entries_dropped": entries older than settings.keep_audit,
  "audit_entries_sealed": entries that got their place in the chain,
  "tables_streamed_again": streamed tables that got a trigger which may change their rows}.

Raises:
  Nothing; it may be called at any time and concurrently.$$;

revoke execute on function
  chat_private.leave_closed_accounts(integer),
  chat_private.end_closed_place(),
  chat_private.pass_on_tenant(uuid),
  chat_private.forget_purged_sends(integer),
  chat_private.run_maintenance(), chat.run_maintenance()
  from public, anon, authenticated;
grant execute on function chat_private.run_maintenance(), chat.run_maintenance() to service_role;
