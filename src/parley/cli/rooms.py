"""``parley rooms``: lists the rooms of the account."""

from __future__ import annotations

from pydantic_core import to_json

from parley.cli.account import DEFAULT_STORE, Account, can_fetch, run
from parley.cli.names import ALL_ROOMS, name_of
from parley.cli.options import AsJson, Email, Key, Password, StorePath, Url
from parley.cli.terminal import on_one_line, put, tell


def rooms(
    *,
    as_json: AsJson = False,
    email: Email = None,
    password: Password = None,
    store: StorePath = DEFAULT_STORE,
    url: Url = None,
    key: Key = None,
) -> None:
    """List the rooms of the account, with what is unread in them.

    A direct room has the name of the other person. Pinned rooms come first, then those with the
    newest messages. Counts end at 100. Without a network it lists the rooms of the local copy.
    """
    run(print_rooms(as_json, Account(url, key, email, password, store)))


async def print_rooms(as_json: bool, account: Account) -> None:
    """Print each room on a line: its id, its name, and how much is unread or a mention."""
    async with account.chatting(live=False) as chat:
        if not await can_fetch(chat):
            tell(f"The server does not answer. These rooms are from the copy in {account.store}.")
        for room in chat.rooms(page_size=ALL_ROOMS):
            name = name_of(chat, room)
            if as_json:
                line = {
                    "room_id": room.id,
                    "name": name,
                    "unread": room.unread,
                    "mentions": room.mentions,
                }
                put(to_json(line).decode())
            else:
                counts = f"{room.unread} unread, {counted(room.mentions, 'mention')}"
                put(on_one_line(f"{room.id} {name} · {counts}"))


def counted(count: int, word: str) -> str:
    """Return a count with its word, in the plural where that is right."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
