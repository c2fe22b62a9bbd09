"""The process of the front door, as the supervisor sees it."""

from __future__ import annotations

import sys

import aiohttp

from parley.stack.part import Part, Process
from parley.stack.state import State

START_SECONDS = 60.0


class FrontDoor:
    """Starts ``parley.stack.gateway`` for one stack."""

    def __init__(self, state: State, lite_port: int) -> None:
        self.state = state
        self.lite_port = lite_port

    async def begin(self, lock: int) -> Process:
        """Start the process and wait until it answers. Raises PartFailed."""
        part = Part(
            name="gateway",
            command=[
                *(sys.executable, "-m", "parley.stack.gateway"),
                *("--data", str(self.state.home), "--lite-port", str(self.lite_port)),
            ],
            log=self.state.log("gateway"),
            lock=lock,
            grace=5.0,
        )
        return await part.begin(self.answers, START_SECONDS)

    async def answers(self) -> bool:
        """Say whether the front door answers, whatever it says."""
        timeout = aiohttp.ClientTimeout(total=5)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.get(f"{self.state.api_url}/health"),
            ):
                return True
        except (aiohttp.ClientError, TimeoutError):
            return False
