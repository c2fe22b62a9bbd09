"""A small pool of database connections, opened when needed and replaced when they break.

Realtime keeps running while the database is away: no call waits longer than a few seconds, and
the first call after a restart of the database succeeds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, TypeVar

import psycopg
from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row

from parley.realtime.database.errors import UnreachableError

Connection: TypeAlias = AsyncConnection[dict[str, Any]]
T = TypeVar("T")

CONNECT_TIMEOUT_S = 5
OPTIONS = "-c timezone=UTC -c search_path= -c application_name=realtime"


class DatabasePool:
    """At most ``size`` connections at a time; further callers wait until one is free.

    Postgres cancels a statement that takes longer than ``timeout_s``.
    """

    def __init__(self, url: str, size: int = 4, timeout_s: int = 5) -> None:
        self._url = url
        self._options = f"{OPTIONS} -c statement_timeout={timeout_s}s"
        self._free: list[Connection] = []
        self._places = asyncio.Semaphore(size)

    async def run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Call ``work`` with a connection (autocommit, rows as dicts, UTC, no search path).

        When the connection turns out to be dead, ``work`` is called again with a new one, so it
        must be safe to repeat. Raises ``UnreachableError`` when no connection can be made.
        """
        async with self._places:
            while self._free:
                connection = self._free.pop()
                try:
                    return await self._on(connection, work)
                except psycopg.OperationalError:
                    if not connection.closed:
                        raise
                    await self.close()
            return await self._on(await self._connect(), work)

    async def _on(self, connection: Connection, work: Callable[[Connection], Awaitable[T]]) -> T:
        try:
            result = await work(connection)
        except psycopg.Error:
            await self._keep(connection)
            raise
        except BaseException:
            await connection.close()
            raise
        await self._keep(connection)
        return result

    async def _keep(self, connection: Connection) -> None:
        """Keep a connection for the next caller; close it if it is still in a transaction."""
        if connection.info.transaction_status is TransactionStatus.IDLE:
            self._free.append(connection)
        else:
            await connection.close()

    async def _connect(self) -> Connection:
        try:
            return await AsyncConnection.connect(
                self._url,
                autocommit=True,
                # psycopg deallocates all statements when it forgets its own, those of probes too.
                prepare_threshold=None,
                row_factory=dict_row,
                connect_timeout=CONNECT_TIMEOUT_S,
                options=self._options,
            )
        except psycopg.OperationalError as error:
            raise UnreachableError from error

    async def close(self) -> None:
        """Close the connections that are not in use."""
        free, self._free = self._free, []
        for connection in free:
            await connection.close()
