"""What is on screen: rooms that are listened to, who types there and who is there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from parley.sync.copy import Id
from parley.sync.deeds import Deeds
from parley.sync.live import Live
from parley.sync.outbox import utc_now


class Screen(Deeds):
    """A copy whose rooms can be looked at together. Without a connection nobody is seen."""

    def __init__(
        self,
        store: Path | str,
        *,
        acknowledge: bool = True,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """As ``Deeds``."""
        super().__init__(store, acknowledge=acknowledge, clock=clock)
        self._live: Live | None = None

    @property
    def is_live(self) -> bool:
        """Tell whether changes arrive by themselves now."""
        return self._live is not None and self._live.is_live

    @property
    def topics(self) -> frozenset[str]:
        """The topics that are listened to now."""
        return frozenset() if self._live is None else self._live.topics

    def open(self, room_id: Id) -> None:
        """Show a room: listen to its topics, too, until ``leave_screen``."""
        if self._live is not None:
            self._live.open(str(room_id))

    def leave_screen(self, room_id: Id) -> None:
        """The room is not shown any more."""
        if self._live is not None:
            self._live.close(str(room_id))

    async def typing(self, room_id: Id) -> None:
        """Tell an open room that we are typing; call it with every key."""
        if self._live is not None:
            await self._live.typing(str(room_id))

    def typists(self, room_id: Id) -> frozenset[str]:
        """Who typed in an open room within the last six seconds."""
        return frozenset() if self._live is None else self._live.typists(str(room_id))

    def present(self, room_id: Id) -> frozenset[str]:
        """Who has an open room on screen, as their devices say."""
        return frozenset() if self._live is None else self._live.present(str(room_id))
