"""How much is asked for at once: less after a failure, and more again after each success.

A pull that fails is repeated smaller: fewer rows, smaller windows, fewer rooms, at last one room at
a time. A room that fails alone while the server answers without it is deferred: it is tried again
now and then, by itself, and holds up no other.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from parley.errors import ParleyError
from parley.sync.backoff import Backoff

ROOMS_MOST = 1000
ROWS_MOST = 5000
HALVINGS_MOST = 12
ROOMS_FALL = 4
"""Rooms are halved this often for each time that rows are, so that one bad room is soon alone."""
DEFERRED_LEAST_S = 1.0
DEFERRED_MOST_S = 300.0


@dataclass(slots=True)
class BatchSize:
    """A share of what is asked for at best."""

    halvings: int = 0

    def of(self, most: int) -> int:
        """What is left of a size, at least 1."""
        return max(1, most >> self.halvings)

    @property
    def rooms(self) -> int:
        """How many rooms one pull may name."""
        return max(1, ROOMS_MOST >> self.halvings * ROOMS_FALL)

    @property
    def rows(self) -> int:
        """About how many rows one answer may bring."""
        return self.of(ROWS_MOST)

    def shrink(self) -> None:
        """Ask for less from now on."""
        self.halvings = min(self.halvings + 1, HALVINGS_MOST)

    def grow(self) -> None:
        """Ask for more from now on."""
        self.halvings = max(self.halvings - 1, 0)


@dataclass(slots=True)
class Deferred:
    """A room that failed alone: how much is asked of it, when it is due, and what went wrong."""

    size: BatchSize
    wait: Backoff
    error: ParleyError | None = None
    due: float = 0.0


class Batches:
    """Which rooms are asked for together, and how much of them. Times are those of the loop."""

    def __init__(self, rng: random.Random, rooms_most: int = ROOMS_MOST) -> None:
        self._rng = rng
        self._rooms_most = rooms_most
        self._all = BatchSize()
        self._deferred: dict[str, Deferred] = {}

    @property
    def error(self) -> ParleyError | None:
        """Why a room is not here, if one is set aside."""
        return next((each.error for each in self._deferred.values() if each.error), None)

    @property
    def due(self) -> float | None:
        """When the next room that is set aside is to be tried; None when there is none."""
        return min((each.due for each in self._deferred.values()), default=None)

    def is_due(self, stream: str | None, now: float) -> bool:
        """Tell whether a stream may be asked for; the own one always may."""
        deferred = None if stream is None else self._deferred.get(stream)
        return deferred is None or deferred.due <= now

    def retain(self, behind: Collection[str | None]) -> None:
        """Forget what is not behind any more, or gone."""
        self._deferred = {
            each: deferred for each, deferred in self._deferred.items() if each in behind
        }

    def try_all(self) -> None:
        """Let the rooms that are deferred be tried at once."""
        for each in self._deferred.values():
            each.due = 0.0

    def choose(self, rooms: Sequence[str]) -> tuple[list[str], BatchSize]:
        """The rooms of the next pull, and how much of them: deferred ones come last and alone."""
        sound = [each for each in rooms if each not in self._deferred]
        if sound or not rooms:
            return sound[: min(self._all.rooms, self._rooms_most)], self._all
        return [rooms[0]], self._deferred[rooms[0]].size

    def succeed(self, rooms: Sequence[str], size: BatchSize) -> None:
        """A pull of these rooms came and was applied."""
        size.grow()
        deferred = self._deferred.get(rooms[0]) if rooms else None
        if deferred is not None and deferred.size is size:
            deferred.error, deferred.due = None, 0.0
            deferred.wait.reset()

    def fail(self, rooms: Sequence[str], size: BatchSize) -> bool:
        """A pull failed. Tells whether the fault may be that of one room."""
        is_alone = len(rooms) == 1 and (size.rooms == 1 or size is not self._all)
        size.shrink()
        return is_alone

    def defer(self, room_id: str, error: ParleyError, now: float) -> None:
        """Try a room again later, by itself."""
        deferred = self._deferred.get(room_id)
        if deferred is None:
            wait = Backoff(DEFERRED_LEAST_S, DEFERRED_MOST_S, self._rng)
            deferred = self._deferred[room_id] = Deferred(BatchSize(self._all.halvings), wait)
        deferred.error, deferred.due = error, now + deferred.wait.next()
