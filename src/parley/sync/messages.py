"""Messages of the copy as an app shows them, with what waits in the outbox laid over them."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping
from uuid import UUID

from parley.sync.database import Database
from parley.sync.kinds import maybe_model
from parley.sync.outbox import Outbox
from parley.sync.overlay import Overlay
from parley.sync.queries import query
from parley.sync.rows import is_id, time_of
from parley.sync.search import search
from parley.sync.view_models import NOBODY, Message, MessageState, Reactions

TICKS: tuple[MessageState, ...] = ("sent", "delivered", "read")


class Messages:
    """Pages of one copy. A message that cannot be read is shown as such."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database = database
        self._outbox = outbox

    @property
    def me(self) -> UUID | None:
        """Whose copy this is; None until somebody signed in."""
        user_id = self._database.one("select user_id from account")[0]
        return UUID(user_id) if is_id(user_id) else None

    @property
    def me_or_nobody(self) -> UUID:
        """As ``me``, for comparing with the people who are in rows."""
        return self.me or NOBODY

    def page(self, room_id: str, before: int | None = None, page_size: int = 50) -> list[Message]:
        """A page, oldest first, that ends below seq ``before`` or with what waits to be sent."""
        below = 2**62 if before is None else before
        values = {"room_id": room_id, "before": below, "page_size": page_size}
        rows = self._database.all(query("message_page"), values)
        page = [message_of(row) for row in reversed(rows)]
        overlay = Overlay(self._outbox.items(room_id), self.me_or_nobody)
        shown = self._shown(room_id, page, overlay)
        if before is None:
            shown += overlay.unnumbered()
        return shown[max(len(shown) - page_size, 0) :]

    def search(
        self,
        words: str,
        room_id: str | None = None,
        page_size: int = 20,
        before: Message | None = None,
    ) -> list[Message]:
        """Find messages as the server's search does, newest first, after ``before``."""
        rows = search(self._database, words, room_id, page_size, before)
        found = [message_of(row) for row in rows]
        folded = self._folded(found)
        return [
            each.model_copy(update={"is_folded": (each.room_id, each.sender_id) in folded})
            for each in found
        ]

    def _folded(self, messages: Iterable[Message]) -> set[tuple[UUID, UUID]]:
        """The groups of some messages, each with the people in it whom this account has blocked."""
        rooms = {message.room_id: str(message.room_id) for message in messages}
        values = {"room_ids": json.dumps(list(rooms.values()))}
        rows = self._database.all(query("folded_senders"), values)
        return {
            (UUID(row["room_id"]), UUID(row["blocked_id"]))
            for row in rows
            if is_id(row["blocked_id"])
        }

    def _shown(self, room_id: str, page: list[Message], overlay: Overlay) -> list[Message]:
        if not page:
            return []
        values = {"room_id": room_id, "first": page[0].seq, "last": page[-1].seq}
        reactions = self._reactions(values)
        pinned = {row["seq"] for row in self._database.all(query("pinned_seqs"), values)}
        states = self._states(values, page)
        folded = self._folded(page)
        return [
            overlay.on(
                message.model_copy(
                    update={
                        "state": state,
                        "reactions": reactions.get(message.seq or 0, {}),
                        "is_pinned": message.seq in pinned,
                        "is_folded": (message.room_id, message.sender_id) in folded,
                    }
                )
            )
            for message, state in zip(page, states, strict=True)
        ]

    def _states(self, values: Mapping[str, object], page: Iterable[Message]) -> list[MessageState]:
        me = self.me_or_nobody
        mine = [message.sender_id == me and message.kind == "text" for message in page]
        if not any(mine):
            return ["sent" for _ in mine]
        rows = self._database.all(query("ticks"), {**values, "me": str(me)})
        ticks = {row["seq"]: TICKS[row["tick"] or 0] for row in rows}
        return [
            ticks.get(message.seq, "sent") if is_mine else "sent"
            for message, is_mine in zip(page, mine, strict=True)
        ]

    def _reactions(self, values: Mapping[str, object]) -> Reactions:
        people: dict[int, dict[str, list[UUID]]] = defaultdict(lambda: defaultdict(list))
        for row in self._database.all(query("reaction_list"), values):
            people[row["seq"]][row["emoji"]].append(UUID(row["user_id"]))
        return {
            seq: {emoji: tuple(sorted(who)) for emoji, who in by_emoji.items()}
            for seq, by_emoji in people.items()
        }


def message_of(row: sqlite3.Row) -> Message:
    """A row of the table as a message, if only as one that cannot be read."""
    message = maybe_model(Message, row["row"])
    if message is None:
        at = time_of(row["created_at"])
        message = Message.unreadable(row["room_id"], row["seq"], row["rev"], row["sender_id"], at)
    return message
