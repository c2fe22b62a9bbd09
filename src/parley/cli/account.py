"""Who speaks on the command line: which server, which account, which local copy."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from dotenv import load_dotenv
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from parley.client import Chat
from parley.errors import NotRunning, RoomNotFound, SignInRequired
from parley.stack.state import find_home
from parley.stack.status import read_status
from parley.sync.shown import Room

words = Console(stderr=True, soft_wrap=True, highlight=False)

Url = Annotated[
    str | None,
    typer.Option(envvar="SUPABASE_URL", help="The project; else the local stack that runs."),
]
Key = Annotated[
    str | None, typer.Option(envvar="SUPABASE_KEY", help="Its publishable key.", show_envvar=True)
]
Email = Annotated[
    str | None, typer.Option(envvar="PARLEY_EMAIL", help="Whose account; asked for when needed.")
]
Password = Annotated[
    str | None,
    typer.Option(envvar="PARLEY_PASSWORD", help="Better in the environment than typed here."),
]
StorePath = Annotated[
    Path, typer.Option("--store", envvar="PARLEY_STORE", help="The file of the local copy.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
RoomWord = Annotated[str, typer.Argument(help="The id or the name of a room, or of a person.")]

DEFAULT_STORE = Path("chat.db")
WATCH_S = 0.05


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a command until it ends or Ctrl-C."""
    try:
        asyncio.run(work)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


async def find_server(url: str | None, key: str | None) -> tuple[str, str]:
    """The URL and key of the project. Raises NotRunning when none is named and none runs."""
    load_dotenv(".env")
    url = url or os.environ.get("SUPABASE_URL")
    key = key or os.environ.get("SUPABASE_KEY")
    if url and key:
        return url, key
    status = await read_status(find_home(None))
    if not status.ready:
        raise NotRunning(
            "No project is named, and no local stack runs.",
            "Set SUPABASE_URL and SUPABASE_KEY, or start one with 'parley up --detach'.",
        )
    return status.api_url, status.publishable_key


@asynccontextmanager
async def signed_in(
    url: str | None,
    key: str | None,
    email: str | None,
    password: str | None,
    store: Path,
    *,
    live: bool,
) -> AsyncIterator[Chat]:
    """An account's copy, in step. The session of the last time is used if there is one."""
    address, own_key = await find_server(url, key)
    async with Chat(address, own_key, store, live=live) as chat:
        if not chat.is_signed_in:
            if email is None and not os.isatty(0):
                raise SignInRequired(
                    f"Nobody is signed in with {store}.",
                    "Set PARLEY_EMAIL and PARLEY_PASSWORD, or run it in a terminal.",
                )
            await chat.sign_in(
                email or typer.prompt("Email", err=True),
                password or typer.prompt("Password", hide_input=True, err=True),
            )
        await fetch(chat)
        yield chat


async def fetch(chat: Chat) -> None:
    """Bring the copy up to date, with a bar when whole rooms have to be fetched."""
    syncing = asyncio.ensure_future(chat.sync())
    with Progress(
        TextColumn("Rooms"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=words,
        transient=True,
        disable=not words.is_terminal,
    ) as bars:
        bar = bars.add_task("Rooms", total=None)
        while not syncing.done():
            fetched, known = chat.progress()
            bars.update(bar, completed=fetched, total=known or None)
            await asyncio.wait([syncing], timeout=WATCH_S)
    await syncing


def name_of(chat: Chat, room: Room) -> str:
    """What to call a room: its name, or the other person of a direct one."""
    if room.name is not None:
        return room.name
    for member in chat.members(room.id):
        if member.user_id != chat.me:
            return person(chat, member.user_id)
    return str(room.id)


def person(chat: Chat, user_id: UUID) -> str:
    """What to call somebody."""
    profile = chat.profile(user_id)
    return str(user_id) if profile is None else profile.display_name


def find_room(chat: Chat, word: str) -> Room:
    """The room with this id or name. Raises RoomNotFound, also when several have the name."""
    try:
        return chat.room(UUID(word))
    except ValueError:
        pass
    found = [each for each in chat.rooms(page_size=10_000) if name_of(chat, each) == word]
    if len(found) != 1:
        raise RoomNotFound(
            f"{len(found) or 'No'} rooms are called {word!r}.",
            "Name it by its id; 'parley tail --json' prints ids.",
        )
    return found[0]
