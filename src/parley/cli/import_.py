"""The command that imports messages of another system."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from parley.cli.bars import shown_bars
from parley.cli.local_database import local_url
from parley.cli.options import AsJson, Data, DbUrl
from parley.cli.terminal import put, tell
from parley.importing import import_files
from parley.stack.state import find_home


def import_(
    files: Annotated[list[Path], typer.Argument(help="JSONL files with one message on each line.")],
    *,
    db_url: DbUrl = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Import messages of another system from JSONL files.

    Messages keep the times at which they were sent. Rooms must not have other messages yet.
    Importing the same files again adds nothing. docs/operations.md describes a line.
    """
    url = db_url or local_url(find_home(data))
    with shown_bars() as report:
        done = import_files(url, files, report)
    if as_json:
        put(json.dumps(asdict(done)))
    else:
        tell(f"Imported {done.added} of {done.messages} messages in {done.rooms} rooms.")
        if done.added < done.messages:
            tell("The others were there already.")
