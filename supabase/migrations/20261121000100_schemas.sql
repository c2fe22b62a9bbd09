-- Two schemas: `chat` is what the API shows, `chat_private` is what only the database may touch.

-- People read the tables in `chat` under row level security; only functions write them.
-- Definer functions, counters and secrets live in `chat_private`: it is not exposed, and API roles
-- have no usage on it. The one-line twins in `chat` reach it because a SQL-standard body is
-- resolved when the function is created.
create schema chat;
create schema chat_private;

comment on schema chat is 'Parley: rooms, people and messages. Read tables, call functions.';
comment on schema chat_private is 'Parley: what the functions in chat are made of. Not exposed.';

grant usage on schema chat to anon, authenticated, service_role;

-- One row, typed columns: a setting that does not exist cannot be misspelt. attach() makes the row, as it
-- does all rows and objects that a dump of these two schemas would lack.
create table chat_private.settings (
  only_row boolean primary key default true,
  fanout_limit integer not null default 16,
  receipts_limit integer not null default 8,
  new_users_join_default_tenant boolean not null default true,
  send_burst integer not null default 6000,
  sends_per_second integer not null default 100,
  timeline_salt uuid not null default gen_random_uuid(),
  members_added_per_day integer not null default 10000,
  open_rooms_per_person integer not null default 1000,
  open_invites_per_room integer not null default 100,
  tenants_per_person integer not null default 20,
  open_invites_per_tenant integer not null default 100,
  emoji_per_message integer not null default 20,
  reactions_per_person integer not null default 50,
  pins_per_room integer not null default 100,
  pull_bytes integer not null default 1048576,
  bot_factor integer not null default 10,
  push_hosts text[] not null default
    '{fcm.googleapis.com,*.push.services.mozilla.com,*.push.apple.com,*.notify.windows.com}',
  people_are_findable boolean not null default false,
  keep_sends interval not null default '90 days',
  file_bytes bigint not null default 26214400,
  file_types text[] not null default
    '{image/*,audio/*,video/*,application/pdf,application/zip,text/plain,text/csv}',
  avatar_bytes bigint not null default 5242880,
  content_check text,
  on_check_failure text not null default 'allow',
  open_reports_per_person integer not null default 100,
  unsent_files_per_person integer not null default 100,
  keep_edits interval,
  keep_audit interval not null default '2 years',
  -- Every send needs these two, and a column is cheaper than a division.
  -- (nullif: a check constraint refuses 0, and is asked after this.)
  send_token interval generated always as (interval '1 s' / nullif(sends_per_second, 0)) stored,
  send_spare interval
    generated always as (interval '1 s' * (send_burst - 1) / nullif(sends_per_second, 0)) stored,
  keep_changes interval not null default '30 days',
  constraint there_is_one_row check (only_row),
  constraint fanout_limit_is_small check (fanout_limit between 0 and 100),
  constraint receipts_limit_is_small check (receipts_limit between 0 and 100),
  constraint send_burst_lets_one_through check (send_burst >= 1),
  constraint sends_per_second_lets_one_through check (sends_per_second >= 1),
  constraint members_added_per_day_lets_one_through check (members_added_per_day >= 1),
  constraint open_rooms_per_person_is_a_number check (open_rooms_per_person >= 0),
  constraint open_invites_per_room_is_a_number check (open_invites_per_room >= 0),
  constraint tenants_per_person_is_a_number check (tenants_per_person >= 0),
  constraint open_invites_per_tenant_is_a_number check (open_invites_per_tenant >= 0),
  constraint emoji_per_message_is_bounded check (emoji_per_message between 1 and 1000),
  constraint reactions_per_person_is_bounded check (reactions_per_person between 1 and 1000),
  constraint pins_per_room_is_bounded check (pins_per_room between 1 and 1000),
  constraint pull_bytes_fit_into_memory check (pull_bytes between 1024 and 8388608),
  constraint bot_factor_is_bounded check (bot_factor between 1 and 1000),
  constraint keep_sends_lasts_a_day check (keep_sends >= '1 day'),
  constraint file_bytes_is_a_number check (file_bytes >= 0),
  constraint avatar_bytes_is_a_number check (avatar_bytes >= 0),
  constraint content_check_names_a_function check (
    content_check ~ '^[a-z_][a-z0-9_]{0,62}\.[a-z_][a-z0-9_]{0,62}$'
  ),
  constraint on_check_failure_is_known check (on_check_failure in ('allow', 'refuse')),
  constraint open_reports_per_person_is_a_number check (open_reports_per_person >= 0),
  constraint unsent_files_per_person_is_bounded check (unsent_files_per_person between 0 and 500),
  constraint keep_edits_lasts_a_day check (keep_edits >= '1 day'),
  constraint keep_audit_lasts_a_month check (keep_audit >= '30 days'),
  constraint keep_changes_lasts_a_day check (keep_changes >= '1 day')
);

comment on table chat_private.settings is 'The settings of an operator: one row, changed with update.';

-- docs/limits.md is generated from these comments. Each says what the setting means, then its unit,
-- and for a limit the error that a call beyond it gets.
comment on column chat_private.settings.fanout_limit is
  $$A room with more members than this is large: its steps go to the room topic.
Unit: members.$$;
comment on column chat_private.settings.receipts_limit is
  $$In rooms of up to this many members, marks are announced so that ticks move live.
Unit: members.$$;
comment on column chat_private.settings.new_users_join_default_tenant is
  'True puts everybody who signs up into the tenant "default".';
comment on column chat_private.settings.send_burst is
  $$What one person may spend at once on everything they write. A short message costs 1.
Unit: short messages.
Answer: slow_down.$$;
comment on column chat_private.settings.sends_per_second is
  $$How fast that comes back.
Unit: short messages per second and person.
Answer: slow_down.$$;
comment on column chat_private.settings.send_token is 'How long a short message takes to come back.';
comment on column chat_private.settings.send_spare is
  'How far ahead the moment may lie at which the bucket of somebody who writes is full.';
comment on column chat_private.settings.timeline_salt is
  'Changed by start_timeline() after a restore, so that clients compare their copies with the server.';
comment on column chat_private.settings.members_added_per_day is
  $$How many people one person may put into rooms: so many at once, and so many again within a day.
Unit: people.
Answer: slow_down.$$;
comment on column chat_private.settings.open_rooms_per_person is
  $$Group rooms that one person has created and that are not archived.
Unit: rooms.
Answer: payload_too_large.$$;
comment on column chat_private.settings.open_invites_per_room is
  $$Invites into a room that can still be used.
Unit: invites.
Answer: payload_too_large.$$;
comment on column chat_private.settings.tenants_per_person is
  $$Tenants that one person owns.
Unit: tenants.
Answer: payload_too_large.$$;
comment on column chat_private.settings.open_invites_per_tenant is
  $$Invites into a tenant that can still be used.
Unit: invites.
Answer: payload_too_large.$$;
comment on column chat_private.settings.emoji_per_message is
  $$Different reactions that stand on one message.
Unit: emoji.
Answer: payload_too_large.$$;
comment on column chat_private.settings.reactions_per_person is
  $$Different reactions that one person has ever put on one message, those taken back included.
Unit: emoji.
Answer: payload_too_large.$$;
comment on column chat_private.settings.pins_per_room is
  $$Messages that are pinned in a room.
Unit: messages.
Answer: payload_too_large.$$;
comment on column chat_private.settings.pull_bytes is
  $$How long the answer of a pull may become, and a page of any list; one number or row always comes.
Unit: bytes.$$;
comment on column chat_private.settings.bot_factor is
  $$How many times as much as a person a bot may write, and people it may put into rooms: it pays one
part in so many of every price.
Unit: times.$$;
comment on column chat_private.settings.push_hosts is
  $$The hosts that Web Push may go to; *.example.com is every host below example.com.
Unit: names of hosts.$$;
comment on column chat_private.settings.people_are_findable is
  'True lets search_profiles find people of one''s own tenants by their names.';
comment on column chat_private.settings.keep_sends is
  $$How long after a purge a retry of what was purged is still recognized; later it sends anew.
Unit: days.$$;
comment on column chat_private.settings.file_bytes is
  $$How large a file of a message may be; chat.tenants.file_bytes says otherwise for one tenant.
Unit: bytes.
Answer: payload_too_large.$$;
comment on column chat_private.settings.file_types is
  $$The media types of files of messages; chat.tenants.file_types says otherwise for one tenant. image/*
stands for all images that are no XML, and */* for everything.
Unit: media types.
Answer: invalid_input.$$;
comment on column chat_private.settings.avatar_bytes is
  $$How large an avatar may be. Storage refuses a larger one.
Unit: bytes.$$;
comment on column chat_private.settings.content_check is
  $$A function of yours, as schema.name, that is asked before a message is sent, edited or imported.

It takes (room_id uuid, sender_id uuid, body text, attachments jsonb, metadata jsonb) and returns null,
or as text why not. It is not asked in opaque rooms. Null asks nobody.
Unit: names of functions.
Answer: message_refused.$$;
comment on column chat_private.settings.on_check_failure is
  'What happens to a message when content_check fails: allow or refuse.';
comment on column chat_private.settings.open_reports_per_person is
  $$Reports of one person that nobody has resolved yet.
Unit: reports.
Answer: payload_too_large.$$;
comment on column chat_private.settings.unsent_files_per_person is
  $$Files that one person has uploaded to a room and not sent yet, and avatars that they do not show.
Storage refuses more.
Unit: files.$$;
comment on column chat_private.settings.keep_edits is
  $$How long what a message said before an edit is kept; null keeps it as long as the message.
Unit: days.$$;
comment on column chat_private.settings.keep_audit is
  $$How long entries of the audit are kept.
Unit: days.$$;
comment on column chat_private.settings.keep_changes is
  $$How long a client may be away and still pull only what changed in tables of your own; one that was away
longer fetches their rows anew.
Unit: days.$$;

-- Items of JSON are looked at before they are cast, because one failing cast would fail the call.
-- Immutable and without arguments, so the planner evaluates it once and a call costs nothing.
create function chat_private.uuid_pattern()
returns text
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$';
end;
$$;

comment on function chat_private.uuid_pattern() is 'Match a uuid as clients write it.';

revoke execute on function chat_private.uuid_pattern() from public, anon, authenticated;

-- A back end has the secret key and acts as people: the header x-parley-user names whom. These
-- three functions decide who a call comes from. Nothing else asks auth.uid(), save policies and
-- what they ask about topics, which are for signed-in people alone.
create function chat_private.named_user()
returns text
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_headers text := current_setting('request.headers', true);
begin
  return case when v_headers is json object then v_headers::json ->> 'x-parley-user' end;
end;
$$;

comment on function chat_private.named_user() is
  'Return what the header x-parley-user says, as it came; null without the header.';

-- Two witnesses: the role that the API took on, which no claim can change, and the claim it took it
-- for, so that a server that switches roles by itself acts as nobody by accident.
create function chat_private.is_server()
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_claims text := current_setting('request.jwt.claims', true);
begin
  return current_setting('role') = 'service_role'
    and case
      when v_claims is json object then v_claims::jsonb ->> 'role' = 'service_role' else false
    end;
end;
$$;

comment on function chat_private.is_server() is
  'Tell whether the caller holds the secret key, and so may act as anybody.';

-- Three functions look whether the caller may be a server before they call this one, because a
-- nested call would double what they cost: send_message, and visible_after and shares_tenant, which
-- policies call for every row. A house rule compares how they do it.
create function chat_private.acting_user_id()
returns uuid
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_named text;
begin
  if strpos(current_setting('request.headers', true), 'x-parley-user') > 0 then
    v_named := chat_private.named_user();
  end if;
  if v_named is null then
    return auth.uid();
  end if;
  if v_named ~ chat_private.uuid_pattern()
    and (chat_private.is_server() or v_named::uuid = auth.uid())
  then
    return v_named::uuid;
  end if;
  return null;
end;
$$;

comment on function chat_private.acting_user_id() is
  $$Name the person a call acts as; never refuses.

Returns:
  The person of the token; for a server, the person in the header x-parley-user. Null where there is
  neither, and where the header names somebody whom the caller may not act as. The account need not be
  open, nor exist.$$;

revoke execute on function
  chat_private.named_user(), chat_private.is_server(), chat_private.acting_user_id()
  from public, anon, authenticated;

-- Names and topics are shown in lists beside other people's names: a control character breaks the
-- line, a bidi control turns the neighbours around. Message bodies are kept as typed.
--
-- Immutable and without arguments, so the planner evaluates it once and a call costs nothing.
create function chat_private.hidden_characters()
returns text
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return
    '\u0001-\u001F\u007F-\u009F\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069\uFEFF';
end;
$$;

comment on function chat_private.hidden_characters() is
  'List the control and bidi-control characters, as the inside of a bracket expression.';

-- Adds characters that are invisible and change no word: soft hyphens, word joiners, annotations.
-- (The joiners U+200C and U+200D are left out, because words and emoji of families need them.)
create function chat_private.shapeless_characters()
returns text
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return chat_private.hidden_characters() || '\u00AD\u200B\u2060-\u206F\uFFF0-\uFFFB';
end;
$$;

comment on function chat_private.shapeless_characters() is
  'List the hidden and the invisible characters, as the inside of a bracket expression.';

revoke execute on function
  chat_private.hidden_characters(), chat_private.shapeless_characters()
  from public, anon, authenticated;

create function chat_private.has_hidden_characters(value text)
returns boolean
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return has_hidden_characters.value ~ ('[' || chat_private.hidden_characters() || ']');
end;
$$;

comment on function chat_private.has_hidden_characters(text) is
  'Tell whether a line holds control or bidi-control characters.';

revoke execute on function chat_private.has_hidden_characters(text)
  from public, anon, authenticated;

-- Spaces, control characters, and invisible characters such as joiners, fillers, text directions.
-- Written out, because what [:space:] holds beyond ASCII depends on the locale of the database.
create function chat_private.is_blank(value text)
returns boolean
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return is_blank.value !~ (
    '[^[:space:]' || chat_private.shapeless_characters()
    || '\u00A0\u034F\u115F\u1160\u1680\u17B4\u17B5\u180B-\u180F\u2000-\u200D\u202F\u205F\u2800'
    '\u3000\u3164\uFE00-\uFE0F\uFFA0\U0001BCA0-\U0001BCA3\U0001D173-\U0001D17A'
    '\U000E0000-\U000E0FFF]'
  );
end;
$$;

comment on function chat_private.is_blank(text) is 'Tell whether a text has no visible character.';

revoke execute on function chat_private.is_blank(text) from public, anon, authenticated;

-- Postgres has no character class for these, so they are written out as the inside of brackets:
-- marks of every script (Unicode 17, general category M), and vowels and finals of Hangul in
-- pieces.
create function chat_private.combining_characters()
returns text
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return
    '\u0300-\u036F\u0483-\u0489\u0591-\u05BD\u05BF\u05C1-\u05C2\u05C4-\u05C5\u05C7\u0610-\u061A'
    '\u064B-\u065F\u0670\u06D6-\u06DC\u06DF-\u06E4\u06E7-\u06E8\u06EA-\u06ED\u0711\u0730-\u074A'
    '\u07A6-\u07B0\u07EB-\u07F3\u07FD\u0816-\u0819\u081B-\u0823\u0825-\u0827\u0829-\u082D'
    '\u0859-\u085B\u0897-\u089F\u08CA-\u08E1\u08E3-\u0903\u093A-\u093C\u093E-\u094F'
    '\u0951-\u0957\u0962-\u0963\u0981-\u0983\u09BC\u09BE-\u09CD\u09D7\u09E2-\u09E3\u09FE-\u0A03'
    '\u0A3C-\u0A51\u0A70-\u0A71\u0A75\u0A81-\u0A83\u0ABC\u0ABE-\u0ACD\u0AE2-\u0AE3\u0AFA-\u0B03'
    '\u0B3C\u0B3E-\u0B57\u0B62-\u0B63\u0B82\u0BBE-\u0BCD\u0BD7\u0C00-\u0C04\u0C3C\u0C3E-\u0C56'
    '\u0C62-\u0C63\u0C81-\u0C83\u0CBC\u0CBE-\u0CD6\u0CE2-\u0CE3\u0CF3-\u0D03\u0D3B-\u0D3C'
    '\u0D3E-\u0D4D\u0D57\u0D62-\u0D63\u0D81-\u0D83\u0DCA-\u0DDF\u0DF2-\u0DF3\u0E31\u0E34-\u0E3A'
    '\u0E47-\u0E4E\u0EB1\u0EB4-\u0EBC\u0EC8-\u0ECE\u0F18-\u0F19\u0F35\u0F37\u0F39\u0F3E-\u0F3F'
    '\u0F71-\u0F84\u0F86-\u0F87\u0F8D-\u0FBC\u0FC6\u102B-\u103E\u1056-\u1059\u105E-\u1060'
    '\u1062-\u1064\u1067-\u106D\u1071-\u1074\u1082-\u108D\u108F\u109A-\u109D\u1160-\u11FF'
    '\u135D-\u135F\u1712-\u1715\u1732-\u1734\u1752-\u1753\u1772-\u1773\u17B4-\u17D3\u17DD'
    '\u180B-\u180D\u180F\u1885-\u1886\u18A9\u1920-\u193B\u1A17-\u1A1B\u1A55-\u1A7F\u1AB0-\u1B04'
    '\u1B34-\u1B44\u1B6B-\u1B73\u1B80-\u1B82\u1BA1-\u1BAD\u1BE6-\u1BF3\u1C24-\u1C37'
    '\u1CD0-\u1CD2\u1CD4-\u1CE8\u1CED\u1CF4\u1CF7-\u1CF9\u1DC0-\u1DFF\u20D0-\u20F0\u2CEF-\u2CF1'
    '\u2D7F\u2DE0-\u2DFF\u302A-\u302F\u3099-\u309A\uA66F-\uA672\uA674-\uA67D\uA69E-\uA69F'
    '\uA6F0-\uA6F1\uA802\uA806\uA80B\uA823-\uA827\uA82C\uA880-\uA881\uA8B4-\uA8C5\uA8E0-\uA8F1'
    '\uA8FF\uA926-\uA92D\uA947-\uA953\uA980-\uA983\uA9B3-\uA9C0\uA9E5\uAA29-\uAA36\uAA43'
    '\uAA4C-\uAA4D\uAA7B-\uAA7D\uAAB0\uAAB2-\uAAB4\uAAB7-\uAAB8\uAABE-\uAABF\uAAC1\uAAEB-\uAAEF'
    '\uAAF5-\uAAF6\uABE3-\uABEA\uABEC-\uABED\uD7B0-\uD7FB\uFB1E\uFE00-\uFE0F\uFE20-\uFE2F'
    '\U000101FD\U000102E0\U00010376-\U0001037A\U00010A01-\U00010A0F\U00010A38-\U00010A3F'
    '\U00010AE5-\U00010AE6\U00010D24-\U00010D27\U00010D69-\U00010D6D\U00010EAB-\U00010EAC'
    '\U00010EFA-\U00010EFF\U00010F46-\U00010F50\U00010F82-\U00010F85\U00011000-\U00011002'
    '\U00011038-\U00011046\U00011070\U00011073-\U00011074\U0001107F-\U00011082'
    '\U000110B0-\U000110BA\U000110C2\U00011100-\U00011102\U00011127-\U00011134'
    '\U00011145-\U00011146\U00011173\U00011180-\U00011182\U000111B3-\U000111C0'
    '\U000111C9-\U000111CC\U000111CE-\U000111CF\U0001122C-\U00011237\U0001123E\U00011241'
    '\U000112DF-\U000112EA\U00011300-\U00011303\U0001133B-\U0001133C\U0001133E-\U0001134D'
    '\U00011357\U00011362-\U00011374\U000113B8-\U000113D0\U000113D2\U000113E1-\U000113E2'
    '\U00011435-\U00011446\U0001145E\U000114B0-\U000114C3\U000115AF-\U000115C0'
    '\U000115DC-\U000115DD\U00011630-\U00011640\U000116AB-\U000116B7\U0001171D-\U0001172B'
    '\U0001182C-\U0001183A\U00011930-\U0001193E\U00011940\U00011942-\U00011943'
    '\U000119D1-\U000119E0\U000119E4\U00011A01-\U00011A0A\U00011A33-\U00011A39'
    '\U00011A3B-\U00011A3E\U00011A47\U00011A51-\U00011A5B\U00011A8A-\U00011A99'
    '\U00011B60-\U00011B67\U00011C2F-\U00011C3F\U00011C92-\U00011CB6\U00011D31-\U00011D45'
    '\U00011D47\U00011D8A-\U00011D97\U00011EF3-\U00011EF6\U00011F00-\U00011F01\U00011F03'
    '\U00011F34-\U00011F42\U00011F5A\U00013440\U00013447-\U00013455\U0001611E-\U0001612F'
    '\U00016AF0-\U00016AF4\U00016B30-\U00016B36\U00016F4F\U00016F51-\U00016F92'
    '\U00016FE4-\U00016FF1\U0001BC9D-\U0001BC9E\U0001CF00-\U0001CF46\U0001D165-\U0001D169'
    '\U0001D16D-\U0001D172\U0001D17B-\U0001D182\U0001D185-\U0001D18B\U0001D1AA-\U0001D1AD'
    '\U0001D242-\U0001D244\U0001DA00-\U0001DA36\U0001DA3B-\U0001DA6C\U0001DA75\U0001DA84'
    '\U0001DA9B-\U0001DAAF\U0001E000-\U0001E02A\U0001E08F\U0001E130-\U0001E136\U0001E2AE'
    '\U0001E2EC-\U0001E2EF\U0001E4EC-\U0001E4EF\U0001E5EE-\U0001E5EF\U0001E6E3\U0001E6E6'
    '\U0001E6EE-\U0001E6EF\U0001E6F5\U0001E8D0-\U0001E8D6\U0001E944-\U0001E94A'
    '\U000E0100-\U000E01EF';
end;
$$;

comment on function chat_private.combining_characters() is
  'List the characters that belong to the one before them, as the inside of a bracket expression.';

revoke execute on function chat_private.combining_characters() from public, anon, authenticated;

-- Postgres reads all check constraints of a table again at every write. On tables that every
-- message writes, a rule about a rare change is therefore checked by a trigger on that change. It
-- calls this function to fail as a constraint would.
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

-- Every short text that people type passes through here. Trimming and counting characters takes
-- time in proportion to the length, so a text with far too many bytes is refused before either is
-- done.
create function chat_private.clean_line(value text, label text, longest integer)
returns text
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  v_is_endless boolean := octet_length(clean_line.value) > 4 * clean_line.longest + 1000;
  v_line text;
begin
  if not v_is_endless then
    v_line := btrim(clean_line.value, E' \t\n\r\u00A0\u3000');
  end if;
  if v_is_endless or char_length(v_line) > clean_line.longest then
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
      detail = format('A %s must have a visible character.', clean_line.label),
      hint = 'Type a letter, a digit or a sign.';
  end if;
  return v_line;
end;
$$;

comment on function chat_private.clean_line(text, text, integer) is
  'Trim a line and refuse one that would disturb a list of names. Null stays null.';

revoke execute on function chat_private.clean_line(text, text, integer)
  from public, anon, authenticated;

-- Every list has the same bounds for the size of a page, so they stand here once.
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
      hint = 'Ask for smaller pages, and pass the key of the last row to get the next one.';
  end if;
  return clean_page_size.page_size;
end;
$$;

comment on function chat_private.clean_page_size(integer) is 'Refuse a page outside 1 to 200 rows.';

revoke execute on function chat_private.clean_page_size(integer) from public, anon, authenticated;

-- A refusal as a value, for the checks that a single call and a batch share: the single call raises
-- it, the batch reports it with the item. Most other refusals are raised where they are found.
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
  -- slow_down carries the header Retry-After, and only PostgREST's own form of an error can do
  -- that.
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

-- Every client must be able to read what another client has sent. Parsers fail on JSON that is
-- nested too deep and on numbers with thousands of digits (1e16000 is six characters to send and
-- 16,001 to read), and many small values take them long. The checks run in this order so that each
-- one bounds the work of the next: size, depth, everything else. A number is compared before it is
-- written out.
create function chat_private.refusal_by_json(value jsonb, label text)
returns chat_private.refusal
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  if refusal_by_json.value in ('[]', '{}') then
    return null;
  end if;
  if pg_column_size(refusal_by_json.value) > 131072 then
    return row(
      'PT413', 'payload_too_large',
      format('%s are too large.', refusal_by_json.label),
      'Put large content into storage and pass its path.', null
    )::chat_private.refusal;
  end if;
  if jsonb_path_exists(
      refusal_by_json.value, 'strict $.**{16} ? (@.type() == "object" || @.type() == "array")'
    )
    or 200 < (
      select count(*)
      from jsonb_path_query(
        refusal_by_json.value,
        'strict $.** ? (
          @.type() != "object" && @.type() != "array"
          || @.type() == "object" && !exists (@.*)
          || @.type() == "array" && @.size() == 0
        )'
      )
    )
  then
    return row(
      'PT400', 'invalid_input',
      format('%s may be nested at most 16 deep and hold at most 200 values.', refusal_by_json.label),
      'Store large content elsewhere and refer to it.', null
    )::chat_private.refusal;
  end if;
  if jsonb_path_exists(
    refusal_by_json.value,
    'strict $.** ? (@.type() == "number" && (@ >= 100000000000000000000
      || @ <= -100000000000000000000 || @.string() like_regex "^-?([0-9]\.?){21}"))'
  ) then
    return row(
      'PT400', 'invalid_input',
      format('%s may hold numbers of at most 20 digits.', refusal_by_json.label),
      'Pass a longer number as a string.', null
    )::chat_private.refusal;
  end if;
  if jsonb_path_exists(
    refusal_by_json.value,
    'strict $.** ? (@.type() == "object").keyvalue() ? (@.key like_regex "^.{65}" flag "s")'
  ) then
    return row(
      'PT400', 'invalid_input',
      format('%s may have keys of at most 64 characters.', refusal_by_json.label),
      'Shorten the key.', null
    )::chat_private.refusal;
  end if;
  return null;
end;
$$;

comment on function chat_private.refusal_by_json(jsonb, text) is
  $$Say what is wrong with JSON from a caller; null when it is right.

Args:
  value: an array or an object.
  label: its name in the plural, as the first word of the error's sentence.

Limits:
  json: what people make up, such as attachments, is nested at most 16 deep and holds at most 200
    values, with keys of 64 characters and numbers of 20 digits. Texts, numbers, true, false, null and
    what is empty are values.$$;

revoke execute on function chat_private.refusal_by_json(jsonb, text)
  from public, anon, authenticated;

create function chat_private.refusal_by_metadata(metadata jsonb, label text default 'Metadata')
returns chat_private.refusal
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  v_refusal chat_private.refusal;
begin
  if coalesce(refusal_by_metadata.metadata, '{}') = '{}' then
    return null;
  end if;
  if jsonb_typeof(refusal_by_metadata.metadata) <> 'object' then
    return row(
      'PT400', 'invalid_input', format('%s are an object.', refusal_by_metadata.label),
      'Pass {"key": "value"}, or {} to clear them.', null
    )::chat_private.refusal;
  end if;
  v_refusal := chat_private.refusal_by_json(
    refusal_by_metadata.metadata, refusal_by_metadata.label
  );
  if v_refusal.slug is null and octet_length(refusal_by_metadata.metadata::text) > 4096 then
    return row(
      'PT413', 'payload_too_large', format('%s take at most 4 KB.', refusal_by_metadata.label),
      'Store large content elsewhere and refer to it.', null
    )::chat_private.refusal;
  end if;
  return v_refusal;
end;
$$;

comment on function chat_private.refusal_by_metadata(jsonb, text) is
  $$Say what is wrong with the metadata of a room, a message or a profile; null when nothing is.

Args:
  metadata: what an app wants to keep there; null is nothing.
  label: its name in the plural, as the first word of the error's sentence.

Limits:
  metadata: the metadata of a room, a message or a profile, and the data of a notification, take 4 KB
    each, as JSON text with spaces.$$;

revoke execute on function chat_private.refusal_by_metadata(jsonb, text)
  from public, anon, authenticated;
