"""One connection: what its frames ask for, and the channels it has joined.

Frames are taken one after the other, as a Phoenix socket takes them, so answers keep their order.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Mapping

from parley.realtime import admission, conversation, renewal, tracking
from parley.realtime.authorize import Caller
from parley.realtime.channel import Channel, Listener
from parley.realtime.context import Context, after
from parley.realtime.join import RefusalError
from parley.realtime.messages import PREFIX, Json, Push, Ref, UserBroadcast, reply
from parley.realtime.serializer import Frame, FrameError
from parley.realtime.tokens import Claims
from parley.realtime.wire import Envelope

log = logging.getLogger(__name__)

GOING_AWAY = 1001
KNOWN_EVENTS = frozenset({"heartbeat", "phx_join", "phx_leave", "access_token"}) | {
    "broadcast",
    "presence",
}


class Session:
    """The server's side of one socket, free of I/O: frames come in, a ``Listener`` takes them out.

    ``token`` is the JWT of the connection's API key, ``headers`` the `x-` headers it came with.
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
        """Do what a frame asks for. A malformed one is dropped and counted."""
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
        """Let a join in or refuse it; a channel that the topic had is closed after the answer."""
        before = self.channels.get(push.topic)
        if before is not None:
            self.leave(before)
        try:
            await admission.join(self, push, before)
            return
        except RefusalError as refusal:
            reason = str(refusal)
        except Exception:
            log.exception("a join failed")
            reason = "Unknown Error on Channel"
        after(self.context.limits.channel_error_delay_s, lambda: self._refuse(push, reason, before))
        if reason == admission.TOO_MANY_JOINS:
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
                    await renewal.present(self, channel, push.payload)
                case "broadcast":
                    await conversation.broadcast(self.context, channel, push)
                case "presence" if not isinstance(push.payload, UserBroadcast):
                    await tracking.presence(self.context, channel, push)
                case _:
                    self.context.meters.events.add()
        except Exception:
            log.exception("a channel failed")
            if channel.open:
                channel.end("phx_error")
                self.leave(channel)

    def answer(
        self, push: Push, status: str, response: dict[str, Json], join_ref: Ref = None
    ) -> None:
        """Reply to a push that belongs to no joined channel."""
        message = reply(push, status, response, join_ref)
        frame = Envelope(message).frame(self.listener.serializer)
        if frame is not None:
            self.listener.write(frame)

    def caller(self, claims: Claims) -> Caller:
        """On whose behalf a channel of this socket asks."""
        return Caller(claims, self.headers)

    def enter(self, channel: Channel) -> None:
        """A join was let in: the channel hears its topic from here on."""
        self.channels[channel.topic] = channel
        self.context.hub.join(channel)
        self.context.metrics.channels.inc()

    def leave(self, channel: Channel) -> None:
        """Forget a channel: its topic, presence, tables, timers and tasks."""
        if not channel.open:
            return
        channel.cancel()
        if self.channels.get(channel.topic) is channel:
            del self.channels[channel.topic]
            self.channelless_since = time.monotonic()
        self.context.hub.leave(channel)
        self.context.tables.unsubscribe(channel)
        self.context.depart(channel.key, channel)
        self.context.metrics.channels.dec()

    def spawn(self, channel: Channel, work: Coroutine[None, None, None]) -> None:
        """Do something for a channel beside its frames, until the channel closes."""
        task = asyncio.create_task(work)
        channel.tasks.add(task)
        task.add_done_callback(channel.tasks.discard)

    def close(self) -> None:
        """The socket is gone."""
        for channel in tuple(self.channels.values()):
            self.leave(channel)
        if self in self.context.sessions:
            self.context.sessions.discard(self)
            self.context.metrics.sockets.dec()
