"""How a start is shown: spinners on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Self

from rich.console import Console
from rich.progress import Progress as Bars
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

from parley.stack.progress import Progress


class TerminalProgress(Progress):
    """A line per step, with a spinner while it lasts. Used as a context manager."""

    def __init__(self, console: Console) -> None:
        self._bars = Bars(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=console,
        )

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Show a step while it lasts."""
        task = self._bars.add_task(name, total=1)
        yield
        self._bars.advance(task)

    def warn(self, words: str) -> None:
        """Print a sentence above the steps."""
        self._bars.console.print(words, style="yellow", markup=False)


class LineProgress(Progress):
    """A line per finished step."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Print how long a step took."""
        start = time.monotonic()
        yield
        self._console.print(f"{name}: {time.monotonic() - start:.1f} s", markup=False)

    def warn(self, words: str) -> None:
        """Print a sentence."""
        self._console.print(words, markup=False)


@contextlib.contextmanager
def shown_progress(console: Console) -> Iterator[Progress]:
    """Show a start on this console in the way that suits it."""
    if console.is_terminal:
        with TerminalProgress(console) as progress:
            yield progress
    else:
        yield LineProgress(console)
