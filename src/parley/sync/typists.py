"""Who typed just now in a room: forgotten after six seconds, and never more than a screen needs."""

from __future__ import annotations

import time
from collections.abc import Callable

TYPING_LASTS_S = 6.0
MOST_TYPISTS = 50


class Typists:
    """The people who typed in one room on screen, the one who typed last at the end."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._typed: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._typed)

    def note(self, user_id: str) -> None:
        """Somebody typed; of too many, those who typed longest ago are forgotten."""
        self._typed.pop(user_id, None)
        self._typed[user_id] = self._clock()
        self._forget_old()
        while len(self) > MOST_TYPISTS:
            del self._typed[next(iter(self._typed))]

    @property
    def people(self) -> frozenset[str]:
        """Who typed within the last six seconds."""
        self._forget_old()
        return frozenset(self._typed)

    def _forget_old(self) -> None:
        now = self._clock()
        while self._typed and now - self._typed[first := next(iter(self._typed))] >= TYPING_LASTS_S:
            del self._typed[first]
