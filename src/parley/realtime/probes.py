"""Asking the database who may read and write a topic, as the real server does (REALTIME 3).

A read is asked by inserting a row per extension as the server, becoming the caller, and looking
which of them are visible; a write by inserting one as the caller. Everything is rolled back, so
policies on `realtime.messages` are asked exactly as a hosted project asks them.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Sequence

import psycopg
from psycopg import errors

from parley.realtime.authorize import (
    Answers,
    Caller,
    CanceledError,
    Extension,
    PartitionError,
    PolicyError,
    UnreachableError,
)
from parley.realtime.database import Connection, Database
from parley.realtime.queries import query


class Probes:
    """An ``Authorizer`` over a ``Database``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def readable(
        self, caller: Caller, topic: str, extensions: Sequence[Extension]
    ) -> Answers:
        """Insert, become the caller, select, roll back."""
        ids = {name: uuid.uuid4() for name in extensions}
        rows = {"topic": topic, "ids": list(ids.values()), "extensions": list(ids)}
        settings = caller.settings(topic)

        async def ask(connection: Connection) -> Answers:
            async with connection.transaction(force_rollback=True), connection.pipeline():
                await connection.execute(query("probe_rows"), rows)
                await connection.execute(query("settings"), settings)
                cursor = await connection.execute(query("probe_read"), rows)
                seen = {row["id"] for row in await cursor.fetchall()}
            return {name: ids[name] in seen for name in extensions}

        return await self._asked(ask)

    async def writable(
        self, caller: Caller, topic: str, extensions: Sequence[Extension]
    ) -> Answers:
        """Become the caller, insert one row per extension under a savepoint, roll back."""
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
