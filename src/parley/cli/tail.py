"""``parley tail``: what is said, as it is said."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from parley.cli.account import (
    DEFAULT_STORE,
    AsJson,
    Email,
    Key,
    Password,
    StorePath,
    Url,
    find_room,
    name_of,
    person,
    run,
    signed_in,
)
from parley.client import Chat
from parley.errors import RoomNotFound


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
    """Print messages of one room or of all, the newest last, and follow."""
    run(print_messages(room, last, follow, as_json, (url, key, email, password, store)))


async def print_messages(
    word: str | None,
    last: int,
    follow: bool,
    as_json: bool,
    account: tuple[str | None, str | None, str | None, str | None, Path],
) -> None:
    """Print the newest messages, then what comes."""
    async with signed_in(*account, live=follow) as chat:
        changes = chat.changes()
        only = None if word is None else find_room(chat, word).id
        rooms = [only] if only else [each.id for each in chat.rooms(page_size=last)]
        shown = [each.row for room_id in rooms for each in chat.messages(room_id, page_size=last)]
        shown.sort(key=lambda row: str(row["created_at"]))
        for row in shown[-last:] if last else []:
            print_message(chat, row, as_json)
        if not follow:
            return
        highest = {row["room_id"]: row["seq"] or 0 for row in shown}
        async for change in changes:
            for row in change.rows.get("messages", ()):
                is_new = row["seq"] > highest.get(row["room_id"], 0)
                if is_new and not change.is_fresh and only in (None, row["room_id"]):
                    highest[row["room_id"]] = row["seq"]
                    print_message(chat, row, as_json)


def print_message(chat: Chat, row: Mapping[str, Any], as_json: bool) -> None:
    """Print one line."""
    if as_json:
        sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
    else:
        try:
            where = name_of(chat, chat.room(row["room_id"]))
        except RoomNotFound:
            where = row["room_id"]
        time = str(row["created_at"])[11:19]
        body = str(row["body"]) if row["kind"] == "text" else f"({row['body']})"
        who = person(chat, str(row["sender_id"]))
        sys.stdout.write(f"{time} {where} · {who}: {printable(body)}\n")
    sys.stdout.flush()


def printable(body: str) -> str:
    """A body on one line, without what would move the cursor of a terminal."""
    return "".join(each if each.isprintable() else " " for each in body)
