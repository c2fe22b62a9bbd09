"""Files that wait to be uploaded: durable copies of their bytes, beside the file of the copy.

The bytes are copied before the message is written down, because what a path names may be changed or
deleted before there is a network again. They are deleted when the message is in its room, or was
dismissed.
"""

from __future__ import annotations

import mimetypes
import os
import re
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from parley.errors import InvalidInput
from parley.sync.database import Database
from parley.sync.errors import StoreUnusable
from parley.sync.queries import query

CHUNK_BYTES = 65_536
STRAY_S = 3600.0
"""How old a file without a message is deleted: a younger one may be about to get its message."""
NAME_MOST = 100
UNUSUAL = re.compile(r"[^A-Za-z0-9._-]+")
"""Storage takes few other characters in names; what the file is really called travels beside it."""
UNKNOWN_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that waits. ``path`` is its name in storage, ``size`` is in bytes."""

    path: str
    client_id: str
    mime_type: str
    size: int


class Uploads:
    """The table ``uploads`` and the folder with the bytes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._folder = Path(database.path + "-files")

    def copy(
        self, room_id: str, client_id: str, file: Path | bytes, name: str, mime_type: str | None
    ) -> Upload:
        """Copy the bytes of a file. It is in no message yet; see ``add``.

        Raises InvalidInput for a file that cannot be read, StoreUnusable for a disk that is full.
        """
        path = f"{room_id}/{uuid4()}/{safe_name(name)}"
        target = self._copy_of(path)
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            write_whole(target, pieces(file))
            size = target.stat().st_size
        except OSError as error:
            raise StoreUnusable(
                f"The file cannot be copied to {self._folder}: {error}.",
                "Make space, or check the rights of its folder.",
            ) from error
        known = mime_type or mimetypes.guess_type(name)[0] or UNKNOWN_TYPE
        return Upload(path, client_id, known, size)

    def add(self, upload: Upload) -> None:
        """Note a copied file; called in the transaction that writes its message down."""
        self._database.execute(
            "insert into uploads (path, client_id, mime_type, size) values (?, ?, ?, ?)",
            (upload.path, upload.client_id, upload.mime_type, upload.size),
        )

    def waiting(self) -> list[Upload]:
        """The files of sends that wait, in order."""
        return [Upload(*row) for row in self._database.all(query("uploads_waiting"))]

    def done(self, upload: Upload) -> None:
        """Note that a file is in storage."""
        with self._database.transaction():
            self._database.execute("update uploads set is_done = 1 where path = ?", (upload.path,))

    def tidy(self) -> None:
        """Delete the bytes of what is sent or dismissed, and what a killed process left."""
        with self._database.transaction():
            rows = self._database.execute(query("uploads_over")).fetchall()
        for row in rows:
            self._copy_of(row["path"]).unlink(missing_ok=True)
        kept = {
            self._copy_of(row["path"]) for row in self._database.all("select path from uploads")
        }
        with suppress(OSError):
            for path in self._folder.iterdir():
                if path not in kept and time.time() - path.stat().st_mtime > STRAY_S:
                    path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Delete the folder with all bytes."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def read(self, path: str) -> bytes | None:
        """The bytes of a file of this device that is not sent yet; None when it is not here."""
        if self._database.maybe("select 1 from uploads where path = ?", (path,)) is None:
            return None
        try:
            return self._copy_of(path).read_bytes()
        except OSError:
            return None

    async def chunks(self, upload: Upload) -> AsyncIterator[bytes]:
        """Yield the bytes of a file. Raises OSError when the copy is gone."""
        with self._copy_of(upload.path).open("rb") as copy:
            while chunk := copy.read(CHUNK_BYTES):
                yield chunk

    def _copy_of(self, path: str) -> Path:
        return self._folder / path.split("/")[1]


def safe_name(name: str) -> str:
    """A name that Storage takes; its ending stays."""
    plain = re.sub(r"\.{2,}", ".", UNUSUAL.sub("_", name)).strip(".")
    return plain[-NAME_MOST:].lstrip(".") or "file"


def pieces(file: Path | bytes) -> Iterator[bytes]:
    """Yield the bytes of a file. Raises InvalidInput when it cannot be read."""
    if isinstance(file, bytes):
        yield file
        return
    try:
        with file.open("rb") as source:
            while piece := source.read(CHUNK_BYTES):
                yield piece
    except OSError as error:
        raise InvalidInput(f"The file cannot be read: {error}.", "Name a file.") from error


def write_whole(target: Path, content: Iterator[bytes]) -> None:
    """Write a file that is there as a whole or not at all, also after a loss of power."""
    part = target.with_suffix(".part")
    with os.fdopen(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as copy:
        for piece in content:
            copy.write(piece)
        copy.flush()
        os.fsync(copy.fileno())
    part.rename(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
