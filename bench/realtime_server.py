"""Our Realtime in a process of its own, so that what it costs can be told from its clients.

``python -m bench.realtime_server DATABASE_URL`` prints its port and serves until its standard input
closes.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import jwt
from aiohttp import web

from parley.realtime import Realtime, RealtimeSettings

ROOT = Path(__file__).parent.parent
SECRET = "a secret of this benchmark, which nobody else uses"  # noqa: S105
KEY = "sb_publishable_bench"
FILES = 10_000
START_S = 30


def make_token(role: str, user_id: str | None = None) -> str:
    """Make an access token as Auth issues them, for a day."""
    now = int(time.time())
    claims = {"aud": role, "role": role, "iat": now, "exp": now + 86_400}
    return jwt.encode(claims | ({"sub": user_id} if user_id else {}), SECRET, algorithm="HS256")


@contextmanager
def many_files() -> Iterator[None]:
    """Let this process open many sockets."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = FILES if hard == resource.RLIM_INFINITY else min(hard, FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
    yield


async def serve(url: str) -> None:
    """Serve until standard input closes."""
    settings = RealtimeSettings(
        database_url=url,
        jwt_secret=SECRET,
        api_keys={KEY: make_token("anon")},
        slot="parley_bench",
    )
    realtime, app = Realtime(settings), web.Application()
    realtime.add_routes(app)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
    await realtime.start()
    while not realtime.ready:  # noqa: ASYNC110 (it has no event for this)
        await asyncio.sleep(0.05)
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(commands), sys.stdin
    )
    await commands.read()
    await realtime.stop()
    await runner.cleanup()


@dataclass(frozen=True)
class Served:
    """A server in another process."""

    url: str
    pid: int


@asynccontextmanager
async def served(url: str) -> AsyncIterator[Served]:
    """Serve a database from another process for a while. The URL is one of a superuser."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.realtime_server",
        url,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdin is not None  # noqa: S101 (it is a pipe)
    assert process.stdout is not None  # noqa: S101
    try:
        async with asyncio.timeout(START_S):
            port = int(await process.stdout.readline())
        yield Served(f"http://127.0.0.1:{port}", process.pid)
    finally:
        process.stdin.close()
        try:
            async with asyncio.timeout(START_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


if __name__ == "__main__":
    with many_files():
        asyncio.run(serve(sys.argv[1]))
