"""Reads of the copy with the outbox laid over it. They need no network."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from uuid import UUID

from parley.models import (
    NotificationsRow,
    ProfilesRow,
    RoomMembersRow,
    RoomPreferencesRow,
    RoomsRow,
)
from parley.sync.database import Database
from parley.sync.kinds import as_model
from parley.sync.outbox import Outbox
from parley.sync.overlay import Overlay
from parley.sync.queries import query
from parley.sync.shown import Message, MessageState, Reactions, Room

MOST_UNREAD = 100
SEARCH_SYNTAX = str.maketrans({'"': '""'})


class Views:
    """Reads of one copy. Raise StoreUnusable when the file holds what no version of ours wrote."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database = database
        self._outbox = outbox

    @property
    def me(self) -> UUID:
        """Whose copy this is."""
        return UUID(self._database.one("select user_id from account")[0])

    def rooms(self, page_size: int = 50, offset: int = 0) -> list[Room]:
        """A page of the start screen: pinned first, then by the newest message."""
        return self._rooms(None, page_size, offset)

    def room(self, room_id: str) -> Room | None:
        """One room of the start screen."""
        return next(iter(self._rooms(room_id, 1, 0)), None)

    def _rooms(self, room_id: str | None, page_size: int, offset: int) -> list[Room]:
        rows = self._database.all(
            query("room_list"), {"room_id": room_id, "page_size": page_size, "offset": offset}
        )
        return [
            Room(
                id=UUID(row["room_id"]),
                row=row["room"] and as_model(RoomsRow, row["room"]),
                last_message=next(iter(self.messages(row["room_id"], page_size=1)), None),
                unread=self.unread(row["room_id"]),
                preferences=row["preferences"] and as_model(RoomPreferencesRow, row["preferences"]),
                active_at=row["active_at"],
            )
            for row in rows
        ]

    def unread(self, room_id: str) -> int:
        """Count messages of others above the read mark, up to 100."""
        values = {"room_id": room_id, "me": str(self.me), "most": MOST_UNREAD}
        return int(self._database.one(query("unread_count"), values)[0])

    def messages(
        self, room_id: str, before: int | None = None, page_size: int = 50
    ) -> list[Message]:
        """A page, oldest first, that ends below seq ``before`` or with what waits to be sent."""
        below = 2**62 if before is None else before
        values = {"room_id": room_id, "before": below, "page_size": page_size}
        rows = self._database.all(query("message_page"), values)
        page = [as_model(Message, row["row"]) for row in reversed(rows)]
        overlay = Overlay(self._outbox.items(room_id), self.me)
        shown = self._shown(room_id, page, overlay)
        if before is None:
            shown += overlay.unnumbered()
        return shown[-page_size:]

    def search(self, words: str, room_id: str | None = None, page_size: int = 20) -> list[Message]:
        """Find messages that contain all words (the last one may be a beginning), newest first."""
        quoted = [f'"{word.translate(SEARCH_SYNTAX)}"' for word in words.split()]
        if not quoted:
            return []
        values = {"query": " ".join(quoted) + "*", "room_id": room_id, "page_size": page_size}
        rows = self._database.all(query("message_found"), values)
        found = [as_model(Message, row["row"]) for row in rows]
        return sorted(found, key=lambda message: message.created_at)[::-1]

    def members(self, room_id: str) -> list[RoomMembersRow]:
        """The people who are in a room, as far as the copy knows them."""
        rows = self._database.all(query("member_rows"), {"room_id": room_id})
        return [as_model(RoomMembersRow, row["row"]) for row in rows]

    def profile(self, user_id: str) -> ProfilesRow | None:
        """What is known of somebody."""
        row = self._database.maybe("select row from profiles where user_id = ?", (user_id,))
        return None if row is None else as_model(ProfilesRow, row["row"])

    def notifications(self, page_size: int = 50) -> list[NotificationsRow]:
        """The newest notifications, newest first."""
        rows = self._database.all(
            "select row from notifications order by seq desc limit ?", (page_size,)
        )
        return [as_model(NotificationsRow, row["row"]) for row in rows]

    def last_seq(self, room_id: str) -> int:
        """The seq of the newest message of a room."""
        row = self._database.maybe("select last_seq from streams where room_id = ?", (room_id,))
        return 0 if row is None else int(row["last_seq"])

    def delivered_seq(self, room_id: str) -> int:
        """Up to where this account has acknowledged a room, or is about to."""
        return int(self._database.one(query("delivered_seq"), {"room_id": room_id})[0])

    def room_row(self, room_id: str) -> RoomsRow | None:
        """The row of a room."""
        row = self._database.maybe("select row from rooms where room_id = ?", (room_id,))
        return None if row is None else as_model(RoomsRow, row["row"])

    def _shown(self, room_id: str, page: list[Message], overlay: Overlay) -> list[Message]:
        if not page:
            return []
        values = {"room_id": room_id, "first": page[0].seq, "last": page[-1].seq}
        reactions = self._reactions(values)
        pinned = {row["seq"] for row in self._database.all(query("pinned_seqs"), values)}
        states = self._states(room_id, page)
        return [
            overlay.on(
                message.model_copy(
                    update={
                        "state": state,
                        "reactions": reactions.get(message.seq or 0, {}),
                        "is_pinned": message.seq in pinned,
                    }
                )
            )
            for message, state in zip(page, states, strict=True)
        ]

    def _states(self, room_id: str, page: Iterable[Message]) -> list[MessageState]:
        me = self.me
        mine = [message.sender_id == me and message.kind == "text" for message in page]
        if not any(mine):
            return ["sent" for _ in mine]
        ticks = self._database.one(query("ticks"), {"room_id": room_id, "me": str(me)})
        return [
            "sent"
            if not is_mine or message.seq is None or message.seq > ticks["delivered"]
            else "delivered"
            if message.seq > ticks["read"]
            else "read"
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
