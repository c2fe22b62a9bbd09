"""Ann, Bob, Cat and Dan with copies of their own, for the suites of sync."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from supabase import AsyncClientOptions, acreate_client

from parley.client import Chat
from parley.stack import Status

PASSWORD = "correct horse battery staple"
PATIENCE_S = 60.0
"""How long Auth may take, which hashes passwords: a loaded machine is slow, and not broken."""


@dataclass(frozen=True)
class Account:
    """Somebody who has signed up."""

    name: str
    email: str
    user_id: str


async def sign_up(stack: Status, name: str) -> Account:
    """Open an account through Auth."""
    email = f"{name.lower()}-{uuid4()}@parley.example"
    async with httpx.AsyncClient(timeout=PATIENCE_S) as http:
        client = await acreate_client(
            stack.api_url,
            stack.publishable_key,
            AsyncClientOptions(auto_refresh_token=False, httpx_client=http),
        )
        answer = await client.auth.sign_up(
            {"email": email, "password": PASSWORD, "options": {"data": {"display_name": name}}}
        )
    assert answer.user is not None
    return Account(name, email, answer.user.id)


@asynccontextmanager
async def chatting(
    stack: Status, account: Account, store: Path, **options: Any
) -> AsyncIterator[Chat]:
    """A signed-in device of somebody."""
    async with Chat(stack.api_url, stack.publishable_key, store, **options) as chat:
        if not chat.is_signed_in:
            await chat.sign_in(account.email, PASSWORD)
        await chat.sync()
        yield chat


def change_session(store: Path, **changes: Any) -> None:
    """Change the session in the file of a device that is closed, as time or an editor would."""
    with closing(sqlite3.connect(store)) as file, file:
        for name, value in changes.items():
            file.execute(
                "update account set session = json_set(session, ?, ?)", (f"$.{name}", value)
            )


def change_account(store: Path, **changes: str) -> None:
    """Change what the file of a device that is closed says of its account."""
    with closing(sqlite3.connect(store)) as file, file:
        for name, value in changes.items():
            file.execute(f"update account set {name} = ?", (value,))


def bodies(chat: Chat, room_id: Any) -> list[str]:
    """What people said in a room, as it is shown."""
    return [each.body for each in chat.messages(room_id) if each.kind == "text"]
