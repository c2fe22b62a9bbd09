"""The socket itself: aiohttp on one side, a ``Session`` on the other.

Frames are written straight to the transport, whose buffer is the bounded queue of a socket: a
client that does not read fills it up, is told why and cut off, and delays nobody.
"""

from __future__ import annotations

import asyncio
import logging

from aiohttp import WSMessageTypeError, WSMsgType, web

from parley.realtime.authorize import x_headers
from parley.realtime.context import Context
from parley.realtime.serializer import Serializer, serializer_for
from parley.realtime.session import Session
from parley.realtime.tokens import TokenError

log = logging.getLogger(__name__)

CLOSE_PATIENCE_S = 2.0
SLOW_CONSUMER = 1013
SERVICE_RESTART = 1012
IDLE = 1000
NO_CHANNEL = 1000


class Socket:
    """A ``Listener`` over one WebSocket."""

    __slots__ = (
        "_closing",
        "_farewells",
        "_limit",
        "_on_slow",
        "_socket",
        "_transport",
        "serializer",
    )

    def __init__(
        self,
        socket: web.WebSocketResponse,
        transport: asyncio.Transport,
        serializer: Serializer,
        context: Context,
    ) -> None:
        self.serializer = serializer
        self._socket = socket
        self._transport = transport
        self._limit = context.limits.unsent_bytes
        self._on_slow = context.metrics.slow.inc
        self._farewells = context.farewells
        self._closing: asyncio.Task[None] | None = None

    def write(self, frame: bytes) -> None:
        """Send a finished frame, or close the socket when too much is unsent."""
        if self._closing is not None or self._transport.is_closing():
            return
        self._transport.write(frame)
        if self._transport.get_write_buffer_size() > self._limit:
            self._on_slow()
            log.info("a socket is closed: its client does not read")
            self.close(SLOW_CONSUMER, "The client does not read fast enough")

    def close(self, code: int, reason: str) -> None:
        """Say goodbye; a client that does not answer is cut off."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(code, reason))
            self._farewells.add(self._closing)
            self._closing.add_done_callback(self._farewells.discard)

    async def closed(self) -> None:
        """Wait until a goodbye that was begun is over."""
        if self._closing is not None:
            await asyncio.wait([self._closing])

    async def _close(self, code: int, reason: str) -> None:
        try:
            async with asyncio.timeout(CLOSE_PATIENCE_S):
                await self._socket.close(code=code, message=reason.encode())
        except (TimeoutError, ConnectionError):
            log.debug("a client did not say goodbye")
        finally:
            if self._transport.get_write_buffer_size():
                self._transport.abort()
            else:
                self._transport.close()


async def serve(request: web.Request, context: Context) -> web.StreamResponse:
    """Check who connects, then take frames until the socket closes."""
    serializer = serializer_for(request.query.get("vsn"))
    if serializer is None:
        return web.Response(status=403)
    token, refusal = _checked_in(request, context)
    if refusal is not None:
        await asyncio.sleep(context.limits.connect_error_delay_s)
        return refusal
    limits = context.limits
    upgraded = web.WebSocketResponse(
        max_msg_size=limits.frame_bytes,
        receive_timeout=limits.idle_s,
        timeout=CLOSE_PATIENCE_S,
        compress=False,
    )
    await upgraded.prepare(request)
    transport = request.transport
    if transport is None:
        return upgraded
    socket = Socket(upgraded, transport, serializer, context)
    session = Session(context, socket, token, x_headers(request.headers))
    try:
        await _take_frames(upgraded, session, context)
    finally:
        session.close()
        await socket.closed()
    return upgraded


async def _take_frames(upgraded: web.WebSocketResponse, session: Session, context: Context) -> None:
    while True:
        try:
            message = await upgraded.receive()
        except TimeoutError:
            session.listener.close(IDLE, "No frame came for too long")
            return
        except (RuntimeError, WSMessageTypeError):
            return
        if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
            await session.receive(message.data)
        else:
            return


def _checked_in(request: web.Request, context: Context) -> tuple[str, web.Response | None]:
    """The JWT of the connection's key, and the answer to give when it may not connect."""
    key = request.headers.get("x-api-key") or request.query.get("apikey") or ""
    if not key:
        return "", _refused(401, "API key is missing")
    token = context.tokens.resolve(key)
    try:
        context.tokens.verify(token, context.clock())
    except TokenError as error:
        context.metrics.denials.labels(error.code).inc()
        return "", _refused(401, error.handshake)
    limits = context.limits
    if limits.connections is not None and context.users() >= limits.connections:
        return "", _refused(429, "Too many connected users")
    if context.meters.joins.exceeded:
        return "", _refused(429, "Too many joins per second")
    return token, None


def _refused(status: int, text: str) -> web.Response:
    return web.json_response({"error": text}, status=status)
