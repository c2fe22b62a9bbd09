"""Queries about changed rows: their values as JSON, their filters, and the people who may see them.

The WAL contains values as text. Postgres itself turns them into JSON, applies the filters and
evaluates the policies, so the results are exactly those of a query.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from parley.realtime.authorization.rights import Caller
from parley.realtime.database.pool import Connection
from parley.realtime.database.queries import query
from parley.realtime.postgres_changes.bindings import OPERATORS, Filter
from parley.realtime.protocol.messages import Json
from parley.realtime.protocol.serializer import loads
from parley.realtime.wal.pgoutput import Relation, RowChange, Unchanged, WalRow

log = logging.getLogger(__name__)

JSON_TYPES = (114, 3802)
"""The oids of json and jsonb."""
IS_WORDS = {word: sql.SQL(word) for word in ("null", "true", "false", "unknown")}
"""The values that a column can be compared with by the operator ``is``."""


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column of a table at this moment; ``readers`` are the roles that may read it."""

    name: str
    type: str
    is_key: bool
    readers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Table:
    """A table at this moment; ``has_policies`` is true if row level security is on."""

    has_policies: bool
    columns: tuple[TableColumn, ...]

    @property
    def key(self) -> list[str]:
        """The primary key's columns."""
        return [each.name for each in self.columns if each.is_key]


@dataclass(frozen=True, slots=True)
class Values:
    """The values of a change as JSON, and for each list of filters whether the row passes it."""

    record: dict[str, Json]
    old_record: dict[str, Json]
    passed: list[bool]


class ValuesQuery:
    """The query for a change's values as JSON and for the filters that its row passes."""

    def __init__(
        self, change: RowChange, table: Table, filters: Sequence[Sequence[Filter]]
    ) -> None:
        self.change = change
        self.table = table
        self.filters = filters
        self._new = _as_json(change.relation, change.new)
        self._old = _as_json(change.relation, change.old)
        if change.kind == "UPDATE" and change.old is None:
            self._old = {name: self._new[name] for name in table.key if name in self._new}

    def statement(self) -> sql.Composed:
        """Build the statement. Filters apply to the new row, or to the old one of a delete."""
        seen, row = ("old", self._old) if self.change.kind == "DELETE" else ("new", self._new)
        known = {each.name for each in self.table.columns if each.name in row}
        return sql.SQL(
            "select to_jsonb(new) as record, to_jsonb(old) as old_record,"
            " array[{tests}]::boolean[] as passed"
            " from jsonb_populate_record(null::{table}, {new}) as new,"
            " jsonb_populate_record(null::{table}, {old}) as old"
        ).format(
            tests=sql.SQL(", ").join(_test(seen, known, each) for each in self.filters),
            table=sql.Identifier(self.change.relation.schema, self.change.relation.table),
            new=sql.Literal(Jsonb(self._new)),
            old=sql.Literal(Jsonb(self._old)),
        )

    def values(self, row: dict[str, Any]) -> Values:
        """Read the result. Columns that the change does not contain are left out."""
        record, old_record = row["record"], row["old_record"]
        return Values(
            record={name: record[name] for name in self._new if name in record},
            old_record={name: old_record[name] for name in self._old if name in old_record},
            passed=[each is True for each in row["passed"]],
        )


async def table_facts(
    connection: Connection, relation: Relation, roles: Sequence[str]
) -> Table | None:
    """Look up a table and which of the roles may read its columns. None if it was dropped."""
    parameters = {"oid": relation.oid, "roles": list(roles)}
    cursor = await connection.execute(query("table_facts"), parameters)
    rows = await cursor.fetchall()
    if not rows:
        return None
    columns = tuple(
        TableColumn(row["name"], row["type"], row["is_key"], frozenset(row["readers"]))
        for row in rows
    )
    return Table(rows[0]["has_policies"], columns)


async def is_running(connection: Connection, xids: Collection[int]) -> bool:
    """Whether one of these transactions is not yet visible as committed to others."""
    cursor = await connection.execute(query("is_running"), {"xids": list(xids)})
    row = await cursor.fetchone()
    return row is not None and row["is_running"] is True


async def values_of(connection: Connection, queries: Sequence[ValuesQuery]) -> list[Values | None]:
    """Run several queries in one round trip.

    A query that fails, for instance because its table was altered meanwhile, gives None; the
    others then run one by one and are not affected.
    """
    try:
        async with connection.pipeline():
            cursors = [await connection.execute(each.statement()) for each in queries]
        rows = [await cursor.fetchone() for cursor in cursors]
    except psycopg.Error:
        if connection.closed:
            raise
        if len(queries) > 1:
            return [(await values_of(connection, [each]))[0] for each in queries]
        return [await _values_apart(connection, queries[0])]
    return [
        None if row is None else each.values(row) for each, row in zip(queries, rows, strict=True)
    ]


async def _values_apart(connection: Connection, asked: ValuesQuery) -> Values | None:
    """Run a query that failed without its filters, then each list of filters by itself.

    A filter that raises an error for a row hides the row from its own subscribers only.
    """
    found = await _values(connection, asked, ())
    if isinstance(found, psycopg.Error):
        log.warning(
            "A change of table %s was not sent to its subscribers, because Postgres cannot read "
            "it any more: %s",
            asked.change.relation.table,
            found,
        )
        return None
    for filters in asked.filters:
        tried = await _values(connection, asked, [filters])
        found.passed.append(not isinstance(tried, psycopg.Error) and all(tried.passed))
    return found


async def _values(
    connection: Connection, asked: ValuesQuery, filters: Sequence[Sequence[Filter]]
) -> Values | psycopg.Error:
    apart = ValuesQuery(asked.change, asked.table, filters)
    try:
        cursor = await connection.execute(apart.statement())
        return apart.values(await cursor.fetchone() or {})
    except psycopg.Error as error:
        if connection.closed:
            raise
        return error


async def visible(
    connection: Connection, caller: Caller, keys: Sequence[tuple[Relation, dict[str, Json]]]
) -> list[bool]:
    """Look up which of the rows with these primary keys the caller's policies let them see.

    A policy that raises an error for a row hides this row from this caller only.
    """
    try:
        async with connection.transaction(force_rollback=True), connection.pipeline():
            await connection.execute(query("settings"), caller.settings(""))
            cursors = [await connection.execute(_lookup(*each)) for each in keys]
            return [await cursor.fetchone() is not None for cursor in cursors]
    except psycopg.Error:
        if connection.closed:
            raise
        if len(keys) > 1:
            return [(await visible(connection, caller, [each]))[0] for each in keys]
        return [False]


def _lookup(relation: Relation, key: dict[str, Json]) -> sql.Composed:
    table = sql.Identifier(relation.schema, relation.table)
    return sql.SQL(
        "select 1 from {table} as seen, jsonb_populate_record(null::{table}, {key}) as wanted"
        " where ({left}) = ({right})"
    ).format(
        table=table,
        key=sql.Literal(Jsonb(key)),
        left=sql.SQL(", ").join(sql.Identifier("seen", name) for name in key),
        right=sql.SQL(", ").join(sql.Identifier("wanted", name) for name in key),
    )


def _as_json(relation: Relation, row: WalRow | None) -> dict[str, Json]:
    """The row as ``jsonb_populate_record`` takes it: values as text, JSON columns as JSON."""
    if row is None:
        return {}
    types = {each.name: each.type_oid for each in relation.columns}
    return {
        name: loads(value) if value is not None and types[name] in JSON_TYPES else value
        for name, value in row.items()
        if not isinstance(value, Unchanged)
    }


def comparison(row: str, condition: Filter) -> sql.Composed:
    """Build a filter's condition on a row. Postgres reads the value as the column's type."""
    operand: sql.Composable = sql.Literal(condition.value)
    if condition.operator == "is":
        operand = IS_WORDS[condition.value]
    elif condition.operator == "in":
        operand = sql.SQL("({})").format(operand)
    return sql.SQL("{negation} ({column} {operator} {operand})").format(
        negation=sql.SQL("not" if condition.negated else ""),
        column=sql.Identifier(row, condition.column),
        operator=sql.SQL(OPERATORS[condition.operator]),
        operand=operand,
    )


def _test(row: str, known: Collection[str], filters: Sequence[Filter]) -> sql.Composed:
    """Build the condition of a list of filters. An empty list is always true.

    A filter on a column that is not among the ``known`` ones is false: the log has the key alone of
    a deleted row, for instance, and no large values that an update left as they were.
    """
    conditions = (
        comparison(row, each) if each.column in known else sql.SQL("false") for each in filters
    )
    return sql.SQL("({})").format(sql.SQL(" and ").join([sql.SQL("true"), *conditions]))
