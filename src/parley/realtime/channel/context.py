"""What all sockets of one server share: settings, rates, topics, presence and the database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from parley.realtime.authorization.rights import Authorizer
from parley.realtime.authorization.tokens import Tokens
from parley.realtime.channel.channel import Channel, Listener
from parley.realtime.channel.hub import Hub
from parley.realtime.channel.roster import Rosters
from parley.realtime.metrics import Metrics
from parley.realtime.protocol.join_payload import Replay
from parley.realtime.protocol.messages import Outbound, TopicKey
from parley.realtime.rate_counters import Meters
from parley.realtime.settings import Limits


class Stored(Protocol):
    """A past broadcast that `realtime.messages` still holds."""

    @property
    def id(self) -> str:
        """The row's id."""

    def message(self, channel: Channel) -> Outbound:
        """The message that replays it to a channel."""


class Archive(Protocol):
    """Reads past broadcasts."""

    async def replay(self, topic: str, wish: Replay) -> Sequence[Stored]:
        """The newest broadcasts of a private topic, oldest first; raises ``RefusalError``."""


class WalReader(Protocol):
    """Reads broadcasts that come from the database."""

    ready: bool

    def want(self) -> None:
        """Begin to read, if the profile says that reading begins with the first join."""

    async def lag(self) -> float | None:
        """Bytes of WAL that are written and not yet read; None while the database is away."""


class TableSubscriptions(Protocol):
    """The subscriptions of channels to changes of tables (`postgres_changes`)."""

    async def subscribe(self, channel: Channel) -> str | None:
        """Subscribe a channel to all entries of its join, or to none.

        Returns None, or the text that says what is wrong with an entry. Raises ``ProbeError`` when
        the database could not be asked.
        """

    def unsubscribe(self, channel: Channel) -> None:
        """End the subscriptions of a channel."""


class OpenSocket(Protocol):
    """An open socket, for the parts of the server that count and close sockets."""

    @property
    def listener(self) -> Listener:
        """Where frames are written."""

    @property
    def channels(self) -> dict[str, Channel]:
        """The joined channels by topic."""

    @property
    def channelless_since(self) -> float:
        """When the last channel was left, or the socket opened (monotonic seconds)."""


@dataclass(slots=True)
class Context:
    """The shared parts of one server."""

    tokens: Tokens
    limits: Limits
    authorizer: Authorizer
    archive: Archive
    wal: WalReader
    tables: TableSubscriptions
    reach_database: Callable[[], Awaitable[None]]
    """Raises ``UnreachableError`` while the database is away: even public joins need it."""
    metrics: Metrics = field(default_factory=Metrics)
    rosters: Rosters = field(default_factory=Rosters)
    sessions: set[OpenSocket] = field(default_factory=set)
    closing: set[asyncio.Task[None]] = field(default_factory=set)
    """One task for each socket that the server is closing."""
    clock: Callable[[], float] = time.time
    meters: Meters = field(init=False)
    hub: Hub = field(init=False)

    def __post_init__(self) -> None:
        self.meters = Meters(self.limits)
        self.hub = Hub(self.meters, self.metrics)

    def timed(self, verb: str) -> AbstractContextManager[object]:
        """Measure how long it takes to look up rights; ``verb`` is read or write."""
        return self.metrics.authorization.labels(verb).time()

    def users(self) -> int:
        """How many sockets have joined a channel."""
        return sum(1 for session in self.sessions if session.channels)

    def untrack(self, key: TopicKey, channel: Channel) -> None:
        """Remove a channel's presence, and send the difference to its topic."""
        diff = self.rosters.untrack(key, channel)
        if diff is not None:
            self.hub.presence_diff(key, diff)
