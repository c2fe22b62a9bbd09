"""What the sessions of one server share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

from parley.realtime.authorize import Authorizer
from parley.realtime.channel import Channel, Key
from parley.realtime.hub import Hub
from parley.realtime.join import Replay
from parley.realtime.limits import Meters
from parley.realtime.messages import Outbound
from parley.realtime.metrics import Metrics
from parley.realtime.presence import Rosters
from parley.realtime.settings import Limits
from parley.realtime.tokens import Tokens

if TYPE_CHECKING:
    from parley.realtime.session import Session

T = TypeVar("T")


class Stored(Protocol):
    """A broadcast that is still kept in `realtime.messages`."""

    @property
    def id(self) -> str:
        """The row's id."""

    def message(self, channel: Channel) -> Outbound:
        """As it is replayed to a channel."""


class Archive(Protocol):
    """Gives back what was broadcast before."""

    async def replay(self, topic: str, wish: Replay) -> Sequence[Stored]:
        """The newest messages of a private topic, oldest first; raises ``RefusalError``."""


class WalReader(Protocol):
    """The capture of rows, as the core sees it."""

    ready: bool

    def want(self) -> None:
        """Somebody has joined: start reading, if that was waited for."""

    async def lag(self) -> float | None:
        """Bytes of WAL that are written and not yet dispatched; None when nobody can tell."""


class Tables(Protocol):
    """Watches tables for channels that listen to `postgres_changes`."""

    async def subscribe(self, channel: Channel) -> str | None:
        """Watch what the channel asked for. Returns None, or why that cannot be.

        Raises ``ProbeError`` when the database could not be asked.
        """

    def unsubscribe(self, channel: Channel) -> None:
        """Stop watching for a channel."""


@dataclass(slots=True)
class Context:
    """The shared parts, and the few things done with them everywhere."""

    tokens: Tokens
    limits: Limits
    authorizer: Authorizer
    archive: Archive
    wal: WalReader
    tables: Tables
    reach_database: Callable[[], Awaitable[None]]
    """Raises ``UnreachableError`` when there is no database; channels need one, public ones too."""
    metrics: Metrics = field(default_factory=Metrics)
    rosters: Rosters = field(default_factory=Rosters)
    sessions: set[Session] = field(default_factory=set)
    farewells: set[asyncio.Task[None]] = field(default_factory=set)
    """Sockets that are being closed from this side."""
    clock: Callable[[], float] = time.time
    meters: Meters = field(init=False)
    hub: Hub = field(init=False)

    def __post_init__(self) -> None:
        self.meters = Meters(self.limits)
        self.hub = Hub(self.meters, self.metrics)

    def timed(self, verb: str) -> AbstractContextManager[object]:
        """Measure how long a question for rights takes."""
        return self.metrics.authorization.labels(verb).time()

    def users(self) -> int:
        """How many sockets have a channel."""
        return sum(1 for session in self.sessions if session.channels)

    def depart(self, key: Key, channel: Channel) -> None:
        """Take a channel's presence away and tell the others."""
        diff = self.rosters.untrack(key, channel)
        if diff is not None:
            self.hub.presence_diff(key, diff)


def after(delay_s: float, call: Callable[[], None]) -> None:
    """Call now, or later without waiting for it."""
    if delay_s <= 0:
        call()
    else:
        asyncio.get_running_loop().call_later(delay_s, call)
