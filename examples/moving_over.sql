-- Moving over from a schema of your own: both systems have every message, until you drop one of them.
--
-- The old tables are those of a common design: public.chat_rooms (id, user1_id, user2_id) and
-- public.chat_messages (id, room_id, sender_id, message, attachments, edited_at, deleted_at, created_at).
-- Replace their names and columns with yours. Run this file as postgres, then: call moving.move_all();
create schema moving;

-- Which room here is which one there.
create table moving.rooms (
  old_id uuid primary key,
  room_id uuid not null unique,
  is_caught_up boolean not null default false
);

-- What could not be written on the other side. Nobody is held up by it; look into it, and try again.
create table moving.failures (
  old_id uuid primary key,
  error text not null,
  failed_at timestamptz not null default now()
);

-- Calls functions of chat as a person. Give back what it returns when you are done.
create function moving.act_as(claims text)
returns text
language plpgsql
as $$
declare
  v_before text := current_setting('request.jwt.claims', true);
begin
  perform set_config('request.jwt.claims', coalesce(claims, ''), true);
  return v_before;
end;
$$;

create function moving.claims_of(user_id uuid)
returns text
language sql
return json_build_object('sub', user_id, 'role', 'authenticated');

-- Two people with accounts get their direct room. Anybody else is shown as a closed account, in a group.
create function moving.open_room(old_id uuid)
returns uuid
language plpgsql
as $$
declare
  v_old public.chat_rooms;
  v_room_id uuid;
  v_before text;
begin
  select r.room_id into v_room_id from moving.rooms as r where r.old_id = open_room.old_id;
  if found then
    return v_room_id;
  end if;
  perform pg_advisory_xact_lock(hashtextextended('open ' || open_room.old_id, 0));
  select o.* into strict v_old from public.chat_rooms as o where o.id = open_room.old_id;
  if 2 = (
    select count(*) from chat.profiles as p
    where p.user_id in (v_old.user1_id, v_old.user2_id) and p.closed_at is null
  ) then
    v_before := moving.act_as(moving.claims_of(v_old.user1_id));
    v_room_id := (chat.open_direct(v_old.user2_id)).id;
    perform moving.act_as(v_before);
  else
    v_room_id := (
      chat_private.open_imported_room(v_old.id, 'Imported', array[v_old.user1_id, v_old.user2_id])
    ).id;
  end if;
  insert into moving.rooms (old_id, room_id)
  values (v_old.id, v_room_id)
  on conflict do nothing;
  return v_room_id;
end;
$$;

-- An attachment with a path is a file in Parley's bucket, and these are not.
create function moving.item(old public.chat_messages, not_before timestamptz)
returns jsonb
language sql
return jsonb_build_object(
  'client_id', (old).id,
  'sender_id', (old).sender_id,
  'body', (old).message,
  'created_at', greatest((old).created_at, not_before),
  'attachments', (
    select coalesce(jsonb_agg(jsonb_build_object('old', a.file)), '[]')
    from jsonb_array_elements((old).attachments) as a (file)
  )
);

-- What is not here yet. A row that commits late gets the time of the newest message, because an import goes
-- forward in time.
create function moving.items_left(old_id uuid, room_id uuid)
returns jsonb
language plpgsql
as $$
declare
  v_newest timestamptz := (
    select max(m.created_at)
    from chat.rooms as r
    join chat.messages as m on m.room_id = r.id and m.seq = r.last_seq
    where r.id = items_left.room_id
  );
begin
  return (
    select jsonb_agg(moving.item(o, v_newest) order by o.created_at, o.id)
    from (
      select old.*
      from public.chat_messages as old
      where old.room_id = items_left.old_id
        and old.deleted_at is null
        and not exists (
          select from chat.messages as m
          where m.room_id = items_left.room_id and m.sender_id = old.sender_id and m.client_id = old.id
        )
        and not exists (select from moving.failures as f where f.old_id = old.id)
      order by old.created_at, old.id
      limit 1000
    ) as o
  );
end;
$$;

-- Imports up to a thousand messages. Repeat it as you like: every message has its old id as client_id.
create function moving.move_some(old_id uuid)
returns integer
language plpgsql
as $$
declare
  v_room_id uuid := moving.open_room(move_some.old_id);
  v_items jsonb;
  v_item jsonb;
begin
  perform from chat.rooms as r where r.id = v_room_id for no key update;
  v_items := moving.items_left(move_some.old_id, v_room_id);
  if coalesce(jsonb_array_length(v_items), 0) < 1000 and not (
    select r.is_caught_up from moving.rooms as r where r.old_id = move_some.old_id
  ) then
    -- The last portion: rows that are being written are waited for, and further ones wait for this, so that
    -- each is seen either here or by the trigger.
    perform pg_advisory_xact_lock(hashtextextended('moving ' || move_some.old_id, 0));
    v_items := moving.items_left(move_some.old_id, v_room_id);
    update moving.rooms as r
    set is_caught_up = coalesce(jsonb_array_length(v_items), 0) < 1000
    where r.old_id = move_some.old_id;
  end if;
  if v_items is null then
    return 0;
  end if;
  begin
    perform chat.import_messages(v_room_id, v_items);
  exception
    when others then
      -- One of them is at fault, so the others come one by one.
      for v_item in select i.item from jsonb_array_elements(v_items) as i (item) loop
        begin
          perform chat.import_messages(v_room_id, jsonb_build_array(v_item));
        exception
          when others then
            insert into moving.failures (old_id, error) values ((v_item ->> 'client_id')::uuid, sqlerrm);
        end;
      end loop;
  end;
  return jsonb_array_length(v_items);
end;
$$;

-- Everything that is there, with a commit after every thousand messages. Rows may arrive meanwhile.
create procedure moving.move_all()
language plpgsql
as $$
declare
  v_old_id uuid;
begin
  for v_old_id in select o.id from public.chat_rooms as o order by o.id loop
    while moving.move_some(v_old_id) > 0 loop
      commit;
    end loop;
    commit;
  end loop;
end;
$$;

-- A row that is written in the old system from now on. While the room has imported messages only, it is
-- imported; when people talk here already, it is sent as its sender. A room that is not caught up is left
-- to move_all().
create function moving.tg_chat_messages__forward()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_room moving.rooms;
  v_message chat.messages;
  v_before text := current_setting('request.jwt.claims', true);
begin
  perform pg_advisory_xact_lock_shared(hashtextextended('moving ' || new.room_id, 0));
  select r.* into v_room from moving.rooms as r where r.old_id = new.room_id and r.is_caught_up;
  if not found then
    return null;
  end if;
  select m.* into v_message
  from chat.messages as m
  where m.room_id = v_room.room_id and m.sender_id = new.sender_id and m.client_id = new.id;
  begin
    if v_message.seq is null and new.deleted_at is null then
      if exists (
        select from chat_private.sends as s
        join chat.rooms as r on r.id = s.room_id and r.last_seq = s.seq
        where s.room_id = v_room.room_id and s.sent_hash = ''
      ) or not exists (
        select from chat.messages as m where m.room_id = v_room.room_id
      ) then
        perform moving.move_some(new.room_id);
      else
        perform moving.act_as(moving.claims_of(new.sender_id));
        perform chat.send_message(
          v_room.room_id, new.message, new.id,
          attachments => moving.item(new, new.created_at) -> 'attachments'
        );
      end if;
    elsif v_message.deleted_at is null and new.deleted_at is not null then
      perform moving.act_as(moving.claims_of(new.sender_id));
      perform chat.delete_message(v_room.room_id, v_message.seq);
    elsif v_message.deleted_at is null and v_message.body <> new.message then
      perform moving.act_as(moving.claims_of(new.sender_id));
      perform chat.edit_message(v_room.room_id, v_message.seq, new.message);
    end if;
  exception
    when others then
      insert into moving.failures (old_id, error)
      values (new.id, sqlerrm)
      on conflict (old_id) do update set error = excluded.error, failed_at = now();
  end;
  perform moving.act_as(v_before);
  return null;
end;
$$;

create trigger forward_to_parley after insert or update on public.chat_messages
  for each row execute function moving.tg_chat_messages__forward();

-- The way back: what people write here appears in the old table, so that old clients go on, and so that you
-- can return to the old system by dropping this one.
create function moving.tg_messages__back()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_old_id uuid;
begin
  select r.old_id into v_old_id from moving.rooms as r where r.room_id = new.room_id;
  if v_old_id is null or new.kind <> 'text' then
    return null;
  end if;
  begin
    insert into public.chat_messages (
      id, room_id, sender_id, message, attachments, created_at, edited_at, deleted_at
    )
    values (
      new.client_id, v_old_id, new.sender_id, new.body, new.attachments, new.created_at,
      new.edited_at, new.deleted_at
    )
    on conflict (id) do update
    set
      message = case when excluded.deleted_at is null then excluded.message else chat_messages.message end,
      edited_at = excluded.edited_at,
      deleted_at = excluded.deleted_at
    where (chat_messages.deleted_at is null) <> (excluded.deleted_at is null)
      or excluded.deleted_at is null and chat_messages.message <> excluded.message;
  exception
    when others then
      insert into moving.failures (old_id, error)
      values (new.client_id, sqlerrm)
      on conflict (old_id) do update set error = excluded.error, failed_at = now();
  end;
  return null;
end;
$$;

create trigger back_to_the_old_table after insert or update of body, deleted_at on chat.messages
  for each row execute function moving.tg_messages__back();
