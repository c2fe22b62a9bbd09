"""``parley send``: say something."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from parley.cli.account import (
    DEFAULT_STORE,
    Account,
    AsJson,
    Email,
    Key,
    Password,
    StorePath,
    Url,
    can_fetch,
    can_flush,
    fetch,
    run,
    words,
)
from parley.cli.rooms import find_room
from parley.client import Chat
from parley.errors import ParleyError, RoomNotFound
from parley.sync.shown import Message, Room


def send(
    room: Annotated[str, typer.Argument(help="The id or the name of a room, or of a person.")],
    body: Annotated[str, typer.Argument(help="What to say; '-' reads standard input.")],
    *,
    as_json: AsJson = False,
    email: Email = None,
    password: Password = None,
    store: StorePath = DEFAULT_STORE,
    url: Url = None,
    key: Key = None,
) -> None:
    """Send a message to a room and print the number it got.

    Without a network it waits in the local copy, and the next 'parley send' or 'parley tail' that
    reaches the server sends it.
    """
    text = sys.stdin.read().removesuffix("\n") if body == "-" else body
    run(send_one(room, text, as_json, Account(url, key, email, password, store)))


async def send_one(word: str, body: str, as_json: bool, account: Account) -> None:
    """Send, and wait for the answer while there is hope for one."""
    async with account.chatting(live=False) as chat:
        room = await known_room(chat, word)
        sent = await chat.send(room.id, body)
        is_done = await can_fetch(chat) and await can_flush(chat)
        message = find_message(chat, sent)
        if message.item_id is not None and message.state in ("failed", "discarded"):
            await chat.dismiss(message.item_id)
            raise ParleyError.named(message.reason)(
                f"The server refused it: {message.reason}.", "Nothing was sent."
            )
        if not is_done and message.seq is None:
            words.print(
                f"It waits in {account.store}: the server does not answer, or wants it later.\n"
                "The next 'parley send' or 'parley tail' that reaches the server sends it.",
                markup=False,
            )
        if as_json:
            sys.stdout.write(message.model_dump_json() + "\n")
        elif message.seq is not None:
            sys.stdout.write(f"{message.seq}\n")


async def known_room(chat: Chat, word: str) -> Room:
    """Find a room in the copy, else on the server. Raises RoomNotFound, Unreachable."""
    try:
        return find_room(chat, word)
    except RoomNotFound:
        await fetch(chat)
        return find_room(chat, word)


def find_message(chat: Chat, sent: Message) -> Message:
    """Find a message again, as it is shown now."""
    shown = reversed(chat.messages(sent.room_id))
    return next((each for each in shown if each.client_id == sent.client_id), sent)
