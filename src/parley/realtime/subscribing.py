"""Checking what a channel wants to hear of tables, before it is told that it will (REALTIME 5)."""

from __future__ import annotations

from collections.abc import Iterable

import psycopg
from psycopg import sql

from parley.realtime.authorize import Caller
from parley.realtime.bindings import Binding, BindingError, Filter
from parley.realtime.database import Connection
from parley.realtime.queries import query
from parley.realtime.rows import comparison

UNABLE = "Unable to subscribe to changes with given parameters."


async def check(connection: Connection, bindings: Iterable[Binding], caller: Caller) -> None:
    """Look up the tables and columns of all entries; raises ``BindingError`` for the first bad one.

    A table must be in the publication, filters and selected columns must be readable by the role,
    and operands must fit the column's type.
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
                _check_columns(binding, table["columns"])
                for each in binding.filters:
                    await _check_operand(connection, table["schema"], table["table"], each)
        except (psycopg.DataError, psycopg.ProgrammingError) as error:
            raise _exception(binding, str(error.diag.message_primary or error)) from error


def _check_columns(binding: Binding, columns: list[str]) -> None:
    for each in binding.filters:
        if each.column not in columns:
            raise _exception(binding, f"invalid column for filter {each.column}")
    for name in binding.select or ():
        if name not in columns:
            raise _exception(binding, f"invalid column for select {name}")


async def _check_operand(connection: Connection, schema: str, table: str, each: Filter) -> None:
    """Compare a row of nulls with the operand: it must have the column's type."""
    statement = sql.SQL("select {} from (select (null::{}).*) as nothing").format(
        comparison("nothing", each), sql.Identifier(schema, table)
    )
    await connection.execute(statement)


def _exception(binding: Binding, text: str) -> BindingError:
    return BindingError(
        f"{UNABLE} An exception happened so please check your connect parameters: "
        f"{binding.described()}. Exception: {text}"
    )
