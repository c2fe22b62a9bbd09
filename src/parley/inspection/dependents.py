"""Finding what of an adopter's uses Parley, and could not stay as it is without it."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import scalar_row

from parley.finding import Finding
from parley.inspection.promises import Promises, kept_promises, with_whole_names
from parley.inspection.queries import query
from parley.versions import __version__

OWN = ("tables", "types", "functions", "policies", "triggers")


def dependents_query(kept: Promises | None) -> sql.Composed:
    """Return the query that lists them, for a version that promises what is ``kept``."""
    ours = sorted(name for kind in OWN for name in (kept or {}).get(kind, ()))
    return sql.SQL(query("dependents")).format(ours=sql.Literal(ours))


def read_dependents(connection: psycopg.Connection[Any], kept: Promises | None) -> list[str]:
    """Return them in words: ``["the view public.room_names"]``."""
    with with_whole_names(connection), connection.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(dependents_query(kept)).fetchall()


def describe_dependents(connection: psycopg.Connection[Any]) -> Finding:
    """Tell all of them; that there are some is no fault."""
    found = read_dependents(connection, kept_promises(__version__))
    words = "; ".join(found)
    return Finding(
        "what uses Parley",
        True,
        f"Of what Parley did not make, this uses it: {words}."
        if found
        else "Nothing that Parley did not make uses it, as far as the catalog knows.",
    )
