"""Keeps parts running: a part that ends is started again, after a growing pause."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from parley.stack.part import Process

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
STEADY_SECONDS = 10.0

logger = logging.getLogger(__name__)


class Health(StrEnum):
    """How a part is doing."""

    READY = "ready"
    RESTARTING = "restarting"
    STOPPED = "stopped"


@dataclass
class Watch:
    """A part under supervision."""

    begin: Callable[[], Awaitable[Process]]
    process: Process
    health: Health = Health.READY
    restarts: int = 0


class Supervisor:
    """Starts parts, restarts those that end, stops all. ``changed`` is called on every change."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self.watches: dict[str, Watch] = {}
        self._changed = changed
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def keep(self, begin: Callable[[], Awaitable[Process]]) -> None:
        """Start a part with ``begin``, which returns it ready, and keep it running."""
        process = await begin()
        name = process.part.name
        watch = self.watches[name] = Watch(begin, process)
        self._tasks[name] = asyncio.create_task(self._mind(watch), name=name)
        self._changed()

    async def stop(self, *names: str) -> None:
        """Stop these parts at the same time and forget them."""
        known = [name for name in names if name in self.watches]
        for name in known:
            self._tasks[name].cancel()
        await asyncio.gather(*(self._tasks[name] for name in known), return_exceptions=True)
        await asyncio.gather(*(self.watches[name].process.stop() for name in known))
        for name in known:
            del self.watches[name], self._tasks[name]
        self._changed()

    async def _mind(self, watch: Watch) -> None:
        clock = asyncio.get_running_loop().time
        pause = FIRST_PAUSE_SECONDS
        while True:
            started = clock()
            code = await watch.process.wait()
            logger.warning(
                "%s ended with code %s and is started again", watch.process.part.name, code
            )
            watch.health = Health.RESTARTING
            self._changed()
            if clock() - started > STEADY_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            while watch.health is not Health.READY:
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
                try:
                    watch.process = await watch.begin()
                except Exception as error:
                    # Try again after any error: giving up would leave the stack without this part.
                    logger.warning("%s was not started: %s", watch.process.part.name, error)
                else:
                    watch.health = Health.READY
                    watch.restarts += 1
            self._changed()
