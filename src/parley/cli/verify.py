"""``parley verify``: tells whether the local copy is what the server has."""

from __future__ import annotations

import typer
from pydantic_core import to_json

from parley.cli.account import DEFAULT_STORE, Account, fetch, run
from parley.cli.names import ALL_ROOMS, name_of
from parley.cli.options import AsJson, Email, Key, Password, StorePath, Url
from parley.cli.terminal import on_one_line, put
from parley.sync.checksum import Difference


def verify(
    *,
    as_json: AsJson = False,
    email: Email = None,
    password: Password = None,
    store: StorePath = DEFAULT_STORE,
    url: Url = None,
    key: Key = None,
) -> None:
    """Compare the local copy with the server, room by room.

    The checksums of the messages are compared. Exits 1 when a room differs.
    """
    run(compare(as_json, Account(url, key, email, password, store)))


async def compare(as_json: bool, account: Account) -> None:
    """Compare, print the rooms that differ, and count those that agree."""
    async with account.chatting(live=False) as chat:
        await fetch(chat)
        differences = await chat.verify()
        rooms = chat.rooms(page_size=ALL_ROOMS)
        if as_json:
            report = to_json({"rooms": len(rooms), "different": differences})
            put(report.decode())
        else:
            for each in differences:
                name = name_of(chat, chat.room(each.room_id))
                put(on_one_line(f"✗ {name}: {described(each)}"))
            put(f"{len(rooms) - len(differences)} of {len(rooms)} rooms agree.")
    if differences:
        raise typer.Exit(1)


def described(difference: Difference) -> str:
    """Return a sentence that tells how a room differs."""
    (rev, count, _), (server_rev, server_count, _) = difference.here, difference.there
    if (rev, count) == (server_rev, server_count):
        return f"The copy has {count} messages like the server, but not the same ones."
    return (
        f"The copy has {count} messages and is at number {rev}; "
        f"the server has {server_count} and is at number {server_rev}."
    )
