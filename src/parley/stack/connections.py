"""The connections of the front door: a bounded number, in which idle ones give way to new ones.

A connection on which no request is being answered (it is new, sends its head slowly, or is kept
for later) makes place for a new one, the oldest first. If all are at work, a new one gets a 503.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Awaitable, Callable
from typing import cast

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

MOST = 4096
SPARE_FILES = 256
"""Descriptors for everything else: the database, lite, logs."""
FULL = b"""HTTP/1.1 503 Service Unavailable\r
Content-Type: application/json\r
Retry-After: 1\r
Connection: close\r
\r
{"message":"Too many requests are being answered just now"}"""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Connections:
    """Counts connections, and knows which of them are at work."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._busy: set[RequestHandler] = set()

    def limited(self, server: web.Server) -> Callable[[], asyncio.Protocol]:
        """Return what makes the protocol of each new connection to a server."""

        def make() -> asyncio.Protocol:
            if len(server.connections) >= self._most:
                open_now = [each for each in server.connections if each.transport is not None]
                if len(open_now) >= self._most:
                    idle = next((each for each in open_now if each not in self._busy), None)
                    if idle is None:
                        return Full()
                    idle.force_close()
            return server()

        return make

    @web.middleware
    async def note_busy(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Note which connections are at work."""
        protocol = request.protocol
        self._busy.add(protocol)
        try:
            return await handler(request)
        finally:
            self._busy.discard(protocol)


class Full(asyncio.Protocol):
    """Answers that there are too many connections, and closes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Answer before anything was asked."""
        transport = cast("asyncio.Transport", transport)
        transport.write(FULL)
        transport.close()


def most_connections() -> int:
    """Raise the limit of open files where that is allowed; return how many connections fit.

    Every request that is handed on needs a second connection.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * MOST + SPARE_FILES
    if 0 <= soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return MOST if soft < 0 else min(MOST, max(1, (soft - SPARE_FILES) // 2))
