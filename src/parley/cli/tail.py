"""``parley tail``: what is said, as it is said."""

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
    run,
    words,
)
from parley.cli.rooms import find_room, name_of, person
from parley.client import Chat
from parley.errors import RoomNotFound
from parley.sync.shown import Message


def tail(
    room: Annotated[
        str | None, typer.Argument(help="The id or the name of a room; else all rooms.")
    ] = None,
    *,
    last: Annotated[int, typer.Option("--last", "-n", help="How many to begin with.")] = 10,
    follow: Annotated[bool, typer.Option(help="Go on until Ctrl-C.")] = True,
    as_json: AsJson = False,
    email: Email = None,
    password: Password = None,
    store: StorePath = DEFAULT_STORE,
    url: Url = None,
    key: Key = None,
) -> None:
    """Print messages of one room or of all, and follow.

    What waits to be sent is sent. Without a network the local copy is printed, and what comes once
    there is one.
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
    """Print the newest messages, then what comes."""
    async with account.chatting(live=follow) as chat:
        changes = chat.changes()
        is_fetched = await can_fetch(chat)
        if not is_fetched:
            words.print(f"The server does not answer; this is the copy in {account.store}.")
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
            for row in change.room_rows.messages:
                is_new = row.seq > highest.get(row.room_id, 0)
                if is_new and not change.is_fresh and only in (None, row.room_id):
                    highest[row.room_id] = row.seq
                    print_message(chat, Message.of(row), as_json)


def print_message(chat: Chat, message: Message, as_json: bool) -> None:
    """Print one line."""
    if as_json:
        sys.stdout.write(message.model_dump_json() + "\n")
    else:
        try:
            where = name_of(chat, chat.room(message.room_id))
        except RoomNotFound:
            where = str(message.room_id)
        time = f"{message.created_at.astimezone():%H:%M:%S}"
        body = message.body if message.kind == "text" else f"({message.body})"
        who = person(chat, message.sender_id)
        sys.stdout.write(f"{time} {where} · {who}: {printable(body)}\n")
    sys.stdout.flush()


def printable(body: str) -> str:
    """A body on one line, without what would move the cursor of a terminal."""
    return "".join(each if each.isprintable() else " " for each in body)
