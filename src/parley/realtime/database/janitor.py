"""Creating partitions of `realtime.messages` some days ahead and dropping them after three days."""

from __future__ import annotations

import asyncio
import logging

import psycopg
from psycopg import errors

from parley.realtime.database.errors import UnreachableError
from parley.realtime.database.pool import Connection, DatabasePool
from parley.realtime.database.queries import query

log = logging.getLogger(__name__)

EVERY_S = 4 * 3600.0
RETRY_S = 5.0


class Janitor:
    """Calls `_realtime.keep_partitions()`, at the start and then every four hours."""

    def __init__(self, database: DatabasePool) -> None:
        self._database = database
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the task that keeps partitions."""
        self._task = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Stop the task, even in the middle of a call."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep(self) -> None:
        while True:
            try:
                await self._database.run(_keep_partitions)
                pause = EVERY_S
            except (errors.InvalidSchemaName, errors.UndefinedFunction):
                log.warning(
                    "This database has no _realtime.keep_partitions(). Somebody else must create "
                    "the partitions of realtime.messages, or broadcasts from SQL are lost."
                )
                return
            except (psycopg.Error, UnreachableError) as error:
                log.info(
                    "The partitions of realtime.messages could not be created: %s. "
                    "The next attempt is in %s seconds.",
                    error,
                    RETRY_S,
                )
                pause = RETRY_S
            await asyncio.sleep(pause)


async def _keep_partitions(connection: Connection) -> None:
    await connection.execute(query("keep_partitions"))
