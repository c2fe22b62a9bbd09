"""How every suite waits: it asks again until something is so, and fails when time is up."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any

PATIENCE_S = 15.0
PAUSE_S = 0.005


async def until(condition: Callable[[], Any], within_s: float = PATIENCE_S) -> Any:
    """Ask until the answer, awaited where it has to be, is true, and return it.

    Raises TimeoutError when it is not in time.
    """
    async with asyncio.timeout(within_s):
        while True:
            answer = condition()
            if inspect.isawaitable(answer):
                answer = await answer
            if answer:
                return answer
            await asyncio.sleep(PAUSE_S)


def until_blocking(condition: Callable[[], Any], within_s: float = PATIENCE_S) -> Any:
    """Do the same in a test without an event loop."""
    deadline = time.monotonic() + within_s
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"it was not so within {within_s} s")
        time.sleep(PAUSE_S)
    return answer
