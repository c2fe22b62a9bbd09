"""The `postgres_changes` extension: subscriptions to tables, and the queue of their changes.

Changes arrive in the same WAL as broadcasts. Before one is sent, the policies of every subscriber
must be evaluated, which is slow; changes therefore wait in a queue of their own and broadcasts do
not wait for them.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase

import psycopg

from parley.realtime.channel.channel import Channel
from parley.realtime.database.errors import UnreachableError
from parley.realtime.database.pool import DatabasePool
from parley.realtime.metrics import Metrics
from parley.realtime.postgres_changes.bindings import BindingError, read_binding
from parley.realtime.postgres_changes.rows import is_running
from parley.realtime.postgres_changes.validation import check
from parley.realtime.postgres_changes.views import Delivery, Subscription, View, inspect
from parley.realtime.protocol.envelope import Envelope
from parley.realtime.protocol.messages import Json, Message
from parley.realtime.protocol.serializer import dumps
from parley.realtime.wal.pgoutput import Begin, RowChange

log = logging.getLogger(__name__)

RETRY_S = 0.2
VISIBLE_S = 0.01
"""How often to look whether the rows of a committed transaction have become visible."""
BATCH = 100
"""How many changes are handled together."""
BACKLOG = 10_000
"""When more changes than this wait, reading the WAL pauses."""


class TableChanges:
    """All subscriptions to tables, and the queue of changes that have subscribers."""

    def __init__(self, database: DatabasePool, metrics: Metrics) -> None:
        self._database = database
        self._metrics = metrics
        self._subscriptions: dict[tuple[str, str], list[Subscription]] = {}
        """By the patterns of schema and table."""
        self._queue: deque[tuple[RowChange, Begin]] = deque()
        self._waiting = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the task that delivers changes."""
        self._task = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """Stop the task; changes that wait are not delivered."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def is_behind(self) -> bool:
        """Whether so many changes wait that reading the WAL should pause."""
        return len(self._queue) > BACKLOG

    async def subscribe(self, channel: Channel) -> str | None:
        """Subscribe a channel to its entries; see ``TableSubscriptions``."""
        caller = channel.caller
        try:
            bindings = [read_binding(entry) for entry in channel.config.bindings]
            await self._database.run(lambda connection: check(connection, bindings, caller))
        except BindingError as error:
            return str(error)
        except psycopg.OperationalError as error:
            raise UnreachableError from error
        if channel.open:
            self.unsubscribe(channel)
            claims = dumps(dict(caller.claims.values))
            for binding in bindings:
                subscriptions = self._subscriptions.setdefault(binding.globs, [])
                subscriptions.append(Subscription(channel, binding, caller, claims))
        return None

    def unsubscribe(self, channel: Channel) -> None:
        """End the subscriptions of a channel."""
        if not channel.config.bindings:
            return
        for place, subscriptions in tuple(self._subscriptions.items()):
            kept = [each for each in subscriptions if each.channel is not channel]
            if kept:
                self._subscriptions[place] = kept
            else:
                del self._subscriptions[place]

    def take(self, change: RowChange, begun: Begin) -> None:
        """Queue a change if it has a subscriber."""
        if any(self._wanted(change)):
            self._queue.append((change, begun))
            self._waiting.set()

    def _wanted(self, change: RowChange) -> Iterator[Subscription]:
        for (schema, table), subscriptions in self._subscriptions.items():
            if fnmatchcase(change.relation.schema, schema) and fnmatchcase(
                change.relation.table, table
            ):
                yield from (each for each in subscriptions if each.binding.wants(change.kind))

    async def _work(self) -> None:
        while True:
            while self._queue:
                batch = list(itertools.islice(self._queue, BATCH))
                try:
                    await self._deliver(batch)
                except (psycopg.OperationalError, UnreachableError):
                    await asyncio.sleep(RETRY_S)
                    continue
                except Exception:
                    log.exception(
                        "%s changes of tables were not sent to their subscribers", len(batch)
                    )
                for _ in batch:
                    self._queue.popleft()
            self._waiting.clear()
            await self._waiting.wait()

    async def _deliver(self, batch: Sequence[tuple[RowChange, Begin]]) -> None:
        deliveries = [Delivery(change, list(self._wanted(change))) for change, _ in batch]
        wanted = [delivery for delivery in deliveries if delivery.subscriptions]
        if wanted:
            await self._until_visible({begun.xid for _, begun in batch})
            await self._database.run(lambda connection: inspect(connection, wanted))
        for delivery, (change, begun) in zip(deliveries, batch, strict=True):
            committed_at = begun.committed_at
            stamp = f"{committed_at:%Y-%m-%dT%H:%M:%S}.{committed_at.microsecond // 1000:03}Z"
            head = {
                "schema": change.relation.schema,
                "table": change.relation.table,
                "commit_timestamp": stamp,
                "type": change.kind,
            }
            for (channel, data), ids in _by_channel(delivery.views(), head):
                if channel.open:
                    message = (
                        Message(channel.topic, change.kind, data)
                        if channel.config.is_old
                        else Message(channel.topic, "postgres_changes", {"ids": ids, "data": data})
                    )
                    self._metrics.delivered.labels("postgres_changes").inc(
                        channel.deliver(Envelope(message))
                    )

    async def _until_visible(self, xids: set[int]) -> None:
        """Wait until other transactions see the rows of these transactions.

        A commit is in the WAL before its rows are visible. Policies checked too early would find no
        row and hide the change.
        """
        while await self._database.run(  # noqa: ASYNC110 (there is no event to wait for)
            lambda connection: is_running(connection, xids)
        ):
            await asyncio.sleep(VISIBLE_S)


def _by_channel(
    views: Iterable[tuple[Subscription, View]], head: dict[str, Json]
) -> Iterable[tuple[tuple[Channel, dict[str, Json]], list[int]]]:
    """Group the views into one message per channel and view, with the ids of its entries."""
    grouped: dict[tuple[Channel, View], list[int]] = defaultdict(list)
    for subscription, view in views:
        ids = grouped[subscription.channel, view]
        if subscription.binding.id not in ids:
            ids.append(subscription.binding.id)
    for (channel, view), ids in grouped.items():
        yield (channel, head | view.data), ids
