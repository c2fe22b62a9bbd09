"""The catalog of a database, read once and kept as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import psycopg
from psycopg.rows import dict_row

from parley.codegen.queries import query
from parley.errors import CatalogUnreadable


@dataclass(frozen=True)
class Type:
    """A type. ``kind`` is pg_type's: b base, c composite, d domain, e enum, p pseudo, r range.

    ``element``, ``base`` and ``relation`` are oids, 0 where there is none.
    """

    oid: int
    schema: str
    name: str
    kind: str
    element: int
    base: int
    not_null: bool
    relation: int
    labels: tuple[str, ...]
    checks: tuple[str, ...]
    is_cast_to_json: bool
    comment: str


@dataclass(frozen=True)
class Column:
    """A column of a relation, or an attribute of a composite type; ``type`` is an oid."""

    relation: int
    name: str
    type: int
    not_null: bool
    has_default: bool
    is_generated: bool
    comment: str
    may_read: bool
    may_insert: bool
    may_update: bool
    checks: tuple[str, ...]


@dataclass(frozen=True)
class Relation:
    """A table, view or composite type; ``kind`` is pg_class's letter."""

    oid: int
    schema: str
    name: str
    kind: str
    comment: str
    columns: tuple[Column, ...]

    @cached_property
    def readable(self) -> tuple[Column, ...]:
        """The columns that the role may read."""
        return tuple(column for column in self.columns if column.may_read)


@dataclass(frozen=True)
class Argument:
    """An argument; ``mode`` is pg_proc's: i in, o out, b both, t column, v variadic.

    ``default`` is the expression, None where there is none.
    """

    name: str
    type: int
    mode: str
    default: str | None


@dataclass(frozen=True)
class Function:
    """A function; ``result`` is an oid. ``may_call`` says whether the role may call it."""

    schema: str
    name: str
    result: int
    is_set: bool
    volatility: str
    comment: str
    may_call: bool
    arguments: tuple[Argument, ...]

    @cached_property
    def inputs(self) -> tuple[Argument, ...]:
        """The arguments that a caller passes."""
        return tuple(argument for argument in self.arguments if argument.mode in "ibv")

    @cached_property
    def outputs(self) -> tuple[Argument, ...]:
        """The columns of ``returns table``, or the out parameters."""
        return tuple(argument for argument in self.arguments if argument.mode in "bot")


@dataclass(frozen=True)
class Catalog:
    """The schemas asked for, and every type and relation they may refer to by oid."""

    schemas: tuple[str, ...]
    types: dict[int, Type]
    relations: dict[int, Relation]
    functions: tuple[Function, ...]

    @cached_property
    def tables(self) -> tuple[Relation, ...]:
        """The tables and views of the schemas asked for."""
        return tuple(
            relation
            for relation in self.relations.values()
            if relation.schema in self.schemas and relation.kind != "c"
        )


def read_catalog(url: str, schemas: tuple[str, ...], role: str = "authenticated") -> Catalog:
    """Read the catalog at ``url``. The rights of ``role`` decide what may be read and written.

    Raises CatalogUnreadable when the database cannot be reached or lacks a schema or the role.
    """
    try:
        with psycopg.connect(url, row_factory=dict_row, autocommit=True) as connection:
            check_names(connection, schemas, role)
            return gather(connection, schemas, role)
    except psycopg.Error as error:
        raise CatalogUnreadable(
            f"The database cannot be read: {str(error).strip().splitlines()[0]}",
            "Check the URL; 'parley status' prints that of the local stack.",
        ) from error


def gather(
    connection: psycopg.Connection[dict[str, Any]], schemas: tuple[str, ...], role: str
) -> Catalog:
    """Run the queries and link their rows."""

    def rows(name: str) -> list[dict[str, Any]]:
        values = {"schemas": list(schemas), "role": role}
        found = connection.execute(query(name), values).fetchall()
        return [
            {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
            for row in found
        ]

    columns: dict[int, list[Column]] = {}
    for row in rows("columns"):
        columns.setdefault(row["relation"], []).append(Column(**row))
    return Catalog(
        schemas=schemas,
        types={row["oid"]: Type(**row) for row in rows("types")},
        relations={
            row["oid"]: Relation(**row, columns=tuple(columns.get(row["oid"], ())))
            for row in rows("relations")
        },
        functions=tuple(
            Function(**{**row, "arguments": tuple(Argument(**a) for a in row["arguments"])})
            for row in rows("functions")
        ),
    )


def check_names(
    connection: psycopg.Connection[dict[str, Any]], schemas: tuple[str, ...], role: str
) -> None:
    """Raise CatalogUnreadable for a schema or role that is not there."""
    values = {"schemas": list(schemas), "role": role}
    found = connection.execute(query("names"), values).fetchone()
    if found is None or not found["has_role"]:
        raise CatalogUnreadable(f"There is no role {role}.", "Name one with --role.")
    missing = [schema for schema in schemas if schema not in found["schemas"]]
    if missing:
        raise CatalogUnreadable(
            f"There is no schema {missing[0]} in this database.",
            "Name one with --schema, or apply the migrations first.",
        )
