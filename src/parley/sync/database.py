"""One SQLite file: opened, brought up to date, and written in whole transactions.

Nothing but ``ParleyError`` leaves it. What is in the way for a while (a full disk, a lock) is
``StoreUnusable``: the same call works later. Before each transaction we look whether the files are
still ours: a log that was deleted is written back and begun anew, and a file that was emptied or
taken away is ``StoreDamaged``.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeAlias

from parley.errors import InvalidInput
from parley.sync.errors import ChatClosed, StoreDamaged, StoreTooNew, StoreUnusable, SyncError
from parley.sync.file_watch import SIDE_FILES, FileWatch, Missing

BUSY_S = 2.5
CACHE_KIB = 32_768
DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
"""The codes of a file that is not what we wrote; SQLITE_ERROR is a table that is not there."""
WAIT = "Make space, or free the file and its folder; until then it is tried again."
OTHER_FILE = "Check its folder and its rights, or choose another file."
START_ANEW = (
    "Note down what outbox() still shows, then forget() the copy; everything else is fetched again."
)
Values: TypeAlias = Sequence[Any] | Mapping[str, Any]
OnFault: TypeAlias = Callable[[StoreUnusable | None], None]
"""Called once when something gets in the way of the file, and with None when it is over."""


@cache
def migrations() -> tuple[str, ...]:
    """The SQL that brings a new file up to date, one text per version."""
    folder = files("parley.sync").joinpath("sql")
    paths = sorted(path.name for path in folder.iterdir() if path.name[:4].isdigit())
    return tuple(folder.joinpath(name).read_text(encoding="utf-8") for name in paths)


def split(script: str) -> Iterator[str]:
    """Yield the statements of a script."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


class Database:
    """A SQLite file in WAL mode, safe against a killed process between any two statements.

    Several processes may use one file; each transaction sees and changes it as a whole.
    """

    def __init__(self, path: Path | str) -> None:
        """Open or create a file. Raises StoreUnusable, StoreDamaged, StoreTooNew."""
        self.path = str(path)
        self.fault: StoreUnusable | None = None
        """What is in the way, until something could be written again."""
        self._on_fault: OnFault = lambda fault: None
        self._is_closed = False
        self._watch = FileWatch(self.path)
        self._connection = self._connect()
        try:
            self._migrate()
            with self._translated():
                self._watch.note()
        except BaseException:
            self._connection.close()
            raise

    def _connect(self) -> sqlite3.Connection:
        connection = None
        try:
            # Other people's eyes have no business in a chat: the file is its owner's alone.
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
            connection = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None)
            connection.row_factory = sqlite3.Row
            connection.execute("pragma journal_mode = wal")
            connection.execute("pragma synchronous = full")
            connection.execute(f"pragma cache_size = -{CACHE_KIB}")
        except (OSError, ValueError, sqlite3.Error) as error:
            if connection is not None:
                connection.close()
            is_damaged = getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGE
            raise (StoreDamaged if is_damaged else StoreUnusable)(
                f"The local copy {self.path} cannot be used: {error}.", OTHER_FILE
            ) from error
        return connection

    def _migrate(self) -> None:
        with self._whole():
            version = int(self.one("pragma user_version")[0])
            if version > len(migrations()):
                raise StoreTooNew(
                    f"The local copy {self.path} was made by a newer Parley.",
                    "Upgrade Parley, or choose another file.",
                )
            for number, script in enumerate(migrations()[version:], version + 1):
                for statement in split(script):
                    self.execute(statement)
                self.execute(f"pragma user_version = {number}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; other writers wait. Raises StoreUnusable when it cannot be written."""
        with self._translated():
            self._look_after_files()
        with self._whole():
            yield

    @contextmanager
    def _whole(self) -> Iterator[None]:
        with self._translated():
            self._connection.execute("begin immediate")
        before = self._connection.total_changes
        try:
            yield
            with self._translated():
                self._connection.execute("commit")
        except BaseException:
            # (SQLite has rolled back by itself when it found the disk full.)
            with suppress(sqlite3.Error):
                self._connection.rollback()
            raise
        if self.fault is not None and self._connection.total_changes > before:
            self.fault = None
            self._on_fault(None)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Raise what goes wrong as what it is, and tell it once."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise self._told(self._fault_in(error)) from error
        except StoreUnusable as fault:
            raise self._told(fault) from None
        except (OverflowError, ValueError) as error:
            raise InvalidInput(f"This cannot be stored: {error}.", "Give what can be.") from error

    def _told(self, fault: SyncError) -> SyncError:
        if isinstance(fault, StoreUnusable) and not isinstance(self.fault, type(fault)):
            self.fault = fault
            self._on_fault(fault)
        return fault

    def _fault_in(self, error: sqlite3.Error | OSError) -> SyncError:
        if self._is_closed:
            return ChatClosed("This chat was closed.", "Make another one.")
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGE or isinstance(error, Missing):
            hint = START_ANEW if self._watch.is_watching else OTHER_FILE
            return StoreDamaged(f"The local copy {self.path} is damaged: {error}.", hint)
        return StoreUnusable(f"The local copy {self.path} cannot be used: {error}.", WAIT)

    def _look_after_files(self) -> None:
        """See whether the files are still those we opened. Raises sqlite3.Error, OSError."""
        if self._watch.is_watching and self._watch.is_log_lost():
            # We still have the log that nobody else can see: put it where it belongs.
            busy, logged, written = self._connection.execute(
                "pragma wal_checkpoint(truncate)"
            ).fetchone()
            if busy or logged != written:
                raise sqlite3.OperationalError("its log was deleted and cannot be written back yet")
            self._connection.close()
            self._watch.forget()
        if not self._watch.is_watching:
            self._connection = self._connect()
            self._connection.execute("select 1 from sqlite_schema").fetchone()
            self._watch.note()

    def execute(self, statement: str, parameters: Values = ()) -> sqlite3.Cursor:
        """Run one statement."""
        with self._translated():
            return self._connection.execute(statement, parameters)

    def execute_many(self, statement: str, rows: Sequence[Values]) -> None:
        """Run one statement for each row."""
        with self._translated():
            self._connection.executemany(statement, rows)

    def all(self, statement: str, parameters: Values = ()) -> list[sqlite3.Row]:
        """Return all rows of a query."""
        with self._translated():
            return self._connection.execute(statement, parameters).fetchall()

    def one(self, statement: str, parameters: Values = ()) -> sqlite3.Row:
        """Return the one row of a query that always has one."""
        with self._translated():
            row: sqlite3.Row | None = self._connection.execute(statement, parameters).fetchone()
            if row is None:
                raise Missing("a row that is always there is missing")
        return row

    def maybe(self, statement: str, parameters: Values = ()) -> sqlite3.Row | None:
        """Return the first row of a query, or None."""
        with self._translated():
            row: sqlite3.Row | None = self._connection.execute(statement, parameters).fetchone()
        return row

    def close(self) -> None:
        """Close the file."""
        self._is_closed = True
        self._connection.close()

    def remove(self) -> None:
        """Close the file and delete it with its side files. Raises StoreUnusable."""
        self.close()
        for suffix in SIDE_FILES:
            try:
                Path(self.path + suffix).unlink(missing_ok=True)
            except OSError as error:
                raise StoreUnusable(
                    f"The local copy {self.path} cannot be deleted: {error}.",
                    "Check the rights of its folder, and delete it by hand.",
                ) from error
