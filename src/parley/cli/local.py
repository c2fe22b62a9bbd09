"""The commands of the local stack."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from parley.cli.progress import shown_progress
from parley.stack import Stack, Status
from parley.stack.control import remove, start_detached, stop
from parley.stack.profile import RealtimeProfile
from parley.stack.state import find_home
from parley.stack.status import read_status

words = Console(stderr=True, soft_wrap=True, highlight=False)

Data = Annotated[
    Path | None,
    typer.Option(help="State folder; else PARLEY_HOME, else .parley in this folder."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def up(
    *,
    data: Data = None,
    port: Annotated[
        int | None, typer.Option(help="Port of the front door; 0 takes a free one.")
    ] = None,
    db_port: Annotated[
        int | None, typer.Option(help="Port of Postgres; 0 takes a free one.")
    ] = None,
    realtime: Annotated[
        RealtimeProfile | None,
        typer.Option(
            help="How Realtime behaves: without limits, with those of a hosted project, or losing "
            "events as on a bad day. Remembered; at first plain."
        ),
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Return when it is ready.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the status as JSON once it is ready.")
    ] = False,
) -> None:
    """Start the stack, apply pending migrations and stay until Ctrl-C."""
    home = find_home(data)
    if detach:
        options = {"--port": port, "--db-port": db_port, "--realtime": realtime}
        arguments = [
            word
            for name, value in options.items()
            if value is not None
            for word in (name, str(value))
        ]
        with shown_progress(words) as progress, progress.step("Stack"):
            status = asyncio.run(start_detached(home, arguments))
        introduce(status, as_json)
    else:
        logging.basicConfig(level=logging.WARNING, format="%(message)s")
        asyncio.run(stay_up(home, port, db_port, realtime, as_json))


def down(data: Data = None, as_json: AsJson = False) -> None:
    """Stop the stack; its data stays."""
    home = find_home(data)
    stopped = asyncio.run(stop(home))
    if as_json:
        sys.stdout.write(json.dumps({"data": str(home), "stopped": stopped}) + "\n")
        return
    words.print(f"Stopped the stack in {home}." if stopped else f"No stack runs from {home}.")


def status(data: Data = None, as_json: AsJson = False) -> None:
    """Print urls, keys, versions and the health of each part."""
    found = asyncio.run(read_status(find_home(data)))
    sys.stdout.write(found.to_json() + "\n" if as_json else describe(found))


def reset(data: Data = None, as_json: AsJson = False) -> None:
    """Stop the stack and delete its database, files, keys and logs."""
    home = find_home(data)
    asyncio.run(stop_and_remove(home))
    if as_json:
        sys.stdout.write(json.dumps({"data": str(home), "deleted": True}) + "\n")
        return
    words.print(f"Deleted the stack in {home}.")


async def stop_and_remove(home: Path) -> None:
    """Stop a stack and delete what it has left."""
    await stop(home)
    await remove(home)


async def stay_up(
    home: Path,
    port: int | None,
    db_port: int | None,
    realtime: RealtimeProfile | None,
    as_json: bool,
) -> None:
    """Run a stack until SIGINT or SIGTERM. Raises StackError."""
    stopped = asyncio.Event()
    with shown_progress(words) as progress:
        stack = Stack(home, port=port, db_port=db_port, realtime=realtime, progress=progress)
        start = asyncio.create_task(stack.up())

        def stop_now() -> None:
            stopped.set()
            start.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop_now)
        try:
            found = await start
        except asyncio.CancelledError:
            return
    introduce(found, as_json)
    try:
        await stopped.wait()
    finally:
        await stack.down()


def introduce(found: Status, as_json: bool) -> None:
    """Say where a stack listens, and how to see its keys."""
    if as_json:
        sys.stdout.write(found.to_json() + "\n")
        sys.stdout.flush()
        return
    words.print(f"Ready at {found.api_url}. 'parley status' prints urls and keys.")
    if found.realtime != RealtimeProfile.PLAIN:
        words.print(f"Realtime is {found.realtime}; '--realtime plain' has no limits or losses.")


def describe(found: Status) -> str:
    """Return a status as lines for people."""
    shown = {
        "API": found.api_url,
        "Database": found.db_url,
        "Database, superuser": found.admin_db_url,
        "Publishable key": found.publishable_key,
        "Secret key": found.secret_key,
        "JWT secret": found.jwt_secret,
        "Realtime": found.realtime,
        "State": found.data if found.running else f"{found.data} (not running)",
    }
    for name, part in found.parts.items():
        shown[name.capitalize()] = f"{part.health}, {part.version}"
    width = max(len(name) for name in shown) + 2
    return "".join(f"{name:<{width}}{value}\n" for name, value in shown.items())


commands = (up, down, status, reset)
