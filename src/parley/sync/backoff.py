"""How long to wait before the next try."""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass(slots=True)
class Backoff:
    """Waits that double from ``least_s`` to ``most_s``, each a random part of it.

    A random wait keeps a thousand clients that lost the same server from coming back as one.
    """

    least_s: float
    most_s: float
    chance: random.Random = field(default_factory=random.Random)
    _next_s: float = 0.0

    def next(self) -> float:
        """The next wait in seconds."""
        wait = max(self._next_s, self.least_s)
        self._next_s = min(wait * 2, self.most_s)
        return wait * self.chance.uniform(0.5, 1.0)

    @property
    def is_exhausted(self) -> bool:
        """Tell whether the waits have grown to the longest."""
        return self._next_s >= self.most_s

    def reset(self) -> None:
        """Begin again with short waits."""
        self._next_s = 0.0
