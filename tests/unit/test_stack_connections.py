"""Idle connections make place for new ones, and where all are at work a new one is told so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from parley.stack.connections import Connections, most_connections

MOST = 4


@dataclass
class Served:
    """A server with few places; what waits at ``/wait`` goes on when ``go`` is set."""

    port: int
    go: asyncio.Event

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection that has not asked for anything."""
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def get(self, path: str) -> bytes:
        """Ask on a connection of its own, and return the first line of the answer."""
        reader, writer = await self.connect()
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        async with asyncio.timeout(5):
            line = await reader.readline()
        writer.close()
        return line


@asynccontextmanager
async def serving() -> AsyncIterator[Served]:
    """A server that takes four connections."""
    connections, go = Connections(MOST), asyncio.Event()

    async def answer(_: web.Request) -> web.Response:
        return web.Response()

    async def wait(_: web.Request) -> web.Response:
        await go.wait()
        return web.Response()

    app = web.Application(middlewares=[connections.note_busy])
    app.router.add_get("/", answer)
    app.router.add_get("/wait", wait)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    assert runner.server is not None
    listener = await asyncio.get_running_loop().create_server(
        connections.limited(runner.server), "127.0.0.1", 0
    )
    try:
        yield Served(listener.sockets[0].getsockname()[1], go)
    finally:
        go.set()
        listener.close()
        await runner.cleanup()


async def test_the_oldest_idle_connection_makes_place_for_a_new_one() -> None:
    async with serving() as served:
        idle = [await served.connect() for _ in range(MOST)]
        idle[1][1].write(b"GET / HTTP/1.1\r\nHost: slow")
        for _ in range(20):
            assert await served.get("/") == b"HTTP/1.1 200 OK\r\n"
        async with asyncio.timeout(5):
            assert await idle[0][0].read() == b""
        for _, writer in idle:
            writer.close()


async def test_connections_at_work_are_left_alone_and_a_new_one_is_told_to_wait() -> None:
    async with serving() as served:
        working = [asyncio.create_task(served.get("/wait")) for _ in range(MOST)]
        await asyncio.sleep(0.2)
        assert await served.get("/") == b"HTTP/1.1 503 Service Unavailable\r\n"
        served.go.set()
        assert set(await asyncio.gather(*working)) == {b"HTTP/1.1 200 OK\r\n"}
        assert await served.get("/") == b"HTTP/1.1 200 OK\r\n"


def test_there_are_never_more_connections_than_files_may_be_open() -> None:
    assert 1 <= most_connections() <= 4096
