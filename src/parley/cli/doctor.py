"""``parley doctor``: what is wrong, and the remedy."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from parley.cli.local import AsJson, Data
from parley.inspection import inspect_database
from parley.stack.doctor import examine
from parley.stack.lock import is_supervised
from parley.stack.project import Project
from parley.stack.state import State, find_home


def doctor(
    db_url: Annotated[
        str | None,
        typer.Option(
            envvar="DATABASE_URL",
            help="A database, also a hosted one; else the local stack.",
        ),
    ] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Look at the stack, or at a database, and say what is wrong."""
    home = find_home(data)
    findings = [] if db_url else asyncio.run(examine(home))
    is_ours = "chat" in Project.find().section("api").get("schemas", [])
    state = State.load(home) if is_ours and not db_url and is_supervised(home) else None
    if db_url or state:
        findings += inspect_database(db_url or (state.db_url if state else ""))
    if as_json:
        sys.stdout.write(json.dumps([asdict(finding) for finding in findings], indent=2) + "\n")
    else:
        for finding in findings:
            sys.stdout.write(f"{'✓' if finding.good else '✗'} {finding.name}: {finding.detail}\n")
            if not finding.good:
                sys.stdout.write(f"  {finding.hint}\n")
    if not all(finding.good for finding in findings):
        raise typer.Exit(1)
