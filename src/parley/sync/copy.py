"""A copy and what can be read from it, with or without a network."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TypeAlias
from uuid import UUID

from parley.errors import RoomNotFound
from parley.models import NotificationsRow, ProfilesRow, RoomMembersRow
from parley.sync.database import Database
from parley.sync.outbox import Item, Outbox, utc_now
from parley.sync.shown import Message, Room
from parley.sync.store import Store
from parley.sync.views import Views

Id: TypeAlias = UUID | str


class Copy:
    """The file of one account."""

    def __init__(self, store: Path | str, clock: Callable[[], datetime] = utc_now) -> None:
        """Open or make a file. Raises StoreUnusable, StoreTooNew."""
        self._store = Store(store)
        self._outbox = Outbox(self._store.database, clock)
        self._views = Views(self._store.database, self._outbox)

    @property
    def me(self) -> UUID | None:
        """Whose copy this is; None until somebody signed in."""
        return None if self._store.me is None else UUID(self._store.me)

    @property
    def database(self) -> Database:
        """The file, for reading."""
        return self._store.database

    def rooms(self, page_size: int = 50, offset: int = 0) -> list[Room]:
        """A page of the start screen: pinned first, then by the newest message."""
        return self._views.rooms(page_size, offset)

    def room(self, room_id: Id) -> Room:
        """One room. Raises RoomNotFound when the copy has none."""
        room = self._views.room(str(room_id))
        if room is None:
            raise RoomNotFound(f"There is no room {room_id} that you can see.", "Check its id.")
        return room

    def messages(
        self, room_id: Id, before: int | None = None, page_size: int = 50
    ) -> list[Message]:
        """A page, oldest first, that ends below seq ``before`` or with what waits to be sent."""
        return self._views.messages(str(room_id), before, page_size)

    def unread(self, room_id: Id) -> int:
        """Count the messages of others above the read mark, up to 100."""
        return self._views.unread(str(room_id))

    def search(self, query: str, room_id: Id | None = None, page_size: int = 20) -> list[Message]:
        """Find messages that contain all words, the last one as a beginning; newest first."""
        return self._views.search(query, None if room_id is None else str(room_id), page_size)

    def members(self, room_id: Id) -> list[RoomMembersRow]:
        """The people who are in a room, as far as the copy knows them."""
        return self._views.members(str(room_id))

    def profile(self, user_id: Id) -> ProfilesRow | None:
        """What is known of somebody."""
        return self._views.profile(str(user_id))

    def notifications(self, page_size: int = 50) -> list[NotificationsRow]:
        """The newest notifications, newest first."""
        return self._views.notifications(page_size)

    def outbox(self) -> list[Item]:
        """What was done here and is not confirmed: waiting, failed or discarded."""
        return self._outbox.items()

    def progress(self) -> tuple[int, int]:
        """How many rooms have been fetched, and how many there are."""
        row = self._store.database.one("select count(rev), count(*) from streams")
        return int(row[0]), int(row[1])
