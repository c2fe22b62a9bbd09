"""``parley send``: sends one message."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from parley.cli.account import DEFAULT_STORE, Account, can_fetch, can_flush, fetch, run
from parley.cli.names import find_person, find_room
from parley.cli.options import AsJson, Email, Key, Password, StorePath, Url
from parley.cli.terminal import put, tell
from parley.client import Chat
from parley.errors import InvalidInput, ParleyError, RoomNotFound, UserNotFound
from parley.sync.view_models import Message, Room


def send(
    room: Annotated[str, typer.Argument(help="Id or name of a room or a person.")],
    body: Annotated[
        str, typer.Argument(help="Text of the message; '-' reads standard input.")
    ] = "",
    *,
    file: Annotated[
        Path | None, typer.Option("--file", help="A file to send with it.", show_default=False)
    ] = None,
    as_json: AsJson = False,
    email: Email = None,
    password: Password = None,
    store: StorePath = DEFAULT_STORE,
    url: Url = None,
    key: Key = None,
) -> None:
    """Send a message to a room or a person, and print its number.

    A direct room that does not exist yet is opened. Without a network the message waits in the
    local copy, and the next 'parley send' or 'parley tail' that reaches the server sends it. So
    does a file, of which the copy keeps the bytes.
    """
    text = sys.stdin.read().removesuffix("\n") if body == "-" else body
    if not text.strip() and file is None:
        raise InvalidInput("There is nothing to send.", "Give a text that is not blank, or --file.")
    run(send_one(room, text, file, as_json, Account(url, key, email, password, store)))


async def send_one(
    word: str, body: str, file: Path | None, as_json: bool, account: Account
) -> None:
    """Send, and wait for the server's answer unless it cannot be reached."""
    async with account.chatting(live=False) as chat:
        room = await known_room(chat, word)
        if file is None:
            sent = await chat.send(room.id, body)
        else:
            sent = await chat.attach(room.id, file, body=body)
        is_done = await can_fetch(chat) and await can_flush(chat)
        message = find_message(chat, sent)
        if message.item_id is not None and message.state in ("failed", "discarded"):
            await chat.dismiss(message.item_id)
            kind = ParleyError.named(message.reason)
            words_of_kind = (kind.__doc__ or message.reason).splitlines()[0]
            raise kind(f"The server refused it: {words_of_kind}", "Nothing was sent.")
        if not is_done and message.seq is None:
            tell(
                f"It waits in {account.store}: the server did not answer, or asked to try later.\n"
                "The next 'parley send' or 'parley tail' that reaches the server sends it."
            )
        if as_json:
            put(message.model_dump_json())
        elif message.seq is not None:
            put(f"{message.seq}")


async def known_room(chat: Chat, word: str) -> Room:
    """Find a room in the copy, else on the server, else open a direct room with a person.

    Raises RoomNotFound, Unreachable.
    """
    try:
        return find_room(chat, word)
    except RoomNotFound:
        await fetch(chat)
    try:
        return find_room(chat, word)
    except RoomNotFound as error:
        with suppress(UserNotFound):
            return await chat.open_direct(await find_person(chat, word))
        raise error


def find_message(chat: Chat, sent: Message) -> Message:
    """Return the present state of a message that was sent."""
    shown = reversed(chat.messages(sent.room_id))
    return next((each for each in shown if each.client_id == sent.client_id), sent)
