"""A front door in front of the front door: it can be cut, loses answers, and mistreats broadcasts.

Requests go through as they are, unless the line is cut; an answer may be lost, when what was asked
for is done. Of what Realtime sends, broadcasts may be dropped, sent twice, held back until the next
one, or delayed; everything else passes.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

HOP_HEADERS = {"connection", "host", "transfer-encoding", "content-length", "content-encoding"}


@dataclass
class Faults:
    """What happens to broadcasts; shares are 0 to 1, times are seconds."""

    drop: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    delay_s: float = 0.0
    lose: float = 0.0
    """Answers that never arrive."""
    is_cut: bool = False
    """Requests are refused."""
    is_silent: bool = False
    """Sockets stay open, and nothing comes out of them."""
    counts: Counter[str] = field(default_factory=Counter)


class FaultProxy:
    """One proxy on a port of its own."""

    def __init__(self, upstream: str, seed: int) -> None:
        self.upstream = upstream
        self._chance = random.Random(seed)
        self._sockets: set[web.WebSocketResponse] = set()
        self.faults = Faults()
        self.url = ""
        self.requests: Counter[str] = Counter()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[FaultProxy]:
        """Serve for a while."""
        application = web.Application(client_max_size=2**25)
        application.router.add_route("*", "/{path:.*}", self._serve)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with aiohttp.ClientSession(auto_decompress=True) as session:
            self._session = session
            try:
                yield self
            finally:
                await self.cut_sockets()
                await runner.cleanup()

    async def cut_sockets(self) -> None:
        """Drop every open socket without a word."""
        for socket in list(self._sockets):
            self.faults.counts["sockets cut"] += 1
            if socket._req is not None and socket._req.transport is not None:
                socket._req.transport.abort()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if self.faults.is_cut:
            self.faults.counts["requests refused"] += 1
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=502)
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._serve_socket(request)
        self.requests[request.path.rsplit("/", 1)[-1]] += 1
        headers = {
            name: value
            for name, value in request.headers.items()
            if name.lower() not in HOP_HEADERS
        }
        try:
            async with self._session.request(
                request.method,
                self.upstream + request.raw_path,
                headers=headers,
                data=await request.read(),
            ) as answer:
                content = await answer.read()
                if self._chance.random() < self.faults.lose:
                    self.faults.counts["answers lost"] += 1
                    if request.transport is not None:
                        request.transport.abort()
                kept = {
                    name: value
                    for name, value in answer.headers.items()
                    if name.lower() not in HOP_HEADERS
                }
                return web.Response(status=answer.status, body=content, headers=kept)
        except aiohttp.ClientError:
            return web.Response(status=502)

    async def _serve_socket(self, request: web.Request) -> web.StreamResponse:
        url = self.upstream.replace("http", "ws", 1) + request.raw_path
        try:
            upstream = await self._session.ws_connect(url, max_msg_size=0)
        except aiohttp.ClientError:
            return web.Response(status=502)
        client = web.WebSocketResponse(max_msg_size=0)
        await client.prepare(request)
        self._sockets.add(client)
        down = asyncio.create_task(self._pass_down(upstream, client))
        try:
            with suppress(ConnectionError):
                async for message in client:
                    if message.type is aiohttp.WSMsgType.TEXT:
                        await upstream.send_str(message.data)
        finally:
            self._sockets.discard(client)
            down.cancel()
            await upstream.close()
        return client

    async def _pass_down(
        self, upstream: aiohttp.ClientWebSocketResponse, client: web.WebSocketResponse
    ) -> None:
        held: list[str] = []
        faults, counts = self.faults, self.faults.counts
        async for message in upstream:
            if message.type is not aiohttp.WSMsgType.TEXT or faults.is_silent:
                continue
            batch = [message.data]
            if '"broadcast"' in message.data and json.loads(message.data)["event"] == "broadcast":
                counts["broadcasts"] += 1
                if self._chance.random() < faults.drop:
                    counts["dropped"] += 1
                    continue
                if self._chance.random() < faults.duplicate:
                    counts["duplicated"] += 1
                    batch *= 2
                if self._chance.random() < faults.reorder:
                    counts["reordered"] += 1
                    held += batch
                    continue
                batch, held = batch + held, []
                if faults.delay_s:
                    await asyncio.sleep(self._chance.uniform(0, faults.delay_s))
            with suppress(ConnectionError):
                for text in batch:
                    await client.send_str(text)
        with suppress(ConnectionError):
            await client.close()
