"""What `postgres` may do in the schema `realtime`: what it may in a hosted project, and no more."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
import pytest_asyncio
from psycopg import errors

from tests.e2e.realtime_stack import Server, run_sql

TODAY = f"realtime.messages_{dt.datetime.now(dt.UTC):%Y_%m_%d}"

REFUSED = [
    # the table
    "alter table realtime.messages add column mine text",
    "alter table realtime.messages alter column topic drop not null",
    "alter table realtime.messages alter column private set default true",
    "alter table realtime.messages disable row level security",
    "alter table realtime.messages force row level security",
    "alter table realtime.messages replica identity full",
    "alter table realtime.messages rename to mine",
    "alter table realtime.messages set schema public",
    "alter table realtime.messages owner to postgres",
    "alter table realtime.messages set (autovacuum_enabled = off)",
    "alter table realtime.messages add constraint mine check (topic <> '')",
    "alter table realtime.messages drop constraint messages_payload_exclusive",
    "alter table realtime.messages disable trigger all",
    "create table public.mine partition of realtime.messages default",
    "create index mine on realtime.messages (topic)",
    "drop index realtime.messages_inserted_at_topic_index",
    "create rule mine as on insert to realtime.messages do nothing",
    "create statistics public.mine on topic, event from realtime.messages",
    "comment on table realtime.messages is 'mine'",
    "comment on column realtime.messages.topic is 'mine'",
    "security label on table realtime.messages is 'mine'",
    "drop table realtime.messages",
    # its partitions
    f"alter table {TODAY} replica identity full",
    f"alter table realtime.messages detach partition {TODAY}",
    f"create index mine on {TODAY} (topic)",
    f"create policy mine on {TODAY} using (true)",
    f"comment on table {TODAY} is 'mine'",
    f"drop table {TODAY}",
    # policies
    'alter policy "listeners" on realtime.messages rename to mine',
    """comment on policy "listeners" on realtime.messages is 'mine'""",
    "create policy mine on _realtime.mine using (true)",
    # functions
    "create or replace function realtime.topic() returns text language sql as 'select null::text'",
    "create function realtime.mine() returns int language sql as 'select 1'",
    "alter function realtime.send(jsonb, text, text, boolean) security definer",
    "alter function realtime.send(jsonb, text, text, boolean) set search_path = ''",
    "alter function realtime.topic() rename to mine",
    "alter function realtime.topic() owner to postgres",
    "comment on function realtime.topic() is 'mine'",
    "drop function realtime.send_binary(bytea, text, text, boolean)",
    # the schema
    "create table realtime.mine (id int)",
    "create table realtime.mine as select 1 as id",
    "create view realtime.mine as select 1 as id",
    "create sequence realtime.mine",
    "create type realtime.mine as enum ('a')",
    "alter schema realtime rename to mine",
    "alter schema realtime owner to postgres",
    "comment on schema realtime is 'mine'",
    "drop schema realtime cascade",
    "alter default privileges for role supabase_realtime_admin grant all on tables to anon",
    "alter default privileges for role supabase_admin in schema realtime"
    " grant all on tables to anon",
    # publications
    "create publication mine for table realtime.messages",
    f"create publication mine for table {TODAY}",
    "create publication mine for tables in schema realtime",
    "create publication mine for all tables",
    "alter publication supabase_realtime add table realtime.messages",
    "alter publication supabase_realtime add tables in schema realtime",
    "alter publication supabase_realtime_messages_publication set (publish = 'insert')",
    "alter publication supabase_realtime_messages_publication add table public.notes",
    "alter publication supabase_realtime_messages_publication drop table realtime.messages",
    "drop publication supabase_realtime_messages_publication",
    # roles
    "set role supabase_realtime_admin",
    "set session authorization supabase_realtime_admin",
    "grant supabase_realtime_admin to postgres",
    "grant supabase_realtime_admin to anon",
    "revoke anon from supabase_realtime_admin granted by supabase_admin",
    "alter role supabase_realtime_admin login",
    "drop role supabase_realtime_admin",
    "drop owned by supabase_realtime_admin",
    "reassign owned by supabase_realtime_admin to postgres",
    "create table public.mine (id int); alter table public.mine owner to supabase_realtime_admin",
    # what this is built of
    "select _realtime.keep_partitions()",
    "drop event trigger realtime_lends_policies",
    "alter event trigger realtime_takes_policies_back disable",
    "alter function _realtime.lend_policies() owner to postgres",
    "create event trigger mine on ddl_command_end execute function _realtime.lend_policies()",
]

ALLOWED = [
    "create policy mine on realtime.messages for select to authenticated using (true)",
    "create policy mine on realtime.messages for insert to anon with check (topic = 'a')",
    'alter policy "listeners" on realtime.messages using (topic = realtime.topic())',
    'alter policy "listeners" on realtime.messages to anon',
    'drop policy "listeners" on realtime.messages',
    "drop policy if exists absent on realtime.messages",
    "create policy mine on public.notes using (true);"
    "alter policy mine on public.notes rename to ours",
    "insert into realtime.messages (topic, extension) values ('a', 'broadcast')",
    "select realtime.send('{}', 'said', 'a')",
    "select count(*) from realtime.messages",
    "update realtime.messages set event = 'b'",
    "delete from realtime.messages",
    "truncate realtime.messages",
    f"select count(*) from {TODAY}",
    "lock table realtime.messages in share mode",
    "create view public.mine as select topic from realtime.messages",
    "create trigger mine after insert on realtime.messages for each row"
    " execute function public.tg_mine()",
    "grant usage on schema realtime to dashboard_user",
    "create publication mine for table public.notes",
    "alter publication supabase_realtime add table public.notes",
]


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def objects(postgres: Server) -> Any:
    """A policy on realtime.messages, and objects of postgres' own."""
    await run_sql(
        postgres.developer_url,
        'create policy "listeners" on realtime.messages for select to authenticated using (true)',
    )
    await run_sql(postgres.developer_url, "create table public.notes (id int primary key)")
    await run_sql(
        postgres.developer_url,
        "create function public.tg_mine() returns trigger language plpgsql as"
        " 'begin return null; end'",
    )
    await run_sql(postgres.url, "create table _realtime.mine (id int)")
    yield
    await run_sql(postgres.url, "drop table _realtime.mine, public.notes")
    await run_sql(postgres.url, "drop function public.tg_mine()")
    await run_sql(postgres.developer_url, 'drop policy "listeners" on realtime.messages')


@contextmanager
def developer(postgres: Server) -> Iterator[psycopg.Connection[Any]]:
    """A connection of postgres whose work is undone."""
    with psycopg.connect(postgres.developer_url) as connection:
        yield connection
        connection.rollback()


@pytest.mark.parametrize("statement", REFUSED)
async def test_what_a_hosted_project_refuses_is_refused(postgres: Server, statement: Any) -> None:
    with developer(postgres) as connection, pytest.raises(errors.Error) as refused:
        connection.execute(statement)
    expected: tuple[type[Exception], ...] = (errors.InsufficientPrivilege,)
    if statement.startswith("security label"):
        expected = (errors.InvalidParameterValue, errors.ObjectNotInPrerequisiteState)
    assert isinstance(refused.value, expected), refused.value


@pytest.mark.parametrize("statement", ALLOWED)
async def test_what_a_hosted_project_allows_is_allowed(postgres: Server, statement: Any) -> None:
    with developer(postgres) as connection:
        connection.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "grant delete on realtime.messages to anon",
        "revoke select on realtime.messages from anon",
        "grant select on realtime.messages to dashboard_user with grant option",
        f"grant select on {TODAY} to anon",
        "revoke execute on function realtime.topic() from public",
        "grant execute on function realtime.topic() to anon with grant option",
    ],
)
async def test_grants_on_what_belongs_to_realtime_change_nothing(
    postgres: Server, statement: Any
) -> None:
    rights = """
    select relname, relacl::text from pg_class where relnamespace = 'realtime'::regnamespace
    union all
    select proname, proacl::text from pg_proc where pronamespace = 'realtime'::regnamespace
    order by 1, 2
    """
    with developer(postgres) as connection:
        before = connection.execute(rights).fetchall()
        connection.execute(statement)
        assert connection.execute(rights).fetchall() == before


async def test_postgres_is_a_member_of_the_owner_in_no_statement_of_its_own(
    postgres: Server,
) -> None:
    ask = "select pg_has_role('postgres', 'supabase_realtime_admin', 'member')"
    with developer(postgres) as connection:
        assert connection.execute(ask).fetchone() == (False,)
        connection.execute("create policy mine on realtime.messages using (true)")
        assert connection.execute(ask).fetchone() == (False,)
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("alter table realtime.messages replica identity full")
    with developer(postgres) as connection:
        with pytest.raises(errors.UndefinedObject):
            connection.execute("drop policy absent on realtime.messages")
        connection.rollback()
        assert connection.execute(ask).fetchone() == (False,)
    with developer(postgres) as connection:
        connection.execute(
            "do $$ begin create policy mine on realtime.messages using (nope); "
            "exception when others then null; end $$"
        )
        assert connection.execute(ask).fetchone() == (False,)


async def test_two_sessions_create_policies_at_once(postgres: Server) -> None:
    with developer(postgres) as first, psycopg.connect(postgres.url) as second:
        first.execute("create policy mine on public.notes using (true)")
        second.execute("set lock_timeout = '200ms'")
        with pytest.raises(errors.LockNotAvailable):
            second.execute("create policy other on _realtime.mine using (true)")
        second.rollback()
        first.rollback()
        second.execute("create policy other on _realtime.mine using (true)")
        second.rollback()


async def test_another_role_gains_nothing_by_a_policy(postgres: Server) -> None:
    with psycopg.connect(postgres.url) as connection:
        connection.execute("set role dashboard_user")
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("create policy mine on realtime.messages using (true)")
        connection.rollback()


async def test_everything_in_the_schema_belongs_to_realtimes_role(postgres: Server) -> None:
    found = await run_sql(
        postgres.url,
        "select relname::text, relowner::regrole::text from pg_class"
        " where relnamespace = 'realtime'::regnamespace"
        " union all select proname, proowner::regrole::text from pg_proc"
        " where pronamespace = 'realtime'::regnamespace",
    )
    assert TODAY.removeprefix("realtime.") in {name for name, _ in found}
    assert {owner for _, owner in found} == {"supabase_realtime_admin"}


async def test_what_the_platform_adds_to_the_schema_is_postgres_to_use(postgres: Server) -> None:
    with psycopg.connect(postgres.url) as connection:
        connection.execute("create table realtime.added (id int generated always as identity)")
        connection.execute(
            "create function realtime.added() returns int language sql as 'select 1'"
        )
        rights = connection.execute(
            "select role, has_table_privilege(role, 'realtime.added', 'truncate'),"
            " has_sequence_privilege(role, 'realtime.added_id_seq', 'usage'),"
            " has_function_privilege(role, 'realtime.added()', 'execute')"
            " from unnest('{postgres,dashboard_user}'::text[]) as role"
        ).fetchall()
        assert rights == [("postgres", True, True, True), ("dashboard_user", True, True, True)]
        connection.rollback()
