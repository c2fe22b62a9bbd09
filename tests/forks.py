"""Processes that are forked from one which has imported the chat client: that takes two seconds."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys
from collections.abc import Mapping
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from parley.cli import main

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        "tests.chaos.sync_device",
        *(f"parley.cli.{name}" for name in ("people", "rooms", "send", "tail", "verify")),
    ]
)


class Command:
    """A running ``parley``, with as much of ``asyncio.subprocess.Process`` as tests ask for."""

    def __init__(
        self, process: BaseProcess, stdout: asyncio.StreamReader, stderr: asyncio.StreamReader
    ) -> None:
        self._process = process
        self.stdout = stdout
        self.stderr = stderr

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._process.terminate()

    async def wait(self) -> int:
        """Wait for the end; returns the exit code."""
        await asyncio.to_thread(self._process.join)
        return self._process.exitcode or 0

    async def communicate(self) -> tuple[int, str, str]:
        """Read to the end; returns the exit code, stdout and stderr."""
        out, error, code = await asyncio.gather(self.stdout.read(), self.stderr.read(), self.wait())
        return code, out.decode(), error.decode()


async def parley(words: tuple[str, ...], environment: Mapping[str, str]) -> Command:
    """Run ``parley`` with these words in a process of its own."""
    our_out, out = FORKS.Pipe(duplex=False)
    our_error, error = FORKS.Pipe(duplex=False)
    process = FORKS.Process(target=become_parley, args=(words, dict(environment), out, error))
    await asyncio.to_thread(process.start)
    out.close()
    error.close()
    return Command(process, await read_from(our_out), await read_from(our_error))


async def read_from(pipe: Connection) -> asyncio.StreamReader:
    """Return what reads a pipe as it is, and closes it."""
    reader = asyncio.StreamReader()
    file = os.fdopen(os.dup(pipe.fileno()), "rb")
    pipe.close()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), file
    )
    return reader


def become_parley(
    words: tuple[str, ...], environment: dict[str, str], out: Connection, error: Connection
) -> None:
    """Be the command: its arguments, environment and output."""
    os.dup2(out.fileno(), 1)
    os.dup2(error.fileno(), 2)
    # Those of the process that this one was forked from may be of a file, which can seek.
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["parley", *words]
    main()
