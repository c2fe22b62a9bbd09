"""Copying the rows that were there before the triggers, and counting what still differs.

A batch locks the rows that it copies, and leaves out those that somebody changes at that moment:
the trigger copies them. So neither waits for the other while it holds a row that the other one
wants, a row that was deleted never comes back, and an older version never replaces a newer one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psycopg

from bench.partitioned.tables import Table, read_tables
from parley.errors import StackError

BATCH = 2000
MOST_PASSES = 20
FIRST_WAIT_S, LONGEST_WAIT_S = 0.05, 10.0
COPY = """
with seen as materialized (
  select {key} from {name} as o where {after} order by {key} limit {batch}
),
copied as (
  insert into {copy}
  select o.*
  from seen as s
  join {name} as o on {is_seen}
  where not exists (select from {copy} as n where {is_there})
  for no key update of o skip locked
  on conflict do nothing
  returning 1
)
select s.*, (select count(*) from copied) from seen as s order by {descending} limit 1
"""
DIFFERENT = """
select count(*)
from {name} as o
full join {copy} as n on {is_same}
where row(o.*) is distinct from row(n.*)
"""


def copy_rows(
    connection: psycopg.Connection[Any],
    batch: int = BATCH,
    pause: float = 0.0,
    tell: Callable[[str], None] = lambda _: None,
) -> int:
    """Copy what is missing, in short transactions; return how many rows that were.

    Afterwards nothing differs, and the triggers keep it so. Raises StackError where rows still
    differ after some two minutes. ``pause`` is how many seconds to leave to others after each
    batch.
    """
    copied = 0
    for table in read_tables(connection):
        for number in range(MOST_PASSES):
            copied += copy_table(connection, table, batch, pause, tell)
            if not count_different(connection, table):
                break
            # What differs is locked by transactions that have not ended.
            time.sleep(min(FIRST_WAIT_S * 2**number, LONGEST_WAIT_S))
        else:
            raise StackError(
                f"Rows of {table.name} still differ from their copies.",
                "Look for transactions that have been open for long, then start this again.",
            )
    return copied


def copy_table(
    connection: psycopg.Connection[Any],
    table: Table,
    batch: int,
    pause: float,
    tell: Callable[[str], None],
) -> int:
    """Go through a table once, in the order of its key; return how many rows were copied."""
    copied = 0
    last: tuple[Any, ...] | None = None
    while True:
        statement = copy_statement(table, batch, is_first=last is None)
        row = connection.execute(statement, last or ()).fetchone()
        if row is None:
            tell(f"{table.name}: {copied:,} rows copied")
            return copied
        *key, count = row
        last, copied = tuple(key), copied + count
        time.sleep(pause)


def copy_statement(table: Table, batch: int, *, is_first: bool) -> bytes:
    """Return the statement that copies the rows after a key."""
    key = ", ".join(f"o.{column}" for column in table.key)
    return COPY.format(
        name=table.name,
        copy=table.copy,
        key=key,
        batch=batch,
        after="true" if is_first else f"({key}) > ({', '.join('%s' for _ in table.key)})",
        is_seen=table.same_key("o", "s"),
        is_there=table.same_key("n", "o"),
        descending=", ".join(f"s.{column} desc" for column in table.key),
    ).encode()


def count_different(connection: psycopg.Connection[Any], table: Table) -> int:
    """Count the rows that a table and its copy do not have alike, as of one moment."""
    statement = DIFFERENT.format(name=table.name, copy=table.copy, is_same=table.same_key("o", "n"))
    row = connection.execute(statement.encode()).fetchone()
    return int(row[0]) if row else 0


def require_copies(connection: psycopg.Connection[Any]) -> None:
    """Raises StackError where the new tables are missing, or lack rows."""
    for table in read_tables(connection):
        try:
            different = count_different(connection, table)
        except (psycopg.errors.InvalidSchemaName, psycopg.errors.UndefinedTable) as error:
            raise StackError(
                f"There is no {table.copy}.", "Apply the migration of the first step."
            ) from error
        if different:
            raise StackError(
                f"{different} rows of {table.name} differ from their copies.",
                "Run the backfill.",
            )
