"""Finding out with probe rows who may read and write a topic, as the hosted server does.

To check the right to read, insert one row per extension as the server, take on the caller's role
and claims, and select: the rows that come back are those the caller may read. To check the right
to write, take on the caller's role and claims and insert. Everything is rolled back. The policies
on `realtime.messages` therefore meet the same statements as in a hosted project.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Sequence
from weakref import WeakSet

import psycopg
from psycopg import AsyncClientCursor, errors

from parley.realtime.authorization.rights import Answers, Caller, Extension
from parley.realtime.database.errors import (
    CanceledError,
    PartitionError,
    PolicyError,
    UnreachableError,
)
from parley.realtime.database.pool import Connection, DatabasePool
from parley.realtime.database.queries import query

SETS_BEFORE_ROWS = 3
"""Results of `probe_read` before the rows: of `begin`, of the insert, and of the settings."""


class Probes:
    """The ``Authorizer`` that asks a real database."""

    def __init__(self, database: DatabasePool) -> None:
        self._database = database
        self._prepared: WeakSet[Connection] = WeakSet()

    async def readable(
        self, caller: Caller, topic: str, extensions: Sequence[Extension]
    ) -> Answers:
        """Insert one row per extension, become the caller, select, roll back: in one trip."""
        ids = {name: uuid.uuid4() for name in extensions}
        rows = list(ids.values())
        values = {
            **caller.settings(topic),
            "ids": rows,
            "extensions": list(ids),
            "first_id": rows[0],
            "last_id": rows[-1],
        }

        async def ask(connection: Connection) -> Answers:
            if connection not in self._prepared:
                await connection.execute(query("probe_prepare"), prepare=False)
                self._prepared.add(connection)
            # Statements by name: psycopg forgets those that it prepares itself at each rollback.
            cursor = AsyncClientCursor(connection)
            try:
                await cursor.execute(query("probe_read"), values)
            except psycopg.Error:
                await connection.rollback()
                raise
            for _ in range(SETS_BEFORE_ROWS):
                cursor.nextset()
            seen = {row["id"] for row in await cursor.fetchall()}
            return {name: ids[name] in seen for name in extensions}

        return await self._asked(ask)

    async def writable(
        self, caller: Caller, topic: str, extensions: Sequence[Extension]
    ) -> Answers:
        """Become the caller, insert one row per extension in a savepoint, roll back."""
        settings = caller.settings(topic)

        async def ask(connection: Connection) -> Answers:
            answers: dict[Extension, bool] = {}
            async with connection.transaction(force_rollback=True):
                await connection.execute(query("settings"), settings)
                for name in extensions:
                    row = {"topic": topic, "extension": name}
                    try:
                        async with connection.transaction():
                            await connection.execute(query("probe_write"), row)
                        answers[name] = True
                    except errors.InsufficientPrivilege:
                        answers[name] = False
            return answers

        return await self._asked(ask)

    async def _asked(self, ask: Callable[[Connection], Awaitable[Answers]]) -> Answers:
        try:
            return await self._database.run(ask)
        except errors.CheckViolation as error:
            if "no partition" in str(error):
                raise PartitionError from error
            raise PolicyError from error
        except errors.QueryCanceled as error:
            raise CanceledError from error
        except psycopg.OperationalError as error:
            raise UnreachableError from error
        except psycopg.Error as error:
            raise PolicyError from error
