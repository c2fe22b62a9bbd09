"""What rooms and people are called on the command line."""

from __future__ import annotations

from uuid import UUID

from parley.errors import RoomNotFound
from parley.sync.copy import Copy
from parley.sync.shown import Room

ALL_ROOMS = 1_000_000


def name_of(copy: Copy, room: Room) -> str:
    """What to call a room: its name, or the other person of a direct one."""
    if room.name is not None:
        return room.name
    for member in copy.members(room.id):
        if member.user_id != copy.me:
            return person(copy, member.user_id)
    return str(room.id)


def person(copy: Copy, user_id: UUID) -> str:
    """What to call somebody."""
    profile = copy.profile(user_id)
    return str(user_id) if profile is None else profile.display_name


def find_room(copy: Copy, word: str) -> Room:
    """The room with this id or name. Raises RoomNotFound, also when several have the name."""
    try:
        return copy.room(UUID(word))
    except ValueError:
        found = [each for each in copy.rooms(page_size=ALL_ROOMS) if name_of(copy, each) == word]
    if len(found) != 1:
        raise RoomNotFound(
            f"{len(found) or 'No'} rooms are called {word!r}.",
            "Name it by its id; 'parley tail --json' prints ids.",
        )
    return found[0]
