"""``parley verify``: is the local copy what the server has?"""

from __future__ import annotations

import sys
from pathlib import Path

import typer
from pydantic_core import to_json

from parley.cli.account import (
    DEFAULT_STORE,
    AsJson,
    Email,
    Key,
    Password,
    StorePath,
    Url,
    name_of,
    run,
    signed_in,
)


def verify(
    *,
    as_json: AsJson = False,
    email: Email = None,
    password: Password = None,
    store: StorePath = DEFAULT_STORE,
    url: Url = None,
    key: Key = None,
) -> None:
    """Compare the checksum of every room with the server's; exit 1 if one differs."""
    run(compare(as_json, (url, key, email, password, store)))


async def compare(
    as_json: bool, account: tuple[str | None, str | None, str | None, str | None, Path]
) -> None:
    """Compare and print."""
    async with signed_in(*account, live=False) as chat:
        differences = await chat.verify()
        rooms = chat.rooms(page_size=1_000_000)
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
