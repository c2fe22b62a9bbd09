"""An upgrade makes of the last release, with rows in it, what the chapters make of nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from scripts.upgrade import (
    DRAFT,
    changed_chapters,
    compare,
    fault_in_chapters,
    make,
)

from parley.inspection.promises import Promises, read_promises
from parley.installing.release import Chapter, Release, earlier_releases, steps, this_release
from parley.stack import Status
from tests.conftest import cloned
from tests.releases import NEW_ROWS, NEXT, ROWS, next_release, next_upgrade

COUNTED = """
select format('%I.%I', n.nspname, c.relname)
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
where n.nspname in ('chat', 'chat_private') and c.relkind = 'r'
"""


def fill(connection: psycopg.Connection[Any]) -> None:
    """Put rows into every table."""
    with connection.transaction():
        connection.execute("select tests.make_company()")
        connection.execute(ROWS.read_bytes())


def count(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """Count the rows of every table."""
    tables = [name for (name,) in connection.execute(COUNTED).fetchall()]
    union = " union all ".join(f"select '{name}', count(*) from {name}" for name in tables)
    return dict(connection.execute(union.encode()).fetchall())


def apply(connection: psycopg.Connection[Any], text: str) -> None:
    """Apply a migration as the Supabase CLI does, whole or not at all."""
    with connection.transaction():
        connection.execute("set local search_path = public, extensions")
        connection.execute(text.encode())


def assert_same(found: Promises, wanted: Promises) -> None:
    """Compare what two databases hold, kind by kind."""
    for kind in wanted:
        assert found[kind] == wanted[kind]


@pytest.fixture(scope="module")
def next_url(stack: Status) -> Iterator[str]:
    """A database made of the chapters of the made-up next release."""
    with cloned(stack, "parley_next") as url:
        make(url, next_release().sql)
        yield url


@pytest.fixture(scope="module")
def upgraded(stack: Status) -> Iterator[psycopg.Connection[Any]]:
    """A database with rows in every table, before the upgrade to the made-up next release."""
    with (
        cloned(stack, "parley_upgraded") as url,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        fill(connection)
        connection.execute(NEW_ROWS.read_bytes())
        yield connection


def test_the_last_release_and_its_upgrade_make_the_chapters(
    stack: Status, postgresql: psycopg.Connection
) -> None:
    """The remedy when they do not: complete the newest file of supabase/upgrades."""
    last = [this_release(), *earlier_releases()][-1]
    with cloned(stack, "parley_last") as url:
        make(url, last.sql)
        with psycopg.connect(url, autocommit=True) as connection:
            fill(connection)
            for step in steps():
                if step.before == last.version:
                    apply(connection, step.sql)
            connection.execute(NEW_ROWS.read_bytes())
            assert_same(read_promises(connection), read_promises(postgresql))


def test_a_made_up_upgrade_makes_the_next_chapters_and_keeps_every_row(
    upgraded: psycopg.Connection[Any], next_url: str
) -> None:
    before = count(upgraded)
    # (What one transaction touched is gone when it ends.)
    assert [name for name, number in before.items() if number == 0] == [
        "chat_private.stats_touched"
    ]
    apply(upgraded, next_upgrade())
    with psycopg.connect(next_url) as connection:
        assert_same(read_promises(upgraded), read_promises(connection))
    # (Opening the accounts from before is work that attach() ends, and then its row goes.)
    assert before.pop("chat_private.account_opening") == 1
    after = count(upgraded)
    assert after.pop("chat_private.account_opening") == 0
    assert after.pop("chat.stickers") == 0
    assert after == before


def test_a_draft_finds_what_the_catalog_knows(
    upgraded: psycopg.Connection[Any], next_url: str, database: str
) -> None:
    """What is left to a person is said in its head."""
    upgraded.close()
    drafted = compare(database, next_url)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(drafted.encode())
        with psycopg.connect(next_url) as other:
            assert_same(read_promises(connection), read_promises(other))


def test_a_changed_chapter_without_an_upgrade_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parley.installing.release.UPGRADES", tmp_path)
    last = this_release()
    assert fault_in_chapters([], last) is None
    assert fault_in_chapters([last], last) is None
    told = fault_in_chapters([last], next_release())
    assert told is not None
    assert "these chapters changed since: devices, edit_message, invites, list_thread, " in told
    upgrade = tmp_path / f"{last.version}_to_{NEXT}.sql"
    upgrade.write_text(f"{DRAFT} written by comparing catalogs.")
    assert "is a draft" in (fault_in_chapters([last], next_release()) or "")
    upgrade.write_text(next_upgrade())
    assert fault_in_chapters([last], next_release()) is None


def test_a_note_to_maintainers_changes_no_chapter_and_one_in_a_function_does() -> None:
    body = "-- why\ncreate function f() as $$\n  -- how\nbegin end;\n$$;\n"

    def release(text: str) -> Release:
        return Release("1.0.0", (Chapter("one", text),))

    before = release(body)
    assert changed_chapters(before, release(body.replace("why", "why not"))) == []
    assert changed_chapters(before, release(body.replace("how", "how not"))) == ["one"]
