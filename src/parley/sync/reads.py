"""Reads of the copy. They need no network.

What they return and raise is told where an app calls them, in ``Chat``.
"""

from __future__ import annotations

import sqlite3
from uuid import UUID

from parley.errors import InvalidInput, RoomNotFound
from parley.models import BlocksRow, ProfilesRow, RoomMembersRow, RoomPreferencesRow, RoomsRow
from parley.sync.arguments import Id, as_id, as_number, as_text
from parley.sync.database import Database
from parley.sync.kinds import maybe_model
from parley.sync.messages import Messages
from parley.sync.outbox import Outbox
from parley.sync.queries import query
from parley.sync.view_models import Message, Notification, Room

MOST_UNREAD = 100


class Reads:
    """Reads of one copy. A row that cannot be read is shown as such or left out.

    All raise StoreUnusable, and InvalidInput for an argument that makes no sense.
    """

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database = database
        self._messages = Messages(database, outbox)

    @property
    def me(self) -> UUID | None:
        return self._messages.me

    def rooms(self, page_size: int = 50, offset: int = 0) -> list[Room]:
        return self._rooms(None, as_number(page_size), as_number(offset))

    def room(self, room_id: Id) -> Room:
        found = self._rooms(str(as_id(room_id)), 1, 0)
        if not found:
            raise RoomNotFound(f"There is no room {room_id} that you can see.", "Check its id.")
        return found[0]

    def _rooms(self, room_id: str | None, page_size: int, offset: int) -> list[Room]:
        rows = self._database.all(
            query("room_list"), {"room_id": room_id, "page_size": page_size, "offset": offset}
        )
        return [self._room(row) for row in rows]

    def _room(self, row: sqlite3.Row) -> Room:
        room = maybe_model(RoomsRow, row["room"])
        preferences = maybe_model(RoomPreferencesRow, row["preferences"])
        kept = (row["room"], row["preferences"])
        unread, mentions = self._counts(row["room_id"])
        return Room(
            id=UUID(row["room_id"]),
            row=room,
            last_message=next(iter(self._messages.page(row["room_id"], page_size=1)), None),
            unread=unread,
            mentions=mentions,
            preferences=preferences,
            active_at=row["active_at"],
            is_unreadable=[each is None for each in kept] != [room is None, preferences is None],
            marked_unread=bool(row["marked_unread"]),
        )

    def unread(self, room_id: Id) -> int:
        return self._counts(str(as_id(room_id)))[0]

    def mentions(self, room_id: Id) -> int:
        return self._counts(str(as_id(room_id)))[1]

    def _counts(self, room_id: str) -> tuple[int, int]:
        values = {"room_id": room_id, "me": str(self._messages.me_or_nobody), "most": MOST_UNREAD}
        row = self._database.maybe(query("unread_count"), values)
        return (0, 0) if row is None else (int(row["unread"]), int(row["mentions"]))

    def messages(
        self, room_id: Id, before: int | None = None, page_size: int = 50
    ) -> list[Message]:
        below = None if before is None else as_number(before)
        return self._messages.page(str(as_id(room_id)), below, as_number(page_size))

    def search(
        self,
        words: str,
        room_id: Id | None = None,
        page_size: int = 20,
        before: Message | None = None,
    ) -> list[Message]:
        if before is not None and (not isinstance(before, Message) or before.seq is None):
            raise InvalidInput("before is no message that was found.", "Take one from search().")
        inside = None if room_id is None else str(as_id(room_id))
        text = as_text(words).replace("\0", " ")
        return self._messages.search(text, inside, as_number(page_size), before)

    def members(self, room_id: Id) -> list[RoomMembersRow]:
        rows = self._database.all(query("member_rows"), {"room_id": str(as_id(room_id))})
        models = (maybe_model(RoomMembersRow, row["row"]) for row in rows)
        return [each for each in models if each is not None]

    def profile(self, user_id: Id) -> ProfilesRow | None:
        row = self._database.maybe(
            "select row from profiles where user_id = ?", (str(as_id(user_id)),)
        )
        return None if row is None else maybe_model(ProfilesRow, row["row"])

    def people(self) -> list[ProfilesRow]:
        rows = self._database.all("select row from profiles order by user_id")
        models = (maybe_model(ProfilesRow, row["row"]) for row in rows)
        return [each for each in models if each is not None]

    def blocked(self) -> list[BlocksRow]:
        rows = self._database.all("select row from blocks order by blocked_id")
        models = (maybe_model(BlocksRow, row["row"]) for row in rows)
        return [each for each in models if each is not None and each.removed_at is None]

    def notifications(self, page_size: int = 50) -> list[Notification]:
        rows = self._database.all(query("notification_page"), {"page_size": as_number(page_size)})
        models = [(maybe_model(Notification, row["row"]), row["is_read"]) for row in rows]
        return [
            model.model_copy(update={"is_read": bool(is_read)})
            for model, is_read in models
            if model is not None
        ]

    def progress(self) -> tuple[int, int]:
        row = self._database.one("select count(rev), count(*) from streams")
        return int(row[0]), int(row[1])

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
        return None if row is None else maybe_model(RoomsRow, row["row"])
