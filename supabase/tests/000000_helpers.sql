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
    ),
    tests.send_header(null);
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

-- A token of the API's own role that names nobody: a service's, or a forged one that lost its sub.
create function tests.act_without_sub()
returns void
language plpgsql
volatile
as $$
begin
  perform
    set_config('role', 'authenticated', true),
    set_config('request.jwt.claims', '{"role": "authenticated"}', true);
end;
$$;

-- What the header x-parley-user says; null is a request without it.
create function tests.send_header(value text)
returns void
language plpgsql
volatile
as $$
begin
  perform set_config(
    'request.headers',
    jsonb_strip_nulls(jsonb_build_object('accept', '*/*', 'x-parley-user', send_header.value))::text,
    true
  );
end;
$$;

create function tests.act_as_service()
returns void
language plpgsql
volatile
as $$
begin
  perform
    set_config('role', 'service_role', true),
    set_config('request.jwt.claims', '{"role": "service_role"}', true),
    tests.send_header(null);
end;
$$;

-- A server with the secret key that acts as somebody.
create function tests.act_as_server_for(name text)
returns void
language plpgsql
volatile
as $$
begin
  perform tests.act_as_service(), tests.send_header(tests.id_of(act_as_server_for.name)::text);
end;
$$;

create function tests.stop_acting()
returns void
language plpgsql
volatile
as $$
begin
  perform
    set_config('role', 'none', true), set_config('request.jwt.claims', '', true),
    set_config('request.headers', '', true);
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
  'Run a query past all rights while acting as somebody; returns its first value.';

create function tests.change_as_owner(statement text)
returns void
language plpgsql
volatile
security definer
as $$
begin
  execute statement;
end;
$$;

comment on function tests.change_as_owner(text) is
  'Change something past all rights while acting as somebody.';

-- Buckets. A token a second makes a price a number of seconds, and a bucket that holds one token shows
-- that a dear call passes, into debt.
create function tests.leave_tokens(name text, tokens integer)
returns void
language plpgsql
volatile
as $$
begin
  perform tests.change_as_owner(
    'update chat_private.settings set send_burst = 1000000, sends_per_second = 1'
  );
  perform tests.change_as_owner(format(
    'insert into chat_private.rate_buckets (user_id, bucket, full_at)
     values (%L, ''send'', clock_timestamp() + interval ''1000000 s'' - interval ''1 s'' * %s)
     on conflict on constraint rate_buckets_pkey do update set full_at = excluded.full_at',
    tests.id_of(leave_tokens.name), leave_tokens.tokens
  ));
end;
$$;

comment on function tests.leave_tokens(text, integer) is
  'Leave so many tokens in somebody''s bucket, which gets one back each second; 0 empties it.';

create function tests.full_at(name text, bucket text)
returns timestamptz
language sql
volatile
security definer
return (
  select b.full_at
  from chat_private.rate_buckets as b
  where b.user_id = tests.id_of(full_at.name) and b.bucket = full_at.bucket
);

create function tests.slug_of(refusal jsonb)
returns text
language sql
immutable
return case refusal ->> 'code'
  when 'PGRST' then (refusal ->> 'slug')::jsonb ->> 'message' else refusal ->> 'slug'
end;

create function tests.costs(name text, price integer, statement text, title text)
returns setof text
language plpgsql
volatile
set search_path = tests, public, extensions
as $$
declare
  v_before timestamptz;
begin
  perform tests.act_as(costs.name);
  perform tests.leave_tokens(costs.name, -60);
  return next is(
    tests.slug_of(tests.refusal(costs.statement)), case when costs.price > 0 then 'slow_down' end,
    format('%s, with an empty bucket', costs.title)
  );
  perform tests.leave_tokens(costs.name, 2);
  v_before := tests.full_at(costs.name, 'send');
  execute costs.statement;
  return next is(
    date_part('epoch', tests.full_at(costs.name, 'send') - v_before)::integer, costs.price,
    costs.title
  );
  perform tests.change_as_owner(
    'update chat_private.settings set send_burst = default, sends_per_second = default'
  );
  perform tests.change_as_owner('delete from chat_private.rate_buckets');
end;
$$;

comment on function tests.costs(text, integer, text, text) is
  'Assert what a call costs somebody, and that an empty bucket refuses it unless it is free.';

-- Watching: what a call did to a stream, seen from outside of it.
create table tests.heads (
  stream text primary key,
  rev bigint not null,
  epoch integer not null,
  is_large boolean not null,
  notifications_read_seq bigint not null
);
grant select on tests.heads to public;
create table tests.seen_events (id uuid primary key);

create function tests.head_of(stream text)
returns tests.heads
language sql
stable
security definer
begin atomic
  select head_of.stream, r.rev, r.epoch, r.is_large, 0::bigint
  from chat.rooms as r where r.id = tests.room(head_of.stream)
  union all
  select head_of.stream, s.rev, s.epoch, false, s.notifications_read_seq
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

create function tests.moved(streams jsonb, title text)
returns text
language sql
volatile
security definer
set search_path = tests, public, extensions
as $$
  select is(
    (
      select coalesce(jsonb_object_agg(h.stream, (tests.head_of(h.stream)).rev - h.rev), '{}')
      from tests.heads as h
      where (tests.head_of(h.stream)).rev <> h.rev
    ),
    moved.streams,
    moved.title
  );
$$;

comment on function tests.moved(jsonb, text) is
  'Assert which of the watched streams moved, and by how many numbers.';

-- Everything a room step must be, in one comparison: one number, every stamped row, each
-- recipient once, each row of realtime.messages whole.
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
  v_step jsonb;
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
  v_step := jsonb_build_object(
    'room_id', v_room.id, 'from', v_before.rev, 'to', v_before.rev + 1
  );

  select jsonb_build_object(
    'rev', v_before.rev + 1,
    'events', coalesce(jsonb_agg(to_jsonb(e) order by e.topic, e.event), '[]')
  )
  into v_expected
  from (
    select
      'user:' || m.user_id || ':' || s.epoch as topic,
      'changed' as event,
      case when v_hidden then v_step else v_step || jsonb_build_object('rows', v_rows) end as payload,
      'broadcast' as extension,
      true as private,
      true as payload_has_id
    from chat.room_members as m
    join chat_private.user_streams as s on s.user_id = m.user_id and s.listens
    where m.room_id = v_room.id
      and m.left_at is null
      and (
        not v_before.is_large
        or exists (
          select
          from jsonb_array_elements(v_rows -> 'messages') as message (value)
          where message.value ->> 'kind' = 'text'
            and message.value -> 'mentions' ? m.user_id::text
        )
      )
    union all
    select
      'room:' || v_room.id || ':' || v_room.epoch, 'changed',
      case
        when v_hidden or v_room.history <> 'all' then v_step
        else v_step || jsonb_build_object('rows', v_rows)
      end,
      'broadcast', true, true
    where v_room.is_large and v_room.epoch = v_before.epoch
    union all
    select
      'room:' || v_room.id || ':' || v_before.epoch, 'epoch_changed',
      v_step || jsonb_build_object('epoch', v_room.epoch), 'broadcast', true, true
    where v_room.epoch > v_before.epoch
  ) as e;

  select jsonb_build_object(
    'rev', v_room.rev,
    'events', coalesce(
      jsonb_agg(
        jsonb_build_object(
          'topic', m.topic, 'event', m.event, 'payload', m.payload - 'id',
          'extension', m.extension, 'private', m.private,
          'payload_has_id', m.payload ->> 'id' = m.id::text
        )
        order by m.topic, m.event
      ),
      '[]'
    )
  )
  into v_actual
  from realtime.messages as m
  where m.payload ->> 'room_id' = v_room.id::text
    and not exists (select from tests.seen_events as s where s.id = m.id);

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
    'changed', v_rows <> '{}'
    or v_stream.notifications_read_seq > v_before.notifications_read_seq
    or exists (
      select from chat.tenant_members as t
      where t.user_id = v_stream.user_id and t.user_rev = v_stream.rev
    ),
    'events', coalesce(
      jsonb_agg(
        jsonb_build_object(
          'topic', m.topic, 'event', m.event, 'payload', m.payload - 'id',
          'extension', m.extension, 'private', m.private,
          'payload_has_id', m.payload ->> 'id' = m.id::text
        )
      ),
      '[]'
    )
  )
  into v_actual
  from realtime.messages as m
  where m.payload ->> 'user_id' = v_stream.user_id::text
    and not exists (select from tests.seen_events as s where s.id = m.id);

  return is(
    v_actual,
    jsonb_build_object(
      'rev', v_before.rev + 1,
      'changed', true,
      'events', jsonb_build_array(jsonb_build_object(
        'topic', 'user:' || v_stream.user_id || ':' || v_before.epoch,
        'event', case when v_stream.epoch > v_before.epoch then 'epoch_changed' else 'changed' end,
        'payload', jsonb_build_object(
          'user_id', v_stream.user_id, 'from', v_before.rev, 'to', v_before.rev + 1, 'rows', v_rows,
          'notifications_read_seq', v_stream.notifications_read_seq
        ) || case
          when v_stream.epoch > v_before.epoch then jsonb_build_object('epoch', v_stream.epoch)
          else '{}'
        end || case
          when 'tenants' = any (v_stream.touched) then jsonb_build_object(
            'dropped_tenants', coalesce(
              (
                select jsonb_agg(t.tenant_id) from chat.tenant_members as t
                where t.user_id = v_stream.user_id
                  and t.user_rev = v_stream.rev
                  and t.removed_at is not null
              ),
              '[]'
            )
          )
          else '{}'
        end,
        'extension', 'broadcast',
        'private', true,
        'payload_has_id', true
      ))
    ),
    title
  );
end;
$$;

comment on function tests.took_one_user_number(text, text) is
  'Assert that a watched person''s stream took one number and announced it whole, once.';

-- A refusal as the API shows it. Ids are blanked, because they are all that two answers may differ in.
create function tests.refusal(statement text)
returns jsonb
language plpgsql
volatile
as $$
declare
  v_code text;
  v_slug text;
  v_detail text;
  v_hint text;
begin
  execute refusal.statement;
  return null;
exception
  when others then
    get stacked diagnostics
      v_code = returned_sqlstate, v_slug = message_text,
      v_detail = pg_exception_detail, v_hint = pg_exception_hint;
    return jsonb_build_object(
      'code', v_code, 'slug', v_slug, 'hint', v_hint,
      'detail', regexp_replace(v_detail, '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}', '<id>', 'g')
    );
end;
$$;

comment on function tests.refusal(text) is 'Run a statement that may fail; returns how it failed.';

create function tests.refuses(name text, slug text, statement text, title text)
returns text
language plpgsql
volatile
set search_path = tests, public, extensions
as $$
begin
  perform tests.act_as(refuses.name);
  return is(tests.refusal(refuses.statement) ->> 'slug', refuses.slug, refuses.title);
end;
$$;

comment on function tests.refuses(text, text, text, text) is
  'Assert that a call is refused to somebody, and for which reason.';

create function tests.lets(name text, statement text, title text)
returns text
language plpgsql
volatile
set search_path = tests, public, extensions
as $$
begin
  perform tests.act_as(lets.name);
  return is(tests.refusal(lets.statement), null, lets.title);
end;
$$;

comment on function tests.lets(text, text, text) is 'Assert that a call works for somebody.';

-- I8: what exists and may not be seen answers like what does not exist, word for word.
create function tests.looks_absent(statement text, hidden uuid, title text)
returns text
language plpgsql
volatile
set search_path = tests, public, extensions
as $$
declare
  v_absent jsonb := tests.refusal(format(looks_absent.statement, gen_random_uuid()));
begin
  return is(
    tests.refusal(format(looks_absent.statement, looks_absent.hidden))
      || jsonb_build_object('is_not_found', v_absent ->> 'code' = 'PT404'),
    v_absent || '{"is_not_found": true}',
    looks_absent.title
  );
end;
$$;

comment on function tests.looks_absent(text, uuid, text) is
  'Assert that a call refuses a hidden id exactly as it refuses one that does not exist.';

create function tests.strangers_find_nothing(statement text, title text)
returns setof text
language plpgsql
volatile
as $$
declare
  v_name text;
  v_stream text;
begin
  foreach v_name in array '{Dan,Xen,Tom}'::text[] loop
    perform tests.act_as(v_name);
    foreach v_stream in array '{trip,hall,late,plaza,pair}'::text[] loop
      return next tests.looks_absent(
        strangers_find_nothing.statement, tests.room(v_stream),
        format('%s: %s finds no %s', strangers_find_nothing.title, v_name, v_stream)
      );
    end loop;
  end loop;
end;
$$;

comment on function tests.strangers_find_nothing(text, text) is
  'Assert for a stranger, an ex-member and another tenant that rooms of others look like none.';

create function tests.move_to_another_tenant(name text)
returns void
language plpgsql
volatile
security definer
as $$
declare
  v_tenant uuid := md5('elsewhere')::uuid;
begin
  insert into chat.tenants (tenant_id, name) values (v_tenant, 'Elsewhere') on conflict do nothing;
  delete from chat.tenant_members as t where t.user_id = tests.id_of(move_to_another_tenant.name);
  insert into chat.tenant_members (tenant_id, user_id)
  values (v_tenant, tests.id_of(move_to_another_tenant.name));
end;
$$;

comment on function tests.move_to_another_tenant(text) is
  'Make somebody a person of the tenant Elsewhere, and of no other.';

-- The cast of most files, in every kind of room. Ann owns, Abe is an admin, Bob a moderator, Cat a
-- member and Rea a reader; Xen has left; Lea came last, after "early" was said. Dan is a stranger,
-- Tom lives in another tenant. trip is small, hall is large, late shows its history to nobody who
-- comes later (tower is large as well), plaza is public; pair is a direct room of Ann and Cat.
create function tests.make_company()
returns void
language plpgsql
volatile
as $$
declare
  v_kind record;
  v_room uuid;
begin
  perform tests.make_people('Ann', 'Abe', 'Bob', 'Cat', 'Rea', 'Xen', 'Lea', 'Dan', 'Tom');
  perform tests.move_to_another_tenant('Tom');
  for v_kind in
    select *
    from (
      values
      ('trip', 'all', false, 16), ('hall', 'all', false, 2), ('late', 'since_join', false, 16),
      ('tower', 'since_join', false, 2), ('plaza', 'all', true, 16)
    ) as k (name, history, is_public, fanout_limit)
  loop
    perform tests.change_as_owner(
      format('update chat_private.settings set fanout_limit = %s', v_kind.fanout_limit)
    );
    perform tests.act_as('Ann');
    v_room := (chat.create_room(
      v_kind.name, history => v_kind.history, is_public => v_kind.is_public, member_ids => array[
        tests.id_of('Abe'), tests.id_of('Bob'), tests.id_of('Cat'), tests.id_of('Rea'),
        tests.id_of('Xen')
      ]
    )).id;
    perform tests.remember(v_kind.name, v_room);
    perform
      chat.set_member_role(v_room, tests.id_of('Abe'), 'admin'),
      chat.set_member_role(v_room, tests.id_of('Bob'), 'moderator'),
      chat.set_member_role(v_room, tests.id_of('Rea'), 'reader'),
      chat.send_message(v_room, 'early', gen_random_uuid()),
      chat.add_member(v_room, tests.id_of('Lea'));
    perform tests.act_as('Xen');
    perform chat.leave_room(v_room);
  end loop;
  perform tests.change_as_owner('update chat_private.settings set fanout_limit = 16');
  perform tests.act_as('Ann');
  perform tests.remember('pair', (chat.open_direct(tests.id_of('Cat'))).id);
  perform tests.stop_acting();
end;
$$;

comment on function tests.make_company() is 'Make the people and rooms that most files are about.';

-- One operation in every kind of group room: one number, announced whole, and no other room moves.
create function tests.takes_one_number_everywhere(name text, statement text, title text)
returns setof text
language plpgsql
volatile
as $$
declare
  v_stream text;
begin
  foreach v_stream in array '{trip,hall,late,tower,plaza}'::text[] loop
    perform tests.watch('trip', 'hall', 'late', 'tower', 'plaza', 'pair');
    perform tests.act_as(takes_one_number_everywhere.name);
    execute format(takes_one_number_everywhere.statement, tests.room(v_stream));
    return next tests.took_one_number(
      v_stream, format('%s, in %s', takes_one_number_everywhere.title, v_stream)
    );
    return next tests.moved(
      jsonb_build_object(v_stream, 1), format('… and moves nothing but %s', v_stream)
    );
  end loop;
end;
$$;

comment on function tests.takes_one_number_everywhere(text, text, text) is
  'Do the same as somebody in every kind of group room, and assert one announced number in each.';

create function tests.changes_nothing_anywhere(name text, statement text, title text)
returns setof text
language plpgsql
volatile
as $$
declare
  v_stream text;
begin
  perform tests.act_as(changes_nothing_anywhere.name);
  foreach v_stream in array '{trip,hall,late,tower,plaza}'::text[] loop
    perform tests.watch(
      'trip', 'hall', 'late', 'tower', 'plaza', 'pair',
      'Ann', 'Abe', 'Bob', 'Cat', 'Rea', 'Xen', 'Lea', 'Dan', 'Tom'
    );
    execute format(changes_nothing_anywhere.statement, tests.room(v_stream));
    return next tests.changed_nothing(
      format('%s, in %s', changes_nothing_anywhere.title, v_stream)
    );
  end loop;
end;
$$;

comment on function tests.changes_nothing_anywhere(text, text, text) is
  'Repeat a call as somebody in every kind of group room, and assert that nothing happens.';

-- What Realtime does when somebody joins: it asks with rows of its own whether they would be seen,
-- as that person, on that topic.
create function tests.listens_to(name text, topic text)
returns text[]
language plpgsql
volatile
as $$
declare
  v_probes uuid[];
  v_seen text[];
begin
  perform tests.stop_acting();
  with probes as (
    insert into realtime.messages (topic, extension)
    select listens_to.topic, e.name from unnest(array['broadcast', 'presence', 'persistence']) as e (name)
    returning id
  )
  select array_agg(id) into v_probes from probes;
  perform tests.act_as(listens_to.name), set_config('realtime.topic', listens_to.topic, true);
  v_seen := array(
    select m.extension from realtime.messages as m where m.id = any (v_probes) order by m.extension
  );
  perform tests.stop_acting(), set_config('realtime.topic', '', true);
  return v_seen;
end;
$$;

comment on function tests.listens_to(text, text) is
  'Return the extensions that somebody receives on a topic, by the probe that Realtime makes.';

create function tests.speaks_on(name text, topic text)
returns text[]
language plpgsql
volatile
as $$
declare
  v_extension text;
  v_allowed text[] := '{}';
begin
  perform tests.act_as(speaks_on.name), set_config('realtime.topic', speaks_on.topic, true);
  foreach v_extension in array '{broadcast,presence,persistence}'::text[] loop
    begin
      insert into realtime.messages (topic, extension) values (speaks_on.topic, v_extension);
      v_allowed := v_allowed || v_extension;
    exception
      when insufficient_privilege then null;
    end;
  end loop;
  perform tests.stop_acting(), set_config('realtime.topic', '', true);
  return v_allowed;
end;
$$;

comment on function tests.speaks_on(text, text) is
  'Return the extensions that somebody sends on a topic, by the probe that Realtime makes.';
