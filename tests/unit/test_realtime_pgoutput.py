"""The messages of `pgoutput`, byte for byte."""

from __future__ import annotations

import struct
from datetime import UTC, datetime

from parley.realtime.wal.pgoutput import UNCHANGED, Begin, Commit, Decoder, RowChange

RELATION = (
    b"R" + struct.pack("!I", 16385) + b"public\0notes\0d" + struct.pack("!H", 3)
    + b"\x01id\0" + struct.pack("!Ii", 23, -1)
    + b"\x00body\0" + struct.pack("!Ii", 25, -1)
    + b"\x00more\0" + struct.pack("!Ii", 3802, -1)
)  # fmt: skip


def text(value: bytes) -> bytes:
    """A value that is there."""
    return b"t" + struct.pack("!I", len(value)) + value


def row(*values: bytes) -> bytes:
    """A tuple."""
    return struct.pack("!H", len(values)) + b"".join(values)


def decoder() -> Decoder:
    """A decoder that has been told of the relation."""
    made = Decoder()
    assert made.decode(RELATION) is None
    return made


def change(message: bytes) -> RowChange:
    """Decode what is a change."""
    found = decoder().decode(message)
    assert isinstance(found, RowChange)
    return found


def test_begin_has_the_time_of_the_commit_and_the_number() -> None:
    message = b"B" + struct.pack("!QQI", 7, 1_500_000, 3)
    assert Decoder().decode(message) == Begin(datetime(2000, 1, 1, 0, 0, 1, 500_000, UTC), 3)


def test_commit_has_the_place_where_the_wal_goes_on() -> None:
    assert Decoder().decode(b"C" + struct.pack("!BQQQ", 0, 1, 2, 3)) == Commit(2)


def test_a_relation_is_remembered_with_its_key() -> None:
    found = change(b"I" + struct.pack("!I", 16385) + b"N" + row(text(b"1"), b"n", b"u"))
    relation = found.relation
    assert (relation.schema, relation.table, relation.replica_identity) == ("public", "notes", "d")
    assert [(each.name, each.type_oid, each.is_key) for each in relation.columns] == [
        ("id", 23, True),
        ("body", 25, False),
        ("more", 3802, False),
    ]
    assert found.new == {"id": "1", "body": None, "more": UNCHANGED}


def test_an_update_has_the_old_key_only_when_it_changed() -> None:
    head = b"U" + struct.pack("!I", 16385)
    new = b"N" + row(text(b"2"), text("é".encode()), b"u")
    assert change(head + new).old is None
    assert change(head + b"K" + row(text(b"1"), b"n", b"n") + new).old == {"id": "1"}


def test_an_update_of_a_full_identity_has_the_whole_old_row() -> None:
    message = (
        b"U" + struct.pack("!I", 16385) + b"O" + row(text(b"1"), text(b"a"), b"n")
        + b"N" + row(text(b"1"), text(b"b"), b"n")
    )  # fmt: skip
    assert change(message).old == {"id": "1", "body": "a", "more": None}


def test_a_delete_has_the_key() -> None:
    found = change(b"D" + struct.pack("!I", 16385) + b"K" + row(text(b"9"), b"n", b"n"))
    assert (found.kind, found.new, found.old) == ("DELETE", None, {"id": "9"})


def test_types_truncates_and_origins_say_nothing() -> None:
    made = decoder()
    for message in (b"Y" + b"\0" * 4 + b"a\0b\0", b"T" + b"\0" * 9, b"O" + b"\0" * 8 + b"o\0"):
        assert made.decode(message) is None
