"""Who speaks on the command line: which server, which account, which local copy."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from dotenv import load_dotenv
from rich.console import Console

from parley.cli.bars import shown_bars
from parley.client import Chat
from parley.errors import NotRunning, ParleyError, SignInRequired
from parley.stack.state import find_home
from parley.stack.status import read_status
from parley.sync.remote import is_transient

words = Console(stderr=True, soft_wrap=True, highlight=False)

Url = Annotated[
    str | None,
    typer.Option(envvar="SUPABASE_URL", help="The project; else the local stack."),
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

DEFAULT_STORE = Path("chat.db")
WATCH_S = 0.05
PATIENCE_S = 30.0
"""How long the server may take before a command does without it."""


@dataclass(frozen=True, slots=True)
class Account:
    """What the options say; what they leave out is looked for."""

    url: str | None
    key: str | None
    email: str | None
    password: str | None
    store: Path

    async def find_server(self) -> tuple[str, str]:
        """The URL and key of the project. Raises NotRunning when none is named and none is here."""
        load_dotenv(".env")
        url = self.url or os.environ.get("SUPABASE_URL")
        key = self.key or os.environ.get("SUPABASE_KEY")
        if url and key:
            return url, key
        with suppress(NotRunning):
            status = await read_status(find_home(None))
            # A copy can be used without its server.
            if status.ready or self.store.exists():
                return status.api_url, status.publishable_key
        raise NotRunning(
            "No project is named, and no local stack runs.",
            "Set SUPABASE_URL and SUPABASE_KEY, or start one with 'parley up --detach'.",
        )

    @asynccontextmanager
    async def chatting(self, *, live: bool) -> AsyncIterator[Chat]:
        """An account's copy, signed in. The session of the last time is used if there is one."""
        url, key = await self.find_server()
        async with Chat(url, key, self.store, live=live) as chat:
            if not chat.is_signed_in:
                if self.email is None and not os.isatty(0):
                    raise SignInRequired(
                        f"Nobody is signed in with {self.store}.",
                        "Set PARLEY_EMAIL and PARLEY_PASSWORD, or run it in a terminal.",
                    )
                await chat.sign_in(
                    self.email or typer.prompt("Email", err=True),
                    self.password or typer.prompt("Password", hide_input=True, err=True),
                )
            yield chat


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a command until it ends or Ctrl-C."""
    # A client that waits for the network says so in the log; a command says it in words.
    logging.getLogger("parley").setLevel(logging.ERROR)
    try:
        asyncio.run(work)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


async def fetch(chat: Chat) -> None:
    """Bring the copy up to date, with a bar when whole rooms have to be fetched.

    Raises Unreachable, SignInRequired.
    """
    syncing = asyncio.ensure_future(chat.sync())
    is_new = chat.progress()[0] == 0
    with shown_bars(words) as report:
        while not syncing.done():
            await asyncio.wait([syncing], timeout=WATCH_S)
            fetched, known = chat.progress()
            is_new = is_new or fetched < known
            if is_new and known:
                report("Rooms", fetched, known)
    await syncing


async def can_fetch(chat: Chat) -> bool:
    """Fetch; False when the server does not answer. Raises what it refuses."""
    try:
        await fetch(chat)
    except ParleyError as error:
        if not is_transient(error):
            raise
        return False
    return True


async def can_flush(chat: Chat) -> bool:
    """Bring the outbox to the server; False when something still waits. Raises SignInRequired."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            await chat.settled()
    except TimeoutError:
        return False
    return await can_fetch(chat)
