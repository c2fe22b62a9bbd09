"""Watching the files of an open database, because SQLite does not.

Somebody may delete, empty or replace a file that we hold open. SQLite would go on writing into what
nobody else can see.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

SIDE_FILES = ("", "-wal", "-shm")
Identities: TypeAlias = Mapping[str, tuple[int, int]]
"""By suffix, the inode and the size of each file; of the side files the size is left out, as 0."""


class Missing(OSError):
    """Something of the file is not there any more."""


class FileWatch:
    """What the files of one database looked like when we opened them or wrote last."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._known: Identities = {}

    @property
    def is_watching(self) -> bool:
        """Tell whether the files have been noted since the database was opened."""
        return bool(self._known)

    def note(self) -> None:
        """Take the files as they are for ours. Raises OSError."""
        self._known = self._look()

    def forget(self) -> None:
        """The database was closed; other files may take the place of its own."""
        self._known = {}

    def is_log_lost(self) -> bool:
        """Tell whether a side file was deleted; note how the files have grown otherwise.

        Raises Missing when more is wrong than that, OSError.
        """
        found = self._look()
        if found == self._known:
            return False
        inode, size = found.get("", (0, 0))
        if inode != self._known[""][0]:
            raise Missing("it was deleted or replaced while it was open")
        if size < self._known[""][1]:
            raise Missing("it was cut short while it was open")
        if any(found[each] != self._known.get(each, found[each]) for each in found if each):
            raise Missing("its log was replaced while it was open")
        if any(each not in found for each in self._known):
            return True
        self._known = found
        return False

    def _look(self) -> Identities:
        found = {}
        for suffix in SIDE_FILES:
            with suppress(FileNotFoundError):
                stat = Path(self._path + suffix).stat()
                found[suffix] = (stat.st_ino, stat.st_size if suffix == "" else 0)
        return found
