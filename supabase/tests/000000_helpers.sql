-- What every test file uses: people, acting as one of them, and watching a stream.
-- Kept in the database it is run in, which is never a real one.

create extension if not exists pgtap with schema extensions;

drop schema if exists tests cascade;
create schema tests;
grant usage on schema tests to public;
set search_path = public, extensions;

-- The same name is the same person everywhere.
create function tests.id_of(name text)
returns uuid
language sql
immutable
return md5('parley ' || name)::uuid;

create function tests.make_people(variadic names text[])
returns void
language sql
volatile
security definer
begin atomic
  insert into auth.users (id, email, raw_user_meta_data)
  select
    tests.id_of(n.name), lower(n.name) || '@tests.example',
    jsonb_build_object('display_name', n.name)
  from unnest(names) as n (name);
end;

create function tests.act_as(name text)
returns void
language plpgsql
volatile
as $$
begin
  perform
    set_config('role', 'authenticated', true),
    set_config(
      'request.jwt.claims',
      json_build_object('sub', tests.id_of(act_as.name), 'role', 'authenticated')::text,
      true
    );
end;
$$;

create function tests.act_as_nobody()
returns void
language plpgsql
volatile
as $$
begin
  perform
    set_config('role', 'anon', true), set_config('request.jwt.claims', '{"role": "anon"}', true);
end;
$$;

create function tests.stop_acting()
returns void
language plpgsql
volatile
as $$
begin
  perform set_config('role', 'none', true), set_config('request.jwt.claims', '', true);
end;
$$;

-- Rooms by a name of the test's own, because psql variables are not SQL.
create table tests.rooms (name text primary key, room_id uuid not null);
grant all on tests.rooms to public;

create function tests.remember(name text, room_id uuid)
returns void
language sql
volatile
begin atomic
  insert into tests.rooms (name, room_id) values (remember.name, remember.room_id);
end;

create function tests.room(name text)
returns uuid
language sql
stable
return (select r.room_id from tests.rooms as r where r.name = room.name);

create function tests.as_owner(statement text)
returns text
language plpgsql
volatile
security definer
as $$
declare
  v_answer text;
begin
  execute statement into v_answer;
  return v_answer;
end;
$$;

comment on function tests.as_owner(text) is
  'Run a statement past all rights while acting as somebody; returns its first value.';

-- Watching: what a call did to a stream, seen from outside of it.
create table tests.heads (
  stream text primary key,
  rev bigint not null,
  epoch integer not null,
  is_large boolean not null
);
create table tests.seen_events (id uuid primary key);

create function tests.head_of(stream text)
returns tests.heads
language sql
stable
begin atomic
  select head_of.stream, r.rev, r.epoch, r.is_large
  from chat.rooms as r where r.id = tests.room(head_of.stream)
  union all
  select head_of.stream, s.rev, s.epoch, false
  from chat_private.user_streams as s where s.user_id = tests.id_of(head_of.stream);
end;

create function tests.watch(variadic streams text[])
returns void
language plpgsql
volatile
security definer
as $$
begin
  delete from tests.heads;
  insert into tests.heads
  select (tests.head_of(s.name)).* from unnest(watch.streams) as s (name);
  delete from tests.seen_events;
  insert into tests.seen_events select m.id from realtime.messages as m;
end;
$$;

comment on function tests.watch(text[]) is 'Remember the heads of rooms and people, and all events.';

create function tests.changed_nothing(title text)
returns text
language sql
volatile
security definer
set search_path = tests, public, extensions
as $$
  select is(
    (
      select jsonb_build_object(
        'moved', coalesce(jsonb_agg(h.stream) filter (where h.rev <> (tests.head_of(h.stream)).rev), '[]'),
        'events', (
          select count(*) from realtime.messages as m
          where not exists (select from tests.seen_events as s where s.id = m.id)
        )
      )
      from tests.heads as h
    ),
    '{"moved": [], "events": 0}'::jsonb,
    title
  );
$$;

comment on function tests.changed_nothing(text) is
  'Assert that no watched stream took a number and nothing was announced.';

-- Everything a room step must be, in one comparison: one number, every stamped row, each
-- recipient once.
create function tests.took_one_number(stream text, title text)
returns text
language plpgsql
volatile
security definer
set search_path = tests, public, extensions
as $$
declare
  v_before tests.heads;
  v_room chat.rooms;
  v_rows jsonb;
  v_hidden boolean;
  v_expected jsonb;
  v_actual jsonb;
begin
  select * into v_before from tests.heads as h where h.stream = took_one_number.stream;
  select * into v_room from chat.rooms as r where r.id = tests.room(took_one_number.stream);
  v_rows := chat_private.room_rows(
    v_room.id, v_before.rev, v_room.rev, 0, '{rooms,members,messages,reactions,receipts,pins}'
  );
  v_hidden := v_room.newest_visible_after > 0
    and chat_private.lowest_seq(v_rows) <= v_room.newest_visible_after;

  select jsonb_build_object(
    'rev', v_before.rev + 1,
    'stamped', v_rows <> '{}',
    'events', coalesce(jsonb_agg(to_jsonb(e) order by e.topic, e.event), '[]')
  )
  into v_expected
  from (
    select
      'user:' || m.user_id || ':' || s.epoch as topic, 'changed' as event,
      case when v_hidden then null else v_rows end as rows
    from chat.room_members as m
    join chat_private.user_streams as s on s.user_id = m.user_id
    where m.room_id = v_room.id and m.left_at is null and not v_before.is_large
    union all
    select
      'room:' || v_room.id || ':' || v_room.epoch, 'changed',
      case when v_hidden or v_room.history <> 'all' then null else v_rows end
    where v_room.is_large and v_room.epoch = v_before.epoch
    union all
    select 'room:' || v_room.id || ':' || v_before.epoch, 'epoch_changed', null
    where v_room.epoch > v_before.epoch
  ) as e;

  select jsonb_build_object(
    'rev', v_room.rev,
    'stamped', v_rows <> '{}',
    'events', coalesce(
      jsonb_agg(
        jsonb_build_object('topic', m.topic, 'event', m.event, 'rows', m.payload -> 'rows')
        order by m.topic, m.event
      ),
      '[]'
    )
  )
  into v_actual
  from realtime.messages as m
  where m.payload ->> 'room_id' = v_room.id::text
    and not exists (select from tests.seen_events as s where s.id = m.id)
    and (m.payload ->> 'from')::bigint = v_before.rev
    and (m.payload ->> 'to')::bigint = v_before.rev + 1
    and m.private;

  return is(v_actual, v_expected, title);
end;
$$;

comment on function tests.took_one_number(text, text) is
  'Assert that a watched room took one number and announced it whole, once to each recipient.';

create function tests.took_one_user_number(name text, title text)
returns text
language plpgsql
volatile
security definer
set search_path = tests, public, extensions
as $$
declare
  v_before tests.heads;
  v_stream chat_private.user_streams;
  v_rows jsonb;
  v_actual jsonb;
begin
  select * into v_before from tests.heads as h where h.stream = took_one_user_number.name;
  select * into v_stream
  from chat_private.user_streams as s where s.user_id = tests.id_of(took_one_user_number.name);
  v_rows := chat_private.user_rows(
    v_stream.user_id, v_before.rev, v_stream.rev,
    '{memberships,marks,preferences,notifications,blocks}'
  );

  select jsonb_build_object(
    'rev', v_stream.rev,
    'stamped', v_rows <> '{}',
    'events', coalesce(
      jsonb_agg(
        jsonb_build_object('topic', m.topic, 'event', m.event, 'rows', m.payload -> 'rows')
      ),
      '[]'
    )
  )
  into v_actual
  from realtime.messages as m
  where m.payload ->> 'user_id' = v_stream.user_id::text
    and not exists (select from tests.seen_events as s where s.id = m.id)
    and (m.payload ->> 'from')::bigint = v_before.rev
    and (m.payload ->> 'to')::bigint = v_before.rev + 1
    and m.private;

  return is(
    v_actual,
    jsonb_build_object(
      'rev', v_before.rev + 1,
      'stamped', true,
      'events', jsonb_build_array(jsonb_build_object(
        'topic', 'user:' || v_stream.user_id || ':' || v_before.epoch,
        'event', case when v_stream.epoch > v_before.epoch then 'epoch_changed' else 'changed' end,
        'rows', v_rows
      ))
    ),
    title
  );
end;
$$;

comment on function tests.took_one_user_number(text, text) is
  'Assert that a watched person''s stream took one number and announced it whole, once.';
