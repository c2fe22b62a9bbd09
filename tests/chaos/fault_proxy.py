"""A front door in front of the front door: it can be cut, loses answers, and mistreats broadcasts.

Requests go through as they are, unless the line is cut or they are held back; an answer may be
lost, when what was asked for is done. Of what Realtime sends, broadcasts may be dropped, sent
twice, held back until the next one, or delayed; everything else passes.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
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
    refuses_sockets: bool = False
    """Every upgrade to a socket is refused, as by a company's proxy."""
    is_silent: bool = False
    """Sockets stay open, and nothing comes out of them."""
    counts: Counter[str] = field(default_factory=Counter)


class FaultProxy:
    """One proxy on a port of its own."""

    def __init__(self, upstream: str, seed: int) -> None:
        self.upstream = upstream
        self._rng = random.Random(seed)
        self._sockets: dict[web.WebSocketResponse, asyncio.Transport | None] = {}
        self.faults = Faults()
        self.url = ""
        self.requests: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        """The events of frames that clients sent on their sockets."""
        self._held: dict[str, asyncio.Event] = {}
        self._recorded: dict[str, list[bytes]] = {}

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
        for transport in list(self._sockets.values()):
            self.faults.counts["sockets cut"] += 1
            if transport is not None:
                transport.abort()

    @contextmanager
    def hurt(self, **faults: float | bool) -> Iterator[None]:
        """Set faults for a while; afterwards they are as they were before."""
        before = {name: getattr(self.faults, name) for name in faults}
        vars(self.faults).update(faults)
        try:
            yield
        finally:
            vars(self.faults).update(before)

    @contextmanager
    def holding(self, name: str) -> Iterator[None]:
        """Keep requests of a name back for a while; afterwards they go through."""
        released = self._held[name] = asyncio.Event()
        try:
            yield
        finally:
            del self._held[name]
            released.set()

    @contextmanager
    def recording(self, name: str) -> Iterator[list[bytes]]:
        """Collect what requests of a name are answered with for a while."""
        answers = self._recorded[name] = []
        try:
            yield answers
        finally:
            del self._recorded[name]

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if self.faults.is_cut:
            self.faults.counts["requests refused"] += 1
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=502)
        name = request.path.rsplit("/", 1)[-1]
        # A browser asks first whether it may ask.
        is_asked = request.method != "OPTIONS"
        self.requests[name] += is_asked
        if request.headers.get("Upgrade", "").lower() == "websocket":
            if self.faults.refuses_sockets:
                return web.Response(status=403)
            return await self._serve_socket(request)
        if name in self._held and is_asked:
            await self._held[name].wait()
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
                if name in self._recorded and is_asked:
                    self._recorded[name].append(content)
                if is_asked and self._rng.random() < self.faults.lose:
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
        self._sockets[client] = request.transport
        down = asyncio.create_task(self._pass_down(upstream, client))
        try:
            with suppress(ConnectionError):
                async for message in client:
                    if message.type is aiohttp.WSMsgType.TEXT:
                        self.sent[event_of(message.data)] += 1
                        await upstream.send_str(message.data)
                    elif message.type is aiohttp.WSMsgType.BINARY:
                        await upstream.send_bytes(message.data)
        finally:
            del self._sockets[client]
            down.cancel()
            await upstream.close()
        return client

    async def _pass_down(
        self, upstream: aiohttp.ClientWebSocketResponse, client: web.WebSocketResponse
    ) -> None:
        held: list[str | bytes] = []
        faults, counts = self.faults, self.faults.counts
        async for message in upstream:
            is_binary = message.type is aiohttp.WSMsgType.BINARY
            if not (is_binary or message.type is aiohttp.WSMsgType.TEXT) or faults.is_silent:
                continue
            batch = [message.data]
            # The frames of supabase-js are binary where they are broadcasts.
            if is_binary or event_of(message.data) == "broadcast":
                counts["broadcasts"] += 1
                if self._rng.random() < faults.drop:
                    counts["dropped"] += 1
                    continue
                if self._rng.random() < faults.duplicate:
                    counts["duplicated"] += 1
                    batch *= 2
                if self._rng.random() < faults.reorder:
                    counts["reordered"] += 1
                    held += batch
                    continue
                batch, held = batch + held, []
                if faults.delay_s:
                    await asyncio.sleep(self._rng.uniform(0, faults.delay_s))
            with suppress(ConnectionError):
                for frame in batch:
                    if isinstance(frame, bytes):
                        await client.send_bytes(frame)
                    else:
                        await client.send_str(frame)
        with suppress(ConnectionError):
            await client.close()


def event_of(frame: str) -> str:
    """The event of a frame: of an object, or of a list as supabase-js writes it."""
    parts = json.loads(frame)
    return str(parts["event"] if isinstance(parts, dict) else parts[3])
