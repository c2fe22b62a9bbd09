"""How far the copy goes: what it has of each stream, and of the messages of one room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from uuid import UUID

from parley import events


@dataclass(frozen=True, slots=True)
class CopyCursor:
    """What the copy has of the streams it asks about; None is nothing."""

    timeline: str | None
    user: int | None
    rooms: Mapping[str, int | None]
    first: Mapping[str, int] = field(default_factory=dict)
    """The first message of rooms that have unread ones before it, or may have."""
    uncounted: Set[str] = frozenset()
    """Rooms of which it is not known how many those are."""
    seen: str | None = None
    """The snapshot of the last answer."""

    def asking(self, window: int, limit: int) -> events.Cursor:
        """The argument of ``pull_changes``."""
        rooms = {UUID(room_id): rev for room_id, rev in self.rooms.items()}
        first = {UUID(room_id): seq for room_id, seq in self.first.items()}
        return events.Cursor(
            timeline=self.timeline,
            user=self.user,
            rooms=rooms,
            first=first,
            seen=self.seen,
            window=window,
            limit=limit,
        )

    def has_moved(self, after: CopyCursor) -> bool:
        """Tell whether a pull brought a stream further, or counted what is before one."""
        return (
            self.user != after.user
            or any(after.rooms.get(each, -1) != rev for each, rev in self.rooms.items())
            or bool(self.uncounted - after.uncounted)
        )


@dataclass(frozen=True, slots=True)
class Held:
    """What the copy has of a room: its number, its range, and seq and rev of each message."""

    rev: int | None
    first_seq: int
    messages: Sequence[tuple[int, int]]
