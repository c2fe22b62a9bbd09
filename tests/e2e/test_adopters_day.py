"""The day of an adopter: a project with data gets Parley, the next Parley, and no Parley again.

Everything is done as the role postgres, which is no superuser, and with the Supabase CLI.
"""

from __future__ import annotations

import re
import shutil
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from supabase import acreate_client
from typer.testing import CliRunner

from parley.cli import app
from parley.inspection.promises import as_text, read_promises
from parley.project import Project
from parley.stack import Stack, Status
from parley.stack.control import remove
from parley.stack.migrations import has_pending, push_migrations
from parley.stack.state import State
from parley.versions import __version__
from tests.e2e.sync_people import PASSWORD, Account, bodies, chatting, sign_up
from tests.releases import NEXT, publish
from tests.until import until

pytestmark = pytest.mark.lasts(45)
ROOT = Path(__file__).parents[2]
SCHEMA = Path(__file__).with_name("adopter") / "schema.sql"
LATE = "20990101000000_own.sql"
"""Their migration is dated later than everything else."""

THEIRS = """
select format('%s %s', i.type, i.identity)
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
cross join lateral pg_identify_object('pg_class'::regclass, c.oid, 0) as i
where n.nspname !~ '^(pg_|information_schema$|supabase_migrations$|realtime$)'
union all
select format('policy %s on %s.%s: %s', p.policyname, p.schemaname, p.tablename, p.qual)
from pg_policies as p
union all
select format('trigger %s on %s', t.tgname, t.tgrelid::regclass)
from pg_trigger as t
where not t.tgisinternal
union all
select format('function %s', p.oid::regprocedure)
from pg_proc as p
where p.pronamespace in ('public'::regnamespace, 'auth'::regnamespace, 'storage'::regnamespace)
union all
select format('extension %s', e.extname) from pg_extension as e
union all
select format('schema %s', n.nspname) from pg_namespace as n where n.nspname !~ '^pg_'
union all
select format('row %s', to_jsonb(m)) from public.messages as m
union all
select format('row %s', to_jsonb(c)) from public.channels as c
union all
select format('row %s', to_jsonb(u)) from public.users as u
order by 1
"""


def ask(url: str, query: str) -> list[Any]:
    """Return the first column of an answer."""
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute(query.encode()).fetchall()]


def run(project: Project, command: str, *words: str) -> str:
    """Run a command of Parley in a project; returns what it told."""
    done = CliRunner().invoke(app, [command, "--project", str(project.root), *words])
    assert done.exit_code == 0, f"{done.output} {done.exception}"
    return done.output


async def say_something_in_the_app(status: Status, account: Account, slug: str) -> None:
    """Use the tables that the project has of its own."""
    client = await acreate_client(status.api_url, status.publishable_key)
    await client.auth.sign_in_with_password({"email": account.email, "password": PASSWORD})
    row = {"slug": slug, "created_by": account.user_id}
    (made,) = (await client.table("channels").insert(row).execute()).data
    said = {"message": "own", "user_id": account.user_id, "channel_id": made["id"]}  # type: ignore[call-overload, index]
    await client.table("messages").insert(said).execute()


@asynccontextmanager
async def running(project: Project) -> AsyncIterator[Status]:
    """Start the stack of a project; its pending migrations are pushed."""
    stack = Stack(project.root / "state", port=0, db_port=0, project=project.root)
    try:
        yield await stack.up()
    finally:
        await stack.down()


async def test_a_project_gets_parley_and_its_next_release_and_is_as_before_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project(tmp_path / "project")
    (project.folder / "migrations").mkdir(parents=True)
    shutil.copy(SCHEMA, project.folder / "migrations" / LATE)
    config = (ROOT / "supabase" / "config.toml").read_text().replace(', "chat"]', "]")
    config = re.sub(r"^\[functions\..*\n(?:[^\[].*\n)*", "", config, flags=re.MULTILINE)
    (project.folder / "config.toml").write_text(config)
    home = project.root / "state"

    async def push() -> None:
        state = State.load(home)
        assert state is not None
        await push_migrations(state, project)
        assert not await has_pending(state, project)

    try:
        # A project with people and data of its own.
        async with running(project) as status:
            ann, bob = await sign_up(status, "Ann"), await sign_up(status, "Bob")
            await say_something_in_the_app(status, ann, "all")
            before = ask(status.db_url, THEIRS)
            history = ask(
                status.db_url, "select version from supabase_migrations.schema_migrations"
            )
        assert any(line.startswith("row ") and '"own"' in line for line in before)

        # parley init, and the push of what it wrote: the people who were there can chat.
        run(project, "init")
        project = Project(project.root)
        async with running(project) as status:
            assert ask(status.db_url, "select count(*) from chat.profiles") == [2]
            async with (
                chatting(status, ann, tmp_path / "ann.db") as ann_here,
                chatting(status, bob, tmp_path / "bob.db") as bob_here,
            ):
                room = await ann_here.open_direct(bob.user_id)
                await ann_here.send(room.id, "before")
                await until(lambda: bodies(bob_here, room.id) == ["before"])

                # The next release, pushed while both are there: their copies go on.
                publish(tmp_path / "package", monkeypatch)
                run(project, "upgrade", "--db-url", status.db_url)
                await push()
                assert ask(status.db_url, "select chat.version() ->> 'version'") == [NEXT]
                await bob_here.send(room.id, "after")
                await until(lambda: bodies(ann_here, room.id) == ["before", "after"])
                await ann_here.sync()
            # … and so does one that was away, and finds everything.
            async with chatting(status, ann, tmp_path / "ann.db") as ann_here:
                await ann_here.send(room.id, "again")
                await until(lambda: not ann_here.outbox())
                assert bodies(ann_here, room.id) == ["before", "after", "again"]

            # parley uninstall: exactly theirs is left.
            with psycopg.connect(status.db_url) as connection:
                snapshot = as_text(read_promises(connection))
            (tmp_path / "package" / "promises.txt").write_text(snapshot)
            run(project, "uninstall", "--db-url", status.db_url)
            await push()
            assert ask(status.db_url, THEIRS) == before
            assert tomllib.loads((project.folder / "config.toml").read_text()) == (
                tomllib.loads(config)
            )
            assert list((project.folder / "functions").rglob("*.ts")) == []
            names = ask(
                status.db_url,
                "select coalesce(name, '') from supabase_migrations.schema_migrations"
                " order by version",
            )
            assert names[: len(history)] == ["own"]
            assert names[len(history) :] == [
                f"parley_{__version__}",
                f"parley_{__version__}_to_{NEXT}",
                f"parley_{NEXT}_uninstall",
            ]
            await say_something_in_the_app(status, await sign_up(status, "Cat"), "cats")
    finally:
        await remove(home)
