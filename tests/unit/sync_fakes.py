"""A server with one room, small enough to see what a client makes of each answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID, uuid5

from parley import __version__, events
from parley.sync.replica import Least
from parley.sync.rows import Row
from parley.sync.steps import Answer, HeadsByRoom

ME = "00000000-0000-4000-8000-00000000000a"
BOB = "00000000-0000-4000-8000-00000000000b"
ROOM = "00000000-0000-4000-8000-000000000001"


def message(seq: int, rev: int, body: str, sender: str = BOB, **more: Any) -> dict[str, Any]:
    """A row of ``messages``."""
    return {
        "room_id": ROOM,
        "seq": seq,
        "id": str(uuid5(UUID(ROOM), f"{seq}")),
        "rev": rev,
        "sender_id": sender,
        "sender_label": None,
        "client_id": None,
        "kind": "text",
        "body": body,
        "reply_to": None,
        "thread_root": None,
        "mentions": [],
        "mention_all": False,
        "attachments": [],
        "metadata": {},
        "created_at": f"2026-11-21T00:00:{seq % 60:02d}+00:00",
        "edited_at": None,
        "deleted_at": None,
        **more,
    }


def step(begin: int, to: int, *messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The payload of a step of the room."""
    return {
        "room_id": ROOM,
        "from": begin,
        "to": to,
        "rows": {"messages": list(messages)} if messages else {},
        **more,
    }


def membership(user_rev: int, left_at: str | None = None) -> dict[str, Any]:
    """A row of ``memberships``."""
    return {"room_id": ROOM, "user_id": ME, "user_rev": user_rev, "left_at": left_at}


class FakeServer:
    """Knows a room's messages by rev; every message is one number."""

    def __init__(self, *bodies: str) -> None:
        self.timeline = "first"
        self.user_rev = 1
        self.messages = [message(seq, seq, body) for seq, body in enumerate(bodies, start=1)]
        self.hidden = 0
        """How many of the newest numbers a snapshot does not see yet."""
        self.cursors: list[events.Cursor] = []
        self.heads_asked = 0
        self.leasts: list[Least | None] = []
        """What the heads that were asked for must not be below; None asks the primary."""
        self.version = self.lowest_client = __version__

    @property
    def rev(self) -> int:
        """The head as a snapshot sees it."""
        return len(self.messages) - self.hidden

    def say(self, body: str, **more: Any) -> dict[str, Any]:
        """Add a message; returns its step."""
        number = len(self.messages) + 1
        self.messages.append(message(number, number, body, **more))
        return step(number - 1, number, self.messages[-1])

    async def pull(self, cursor: events.Cursor, least: Least) -> Answer:
        """As ``pull_changes`` does it."""
        self.cursors.append(cursor)
        if cursor.timeline not in (None, self.timeline):
            return Answer.read(
                {
                    "timeline": self.timeline,
                    "user": None,
                    "rooms": [],
                    "profiles": [],
                    "more": False,
                }
            )
        rooms = []
        for room_id, have in cursor.rooms.items():
            is_reset = have is not None and have > self.rev
            above = 0 if have is None or is_reset else have
            rows = {"messages": self.messages[above : self.rev]}
            if above != self.rev or have is None or is_reset:
                rooms.append(
                    {
                        "room_id": str(room_id),
                        "from": None if is_reset or have is None else have,
                        "to": self.rev,
                        "rows": rows,
                        "reset": is_reset,
                    }
                )
        have = cursor.user
        user: dict[str, Any] = {
            "from": have,
            "to": self.user_rev,
            "rows": {"memberships": [membership(1)]} if have is None else {},
            "dropped_rooms": [],
        }
        return Answer.read(
            {
                "timeline": self.timeline,
                "user": user,
                "rooms": rooms,
                "profiles": [],
                "more": False,
            }
        )

    async def heads(self, timeline: str | None, least: Least | None) -> HeadsByRoom:
        """As ``list_heads`` does it."""
        self.heads_asked += 1
        self.leasts.append(least)
        return HeadsByRoom.of(
            events.Heads(
                version=self.version,
                lowest_client=self.lowest_client,
                timeline=self.timeline,
                user=events.Head(rev=self.user_rev, epoch=1),
                rooms=[events.RoomHead(room_id=UUID(ROOM), rev=self.rev, epoch=1)],
            )
        )

    async def profiles(self, user_ids: Iterable[str]) -> Sequence[Row]:
        """Nobody is in sight."""
        return []
