"""Looking at a changed row with the database's eyes: its values as JSON, filters, policies.

The WAL prints values as text. Postgres itself turns them into JSON, compares them with a filter's
operand and says whether a subscriber's policies let the row through; nothing is imitated here.
"""

from __future__ import annotations

from collections.abc import Sequence
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


async def values_of(
    connection: Connection, change: Change, key: Sequence[str], filters: Sequence[Sequence[Filter]]
) -> Values:
    """Turn a change into JSON and compare it with filters: the new row, or the deleted one."""
    relation = change.relation
    new = _as_json(relation, change.new)
    old = _as_json(relation, change.old)
    if change.kind == "UPDATE" and change.old is None:
        old = {name: new[name] for name in key if name in new}
    seen = "old" if change.kind == "DELETE" else "new"
    tests = [_test(seen, each) for each in filters]
    statement = sql.SQL(
        "select to_jsonb(new) as record, to_jsonb(old) as old_record, array[{tests}]::boolean[]"
        " as passed from jsonb_populate_record(null::{table}, {new}) as new,"
        " jsonb_populate_record(null::{table}, {old}) as old"
    ).format(
        tests=sql.SQL(", ").join(tests),
        table=sql.Identifier(relation.schema, relation.table),
        new=sql.Literal(Jsonb(new)),
        old=sql.Literal(Jsonb(old)),
    )
    cursor = await connection.execute(statement)
    row: dict[str, Any] = await anext(aiter(cursor))
    return Values(
        record={name: row["record"][name] for name in new if name in row["record"]},
        old_record={name: row["old_record"][name] for name in old if name in row["old_record"]},
        passed=[each is True for each in row["passed"]],
    )


async def is_visible(
    connection: Connection,
    relation: Relation,
    caller: Caller,
    key: dict[str, Json],
) -> bool:
    """Ask the caller's policies whether the row with this primary key is theirs to see.

    A policy that raises on these claims hides the row from them and from nobody else.
    """
    table = sql.Identifier(relation.schema, relation.table)
    statement = sql.SQL(
        "select 1 from {table} as seen, jsonb_populate_record(null::{table}, {key}) as wanted"
        " where ({left}) = ({right})"
    ).format(
        table=table,
        key=sql.Literal(Jsonb(key)),
        left=sql.SQL(", ").join(sql.Identifier("seen", name) for name in key),
        right=sql.SQL(", ").join(sql.Identifier("wanted", name) for name in key),
    )
    try:
        async with connection.transaction(force_rollback=True), connection.pipeline():
            await connection.execute(query("settings"), caller.settings(""))
            cursor = await connection.execute(statement)
            return await cursor.fetchone() is not None
    except psycopg.Error:
        if connection.closed:
            raise
        return False


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
