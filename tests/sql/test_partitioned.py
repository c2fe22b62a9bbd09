"""Parley on partitioned tables: the functions are the same, and so is what they do.

``scripts/test --partitioned FILE`` runs any test that clones the migrated database on such tables.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from parley.inspection.promises import describe_promises, kept_promises
from parley.versions import __version__
from tests.sql.test_pgtap import FOLDER, assert_file

ROOT = Path(__file__).parents[2]
CHAPTERS = (
    "000000_house_rules",
    "000510_send_message",
    "000537_search_blocks",
    "000570_reactions",
    "000700_marks",
)
"""Those that say most about the six tables; what is marked long runs all of them."""
WHOLE = ("test_pgtap.py", *(path.name for path in Path(__file__).parent.glob("test_races_*.py")))

pytestmark = pytest.mark.lasts(35)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_holds_on_partitioned_tables(chapter: str, partitioned: str) -> None:
    with psycopg.connect(partitioned) as connection:
        assert_file(connection, FOLDER / f"{chapter}.sql")


def test_partitioned_tables_are_what_the_migrations_promise(partitioned: str) -> None:
    kept = kept_promises(__version__)
    assert kept is not None
    with psycopg.connect(partitioned) as connection:
        found = describe_promises(connection, kept)
        assert [finding for finding in found if not finding.good] == []
        # The control: a partitioned table that lacks an index is told.
        connection.execute("drop index chat.messages_by_rev")
        found = describe_promises(connection, kept)
        assert [finding.name for finding in found if not finding.good] == ["indexes"]
        connection.rollback()


@pytest.mark.long
def test_every_chapter_and_every_race_holds_on_partitioned_tables() -> None:
    files = [str(Path(__file__).parent / name) for name in WHOLE]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n0", "-q", "--partitioned", *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:]
