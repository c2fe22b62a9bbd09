"""``parley doctor`` on a database finds what is not as the migrations promise, and only that."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from parley.inspection import inspect_database
from parley.inspection.advisors import without_password
from parley.stack import Status

ROOT = Path(__file__).parent.parent.parent

FAULTS = [
    ("row level security", "alter table chat.pins disable row level security", "pins"),
    ("grants on tables", "grant insert on chat.messages to authenticated", "insert on messages"),
    ("grants on tables", "grant select on chat.rooms to anon", "anon may select on rooms"),
    ("grants on functions", "grant execute on function chat.list_rooms to anon", "anon may call"),
    ("grants on functions", "grant usage on schema chat_private to authenticated", "may use the"),
    ("functions", "drop function chat.list_heads()", "list_heads"),
    ("topic policies", 'drop policy "people listen to their own topics" on realtime.messages', "1"),
    (
        "migrations",
        "delete from supabase_migrations.schema_migrations where version = '20261121001400'",
        "not applied: 20261121001400",
    ),
    ("schema", "drop schema chat cascade", "chat"),
]


def bad(url: str) -> dict[str, str]:
    """Return what is wrong, by name."""
    return {each.name: each.detail for each in inspect_database(url) if not each.good}


async def test_a_migrated_database_is_well(stack: Status) -> None:
    assert bad(stack.db_url) == {}
    assert len(inspect_database(stack.db_url)) > 10


@pytest.mark.parametrize(("name", "statement", "detail"), FAULTS)
async def test_a_fault_is_found_and_has_a_remedy(
    database: str, name: str, statement: str, detail: str
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(statement.encode())
    found = {each.name: each for each in inspect_database(database) if not each.good}
    assert detail in found[name].detail
    assert found[name].hint


async def test_a_closed_account_in_a_room_is_work_that_was_not_done(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute((ROOT / "supabase" / "seed.sql").read_bytes())
        connection.execute("update chat.profiles set closed_at = now() where display_name = 'Cat'")
        assert "maintenance" not in bad(database)
        connection.execute(
            "update chat.profiles set closed_at = now() - interval '2 hours'"
            " where display_name = 'Cat'"
        )
    assert bad(database)["maintenance"].startswith("1 closed accounts")


async def test_a_database_that_is_away_is_a_finding() -> None:
    assert set(bad("postgresql://nobody@127.0.0.1:9/none")) == {"connection"}


def test_the_command_prints_findings_as_json(stack: Status) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "parley.cli", "doctor", "--db-url", stack.db_url, "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "grants on tables" in {each["name"] for each in json.loads(done.stdout)}


def test_the_password_is_not_in_the_words_of_a_command() -> None:
    url, password = without_password("postgresql://postgres:s3cret@db.example:6543/postgres")
    assert (url, password) == ("postgresql://postgres@db.example:6543/postgres", "s3cret")
    assert without_password("postgresql://a:b@127.0.0.1/x")[0].endswith("?sslmode=disable")
