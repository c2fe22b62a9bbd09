"""``parley people`` and ``parley open``: find people, and open the room with one of them."""

from __future__ import annotations

from typing import Annotated

import typer
from pydantic_core import to_json

from parley.cli.account import DEFAULT_STORE, Account, can_fetch, fetch, run
from parley.cli.names import find_direct_room, find_person, name_of, other_people
from parley.cli.options import AsJson, Email, Key, Password, StorePath, Url
from parley.cli.terminal import on_one_line, put, tell
from parley.client import Chat
from parley.models import ProfilesRow
from parley.sync.view_models import Room
from parley.sync.words import fold_text, is_dense


def people(
    word: Annotated[
        str | None, typer.Argument(help="Beginning of a word of the name; everybody when left out.")
    ] = None,
    *,
    as_json: AsJson = False,
    email: Email = None,
    password: Password = None,
    store: StorePath = DEFAULT_STORE,
    url: Url = None,
    key: Key = None,
) -> None:
    """List the people whom the account knows, or look for somebody.

    People are known who share a room or a tenant with the account and are in the local copy. With
    a WORD the server is asked as well. Without a network only the local copy is searched.
    """
    run(print_people(word, as_json, Account(url, key, email, password, store)))


def open_(
    person: Annotated[str, typer.Argument(help="Id of a person, or the exact name.")],
    *,
    as_json: AsJson = False,
    email: Email = None,
    password: Password = None,
    store: StorePath = DEFAULT_STORE,
    url: Url = None,
    key: Key = None,
) -> None:
    """Open the direct room with a person, and print its id.

    Where the room exists already, it is found; without a network only if it is in the local copy.
    """
    run(print_direct_room(person, as_json, Account(url, key, email, password, store)))


async def print_people(word: str | None, as_json: bool, account: Account) -> None:
    """Print each person on a line: id and name."""
    async with account.chatting(live=False) as chat:
        is_fetched = await can_fetch(chat)
        if not is_fetched:
            tell(f"The server does not answer. These people are from the copy in {account.store}.")
        found = [each for each in chat.people() if word is None or is_called(each, word)]
        if word is not None and is_fetched:
            found += await chat.people_called(word)
        by_id = {each.user_id: each for each in other_people(chat, found)}
        for each in sorted(by_id.values(), key=lambda row: (row.display_name, row.user_id)):
            if as_json:
                line = {"user_id": each.user_id, "display_name": each.display_name}
                put(to_json(line).decode())
            else:
                put(on_one_line(f"{each.user_id} {each.display_name}"))


def is_called(profile: ProfilesRow, word: str) -> bool:
    """Tell whether a word of somebody's name begins like this."""
    name, begin = fold_text(profile.display_name), fold_text(word).strip()
    if not begin:
        return False
    # Of a script without spaces every character begins a word.
    return begin in name if is_dense(begin[0]) else f" {begin}" in f" {name}"


async def print_direct_room(word: str, as_json: bool, account: Account) -> None:
    """Find the room in the copy, else on the server, else open it; print its id."""
    async with account.chatting(live=False) as chat:
        room = await direct_room(chat, word)
        if as_json:
            put(to_json({"room_id": room.id, "name": name_of(chat, room)}).decode())
        else:
            put(str(room.id))


async def direct_room(chat: Chat, word: str) -> Room:
    """Return the room with this person. Raises UserNotFound, Unreachable."""
    known = find_direct_room(chat, word)
    if known is None:
        await fetch(chat)
        known = find_direct_room(chat, word)
    return known or await chat.open_direct(await find_person(chat, word))
