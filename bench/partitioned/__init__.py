"""Parley's six largest tables as hash-partitioned ones, and the way there for a live project.

A partitioned table is a new table: what depends on the old one, by its row type too, stays with the
old one however either is renamed. So the way has steps, each a migration or safe to repeat, and
``docs/scale.md`` tells them: new tables that are kept up to date by triggers (``copies``), the rows
that were there (``backfill``), and the swap, which makes every dependent anew (``swap``). The
functions stay as they are.
"""

from __future__ import annotations

import psycopg

from bench.partitioned.backfill import copy_rows
from bench.partitioned.copies import copies_sql
from bench.partitioned.swap import finish_sql, swap_sql
from bench.partitioned.tables import PARTS


def partition(url: str, parts: int = PARTS) -> None:
    """Make a migrated database partitioned, with the rows that it has, while nobody writes."""
    with psycopg.connect(url, autocommit=True) as connection:
        apply(connection, copies_sql(connection, parts))
        copy_rows(connection)
        apply(connection, swap_sql(connection))
        apply(connection, finish_sql(connection))
        connection.execute("vacuum analyze")


def apply(connection: psycopg.Connection[tuple[object, ...]], migration: str) -> None:
    """Run a migration as the Supabase CLI does, in one transaction."""
    with connection.transaction():
        connection.execute(migration.encode())
