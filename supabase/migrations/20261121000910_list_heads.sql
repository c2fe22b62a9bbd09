-- list_heads: where every stream of the caller stands, in one small query.

-- A lost last event leaves no gap to notice; comparing heads now and then is what finds it.
create function chat_private.timeline()
returns text
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return (
    select encode(
      sha256(convert_to(
        concat_ws('/', system.system_identifier, checkpoint.timeline_id, s.timeline_salt), 'UTF8'
      )),
      'hex'
    )
    from pg_catalog.pg_control_system() as system,
      pg_catalog.pg_control_checkpoint() as checkpoint,
      chat_private.settings as s
  );
end;
$$;

comment on function chat_private.timeline() is
  'Name this history of the database; a restore begins another one.';

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
    select jsonb_build_object(
      'timeline', chat_private.timeline(),
      'user', jsonb_build_object('rev', s.rev, 'epoch', s.epoch),
      'rooms', coalesce(
        (
          -- One look-up per room, however many there are of others.
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

Compare it with the local copy on joining, on focus and every few minutes; pull what is behind.

Returns:
  {"timeline", "user": {"rev", "epoch"}, "rooms": [{"room_id", "rev", "epoch"}]}; the epochs are
  part of the topics user:<user_id>:<epoch>, room:<room_id>:<epoch> and live:<room_id>:<epoch>.

Raises:
  sign_in_required: nobody is signed in.$$;

revoke execute on function
  chat_private.timeline(), chat_private.list_heads(), chat.list_heads()
  from public, anon, authenticated;
grant execute on function chat_private.list_heads(), chat.list_heads() to authenticated;
