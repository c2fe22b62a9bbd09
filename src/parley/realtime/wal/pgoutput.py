"""Decoding the messages of Postgres' `pgoutput` plugin: protocol version 1, values as text.

Pure functions over bytes. The layout is in the Postgres documentation, in the chapter "Logical
Replication Message Formats".
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TypeAlias

POSTGRES_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""Timestamps in the WAL are microseconds since this moment."""


class Unchanged(Enum):
    """The type of ``UNCHANGED``: a large value that an update left alone is not in the WAL."""

    UNCHANGED = "unchanged"


UNCHANGED = Unchanged.UNCHANGED

WalValue: TypeAlias = str | Unchanged | None
"""A value as Postgres prints it, None for null, or ``UNCHANGED``."""

WalRow: TypeAlias = Mapping[str, WalValue]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a relation. ``is_key`` is true if it belongs to the replica identity."""

    name: str
    type_oid: int
    is_key: bool


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, as it was when the rows that follow it in the WAL were written."""

    oid: int
    schema: str
    table: str
    replica_identity: str
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Begin:
    """The beginning of a transaction: when it was committed, and its 32-bit number."""

    committed_at: datetime
    xid: int


@dataclass(frozen=True, slots=True)
class Commit:
    """The end of a transaction. ``end_lsn`` is the position in the WAL after it."""

    end_lsn: int


@dataclass(frozen=True, slots=True)
class RowChange:
    """A row that was inserted, updated or deleted.

    ``old`` has the columns of the replica identity, with their values before the change. It is
    there for every delete, and for an update that changed them or whose identity is full.
    """

    relation: Relation
    kind: str
    new: WalRow | None
    old: WalRow | None


Event: TypeAlias = Begin | Commit | RowChange


class Decoder:
    """Decodes the messages of one connection, which describes each relation before its rows."""

    def __init__(self) -> None:
        self._relations: dict[int, Relation] = {}

    def decode(self, message: bytes) -> Event | None:
        """Decode one message. None if it is not about a row or a transaction."""
        reader = _Reader(message)
        match reader.char():
            case "B":
                reader.skip(8)
                committed_at = POSTGRES_EPOCH + timedelta(microseconds=reader.int64())
                return Begin(committed_at, reader.int32() & 0xFFFFFFFF)
            case "C":
                reader.skip(1 + 8)
                return Commit(reader.int64())
            case "R":
                self._learn(reader)
            case "I":
                relation = self._relations[reader.int32()]
                reader.skip(1)
                return RowChange(relation, "INSERT", reader.row(relation), None)
            case "U":
                return self._update(reader)
            case "D":
                relation = self._relations[reader.int32()]
                return RowChange(
                    relation, "DELETE", None, self._old(reader, relation, reader.char())
                )
        return None

    def _learn(self, reader: _Reader) -> None:
        oid = reader.int32()
        schema, table, identity = reader.text(), reader.text(), reader.char()
        columns = []
        for _ in range(reader.int16()):
            is_key = bool(reader.byte() & 1)
            name, type_oid = reader.text(), reader.int32()
            reader.skip(4)
            columns.append(Column(name, type_oid, is_key))
        self._relations[oid] = Relation(
            oid, schema or "pg_catalog", table, identity, tuple(columns)
        )

    def _update(self, reader: _Reader) -> RowChange:
        relation = self._relations[reader.int32()]
        tag, old = reader.char(), None
        if tag in "KO":
            old = self._old(reader, relation, tag)
            reader.skip(1)
        return RowChange(relation, "UPDATE", reader.row(relation), old)

    @staticmethod
    def _old(reader: _Reader, relation: Relation, tag: str) -> WalRow:
        row = reader.row(relation)
        if tag == "O":
            return row
        return {each.name: row[each.name] for each in relation.columns if each.is_key}


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def skip(self, size: int) -> None:
        self._at += size

    def _take(self, form: str, size: int) -> int:
        (value,) = struct.unpack_from(form, self._data, self._at)
        self._at += size
        return int(value)

    def byte(self) -> int:
        return self._take("!B", 1)

    def char(self) -> str:
        return chr(self.byte())

    def int16(self) -> int:
        return self._take("!H", 2)

    def int32(self) -> int:
        return self._take("!I", 4)

    def int64(self) -> int:
        return self._take("!Q", 8)

    def text(self) -> str:
        end = self._data.index(b"\0", self._at)
        text = self._data[self._at : end].decode()
        self._at = end + 1
        return text

    def row(self, relation: Relation) -> dict[str, WalValue]:
        count = self.int16()
        return {column.name: self._value() for column in relation.columns[:count]}

    def _value(self) -> WalValue:
        match self.char():
            case "n":
                return None
            case "u":
                return UNCHANGED
        size = self.int32()
        value = self._data[self._at : self._at + size].decode()
        self._at += size
        return value
