"""The server, the account and the local copy that a command of the chat client uses."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from dotenv import load_dotenv

from parley.cli.bars import shown_bars
from parley.client import Chat
from parley.errors import NotRunning, ParleyError, SignInRequired
from parley.stack.state import find_home
from parley.stack.status import read_status
from parley.sync.errors import OtherAccount, is_transient

DEFAULT_STORE = Path("chat.db")
WATCH_S = 0.05
PATIENCE_S = 30.0
"""How many seconds a command waits for the server before it goes on without it."""


@dataclass(frozen=True, slots=True)
class Account:
    """The options of a command; what is left out comes from .env, the environment or the stack."""

    url: str | None
    key: str | None
    email: str | None
    password: str | None
    store: Path

    async def find_server(self) -> tuple[str, str]:
        """Return URL and key of the named project, else of the local stack. Raises NotRunning."""
        load_dotenv(".env")
        url = self.url or os.environ.get("SUPABASE_URL")
        key = self.key or os.environ.get("SUPABASE_KEY")
        if url and key:
            return url, key
        with suppress(NotRunning):
            status = await read_status(find_home(None))
            # The local copy can be read while the stack is stopped.
            if status.ready or self.store.exists():
                return status.api_url, status.publishable_key
        raise NotRunning(
            "No Supabase project is named, and no local stack is running.",
            "Set SUPABASE_URL and SUPABASE_KEY, or start one with 'parley up --detach'.",
        )

    @asynccontextmanager
    async def chatting(self, *, live: bool) -> AsyncIterator[Chat]:
        """Open the local copy, and sign in if it holds no session from an earlier time."""
        url, key = await self.find_server()
        async with Chat(url, key, self.store, live=live) as chat:
            if self.email and chat.email and self.email.casefold() != chat.email.casefold():
                raise OtherAccount(
                    f"The local copy {self.store} is that of {chat.email}, not of {self.email}.",
                    "Name another file with --store, or leave out --email to use that account.",
                )
            if not chat.is_signed_in:
                if self.email is None and not os.isatty(0):
                    raise SignInRequired(
                        f"The local copy {self.store} is not signed in.",
                        "Set PARLEY_EMAIL and PARLEY_PASSWORD, or sign in from a terminal.",
                    )
                await chat.sign_in(
                    self.email or typer.prompt("Email", err=True),
                    self.password or typer.prompt("Password", hide_input=True, err=True),
                )
            yield chat


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a command until it ends or somebody presses Ctrl-C."""
    # The client logs a warning while it waits for the network; commands print a sentence instead.
    logging.getLogger("parley").setLevel(logging.ERROR)
    try:
        asyncio.run(work)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


async def fetch(chat: Chat) -> None:
    """Bring the local copy up to date; show a progress bar when whole rooms have to be fetched.

    Raises Unreachable, SignInRequired.
    """
    syncing = asyncio.ensure_future(chat.sync())
    is_new = chat.progress()[0] == 0
    with shown_bars() as report:
        while not syncing.done():
            await asyncio.wait([syncing], timeout=WATCH_S)
            fetched, known = chat.progress()
            is_new = is_new or fetched < known
            if is_new and known:
                report("Rooms", fetched, known)
    await syncing


async def can_fetch(chat: Chat) -> bool:
    """Fetch; return False when the server does not answer. Raises ParleyError when it refuses."""
    try:
        await fetch(chat)
    except ParleyError as error:
        if not is_transient(error):
            raise
        return False
    return True


async def can_flush(chat: Chat) -> bool:
    """Send the outbox; return False when something in it still waits. Raises SignInRequired."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            await chat.settled()
    except TimeoutError:
        return False
    return await can_fetch(chat)
