"""The command that fills a database with people and talk."""

from __future__ import annotations

import datetime as dt
import json
import sys
from pathlib import Path
from typing import Annotated

import psycopg
import typer
from rich.console import Console

from parley.cli.bars import shown_bars
from parley.cli.types import local_url
from parley.errors import SeedRefused
from parley.seeding import Plan, Scale, seed_database
from parley.stack.project import Project
from parley.stack.state import find_home

words = Console(stderr=True, soft_wrap=True, highlight=False)

FOUR = "Ann, Bob, Cat and Dan sign in as <name>@parley.example with the password parley-demo."


def seed(
    *,
    users: Annotated[int, typer.Option(min=0, help="How many people besides those four.")] = 0,
    rooms: Annotated[int, typer.Option(min=1, help="How many rooms for them.")] = 20,
    messages: Annotated[int, typer.Option(min=0, help="How many messages in all rooms.")] = 1000,
    seed: Annotated[int, typer.Option(help="Another number makes other data.")] = 1,
    db_url: Annotated[
        str | None, typer.Option(envvar="DATABASE_URL", help="Database; else the local stack.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="State folder of the local stack.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run the seed files, and with --users add people, rooms and messages by scale."""
    url = db_url or local_url(find_home(data))
    files = run_files(url, Project.find().seeds)
    is_new = False
    if users:
        midnight = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        plan = Plan(Scale(users, rooms, messages, seed), midnight)
        with shown_bars(words) as report:
            is_new = seed_database(url, plan, report)
    if as_json:
        added = {"users": users, "rooms": rooms, "messages": messages} if is_new else {}
        sys.stdout.write(json.dumps({"files": files, "seed": seed, "added": added}) + "\n")
        return
    for name in files:
        words.print(f"Ran {name}.", markup=False)
    if is_new:
        words.print(f"Added {users} people, {rooms} rooms and {messages} messages.")
    elif users:
        words.print("These people are there already; another --seed makes others.")
    words.print(FOUR)


def run_files(url: str, paths: list[Path]) -> list[str]:
    """Run seed files, each in one transaction, and return their names. Raises SeedRefused."""
    for path in paths:
        try:
            with psycopg.connect(url) as connection:
                connection.execute(path.read_bytes())
        except psycopg.Error as error:
            raise SeedRefused(
                f"The seed {path.name} was refused: {str(error).strip().splitlines()[0]}",
                "Correct it, or apply the migrations first, then run 'parley seed' again.",
            ) from error
    return [path.name for path in paths]


commands = (seed,)
