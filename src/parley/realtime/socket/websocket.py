"""The WebSocket endpoint: aiohttp on one side, a ``SocketSession`` on the other.

Frames are written straight to the transport, whose buffer is the send queue of the socket. When a
client does not read and the buffer grows over its limit, the socket is closed with a reason. Other
clients never wait for it.
"""

from __future__ import annotations

import asyncio
import logging

from aiohttp import WSMessageTypeError, WSMsgType, web

from parley.realtime.authorization.rights import x_headers
from parley.realtime.authorization.tokens import TokenError
from parley.realtime.channel.context import Context
from parley.realtime.channel.hub import TOO_MANY_MESSAGES
from parley.realtime.protocol.serializer import Serializer, serializer_for
from parley.realtime.rate_counters import Rate
from parley.realtime.socket.session import SocketSession

log = logging.getLogger(__name__)

CLOSE_TIMEOUT_S = 2.0
SLOW_CONSUMER = 1013
SERVICE_RESTART = 1012
IDLE = 1000
NO_CHANNEL = 1000
TOO_MANY = 1008


class Socket:
    """A ``Listener`` over one WebSocket."""

    __slots__ = (
        "_closing",
        "_closing_sockets",
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
        self._closing_sockets = context.closing
        self._closing: asyncio.Task[None] | None = None

    def write(self, frame: bytes) -> None:
        """Send a finished frame. Close the socket if its client has left too much unread."""
        if self._closing is not None or self._transport.is_closing():
            return
        self._transport.write(frame)
        if self._transport.get_write_buffer_size() > self._limit:
            self._on_slow()
            log.info(
                "Closing a socket whose client has not read the last %s bytes. "
                "Raise unsent_bytes if clients on slow networks should stay connected.",
                self._limit,
            )
            self.close(SLOW_CONSUMER, "The client does not read fast enough")

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake; disconnect a client that does not answer in time."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(code, reason))
            self._closing_sockets.add(self._closing)
            self._closing.add_done_callback(self._closing_sockets.discard)

    async def closed(self) -> None:
        """Wait for a closing handshake that the server began."""
        if self._closing is not None:
            await asyncio.wait([self._closing])

    async def _close(self, code: int, reason: str) -> None:
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._socket.close(code=code, message=reason.encode())
        except (TimeoutError, ConnectionError):
            log.debug("A client did not answer the closing handshake")
        finally:
            if self._transport.get_write_buffer_size():
                self._transport.abort()
            else:
                self._transport.close()


async def serve(request: web.Request, context: Context) -> web.StreamResponse:
    """Check the API key and the limits, then handle frames until the socket closes."""
    serializer = serializer_for(request.query.get("vsn"))
    if serializer is None:
        return web.Response(status=403)
    token, refusal = _check(request, context)
    if refusal is not None:
        await asyncio.sleep(context.limits.connect_error_delay_s)
        return refusal
    limits = context.limits
    upgraded = web.WebSocketResponse(
        max_msg_size=limits.frame_bytes,
        receive_timeout=limits.idle_s,
        timeout=CLOSE_TIMEOUT_S,
        compress=False,
    )
    await upgraded.prepare(request)
    transport = request.transport
    if transport is None:
        return upgraded
    socket = Socket(upgraded, transport, serializer, context)
    session = SocketSession(context, socket, token, x_headers(request.headers))
    try:
        await _take_frames(upgraded, session, context)
    finally:
        session.close()
        await socket.closed()
    return upgraded


async def _take_frames(
    upgraded: web.WebSocketResponse, session: SocketSession, context: Context
) -> None:
    rate = Rate(context.limits.frames_per_second)
    while True:
        try:
            message = await upgraded.receive()
        except TimeoutError:
            session.listener.close(IDLE, "No frame came for too long")
            return
        except (RuntimeError, WSMessageTypeError):
            return
        if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
            rate.add()
            if rate.exceeded:
                session.listener.close(TOO_MANY, TOO_MANY_MESSAGES)
                return
            await session.receive(message.data)
            # Frames that wait already must not keep the others waiting.
            await asyncio.sleep(0)
        else:
            return


def _check(request: web.Request, context: Context) -> tuple[str, web.Response | None]:
    """Return the JWT of the API key, and the refusal if the client may not connect."""
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
