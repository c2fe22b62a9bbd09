"""Waking the functions that work for the database, as pg_net and pg_cron do in a hosted project."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress

import aiohttp

from parley.stack.paths import FUNCTIONS
from parley.stack.state import State

SWEEP_S = 60.0
ANSWER_S = 150.0

logger = logging.getLogger(__name__)


class Waker:
    """Calls one function through the front door every minute, and when it is told to.

    The secret is ``PUSH_SECRET`` and its header ``x-push-secret`` where the work is called push; it
    does nothing while ``supabase/functions/.env`` does not set it.
    """

    def __init__(self, state: State, function: str, work: str) -> None:
        self._state = state
        self._function = function
        self._work = work
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Note that there is work. Calls are gathered while the function is at work."""
        self._news.set()

    def start(self) -> None:
        """Begin, if the project has a secret for the function."""
        secret = self._secret()
        if secret:
            self._task = asyncio.create_task(self._run(secret), name=f"{self._work} waker")

    async def stop(self) -> None:
        """End, in the middle of a call if need be."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def _secret(self) -> str | None:
        try:
            settings = json.loads((self._state.home / "functions.json").read_text())
        except (OSError, ValueError):
            return None
        secret: str | None = settings["environment"].get(f"{self._work.upper()}_SECRET")
        return secret

    async def _run(self, secret: str) -> None:
        url = f"{self._state.api_url}{FUNCTIONS}/{self._function}"
        headers = {f"x-{self._work}-secret": secret}
        timeout = aiohttp.ClientTimeout(total=ANSWER_S)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), SWEEP_S)
                self._news.clear()
                try:
                    async with session.post(url, headers=headers) as answer:
                        if answer.status != 200:
                            logger.warning("%s answered %s", self._function, answer.status)
                except (aiohttp.ClientError, TimeoutError) as error:
                    logger.warning("%s did not answer: %s", self._function, error)
