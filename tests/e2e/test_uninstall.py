"""Taking Parley out leaves nothing of it, and all that is not Parley's, and it can come back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.errors import DependentObjectsStillExist
from typer.testing import CliRunner

from parley.cli import app
from parley.errors import UninstallRefused
from parley.installing.release import this_release
from parley.project import Project
from parley.stack import Status
from parley.upgrading import plan_uninstall
from tests.conftest import cloned
from tests.e2e.test_doctor_database import FAKE_CRON

SCHEMA = Path(__file__).with_name("adopter") / "schema.sql"

LEFT = """
select 'schema ' || nspname from pg_namespace where nspname like 'chat%'
union all
select 'policy ' || policyname from pg_policies where schemaname in ('realtime', 'storage')
union all
select 'trigger ' || tgname from pg_trigger
where tgrelid in ('auth.users'::regclass, 'realtime.messages'::regclass) and not tgisinternal
  and tgname ~ '^_\\d{3}_'
"""

THEIRS = {
    "create table public.documents (id bigint primary key, room_id uuid references chat.rooms)": (
        "the constraint documents_room_id_fkey on public.documents"
    ),
    "create table public.notes (a chat.rooms)": "the column public.notes.a",
    "create table public.heads (a jsonb default chat.list_heads())": "the default public.heads.a",
    "create view public.names as select name from chat.rooms": "the view public.names",
    "create materialized view public.counts as select id from chat.rooms": "the view public.counts",
    "create policy theirs on public.channels using (chat.list_heads() is not null)": (
        "the policy theirs on public.channels"
    ),
    "create policy more on chat.rooms using (true)": "the policy more on chat.rooms",
    'create policy "all hear" on realtime.messages for select using (chat_private.listenable('
    "realtime.topic()) is not null)": 'the policy "all hear" on realtime.messages',
    "create function public.room() returns chat.rooms language sql begin atomic"
    " select * from chat.rooms; end": "the function public.room()",
    "create function public.count() returns bigint language sql as 'select count(*) from"
    " chat.rooms'": "the function public.count(), whose text uses Parley",
    "create trigger theirs after insert on chat.rooms for each row execute function"
    " public.notice()": "the trigger theirs on chat.rooms",
    "create trigger theirs after insert on public.channels for each row execute function"
    " chat_private.tg_users__open_account()": "the trigger theirs on public.channels",
    "create publication theirs for table chat.rooms": "the table chat.rooms in publication theirs",
    "create table chat.theirs ()": "the table chat.theirs",
    "create function chat.theirs() returns int language sql return 1": "the function chat.theirs()",
}
"""What may hang on Parley, and how it is told."""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project that holds Parley."""
    path = tmp_path / "supabase" / "migrations" / "20260101000000_chat.sql"
    path.parent.mkdir(parents=True)
    path.write_text(this_release().sql)
    return Project(tmp_path)


@pytest.fixture(scope="module")
def scratch(stack: Status) -> Iterator[psycopg.Connection[Any]]:
    """A connection to a database with Parley and with tables of an adopter."""
    with cloned(stack, "parley_uninstall") as url, psycopg.connect(url, autocommit=True) as found:
        found.execute("drop schema tests cascade")
        found.execute(SCHEMA.read_bytes())
        found.execute(
            "create function public.notice() returns trigger language plpgsql"
            " as 'begin return null; end'"
        )
        yield found


def url_of(connection: psycopg.Connection[Any]) -> str:
    """Return the URL of a connection."""
    info = connection.info
    return f"postgresql://{info.user}:{info.password}@{info.host}:{info.port}/{info.dbname}"


def left(connection: psycopg.Connection[Any]) -> list[str]:
    """Return what there is of Parley."""
    return [name for (name,) in connection.execute(LEFT.encode()).fetchall()]


@pytest.mark.parametrize("statement", THEIRS)
def test_what_hangs_on_parley_is_named_and_stops_it_until_it_may_go(
    scratch: psycopg.Connection[Any], project: Project, statement: str
) -> None:
    careful = plan_uninstall(project, None).sql
    with scratch.transaction(force_rollback=True):
        scratch.execute(statement.encode())
        with pytest.raises(DependentObjectsStillExist) as refusal, scratch.transaction():
            scratch.execute(careful.encode())
        assert f": {THEIRS[statement]}." in str(refusal.value.diag.message_primary)
        assert {"schema chat", "schema chat_private"} <= set(left(scratch))
        scratch.execute(plan_uninstall(project, None, cascade=True).sql.encode())
        assert left(scratch) == []


def test_with_a_database_what_hangs_on_parley_is_listed_before_anything_is_written(
    scratch: psycopg.Connection[Any], project: Project
) -> None:
    url = url_of(scratch)
    assert plan_uninstall(project, url).dependents == ()
    scratch.execute("create view public.names as select name from chat.rooms")
    try:
        with pytest.raises(UninstallRefused, match=r"they use it: the view public\.names\."):
            plan_uninstall(project, url)
        command = ["uninstall", "--project", str(project.root), "--db-url", url]
        assert CliRunner().invoke(app, command).exit_code == 1
        assert len(project.migrations) == 1
        done = CliRunner().invoke(app, [*command, "--cascade"])
    finally:
        scratch.execute("drop view public.names")
    assert done.exit_code == 0
    assert "Goes too: the view public.names." in done.stderr
    assert "-- Goes too: the view public.names.\n" in project.migrations[-1].read_text()


def test_what_is_theirs_stays_as_it_is_and_parley_can_come_back(
    scratch: psycopg.Connection[Any], project: Project
) -> None:
    """Its name is no matter: what a migration of theirs is called like ours stays."""
    with scratch.transaction(force_rollback=True):
        scratch.execute(FAKE_CRON.encode())
        scratch.execute("insert into cron.job (jobname, command) values ('other', 'select 1')")
        history = scratch.execute(
            "select version from supabase_migrations.schema_migrations"
        ).fetchall()
        before = left(scratch)
        assert {"schema chat", "schema chat_private", "trigger _100_open_account"} <= set(before)
        scratch.execute(plan_uninstall(project, url_of(scratch)).sql.encode())
        assert left(scratch) == []
        assert scratch.execute("select jobname from cron.job").fetchall() == [("other",)]
        assert (
            scratch.execute("select version from supabase_migrations.schema_migrations").fetchall()
            == history
        )
        scratch.execute("insert into auth.users (id, email) values (gen_random_uuid(), 'a@b.c')")
        scratch.execute("set local search_path = public, extensions")
        scratch.execute(this_release().sql.encode())
        assert set(left(scratch)) == set(before)
        people = scratch.execute("select count(*) from chat.profiles").fetchone()
    assert people == (1,)
