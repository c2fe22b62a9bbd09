"""A project that lived before Parley, with tables that are called like ours, people and a trigger.

``parley init`` puts Parley in, the Supabase CLI pushes it to the URL of the database, and then both
work, side by side.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio
from psycopg.conninfo import conninfo_to_dict
from realtime import RealtimePostgresChangesListenEvent
from supabase import AsyncClient, acreate_client

from parley import __version__
from parley.api import ChatApi
from parley.node import supabase_cli
from parley.stack import Stack, Status
from parley.stack.control import remove

SCHEMA = Path(__file__).with_name("adopter") / "schema.sql"
PASSWORD = "parley-demo"
EARLY = "early@parley.example"
CONFIG = """\
project_id = "theirs" # their name

[api]
# What the app reads.
schemas = ["public", "graphql_public"] # theirs

[auth.email]
enable_confirmations = false
"""
DEADLINE_S = 20.0
EVERYTHING = RealtimePostgresChangesListenEvent.All


def run(*command: str, **environment: str) -> str:
    """Run a command and return all that it prints; fails with that when the command fails."""
    done = subprocess.run(
        command,
        env={**os.environ, **environment},
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def init(root: Path, *options: str) -> str:
    """Run ``parley init`` for a project."""
    return run(sys.executable, "-m", "parley.cli", "init", "--project", str(root), *options)


def push(root: Path, status: Status) -> str:
    """Push migrations with the Supabase CLI to a database, as the role postgres."""
    info = conninfo_to_dict(status.db_url)
    url = f"postgresql://{info['user']}@{info['host']}:{info['port']}/{info['dbname']}"
    return run(
        *(*supabase_cli(), "db", "push", "--yes", "--agent", "no", "--workdir", str(root)),
        f"--remote={url}?sslmode=disable",
        PGPASSWORD=str(info["password"]),
        SUPABASE_HOME=str(root / "cli"),
        SUPABASE_TELEMETRY_DISABLED="1",
    )


def files(root: Path) -> dict[str, str]:
    """Return all files of the folder ``supabase`` by their names."""
    paths = (root / "supabase").rglob("*")
    kept = (path for path in paths if path.is_file() and ".temp" not in path.parts)
    return {str(path.relative_to(root)): path.read_text() for path in kept}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the project, with a migration that is dated later than any of ours."""
    root = tmp_path_factory.mktemp("adopter")
    migrations = root / "supabase" / "migrations"
    migrations.mkdir(parents=True)
    (root / "supabase" / "config.toml").write_text(CONFIG)
    shutil.copy(SCHEMA, migrations / "20250101000000_own.sql")
    (migrations / "20991231235959_later.sql").write_text("create table public.later ();\n")
    return root


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def adopter(project: Path) -> AsyncIterator[Status]:
    """The stack of the project, into which Parley came when somebody had signed up."""
    before = Stack(project / "state", port=0, db_port=0, project=project)
    after = Stack(project / "state", project=project)
    try:
        status = await before.up()
        client = await acreate_client(status.api_url, status.publishable_key)
        await client.auth.sign_up(
            {"email": EARLY, "password": PASSWORD, "options": {"data": {"display_name": "Early"}}}
        )
        with psycopg.connect(status.db_url) as connection:
            assert connection.execute("select to_regnamespace('chat')").fetchone() == (None,)
        await asyncio.to_thread(init, project)
        await asyncio.to_thread(push, project, status)
        await before.down()
        yield await after.up()
    finally:
        await before.down()
        await after.down()
        await remove(after.home)


async def test_init_writes_one_later_migration_and_leaves_what_is_theirs(
    adopter: Status, project: Path
) -> None:
    (ours,) = (project / "supabase" / "migrations").glob("*_parley_*.sql")
    assert ours.name == f"20991231235960_parley_{__version__}.sql"
    with psycopg.connect(adopter.db_url) as connection:
        rows = connection.execute("select version from supabase_migrations.schema_migrations")
        assert {version for (version,) in rows} == {
            "20250101000000",
            "20991231235959",
            "20991231235960",
        }
    config = (project / "supabase" / "config.toml").read_text()
    exposed = 'schemas = ["public", "graphql_public", "chat"] # theirs'
    assert config.startswith(
        CONFIG.replace('schemas = ["public", "graphql_public"] # theirs', exposed)
    )


async def test_a_second_init_changes_nothing(adopter: Status, project: Path) -> None:
    before = files(project)
    assert f"The project has Parley {__version__} already, in 1 migration." in init(project)
    assert files(project) == before


async def test_people_who_signed_up_before_parley_take_part(adopter: Status) -> None:
    early = await acreate_client(adopter.api_url, adopter.publishable_key)
    answer = await early.auth.sign_in_with_password({"email": EARLY, "password": PASSWORD})
    assert answer.user is not None
    late, late_id = await sign_up(adopter, "late")
    chat = ChatApi(early)
    (profile,) = await chat.list_profiles([answer.user.id])  # type: ignore[list-item]
    assert profile.display_name == "Early"
    room = await chat.open_direct(late_id)  # type: ignore[arg-type]
    await chat.send_message(room.id, "hello", uuid4())
    rows = await late.schema("chat").table("messages").select("body").execute()
    assert rows.data == [{"body": "hello"}]


async def sign_up(status: Status, name: str) -> tuple[AsyncClient, str]:
    client = await acreate_client(status.api_url, status.publishable_key)
    email = f"{uuid4().hex[:8]}{name}@parley.example"
    answer = await client.auth.sign_up({"email": email, "password": PASSWORD})
    assert answer.user is not None
    return client, answer.user.id


async def test_a_new_account_is_known_to_both(adopter: Status) -> None:
    ann, ann_id = await sign_up(adopter, "ann")
    own = (await ann.table("users").select("*").eq("id", ann_id).execute()).data
    assert [each["status"] for each in own] == ["OFFLINE"]  # type: ignore[call-overload, index]
    (profile,) = await ChatApi(ann).list_profiles([ann_id])  # type: ignore[list-item]
    assert profile.display_name == "New member"


async def test_namesakes_in_two_schemas_are_told_apart(adopter: Status) -> None:
    ann, ann_id = await sign_up(adopter, "ann")
    channel = (
        await ann.table("channels").insert({"slug": uuid4().hex, "created_by": ann_id}).execute()
    ).data[0]
    said = {"message": "own", "user_id": ann_id, "channel_id": channel["id"]}  # type: ignore[call-overload, index]
    await ann.table("messages").insert(said).execute()
    query = ann.table("messages").select("*, users(*, profiles(*)), channels(slug)")
    (own,) = (await query.eq("user_id", ann_id).execute()).data
    assert own["users"]["profiles"]["bio"] == "new here"  # type: ignore[call-overload, index]
    assert "seq" not in own  # type: ignore[operator]

    chat = ChatApi(ann)
    room = await chat.create_room("ours")
    message = await chat.send_message(room.id, "hello", uuid4())
    rooms = ann.schema("chat").table("rooms").select("*, messages(*)").eq("id", str(room.id))
    (ours,) = (await rooms.execute()).data
    assert [each["body"] for each in ours["messages"]] == ["hello"]  # type: ignore[call-overload, index, union-attr]
    assert message.seq == 1


async def test_their_subscriptions_hear_their_tables_alone(adopter: Status) -> None:
    ann, ann_id = await sign_up(adopter, "ann")
    bob, bob_id = await sign_up(adopter, "bob+admin")
    heard: list[Any] = []
    ready, is_complete = asyncio.Event(), asyncio.Event()
    channel = bob.channel("public-messages")

    def note(payload: Any) -> None:
        heard.append(payload["data"])
        if len(heard) == 6:
            is_complete.set()

    for table in ("messages", "users", "channels"):
        channel.on_postgres_changes(EVERYTHING, note, schema="public", table=table)
    channel.on_system(lambda _: ready.set())
    await channel.subscribe()
    await asyncio.wait_for(ready.wait(), DEADLINE_S)

    row = {"slug": uuid4().hex, "created_by": ann_id}
    made = (await ann.table("channels").insert(row).execute()).data[0]
    said = {"message": "first", "user_id": ann_id, "channel_id": made["id"]}  # type: ignore[call-overload, index]
    own = (await ann.table("messages").insert(said).execute()).data[0]
    room = await ChatApi(ann).create_room("ours")
    await ChatApi(ann).send_message(room.id, "not for them", uuid4())
    mine = ann.table("messages")
    await mine.update({"message": "second"}).eq("id", own["id"]).execute()  # type: ignore[call-overload, index]
    await bob.table("users").update({"status": "ONLINE"}).eq("id", bob_id).execute()
    await bob.table("channels").delete().eq("id", made["id"]).execute()  # type: ignore[call-overload, index]

    await asyncio.wait_for(is_complete.wait(), DEADLINE_S)
    told = {(each["table"], each["type"]) for each in heard}
    assert told == {
        ("channels", "INSERT"),
        ("messages", "INSERT"),
        ("messages", "UPDATE"),
        ("users", "UPDATE"),
        ("channels", "DELETE"),
        ("messages", "DELETE"),
    }
    assert {each["schema"] for each in heard} == {"public"}
