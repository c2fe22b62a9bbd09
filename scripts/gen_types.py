"""Generates what the repository keeps: models, API and their reference, from the migrations."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from parley.cli.types import generate
from parley.codegen.files import check as check_files
from parley.codegen.files import write
from parley.errors import ParleyError
from parley.inspection.promises import promises_file
from parley.stack import Stack

ROOT = Path(__file__).resolve().parent.parent


def main(
    db_url: Annotated[
        str | None, typer.Option(help="A database with all migrations; else one is made.")
    ] = None,
    check: Annotated[
        bool, typer.Option(help="Write nothing; exit 1 with a diff when a file is stale.")
    ] = False,
) -> None:
    """Generate src/parley/models.py, api.py, api_sync.py, inspection/promises.txt and docs."""
    try:
        if db_url is not None:
            generate_from(db_url, check)
        else:
            asyncio.run(generate_from_migrations(check))
    except ParleyError as error:
        sys.stderr.write(f"{error.detail}\n{error.hint}\n")
        raise typer.Exit(1) from error


def generate_from(url: str, only_check: bool) -> None:
    """Write or check the files of the repository. Raises ParleyError."""
    package = ROOT / "src" / "parley"
    promises = promises_file(url, package / "inspection")
    if only_check:
        check_files(promises)
    else:
        write(promises)
    generate(
        url,
        ("chat",),
        hints_file=ROOT / "supabase" / "types.toml",
        output=package,
        docs=ROOT / "docs",
        only_check=only_check,
    )


async def generate_from_migrations(only_check: bool) -> None:
    """Start a stack of its own for the time it takes. Raises ParleyError."""
    with tempfile.TemporaryDirectory(prefix="parley-types-") as folder:
        stack = Stack(Path(folder), port=0, db_port=0, project=ROOT)
        try:
            found = await stack.up()
            await asyncio.to_thread(generate_from, found.db_url, only_check)
        finally:
            await stack.down()


if __name__ == "__main__":
    typer.run(main)
