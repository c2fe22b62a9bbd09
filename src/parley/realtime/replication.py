"""Reading rows out of the WAL, on the event loop: a logical slot, `pgoutput`, no thread.

Rows arrive after their transaction committed, in commit order, and never for one that rolled back.
A transaction is handed over whole, so that a connection that breaks in the middle of one repeats
nothing: reading goes on after the last transaction that was handed over.

With a permanent slot nothing is lost while this process lives. The slot starts anew with each
process, because those who would want what came before have to join again anyway.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol, cast

import psycopg
import psycopg2
import psycopg2.extensions
import psycopg2.extras

from parley.realtime.authorize import UnreachableError
from parley.realtime.database import Connection, Database
from parley.realtime.metrics import Metrics
from parley.realtime.pgoutput import Begin, Change, Commit, Decoder
from parley.realtime.queries import query
from parley.realtime.settings import Capture

log = logging.getLogger(__name__)

SLOT_PREFIX = "parley_realtime"
PUBLICATIONS = ["supabase_realtime_messages_publication", "supabase_realtime"]
SESSION = "-c bytea_output=hex -c datestyle=ISO -c timezone=UTC -c extra_float_digits=1"
CONNECT_TIMEOUT_S = 5.0
CONFIRM_EVERY_S = 1.0
DROP_PAUSES_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
BATCH = 500
"""Messages taken before the sockets get a turn."""

FAILURES = (psycopg.Error, psycopg2.Error, UnreachableError, OSError, TimeoutError)

Sink = Callable[[Sequence[Change], datetime], None]
"""Takes a transaction's changes and the time it committed."""


class Stream(Protocol):
    """What is used of psycopg2's replication cursor."""

    @property
    def wal_end(self) -> int:
        """Up to where the server has sent everything."""

    def read_message(self) -> psycopg2.extras.ReplicationMessage | None:
        """The next message, or None when there is none yet."""

    def send_feedback(self, *, flush_lsn: int, force: bool) -> None:
        """Tell the server what needs not be kept any more."""


class Replication:
    """Keeps reading the WAL, whatever happens to the database; hands transactions over."""

    def __init__(self, url: str, capture: Capture, metrics: Metrics) -> None:
        self.ready = False
        self._url = url
        self._capture = capture
        self._metrics = metrics
        self._sink: Sink | None = None
        self._database = Database(url, size=1, timeout_s=60)
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._slot: str | None = None
        self._position = 0
        self._begun: Begin | None = None
        self._changes: list[Change] = []
        self._drops_until = 0.0

    def start(self, sink: Sink) -> None:
        """Begin to read, at once or when the first channel is joined."""
        self._sink = sink
        if not self._capture.on_first_join:
            self._wanted.set()
        self._task = asyncio.create_task(self._keep_reading())

    def want(self) -> None:
        """Somebody has joined."""
        self._wanted.set()

    async def stop(self) -> None:
        """Stop reading and drop the slot, so that the database need not keep its WAL."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._slot is not None:
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    await self._database.run(self._drop_slot)
            except (psycopg.Error, UnreachableError, TimeoutError):
                log.info("the replication slot %s could not be dropped", self._slot)
        await self._database.close()

    async def lag(self) -> float | None:
        """Bytes of WAL that are written and not yet dispatched; None without a database."""
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
                log.info("reading the WAL stopped: %s", _first_line(error))
                if _slot_is_useless(error):
                    self._slot = None
            finally:
                self.ready = False
                self._metrics.connected.set(0)
            if time.monotonic() - started > self._capture.retry_max_s:
                delay = self._capture.retry_s
            await asyncio.sleep(delay)
            delay = min(2 * delay, self._capture.retry_max_s)

    async def _prepare(self, connection: Connection) -> list[str]:
        """Make sure that the slot is there; returns the publications to read."""
        parameters = {"prefix": SLOT_PREFIX, "publications": PUBLICATIONS}
        cursor = await connection.execute(query("slot_state"), parameters)
        state: dict[str, Any] = await anext(aiter(cursor))
        name = str(state["slot"])
        if not (self._capture.permanent and self._slot == name and state["is_usable"]):
            await connection.execute(query("slot_drop"), {"slot": name})
            await connection.execute(query("slot_create"), {"slot": name})
            self._slot, self._position = name, 0
        return list(state["publications"])

    async def _drop_slot(self, connection: Connection) -> None:
        """Drop the slot; its reader may need a moment to notice that the connection is gone."""
        for pause in DROP_PAUSES_S:
            await connection.execute(query("slot_drop"), {"slot": self._slot})
            cursor = await connection.execute(query("slot_exists"), {"slot": self._slot})
            if await cursor.fetchone() is None:
                return
            await asyncio.sleep(pause)

    async def _read(self, publications: list[str]) -> None:
        """Read until the connection ends, which is always an error, or is to be broken."""
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            connection = psycopg2.connect(
                self._url,
                connection_factory=psycopg2.extras.LogicalReplicationConnection,
                options=SESSION,
                async_=True,
            )
            try:
                cursor = await self._begin(connection, publications)
            except BaseException:
                connection.close()
                raise
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()
        decoder = Decoder()
        self._begun, self._changes = None, []
        self._drops_until = time.monotonic() + self._capture.ready_after_s
        descriptor = connection.fileno()
        loop.add_reader(descriptor, self._on_readable, cursor, decoder, ended)
        try:
            self._metrics.connected.set(1)
            self._metrics.reconnects.inc()
            self._on_readable(cursor, decoder, ended)
            await self._attend(cursor, ended)
        finally:
            loop.remove_reader(descriptor)
            ended.cancel()
            connection.close()

    async def _begin(
        self, connection: psycopg2.extensions.connection, publications: list[str]
    ) -> Stream:
        await _until_idle(connection)
        cursor = cast(psycopg2.extras.ReplicationCursor, connection.cursor())
        cursor.start_replication(
            slot_name=self._slot,
            start_lsn=self._position,
            options={"proto_version": "1", "publication_names": ",".join(publications)},
        )
        await _until_idle(connection)
        return cast(Stream, cursor)

    async def _attend(self, cursor: Stream, ended: asyncio.Future[None]) -> None:
        """Confirm what was dispatched, again and again, until the connection ends."""
        breaks_at = float("inf")
        if self._capture.reconnect_every_s is not None:
            mean = self._capture.reconnect_every_s
            breaks_at = time.monotonic() + random.expovariate(1 / mean)
        pause = min(CONFIRM_EVERY_S, self._capture.ready_after_s)
        while time.monotonic() < breaks_at:
            self.ready = time.monotonic() >= self._drops_until
            done, _ = await asyncio.wait([ended], timeout=pause)
            if done:
                await ended
            if self._begun is None:
                self._position = max(self._position, cursor.wal_end)
            cursor.send_feedback(flush_lsn=self._position, force=True)
            pause = CONFIRM_EVERY_S

    def _on_readable(
        self,
        cursor: Stream,
        decoder: Decoder,
        ended: asyncio.Future[None],
    ) -> None:
        if ended.done():
            return
        try:
            for _ in range(BATCH):
                message = cursor.read_message()
                if message is None:
                    return
                self._take(decoder, message.payload)
        except psycopg2.Error as error:
            ended.set_exception(error)
        except Exception:
            log.exception("a message of the WAL could not be read")
            ended.set_exception(OSError("a message of the WAL could not be read"))
        else:
            asyncio.get_running_loop().call_soon(self._on_readable, cursor, decoder, ended)

    def _take(self, decoder: Decoder, payload: bytes) -> None:
        match decoder.decode(payload):
            case Begin() as begin:
                self._begun, self._changes = begin, []
            case Change() as change:
                self._changes.append(change)
            case Commit() as commit:
                begun, changes = self._begun, self._changes
                self._begun, self._changes = None, []
                self._position = commit.end_lsn
                if begun is not None:
                    self._hand_over(changes, begun.committed_at)

    def _hand_over(self, changes: list[Change], committed_at: datetime) -> None:
        if time.monotonic() < self._drops_until:
            self._metrics.captured.labels("before ready").inc(len(changes))
            return
        share = self._capture.drop_share
        kept = [each for each in changes if random.random() >= share]  # noqa: S311
        self._metrics.captured.labels("dropped").inc(len(changes) - len(kept))
        self._metrics.captured.labels("dispatched").inc(len(kept))
        if self._sink is not None:
            self._sink(kept, committed_at)


async def _until_idle(connection: psycopg2.extensions.connection) -> None:
    """Let an asynchronous connection finish what it is doing."""
    loop = asyncio.get_running_loop()
    while True:
        state = connection.poll()
        if state == psycopg2.extensions.POLL_OK:
            return
        turn: asyncio.Future[None] = loop.create_future()
        descriptor = connection.fileno()
        watch, ignore = (
            (loop.add_reader, loop.remove_reader)
            if state == psycopg2.extensions.POLL_READ
            else (loop.add_writer, loop.remove_writer)
        )
        watch(descriptor, _settle, turn)
        try:
            await turn
        finally:
            ignore(descriptor)


def _settle(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_result(None)


def _slot_is_useless(error: BaseException) -> bool:
    """Whether the slot cannot be read any more: gone, invalidated, or its publication dropped."""
    return isinstance(error, psycopg2.Error) and error.pgcode in ("42704", "55000")


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
