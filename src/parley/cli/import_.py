"""The command that imports messages of another system."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from parley.cli.bars import shown_bars
from parley.cli.types import local_url
from parley.importing import import_files
from parley.stack.state import find_home

words = Console(stderr=True, soft_wrap=True, highlight=False)


def import_(
    files: Annotated[list[Path], typer.Argument(help="JSONL files; one message a line.")],
    *,
    db_url: Annotated[
        str | None, typer.Option(envvar="DATABASE_URL", help="Database; else the local stack.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="State folder of the local stack.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Import messages of another system from JSONL, with their times.

    They go into rooms without messages of their own; importing again adds nothing. The shape of a
    line is in docs/operations.md.
    """
    url = db_url or local_url(find_home(data))
    with shown_bars(words) as report:
        done = import_files(url, files, report)
    if as_json:
        sys.stdout.write(json.dumps(asdict(done)) + "\n")
    else:
        words.print(f"Imported {done.added} of {done.messages} messages in {done.rooms} rooms.")
        if done.added < done.messages:
            words.print("The others were there already.")
