"""People who write over SQL, as the API role, much faster than devices do."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any, LiteralString
from uuid import uuid4

import psycopg
from psycopg.rows import namedtuple_row

from tests.chaos.deck import Deck

EMOJI = ("👍", "❤️", "😂")
ROLES = ("reader", "member", "moderator")
DEADLOCK = "40P01"
BATCH = 20

CALLS: dict[str, tuple[int, LiteralString]] = {
    "send": (40, "chat.send_message(%(room)s, %(body)s, %(client_id)s)"),
    "batch": (6, "chat.send_messages(%(items)s)"),
    "edit": (10, "chat.edit_message(%(room)s, %(seq)s, %(body)s)"),
    "delete": (4, "chat.delete_message(%(room)s, %(seq)s)"),
    "react": (8, "chat.add_reaction(%(room)s, %(seq)s, %(emoji)s)"),
    "unreact": (4, "chat.remove_reaction(%(room)s, %(seq)s, %(emoji)s)"),
    "pin": (2, "chat.pin_message(%(room)s, %(seq)s)"),
    "unpin": (1, "chat.unpin_message(%(room)s, %(seq)s)"),
    "mark": (4, "chat.mark_read(%(room)s, %(seq)s)"),
    "prefer": (1, "chat.set_room_preferences(%(room)s, pinned => %(flag)s)"),
    "rename": (1, "chat.update_room(%(room)s, topic => %(body)s)"),
    "promote": (1, "chat.set_member_role(%(room)s, %(other)s, %(role)s)"),
    "leave": (1, "chat.leave_room(%(room)s)"),
    "join": (4, "chat.join_room(%(room)s)"),
    "invite": (2, "chat.create_invite(%(room)s)"),
    "accept": (4, "chat.accept_invite(%(token)s)"),
    "add": (6, "chat.add_member(%(room)s, %(other)s)"),
    "kick": (2, "chat.remove_member(%(room)s, %(other)s)"),
    "ban": (2, "chat.ban_member(%(room)s, %(other)s)"),
    "unban": (4, "chat.unban_member(%(room)s, %(other)s)"),
    "mute": (1, "chat.mute_member(%(room)s, %(other)s, now() + interval '2 s')"),
    "archive": (1, "chat.archive_room(%(room)s)"),
    "unarchive": (8, "chat.unarchive_room(%(room)s)"),
    "seen": (1, "chat.mark_notifications_read(1000000)"),
}
PURGES = 1
KEPT = (30, 300, 1000)
"""How many messages a purge leaves."""
OWNERS = ("add", "unban", "unarchive", "promote")
"""What the owner does, so that rooms do not run empty, and can be spoken in."""
MODERATORS = ("kick", "ban", "mute", "archive", "invite")
"""What the owner does every other time, because few others may."""


@dataclass
class Written:
    """What came of it all."""

    calls: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    deadlocks: int = 0
    acknowledged: set[str] = field(default_factory=set)
    newest: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """The highest seq that came back, by room: what edits and reactions are about."""
    tokens: list[str] = field(default_factory=list)
    """Invites that nobody has accepted yet; whoever finds one may use it."""

    def forget(self) -> None:
        """Of another history, nothing is known; counts stay."""
        self.newest.clear()
        self.tokens.clear()


@dataclass
class Writer:
    """One connection that acts as one person after the other."""

    db_url: str
    people: list[str]
    rooms: list[str]
    written: Written
    chance: random.Random
    every_s: float
    pause: asyncio.Event

    def __post_init__(self) -> None:
        cards = {name: weight for name, (weight, _) in CALLS.items()}
        self._deck = Deck({**cards, "purge": PURGES}, self.chance)

    async def run(self) -> None:
        """Write until cancelled; a lost connection is made again."""
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self.db_url, autocommit=True, connect_timeout=2
                ) as connection:
                    while True:
                        await self.pause.wait()
                        await self.write(connection)
                        if self.every_s:
                            await asyncio.sleep(self.chance.expovariate(1 / self.every_s))
            except psycopg.OperationalError:
                await asyncio.sleep(0.1)

    async def write(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """One call of one person, in a transaction of its own."""
        name = self._deck.draw()
        if name == "purge":
            await connection.execute(
                "select chat_private.purge_messages(id, last_seq - %s) from chat.rooms"
                " where id = %s",
                [self.chance.choice(KEPT), self.chance.choice(self.rooms)],
            )
            self.written.calls[name] += 1
            return
        # The first person owns the rooms and stays.
        me = self.chance.choice(self.people[1:] if name == "leave" else self.people)
        if name in OWNERS or (name in MODERATORS and self.chance.random() < 0.5):
            me = self.people[0]
        room, ids = self.chance.choice(self.rooms), [str(uuid4()) for _ in range(BATCH)]
        arguments = {
            "room": room,
            "body": f"said {self.chance.randrange(10**9)}",
            "client_id": ids[0],
            "items": self.batch(ids) if name == "batch" else None,
            "seq": max(1, self.written.newest[room] - self.chance.randrange(40)),
            "emoji": self.chance.choice(EMOJI),
            "role": self.chance.choice(ROLES),
            "flag": self.chance.random() < 0.5,
            "other": self.chance.choice(self.people[1:]),
            "token": self.token() if name == "accept" else None,
        }
        try:
            async with connection.transaction():
                await connection.execute(
                    "select set_config('request.jwt.claims', %s, true),"
                    " set_config('role', 'authenticated', true)",
                    [json.dumps({"sub": me, "role": "authenticated"})],
                )
                cursor = connection.cursor(row_factory=namedtuple_row)
                await cursor.execute("select * from " + CALLS[name][1], arguments)
                rows = await cursor.fetchall()
        except psycopg.OperationalError as error:
            if error.sqlstate == DEADLOCK:
                self.written.deadlocks += 1
                return
            raise
        except psycopg.Error as error:
            slug = (error.diag.message_primary or "").split()[0]
            self.written.refusals[slug] += 1
            return
        self.written.calls[name] += 1
        self.note(name, room, ids, rows)

    def batch(self, ids: list[str]) -> str:
        """A batch to two rooms."""
        rooms = self.chance.sample(self.rooms, 2)
        return json.dumps(
            [
                {"room_id": rooms[number % 2], "client_id": each, "body": f"batch {number}"}
                for number, each in enumerate(ids)
            ]
        )

    def token(self) -> str:
        """Somebody's invite, used up or not."""
        tokens = self.written.tokens
        return tokens.pop(self.chance.randrange(len(tokens))) if tokens else "none"

    def note(self, name: str, room: str, ids: list[str], rows: list[Any]) -> None:
        """What was acknowledged, and what others can use."""
        if name == "send":
            self.written.acknowledged.add(ids[0])
            self.written.newest[room] = max(self.written.newest[room], rows[0].seq)
        elif name == "batch":
            self.written.acknowledged |= {
                str(row.client_id) for row in rows if row.outcome in ("sent", "duplicate")
            }
        elif name == "invite":
            self.written.tokens.append(rows[0].token)
