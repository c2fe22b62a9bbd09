"""``parley doctor``: tells what is wrong, and what to do about it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from parley.cli.options import AsJson, Data, DbUrl
from parley.cli.terminal import on_one_line, put
from parley.errors import StateUnusable
from parley.finding import Finding
from parley.inspection import describe_project, inspect_database
from parley.project import Project
from parley.stack.doctor import examine
from parley.stack.lock import is_supervised
from parley.stack.state import State, find_home


def doctor(
    db_url: DbUrl = None,
    data: Data = None,
    everything: Annotated[
        bool,
        typer.Option(
            "--all", help="Also tell what of yours uses Parley, and what to look at there."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check the local stack or a database, and say what to do.

    It compares what belongs to Parley with what its version promises, in the database and in the
    migrations of the project around the current folder, and it changes nothing. Exits 1 when
    something is wrong.
    """
    findings = [
        describe_project(Project.here()),
        *(
            inspect_database(db_url, everything=everything)
            if db_url
            else look_here(find_home(data), everything=everything)
        ),
    ]
    if as_json:
        put(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            mark = "-" if finding.skipped else "✓" if finding.good else "✗"
            put(on_one_line(f"{mark} {finding.name}: {finding.detail}"))
            if finding.skipped or not finding.good:
                put(on_one_line(f"  {finding.hint}"))
    if not all(finding.good for finding in findings):
        raise typer.Exit(1)


def look_here(home: Path, *, everything: bool) -> list[Finding]:
    """Check this machine and the stack, and its database if it runs and serves Parley."""
    findings = asyncio.run(examine(home))
    try:
        is_ours = "chat" in Project.find().section("api").get("schemas", [])
    except StateUnusable:
        return findings  # The check of the project reports this.
    state = State.load(home) if is_ours and is_supervised(home) else None
    return findings + (inspect_database(state.db_url, everything=everything) if state else [])
