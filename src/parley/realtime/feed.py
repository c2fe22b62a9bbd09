"""Handing what the WAL says to those who listen: broadcasts at once, table changes in turn."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from parley.realtime.captured import broadcast_of, is_message_table
from parley.realtime.hub import Hub
from parley.realtime.limits import Meters
from parley.realtime.metrics import Metrics
from parley.realtime.pgoutput import Begin, Change

log = logging.getLogger(__name__)


class Feed:
    """Sorts the changes of each transaction; ``tables`` takes those of the adopter's tables."""

    def __init__(
        self,
        hub: Hub,
        meters: Meters,
        metrics: Metrics,
        payload_bytes: int,
        tables: Callable[[Change, Begin], None],
    ) -> None:
        self._hub = hub
        self._meters = meters
        self._metrics = metrics
        self._payload_bytes = payload_bytes
        self._tables = tables

    def take(self, changes: Sequence[Change], begun: Begin) -> None:
        """Dispatch one transaction."""
        for change in changes:
            if is_message_table(change):
                self._broadcast(change)
            else:
                self._tables(change, begun)

    def _broadcast(self, change: Change) -> None:
        found = broadcast_of(change)
        if found is None:
            self._metrics.captured.labels("incomplete").inc()
            return
        if len(found.message.body) > self._payload_bytes or self._meters.events.exceeded:
            log.warning("a broadcast on %s is too large or too much", found.key[0])
            self._metrics.captured.labels("over limit").inc()
            return
        self._meters.events.add()
        self._hub.broadcast(found.key, found.message, message_id=found.id)
