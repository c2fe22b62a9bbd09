-- list_heads: the newest number of each stream of the caller, in one small query.

-- When the last event is lost, no gap shows it. Clients find out by comparing heads now and then.

-- A promotion begins another history. The promoted server names it in its WAL at once, but in its
-- control file only with its next checkpoint. A server in recovery cannot be asked for its WAL.
create function chat_private.timeline()
returns text
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_timeline_id integer;
begin
  if pg_is_in_recovery() then
    v_timeline_id := (select c.timeline_id from pg_catalog.pg_control_checkpoint() as c);
  else
    v_timeline_id := ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer;
  end if;
  return (
    select encode(
      sha256(convert_to(
        concat_ws('/', system.system_identifier, v_timeline_id, s.timeline_salt), 'UTF8'
      )),
      'hex'
    )
    from pg_catalog.pg_control_system() as system, chat_private.settings as s
  );
end;
$$;

comment on function chat_private.timeline() is
  'Name this history of the database; a restore and a promotion begin another one.';

create function chat_private.list_heads()
returns jsonb
language plpgsql
stable
-- definer: reads counters of chat_private
security definer
set search_path = '', pg_temp
as $$
declare
  v_me uuid := chat_private.current_user_id();
begin
  return (
    select chat_private.version() || jsonb_build_object(
      'timeline', chat_private.timeline(),
      'user', jsonb_build_object('rev', s.rev, 'epoch', s.epoch),
      'rooms', coalesce(
        (
          -- One look-up for each room, however many rooms of other people there are.
          select jsonb_agg(
            (
              select jsonb_build_object('room_id', r.id, 'rev', r.rev, 'epoch', r.epoch)
              from chat.rooms as r
              where r.id = m.room_id
            )
            order by m.room_id
          )
          from chat.room_members as m
          where m.user_id = v_me and m.left_at is null
        ),
        '[]'
      )
    )
    from chat_private.user_streams as s
    where s.user_id = v_me
  );
end;
$$;

create function chat.list_heads()
returns jsonb
language sql
stable
set search_path = '', pg_temp
return chat_private.list_heads();

comment on function chat.list_heads() is
  $$List the newest number and the epoch of every stream of the caller.

Compare it with the local copy on joining, on focus and every few minutes, and pull the rooms that
are behind.

Returns:
  {"version", "lowest_client", "timeline", "user": {"rev", "epoch"}, "rooms": [{"room_id", "rev",
  "epoch"}]}; the epochs are part of the topics user:<user_id>:<epoch>, room:<room_id>:<epoch> and
  live:<room_id>:<epoch>. The first two are those of version().

Raises:
  sign_in_required: nobody is signed in.$$;

revoke execute on function
  chat_private.timeline(), chat_private.list_heads(), chat.list_heads()
  from public, anon, authenticated;
grant execute on function chat_private.list_heads(), chat.list_heads() to authenticated, service_role;
