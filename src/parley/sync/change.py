"""What the copy did not show before, for whoever shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from parley.events import RoomRows, UserRows
from parley.sync.kinds import as_model
from parley.sync.steps import Rows


@dataclass(frozen=True, slots=True)
class Change:
    """Something the copy did not show before. ``room_id`` is None for the own stream.

    ``is_gone`` tells that the room left the copy, ``is_fresh`` that the new rows replaced all there
    was. ``raw`` are those rows as they came; ``room_rows`` and ``user_rows`` are their models.
    """

    room_id: UUID | None
    raw: Rows = field(default_factory=dict)
    is_gone: bool = False
    is_fresh: bool = False

    @property
    def room_rows(self) -> RoomRows:
        """The new rows of the room; none of the own stream. Raises StoreUnusable."""
        return as_model(RoomRows, {} if self.room_id is None else self.raw)

    @property
    def user_rows(self) -> UserRows:
        """The new rows of the own stream; none of a room. Raises StoreUnusable."""
        return as_model(UserRows, self.raw if self.room_id is None else {})
