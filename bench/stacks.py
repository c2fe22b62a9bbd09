"""Where benchmarks run: in clones of a database that is named, or in a stack of their own."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from bench.databases import Clones, cloned
from parley.stack import Stack, Status
from parley.stack.control import remove

ROOT = Path(__file__).parent.parent

Found = TypeVar("Found")


def in_clones(url: str | None, measure: Callable[[Clones], Found]) -> Found:
    """Measure in clones of a database, or of one in a stack of its own."""

    def run(url: str) -> Found:
        with cloned(url) as clones:
            return measure(clones)

    return run(url) if url else asyncio.run(run_in_own_stack(lambda status: run(status.db_url)))


async def run_in_own_stack(run: Callable[[Status], Found]) -> Found:
    """Run a benchmark in a stack of its own, before REST and Realtime start and cost anything."""
    outcomes = []

    async def before_services(stack: Stack) -> None:
        outcomes.append(await asyncio.to_thread(run, stack.status))

    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder:
        stack = Stack(Path(folder), port=0, db_port=0, project=ROOT)
        try:
            await stack.up(before_services)
        finally:
            await stack.down()
            await remove(Path(folder))
    return outcomes[0]
