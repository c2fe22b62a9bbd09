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
]


def test_every_house_rule_can_be_broken(postgresql: psycopg.Connection) -> None:
    postgresql.autocommit = True
    for statement in BREAKS:
        postgresql.execute(statement.encode())
    lines = run_file(postgresql, FOLDER / "000000_house_rules.sql")
    kept = {line for line in lines if re.match(r"ok \d+ - ", line)}
    assert {line.partition(" - ")[2] for line in kept} == {"there are refusals to look at"}
