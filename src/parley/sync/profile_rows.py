"""Writing profiles into the copy, inside a transaction of the store."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from uuid import UUID

from parley.sync.change import Change
from parley.sync.database import Database
from parley.sync.queries import query
from parley.sync.rows import Row, Rows, dumped, is_id

PEOPLE = ("user_id", "sender_id", "actor_id", "blocked_id")
"""The columns that name somebody whose profile is needed to show a row."""
SHOWN_TO_ALL = {"user_id", "display_name", "is_bot", "closed_at"}
"""What is told of somebody without a shared tenant."""


def people_in(steps: Iterable[Rows]) -> set[str]:
    """Name the people in rows."""
    return {
        row[column]
        for kinds in steps
        for rows in kinds.values()
        for row in rows
        for column in PEOPLE
        if is_id(row.get(column))
    }


def is_held(database: Database, user_id: str) -> bool:
    """Tell whether somebody's profile is here."""
    statement = "select 1 from profiles where user_id = ?"
    return database.maybe(statement, (user_id,)) is not None


def put_profiles(database: Database, profiles: Iterable[Row]) -> list[Change]:
    """Write profiles, and tell whose there were before and are different now.

    Where it is that of this account, the others are in doubt: it may be in other tenants now.
    """
    me = database.one("select user_id from account")[0]
    changed: list[UUID] = []
    for row in profiles:
        statement = "select row from profiles where user_id = ?"
        kept = database.maybe(statement, (row["user_id"],))
        text = dumped(row)
        if kept is not None and kept[0] != text:
            changed.append(UUID(row["user_id"]))
            if row["user_id"] == me:
                doubt_profiles(database)
        database.execute(query("profile_kept"), (row["user_id"], text))
    return [Change(None, people=tuple(changed))] if changed else []


def doubt_profiles(database: Database) -> None:
    """Have all profiles asked for anew."""
    database.execute("update account set profile_doubts = 1")


def settle_profiles(
    database: Database, asked: Sequence[str], profiles: Iterable[Row]
) -> list[Change]:
    """Write the answer about people; of those whom it leaves out, keep what everybody is told."""
    rows = {row["user_id"]: row for row in profiles}
    for user_id in set(asked) - rows.keys():
        kept = database.maybe("select row from profiles where user_id = ?", (user_id,))
        if kept is not None:
            row = json.loads(kept[0])
            rows[user_id] = {name: row[name] if name in SHOWN_TO_ALL else None for name in row}
    return put_profiles(database, rows.values())
