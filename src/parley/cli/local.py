"""The commands of the local stack."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from parley.cli.progress import shown_progress
from parley.errors import NotRunning
from parley.inspection import inspect_database
from parley.stack import Stack, Status
from parley.stack.control import remove, start_detached, stop
from parley.stack.doctor import examine
from parley.stack.lock import is_supervised
from parley.stack.profile import RealtimeProfile
from parley.stack.project import Project
from parley.stack.state import State, find_home
from parley.stack.status import read_status

FOLLOW_SECONDS = 0.2

words = Console(stderr=True, soft_wrap=True, highlight=False)

Data = Annotated[
    Path | None,
    typer.Option(help="State folder; else PARLEY_HOME, else .parley in this folder."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def up(
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
    detach: Annotated[bool, typer.Option(help="Return when it is ready.")] = False,
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
        introduce(status)
    else:
        logging.basicConfig(level=logging.WARNING, format="%(message)s")
        asyncio.run(stay_up(home, port, db_port, realtime))


def down(data: Data = None) -> None:
    """Stop the stack; its data stays."""
    home = find_home(data)
    stopped = asyncio.run(stop(home))
    words.print(f"Stopped the stack in {home}." if stopped else f"No stack runs from {home}.")


def status(data: Data = None, as_json: AsJson = False) -> None:
    """Print urls, keys, versions and the health of each part."""
    found = asyncio.run(read_status(find_home(data)))
    sys.stdout.write(found.to_json() + "\n" if as_json else describe(found))


def reset(data: Data = None) -> None:
    """Stop the stack and delete its database, files, keys and logs."""
    home = find_home(data)
    asyncio.run(stop_and_remove(home))
    words.print(f"Deleted the stack in {home}.")


def logs(
    part: Annotated[
        str | None, typer.Argument(help="postgres, lite, gateway or supervisor; else all.")
    ] = None,
    data: Data = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option(help="How many lines of each log.")] = 50,
) -> None:
    """Print the ends of the logs."""
    folder = find_home(data) / "logs"
    paths = sorted(folder.glob(f"{part or '*'}.log"))
    if not paths:
        raise NotRunning(f"There are no logs of {part or 'a stack'} in {folder}.", "Is it started?")
    offsets: dict[Path, int] = {}
    for path in paths:
        content = path.read_bytes()
        offsets[path] = len(content)
        show_lines(path, content.decode(errors="replace").splitlines()[-lines:], len(paths) > 1)
    while follow:
        time.sleep(FOLLOW_SECONDS)
        for path in paths:
            with path.open("rb") as file:
                file.seek(offsets[path])
                content = file.read()
            end = content.rfind(b"\n") + 1
            offsets[path] += end
            show_lines(path, content[:end].decode(errors="replace").splitlines(), len(paths) > 1)


def doctor(
    db_url: Annotated[
        str | None, typer.Option(help="A database, for example a hosted one, instead of the stack.")
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


async def stop_and_remove(home: Path) -> None:
    """Stop a stack and delete what it has left."""
    await stop(home)
    await remove(home)


async def stay_up(
    home: Path, port: int | None, db_port: int | None, realtime: RealtimeProfile | None
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
    introduce(found)
    try:
        await stopped.wait()
    finally:
        await stack.down()


def introduce(found: Status) -> None:
    """Say where a stack listens, and how to see its keys."""
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


def show_lines(path: Path, lines: list[str], named: bool) -> None:
    """Print lines of a log, with its name when there are several."""
    for line in lines:
        sys.stdout.write(f"{path.stem}: {line}\n" if named else f"{line}\n")
    sys.stdout.flush()


commands = (up, down, status, reset, logs, doctor)
