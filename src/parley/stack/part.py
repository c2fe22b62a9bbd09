"""One process of the stack, started through its guard and logged to a file of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from parley.errors import DiskFull, PartFailed
from parley.stack.account import Account
from parley.stack.state import refusal

GUARD = Path(__file__).with_name("guard.py")
POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Part:
    """What to run. ``lock`` is the descriptor of the parts' lock; ``grace`` is in seconds."""

    name: str
    command: Sequence[str]
    log: Path
    lock: int
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    account: Account = field(default_factory=Account)
    stop_signal: signal.Signals = signal.SIGTERM
    grace: float = 10.0

    async def begin(self, ready: Callable[[], Awaitable[bool]], seconds: float) -> Process:
        """Start the process and wait for ``ready``.

        Raises PartFailed when the process ends or the time is over; the process is stopped then.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + seconds
        process = await self._start()
        try:
            while not await ready():
                if process.has_ended:
                    raise self.failure("ended while it was starting")
                if clock() > deadline:
                    raise self.failure(f"was not ready within {seconds:.0f} s")
                await asyncio.sleep(POLL_SECONDS)
        except BaseException:
            await process.stop()
            raise
        return process

    async def _start(self) -> Process:
        try:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            log = self.log.open("ab")
        except OSError as error:
            raise refusal(self.log.parent, error) from error
        uid, gid = self.account.uid, self.account.gid
        leash_end, leash = os.pipe()
        try:
            with log:
                guard = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-I", str(GUARD)),
                    *("-" if uid is None else str(uid), "-" if gid is None else str(gid)),
                    *(str(self.lock), str(int(self.stop_signal)), str(self.grace)),
                    *self.command,
                    stdin=leash_end,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=log,
                    pass_fds=(self.lock,),
                    env={**os.environ, **self.environment},
                    cwd=self.folder,
                    start_new_session=True,
                )
        except BaseException:
            os.close(leash)
            raise
        finally:
            os.close(leash_end)
        line = await cast(asyncio.StreamReader, guard.stdout).readline()
        if not line.strip():
            os.close(leash)
            raise self.failure("could not be started")
        return Process(self, guard, leash, int(line))

    def failure(self, reason: str) -> PartFailed | DiskFull:
        """Describe a failure of this part with the last line of its log."""
        last = last_line(self.log)
        if "No space left on device" in last:
            return DiskFull(
                f"{self.name} {reason}: the disk is full.", "Free some space, then start again."
            )
        words = f"{self.name} {reason}: {last}" if last else f"{self.name} {reason}."
        return PartFailed(words, f"Read {self.log}, or run 'parley doctor'.")


class Process:
    """A started part. ``pid`` is the process itself, not its guard."""

    def __init__(self, part: Part, guard: asyncio.subprocess.Process, leash: int, pid: int) -> None:
        self.part = part
        self.pid = pid
        self._guard = guard
        self._leash: int | None = leash

    @property
    def has_ended(self) -> bool:
        """Say whether the process is gone."""
        return self._guard.returncode is not None

    async def wait(self) -> int:
        """Wait until the process ends and return its exit code."""
        code = await self._guard.wait()
        if code < 0:
            # The guard was killed, so the process has to be stopped here.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        self._let_go()
        return code

    async def stop(self) -> None:
        """Stop the process and wait for its end."""
        self._let_go()
        await self.wait()

    def _let_go(self) -> None:
        if self._leash is not None:
            os.close(self._leash)
            self._leash = None


def last_line(log: Path) -> str:
    """Return the last line of a log that is not empty."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
