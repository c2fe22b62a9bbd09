"""Runs every pgTAP file of supabase/tests on a migrated database of its own."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

FOLDER = Path(__file__).parents[2] / "supabase" / "tests"
FILES = sorted(path for path in FOLDER.glob("*.sql") if not path.stem.endswith("_helpers"))
# A title that begins like this goes on from the one before it, or leaves out what it is about.
FRAGMENT = re.compile(
    r"ok \d+ - (?:I\d+: )?(?:and|but|else|it|its|or|so|their|them|then|they|those|though|who)\b"
)


def run_file(connection: psycopg.Connection, path: Path) -> list[str]:
    """Run a file as one script and return its TAP lines. Raises AssertionError at a SQL error."""
    text = path.read_text()
    try:
        cursor = connection.execute(text.encode())
    except psycopg.Error as error:
        place = int(error.diag.statement_position or 0)
        line = text.count("\n", 0, place) + 1
        raise AssertionError(f"{path.name}:{line}: {error}") from None
    lines: list[str] = []
    while True:
        if cursor.description is not None:
            lines += [str(row[0]) for row in cursor.fetchall()]
        if not cursor.nextset():
            return "\n".join(lines).splitlines()


def assert_file(connection: psycopg.Connection, path: Path) -> None:
    """Run a file and raise AssertionError with what failed in it."""
    connection.autocommit = True
    lines = run_file(connection, path)
    failed = [line for line in lines if line.startswith(("not ok", "#"))]
    assert not [line for line in lines if line.startswith("not ok")], "\n".join(failed)
    assert any(line.startswith("ok ") for line in lines), f"{path.name} asserts nothing"
    fragments = [line for line in lines if FRAGMENT.match(line)]
    assert not fragments, "titles stand alone in a failure log"
    assert re.search(r"^1\.\.\d+$", "\n".join(lines), re.M), f"{path.name} did not finish"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file(path: Path, postgresql: psycopg.Connection) -> None:
    assert_file(postgresql, path)
