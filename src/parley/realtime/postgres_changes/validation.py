"""Checking the entries under `postgres_changes` against the database before they are accepted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg import sql

from parley.realtime.authorization.rights import Caller
from parley.realtime.database.pool import Connection
from parley.realtime.database.queries import query
from parley.realtime.postgres_changes.bindings import Binding, BindingError, Filter
from parley.realtime.postgres_changes.rows import IS_WORDS, comparison

MOST_VALUES = 100
PATTERNS = {"like": "~~", "ilike": "~~", "match": "~", "imatch": "~*"}
"""Postgres' name of the operator that a column's type must have for each of these."""
UNABLE = "Unable to subscribe to changes with given parameters."


class FilterError(ValueError):
    """The filter or the selection does not fit the table."""


async def check(connection: Connection, bindings: Iterable[Binding], caller: Caller) -> None:
    """Check all entries; raises ``BindingError`` for the first invalid one.

    Tables must be in the publication `supabase_realtime`. The caller's role must be able to read
    the columns in filters and in ``select``. Operators and values must fit the columns' types.
    """
    for binding in bindings:
        try:
            parameters = {
                "role": caller.claims.role,
                "schema": binding.schema,
                "table": binding.table,
            }
            cursor = await connection.execute(query("watched_tables"), parameters)
            tables = await cursor.fetchall()
            if not tables:
                raise BindingError(
                    f"{UNABLE} Please check Realtime is enabled for the given connect "
                    f"parameters: {binding.described()}"
                )
            for table in tables:
                for each in binding.filters:
                    await _check_filter(connection, table, each)
                for name in binding.select or ():
                    if name not in table["columns"]:
                        raise FilterError(f"invalid column for select {name}")
        except FilterError as error:
            raise _exception(binding, "P0001 (raise_exception)", str(error)) from error
        except (psycopg.DataError, psycopg.ProgrammingError) as error:
            name = type(error).__name__
            words = "".join(f"_{char.lower()}" if char.isupper() else char for char in name)
            text = str(error.diag.message_primary or error)
            raise _exception(binding, f"{error.sqlstate} ({words[1:]})", text) from error


async def _check_filter(connection: Connection, table: dict[str, Any], each: Filter) -> None:
    column = table["columns"].get(each.column)
    if column is None:
        raise FilterError(f"invalid column for filter {each.column}")
    if each.operator == "is":
        _check_word(each.value, column["type"])
    elif each.operator in PATTERNS:
        if PATTERNS[each.operator] not in column["patterns"]:
            raise FilterError(
                f"operator {each.operator} requires a text-compatible column type, "
                f"got {column['type']}"
            )
        if each.operator in ("match", "imatch"):
            await _check_regular_expression(connection, each)
    elif each.operator == "in":
        await _check_count(connection, each.value, column["type"])
    await _check_operand(connection, table["schema"], table["table"], each)


def _check_word(word: str, column_type: str) -> None:
    if word not in IS_WORDS:
        raise FilterError("invalid value for is filter: must be null, true, false, or unknown")
    if word != "null" and column_type != "boolean":
        raise FilterError(f"is {word} filter requires a boolean column, got {column_type}")


async def _check_regular_expression(connection: Connection, each: Filter) -> None:
    try:
        await connection.execute("select '' ~ %s::text", [each.value])
    except psycopg.DataError as error:
        raise FilterError(
            f"invalid regular expression for {each.operator} filter: {error.diag.message_primary}"
        ) from error


async def _check_count(connection: Connection, values: str, column_type: str) -> None:
    """Count the values as Postgres reads them."""
    statement = sql.SQL("select pg_catalog.array_length({}::{}[], 1) as count").format(
        sql.Literal(values), sql.SQL(column_type)
    )
    row = await (await connection.execute(statement)).fetchone()
    if row is not None and (row["count"] or 0) > MOST_VALUES:
        raise FilterError(f"too many values for `in` filter. Maximum {MOST_VALUES}")


async def _check_operand(connection: Connection, schema: str, table: str, each: Filter) -> None:
    """Let Postgres compare a row of nulls with the value, to see whether it fits the column."""
    statement = sql.SQL("select {} from (select (null::{}).*) as nothing").format(
        comparison("nothing", each), sql.Identifier(schema, table)
    )
    await connection.execute(statement)


def _exception(binding: Binding, code: str, text: str) -> BindingError:
    return BindingError(
        f"{UNABLE} An exception happened so please check your connect parameters: "
        f"{binding.described()}. Exception: ERROR {code} {text}"
    )
