"""How long to wait before something is tried or done again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Backoff:
    """Waits that double from ``least_s`` to ``most_s``, each a random part of it.

    A random wait keeps a thousand clients that lost the same server from coming back as one.
    """

    least_s: float
    most_s: float
    rng: random.Random = field(default_factory=random.Random)
    _next_s: float = 0.0

    def next(self) -> float:
        """The next wait in seconds."""
        wait = max(self._next_s, self.least_s)
        self._next_s = min(wait * 2, self.most_s)
        return wait * self.rng.uniform(0.5, 1.0)

    @property
    def is_exhausted(self) -> bool:
        """Tell whether the waits have grown to the longest."""
        return self._next_s >= self.most_s

    def reset(self) -> None:
        """Begin again with short waits."""
        self._next_s = 0.0


class Throttle:
    """Does something at once, and then at most once in ``least_s``, however often it is asked."""

    def __init__(self, act: Callable[[], None], least_s: float) -> None:
        self._act = act
        self._least_s = least_s
        self._timer: asyncio.TimerHandle | None = None
        self._was_asked = False

    def ask(self) -> None:
        """Do it now, or when its time has come."""
        if self._timer is not None:
            self._was_asked = True
            return
        self._act()
        self._timer = asyncio.get_running_loop().call_later(self._least_s, self._end_wait)

    def _end_wait(self) -> None:
        self._timer = None
        if self._was_asked:
            self._was_asked = False
            self.ask()
