"""Writing rows of the project's own tables into the copy, and how far they go.

Everything here happens inside a transaction of the store.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from parley.sync.change import Change, TableChange
from parley.sync.database import Database
from parley.sync.queries import query
from parley.sync.rows import EPOCH, MICROSECOND, Row, dumped_exactly
from parley.sync.table_steps import TableFacts, TableStep
from parley.wire import Unreadable, parse

MICROSECONDS_A_DAY = 86_400_000_000


@dataclass(frozen=True, slots=True)
class KeptTable:
    """A table as it is written: its number and name, its key, and the column of its times."""

    number: int
    name: str
    key: tuple[str, ...]
    newest: str | None


def read_facts(table: sqlite3.Row) -> TableFacts | None:
    """What the server said of a table; None while nothing was fetched."""
    text = table["facts"]
    return None if text is None else TableFacts.read(json.loads(text), table["name"])


def key_of(row: Any, key: Sequence[str]) -> Any:
    """The key of a row: a value, or a tuple of several; None when it cannot be read."""
    if not isinstance(row, Mapping) or not all(is_key(row.get(each)) for each in key):
        return None
    values = tuple(row[each] for each in key)
    return values[0] if len(values) == 1 else values


def is_key(value: object) -> bool:
    """Tell whether a value can be that of a key."""
    return value is not None and not isinstance(value, Unreadable | list | dict)


def put_step(database: Database, table: KeptTable, step: TableStep) -> Change:
    """Write what happened to the rows of one owner, and how far they go now."""
    number = table.number
    gone: Sequence[Any] = ()
    if step.is_reset:
        drop_owners(database, number, [step.owner_id])
    else:
        gone = take_out(database, table, step.owner_id, step.gone)
    database.execute_many(
        query("table_row_kept"),
        [
            (number, tag, step.owner_id, time_of(row, table.newest), dumped_exactly(row))
            for tag, row in step.rows
        ],
    )
    is_first = step.has_more and step.fetched is not None
    values = (number, step.owner_id, step.state, is_first, step.about)
    database.execute(query("table_owner_moved"), values)
    keys = [key_of(row, table.key) for _, row in step.rows]
    changed = tuple(each for each in keys if each is not None)
    return told(table.name, changed, tuple(gone), is_fresh=step.is_reset)


def told(
    name: str, changed: tuple[Any, ...] = (), gone: tuple[Any, ...] = (), *, is_fresh: bool = False
) -> Change:
    """The change that tells what happened in a table."""
    return Change(None, table=TableChange(name, changed, gone, is_fresh))


def take_out(
    database: Database, table: KeptTable, owner_id: str, tags: Collection[str]
) -> list[Any]:
    """Delete rows of an owner, and return their keys; a row may be another owner's by now."""
    keys = [
        key_of(parse(row["row"]), table.key)
        for tag in tags
        for row in database.all(query("table_row_over"), (table.number, tag, owner_id))
    ]
    return [each for each in keys if each is not None]


def drop_owners(database: Database, number: int, owner_ids: Collection[str]) -> None:
    """The rows of some owners of a table, and how far they go."""
    for name in ("table_owner_dropped", "table_rows_dropped"):
        database.execute_many(query(name), [(number, each) for each in owner_ids])


def empty_table(database: Database, number: int) -> None:
    """All rows of a table, and how far they go."""
    database.execute("delete from table_rows where number = ?", (number,))
    database.execute("delete from table_owners where number = ?", (number,))
    database.execute(
        "update tables set timeline = null, is_fetched = 0 where number = ?", (number,)
    )


def drop_tenants(database: Database, tenant_ids: Collection[str]) -> list[Change]:
    """The rows of tenants that this account is no longer in, in every table that has any."""
    changes = []
    for table in database.all("select number, name, facts from tables order by number"):
        facts = read_facts(table)
        if facts is not None and facts.owner == "tenant":
            drop_owners(database, table["number"], tenant_ids)
            changes.append(told(table["name"], is_fresh=True))
    return changes


def prune_table(database: Database, table: sqlite3.Row, days: int, now_us: int) -> Change | None:
    """Delete rows that are older than so many days; None when there were none."""
    facts = read_facts(table)
    if facts is None:
        return None
    oldest = now_us - days * MICROSECONDS_A_DAY
    rows = database.all(query("table_rows_aged"), (table["number"], oldest))
    keys = [key_of(parse(row["row"]), facts.key) for row in rows]
    gone = tuple(each for each in keys if each is not None)
    return told(table["name"], gone=gone) if rows else None


def time_of(row: Row, column: str | None) -> int | None:
    """The time in a column in microseconds since 1970; None for what is no time."""
    value = None if column is None else row.get(column)
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    if at is None:
        return None
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - EPOCH) // MICROSECOND
