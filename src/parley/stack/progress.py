"""Who is told how a start goes. This one keeps it to itself."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


class Progress:
    """Is told of every step of a start, and of what the developer should know."""

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Surround a step of the start; several may run at the same time."""
        del name
        yield

    def warn(self, words: str) -> None:
        """Take a sentence that the developer should read."""
        del words
