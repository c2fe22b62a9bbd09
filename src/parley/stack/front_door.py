"""The process of the front door, as the supervisor sees it."""

from __future__ import annotations

import sys

import aiohttp

from parley.stack.part import Part, Process
from parley.stack.state import State

START_SECONDS = 60.0


class FrontDoor:
    """Starts ``parley.stack.gateway`` for one stack; a port of 0 means that it lacks the part."""

    def __init__(
        self,
        state: State,
        lite_port: int,
        functions_port: int,
        replica_port: int,
        file_bytes: int,
    ) -> None:
        self.state = state
        self.lite_port = lite_port
        self.functions_port = functions_port
        self.replica_port = replica_port
        self.file_bytes = file_bytes

    async def begin(self, lock: int) -> Process:
        """Start the process and wait until it answers. Raises PartFailed."""
        part = Part(
            name="gateway",
            command=[
                *(sys.executable, "-m", "parley.stack.gateway"),
                *("--data", str(self.state.home), "--lite-port", str(self.lite_port)),
                *("--functions-port", str(self.functions_port)),
                *("--replica-port", str(self.replica_port)),
                *("--file-bytes", str(self.file_bytes)),
            ],
            log=self.state.log("gateway"),
            lock=lock,
            grace=5.0,
        )
        return await part.begin(self.answers, START_SECONDS)

    async def answers(self) -> bool:
        """Whether the front door answers, with any status."""
        timeout = aiohttp.ClientTimeout(total=5)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.get(f"{self.state.api_url}/health"),
            ):
                return True
        except (aiohttp.ClientError, TimeoutError):
            return False
