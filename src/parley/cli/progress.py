"""Shows how far a start is: with spinners on a terminal, in plain lines elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Self

from rich.progress import Progress as Bars
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

from parley.cli.terminal import console, safe, tell
from parley.stack.progress import Progress


class TerminalProgress(Progress):
    """Shows a line per step, with a spinner while it runs. Use it as a context manager."""

    def __init__(self) -> None:
        self._bars = Bars(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}", markup=False),
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
        """Show a step while it runs."""
        task = self._bars.add_task(name, total=1)
        yield
        self._bars.advance(task)

    def warn(self, words: str) -> None:
        """Print a sentence above the steps."""
        console.print(safe(words), style="yellow")


class LineProgress(Progress):
    """Prints a line per finished step."""

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Print how long a step took."""
        start = time.monotonic()
        yield
        tell(f"{name}: {time.monotonic() - start:.1f} s")

    def warn(self, words: str) -> None:
        """Print a sentence."""
        tell(words)


@contextlib.contextmanager
def shown_progress() -> Iterator[Progress]:
    """Show a start on stderr: with spinners if that is a terminal, else in lines."""
    if console.is_terminal:
        with TerminalProgress() as progress:
            yield progress
    else:
        yield LineProgress()
