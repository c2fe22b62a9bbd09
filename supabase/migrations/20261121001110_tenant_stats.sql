-- tenant_stats: how large a tenant is, and how much goes on in it.

create type chat.tenant_numbers as (
  tenant_id uuid,
  members bigint,
  rooms bigint,
  archived_rooms bigint,
  rooms_active_today bigint,
  messages bigint,
  open_reports bigint,
  oldest_report_seconds bigint
);

comment on type chat.tenant_numbers is
  $$Counts of a tenant.

messages are those that retention has not purged, deleted ones included. oldest_report_seconds is how long
the oldest open report has been waiting; null while none is open.$$;

-- The heads of rooms know how many messages there are, so nobody counts them: the cost goes with the
-- rooms and places of the tenant, whatever is said in it.
create function chat_private.tenant_stats(tenant_id uuid)
returns chat.tenant_numbers
language plpgsql
stable
-- definer: counts rooms that the caller is not in
security definer
set search_path = '', pg_temp
as $$
declare
  v_numbers chat.tenant_numbers;
begin
  perform chat_private.current_user_id();
  if not chat_private.is_tenant_admin(tenant_stats.tenant_id) then
    perform chat_private.log_refusal('tenant_stats', tenant_stats.tenant_id);
    raise exception using
      errcode = 'PT403',
      message = 'not_allowed',
      detail = 'Owners and admins of a tenant see its numbers.',
      hint = 'Ask an owner.';
  end if;
  select
    tenant_stats.tenant_id,
    (
      select count(*)
      from chat.tenant_members as t
      where t.tenant_id = tenant_stats.tenant_id and t.removed_at is null
    ),
    count(*) filter (where r.archived_at is null),
    count(*) filter (where r.archived_at is not null),
    count(*) filter (where r.active_at > clock_timestamp() - interval '24 hours'),
    coalesce(sum(r.last_seq - r.floor_seq), 0),
    (
      select count(*)
      from chat.reports as o
      where o.tenant_id = tenant_stats.tenant_id and o.resolved_at is null
    ),
    (
      select extract(epoch from clock_timestamp() - min(o.created_at))::bigint
      from chat.reports as o
      where o.tenant_id = tenant_stats.tenant_id and o.resolved_at is null
    )
  into v_numbers
  from chat.rooms as r
  where r.tenant_id = tenant_stats.tenant_id;
  return v_numbers;
end;
$$;

create function chat.tenant_stats(tenant_id uuid)
returns chat.tenant_numbers
language sql
stable
set search_path = '', pg_temp
return chat_private.tenant_stats(tenant_id);

comment on function chat.tenant_stats(uuid) is
  $$Count what is in a tenant.

Args:
  tenant_id: a tenant that the caller owns or administers.

Returns:
  Places, rooms that are open, archived, and active within 24 hours, messages, open reports, and the age
  of the oldest of these.

Raises:
  sign_in_required: nobody is signed in.
  not_allowed: the caller is no owner or admin of the tenant, or there is none.$$;

revoke execute on function
  chat_private.tenant_stats(uuid), chat.tenant_stats(uuid)
  from public, anon, authenticated;
grant execute on function
  chat_private.tenant_stats(uuid), chat.tenant_stats(uuid)
  to authenticated, service_role;
