"""The house rules notice what breaks them: every one of them, so that none passes for nothing."""

from __future__ import annotations

import re

import psycopg

from tests.sql.test_pgtap import FOLDER, run_file

# Each statement breaks at least one rule; together they break all.
BREAKS = [
    "create function chat.definer(id uuid) returns void language sql security definer"
    " begin atomic select; end",
    "grant execute on function chat.definer to public, anon, authenticated, service_role",
    "create function chat.definer(id text) returns void language sql begin atomic select; end",
    "create function chat.twinless(id uuid) returns uuid language sql stable set search_path = ''"
    " return chat_private.current_user_id()",
    "comment on function chat.twinless(uuid) is 'Does something'",
    """create function chat.slug("limit" integer) returns void language plpgsql
       set search_path = '' as $$
       begin raise exception using errcode = 'PT404', message = 'nonsense'; end $$""",
    "create function chat_private.slug(a integer) returns void language plpgsql"
    " set search_path = '' as $$ begin raise exception using errcode = 'PT404',"
    " message = 'room_not_found', detail = 'x', hint = 'x'; execute 'x';"
    " exception when others then null; end $$",
    "comment on function chat.slug(integer) is"
    " $$Raise.\n\nArgs:\n  other: x.\n\nReturns:\n  x.\n\nRaises:\n  last_owner: never.$$",
    "create function chat_private.trigger() returns trigger language plpgsql"
    " set search_path = '' as $$ begin return new; end $$",
    "create trigger unnumbered before insert on auth.users"
    " for each row execute function chat_private.trigger()",
    "create table chat.bare (id uuid primary key, at timestamp, short varchar(5),"
    " room_id uuid references chat.rooms (id) on delete cascade, check (short <> ''))",
    "grant all on chat.bare to anon, authenticated",
    "grant update (name) on chat.rooms to authenticated",
    "grant select on chat_private.settings to authenticated",
    "grant usage on schema chat_private to authenticated",
    "revoke select on chat.pins from authenticated",
    "create view chat.peek as select * from chat.rooms",
    "create sequence chat.numbers",
    "create policy peek on chat.rooms for select to public using (true)",
    "create policy mine on chat.rooms for insert to authenticated with check (auth.uid() = id)",
    "create table public.ours (id integer)",
    "alter publication supabase_realtime add table chat.rooms",
    "create or replace function chat_private.mark_read(room_id uuid, seq bigint)"
    " returns chat.marks language sql begin atomic select k.* from chat.marks as k; end",
    "comment on function chat.mark_read(uuid, bigint) is 'Marks'",
    "comment on column chat_private.settings.send_burst is 'Many. Answer: no idea.'",
    "create function chat_private.break_in(room_id uuid) returns void language plpgsql"
    " set search_path = '' as $$ declare v_room chat.rooms; begin"
    " select r.* into v_room from chat.rooms as r for update; v_room.archived_at := null; end $$",
    "create function chat_private.has_a_copy() returns text language sql"
    " as $$ select '[0-9a-fA-F]{8}' $$",
    "create function chat_private.ask_twice(name text) returns text language plpgsql"
    " set search_path = '' as $$ begin return auth.uid() || current_setting(name); end $$",
    "revoke execute on function chat.join_room from service_role",
    "alter function chat_private.read_table_rows(jsonb) security definer",
    "create or replace function chat_private.unmute_member(room_id uuid, user_id uuid)"
    " returns chat.room_members language sql"
    " begin atomic select m.* from chat.room_members as m; end",
]


def test_every_house_rule_can_be_broken(postgresql: psycopg.Connection) -> None:
    postgresql.autocommit = True
    for statement in BREAKS:
        postgresql.execute(statement.encode())
    lines = run_file(postgresql, FOLDER / "000000_house_rules.sql")
    kept = {line for line in lines if re.match(r"ok \d+ - ", line)}
    assert {line.partition(" - ")[2] for line in kept} == {"there are refusals to look at"}
