"""What an app shows: the copy with the outbox laid over it. Needs no network."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from parley.models import MessagesRow, RoomsRow
from parley.sync.database import Database
from parley.sync.outbox import Item, Outbox
from parley.sync.steps import Row

MessageState = Literal["pending", "sent", "delivered", "read", "failed", "discarded"]
MOST_UNREAD = 100
SEARCH_SYNTAX = str.maketrans({'"': '""'})


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it should be shown. ``row`` has the columns of ``messages``.

    An own message that the server has not numbered yet has no ``seq``. Others' messages are sent.
    ``reason`` is the slug of a refusal, ``item_id`` the deed in the outbox to retry or dismiss.
    """

    row: Row
    state: MessageState = "sent"
    reason: str = ""
    item_id: int | None = None
    reactions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    is_pinned: bool = False

    @property
    def seq(self) -> int | None:
        """The place in the room."""
        seq = self.row["seq"]
        return None if seq is None else int(seq)

    @property
    def typed(self) -> MessagesRow:
        """The row as its model; only a message that has a ``seq`` has all columns."""
        return MessagesRow.model_validate(self.row)

    @property
    def body(self) -> str:
        """The text."""
        return str(self.row["body"])

    @property
    def sender_id(self) -> str:
        """Who wrote it."""
        return str(self.row["sender_id"])

    @property
    def client_id(self) -> str | None:
        """What the sender's device calls it."""
        client_id = self.row["client_id"]
        return None if client_id is None else str(client_id)


@dataclass(frozen=True, slots=True)
class Room:
    """A room of the start screen. ``row`` has the columns of ``rooms``, None until it is fetched.

    ``unread`` counts to 100. ``active_at`` is the time of the newest message, as text.
    """

    id: str
    row: Row | None
    last_message: Message | None
    unread: int
    preferences: Row | None
    active_at: str

    @property
    def typed(self) -> RoomsRow:
        """The row as its model; only a room that was fetched has one."""
        return RoomsRow.model_validate(self.row)

    @property
    def name(self) -> str | None:
        """The name of a group; None for a direct room."""
        return None if self.row is None else self.row["name"]


class Views:
    """Reads of one copy."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database = database
        self._outbox = outbox

    @property
    def me(self) -> str:
        """Whose copy this is."""
        return str(self._database.one("select user_id from account")[0])

    def rooms(self, page_size: int = 50, offset: int = 0) -> list[Room]:
        """A page of the start screen: pinned first, then by the newest message."""
        return self._rooms(None, page_size, offset)

    def _rooms(self, room_id: str | None, page_size: int, offset: int) -> list[Room]:
        rows = self._database.all(
            "select s.*, r.row as room, p.row as preferences from streams as s"
            " left join rooms as r using (room_id) left join preferences as p using (room_id)"
            " where s.room_id = coalesce(?, s.room_id)"
            " order by coalesce(p.row ->> 'pinned', 0) desc, s.active_at desc, s.room_id"
            " limit ? offset ?",
            (room_id, page_size, offset),
        )
        return [
            Room(
                id=row["room_id"],
                row=loaded(row["room"]),
                last_message=next(iter(self.messages(row["room_id"], page_size=1)), None),
                unread=self.unread(row["room_id"]),
                preferences=loaded(row["preferences"]),
                active_at=row["active_at"],
            )
            for row in rows
        ]

    def room(self, room_id: str) -> Room | None:
        """One room of the start screen."""
        return next(iter(self._rooms(room_id, 1, 0)), None)

    def unread(self, room_id: str) -> int:
        """Count messages of others above the read mark, up to 100."""
        mark = self._database.maybe("select row from marks where room_id = ?", (room_id,))
        read = 0 if mark is None else int(json.loads(mark["row"])["read_seq"])
        waiting = self._database.one(
            "select max(seq) from outbox where room_id = ? and kind = 'read'"
            " and state in ('pending', 'sent')",
            (room_id,),
        )[0]
        row = self._database.one(
            "select count(*) from (select 1 from messages where room_id = ? and seq > ?"
            " and counts and sender_id <> ? limit ?)",
            (room_id, max(read, waiting or 0), self.me, MOST_UNREAD),
        )
        return int(row[0])

    def messages(
        self, room_id: str, before: int | None = None, page_size: int = 50
    ) -> list[Message]:
        """A page, oldest first, that ends below seq ``before`` or with what waits to be sent."""
        rows = self._database.all(
            "select m.seq, m.row from messages as m join streams as s using (room_id)"
            " where room_id = ? and seq >= s.first_seq and seq < ? order by seq desc limit ?",
            (room_id, 2**62 if before is None else before, page_size),
        )
        page = [dict(json.loads(row["row"])) for row in reversed(rows)]
        items = self._outbox.items(room_id)
        shown = self._shown(room_id, page, items)
        if before is None:
            shown += [self._unnumbered(item, items) for item in items if item.kind == "send"]
        return shown[-page_size:]

    def search(self, query: str, room_id: str | None = None, page_size: int = 20) -> list[Message]:
        """Find messages that contain all words (the last one may be a beginning), newest first."""
        words = [f'"{word.translate(SEARCH_SYNTAX)}"' for word in query.split()]
        if not words:
            return []
        rows = self._database.all(
            "select m.row from message_search as f join messages as m on m.id = f.rowid"
            " where message_search match ? and coalesce(?, m.room_id) = m.room_id"
            " order by f.rowid desc limit ?",
            (" ".join(words) + "*", room_id, page_size),
        )
        found = [dict(json.loads(row["row"])) for row in rows]
        return [Message(row) for row in sorted(found, key=lambda row: row["created_at"])[::-1]]

    def members(self, room_id: str) -> list[Row]:
        """The people who are in a room, as far as the copy knows them."""
        rows = self._database.all("select row from members where room_id = ?", (room_id,))
        members = [json.loads(row["row"]) for row in rows]
        return [row for row in members if row["left_at"] is None]

    def profile(self, user_id: str) -> Row | None:
        """What is known of somebody."""
        row = self._database.maybe("select row from profiles where user_id = ?", (user_id,))
        return None if row is None else loaded(row["row"])

    def notifications(self, page_size: int = 50) -> list[Row]:
        """The newest notifications, newest first."""
        rows = self._database.all(
            "select row from notifications order by seq desc limit ?", (page_size,)
        )
        return [json.loads(row["row"]) for row in rows]

    def last_seq(self, room_id: str) -> int:
        """The seq of the newest message of a room."""
        row = self._database.maybe("select last_seq from streams where room_id = ?", (room_id,))
        return 0 if row is None else int(row["last_seq"])

    def delivered_seq(self, room_id: str) -> int:
        """Up to where this account has acknowledged a room, or is about to."""
        mark = self._database.maybe("select row from marks where room_id = ?", (room_id,))
        waiting = self._database.one(
            "select max(seq) from outbox where room_id = ? and kind in ('read', 'delivered')"
            " and state in ('pending', 'sent')",
            (room_id,),
        )[0]
        return max(0 if mark is None else json.loads(mark["row"])["delivered_seq"], waiting or 0)

    def room_row(self, room_id: str) -> Row | None:
        """The row of a room."""
        row = self._database.maybe("select row from rooms where room_id = ?", (room_id,))
        return None if row is None else loaded(row["row"])

    def _shown(self, room_id: str, page: list[dict[str, Any]], items: list[Item]) -> list[Message]:
        if not page:
            return []
        seqs = (room_id, page[0]["seq"], page[-1]["seq"])
        reactions = self._reactions(seqs, items)
        pinned = {
            row["seq"]
            for row in self._database.all(
                "select seq, row from pins where room_id = ? and seq between ? and ?", seqs
            )
            if json.loads(row["row"])["removed_at"] is None
        }
        levels = self._levels(room_id)
        numbers = {row["client_id"]: row["seq"] for row in page if row["sender_id"] == self.me}
        for item in items:
            seq = item.seq if item.seq is not None else numbers.get(item.client_id)
            if seq is not None and item.state in ("pending", "sent"):
                lay_over(page, seq, item)
        return [
            Message(
                row,
                state=self._state(row, levels),
                reactions=reactions.get(row["seq"], {}),
                is_pinned=row["seq"] in pinned,
            )
            for row in page
        ]

    def _state(self, row: Row, levels: Mapping[str, int]) -> MessageState:
        if row["sender_id"] == self.me and row["kind"] == "text":
            if row["seq"] <= levels["read"]:
                return "read"
            if row["seq"] <= levels["delivered"]:
                return "delivered"
        return "sent"

    def _levels(self, room_id: str) -> Mapping[str, int]:
        """Up to where everybody else has read, and has been delivered, in this room."""
        reached: dict[str, dict[str, int]] = {
            row["user_id"]: {"read": 0, "delivered": 0}
            for row in self.members(room_id)
            if row["user_id"] != self.me
        }
        rows = self._database.all(
            "select user_id, kind, max(up_to_seq) as seq from receipts where room_id = ?"
            " group by user_id, kind",
            (room_id,),
        )
        for row in rows:
            if row["user_id"] in reached:
                person = reached[row["user_id"]]
                person[row["kind"]] = row["seq"]
                # Who has read has received.
                person["delivered"] = max(person["delivered"], row["seq"])
        return {
            kind: min((person[kind] for person in reached.values()), default=0)
            for kind in ("read", "delivered")
        }

    def _reactions(
        self, seqs: tuple[str, int, int], items: Iterable[Item]
    ) -> dict[int, dict[str, tuple[str, ...]]]:
        people: dict[int, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        rows = self._database.all(
            "select seq, emoji, user_id, row from reactions"
            " where room_id = ? and seq between ? and ?",
            seqs,
        )
        for row in rows:
            if json.loads(row["row"])["removed_at"] is None:
                people[row["seq"]][row["emoji"]].add(row["user_id"])
        for item in items:
            if item.seq is not None and item.state in ("pending", "sent"):
                if item.kind == "react":
                    people[item.seq][item.arguments["emoji"]].add(self.me)
                elif item.kind == "unreact":
                    people[item.seq][item.arguments["emoji"]].discard(self.me)
        return {
            seq: {emoji: tuple(sorted(users)) for emoji, users in by_emoji.items() if users}
            for seq, by_emoji in people.items()
        }

    def _unnumbered(self, item: Item, items: Iterable[Item]) -> Message:
        row = {
            "room_id": item.room_id,
            "seq": None,
            "sender_id": self.me,
            "client_id": item.client_id,
            "kind": "text",
            "reply_to": None,
            "mentions": [],
            "attachments": [],
            "edited_at": None,
            "deleted_at": None,
            "created_at": item.created_at,
            **item.arguments,
            **(item.row or {}),
        }
        for other in items:
            if other.client_id == item.client_id and other.state in ("pending", "sent"):
                lay_over([row], row["seq"], other)
        return Message(row, state=item.state, reason=item.reason, item_id=item.id)


def lay_over(page: list[dict[str, Any]], seq: int | None, item: Item) -> None:
    """Show an edit or a deletion that the server has not stamped yet."""
    for row in page:
        if row["seq"] == seq and item.kind == "edit":
            row["body"] = item.arguments["body"]
            row["edited_at"] = item.created_at
        elif row["seq"] == seq and item.kind == "delete":
            row["body"] = ""
            row["deleted_at"] = item.created_at


def loaded(row: str | None) -> Row | None:
    """A kept row as it came."""
    return None if row is None else dict(json.loads(row))
