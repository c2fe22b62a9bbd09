"""The interface through which a start reports its steps; this one reports nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


class Progress:
    """Is called for every step of a start and for every warning. Subclasses show them."""

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """A context manager around one step; several steps may run at the same time."""
        del name
        yield

    def warn(self, words: str) -> None:
        """Report a sentence that the developer should read."""
        del words
