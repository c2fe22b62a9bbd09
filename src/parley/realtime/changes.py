"""Listening to tables: refused for now, with a sentence that says so."""

from __future__ import annotations

from datetime import datetime

from parley.realtime.channel import Channel
from parley.realtime.database import Database
from parley.realtime.metrics import Metrics
from parley.realtime.pgoutput import Change

NOT_SERVED = "Changes of tables are not served here"


class TableChanges:
    """Tells every channel that asks for tables that they are not served."""

    def __init__(self, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._metrics = metrics

    def start(self) -> None:
        """Nothing to begin."""

    async def stop(self) -> None:
        """Nothing to end."""

    def take(self, change: Change, committed_at: datetime) -> None:
        """Leave a change be."""

    async def subscribe(self, channel: Channel) -> str | None:
        """Return why a channel is not served."""
        return NOT_SERVED

    def unsubscribe(self, channel: Channel) -> None:
        """Nothing was subscribed."""
