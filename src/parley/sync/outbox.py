"""What this account did and the server has not stamped yet, in the order it was done."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeAlias
from uuid import UUID

from pydantic import Field

from parley.errors import InvalidInput
from parley.models import MarksRow, MessagesRow, ReactionsRow
from parley.sync.database import Database
from parley.sync.emoji import Emoji
from parley.sync.errors import RowUnreadable
from parley.sync.kinds import as_model, maybe_model
from parley.sync.queries import query
from parley.sync.rows import is_number, refused
from parley.wire import Form, Json

ItemKind: TypeAlias = Literal["send", "edit", "delete", "react", "unreact", "read", "delivered"]
State: TypeAlias = Literal["pending", "sent", "failed", "discarded"]
Stamped: TypeAlias = MessagesRow | ReactionsRow | MarksRow
"""What the server answers to an action: the row, with the number it took."""
MARK_KINDS = ("read", "delivered")
WHAT_CAN_BE_SENT = "Send whole characters, and JSON that is nested a few levels deep."
UNREADABLE = "unreadable"
"""The reason of an action that another version wrote down and this one cannot read."""


class Said(Form):
    """The arguments of an action besides room and message. Only those of its kind are given."""

    body: str = ""
    reply_to: int | None = None
    mentions: list[UUID] = Field(default_factory=list)
    mention_all: bool = False
    attachments: list[Json] = Field(default_factory=list)
    metadata: dict[str, Json] | None = None
    expected_rev: int | None = None
    emoji: Emoji = ""


NOTHING_SAID = Said()


@dataclass(frozen=True, slots=True)
class Item:
    """One action. ``client_id`` or ``seq`` names the message it makes or is about.

    ``state`` is pending until the server answered, sent until its row is in the copy, failed
    with the slug of the refusal as ``reason``, or discarded because the room or the message it
    was about is gone. One that cannot be read is failed, as ``unreadable``. ``row`` is the message
    that the server made of a send.
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
    said = maybe_model(Said, str(row["arguments"]))
    is_lost = said is None and row["state"] in ("pending", "sent")
    return Item(
        id=row["id"],
        room_id=row["room_id"],
        kind=row["kind"],
        client_id=row["client_id"],
        seq=row["seq"],
        said=said or NOTHING_SAID,
        state="failed" if is_lost else row["state"],
        reason=UNREADABLE if is_lost else row["reason"],
        rev=row["rev"],
        row=maybe_model(MessagesRow, row["row"]),
        created_at=row["created_at"],
    )


def written(said: Said) -> str:
    """Return the arguments of an action as they are kept. Raises InvalidInput."""
    try:
        text = said.model_dump_json(exclude_unset=True)
        as_model(Said, text)
    except (RecursionError, RowUnreadable, ValueError) as error:
        raise InvalidInput(f"This cannot be sent: {error}.", WHAT_CAN_BE_SENT) from error
    return text


def check_about(item: Item, row: Stamped | None) -> None:
    """See whether a row can be what an action made. Raises AnswerRefused."""
    if row is None:
        return
    if str(row.room_id) != item.room_id or not is_number(row.rev):
        raise refused("it is about another room, or has no number that can be")
    if item.kind == "send" and str(getattr(row, "client_id", None)) != item.client_id:
        raise refused("it is about another message")


def utc_now() -> datetime:
    """The clock of this device: for showing only, never for ordering."""
    return datetime.now(UTC)


class Outbox:
    """The table ``outbox``. An action is written here before anybody sees it."""

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
        and_note: Callable[[], None] = lambda: None,
    ) -> Item:
        """Write an action down. A mark moves the one that waits already.

        ``and_note`` writes what belongs to it, in the same transaction.

        Raises InvalidInput for what cannot be written as JSON or read again, StoreUnusable.
        """
        values = {
            "room_id": room_id,
            "kind": kind,
            "client_id": client_id,
            "seq": seq,
            "arguments": written(said),
            "created_at": self._clock().isoformat(),
        }
        with self._database.transaction():
            row = None
            if kind in MARK_KINDS:
                row = self._database.maybe(query("outbox_mark_moved"), values)
            if row is None:
                row = self._database.one(query("outbox_added"), values)
            and_note()
        return read_item(row)

    def items(self, room_id: str | None = None, *states: State) -> list[Item]:
        """The actions in these states (or all), in order."""
        rows = self._database.all(query("outbox_items"), {"room_id": room_id})
        items = [read_item(row) for row in rows]
        return [item for item in items if not states or item.state in states]

    def item(self, item_id: int) -> Item | None:
        """One action, if it is still here."""
        row = self._database.maybe("select * from outbox where id = ?", (item_id,))
        return None if row is None else read_item(row)

    def target(self, item: Item, me: str) -> int | None:
        """The seq of the message an action is about; None while it has none."""
        if item.seq is not None or item.client_id is None:
            return item.seq
        values = {"room_id": item.room_id, "me": me, "client_id": item.client_id}
        row = self._database.maybe(query("outbox_target"), values)
        return None if row is None or row["seq"] is None else int(row["seq"])

    def accept(self, item: Item, row: Stamped | None) -> None:
        """Note the server's answer; the action leaves when that row is in the copy."""
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

    def waiting_for_files(self) -> set[str]:
        """The sends, by client_id, with files that are not in storage yet."""
        rows = self._database.all("select distinct client_id from uploads where not is_done")
        return {row["client_id"] for row in rows}

    def retry(self, item_id: int) -> None:
        """Let a failed action try again, at its old place."""
        with self._database.transaction():
            self._database.execute(query("uploads_again"), {"id": item_id})
            self._database.execute(query("outbox_retried"), {"id": item_id})

    def dismiss(self, item_id: int) -> None:
        """Forget an action that failed or was discarded, or cannot be read."""
        with self._database.transaction():
            item = self.item(item_id)
            if item is not None and item.state in ("failed", "discarded"):
                self._database.execute("delete from outbox where id = ?", (item_id,))
