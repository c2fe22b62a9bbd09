"""Two file locks of a state folder: one for the supervisor, one shared by its parts.

Every part inherits an open, locked descriptor. The second lock is therefore free exactly when no
part of an earlier run is left, even if its supervisor was killed or process ids were used again.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from parley.errors import AlreadyRunning, PartFailed
from parley.stack.state import refusal

LEAVE_SECONDS = 10.0
POLL_SECONDS = 0.05


@contextlib.contextmanager
def hold_supervisor_lock(home: Path) -> Iterator[None]:
    """Hold the folder for one supervisor. Raises AlreadyRunning, StateUnusable."""
    with open_lock(home, "lock") as lock:
        if not try_lock(lock, fcntl.LOCK_EX):
            raise AlreadyRunning(
                f"A stack already runs from {home}.",
                "Use it ('parley status'), stop it ('parley down'), or choose another --data.",
            )
        yield


def is_supervised(home: Path) -> bool:
    """Say whether a supervisor runs from this folder."""
    if not (home / "lock").exists():
        return False
    with open_lock(home, "lock") as lock:
        return not try_lock(lock, fcntl.LOCK_SH)


@contextlib.asynccontextmanager
async def hold_parts_lock(home: Path) -> AsyncIterator[int]:
    """Wait until no part of an earlier run is left; yield a descriptor for the parts to inherit.

    Parts that a killed supervisor and a killed guard left behind are killed after some seconds.
    Raises PartFailed when they stay all the same.
    """
    with open_lock(home, "parts") as lock:
        for last_words in (kill_leftovers, lambda _: None):
            deadline = asyncio.get_running_loop().time() + LEAVE_SECONDS
            while not (free := try_lock(lock, fcntl.LOCK_EX)):
                if asyncio.get_running_loop().time() > deadline:
                    last_words(home)
                    break
                await asyncio.sleep(POLL_SECONDS)
            if free:
                fcntl.flock(lock, fcntl.LOCK_SH)
                yield lock
                return
    raise PartFailed(
        f"Parts of an earlier run still use {home}.",
        "Stop them (their ids are in running.json there), then start again.",
    )


def kill_leftovers(home: Path) -> None:
    """Kill the process groups that the last supervisor recorded."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        for part in json.loads((home / "running.json").read_text())["parts"].values():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(int(part["pid"]), signal.SIGKILL)


@contextlib.contextmanager
def open_lock(home: Path, name: str) -> Iterator[int]:
    """Open a lock file, made when absent. Raises StateUnusable."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(home / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise refusal(home, error) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def try_lock(descriptor: int, kind: int) -> bool:
    """Take a lock if nobody else holds it."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
