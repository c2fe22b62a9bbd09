"""A channel: one topic that one socket has joined, with its configuration, token and rights.

No I/O happens here: a channel writes finished frames to a ``Listener``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Protocol

from parley.realtime.authorization.rights import PUBLIC, Caller, Rights
from parley.realtime.protocol.envelope import Envelope
from parley.realtime.protocol.join_payload import JoinConfig
from parley.realtime.protocol.messages import (
    PREFIX,
    Json,
    Message,
    Outbound,
    Push,
    Ref,
    TopicKey,
    reply,
    system,
)
from parley.realtime.protocol.serializer import Serializer
from parley.realtime.rate_counters import Allowance


class Listener(Protocol):
    """The socket that a channel writes to."""

    serializer: Serializer

    def write(self, frame: bytes) -> None:
        """Send a finished WebSocket frame without waiting."""

    def close(self, code: int, reason: str) -> None:
        """Close the socket."""


class Channel:
    """A joined topic, made when a join is accepted.

    What others send to the topic is held back until ``release``, so that the client first gets the
    answer to its join. ``leave`` is called when the server closes the channel.
    """

    __slots__ = (
        "_held",
        "_leave",
        "_listener",
        "allowance",
        "caller",
        "config",
        "join_ref",
        "key",
        "late_presence",
        "open",
        "pending_token",
        "presence",
        "replayed",
        "rights",
        "subscribed",
        "tasks",
        "timers",
        "token",
        "topic",
        "verified_at",
    )

    def __init__(
        self,
        listener: Listener,
        push: Push,
        *,
        config: JoinConfig,
        token: str,
        caller: Caller,
        leave: Callable[[Channel], None],
        rights: Rights = PUBLIC,
        allowance: Allowance | None = None,
    ) -> None:
        self._listener = listener
        self._leave = leave
        self.join_ref: Ref = push.join_ref
        self._held: list[bytes] | None = []
        self.topic = push.topic
        self.key: TopicKey = (push.topic.removeprefix(PREFIX), config.private)
        self.config = config
        self.token = token
        self.caller = caller
        self.rights = rights
        self.allowance = allowance or Allowance(None, 0.0)
        self.open = True
        self.presence = config.presence
        self.late_presence = False
        """Whether the join came without presence and a later track switched it on."""
        self.replayed: frozenset[str] = frozenset()
        """Ids of the broadcasts that were replayed; they are not delivered again."""
        self.subscribed = False
        """Whether the subscription to tables that the join asked for is in place."""
        self.verified_at: float | None = None
        """When the last new token was verified, in the event loop's time."""
        self.pending_token: str | None = None
        """A new token that the throttle holds back."""
        self.timers: dict[str, asyncio.TimerHandle] = {}
        self.tasks: set[asyncio.Task[None]] = set()

    @property
    def name(self) -> str:
        """The topic without its prefix, as in SQL and REST."""
        return self.key[0]

    @property
    def hears_broadcasts(self) -> bool:
        """Whether broadcasts reach this channel."""
        return bool(self.rights.broadcast_read)

    @property
    def hears_presence(self) -> bool:
        """Whether presence reaches this channel. On a public topic it reaches every channel."""
        return bool(self.rights.presence_read)

    def release(self) -> None:
        """Write what was held back since the join was accepted, and hold back nothing more."""
        held, self._held = self._held, None
        for frame in held or ():
            self._listener.write(frame)

    def send(self, message: Outbound) -> None:
        """Send a message to this channel alone, ahead of what is held back."""
        data = Envelope(message).frame(self._listener.serializer)
        if data is not None:
            self._listener.write(data)

    def push(self, event: str, payload: Json) -> None:
        """Send an event to this channel alone."""
        self.send(Message(self.topic, event, payload, None, self.join_ref))

    def reply(self, push: Push, status: str, response: dict[str, Json]) -> None:
        """Answer a push that came on this channel."""
        self.send(reply(push, status, response, self.join_ref))

    def system(self, extension: str, status: str, text: str) -> None:
        """Send a ``system`` event."""
        self.send(system(self.topic, extension, status, text, self.join_ref))

    def end(self, event: str = "phx_close") -> None:
        """Tell the client that the channel is closed; ``event`` is ``phx_error`` after a crash."""
        self.send(Message(self.topic, event, {}, self.join_ref, self.join_ref))

    def shut(self, text: str) -> None:
        """Close the channel: send a ``system`` error with the reason, then ``phx_close``."""
        self.system("system", "error", text)
        self.end()
        self._leave(self)

    def deliver(self, envelope: Envelope, message_id: str | None = None) -> bool:
        """Pass on a message sent to the whole topic. Returns False if this channel does not get it.

        ``message_id`` is that of a stored broadcast: one that was replayed is not sent again.
        """
        if message_id is not None and message_id in self.replayed:
            return False
        frame = envelope.frame(self._listener.serializer)
        if frame is None:
            return False
        if self._held is None:
            self._listener.write(frame)
        else:
            self._held.append(frame)
        return True

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Run something for this channel in a task, which ends when the channel closes."""
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def cancel(self) -> None:
        """Mark the channel as closed and stop its timers and tasks."""
        self.open = False
        for timer in self.timers.values():
            timer.cancel()
        self.timers.clear()
        current = asyncio.current_task() if self.tasks else None
        for task in self.tasks:
            if task is not current:
                task.cancel()
