"""Reading the WAL without end: it makes the slot, connects, and connects again after errors.

Rows arrive after their transaction was committed and in the order of commits; rows of a transaction
that was rolled back never arrive. With a permanent slot nothing is lost while this process runs.
Each process makes a new slot: what was committed before it started is not needed, because clients
of the previous process have lost their sockets and catch up when they join again.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
import psycopg2

from parley.realtime.database.errors import UnreachableError
from parley.realtime.database.pool import Connection, DatabasePool
from parley.realtime.database.queries import query
from parley.realtime.metrics import Metrics
from parley.realtime.settings import Capture
from parley.realtime.wal.pgoutput import Begin, RowChange
from parley.realtime.wal.stream import Sink, WalStream

log = logging.getLogger(__name__)

MESSAGES, TABLES = "supabase_realtime_messages_publication", "supabase_realtime"
UNDEFINED_OBJECT, INVALIDATED = "42704", "55000"
CONNECT_TIMEOUT_S = 5.0
CONFIRM_EVERY_S = 1.0
DROP_PAUSES_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
FAILURES = (psycopg.Error, psycopg2.Error, UnreachableError, OSError, TimeoutError)


class Replication:
    """Reads the WAL and hands on its transactions, also after restarts of the database."""

    def __init__(self, url: str, slot: str, capture: Capture, metrics: Metrics) -> None:
        self.ready = False
        self._url = url
        self._slot_prefix = slot
        self._capture = capture
        self._metrics = metrics
        self._sink: Sink | None = None
        self._is_behind: Callable[[], bool] = lambda: False
        self._database = DatabasePool(url, size=1, timeout_s=60)
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._slot: str | None = None
        self._position = 0
        self._reads_tables = True
        self._drops_until = 0.0

    def start(self, sink: Sink, is_behind: Callable[[], bool]) -> None:
        """Begin to read, at once or when the first channel is joined, as the profile says.

        ``sink`` gets each transaction. While ``is_behind`` returns True, reading pauses.
        """
        self._sink, self._is_behind = sink, is_behind
        if not self._capture.on_first_join:
            self._wanted.set()
        self._task = asyncio.create_task(self._keep_reading())

    def want(self) -> None:
        """Begin to read, if that was put off until the first join."""
        self._wanted.set()

    async def stop(self) -> None:
        """Stop reading and drop the slot, so that the database does not keep WAL for it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._slot is not None:
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    await self._database.run(self._drop_slot)
            except (psycopg.Error, UnreachableError, TimeoutError):
                log.info(
                    "The replication slot %s could not be dropped; the next start drops it",
                    self._slot,
                )
        await self._database.close()

    async def lag(self) -> float | None:
        """Bytes of WAL that are written and not yet read; None while the database is away."""
        try:
            return await self._database.run(self._measure)
        except (psycopg.Error, UnreachableError):
            return None

    async def _measure(self, connection: Connection) -> float | None:
        position = f"{self._position >> 32:X}/{self._position & 0xFFFFFFFF:X}"
        cursor = await connection.execute(query("wal_lag"), {"position": position})
        row = await cursor.fetchone()
        return None if row is None or not self._position else max(0.0, float(row["lag"]))

    async def _keep_reading(self) -> None:
        await self._wanted.wait()
        delay = self._capture.retry_s
        while True:
            started = time.monotonic()
            try:
                publications = await self._database.run(self._prepare)
                await self._read(publications)
            except FAILURES as error:
                log.info("Reading the WAL stopped and starts again: %s", _first_line(error))
                self._adapt_to(error)
            finally:
                self.ready = False
                self._metrics.connected.set(0)
            if time.monotonic() - started > self._capture.retry_max_s:
                delay = self._capture.retry_s
            await asyncio.sleep(delay)
            delay = min(2 * delay, self._capture.retry_max_s)

    async def _prepare(self, connection: Connection) -> list[str]:
        """Make the slot if it is missing or unusable. Returns the publications to read."""
        parameters = {"prefix": self._slot_prefix, "publications": [MESSAGES, TABLES]}
        cursor = await connection.execute(query("slot_state"), parameters)
        state: dict[str, Any] = await anext(aiter(cursor))
        name = str(state["slot"])
        if not (self._capture.permanent and self._slot == name and state["is_usable"]):
            await connection.execute(query("slot_drop"), {"slot": name})
            await connection.execute(query("slot_create"), {"slot": name})
            self._slot, self._position = name, 0
        return [each for each in state["publications"] if each != TABLES or self._reads_tables]

    async def _drop_slot(self, connection: Connection) -> None:
        """Drop the slot. Try several times: the server may still be ending our connection."""
        for pause in DROP_PAUSES_S:
            await connection.execute(query("slot_drop"), {"slot": self._slot})
            cursor = await connection.execute(query("slot_exists"), {"slot": self._slot})
            if await cursor.fetchone() is None:
                return
            await asyncio.sleep(pause)

    async def _read(self, publications: list[str]) -> None:
        """Read until the connection fails, or until the profile breaks it on purpose."""
        stream = WalStream(self._position, self._hand_over, self._is_behind)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                self._drops_until = time.monotonic() + self._capture.ready_after_s
                await stream.open(self._url, str(self._slot), publications)
            self._metrics.connected.set(1)
            self._metrics.reconnects.inc()
            await self._attend(stream)
        finally:
            self._position = stream.position
            stream.close()

    async def _attend(self, stream: WalStream) -> None:
        """Confirm every second what was handed over, until the connection ends."""
        breaks_at = float("inf")
        if self._capture.reconnect_every_s is not None:
            breaks_at = time.monotonic() + random.expovariate(1 / self._capture.reconnect_every_s)
        while (now := time.monotonic()) < breaks_at:
            self.ready = now >= self._drops_until
            pause = CONFIRM_EVERY_S if self.ready else self._drops_until - now
            done, _ = await asyncio.wait([stream.ended], timeout=pause)
            if done:
                await stream.ended
            stream.confirm()
            self._position = stream.position
            if not self._reads_tables:
                self._reads_tables = True
                return

    def _adapt_to(self, error: BaseException) -> None:
        """Change what the next attempt does, after an error that would otherwise come again.

        When the publication `supabase_realtime` is dropped and made again, the WAL written in
        between cannot be read with it. That part is read without it, so no broadcast is lost; the
        changes of tables in that part are not seen. When the slot is gone or was invalidated, the
        next attempt makes a new one.
        """
        code = error.pgcode if isinstance(error, psycopg2.Error) else None
        if code == UNDEFINED_OBJECT and f'publication "{TABLES}"' in str(error):
            self._reads_tables = False
        elif code in (UNDEFINED_OBJECT, INVALIDATED):
            self._slot = None

    def _hand_over(self, changes: Sequence[RowChange], begun: Begin) -> None:
        if time.monotonic() < self._drops_until:
            self._metrics.captured.labels("before ready").inc(len(changes))
            return
        share = self._capture.drop_share
        kept = [each for each in changes if random.random() >= share]  # noqa: S311
        self._metrics.captured.labels("dropped").inc(len(changes) - len(kept))
        self._metrics.captured.labels("dispatched").inc(len(kept))
        if self._sink is not None:
            self._sink(kept, begun)


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
