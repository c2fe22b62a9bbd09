-- Two schemas: `chat` is what the API shows, `chat_private` is what only the database may touch.

-- Tables in `chat` are readable under row level security and writable by nobody but functions.
-- Definer functions, counters and secrets live in `chat_private`: it is not exposed, and API roles
-- have no usage on it. The one-line twins in `chat` reach it because a SQL-standard body is
-- resolved when the function is created.
create schema chat;
create schema chat_private;

comment on schema chat is 'Parley: rooms, people and messages. Read tables, call functions.';
comment on schema chat_private is 'Parley: what the functions in chat are made of. Not exposed.';

grant usage on schema chat to anon, authenticated, service_role;

-- One row, typed columns: a setting that does not exist cannot be misspelt.
create table chat_private.settings (
  only_row boolean primary key default true,
  fanout_limit integer not null default 16,
  receipts_limit integer not null default 8,
  new_users_join_default_tenant boolean not null default true,
  send_burst integer not null default 6000,
  sends_per_second integer not null default 100,
  timeline_salt uuid not null default gen_random_uuid(),
  constraint there_is_one_row check (only_row),
  constraint fanout_limit_is_small check (fanout_limit between 0 and 100),
  constraint receipts_limit_is_small check (receipts_limit between 0 and 100),
  constraint send_burst_lets_one_through check (send_burst >= 1),
  constraint sends_per_second_lets_one_through check (sends_per_second >= 1)
);

comment on table chat_private.settings is 'What an operator may turn. Changed by update, in one row.';
comment on column chat_private.settings.fanout_limit is
  'A room with more members than this is large: its steps go to the room topic.';
comment on column chat_private.settings.receipts_limit is
  'In rooms of up to this many members, marks are announced so that ticks move live.';
comment on column chat_private.settings.send_burst is
  'Messages one person may send at once; it guards the database, slow mode guards the people.';
comment on column chat_private.settings.sends_per_second is
  'How fast the burst refills, in messages per second and person.';
comment on column chat_private.settings.timeline_salt is
  'Changed by start_timeline() after a restore, so that clients compare instead of trusting.';

insert into chat_private.settings default values;

-- Names and topics are shown in lists beside other people's names: a control character breaks the
-- line, a bidi control turns the neighbours around. Message bodies are kept as typed.
create function chat_private.has_hidden_characters(value text)
returns boolean
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return has_hidden_characters.value
    ~ '[\u0001-\u001F\u007F-\u009F\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069\uFEFF]';
end;
$$;

comment on function chat_private.has_hidden_characters(text) is
  'Tell whether a line holds control or bidi-control characters.';

revoke execute on function chat_private.has_hidden_characters(text)
  from public, anon, authenticated;

-- Spaces, control characters, and what has no shape of its own: joiners, fillers, text directions.
create function chat_private.is_blank(value text)
returns boolean
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return is_blank.value !~ (
    '[^[:space:][:cntrl:]\u00AD\u034F\u061C\u115F\u1160\u17B4\u17B5\u180B-\u180F\u200B-\u200F'
    '\u2028-\u202E\u2060-\u206F\u2800\u3164\uFE00-\uFE0F\uFEFF\uFFA0\U000E0000-\U000E0FFF]'
  );
end;
$$;

comment on function chat_private.is_blank(text) is 'Tell whether a text shows nothing at all.';

revoke execute on function chat_private.is_blank(text) from public, anon, authenticated;

-- Postgres reads all checks of a table again at every write. On the rows that every message writes,
-- what is about a rare change is checked by a trigger on that change, and fails like a constraint.
create function chat_private.fail_check(relation text, claim text)
returns void
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  raise exception using
    errcode = 'check_violation',
    message = format(
      'new row for relation "%s" violates check constraint "%s"', fail_check.relation, fail_check.claim
    ),
    schema = 'chat',
    table = fail_check.relation,
    constraint = fail_check.claim;
end;
$$;

comment on function chat_private.fail_check(text, text) is
  'Raise what Postgres raises when a row of a table in chat breaks a claim.';

revoke execute on function chat_private.fail_check(text, text) from public, anon, authenticated;

-- The one gate for every short text a person types.
create function chat_private.clean_line(value text, label text, longest integer)
returns text
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  v_line text := btrim(clean_line.value, E' \t\n\r\u00A0\u3000');
begin
  if char_length(v_line) > clean_line.longest then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = format('A %s has at most %s characters.', clean_line.label, clean_line.longest),
      hint = 'Shorten it.';
  end if;
  if chat_private.has_hidden_characters(v_line) then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = format('A %s must not hold control characters.', clean_line.label),
      hint = 'Remove line breaks, control and text-direction characters.';
  end if;
  if v_line <> '' and chat_private.is_blank(v_line) then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = format('A %s shows something.', clean_line.label),
      hint = 'Type a letter, a digit or a sign.';
  end if;
  return v_line;
end;
$$;

comment on function chat_private.clean_line(text, text, integer) is
  'Trim a line and refuse what would break a list. Null stays null.';

revoke execute on function chat_private.clean_line(text, text, integer)
  from public, anon, authenticated;

-- Every page takes the same size, so the bound is said once.
create function chat_private.clean_page_size(page_size integer)
returns integer
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  if clean_page_size.page_size is null or clean_page_size.page_size not between 1 and 200 then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'page_size must be between 1 and 200.',
      hint = 'Ask for smaller pages and follow the key of the last row.';
  end if;
  return clean_page_size.page_size;
end;
$$;

comment on function chat_private.clean_page_size(integer) is 'Refuse a page outside 1 to 200 rows.';

revoke execute on function chat_private.clean_page_size(integer) from public, anon, authenticated;

-- A refusal is a value first, so that a batch can report it per item, and an error second. Nearly
-- all are raised inline; this type serves the checks that a single call and a batch share.
create type chat_private.refusal as (
  errcode text,
  slug text,
  detail text,
  hint text,
  retry_after integer
);

create function chat_private.refuse(refusal chat_private.refusal)
returns void
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  -- Only PostgREST's own error form carries a header, so slow_down alone is raised as one.
  if (refuse.refusal).slug = 'slow_down' then
    raise sqlstate 'PGRST' using
      message = jsonb_build_object(
        'code', 'PT429',
        'message', 'slow_down',
        'details', (refuse.refusal).detail,
        'hint', (refuse.refusal).hint
      )::text,
      detail = jsonb_build_object(
        'status', 429,
        'headers', jsonb_build_object('Retry-After', (refuse.refusal).retry_after::text)
      )::text;
  end if;
  if (refuse.refusal).slug is not null then
    raise exception using
      errcode = (refuse.refusal).errcode,
      message = (refuse.refusal).slug,
      detail = (refuse.refusal).detail,
      hint = (refuse.refusal).hint;
  end if;
end;
$$;

comment on function chat_private.refuse(chat_private.refusal) is
  'Raise a refusal; do nothing when there is none.';

revoke execute on function chat_private.refuse(chat_private.refusal)
  from public, anon, authenticated;
