"""One topic that one socket has joined: what it is told, and what it may do.

No I/O: a channel writes finished frames to a ``Listener`` and decides by what it was given.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeAlias

from parley.realtime.authorize import PUBLIC, Caller, Rights
from parley.realtime.join import JoinConfig
from parley.realtime.limits import Allowance
from parley.realtime.messages import (
    PREFIX,
    Json,
    Message,
    Outbound,
    Push,
    Ref,
    reply,
    system,
)
from parley.realtime.serializer import Serializer
from parley.realtime.wire import Envelope

Key: TypeAlias = tuple[str, bool]
"""A topic without prefix, and whether it is the private one of that name: two separate topics."""


class Listener(Protocol):
    """The socket, as the core sees it."""

    serializer: Serializer

    def write(self, frame: bytes) -> None:
        """Send a finished WebSocket frame; never waits."""

    def close(self, code: int, reason: str) -> None:
        """Close the socket."""


class Channel:
    """A joined topic. Made when a join is let in; until ``release`` what it hears is held back."""

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
        self.key: Key = (push.topic.removeprefix(PREFIX), config.private)
        self.config = config
        self.token = token
        self.caller = caller
        self.rights = rights
        self.allowance = allowance or Allowance(None, 0.0)
        self.open = True
        self.presence = config.presence
        self.late_presence = False
        """Presence was switched on by a track, after the join."""
        self.replayed: frozenset[str] = frozenset()
        self.subscribed = False
        """Whether the tables it asked for are being watched."""
        self.verified_at: float | None = None
        self.pending_token: str | None = None
        self.timers: dict[str, asyncio.TimerHandle] = {}
        self.tasks: set[asyncio.Task[None]] = set()

    @property
    def name(self) -> str:
        """The topic without its prefix, as SQL and REST know it."""
        return self.key[0]

    @property
    def hears_broadcasts(self) -> bool:
        """Whether broadcasts reach this channel."""
        return bool(self.rights.broadcast_read)

    @property
    def hears_presence(self) -> bool:
        """Whether presence reaches this channel; in public to everybody, asked for or not."""
        return bool(self.rights.presence_read)

    def release(self) -> None:
        """Hand over what was heard since the join was let in, then hold nothing back."""
        held, self._held = self._held, None
        for frame in held or ():
            self._listener.write(frame)

    def send(self, message: Outbound) -> None:
        """Send something of this channel's own, ahead of what is held back."""
        data = Envelope(message).frame(self._listener.serializer)
        if data is not None:
            self._listener.write(data)

    def push(self, event: str, payload: Json) -> None:
        """Send an event that is for this channel alone."""
        self.send(Message(self.topic, event, payload, None, self.join_ref))

    def reply(self, push: Push, status: str, response: dict[str, Json]) -> None:
        """Answer a push on this channel."""
        self.send(reply(push, status, response, self.join_ref))

    def system(self, extension: str, status: str, text: str) -> None:
        """Send a ``system`` event."""
        self.send(system(self.topic, extension, status, text, self.join_ref))

    def end(self, event: str = "phx_close") -> None:
        """Tell the client that the channel is gone: ``phx_close``, or ``phx_error`` of a crash."""
        self.send(Message(self.topic, event, {}, self.join_ref, self.join_ref))

    def shut(self, text: str) -> None:
        """Close the channel from the server's side: why, then ``phx_close``."""
        self.system("system", "error", text)
        self.end()
        self._leave(self)

    def deliver(self, envelope: Envelope, message_id: str | None = None) -> bool:
        """Pass on what everybody on the topic gets; False when this channel does not."""
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

    def cancel(self) -> None:
        """Stop timers and tasks; the channel is closed from here on."""
        self.open = False
        for timer in self.timers.values():
            timer.cancel()
        self.timers.clear()
        current = asyncio.current_task() if self.tasks else None
        for task in self.tasks:
            if task is not current:
                task.cancel()
