"""Rate counters, which count as the hosted server does.

A rate is the average of up to twelve ticks of five seconds, so a burst of a few seconds stays under
the limit and a minute at the same speed does not.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from parley.realtime.settings import Limits

TICK_S = 5.0
TICKS = 12

Clock = Callable[[], float]


class Rate:
    """Events a second, and their limit. With None as its limit it counts nothing."""

    __slots__ = ("_clock", "_open", "_since", "_ticks", "limit")

    def __init__(self, limit: float | None, clock: Clock = time.monotonic) -> None:
        self.limit = limit
        self._clock = clock
        self._since = clock()
        self._open = 0
        self._ticks: deque[int] = deque(maxlen=TICKS - 1)

    def add(self, count: int = 1) -> None:
        """Count events at this moment."""
        if self.limit is not None:
            self._turn()
            self._open += count

    @property
    def average(self) -> float:
        """Events a second, averaged over the finished ticks and the current one."""
        self._turn()
        return (sum(self._ticks) + self._open) / (TICK_S * (len(self._ticks) + 1))

    @property
    def exceeded(self) -> bool:
        """Whether the average has reached the limit."""
        return self.limit is not None and self.average >= self.limit

    def _turn(self) -> None:
        elapsed = int((self._clock() - self._since) / TICK_S)
        for _ in range(min(elapsed, TICKS)):
            self._ticks.append(self._open)
            self._open = 0
        self._since += elapsed * TICK_S


class Allowance:
    """At most ``limit`` calls within a window of time, which starts with the first call."""

    __slots__ = ("_calls", "_clock", "_ends", "_limit", "_window_s")

    def __init__(self, limit: int | None, window_s: float, clock: Clock = time.monotonic) -> None:
        self._limit = limit
        self._window_s = window_s
        self._clock = clock
        self._ends = -float("inf")
        self._calls = 0

    def take(self) -> bool:
        """Count one call; False when the window's calls are used up."""
        now = self._clock()
        if now > self._ends:
            self._ends, self._calls = now + self._window_s, 0
        if self._limit is not None and self._calls >= self._limit:
            return False
        self._calls += 1
        return True


class Meters:
    """The three rates that one server limits."""

    def __init__(self, limits: Limits, clock: Clock = time.monotonic) -> None:
        self.joins = Rate(limits.joins_per_second, clock)
        self.events = Rate(limits.events_per_second, clock)
        self.presence = Rate(limits.presence_per_second, clock)
