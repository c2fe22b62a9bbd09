"""``parley tail``: prints messages as they arrive."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from parley.cli.account import DEFAULT_STORE, Account, can_fetch, can_flush, run
from parley.cli.names import find_room, name_of, person
from parley.cli.options import AsJson, Email, Key, Password, StorePath, Url
from parley.cli.terminal import on_one_line, put, tell
from parley.client import Chat
from parley.errors import RoomNotFound
from parley.sync.view_models import Message


def tail(
    room: Annotated[
        str | None, typer.Argument(help="Id or name of a room; all rooms when left out.")
    ] = None,
    *,
    last: Annotated[
        int, typer.Option("--last", "-n", min=0, help="How many earlier messages to print first.")
    ] = 10,
    follow: Annotated[bool, typer.Option(help="Print new messages until Ctrl-C.")] = True,
    as_json: AsJson = False,
    email: Email = None,
    password: Password = None,
    store: StorePath = DEFAULT_STORE,
    url: Url = None,
    key: Key = None,
) -> None:
    """Print the messages of one room or of all rooms.

    It goes on with new ones until Ctrl-C. Messages that wait in the local copy are sent. Without a
    network it prints the local copy, and new messages as soon as the server can be reached.
    """
    account = Account(url, key, email, password, store)
    run(print_messages(room, last, follow, as_json, account))


async def print_messages(
    word: str | None,
    last: int,
    follow: bool,
    as_json: bool,
    account: Account,
) -> None:
    """Print the newest messages, then new ones as they arrive."""
    async with account.chatting(live=follow) as chat:
        changes = chat.changes()
        is_fetched = await can_fetch(chat)
        if not is_fetched:
            tell(
                f"The server does not answer. These messages are from the copy in {account.store}."
            )
        elif not follow:
            await can_flush(chat)
        only = None if word is None else find_room(chat, word).id
        rooms = [only] if only else [each.id for each in chat.rooms(page_size=last)]
        shown = [each for room_id in rooms for each in chat.messages(room_id, page_size=last)]
        shown.sort(key=lambda message: message.created_at)
        for message in shown[-last:] if last else []:
            print_message(chat, message, as_json)
        if not follow:
            return
        highest = {message.room_id: message.seq or 0 for message in shown}
        async for change in changes:
            if change.fault is not None:
                tell(str(change.fault))
            for row in change.room_rows.messages:
                is_new = row.seq > highest.get(row.room_id, 0)
                if is_new and not change.is_fresh and only in (None, row.room_id):
                    highest[row.room_id] = row.seq
                    print_message(chat, Message.of(row), as_json)


def print_message(chat: Chat, message: Message, as_json: bool) -> None:
    """Print one message on a line."""
    if as_json:
        put(message.model_dump_json())
    else:
        try:
            where = name_of(chat, chat.room(message.room_id))
        except RoomNotFound:
            where = str(message.room_id)
        time = f"{as_local(message.created_at):%Y-%m-%d %H:%M:%S}"
        body = message.body if message.kind == "text" else f"({message.body})"
        body = (
            "(This version of Parley cannot read the message.)" if message.is_unreadable else body
        )
        sender = person(chat, message.sender_id)
        put(on_one_line(f"{time} {where} · {sender}: {body}"))


def as_local(time: datetime) -> datetime:
    """Return a time in the zone of this machine, or as it is where Python cannot convert it."""
    try:
        return time.astimezone()
    except (OverflowError, OSError, ValueError):
        return time
