"""The kinds of rows in a step, and where the local copy keeps each of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from parley.sync.steps import Row

# Numbers with a fraction come as Decimal; no column of ours has one, only attachments may.
encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=float).encode


def dumped(row: Row) -> str:
    """A row as it is kept."""
    return encode(row)


def counts_as_unread(row: Row) -> bool:
    """Tell whether a message is one that somebody wrote and that stands."""
    return row["kind"] == "text" and row["deleted_at"] is None


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of rows: its table there and here, its key, its number, and columns of its own."""

    name: str
    table: str
    key: tuple[str, ...]
    number: str = "rev"
    about: str | None = None
    """The key column that names a message, if these rows are about one."""
    extra: Mapping[str, Callable[[Row], Any]] | None = None

    @property
    def upsert(self) -> str:
        """Write a row, unless a newer one is there."""
        extra = tuple(self.extra or ())
        columns = (*self.key, "rev", "row", *extra)
        changed = ", ".join(f"{each} = excluded.{each}" for each in ("rev", "row", *extra))
        return (
            f"insert into {self.table} ({', '.join(columns)})"  # noqa: S608
            f" values ({', '.join('?' * len(columns))})"
            f" on conflict ({', '.join(self.key)}) do update set {changed}"
            f" where excluded.rev >= {self.table}.rev"
        )

    def values(self, row: Row) -> tuple[Any, ...]:
        """The values of ``upsert`` for one row."""
        key = (row["id"],) if self.name == "rooms" else tuple(row[each] for each in self.key)
        extra = tuple(read(row) for read in (self.extra or {}).values())
        return (*key, row[self.number], dumped(row), *extra)


ROOM_KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("rooms", "rooms", ("room_id",), number="changed_rev"),
        Kind("members", "members", ("room_id", "user_id")),
        Kind(
            "messages",
            "messages",
            ("room_id", "seq"),
            about="seq",
            extra={
                "sender_id": lambda row: row["sender_id"],
                "client_id": lambda row: row["client_id"],
                "counts": counts_as_unread,
                "body": lambda row: row["body"] if row["kind"] == "text" else "",
            },
        ),
        Kind("reactions", "reactions", ("room_id", "seq", "user_id", "emoji"), about="seq"),
        Kind("pins", "pins", ("room_id", "seq"), about="seq"),
        Kind(
            "receipts", "receipts", ("room_id", "user_id", "kind", "up_to_seq"), about="up_to_seq"
        ),
    )
}

USER_KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("memberships", "memberships", ("room_id",), number="user_rev"),
        Kind("marks", "marks", ("room_id",)),
        Kind("preferences", "preferences", ("room_id",)),
        Kind("notifications", "notifications", ("seq",)),
        Kind("blocks", "blocks", ("blocked_id",)),
    )
}
