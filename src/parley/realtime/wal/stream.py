"""One connection that reads the WAL on the event loop, without a thread.

It uses psycopg2's replication cursor in asynchronous mode. The event loop watches the cursor's
socket; when it is readable, the messages that have arrived are read, up to ``BATCH`` at a time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol, cast

import psycopg2
import psycopg2.extensions
import psycopg2.extras

from parley.realtime.wal.pgoutput import Begin, Commit, Decoder, RowChange

log = logging.getLogger(__name__)

SESSION = "-c bytea_output=hex -c datestyle=ISO -c timezone=UTC -c extra_float_digits=1"
BATCH = 500
"""How many messages are read before the event loop may do something else."""
RESUME_S = 0.02
"""How often a reader that has paused because of a backlog looks whether it may go on."""

Sink = Callable[[Sequence[RowChange], Begin], None]
"""Called with the changes of each transaction and with its beginning."""


class _ReplicationCursor(Protocol):
    """The parts of psycopg2's replication cursor that are used here."""

    @property
    def wal_end(self) -> int:
        """The position in the WAL up to which the server has sent everything."""

    def read_message(self) -> psycopg2.extras.ReplicationMessage | None:
        """The next message, or None when none has arrived."""

    def send_feedback(self, *, flush_lsn: int, force: bool) -> None:
        """Tell the server up to which position it need not keep the WAL."""


class WalStream:
    """Reads a replication slot from ``position`` on and hands whole transactions to ``sink``.

    ``position`` moves when a transaction is complete. If the connection breaks in the middle of a
    transaction, the next stream reads that transaction again from its start, so none is lost and
    none is handed over twice. While ``is_behind`` returns True, nothing more is read.
    """

    def __init__(self, position: int, sink: Sink, is_behind: Callable[[], bool]) -> None:
        self.position = position
        self._sink = sink
        self._is_behind = is_behind
        self._connection: psycopg2.extensions.connection | None = None
        self._cursor: _ReplicationCursor | None = None
        self._descriptor: int | None = None
        """The socket that the event loop watches."""
        self._decoder = Decoder()
        self._begun: Begin | None = None
        self._changes: list[RowChange] = []
        self._resume: asyncio.Handle | None = None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Fails with the error that ended the connection."""

    async def open(self, url: str, slot: str, publications: Sequence[str]) -> None:
        """Connect and begin to read; raises psycopg2's errors."""
        connection = psycopg2.connect(
            url,
            connection_factory=psycopg2.extras.LogicalReplicationConnection,
            options=SESSION,
            async_=True,
        )
        self._connection = connection
        await _until_idle(connection)
        cursor = connection.cursor()
        cursor.start_replication(
            slot_name=slot,
            start_lsn=self.position,
            options={"proto_version": "1", "publication_names": ",".join(publications)},
        )
        await _until_idle(connection)
        self._cursor = cast(_ReplicationCursor, cursor)
        self._watch()

    def confirm(self) -> None:
        """Tell the server up to where transactions were handed over."""
        if self._cursor is not None:
            if self._begun is None and self._resume is None:
                self.position = max(self.position, self._cursor.wal_end)
            try:
                self._cursor.send_feedback(flush_lsn=self.position, force=True)
            except psycopg2.Error:
                self._unwatch()
                raise
            if self._resume is None:
                # Sending may have read messages into libpq's buffer. The socket is not readable
                # for those, so look for them here.
                self._on_readable()

    def close(self) -> None:
        """Stop reading."""
        if self._resume is not None:
            self._resume.cancel()
        self._unwatch()
        if self._connection is not None:
            self._connection.close()
        self.ended.cancel()

    def _watch(self) -> None:
        if self._connection is not None:
            self._descriptor = self._connection.fileno()
            asyncio.get_running_loop().add_reader(self._descriptor, self._on_readable)
            self._on_readable()

    def _unwatch(self) -> None:
        """Have the event loop forget the socket; after an error before anything else happens.

        libpq closes the socket of a broken connection by itself. The next one that is opened gets
        its number, and would not be watched while the event loop thinks that it is.
        """
        if self._descriptor is not None:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            self._descriptor = None

    def _on_readable(self) -> None:
        self._resume = None
        if self.ended.done() or self._cursor is None or self._connection is None:
            return
        loop = asyncio.get_running_loop()
        if self._is_behind():
            self._unwatch()
            self._resume = loop.call_later(RESUME_S, self._watch)
            return
        try:
            for _ in range(BATCH):
                message = self._cursor.read_message()
                if message is None:
                    return
                self._take(message.payload)
        except psycopg2.Error as error:
            self._fail(error)
        except Exception:
            log.exception("A message of the WAL could not be handled; connecting again")
            self._fail(OSError("a message of the WAL could not be handled"))
        else:
            self._resume = loop.call_soon(self._on_readable)

    def _fail(self, error: Exception) -> None:
        self._unwatch()
        self.ended.set_exception(error)

    def _take(self, payload: bytes) -> None:
        match self._decoder.decode(payload):
            case Begin() as begin:
                self._begun, self._changes = begin, []
            case RowChange() as change:
                self._changes.append(change)
            case Commit() as commit:
                begun, changes = self._begun, self._changes
                self._begun, self._changes = None, []
                self.position = commit.end_lsn
                if begun is not None:
                    self._sink(changes, begun)


async def _until_idle(connection: psycopg2.extensions.connection) -> None:
    """Wait until an asynchronous connection has finished its current operation."""
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
