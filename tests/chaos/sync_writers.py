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
    "call": (
        6,
        "chat.send_message(%(room)s, %(body)s, %(client_id)s,"
        " mentions => array[%(other)s, %(me)s]::uuid[])",
    ),
    "batch": (6, "chat.send_messages(%(items)s)"),
    "edit": (10, "chat.edit_message(%(room)s, %(seq)s, %(body)s)"),
    "call in an edit": (
        4,
        "chat.edit_message(%(room)s, %(seq)s, %(body)s, mentions => array[%(other)s]::uuid[])",
    ),
    "call nobody": (
        2,
        "chat.edit_message(%(room)s, %(seq)s, %(body)s, mentions => '{}',"
        " metadata => jsonb_build_object('flag', %(flag)s::boolean))",
    ),
    "delete": (4, "chat.delete_message(%(room)s, %(seq)s)"),
    "react": (8, "chat.add_reaction(%(room)s, %(seq)s, %(emoji)s)"),
    "unreact": (4, "chat.remove_reaction(%(room)s, %(seq)s, %(emoji)s)"),
    "pin": (2, "chat.pin_message(%(room)s, %(seq)s)"),
    "unpin": (1, "chat.unpin_message(%(room)s, %(seq)s)"),
    "mark": (4, "chat.mark_read(%(room)s, %(seq)s)"),
    "prefer": (1, "chat.set_room_preferences(%(room)s, marked_unread => %(flag)s)"),
    "clear": (1, "chat.clear_history(%(room)s)"),
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
    "seen": (1, "chat.mark_notifications_read(%(seq)s)"),
    "new name": (3, "chat.update_profile(%(body)s, label => %(role)s)"),
    "enter tenant": (2, "chat.accept_tenant_invite(%(tenant_token)s)"),
    "leave tenant": (1, "chat.remove_tenant_member(%(tenant)s, %(me)s::uuid)"),
}
AS_A_SERVER = 0.2
"""How often a server acts as the person who is to write."""
PURGES = 1
NIGHTS = 1
KEPT = (30, 300, 1000)
"""How many messages a purge or a night of retention leaves."""
NIGHT: LiteralString = """
do $$
declare
  v_room constant uuid := %(room)s;
begin
  update chat.tenants as t set retain_days = 5 where t.retain_days is null;
  perform from chat.rooms as r where r.id = v_room for no key update;
  update chat.messages as m set created_at = m.created_at - interval '9 days'
  from chat.rooms as r
  where r.id = v_room and m.room_id = r.id and m.seq <= r.last_seq - %(kept)s;
  update chat.reactions as e set removed_at = e.removed_at - interval '98 days'
  where e.room_id = v_room and e.removed_at is not null;
  perform
    chat_private.drop_removed_rows(array[v_room], 100000),
    chat_private.purge_portion(array[v_room], 100000);
end;
$$
"""
"""Old messages and reactions that were taken back have had their days, and maintenance comes."""
OWNERS = ("add", "unban", "unarchive", "promote")
"""What the owner does, so that rooms do not run empty, and can be spoken in."""
MODERATORS = ("kick", "ban", "mute", "archive", "invite")
"""What the owner does every other time, because few others may."""


@dataclass
class Club:
    """A tenant beside the default one, and an invite into it that anybody may use."""

    tenant_id: str
    token: str


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
    bots: list[str]
    rooms: list[str]
    club: Club
    written: Written
    rng: random.Random
    every_s: float
    pause: asyncio.Event

    def __post_init__(self) -> None:
        cards = {name: weight for name, (weight, _) in CALLS.items()}
        self._deck = Deck({**cards, "purge": PURGES, "night": NIGHTS}, self.rng)

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
                            await asyncio.sleep(self.rng.expovariate(1 / self.every_s))
            except psycopg.OperationalError:
                await asyncio.sleep(0.1)

    async def write(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """One call of one person, in a transaction of its own."""
        name = self._deck.draw()
        if name == "purge":
            await connection.execute(
                "select chat_private.purge_messages(id, last_seq - %s) from chat.rooms"
                " where id = %s",
                [self.rng.choice(KEPT), self.rng.choice(self.rooms)],
            )
            self.written.calls[name] += 1
            return
        if name == "night":
            await psycopg.AsyncClientCursor(connection).execute(
                NIGHT, {"room": self.rng.choice(self.rooms), "kept": self.rng.choice(KEPT)}
            )
            self.written.calls[name] += 1
            return
        # The first person owns the rooms and the tenant, and stays.
        is_leaving = name in ("leave", "leave tenant")
        me = self.rng.choice(self.people[1:] if is_leaving else self.people)
        if name in OWNERS or (name in MODERATORS and self.rng.random() < 0.5):
            me = self.people[0]
        room, ids = self.rng.choice(self.rooms), [str(uuid4()) for _ in range(BATCH)]
        arguments = {
            "room": room,
            "body": f"said {self.rng.randrange(10**9)}",
            "client_id": ids[0],
            "items": self.batch(ids) if name == "batch" else None,
            "seq": max(1, self.written.newest[room] - self.rng.randrange(40)),
            "emoji": self.rng.choice(EMOJI),
            "role": self.rng.choice(ROLES),
            "flag": self.rng.random() < 0.5,
            "me": me,
            "other": self.rng.choice(self.people[1:]),
            "token": self.token() if name == "accept" else None,
            "tenant": self.club.tenant_id,
            "tenant_token": self.club.token,
        }
        try:
            async with connection.transaction():
                await self.act_as(connection, me)
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

    async def act_as(self, connection: psycopg.AsyncConnection[Any], user_id: str) -> None:
        """Be somebody until the end of the transaction; a bot has a server that acts as it."""
        if user_id in self.bots or self.rng.random() < AS_A_SERVER:
            claims, headers = {"role": "service_role"}, {"x-parley-user": user_id}
        else:
            claims, headers = {"sub": user_id, "role": "authenticated"}, {}
        await connection.execute(
            "select set_config('request.jwt.claims', %s, true), set_config('role', %s, true),"
            " set_config('request.headers', %s, true)",
            [json.dumps(claims), claims["role"], json.dumps(headers)],
        )

    def batch(self, ids: list[str]) -> str:
        """A batch to two rooms."""
        rooms = self.rng.sample(self.rooms, 2)
        return json.dumps(
            [
                {"room_id": rooms[number % 2], "client_id": each, "body": f"batch {number}"}
                for number, each in enumerate(ids)
            ]
        )

    def token(self) -> str:
        """Somebody's invite, used up or not."""
        tokens = self.written.tokens
        return tokens.pop(self.rng.randrange(len(tokens))) if tokens else "none"

    def note(self, name: str, room: str, ids: list[str], rows: list[Any]) -> None:
        """What was acknowledged, and what others can use."""
        if name in ("send", "call"):
            self.written.acknowledged.add(ids[0])
            self.written.newest[room] = max(self.written.newest[room], rows[0].seq)
        elif name == "batch":
            self.written.acknowledged |= {
                str(row.client_id) for row in rows if row.outcome in ("sent", "duplicate")
            }
        elif name == "invite":
            self.written.tokens.append(rows[0].token)
