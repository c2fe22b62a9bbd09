"""The server's side of one socket: it reads the client's frames and keeps the joined channels.

Frames are handled one after the other, as in Phoenix, so answers come in the order of requests.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

from parley.realtime.authorization.rights import Caller
from parley.realtime.authorization.tokens import Claims
from parley.realtime.channel import access_token, broadcast, presence
from parley.realtime.channel.channel import Channel, Listener
from parley.realtime.channel.context import Context
from parley.realtime.channel.join import TOO_MANY_JOINS, join
from parley.realtime.protocol.envelope import Envelope
from parley.realtime.protocol.join_payload import RefusalError
from parley.realtime.protocol.messages import PREFIX, Json, Push, Ref, UserBroadcast, reply
from parley.realtime.protocol.serializer import Frame, FrameError

log = logging.getLogger(__name__)

GOING_AWAY = 1001
KNOWN_EVENTS = frozenset(
    {"heartbeat", "phx_join", "phx_leave", "access_token", "broadcast", "presence"}
)
"""The events that the metrics count by name; all others are counted as ``other``."""


class SocketSession:
    """One open socket, without I/O: ``receive`` takes frames, ``listener`` writes the answers.

    ``token`` is the JWT of the API key that the socket was opened with, ``headers`` are the `x-`
    headers of that request.
    """

    def __init__(
        self, context: Context, listener: Listener, token: str, headers: Mapping[str, str]
    ) -> None:
        self.context = context
        self.listener = listener
        self.token = token
        self.headers = headers
        self.channels: dict[str, Channel] = {}
        self.channelless_since = time.monotonic()
        context.sessions.add(self)
        context.metrics.sockets.inc()

    async def receive(self, frame: Frame) -> None:
        """Do what a frame asks for. A malformed frame is counted and dropped."""
        try:
            push = self.listener.serializer.decode(frame)
        except FrameError:
            self.context.metrics.malformed.inc()
            return
        event = push.event if push.event in KNOWN_EVENTS else "other"
        self.context.metrics.received.labels(event).inc()
        if push.topic == "phoenix" and push.event == "heartbeat":
            self.answer(push, "ok", {})
        elif push.event == "phx_join" and push.topic.startswith(PREFIX):
            await self._join(push)
        elif push.event == "phx_leave" and push.topic not in self.channels:
            self.answer(push, "ok", {})
        elif push.event == "phx_join" or push.topic not in self.channels:
            self.answer(push, "error", {"reason": "unmatched topic"})
        else:
            await self._on_channel(self.channels[push.topic], push)

    async def _join(self, push: Push) -> None:
        """Accept or refuse a join; then close the channel that had joined the topic before."""
        before = self.channels.get(push.topic)
        if before is not None:
            self.leave(before)
        try:
            await join(self.context, self, push, before)
            return
        except RefusalError as refusal:
            reason = str(refusal)
        except Exception:
            log.exception("A join failed; its client is told that the error is unknown")
            reason = "Unknown Error on Channel"
        _after(
            self.context.limits.channel_error_delay_s, lambda: self._refuse(push, reason, before)
        )
        if reason == TOO_MANY_JOINS:
            self.listener.close(GOING_AWAY, "Too many joins per second")

    def _refuse(self, push: Push, reason: str, before: Channel | None) -> None:
        self.context.metrics.denials.labels(reason.partition(":")[0]).inc()
        self.answer(push, "error", {"reason": reason}, push.join_ref)
        if before is not None:
            before.end()

    async def _on_channel(self, channel: Channel, push: Push) -> None:
        try:
            match push.event:
                case "phx_leave":
                    channel.reply(push, "ok", {})
                    channel.end()
                    self.leave(channel)
                case "access_token":
                    await access_token.receive(self.context, channel, push.payload)
                case "broadcast":
                    await broadcast.receive(self.context, channel, push)
                case "presence" if not isinstance(push.payload, UserBroadcast):
                    await presence.receive(self.context, channel, push)
                case _:
                    self.context.meters.events.add()
        except Exception:
            log.exception("A frame could not be handled; its channel is closed with phx_error")
            if channel.open:
                channel.end("phx_error")
                self.leave(channel)

    def answer(
        self, push: Push, status: str, response: dict[str, Json], join_ref: Ref = None
    ) -> None:
        """Answer a push that belongs to no joined channel."""
        message = reply(push, status, response, join_ref)
        frame = Envelope(message).frame(self.listener.serializer)
        if frame is not None:
            self.listener.write(frame)

    def caller(self, claims: Claims) -> Caller:
        """The person with these claims, with the headers of this socket."""
        return Caller(claims, self.headers)

    def enter(self, channel: Channel) -> None:
        """Add an accepted channel; from now on it gets what is sent to its topic."""
        self.channels[channel.topic] = channel
        self.context.hub.join(channel)
        self.context.metrics.channels.inc()

    def leave(self, channel: Channel) -> None:
        """Remove a channel, with its presence, table subscriptions, timers and tasks."""
        if not channel.open:
            return
        channel.cancel()
        if self.channels.get(channel.topic) is channel:
            del self.channels[channel.topic]
            self.channelless_since = time.monotonic()
        self.context.hub.leave(channel)
        self.context.tables.unsubscribe(channel)
        self.context.untrack(channel.key, channel)
        self.context.metrics.channels.dec()

    def close(self) -> None:
        """Leave all channels: the socket is closed. Calling it again does nothing."""
        for channel in tuple(self.channels.values()):
            self.leave(channel)
        if self in self.context.sessions:
            self.context.sessions.discard(self)
            self.context.metrics.sockets.dec()


def _after(delay_s: float, call: Callable[[], None]) -> None:
    """Call at once if there is no delay; otherwise let the event loop call later."""
    if delay_s <= 0:
        call()
    else:
        asyncio.get_running_loop().call_later(delay_s, call)
