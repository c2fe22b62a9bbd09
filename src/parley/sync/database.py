"""One SQLite file: opened, brought up to date, and written in whole transactions."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeAlias

from parley.sync.faults import StoreTooNew, StoreUnusable

BUSY_S = 5.0
CACHE_KIB = 32_768
SIDE_FILES = ("", "-wal", "-shm")
Values: TypeAlias = Sequence[Any] | Mapping[str, Any]


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
        """Open or create a file. Raises StoreUnusable, StoreTooNew."""
        self.path = str(path)
        try:
            # Other people's eyes have no business in a chat: the file is its owner's alone.
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
            self._connection = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None)
            self._connection.row_factory = sqlite3.Row
            self._connection.execute("pragma journal_mode = wal")
            self._connection.execute("pragma synchronous = full")
            self._connection.execute(f"pragma cache_size = -{CACHE_KIB}")
            self._migrate()
        except (OSError, sqlite3.Error) as error:
            raise StoreUnusable(
                f"The local copy {self.path} cannot be used: {error}.",
                "Check its folder and its rights, or choose another file.",
            ) from error

    def _migrate(self) -> None:
        with self.transaction():
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
        """All or nothing; other writers wait."""
        self._connection.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._connection.execute("rollback")
            raise
        self._connection.execute("commit")

    @property
    def in_transaction(self) -> bool:
        """Tell whether a transaction is open."""
        return self._connection.in_transaction

    def execute(self, statement: str, parameters: Values = ()) -> sqlite3.Cursor:
        """Run one statement."""
        return self._connection.execute(statement, parameters)

    def execute_many(self, statement: str, rows: Sequence[Values]) -> None:
        """Run one statement for each row."""
        self._connection.executemany(statement, rows)

    def all(self, statement: str, parameters: Values = ()) -> list[sqlite3.Row]:
        """Return all rows of a query."""
        return self._connection.execute(statement, parameters).fetchall()

    def one(self, statement: str, parameters: Values = ()) -> sqlite3.Row:
        """Return the one row of a query that always has one."""
        row: sqlite3.Row = self._connection.execute(statement, parameters).fetchone()
        return row

    def maybe(self, statement: str, parameters: Values = ()) -> sqlite3.Row | None:
        """Return the first row of a query, or None."""
        row: sqlite3.Row | None = self._connection.execute(statement, parameters).fetchone()
        return row

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def remove(self) -> None:
        """Close the file and delete it with its side files."""
        self.close()
        for suffix in SIDE_FILES:
            with suppress(FileNotFoundError):
                Path(self.path + suffix).unlink()
