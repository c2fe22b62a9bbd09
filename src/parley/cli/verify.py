"""``parley verify``: is the local copy what the server has?"""

from __future__ import annotations

import sys

import typer
from pydantic_core import to_json

from parley.cli.account import (
    DEFAULT_STORE,
    Account,
    AsJson,
    Email,
    Key,
    Password,
    StorePath,
    Url,
    fetch,
    run,
)
from parley.cli.rooms import ALL_ROOMS, name_of


def verify(
    *,
    as_json: AsJson = False,
    email: Email = None,
    password: Password = None,
    store: StorePath = DEFAULT_STORE,
    url: Url = None,
    key: Key = None,
) -> None:
    """Compare the copy with the checksums of the server.

    Exits 1 when one differs.
    """
    run(compare(as_json, Account(url, key, email, password, store)))


async def compare(as_json: bool, account: Account) -> None:
    """Compare and print."""
    async with account.chatting(live=False) as chat:
        await fetch(chat)
        differences = await chat.verify()
        rooms = chat.rooms(page_size=ALL_ROOMS)
        if as_json:
            report = to_json({"rooms": len(rooms), "different": differences})
            sys.stdout.write(report.decode() + "\n")
        else:
            for each in differences:
                name = name_of(chat, chat.room(each.room_id))
                sys.stdout.write(f"✗ {name}: here {each.here}, there {each.there}\n")
            sys.stdout.write(f"{len(rooms) - len(differences)} of {len(rooms)} rooms agree.\n")
    if differences:
        raise typer.Exit(1)
