"""The project's own tables in the copy: rows and how far they go, always written together.

All methods are transactions of their own.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import asdict

from parley.sync.change import Change
from parley.sync.database import Database
from parley.sync.queries import query
from parley.sync.table import Table
from parley.sync.table_indexes import drop_indexes, fit_indexes
from parley.sync.table_rows import (
    KeptTable,
    drop_owners,
    empty_table,
    prune_table,
    put_step,
    read_facts,
    told,
)
from parley.sync.table_steps import TableAnswer, TableCursor

DASHBOARDS_MOST = 50
"""To how many tenants' topics a copy listens."""
ALL_TENANTS = "00000000-0000-0000-0000-000000000000"
"""The topic on which what is of very many tenants is told once."""


class TableStore:
    """The tables that the app names, in the file of one account."""

    def __init__(self, database: Database, tables: Mapping[str, Table] | None) -> None:
        """Drop what is not of these tables, or was fetched for another part of them.

        None leaves what is there to those who name their tables.
        """
        self._database = database
        self._tables = tables or {}
        if tables is not None:
            self._fit(tables)

    def _fit(self, tables: Mapping[str, Table]) -> None:
        database = self._database
        with database.transaction():
            for row in database.all("select number, name, definition from tables"):
                table = tables.get(row["name"])
                if table is None or table.definition != row["definition"]:
                    empty_table(database, row["number"])
                    drop_indexes(database, row["number"])
                    database.execute("delete from tables where number = ?", (row["number"],))
            database.execute_many(
                "insert into tables (name, definition) values (?, ?) on conflict do nothing",
                [(each.name, each.definition) for each in tables.values()],
            )
            for row in database.all("select number, name, facts from tables"):
                facts = read_facts(row)
                if facts is not None:
                    fit_indexes(database, row["number"], facts.key, tables[row["name"]].indexes)

    @property
    def names(self) -> Collection[str]:
        """The names of the tables."""
        return self._tables.keys()

    @property
    def dashboards(self) -> tuple[str, ...]:
        """The tenants whose topics tell of these tables, and the one of all tenants."""
        if not self._tables:
            return ()
        tenants: set[str] = set()
        is_any = False
        for row in self._database.all("select number, name, facts from tables"):
            facts = read_facts(row)
            if facts is not None and facts.owner == "tenant":
                is_any = True
                owners = self._database.all(
                    "select owner_id from table_owners where number = ?", (row["number"],)
                )
                tenants |= {each["owner_id"] for each in owners}
        return (*sorted(tenants)[:DASHBOARDS_MOST], *((ALL_TENANTS,) if is_any else ()))

    def cursor(self, name: str) -> TableCursor:
        """What the copy has of a table."""
        table = self._tables[name]
        with self._database.transaction():
            row = self._row(table)
            if row is None:
                # Another process has this file open, and knows another table of this name or none.
                return TableCursor(name, table.definition, None, {})
            owners = self._owners(row["number"])
        return TableCursor(name, table.definition, row["timeline"], owners)

    def apply(self, asked: TableCursor, answer: TableAnswer, me: str) -> list[Change] | None:
        """Write what a pull with this cursor brought; None when the copy moved meanwhile.

        Another process may have pulled, and put a row where it has moved to since. Raises
        AnswerRefused, with nothing written, when it is not what was asked for.
        """
        asked.check(answer, me)
        table, database = self._tables[asked.name], self._database
        changes: list[Change] = []
        with database.transaction():
            row = self._row(table)
            if row is None:
                return []
            number = row["number"]
            if row["timeline"] != asked.timeline or self._owners(number) != asked.owners:
                return None
            if asked.timeline not in (None, answer.timeline):
                empty_table(database, number)
                changes.append(told(table.name, is_fresh=True))
            if read_facts(row) != answer.facts:
                fit_indexes(database, number, answer.facts.key, table.indexes)
            if answer.dropped:
                drop_owners(database, number, answer.dropped)
                changes.append(told(table.name, is_fresh=True))
            newest = None if table.newest is None else table.newest[0]
            kept = KeptTable(number, table.name, answer.facts.key, newest)
            changes += [put_step(database, kept, step) for step in answer.steps]
            facts = json.dumps(asdict(answer.facts) | {"name": table.name})
            database.execute(
                query("table_moved"), (answer.timeline, facts, not answer.more, number)
            )
            if not changes and bool(row["is_fetched"]) is answer.more:
                # Only the progress is another one.
                changes.append(told(table.name))
        return changes

    def drop(self, name: str) -> list[Change]:
        """Forget the rows of a table, and how far they go."""
        with self._database.transaction():
            row = self._row(self._tables[name])
            if row is None or not self._owners(row["number"]):
                return []
            empty_table(self._database, row["number"])
        return [told(name, is_fresh=True)]

    def prune(self, now_us: int) -> list[Change]:
        """Delete the rows that have become too old, at a time in microseconds since 1970."""
        changes = []
        for table in self._tables.values():
            if table.newest is None:
                continue
            with self._database.transaction():
                row = self._row(table)
                if row is not None:
                    changes.append(prune_table(self._database, row, table.newest[1], now_us))
        return [each for each in changes if each is not None]

    def _row(self, table: Table) -> sqlite3.Row | None:
        return self._database.maybe(
            "select * from tables where name = ? and definition = ?", (table.name, table.definition)
        )

    def _owners(self, number: int) -> dict[str, str]:
        rows = self._database.all(
            "select owner_id, state from table_owners where number = ?", (number,)
        )
        return {row["owner_id"]: row["state"] for row in rows}
