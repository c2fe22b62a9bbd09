"""People who write over SQL, as the API role, much faster than devices do."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, LiteralString
from uuid import uuid4

import psycopg

EMOJI = ("👍", "❤️", "😂")
DEADLOCK = "40P01"

CALLS: dict[str, tuple[int, LiteralString]] = {
    "send": (40, "chat.send_message(%(room)s, %(body)s, %(client_id)s)"),
    "batch": (4, "chat.send_messages(%(items)s)"),
    "edit": (10, "chat.edit_message(%(room)s, %(seq)s, %(body)s)"),
    "delete": (4, "chat.delete_message(%(room)s, %(seq)s)"),
    "react": (8, "chat.add_reaction(%(room)s, %(seq)s, %(emoji)s)"),
    "unreact": (4, "chat.remove_reaction(%(room)s, %(seq)s, %(emoji)s)"),
    "pin": (2, "chat.pin_message(%(room)s, %(seq)s)"),
    "unpin": (1, "chat.unpin_message(%(room)s, %(seq)s)"),
    "read": (4, "chat.mark_read(%(room)s, %(seq)s)"),
    "prefer": (1, "chat.set_room_preferences(%(room)s, pinned => %(flag)s)"),
    "rename": (1, "chat.update_room(%(room)s, topic => %(body)s)"),
    "leave": (1, "chat.leave_room(%(room)s)"),
    "join": (4, "chat.join_room(%(room)s)"),
    "add": (8, "chat.add_member(%(room)s, %(other)s)"),
    "remove": (1, "chat.remove_member(%(room)s, %(other)s)"),
    "ban": (1, "chat.ban_member(%(room)s, %(other)s)"),
    "unban": (4, "chat.unban_member(%(room)s, %(other)s)"),
    "mute": (1, "chat.mute_member(%(room)s, %(other)s, now() + interval '2 s')"),
    "archive": (1, "chat.archive_room(%(room)s)"),
    "unarchive": (8, "chat.unarchive_room(%(room)s)"),
    "seen": (1, "chat.mark_notifications_read(1000000)"),
    "invite": (1, "chat.create_invite(%(room)s)"),
}
PURGE_SHARE = 0.002
OPENING = ("add", "unban", "unarchive")
"""What the owner does, so that rooms do not run empty."""


@dataclass
class Written:
    """What came of it all."""

    calls: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    deadlocks: int = 0
    acknowledged: set[str] = field(default_factory=set)


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
                        await asyncio.sleep(self.chance.expovariate(1 / self.every_s))
            except psycopg.OperationalError:
                await asyncio.sleep(0.1)

    async def write(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """One call of one person, in a transaction of its own."""
        if self.chance.random() < PURGE_SHARE:
            await connection.execute(
                "select chat_private.purge_messages(id, last_seq - 100) from chat.rooms"
                " where id = %s",
                [self.chance.choice(self.rooms)],
            )
            self.written.calls["purge"] += 1
            return
        name = self.chance.choices(list(CALLS), [weight for weight, _ in CALLS.values()])[0]
        # The first person owns the rooms and stays.
        me = self.chance.choice(self.people[1:] if name == "leave" else self.people)
        if name in OPENING:
            me = self.people[0]
        room, ids = self.chance.choice(self.rooms), [str(uuid4()) for _ in range(5)]
        items = [
            {"room_id": room, "client_id": each, "body": f"batch {self.chance.randrange(10**9)}"}
            for each in ids
        ]
        try:
            async with connection.transaction():
                await connection.execute(
                    "select set_config('request.jwt.claims', %s, true),"
                    " set_config('role', 'authenticated', true)",
                    [json.dumps({"sub": me, "role": "authenticated"})],
                )
                newest = await connection.execute(
                    "select coalesce(max(last_seq), 0) from chat.rooms where id = %s", [room]
                )
                last = (await newest.fetchone() or (0,))[0]
                cursor = await connection.execute(
                    "select * from " + CALLS[name][1],
                    {
                        "room": room,
                        "body": f"said {self.chance.randrange(10**9)}",
                        "client_id": ids[0],
                        "items": json.dumps(items),
                        "seq": max(1, last - self.chance.randrange(40)),
                        "emoji": self.chance.choice(EMOJI),
                        "flag": self.chance.random() < 0.5,
                        "other": self.chance.choice(self.people[1:]),
                    },
                )
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
        if name == "send":
            self.written.acknowledged.add(ids[0])
        elif name == "batch":
            self.written.acknowledged |= {
                str(row[0]) for row in rows if row[1] in ("sent", "duplicate")
            }
