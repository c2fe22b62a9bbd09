"""What this account did and the server has not stamped yet, in the order it was done."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from parley.sync.database import Database
from parley.sync.kinds import dumped
from parley.sync.steps import Row

ItemKind = Literal["send", "edit", "delete", "react", "unreact", "read", "delivered"]
State = Literal["pending", "sent", "failed", "discarded"]
MARK_KINDS = ("read", "delivered")


@dataclass(frozen=True, slots=True)
class Item:
    """One deed. ``client_id`` or ``seq`` names the message it makes or is about.

    ``state`` is pending until the server answered, sent until its row is in the copy, failed
    with the slug of the refusal as ``reason``, or discarded because the room or the message it
    was about is gone. ``row`` is what the server answered.
    """

    id: int
    room_id: str
    kind: ItemKind
    client_id: str | None
    seq: int | None
    arguments: Mapping[str, Any]
    state: State
    reason: str
    rev: int | None
    row: Row | None
    created_at: str


def read_item(row: sqlite3.Row) -> Item:
    """Read a row of the table."""
    return Item(
        id=row["id"],
        room_id=row["room_id"],
        kind=row["kind"],
        client_id=row["client_id"],
        seq=row["seq"],
        arguments=json.loads(row["arguments"]),
        state=row["state"],
        reason=row["reason"],
        rev=row["rev"],
        row=None if row["row"] is None else json.loads(row["row"]),
        created_at=row["created_at"],
    )


def utc_now() -> datetime:
    """The clock of this device: for showing only, never for ordering."""
    return datetime.now(UTC)


class Outbox:
    """The table ``outbox``. A deed is written here before anybody sees it."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._clock = clock

    def add(
        self,
        kind: ItemKind,
        room_id: str,
        *,
        client_id: str | None = None,
        seq: int | None = None,
        arguments: Mapping[str, Any] | None = None,
    ) -> Item:
        """Write a deed down. A mark moves the one that waits already."""
        with self._database.transaction():
            if kind in MARK_KINDS and self._move_mark(kind, room_id, seq or 0):
                row = self._database.one(
                    "select * from outbox where kind = ? and room_id = ? and state = 'pending'",
                    (kind, room_id),
                )
            else:
                row = self._database.one(
                    "insert into outbox (room_id, kind, client_id, seq, arguments, created_at)"
                    " values (?, ?, ?, ?, ?, ?) returning *",
                    (
                        room_id,
                        kind,
                        client_id,
                        seq,
                        dumped(arguments or {}),
                        self._clock().isoformat(),
                    ),
                )
        return read_item(row)

    def _move_mark(self, kind: ItemKind, room_id: str, seq: int) -> bool:
        moved = self._database.execute(
            "update outbox set seq = max(seq, ?)"
            " where kind = ? and room_id = ? and state = 'pending'",
            (seq, kind, room_id),
        )
        return moved.rowcount > 0

    def items(self, room_id: str | None = None, *states: State) -> list[Item]:
        """The deeds in these states (or all), in order."""
        wanted = states or ("pending", "sent", "failed", "discarded")
        marks = ", ".join("?" * len(wanted))
        rows = self._database.all(
            f"select * from outbox where state in ({marks}) and coalesce(?, room_id) = room_id"  # noqa: S608
            " order by id",
            (*wanted, room_id),
        )
        return [read_item(row) for row in rows]

    def item(self, item_id: int) -> Item | None:
        """One deed, if it is still here."""
        row = self._database.maybe("select * from outbox where id = ?", (item_id,))
        return None if row is None else read_item(row)

    def target(self, item: Item, me: str) -> int | None:
        """The seq of the message a deed is about; None while it has none."""
        if item.seq is not None or item.client_id is None:
            return item.seq
        row = self._database.maybe(
            "select seq from messages where room_id = ? and sender_id = ? and client_id = ?",
            (item.room_id, me, item.client_id),
        )
        if row is not None:
            return int(row["seq"])
        sent = self._database.maybe(
            "select row from outbox where kind = 'send' and client_id = ? and row is not null",
            (item.client_id,),
        )
        return None if sent is None else int(json.loads(sent["row"])["seq"])

    def accept(self, item: Item, row: Row | None) -> None:
        """Note the server's answer; the deed leaves when that row is in the copy."""
        with self._database.transaction():
            number = None if row is None else row.get("rev")
            if number is None or number <= (self._reached(item) or 0):
                self._database.execute(
                    "delete from outbox where id = ? and seq is ? and state = 'pending'",
                    (item.id, item.seq),
                )
            else:
                # A mark that moved on meanwhile is not what was sent.
                self._database.execute(
                    "update outbox set state = 'sent', rev = ?, row = ?"
                    " where id = ? and seq is ? and state = 'pending'",
                    (number, dumped(row or {}), item.id, item.seq),
                )

    def _reached(self, item: Item) -> int | None:
        if item.kind in MARK_KINDS:
            row = self._database.maybe("select rev from account")
        else:
            row = self._database.maybe("select rev from streams where room_id = ?", (item.room_id,))
        return None if row is None else row["rev"]

    def reject(self, item: Item, slug: str) -> None:
        """Note a refusal; what was meant for a message that now never comes is discarded."""
        with self._database.transaction():
            if item.kind in MARK_KINDS:
                self._database.execute("delete from outbox where id = ?", (item.id,))
                return
            self._database.execute(
                "update outbox set state = 'failed', reason = ? where id = ? and state = 'pending'",
                (slug, item.id),
            )
            if item.kind == "send":
                self._database.execute(
                    "update outbox set state = 'discarded', reason = ?"
                    " where client_id = ? and kind <> 'send' and state = 'pending'",
                    (slug, item.client_id),
                )

    def retry(self, item_id: int) -> None:
        """Let a failed deed try again, at its old place."""
        with self._database.transaction():
            self._database.execute(
                "update outbox set state = 'pending', reason = ''"
                " where id = ? and state = 'failed'",
                (item_id,),
            )

    def dismiss(self, item_id: int) -> None:
        """Forget a deed that failed or was discarded."""
        with self._database.transaction():
            self._database.execute(
                "delete from outbox where id = ? and state in ('failed', 'discarded')",
                (item_id,),
            )
