"""What this account did and the server has not stamped yet, in the order it was done."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeAlias
from uuid import UUID

from pydantic import Field

from parley.models import MarksRow, MessagesRow, ReactionsRow
from parley.sync.database import Database
from parley.sync.kinds import as_model
from parley.sync.queries import query
from parley.wire import Form, Json

ItemKind: TypeAlias = Literal["send", "edit", "delete", "react", "unreact", "read", "delivered"]
State: TypeAlias = Literal["pending", "sent", "failed", "discarded"]
Stamped: TypeAlias = MessagesRow | ReactionsRow | MarksRow
"""What the server answers to a deed: the row, with the number it took."""
MARK_KINDS = ("read", "delivered")


class Said(Form):
    """The arguments of a deed besides room and message. Only those of its kind are given."""

    body: str = ""
    reply_to: int | None = None
    mentions: list[UUID] = Field(default_factory=list)
    mention_all: bool = False
    attachments: list[Json] = Field(default_factory=list)
    expected_rev: int | None = None
    emoji: str = ""


NOTHING_SAID = Said()


@dataclass(frozen=True, slots=True)
class Item:
    """One deed. ``client_id`` or ``seq`` names the message it makes or is about.

    ``state`` is pending until the server answered, sent until its row is in the copy, failed
    with the slug of the refusal as ``reason``, or discarded because the room or the message it
    was about is gone. ``row`` is the message that
    the server made of a send.
    """

    id: int
    room_id: str
    kind: ItemKind
    client_id: str | None
    seq: int | None
    said: Said
    state: State
    reason: str
    rev: int | None
    row: MessagesRow | None
    created_at: str


def read_item(row: sqlite3.Row) -> Item:
    """Read a row of the table."""
    return Item(
        id=row["id"],
        room_id=row["room_id"],
        kind=row["kind"],
        client_id=row["client_id"],
        seq=row["seq"],
        said=as_model(Said, str(row["arguments"])),
        state=row["state"],
        reason=row["reason"],
        rev=row["rev"],
        row=None if row["row"] is None else as_model(MessagesRow, str(row["row"])),
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
        said: Said = NOTHING_SAID,
    ) -> Item:
        """Write a deed down. A mark moves the one that waits already."""
        values = {
            "room_id": room_id,
            "kind": kind,
            "client_id": client_id,
            "seq": seq,
            "arguments": said.model_dump_json(exclude_unset=True),
            "created_at": self._clock().isoformat(),
        }
        with self._database.transaction():
            row = None
            if kind in MARK_KINDS:
                row = self._database.maybe(query("outbox_mark_moved"), values)
            if row is None:
                row = self._database.one(query("outbox_added"), values)
        return read_item(row)

    def items(self, room_id: str | None = None, *states: State) -> list[Item]:
        """The deeds in these states (or all), in order."""
        wanted = json.dumps(states or ("pending", "sent", "failed", "discarded"))
        rows = self._database.all(query("outbox_items"), {"states": wanted, "room_id": room_id})
        return [read_item(row) for row in rows]

    def item(self, item_id: int) -> Item | None:
        """One deed, if it is still here."""
        row = self._database.maybe("select * from outbox where id = ?", (item_id,))
        return None if row is None else read_item(row)

    def target(self, item: Item, me: str) -> int | None:
        """The seq of the message a deed is about; None while it has none."""
        if item.seq is not None or item.client_id is None:
            return item.seq
        values = {"room_id": item.room_id, "me": me, "client_id": item.client_id}
        row = self._database.maybe(query("outbox_target"), values)
        return None if row is None else int(row["seq"])

    def accept(self, item: Item, row: Stamped | None) -> None:
        """Note the server's answer; the deed leaves when that row is in the copy."""
        kept = (
            row.model_dump_json() if isinstance(row, MessagesRow) and item.kind == "send" else None
        )
        with self._database.transaction():
            rev = None if row is None else row.rev
            is_shown = rev is None or rev <= (self._reached(item) or 0)
            self._database.execute(
                query("outbox_done" if is_shown else "outbox_accepted"),
                {"id": item.id, "seq": item.seq, "rev": rev, "row": kept},
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
            values = {"id": item.id, "client_id": item.client_id, "reason": slug}
            self._database.execute(query("outbox_refused"), values)
            if item.kind == "send":
                self._database.execute(query("outbox_orphaned"), values)

    def retry(self, item_id: int) -> None:
        """Let a failed deed try again, at its old place."""
        with self._database.transaction():
            self._database.execute(query("outbox_retried"), {"id": item_id})

    def dismiss(self, item_id: int) -> None:
        """Forget a deed that failed or was discarded."""
        with self._database.transaction():
            self._database.execute(query("outbox_dismissed"), {"id": item_id})
