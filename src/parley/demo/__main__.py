"""``python -m parley.demo``: scripts/demo runs it once everything is installed."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.cells import set_cell_size

from parley.cli.progress import shown_progress
from parley.cli.terminal import guard_terminal, on_one_line, put, tell
from parley.demo.check import Verdict, check_room, lowered_fanout_limit
from parley.demo.conversation import LINES, Delivery, converse, describe
from parley.demo.person import Person
from parley.demo.picture import arrives, send_picture
from parley.errors import NotRunning, ParleyError
from parley.stack import Stack, Status
from parley.stack.control import remove
from parley.stack.migrations import run_seeds
from parley.stack.page import DEMO_PASSWORD
from parley.stack.state import State, find_home

INTERRUPTED = 130

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command()
def demo(
    check: Annotated[
        bool, typer.Option("--check", help="Prove it on a stack of its own, then clean up.")
    ] = False,
    data: Annotated[
        Path | None, typer.Option(help="State folder; else PARLEY_HOME, else .parley here.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port of the front door; 0 takes a free one.")
    ] = None,
    db_port: Annotated[
        int | None, typer.Option(help="Port of Postgres; 0 takes a free one.")
    ] = None,
) -> None:
    """Start the stack, let Ann and Bob talk over real sockets, and stay until Ctrl-C.

    With --check it exits 0 only if every message arrived once and in order, and a person who was
    removed received nothing more, in a small room and in a large one.
    """
    if check and (data, port, db_port) != (None, None, None):
        raise typer.BadParameter("--check has a folder and ports of its own.")
    work = prove() if check else show(data, port, db_port)
    raise typer.Exit(asyncio.run(until_signalled(work)))


async def until_signalled(work: Coroutine[Any, Any, int]) -> int:
    """Run the demo; the first SIGINT or SIGTERM cancels it, and everything is cleaned up."""
    task = asyncio.current_task()
    asked = asyncio.Event()

    def stop() -> None:
        if task is not None and not asked.is_set():
            asked.set()
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    try:
        return await work
    except asyncio.CancelledError:
        return INTERRUPTED


async def show(data: Path | None, port: int | None, db_port: int | None) -> int:
    """Let Ann and Bob talk in their direct room, then stay up."""
    home = find_home(data)
    async with seeded_stack(home, port, db_port) as status:
        async with signed_in(status, "Ann", "Bob") as (ann, bob):
            room = await ann.api.open_direct(bob.id)
            deliveries = await converse((ann, bob), room.id, LINES, show_line)
            path = await send_picture(ann, room.id)
            if await arrives(bob, room.id):
                put(f"  Ann  sent a picture, and Bob has fetched it: {path.split('/')[-1]}")
        put(f"\n{describe(deliveries)}\n{introduction(status, data)}")
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
    return 0


async def prove() -> int:
    """Check a small and a large room, on a stack of its own that is deleted afterwards."""
    with tempfile.TemporaryDirectory(prefix="parley-demo-") as folder:
        home = Path(folder)
        try:
            async with seeded_stack(home, 0, 0) as status:
                verdicts = await check_rooms(status)
        finally:
            await remove(home)
    problems = [problem for verdict in verdicts for problem in verdict.problems]
    deliveries = [each for verdict in verdicts for each in verdict.deliveries]
    put(f"\n{describe(deliveries)}")
    for problem in problems:
        tell(problem)
    put(
        "Something is wrong."
        if problems
        else "Everything arrived once and in order, a picture too, "
        "and nothing reached Cat after she was removed."
    )
    return 1 if problems else 0


async def check_rooms(status: Status) -> list[Verdict]:
    """Check a small room, then one that counts as large."""
    async with signed_in(status, "Ann", "Bob", "Cat") as (ann, bob, cat):
        put("A small room:")
        small = await check_room(ann, bob, cat, "Small", show_line)
        async with lowered_fanout_limit(status.db_url):
            put("\nA large room:")
            large = await check_room(ann, bob, cat, "Large", show_line)
    return [small, large]


@contextlib.asynccontextmanager
async def seeded_stack(home: Path, port: int | None, db_port: int | None) -> AsyncIterator[Status]:
    """Run a stack with the people of supabase/seed.sql in it. Raises StackError."""
    with shown_progress() as progress:
        stack = Stack(home, port=port, db_port=db_port, progress=progress)
        status = await stack.up()
    try:
        state = State.load(home)
        if state is None:
            raise NotRunning(f"There is no stack in {home}.", "Start the demo again.")
        await run_seeds(state, stack.project)
        yield status
    finally:
        await stack.down()


@contextlib.asynccontextmanager
async def signed_in(status: Status, *names: str) -> AsyncIterator[list[Person]]:
    """Sign people in; each listens to their own user topic."""
    people: list[Person] = []
    try:
        for name in names:
            person = await Person.sign_in(name, status.api_url, status.publishable_key)
            people.append(person)
            await person.listen_to_self()
        yield people
    finally:
        for person in people:
            await person.close()


def show_line(delivery: Delivery) -> None:
    """Print a message and how long it took to arrive."""
    took = "did not arrive" if delivery.took_ms is None else f"{delivery.took_ms:4.0f} ms"
    put(on_one_line(f"  {delivery.sender}  {set_cell_size(delivery.body, 80)}{took}"))


def introduction(status: Status, data: Path | None) -> str:
    """Return urls, keys and what to try next."""
    option = f" --data {data}" if data else ""
    return f"""
See it: open these two side by side, and write.
  {status.api_url}/?as=ann
  {status.api_url}/?as=bob

API               {status.api_url}
Database          {status.db_url}
Publishable key   {status.publishable_key}
Secret key        {status.secret_key}

Ann, Bob, Cat and Dan sign in as ann@parley.example and so on, with {DEMO_PASSWORD!r}.
Dan is in no room.

Try next, in another terminal:
  export SUPABASE_URL={status.api_url} SUPABASE_KEY={status.publishable_key}
  .venv/bin/python talk.py              the example in README.md, saved under that name
  .venv/bin/parley status{option}         urls, keys and the health of each part
  .venv/bin/parley logs -f{option}        what each part says

Ctrl-C stops everything; the data stays until 'parley reset{option}'."""


def main() -> None:
    """Run the command line. An expected failure prints its detail, then its hint."""
    guard_terminal()
    try:
        app()
    except ParleyError as error:
        tell(f"{error.detail}\n{error.hint}")
        sys.exit(1)


main()
