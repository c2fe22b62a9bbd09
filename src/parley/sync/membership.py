"""Which people are members of a room, and which of them may post, as far as the copy knows.

On a live topic anybody may say anything about anybody, so that what is shown is held against this.
Of a large room the copy does not hold every member; people it does not know are not shown.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from datetime import UTC, datetime

from parley.sync.database import Database
from parley.sync.queries import query


class Membership:
    """Looks people up in the rows of the copy."""

    def __init__(
        self, database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._database = database
        self._clock = clock

    def members(self, room_id: str, user_ids: Collection[str]) -> frozenset[str]:
        """Those who are in the room; nobody in a closed direct room."""
        return frozenset(self._rows(room_id, user_ids))

    def posters(self, room_id: str, user_ids: Collection[str]) -> frozenset[str]:
        """Those who may post there now: neither readers nor muted, in a room that is open."""
        return frozenset(
            user_id
            for user_id, (role, muted_until, archived_at) in self._rows(room_id, user_ids).items()
            if role != "reader" and archived_at is None and not self._is_ahead(muted_until)
        )

    def _rows(
        self, room_id: str, user_ids: Collection[str]
    ) -> dict[str, tuple[str | None, str | None, str | None]]:
        if not user_ids:
            return {}
        values = {"room_id": room_id, "user_ids": json.dumps(list(user_ids))}
        return {
            row["user_id"]: (row["role"], row["muted_until"], row["archived_at"])
            for row in self._database.all(query("member_rights"), values)
        }

    def _is_ahead(self, time: str | None) -> bool:
        """Tell whether a time is still to come; one that cannot be read counts as such."""
        if time is None:
            return False
        try:
            return datetime.fromisoformat(time) > self._clock()
        except (TypeError, ValueError):
            return True
