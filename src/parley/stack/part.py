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

GUARD = Path(__file__).with_name("guard.py")
POLL_SECONDS = 0.02


@dataclass
class Part:
    """A command that runs until it is stopped. ``grace`` is in seconds."""

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    account: Account = field(default_factory=lambda: Account(None, None))
    stop_signal: signal.Signals = signal.SIGTERM
    grace: float = 10.0
    pid: int | None = field(default=None, init=False)
    _guard: asyncio.subprocess.Process | None = field(default=None, init=False)

    async def start(self) -> None:
        """Start the process. Raises PartFailed when it cannot be started at all."""
        identity = [] if self.account.uid is None else [
            "--as", str(self.account.uid), str(self.account.gid)
        ]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._guard = await asyncio.create_subprocess_exec(
                sys.executable, "-I", str(GUARD), *identity,
                str(int(self.stop_signal)), str(self.grace), *self.command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
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

    async def until(self, ready: Callable[[], Awaitable[bool]], seconds: float) -> None:
        """Wait for ``ready``. Raises PartFailed when the process ends or the time is over."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not await ready():
            if not self.is_running:
                raise self.failure("ended while it was starting")
            if asyncio.get_running_loop().time() > deadline:
                raise self.failure(f"was not ready within {seconds:.0f} s")
            await asyncio.sleep(POLL_SECONDS)

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
