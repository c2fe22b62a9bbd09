"""Partitions for a project that is in use: its migrations, and the copying between them.

docs/scale.md tells the way. Each command reads the database of DATABASE_URL, as role postgres.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import psycopg
import typer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.partitioned.backfill import BATCH, copy_rows
from bench.partitioned.copies import copies_sql
from bench.partitioned.swap import finish_sql, swap_sql
from bench.partitioned.tables import PARTS

from parley.cli.terminal import tell
from parley.errors import ParleyError, StackError

app = typer.Typer(
    add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, help=__doc__
)


@app.command()
def prepare(
    parts: Annotated[int, typer.Option(min=2, max=99, help="Partitions of each table.")] = PARTS,
) -> None:
    """Print the first migration: new tables, and triggers that copy every change to them."""
    with connect() as connection:
        sys.stdout.write(copies_sql(connection, parts))


@app.command()
def backfill(
    batch: Annotated[int, typer.Option(min=1, help="Rows of one transaction.")] = BATCH,
    pause: Annotated[float, typer.Option(min=0, help="Seconds to wait after each.")] = 0.05,
) -> None:
    """Copy the rows that were there before; it can be stopped, and started again."""
    with connect() as connection:
        copy_rows(connection, batch, pause, tell)
    tell("Every row has its copy. Go on with the swap.")


@app.command()
def swap() -> None:
    """Print the second migration: the new tables take the place of the old ones."""
    with connect() as connection:
        sys.stdout.write(swap_sql(connection))


@app.command()
def finish() -> None:
    """Print the third migration: foreign keys are checked, and the old tables go."""
    with connect() as connection:
        sys.stdout.write(finish_sql(connection))


def connect() -> psycopg.Connection[Any]:
    """Connect to the database of the environment, past its limits on time. Raises StackError."""
    url = os.environ.get("DATABASE_URL")
    if url is None:
        raise StackError(
            "There is no DATABASE_URL.", "Set it to the session pooler of the project."
        )
    try:
        connection = psycopg.connect(url, autocommit=True)
    except psycopg.OperationalError as error:
        words = " ".join(str(error).split())
        raise StackError(f"The database cannot be reached: {words}", "Look at it.") from error
    connection.execute("set statement_timeout = 0")
    return connection


if __name__ == "__main__":
    try:
        app()
    except ParleyError as error:
        tell(f"{error.detail}\n{error.hint}")
        raise SystemExit(1) from error
