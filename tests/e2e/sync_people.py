"""Ann, Bob, Cat and Dan with copies of their own, for the suites of sync."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from supabase import AsyncClientOptions, acreate_client

from parley.client import Chat
from parley.stack import Status

PASSWORD = "correct horse battery staple"
PATIENCE_S = 15.0


@dataclass(frozen=True)
class Account:
    """Somebody who has signed up."""

    name: str
    email: str
    user_id: str


async def sign_up(stack: Status, name: str) -> Account:
    """Open an account through Auth."""
    email = f"{name.lower()}-{uuid4()}@parley.example"
    client = await acreate_client(
        stack.api_url, stack.publishable_key, AsyncClientOptions(auto_refresh_token=False)
    )
    answer = await client.auth.sign_up(
        {"email": email, "password": PASSWORD, "options": {"data": {"display_name": name}}}
    )
    assert answer.user is not None
    return Account(name, email, answer.user.id)


async def until(condition: Callable[[], Any], within_s: float = PATIENCE_S) -> None:
    """Wait until something is so; fails when it is not in time."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


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


def bodies(chat: Chat, room_id: Any) -> list[str]:
    """What people said in a room, as it is shown."""
    return [each.body for each in chat.messages(room_id) if each.kind == "text"]
