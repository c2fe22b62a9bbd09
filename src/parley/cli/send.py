"""``parley send``: say something."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from parley.cli.account import (
    DEFAULT_STORE,
    AsJson,
    Email,
    Key,
    Password,
    RoomWord,
    StorePath,
    Url,
    find_room,
    run,
    signed_in,
)
from parley.errors import ParleyError, Unreachable

PATIENCE_S = 30.0


def send(
    room: RoomWord,
    body: Annotated[str, typer.Argument(help="What to say; '-' reads standard input.")],
    *,
    as_json: AsJson = False,
    email: Email = None,
    password: Password = None,
    store: StorePath = DEFAULT_STORE,
    url: Url = None,
    key: Key = None,
) -> None:
    """Send a message to a room and print the number it got."""
    text = sys.stdin.read() if body == "-" else body
    run(send_one(room, text, as_json, (url, key, email, password, store)))


async def send_one(
    word: str,
    body: str,
    as_json: bool,
    account: tuple[str | None, str | None, str | None, str | None, Path],
) -> None:
    """Send and wait for the answer."""
    async with signed_in(*account, live=False) as chat:
        room = find_room(chat, word)
        client_id = (await chat.send(room.id, body)).client_id
        try:
            async with asyncio.timeout(PATIENCE_S):
                await chat.settled()
                await chat.sync()
        except TimeoutError:
            raise Unreachable(
                "The server did not answer; the message waits in the outbox.",
                "It is sent when this copy is used again, for example by 'parley tail'.",
            ) from None
        message = next(
            each for each in reversed(chat.messages(room.id)) if each.client_id == client_id
        )
        if message.item_id is not None and message.state == "failed":
            await chat.dismiss(message.item_id)
            raise ParleyError.named(message.reason)(
                f"The server refused it: {message.reason}.", "Nothing was sent."
            )
        text = message.model_dump_json() if as_json else str(message.seq)
        sys.stdout.write(text + "\n")
