"""Names of rooms and people on the command line."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

from parley.client import Chat
from parley.errors import RoomNotFound, UserNotFound
from parley.models import ProfilesRow
from parley.sync.view_models import Room

ALL_ROOMS = 1_000_000


def name_of(chat: Chat, room: Room) -> str:
    """Return the name of a room, or of the other person in a direct room."""
    if room.name is not None:
        return room.name
    other = other_in(chat, room)
    return str(room.id) if other is None else person(chat, other)


def other_in(chat: Chat, room: Room) -> UUID | None:
    """Return whom a room without a name is shared with, as far as the copy knows."""
    others = (each.user_id for each in chat.members(room.id) if each.user_id != chat.me)
    return next(others, None)


def person(chat: Chat, user_id: UUID) -> str:
    """Return the display name of a person, or the id where the copy has no profile."""
    profile = chat.profile(user_id)
    return str(user_id) if profile is None else profile.display_name


def find_room(chat: Chat, word: str) -> Room:
    """Return the room with this id or name. Raises RoomNotFound, also when several match."""
    try:
        return chat.room(UUID(word))
    except ValueError:
        found = [each for each in chat.rooms(page_size=ALL_ROOMS) if name_of(chat, each) == word]
    if len(found) != 1:
        raise RoomNotFound(
            f"{len(found) or 'No'} rooms are called “{word}”.",
            "Give the id of the room instead; 'parley rooms' prints the ids.",
        )
    return found[0]


def find_direct_room(chat: Chat, word: str) -> Room | None:
    """Return the direct room in the copy with the only person who has this id or name, if any."""
    found = []
    for room in chat.rooms(page_size=ALL_ROOMS):
        if room.row is not None and room.row.kind == "direct":
            other = other_in(chat, room)
            if other is not None and word in (str(other), person(chat, other)):
                found.append(room)
    return found[0] if len(found) == 1 else None


async def find_person(chat: Chat, word: str) -> UUID:
    """Return the id of the person with exactly this name, as the server knows them, or this id.

    Raises UserNotFound, also when several people have the name, and Unreachable.
    """
    with suppress(ValueError):
        return UUID(word)
    called = await chat.people_called(word)
    found = [each for each in other_people(chat, called) if each.display_name == word]
    if len(found) != 1:
        raise UserNotFound(
            f"{len(found) or 'No'} people are called “{word}”.",
            "Give the id of the person instead; 'parley people' prints the ids.",
        )
    return found[0].user_id


def other_people(chat: Chat, profiles: list[ProfilesRow]) -> list[ProfilesRow]:
    """Leave out this account itself, and people whose account is closed."""
    return [each for each in profiles if each.closed_at is None and each.user_id != chat.me]
