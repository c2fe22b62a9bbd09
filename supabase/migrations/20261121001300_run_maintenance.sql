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

create function chat_private.run_maintenance()
returns jsonb
language plpgsql
volatile
-- definer: writes tables that nobody may write
security definer
set search_path = '', pg_temp
as $$
begin
  return jsonb_build_object('memberships_ended', chat_private.leave_closed_accounts(100));
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
  {"memberships_ended": rooms that closed accounts have left}.

Raises:
  Nothing; it may be called at any time and concurrently.$$;

revoke execute on function
  chat_private.leave_closed_accounts(integer),
  chat_private.run_maintenance(), chat.run_maintenance()
  from public, anon, authenticated;
grant execute on function chat_private.run_maintenance(), chat.run_maintenance() to service_role;
