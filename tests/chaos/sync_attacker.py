"""One member who does their worst, as far as the limits let them: the largest content, and bursts.

Everything goes through the API role. A refusal is an answer like any other here; what matters is
that nobody else's copy, and nobody else's patience, suffers from what is let through.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from typing import Any, LiteralString
from uuid import uuid4

import psycopg

WIDE = "\U0001f600"
LONGEST_BODY = 8000
LARGE_ATTACHMENTS = [{"name": WIDE * 60, "note": "x" * 15_000}]
MARKS = [chr(0x300 + number) for number in range(40)]
BURST = 100
"""Large messages at once: more than the limits that we ship let anybody send."""
MOST_ROOMS = 20
POISON = (
    '[{"a": ' + "[" * 900 + "]" * 900 + "}]",
    '[{"n": 1e16000}]',
    '[{"n": ' + "9" * 5000 + "}]",
    json.dumps([{"k" * 5000: 1}]),
    json.dumps([{str(number): number for number in range(1500)}]),
)
"""Attachments that once broke clients. All of them are refused."""


class Attacker:
    """Acts as one member of some rooms, over one connection at a time."""

    def __init__(
        self, db_url: str, me: str, others: list[str], rooms: list[str], rng: random.Random
    ) -> None:
        self.db_url = db_url
        self.rooms = rooms
        self.answers: Counter[str] = Counter()
        """How often each slug was answered; ``done`` for what was let through."""
        self.poisoned = 0
        """How many messages with poison were accepted."""
        self.opened = 0
        """How many rooms nobody asked for were made."""
        self.me = me
        self._others = others
        self._rng = rng

    async def burst(self) -> None:
        """Everything at once. Raises OperationalError when the database is away."""
        async with await psycopg.AsyncConnection.connect(
            self.db_url, autocommit=True, connect_timeout=2
        ) as connection:
            await self._send_large(connection)
            await self._send_poison(connection)
            await self._react(connection)
            await self._call_everybody(connection)
            await self._open_rooms(connection)

    async def go_on(self, pause: asyncio.Event, every_s: float) -> None:
        """Burst until cancelled, whenever the others work."""
        while True:
            await pause.wait()
            try:
                await self.burst()
            except psycopg.OperationalError:
                await asyncio.sleep(0.1)
            await asyncio.sleep(self._rng.expovariate(1 / every_s))

    async def _send_large(self, connection: psycopg.AsyncConnection[Any]) -> None:
        for room in self.rooms:
            items = [
                {
                    "room_id": room,
                    "client_id": str(uuid4()),
                    "body": WIDE * LONGEST_BODY,
                    "attachments": LARGE_ATTACHMENTS,
                }
                for _ in range(BURST // len(self.rooms))
            ]
            await self._do(connection, "chat.send_messages(%s)", json.dumps(items))
            answer = await self._do(
                connection, "chat.send_message(%s, 'once more', %s)", room, str(uuid4())
            )
            if answer:
                for _ in range(5):
                    body = "".join(self._rng.choices("abcdefgh ", k=LONGEST_BODY))
                    await self._do(
                        connection, "chat.edit_message(%s, %s, %s)", room, answer[0][1], body
                    )

    async def _send_poison(self, connection: psycopg.AsyncConnection[Any]) -> None:
        for attachments in POISON:
            room = self._rng.choice(self.rooms)
            answer = await self._do(
                connection,
                "chat.send_message(%s, 'look', %s, attachments => %s::jsonb)",
                *(room, str(uuid4()), attachments),
            )
            self.poisoned += bool(answer)

    async def _react(self, connection: psycopg.AsyncConnection[Any]) -> None:
        room = self._rng.choice(self.rooms)
        for _ in range(60):
            emoji = "a" + "".join(self._rng.choices(MARKS, k=6))
            await self._do(connection, "chat.add_reaction(%s, 1, %s)", room, emoji)
            await self._do(connection, "chat.remove_reaction(%s, 1, %s)", room, emoji)

    async def _call_everybody(self, connection: psycopg.AsyncConnection[Any]) -> None:
        items = [
            {
                "room_id": room,
                "client_id": str(uuid4()),
                "body": "you!",
                "mentions": self._others,
            }
            for room in self.rooms
            for _ in range(20)
        ]
        await self._do(connection, "chat.send_messages(%s)", json.dumps(items))

    async def _open_rooms(self, connection: psycopg.AsyncConnection[Any]) -> None:
        if self.opened < MOST_ROOMS:
            other = self._rng.choice(self._others)
            answer = await self._do(
                connection, "chat.create_room('gift', member_ids => %s::uuid[])", [other]
            )
            self.opened += bool(answer)

    async def _do(
        self, connection: psycopg.AsyncConnection[Any], call: LiteralString, *arguments: Any
    ) -> list[tuple[Any, ...]]:
        """One call in a transaction of its own; no rows when it is refused."""
        try:
            async with connection.transaction():
                await connection.execute(
                    "select set_config('request.jwt.claims', %s, true),"
                    " set_config('role', 'authenticated', true)",
                    [json.dumps({"sub": self.me, "role": "authenticated"})],
                )
                cursor = await connection.execute("select * from " + call, arguments)
                rows = await cursor.fetchall()
        except psycopg.OperationalError:
            raise
        except psycopg.Error as error:
            slug = (error.diag.message_primary or "").split()[0]
            self.answers["slow_down" if slug.startswith("{") else slug] += 1
            return []
        self.answers["done"] += 1
        return rows
