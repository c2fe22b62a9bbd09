"""Starting a stack in the background, stopping it and deleting it, from another process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from parley.errors import PartFailed, StackError, StateUnusable
from parley.stack.account import cluster_folder
from parley.stack.lock import hold_parts_lock, hold_supervisor_lock, is_supervised
from parley.stack.state import State, refusal
from parley.stack.status import Status, read_record, read_status

START_SECONDS = 180.0
STOP_SECONDS = 40.0
POLL_SECONDS = 0.05
STATE_FILES = (
    *("stack.json", "functions.json", "running.json", "migrations.json"),
    *("lock", "parts", ".gitignore"),
)
STATE_FOLDERS = ("logs", "lite", "replica-lite", "cli", "postgres")


async def start_detached(home: Path, arguments: Sequence[str]) -> Status:
    """Run ``parley up`` with these arguments in the background and wait until it is ready.

    Its output goes to ``logs/supervisor.log``. When the start fails, its last output is raised as
    StackError.
    """
    log = home / "logs" / "supervisor.log"
    child, start = spawn(home, arguments, log)
    deadline = asyncio.get_running_loop().time() + START_SECONDS
    while child.poll() is None:
        state = State.load(home)
        record = read_record(state) if state else {}
        if record.get("pid") == child.pid and record.get("ready"):
            return await read_status(home)
        if asyncio.get_running_loop().time() > deadline:
            child.terminate()
            raise PartFailed(
                f"The stack was not ready within {START_SECONDS:.0f} s.", f"Read {log}."
            )
        await asyncio.sleep(POLL_SECONDS)
    words = log.read_bytes()[start:].decode(errors="replace").strip().splitlines()
    detail, hint = words[-2:] if len(words) > 1 else ("The stack ended at once.", f"Read {log}.")
    raise StackError(detail, hint)


def spawn(home: Path, arguments: Sequence[str], log: Path) -> tuple[subprocess.Popen[bytes], int]:
    """Start ``parley up``; return the process and the offset in the log where its output begins."""
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        output = log.open("ab")
    except OSError as error:
        raise refusal(home, error) from error
    with output:
        child = subprocess.Popen(
            [sys.executable, "-m", "parley.cli", "up", "--data", str(home), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        return child, output.tell()


async def stop(home: Path) -> bool:
    """Stop the stack of a folder and wait until it is gone; False when none runs.

    Raises PartFailed when it does not stop.
    """
    deadline = asyncio.get_running_loop().time() + STOP_SECONDS
    was_running = is_supervised(home)
    asked: int | None = None
    while is_supervised(home):
        state = State.load(home)
        pid = read_record(state).get("pid") if state else None
        if pid is not None and pid != asked:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            asked = pid
        if asyncio.get_running_loop().time() > deadline:
            raise PartFailed(
                f"The stack in {home} did not stop within {STOP_SECONDS:.0f} s.",
                f"Its supervisor is process {asked}; 'kill -9 {asked}' stops it and all its parts.",
            )
        await asyncio.sleep(POLL_SECONDS)
    return was_running


async def remove(home: Path) -> None:
    """Delete the files of a stopped stack, and nothing else.

    Raises AlreadyRunning, StateUnusable.
    """
    with hold_supervisor_lock(home):
        async with hold_parts_lock(home):
            delete_files(home)


def delete_files(home: Path) -> None:
    """Delete what a stack made, and its folder if nothing else is in it. Raises StateUnusable."""
    try:
        for folder in (cluster_folder(home), *(home / name for name in STATE_FOLDERS)):
            if folder.exists():
                shutil.rmtree(folder)
        for name in STATE_FILES:
            (home / name).unlink(missing_ok=True)
        if not any(home.iterdir()):
            home.rmdir()
    except OSError as error:
        raise StateUnusable(
            f"{error.filename or home} cannot be deleted: {error.strerror}.",
            "Delete it as the user who started the stack.",
        ) from error
