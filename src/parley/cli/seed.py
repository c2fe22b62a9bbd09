"""The command that fills a database with people and talk."""

from __future__ import annotations

import datetime as dt
import json
import sys
from dataclasses import asdict
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

ROOMS = 20
MESSAGES = 1000
FOUR = "Ann, Bob, Cat and Dan sign in as <name>@parley.example with the password parley-demo."


def seed(
    *,
    users: Annotated[int, typer.Option(min=0, help="How many people besides those four.")] = 0,
    rooms: Annotated[
        int | None, typer.Option(min=1, help="How many rooms for them; 20 when left out.")
    ] = None,
    messages: Annotated[
        int | None, typer.Option(min=0, help="How many messages in all; 1000 when left out.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another number makes other data.")] = 1,
    until: Annotated[
        dt.datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="The day (UTC) on which they fall silent; today."),
    ] = None,
    db_url: Annotated[
        str | None, typer.Option(envvar="DATABASE_URL", help="Database; else the local stack.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="State folder of the local stack.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run the seed files; with --users add people, rooms and messages.

    The same numbers, --seed and --until make the same data. Up to 50 rooms and 2,000 messages are
    played through the functions and get the times of the clock; more are written by COPY.
    """
    given = [name for name, value in (("--rooms", rooms), ("--messages", messages)) if value]
    if not users and given:
        raise typer.BadParameter("how many people they are for", param_hint="--users")
    url = db_url or local_url(find_home(data))
    files = run_files(url, Project.find().seeds)
    is_new = False
    scale = Scale(users, rooms or ROOMS, MESSAGES if messages is None else messages, seed)
    if users:
        day = (until or dt.datetime.now(dt.UTC)).date()
        midnight = dt.datetime.combine(day, dt.time(), dt.UTC)
        plan = Plan(scale, midnight)
        with shown_bars(words) as report:
            is_new = seed_database(url, plan, report)
    if as_json:
        added = asdict(scale) if is_new else {}
        added.pop("seed", None)
        sys.stdout.write(json.dumps({"files": files, "seed": seed, "added": added}) + "\n")
        return
    for name in files:
        words.print(f"Ran {name}.", markup=False)
    if is_new:
        words.print(
            f"Added {scale.users} people, {scale.rooms} rooms and {scale.messages} messages."
        )
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
