"""A Realtime server in a process of its own, for measurements.

``python -m tests.e2e.realtime_server DATABASE_URL SLOT`` prints its port and serves until its
standard input closes.
"""

from __future__ import annotations

import asyncio
import gc
import resource
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from parley.realtime import Realtime, RealtimeSettings
from tests.e2e.realtime_stack import KEY, SECRET, make_token, numbers
from tests.until import until

ROOT = Path(__file__).parent.parent.parent


def allow_many_files() -> None:
    """Raise the limit of open files as far as it goes, sensibly."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 10_000 if hard == resource.RLIM_INFINITY else min(hard, 10_000)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


async def serve(url: str, slot: str) -> None:
    """Serve until standard input closes; a line on it collects garbage and is answered."""
    settings = RealtimeSettings(
        database_url=url,
        jwt_secret=SECRET,
        api_keys={KEY: make_token("anon", lasts_s=10**8)},
        slot=slot,
    )
    realtime, app = Realtime(settings), web.Application()
    realtime.add_routes(app)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
    await realtime.start()
    await until(lambda: realtime.ready)
    say(str(runner.addresses[0][1]))
    loop = asyncio.get_running_loop()
    commands = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while await commands.readline():
        say(str(gc.collect()))
    await realtime.stop()
    await runner.cleanup()


def say(line: str) -> None:
    """Print at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@dataclass
class ServerProcess:
    """A server in another process."""

    url: str
    process: asyncio.subprocess.Process

    async def resident_bytes(self) -> int:
        """How much memory it holds, after it has collected its garbage."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(b"collect\n")
        await self.process.stdout.readline()
        ps = await asyncio.create_subprocess_exec(
            "ps", "-o", "rss=", "-p", str(self.process.pid), stdout=asyncio.subprocess.PIPE
        )
        said, _ = await ps.communicate()
        return int(said) * 1024


@asynccontextmanager
async def served(url: str, slot: str = "") -> AsyncIterator[ServerProcess]:
    """Serve a database from another process for a while."""
    allow_many_files()
    slot = slot or f"of_measurements_{next(numbers)}"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.e2e.realtime_server",
        url,
        slot,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(30):
            port = int(await process.stdout.readline())
        yield ServerProcess(f"http://127.0.0.1:{port}", process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(15):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


if __name__ == "__main__":
    allow_many_files()
    asyncio.run(serve(sys.argv[1], sys.argv[2]))
