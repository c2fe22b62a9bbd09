"""The commands of the local stack."""

from __future__ import annotations

import asyncio
import json
import shlex
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from parley.cli.options import AsJson, Data
from parley.cli.packages import fetch_missing_packages
from parley.cli.progress import shown_progress
from parley.cli.terminal import on_one_line, put, tell
from parley.stack.control import remove, start_detached, stop
from parley.stack.profile import RealtimeProfile
from parley.stack.state import find_home
from parley.stack.status import read_status

if TYPE_CHECKING:
    from parley.stack import Status

STOPPED = 3
"""The exit code of ``status`` for a stack that is not running, as for init scripts."""


def up(
    *,
    data: Data = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Port of the API; with 0 a free one is taken, and one for Postgres too.",
        ),
    ] = None,
    db_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port of Postgres; with 0 a free one is taken."),
    ] = None,
    realtime: Annotated[
        RealtimeProfile | None,
        typer.Option(
            help="How Realtime behaves: plain limits only what would disturb others, hosted has "
            "the limits and delays of a hosted project, lossy loses connections and events. The "
            "stack keeps the last choice; a new stack is plain."
        ),
    ] = None,
    replicas: Annotated[
        int,
        typer.Option(
            min=0,
            max=1,
            help="Read replicas to start beside Postgres: with 1, 'parley status' prints the URL "
            "for reads, which is the read_url of clients.",
        ),
    ] = 0,
    detach: Annotated[
        bool, typer.Option("--detach", help="Go on in the background once it is ready.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the status as JSON once it is ready.")
    ] = False,
) -> None:
    """Start the local stack and run it until Ctrl-C.

    Migrations that are not applied yet are applied first.
    """
    home = find_home(data)
    fetch_missing_packages()
    if port == 0 and db_port is None:
        db_port = 0
    if detach:
        options = {
            "--port": port,
            "--db-port": db_port,
            "--realtime": realtime,
            "--replicas": replicas,
        }
        arguments = [
            word
            for name, value in options.items()
            if value is not None
            for word in (name, str(value))
        ]
        with shown_progress() as progress, progress.step("Stack"):
            status = asyncio.run(start_detached(home, arguments))
        introduce(status, as_json)
    else:
        asyncio.run(
            stay_up(
                home,
                port=port,
                db_port=db_port,
                realtime=realtime,
                replicas=replicas,
                as_json=as_json,
            )
        )


def down(data: Data = None, as_json: AsJson = False) -> None:
    """Stop the local stack and keep its data."""
    home = find_home(data)
    stopped = asyncio.run(stop(home))
    if as_json:
        put(json.dumps({"data": str(home), "stopped": stopped}))
        return
    tell(f"Stopped the stack in {home}." if stopped else f"No stack is running from {home}.")


def status(data: Data = None, as_json: AsJson = False) -> None:
    """Print URLs, keys, versions and the health of each part.

    Exits 3 when the stack is stopped.
    """
    found = asyncio.run(read_status(find_home(data)))
    put(found.to_json() if as_json else describe(found))
    if not found.running:
        raise typer.Exit(STOPPED)


def env(data: Data = None, as_json: AsJson = False) -> None:
    """Print the URLs and keys of the stack as shell variables.

    Set them with: eval "$(parley env)". Parley's commands, scripts and tests read them.
    """
    found = asyncio.run(read_status(find_home(data)))
    variables = {
        "SUPABASE_URL": found.api_url,
        "SUPABASE_KEY": found.publishable_key,
        "SUPABASE_SERVICE_KEY": found.secret_key,
        "SUPABASE_JWT_SECRET": found.jwt_secret,
        "DATABASE_URL": found.db_url,
        "ADMIN_DATABASE_URL": found.admin_db_url,
    }
    if as_json:
        put(json.dumps(variables))
        return
    for name, value in variables.items():
        put(f"export {name}={shlex.quote(value)}")


def reset(data: Data = None, as_json: AsJson = False) -> None:
    """Stop the stack and delete its database, files, keys and logs."""
    home = find_home(data)
    was_there = (home / "stack.json").exists()
    asyncio.run(stop_and_remove(home))
    if as_json:
        put(json.dumps({"data": str(home), "deleted": was_there}))
        return
    tell(f"Deleted the stack in {home}." if was_there else f"There is no stack in {home}.")


async def stop_and_remove(home: Path) -> None:
    """Stop a stack and delete its files."""
    await stop(home)
    await remove(home)


async def stay_up(
    home: Path,
    *,
    port: int | None,
    db_port: int | None,
    realtime: RealtimeProfile | None,
    replicas: int,
    as_json: bool,
) -> None:
    """Run a stack until SIGINT or SIGTERM. Raises StackError."""
    from parley.stack import Stack  # noqa: PLC0415 - the other commands do without it.

    stopped = asyncio.Event()
    with shown_progress() as progress:
        stack = Stack(
            home,
            port=port,
            db_port=db_port,
            replicas=replicas,
            realtime=realtime,
            progress=progress,
        )
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
    """Tell where a stack listens, and how to see its keys."""
    if as_json:
        put(found.to_json())
        return
    tell(f"Ready at {found.api_url}. 'parley status' prints URLs and keys.")
    if found.realtime != RealtimeProfile.PLAIN:
        tell(f"Realtime is {found.realtime}; 'parley up --realtime plain' goes back to normal.")


def describe(found: Status) -> str:
    """Return a status as lines for people."""
    shown = {
        "API": found.api_url,
        "Reads": found.read_url,
        "Database": found.db_url,
        "Read replica": found.replica_db_url,
        "Database, superuser": found.admin_db_url,
        "Publishable key": found.publishable_key,
        "Secret key": found.secret_key,
        "JWT secret": found.jwt_secret,
        "Realtime": found.realtime,
        "State": found.data if found.running else f"{found.data} (stopped)",
    }
    shown = {name: value for name, value in shown.items() if value}
    for name, part in found.parts.items():
        shown[name.capitalize()] = f"{part.health}, {part.version}"
    width = max(len(name) for name in shown) + 2
    return "\n".join(on_one_line(f"{name:<{width}}{value}") for name, value in shown.items())
