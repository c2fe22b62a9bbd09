"""Progress bars on stderr, or nothing where stderr is not a terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from parley.cli.terminal import console, on_one_line


@contextlib.contextmanager
def shown_bars() -> Iterator[Callable[[str, int, int], None]]:
    """Yield a function that takes a step's name, how much of it is done, and how much there is."""
    bars = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    tasks = {}
    with bars:

        def report(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(on_one_line(step), total=total)
            bars.update(tasks[step], completed=done, total=total)

        yield report
