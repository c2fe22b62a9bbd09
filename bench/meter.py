"""What one connection costs: processor time, which others on the machine hardly change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

WARM_UP = 2


def processor_ms(backend_pid: int) -> float:
    """Return the processor time that the server process of a connection took so far."""
    return int(Path(f"/proc/{backend_pid}/schedstat").read_text().split()[0]) / 1e6


def in_turns(
    candidates: dict[str, tuple[int, Callable[[], object]]], rounds: int
) -> list[dict[str, float]]:
    """Return the milliseconds that each candidate cost in each round, every other round backwards.

    A candidate is the process of its connection and what to do with it. A machine that slows down
    for a while slows all of them down. Some rounds before the first one do not count.
    """
    found = []
    for number in range(WARM_UP + rounds):
        costs = {}
        names = list(candidates)
        for name in names if number % 2 == 0 else reversed(names):
            backend_pid, do = candidates[name]
            before = processor_ms(backend_pid)
            do()
            costs[name] = processor_ms(backend_pid) - before
        found.append({name: costs[name] for name in names})
    return found[WARM_UP:]
