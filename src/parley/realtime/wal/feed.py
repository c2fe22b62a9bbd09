"""Handing on each transaction of the WAL: broadcasts at once, row changes to their queue."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from parley.realtime.channel.hub import Hub
from parley.realtime.metrics import Metrics
from parley.realtime.rate_counters import Meters
from parley.realtime.wal.broadcasts import broadcast_of, is_message_table
from parley.realtime.wal.pgoutput import Begin, RowChange

log = logging.getLogger(__name__)


class Feed:
    """Broadcasts the rows of `realtime.messages`; ``tables`` takes the changes of other tables.

    ``told`` is called after a transaction that broadcast something.
    """

    def __init__(
        self,
        hub: Hub,
        meters: Meters,
        metrics: Metrics,
        payload_bytes: int,
        *,
        tables: Callable[[RowChange, Begin], None],
        told: Callable[[], None],
    ) -> None:
        self._hub = hub
        self._meters = meters
        self._metrics = metrics
        self._payload_bytes = payload_bytes
        self._tables = tables
        self._told = told

    def take(self, changes: Sequence[RowChange], begun: Begin) -> None:
        """Hand on the changes of one transaction."""
        for change in changes:
            if is_message_table(change):
                self._broadcast(change)
            else:
                self._tables(change, begun)
        if any(is_message_table(change) for change in changes):
            self._told()

    def _broadcast(self, change: RowChange) -> None:
        found = broadcast_of(change)
        if found is None:
            self._metrics.captured.labels("incomplete").inc()
            return
        if len(found.message.body) > self._payload_bytes or self._meters.events.exceeded:
            log.warning(
                "Dropped a broadcast on %s: its payload is larger than %s bytes, or the server has "
                "reached its events per second",
                found.key[0],
                self._payload_bytes,
            )
            self._metrics.captured.labels("over limit").inc()
            return
        self._meters.events.add()
        self._hub.broadcast(found.key, found.message, message_id=found.id)
