"""Rooms on screen: listened to with those who type there and those who are there.

What the methods are for is told where an app calls them, in ``Chat``. Without a connection nobody
is seen.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from parley.models import RoomsRow
from parley.sync.listener import Listener
from parley.sync.membership import Membership
from parley.sync.roster import is_user_id
from parley.sync.socket import Connector
from parley.sync.steps import HeadsByRoom
from parley.sync.typists import Typists

TYPING_EVERY_S = 3.0
NEVER = float("-inf")


@dataclass(slots=True)
class OpenRoom:
    """A room on screen: who of the others typed there, and when we told that we do."""

    typists: Typists = field(default_factory=Typists)
    typed_at: float = NEVER


class Live:
    """What an account sees of others just now; nothing between ``stop`` and ``start``."""

    def __init__(
        self,
        server: Connector,
        membership: Membership,
        room_row: Callable[[str], RoomsRow | None],
        *,
        hear: Callable[[Any], None],
        hear_tables: Callable[[Any], None],
        tenants: Callable[[], Iterable[str]],
        want_heads: Callable[[], None],
        rng: random.Random,
    ) -> None:
        """``hear`` is given every step that arrives, ``want_heads`` called when some may be lost.

        ``room_row`` returns the row of a room in the copy. ``hear_tables`` is given what is
        announced of the project's own tables, and ``tenants`` returns whose are in the copy.
        """
        self._membership = membership
        self._server = server
        self._room_row = room_row
        self._hear = hear
        self._hear_tables = hear_tables
        self._tenants = tenants
        self._want_heads = want_heads
        self._rng = rng
        self._rooms: dict[str, OpenRoom] = {}
        self._me = ""
        self._listener: Listener | None = None

    def start(self, me: str) -> Listener:
        """Begin to listen as an account; returns what has to be run for it."""
        self._me = me
        self._listener = Listener(
            self._server,
            me,
            self._rooms.keys(),
            self._room_row,
            hear=self._hear,
            hear_member=self._hear_member,
            hear_tables=self._hear_tables,
            tenants=self._tenants,
            want_heads=self._want_heads,
            rng=self._rng,
        )
        return self._listener

    def stop(self) -> None:
        """Close all rooms. What was returned by ``start`` is used no more."""
        self._listener = None
        self._rooms.clear()

    @property
    def is_live(self) -> bool:
        return self._listener is not None and self._listener.is_live

    @property
    def topics(self) -> frozenset[str]:
        return frozenset() if self._listener is None else self._listener.topics

    def look_again(self) -> None:
        """Join and leave topics: other tenants have rows in the copy than before."""
        if self._listener is not None:
            self._listener.look_again()

    def open(self, room_id: str) -> None:
        if self._listener is not None:
            self._rooms.setdefault(room_id, OpenRoom())
            self._listener.look_again()

    def close(self, room_id: str) -> None:
        self._rooms.pop(room_id, None)
        if self._listener is not None:
            self._listener.forget(room_id)

    async def typing(self, room_id: str) -> None:
        room = self._rooms.get(room_id)
        # Whatever is in the way just now is nothing that somebody who types can help.
        with suppress(Exception):
            if room is not None and self._listener is not None and self._may_tell(room_id, room):
                room.typed_at = time.monotonic()
                await self._listener.broadcast(room_id, "typing", {"user_id": self._me})

    def typists(self, room_id: str) -> frozenset[str]:
        room = self._rooms.get(room_id)
        people = frozenset[str]() if room is None else room.typists.people
        return self._membership.posters(room_id, people)

    def present(self, room_id: str) -> frozenset[str]:
        if self._listener is None:
            return frozenset()
        others = self._listener.present(room_id) - {self._me}
        members = self._membership.members(room_id, others)
        is_joined = self._listener.topic_of(room_id) in self._listener.topics
        return members | {self._me} if is_joined else members

    def take_heads(self, heads: HeadsByRoom, news: Mapping[str | None, int]) -> None:
        """Take the heads, and what only they told of: the numbers of streams."""
        if self._listener is not None:
            self._listener.take_heads(heads, news)

    def renew(self, token: str) -> None:
        """Go on with a new token of the same account."""
        if self._listener is not None:
            self._listener.renew(token)

    def _may_tell(self, room_id: str, room: OpenRoom) -> bool:
        return (
            bool(self.topics)
            and time.monotonic() - room.typed_at >= TYPING_EVERY_S
            and self._me in self._membership.posters(room_id, [self._me])
        )

    def _hear_member(self, room_id: str, event: str, payload: Any) -> None:
        """Take what a member sent: no server has looked at it, and anybody can claim any id."""
        room = self._rooms.get(room_id)
        user_id = payload.get("user_id") if isinstance(payload, Mapping) else None
        if (
            event == "typing"
            and room is not None
            and is_user_id(user_id)
            and user_id != self._me
            and self._membership.posters(room_id, [user_id])
        ):
            room.typists.note(user_id)
