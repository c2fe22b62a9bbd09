"""The command that fills a database with people, rooms and messages."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import psycopg
import typer

from parley.cli.bars import shown_bars
from parley.cli.local_database import local_url
from parley.cli.options import AsJson, Data, DbUrl
from parley.cli.terminal import put, tell
from parley.errors import SeedRefused
from parley.project import Project
from parley.seeding import Plan, Scale, seed_database
from parley.stack.state import find_home

ROOMS = 20
MESSAGES = 1000
FOUR = "Ann, Bob, Cat and Dan sign in as <name>@parley.example with the password parley-demo."


def seed(
    *,
    users: Annotated[
        int, typer.Option(min=0, help="How many people to add to those of the seed files.")
    ] = 0,
    rooms: Annotated[
        int | None, typer.Option(min=1, help="How many rooms to add; 20 when left out.")
    ] = None,
    messages: Annotated[
        int | None, typer.Option(min=0, help="How many messages to add in all; 1000 when left out.")
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Start of the random numbers; another makes other data.")
    ] = 1,
    until: Annotated[
        dt.datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            help="Day (UTC) before which all messages were sent; today when left out.",
        ),
    ] = None,
    db_url: DbUrl = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Run the seed files, and add people, rooms and messages.

    They are added when --users is given. The same numbers, --seed and --until make the same data.
    Up to 50 rooms and 2,000 messages are sent through Parley's functions and carry the present
    time; larger amounts are written with COPY and get times in the past.
    """
    given = [name for name, value in (("--rooms", rooms), ("--messages", messages)) if value]
    if not users and given:
        raise typer.BadParameter(
            f"{given[0]} needs people: give their number too", param_hint="--users"
        )
    url = db_url or local_url(find_home(data))
    files = run_files(url, Project.find().seeds)
    is_new = False
    scale = Scale(users, rooms or ROOMS, MESSAGES if messages is None else messages, seed)
    if users:
        day = (until or dt.datetime.now(dt.UTC)).date()
        midnight = dt.datetime.combine(day, dt.time(), dt.UTC)
        plan = Plan(scale, midnight)
        with shown_bars() as report:
            is_new = seed_database(url, plan, report)
    if as_json:
        added = asdict(scale) if is_new else {}
        added.pop("seed", None)
        put(json.dumps({"files": files, "seed": seed, "added": added}))
        return
    for name in files:
        tell(f"Ran {name}.")
    if is_new:
        tell(f"Added {scale.users} people, {scale.rooms} rooms and {scale.messages} messages.")
    elif users:
        tell("These people are there already. Another --seed makes other ones.")
    tell(FOUR)


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
