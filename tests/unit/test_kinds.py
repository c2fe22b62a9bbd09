"""A kind of rows is known everywhere or nowhere: in SQL, in the models of a step, in the copy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from parley.events import RoomRows, UserRows
from parley.sync.database import Database
from parley.sync.kinds import ROOM_KINDS, USER_KINDS

MIGRATIONS = Path(__file__).parents[2] / "supabase" / "migrations"
SQL = "\n".join(chapter.read_text() for chapter in sorted(MIGRATIONS.glob("*.sql")))
STREAMS = {
    "room": (ROOM_KINDS, RoomRows.model_fields),
    "user": (USER_KINDS, UserRows.model_fields),
}


def words_of(lists: list[str]) -> set[str]:
    """The words of texts like ``rooms,members``."""
    return {word for each in lists for word in each.split(",") if word}


@pytest.mark.parametrize("stream", STREAMS)
def test_sql_gathers_the_kinds_that_clients_know(stream: str) -> None:
    kinds, fields = STREAMS[stream]
    gathered = set(re.findall(rf"'(\w+)' = any \({stream}_rows\.touched\)", SQL))
    assert gathered == set(kinds) == set(fields)


def test_operations_touch_kinds_that_are_gathered() -> None:
    touched = words_of(re.findall(r"touched = '\{([\w,]*)\}'", SQL))
    assert touched == set(ROOM_KINDS)
    bumped = words_of(re.findall(r"bump_users\([^;]*?'\{([\w,]+)\}'", SQL))
    # The tenants that somebody lost are named in the step and are no rows.
    assert bumped == set(USER_KINDS) | {"tenants"}


@pytest.mark.parametrize("name", [*ROOM_KINDS, *USER_KINDS])
def test_the_copy_has_a_table_for_every_kind(name: str, tmp_path: Path) -> None:
    kind = {**ROOM_KINDS, **USER_KINDS}[name]
    database = Database(tmp_path / "copy.db")
    columns = {row["name"] for row in database.execute(f"pragma table_info({name})")}
    database.close()
    assert columns >= {*kind.key, "rev", "row", *(kind.extra or ())}
