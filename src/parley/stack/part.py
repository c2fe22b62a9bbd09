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

from parley.errors import DiskFull, PartFailed
from parley.stack.account import Account
from parley.stack.state import refusal

GUARD = Path(__file__).with_name("guard.py")
POLL_SECONDS = 0.02


@dataclass
class Part:
    """A command that runs until it is stopped. ``grace`` is in seconds.

    ``lock`` is the descriptor of the parts' lock, which the process inherits.
    """

    name: str
    command: Sequence[str]
    log: Path
    lock: int
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    account: Account = field(default_factory=Account)
    stop_signal: signal.Signals = signal.SIGTERM
    grace: float = 10.0
    pid: int | None = field(default=None, init=False)
    _guard: asyncio.subprocess.Process | None = field(default=None, init=False)

    async def start(self) -> None:
        """Start the process. Raises PartFailed when it cannot be started at all."""
        try:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            log = self.log.open("ab")
        except OSError as error:
            raise refusal(self.log.parent, error) from error
        uid, gid = self.account.uid, self.account.gid
        with log:
            self._guard = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", str(GUARD)),
                *("-" if uid is None else str(uid), "-" if gid is None else str(gid)),
                *(str(self.lock), str(int(self.stop_signal)), str(self.grace)),
                *self.command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                pass_fds=(self.lock,),
                env={**os.environ, **self.environment},
                cwd=self.folder,
                start_new_session=True,
            )
        assert self._guard.stdout is not None
        line = await self._guard.stdout.readline()
        if not line.strip():
            raise self.failure("could not be started")
        self.pid = int(line)

    @property
    def is_running(self) -> bool:
        """Say whether the process has been started and has not ended."""
        return self._guard is not None and self._guard.returncode is None

    async def wait(self) -> int:
        """Wait until the process ends and return its exit code."""
        assert self._guard is not None
        code = await self._guard.wait()
        if code < 0 and self.pid is not None:
            # Somebody killed the guard, so nobody else stops what it guarded.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        return code

    async def stop(self) -> None:
        """Stop the process and wait for its end; harmless when it does not run."""
        if self._guard is None:
            return
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        await self.wait()

    async def begin(self, ready: Callable[[], Awaitable[bool]], seconds: float) -> Part:
        """Start the process, wait for ``ready``, and return this part.

        Raises PartFailed when the process ends or the time is over; it does not run then.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + seconds
        try:
            await self.start()
            while not await ready():
                if not self.is_running:
                    raise self.failure("ended while it was starting")
                if clock() > deadline:
                    raise self.failure(f"was not ready within {seconds:.0f} s")
                await asyncio.sleep(POLL_SECONDS)
        except BaseException:
            await self.stop()
            raise
        return self

    def failure(self, reason: str) -> PartFailed | DiskFull:
        """Describe a failure of this part with the last line of its log."""
        last = last_line(self.log)
        if "No space left on device" in last:
            return DiskFull(
                f"{self.name} {reason}: the disk is full.", "Free some space, then start again."
            )
        words = f"{self.name} {reason}: {last}" if last else f"{self.name} {reason}."
        return PartFailed(words, f"Read {self.log}, or run 'parley doctor'.")


def last_line(log: Path) -> str:
    """Return the last line of a log that says something."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
