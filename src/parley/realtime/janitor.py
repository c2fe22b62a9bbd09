"""Keeping the partitions of `realtime.messages`: some days ahead, three days back."""

from __future__ import annotations

import asyncio
import logging

import psycopg
from psycopg import errors

from parley.realtime.authorize import UnreachableError
from parley.realtime.database import Connection, Database
from parley.realtime.queries import query

log = logging.getLogger(__name__)

EVERY_S = 4 * 3600.0
RETRY_S = 5.0


class Janitor:
    """Calls the platform's own function when it starts and every four hours."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Stop, in the middle of it if need be."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep(self) -> None:
        while True:
            try:
                await self._database.run(_keep_partitions)
                pause = EVERY_S
            except (errors.InvalidSchemaName, errors.UndefinedFunction):
                log.warning("this database keeps its partitions of realtime.messages itself")
                return
            except (psycopg.Error, UnreachableError) as error:
                log.info("the partitions of realtime.messages are kept later: %s", error)
                pause = RETRY_S
            await asyncio.sleep(pause)


async def _keep_partitions(connection: Connection) -> None:
    await connection.execute(query("keep_partitions"))
