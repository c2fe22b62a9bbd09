"""Four ways to ask for what was missed: ours, by time, and by two kinds of ids."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Protocol

import psycopg

from bench.databases import Clones, act_as, add_people, new_ids, open_direct_rooms, read_sql

ROOMS = 8
PAGE = 1000
OURS = "pull_changes"
BY_TIME = "by the time of the newest message"
BY_UUID = "by the last id, a uuid"
BY_NUMBER = "by the last id, a number"


@dataclass
class Catch:
    """What some round trips brought: the messages, by something that tells them apart."""

    messages: set[str] = field(default_factory=set)
    bytes: int = 0
    trips: int = 0

    def take(self, answer: str) -> Any:
        """Count an answer and read it."""
        self.bytes += len(answer.encode())
        self.trips += 1
        return json.loads(answer)


class Way(Protocol):
    """One way to ask for what was missed."""

    url: str

    table: str

    def write(self, connection: psycopg.Connection[Any], room: int, body: str) -> None:
        """Write a message into a room, within a transaction."""

    def start(self, connection: psycopg.Connection[Any]) -> Any:
        """Return the cursor of a device that has everything."""

    def ask(self, connection: psycopg.Connection[Any], cursor: Any, catch: Catch) -> Any:
        """Ask until nothing more comes; return the next cursor."""


@dataclass(frozen=True)
class Rooms:
    """One person, who reads, and everybody they are in a direct room with."""

    me: str
    others: list[str]
    ids: list[str]


class Ours:
    """`pull_changes`, with a number for each room."""

    table = "chat.messages"

    def __init__(self, url: str, rooms: Rooms) -> None:
        self.url, self.rooms = url, rooms
        self.answers: list[tuple[dict[str, Any], Any]] = []
        self.first = self.answers

    def write(self, connection: psycopg.Connection[Any], room: int, body: str) -> None:
        """Send as the other person of the room."""
        act_as(connection, self.rooms.others[room])
        connection.execute(
            "select chat.send_message(%s, %s, gen_random_uuid())", (self.rooms.ids[room], body)
        )

    def start(self, connection: psycopg.Connection[Any]) -> dict[str, Any]:
        """Pull as a new device does, and keep what came."""
        cursor = self.ask(connection, {"rooms": dict.fromkeys(self.rooms.ids)}, Catch())
        self.first = self.answers
        return cursor

    def ask(
        self, connection: psycopg.Connection[Any], cursor: dict[str, Any], catch: Catch
    ) -> dict[str, Any]:
        """Pull until there is no more."""
        self.answers = []
        more = True
        while more:
            with connection.transaction():
                act_as(connection, self.rooms.me)
                text = one(
                    connection,
                    "select chat.pull_changes(%s::jsonb)::text",
                    (json.dumps({**cursor, "limit": PAGE}),),
                )
            answer = catch.take(text)
            self.answers.append((cursor, answer))
            for room in answer["rooms"]:
                catch.messages.update(row["id"] for row in room["rows"].get("messages", []))
            cursor = {
                "timeline": answer["timeline"],
                "user": answer["user"]["to"],
                "rooms": cursor["rooms"] | {r["room_id"]: r["to"] for r in answer["rooms"]},
                "seen": answer["seen"],
            }
            more = answer["more"]
        return cursor


class ByTime:
    """Everything of mine whose time is later than that of the newest message I have."""

    table = "public.chat_messages"

    def __init__(self, url: str, rooms: Rooms) -> None:
        self.url, self.rooms = url, rooms

    def write(self, connection: psycopg.Connection[Any], room: int, body: str) -> None:
        """Insert as the other person of the room."""
        act_as(connection, self.rooms.others[room])
        connection.execute(
            "insert into public.chat_messages (room_id, message, client_msg_id, sender_id)"
            " values (%s, %s, gen_random_uuid()::text, %s)",
            (self.rooms.ids[room], body, self.rooms.others[room]),
        )

    def start(self, connection: psycopg.Connection[Any]) -> str:
        """Return the time of the newest message."""
        newest = one(connection, "select max(m.server_timestamp)::text from public.chat_messages m")
        return newest or "-infinity"

    def ask(self, connection: psycopg.Connection[Any], cursor: str, catch: Catch) -> str:
        """Ask page by page."""
        query = read_sql("sql/missed_seed003.sql")
        rows: list[dict[str, str]] = [{}] * PAGE
        while len(rows) == PAGE:
            rows = catch.take(one(connection, query, {"me": self.rooms.me, "since": cursor}))
            catch.messages.update(row["id"] for row in rows)
            cursor = rows[-1]["server_timestamp"] if rows else cursor
        return cursor


class ById:
    """Of each room everything whose id is greater than that of the last message I have."""

    def __init__(self, url: str, rooms: Rooms, kind: str) -> None:
        self.url, self.rooms, self.kind = url, rooms, kind
        self.table = f"public.{kind}_messages"

    def write(self, connection: psycopg.Connection[Any], room: int, body: str) -> None:
        """Insert; there are no rules."""
        connection.execute(
            f"insert into {self.table} (room_id, user_id, content)"  # noqa: S608
            " values (%s, %s, %s)",
            (self.rooms.ids[room], self.rooms.others[room], body),
        )

    def start(self, connection: psycopg.Connection[Any]) -> dict[str, str]:
        """Return the last message of each room."""
        nothing = "0" if self.kind == "counted" else "00000000-0000-0000-0000-000000000000"
        rows = connection.execute(
            "select distinct on (m.room_id) m.room_id::text, m.id::text"  # noqa: S608
            f" from {self.table} as m"
            " order by m.room_id, m.created_at desc, m.id desc"
        ).fetchall()
        return dict.fromkeys(self.rooms.ids, nothing) | dict(rows)

    def ask(
        self, connection: psycopg.Connection[Any], cursor: dict[str, str], catch: Catch
    ) -> dict[str, str]:
        """Ask room by room, page by page."""
        query = read_sql(f"sql/missed_{self.kind}.sql")
        after = dict(cursor)
        for room in self.rooms.ids:
            rows: list[dict[str, str]] = [{}] * PAGE
            while len(rows) == PAGE:
                rows = catch.take(one(connection, query, {"room": room, "since": after[room]}))
                catch.messages.update(str(row["id"]) for row in rows)
                after[room] = str(rows[-1]["id"]) if rows else after[room]
        return after


def one(connection: psycopg.Connection[Any], query: str, values: Any = None) -> Any:
    """Return the one value of a query."""
    row = connection.execute(query.encode(), values).fetchone()
    return None if row is None else row[0]


def make_ways(clones: Clones) -> dict[str, Way]:
    """Make a database for each way, with the same rooms."""
    me, *others = new_ids(1 + ROOMS)
    ours, by_time, by_uuid, by_number = (
        clones.make(purpose) for purpose in ("catchup", "seed003", "uuids", "numbers")
    )
    with psycopg.connect(ours, autocommit=True) as connection:
        add_people(connection, [me, *others])
        rooms = Rooms(me, others, open_direct_rooms(connection, [(me, other) for other in others]))
    with psycopg.connect(by_time) as connection:
        connection.execute(read_sql("baselines/seed003.sql").encode())
        connection.execute(
            read_sql("sql/seed003_rooms.sql"),
            {"room_ids": rooms.ids, "mine": [me] * ROOMS, "theirs": others},
        )
    for url in (by_uuid, by_number):
        with psycopg.connect(url) as connection:
            connection.execute(read_sql("baselines/seed001.sql").encode())
    return {
        OURS: Ours(ours, rooms),
        BY_TIME: ByTime(by_time, rooms),
        BY_UUID: ById(by_uuid, rooms, "uuid"),
        BY_NUMBER: ById(by_number, rooms, "counted"),
    }
