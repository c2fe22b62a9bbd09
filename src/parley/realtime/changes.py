"""`postgres_changes`: telling channels of changed rows, each what its own policies let it see.

Changes come from the same WAL as broadcasts and are looked at one after the other, off the path
of broadcasts, because every subscriber's policies have to be asked (REALTIME 5).
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence

import psycopg

from parley.realtime.authorize import UnreachableError
from parley.realtime.bindings import ANY, BindingError, read_binding
from parley.realtime.channel import Channel
from parley.realtime.database import Database
from parley.realtime.messages import Json, Message
from parley.realtime.metrics import Metrics
from parley.realtime.pgoutput import Begin, Change
from parley.realtime.rows import is_running
from parley.realtime.serializer import dumps
from parley.realtime.subscribing import check
from parley.realtime.views import Look, View, Watch, look_at
from parley.realtime.wire import Envelope

log = logging.getLogger(__name__)

RETRY_S = 0.2
VISIBLE_S = 0.01
"""How soon to ask again for rows that are committed and cannot be seen yet."""
BATCH = 100
"""Changes that are looked at together."""
BACKLOG = 10_000
"""Changes that may wait to be looked at before reading pauses."""


class TableChanges:
    """The channels that watch tables, and the queue of changes that some of them want."""

    def __init__(self, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._metrics = metrics
        self._watches: dict[tuple[str, str], list[Watch]] = {}
        self._queue: deque[tuple[Change, Begin]] = deque()
        self._waiting = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look at changes."""
        self._task = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def is_behind(self) -> bool:
        """Whether so many changes wait that no more should be read."""
        return len(self._queue) > BACKLOG

    async def subscribe(self, channel: Channel) -> str | None:
        """See ``context.Tables``: watch all entries of a channel or none."""
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
                watches = self._watches.setdefault((binding.schema, binding.table), [])
                watches.append(Watch(channel, binding, caller, claims))
        return None

    def unsubscribe(self, channel: Channel) -> None:
        """Forget what a channel watches."""
        if not channel.config.bindings:
            return
        for place, watches in tuple(self._watches.items()):
            kept = [each for each in watches if each.channel is not channel]
            if kept:
                self._watches[place] = kept
            else:
                del self._watches[place]

    def take(self, change: Change, begun: Begin) -> None:
        """Queue a change that somebody watches; the others are not looked at."""
        if any(self._wanted(change)):
            self._queue.append((change, begun))
            self._waiting.set()

    def _wanted(self, change: Change) -> Iterator[Watch]:
        schema, table = change.relation.schema, change.relation.table
        for place in itertools.product((schema, ANY), (table, ANY)):
            for watch in self._watches.get(place, ()):
                if watch.binding.wants(change.kind):
                    yield watch

    async def _work(self) -> None:
        while True:
            while self._queue:
                batch = list(itertools.islice(self._queue, BATCH))
                try:
                    await self._tell(batch)
                except (psycopg.OperationalError, UnreachableError):
                    await asyncio.sleep(RETRY_S)
                    continue
                except Exception:
                    log.exception("%s changes could not be shown", len(batch))
                for _ in batch:
                    self._queue.popleft()
            self._waiting.clear()
            await self._waiting.wait()

    async def _tell(self, batch: Sequence[tuple[Change, Begin]]) -> None:
        looks = [Look(change, list(self._wanted(change))) for change, _ in batch]
        watched = [look for look in looks if look.watches]
        if watched:
            await self._until_ended({begun.xid for _, begun in batch})
            await self._database.run(lambda connection: look_at(connection, watched))
        for look, (change, begun) in zip(looks, batch, strict=True):
            committed_at = begun.committed_at
            stamp = f"{committed_at:%Y-%m-%dT%H:%M:%S}.{committed_at.microsecond // 1000:03}Z"
            head = {
                "schema": change.relation.schema,
                "table": change.relation.table,
                "commit_timestamp": stamp,
                "type": change.kind,
            }
            for (channel, data), ids in _by_channel(look.views(), head):
                if channel.open:
                    payload = {"ids": ids, "data": data}
                    message = Message(channel.topic, "postgres_changes", payload)
                    self._metrics.delivered.labels("postgres_changes").inc(
                        channel.deliver(Envelope(message))
                    )

    async def _until_ended(self, xids: set[int]) -> None:
        """Wait until everybody sees what these transactions did.

        A commit is in the WAL before its rows can be seen; until then no policy would show them.
        """
        while await self._database.run(  # noqa: ASYNC110 (no event tells it)
            lambda connection: is_running(connection, xids)
        ):
            await asyncio.sleep(VISIBLE_S)


def _by_channel(
    views: Iterable[tuple[Watch, View]], head: dict[str, Json]
) -> Iterable[tuple[tuple[Channel, dict[str, Json]], list[int]]]:
    """One message per channel and view, with the ids of all its entries that match."""
    grouped: dict[tuple[Channel, View], list[int]] = defaultdict(list)
    for watch, view in views:
        ids = grouped[watch.channel, view]
        if watch.binding.id not in ids:
            ids.append(watch.binding.id)
    for (channel, view), ids in grouped.items():
        yield (channel, head | view.data), ids
