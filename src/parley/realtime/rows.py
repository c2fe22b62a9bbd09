"""Looking at a changed row with the database's eyes: its values as JSON, filters, policies.

The WAL prints values as text. Postgres itself turns them into JSON, compares them with a filter's
operand and says whether a subscriber's policies let the row through; nothing is imitated here.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from parley.realtime.authorize import Caller
from parley.realtime.bindings import OPERATORS, Filter
from parley.realtime.database import Connection
from parley.realtime.messages import Json
from parley.realtime.pgoutput import Change, Relation, Row, Unchanged
from parley.realtime.queries import query
from parley.realtime.serializer import loads

log = logging.getLogger(__name__)

JSON_TYPES = (114, 3802)
"""The oids of json and jsonb."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column as it is now: its type's name, and which of the asked roles may read it."""

    name: str
    type: str
    is_key: bool
    readers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Table:
    """A table as it is now."""

    has_policies: bool
    columns: tuple[Column, ...]

    @property
    def key(self) -> list[str]:
        """The primary key's columns."""
        return [each.name for each in self.columns if each.is_key]


@dataclass(frozen=True, slots=True)
class Values:
    """A change's values as JSON. ``passed`` says for each filter list whether the row passes."""

    record: dict[str, Json]
    old_record: dict[str, Json]
    passed: list[bool]


class Question:
    """A change whose values are wanted, with the filters to compare them with."""

    def __init__(
        self, change: Change, key: Sequence[str], filters: Sequence[Sequence[Filter]]
    ) -> None:
        self.change = change
        self._filters = filters
        self._new = _as_json(change.relation, change.new)
        self._old = _as_json(change.relation, change.old)
        if change.kind == "UPDATE" and change.old is None:
            self._old = {name: self._new[name] for name in key if name in self._new}

    def statement(self) -> sql.Composed:
        """Build the query; filters look at the new row, or at the deleted one."""
        seen = "old" if self.change.kind == "DELETE" else "new"
        return sql.SQL(
            "select to_jsonb(new) as record, to_jsonb(old) as old_record,"
            " array[{tests}]::boolean[] as passed"
            " from jsonb_populate_record(null::{table}, {new}) as new,"
            " jsonb_populate_record(null::{table}, {old}) as old"
        ).format(
            tests=sql.SQL(", ").join(_test(seen, each) for each in self._filters),
            table=sql.Identifier(self.change.relation.schema, self.change.relation.table),
            new=sql.Literal(Jsonb(self._new)),
            old=sql.Literal(Jsonb(self._old)),
        )

    def values(self, row: dict[str, Any]) -> Values:
        """Read the query's only row; columns that the change does not tell are left out."""
        record, old_record = row["record"], row["old_record"]
        return Values(
            record={name: record[name] for name in self._new if name in record},
            old_record={name: old_record[name] for name in self._old if name in old_record},
            passed=[each is True for each in row["passed"]],
        )


async def table_facts(
    connection: Connection, relation: Relation, roles: Sequence[str]
) -> Table | None:
    """Ask what the table is like now; None when it is gone."""
    parameters = {"oid": relation.oid, "roles": list(roles)}
    cursor = await connection.execute(query("table_facts"), parameters)
    rows = await cursor.fetchall()
    if not rows:
        return None
    columns = tuple(
        Column(row["name"], row["type"], row["is_key"], frozenset(row["readers"])) for row in rows
    )
    return Table(rows[0]["has_policies"], columns)


async def is_running(connection: Connection, xids: Collection[int]) -> bool:
    """Say whether others do not see the end of one of these transactions yet."""
    cursor = await connection.execute(query("is_running"), {"xids": list(xids)})
    row = await cursor.fetchone()
    return row is not None and row["is_running"] is True


async def values_of(connection: Connection, questions: Sequence[Question]) -> list[Values | None]:
    """Turn changes into JSON and compare them with filters, all in one round trip.

    One that cannot be, because its table has changed since, is None and spoils no other.
    """
    try:
        async with connection.pipeline():
            cursors = [await connection.execute(each.statement()) for each in questions]
        rows = [await cursor.fetchone() for cursor in cursors]
    except psycopg.Error as error:
        if connection.closed:
            raise
        if len(questions) > 1:
            return [(await values_of(connection, [each]))[0] for each in questions]
        log.warning("a change of %s cannot be shown: %s", questions[0].change.relation.table, error)
        return [None]
    return [
        None if row is None else each.values(row) for each, row in zip(questions, rows, strict=True)
    ]


async def visible(
    connection: Connection, caller: Caller, keys: Sequence[tuple[Relation, dict[str, Json]]]
) -> list[bool]:
    """Ask the caller's policies which rows with these primary keys are theirs to see.

    A policy that raises hides the row from this caller and from nobody else.
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


def _as_json(relation: Relation, row: Row | None) -> dict[str, Json]:
    """The row as ``jsonb_populate_record`` takes it: text, but JSON columns as what they are."""
    if row is None:
        return {}
    types = {each.name: each.type_oid for each in relation.columns}
    return {
        name: loads(value) if value is not None and types[name] in JSON_TYPES else value
        for name, value in row.items()
        if not isinstance(value, Unchanged)
    }


def comparison(row: str, condition: Filter) -> sql.Composed:
    """Build a filter's condition on a row; the operand takes the column's type."""
    column, operand = sql.Identifier(row, condition.column), sql.Literal(condition.value)
    if condition.operator == "in":
        return sql.SQL("{} = any({})").format(column, operand)
    operator = sql.SQL(OPERATORS[condition.operator])
    return sql.SQL("{} {} {}").format(column, operator, operand)


def _test(row: str, filters: Sequence[Filter]) -> sql.Composed:
    """Build the condition of a filter list; an empty one is always met."""
    conditions = (comparison(row, each) for each in filters)
    return sql.SQL("({})").format(sql.SQL(" and ").join([sql.SQL("true"), *conditions]))
