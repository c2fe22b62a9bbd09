"""People in rooms of five, who do what people do in a day, and what each of it costs."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from statistics import mean, median
from typing import Any
from uuid import uuid4

import psycopg

from bench.databases import (
    act_as,
    add_people,
    connect,
    create_room,
    new_ids,
    read_sql,
    write_bodies,
)
from bench.load import claims_of
from bench.meter import processor_ms
from parley.realtime.authorization.probes import SETS_BEFORE_ROWS
from parley.realtime.database.queries import query

ROOM_SIZE = 5
IN_A_ROUND = 16

SEND = "send a message"
DELIVERED = "acknowledge a delivery"
READ = "acknowledge reading"
OPEN = "open the app: heads, pull, inbox"
PAGE = "read a page"
HEARTBEAT = "heartbeat"
JOIN = "join a topic"
PUSH = "push to a phone"


@dataclass(frozen=True)
class Costs:
    """What one of each costs."""

    processor_ms: dict[str, float]
    bytes_sent: dict[str, float]
    broadcasts: dict[str, float]
    payload: float
    message_bytes: float
    receipt_bytes: float
    broadcast_bytes: float
    wal_bytes: float


def measure(url: str, rooms: int, rounds: int) -> Costs:
    """Let people in rooms of five do everything, and see what it costs."""
    people = new_ids(rooms * ROOM_SIZE)
    with connect(url) as connection:
        add_people(connection, people)
        connection.execute(read_sql("sql/phones.sql"), {"user_ids": people})
        members = {
            create_room(connection, group): group
            for group in (people[place::rooms] for place in range(rooms))
        }
        connection.execute("vacuum analyze")
        topics = {
            str(user): f"user:{user}:{epoch}"
            for user, epoch in connection.execute(
                "select user_id, epoch from chat_private.user_streams"
            )
        }
        connection.execute(query("probe_prepare"), prepare=False)
        return Actors(connection, members, topics).perform(rounds)


class Actors:
    """People in rooms, who act one after the other over one connection."""

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        members: dict[str, list[str]],
        topics: dict[str, str],
    ) -> None:
        self.connection = connection
        self.members = members
        self.topics = topics
        self.random = Random(13)  # noqa: S311 (draws rooms)
        self.bodies = write_bodies(200)
        self.spent: dict[str, list[float]] = defaultdict(list)
        self.sent: dict[str, list[float]] = defaultdict(list)
        self.broadcasts: dict[str, list[float]] = defaultdict(list)

    def perform(self, rounds: int) -> Costs:
        """Act in rounds, after a third more that do not count: tables begin with whole pages."""
        for _ in range(-(-rounds // 3)):
            self.round()
        self.spent.clear()
        before, rows_before = self.sizes(), self.announced()
        wal = [self.round() for _ in range(rounds)]
        after = self.sizes()
        rows = self.announced() - rows_before
        messages = rounds * IN_A_ROUND
        payload = self.one("select avg(octet_length(payload::text)) from realtime.messages")
        receipts = 2 * messages
        return Costs(
            {name: median(costs) for name, costs in self.spent.items()},
            {name: mean(sizes) for name, sizes in self.sent.items()},
            {name: mean(counts) for name, counts in self.broadcasts.items()},
            float(payload),
            (after[0] - before[0]) / messages,
            (after[1] - before[1]) / receipts,
            (after[2] - before[2]) / rows,
            median(wal) / IN_A_ROUND,
        )

    def round(self) -> float:
        """Let something be said in sixteen rooms, and the rest happen; return the sends' WAL."""
        rooms = [self.random.choice(list(self.members)) for _ in range(IN_A_ROUND)]
        said: list[tuple[str, list[str], int]] = []

        def send(room: str) -> None:
            sender, *others = self.random.sample(self.members[room], ROOM_SIZE)
            body = self.random.choice(self.bodies)
            row = self.ask(
                sender, "select (chat.send_message(%s, %s, %s)).seq", room, body, str(uuid4())
            )
            said.append((room, others, row))

        begun = self.wal()
        self.spend(SEND, [lambda room=room: send(room) for room in rooms])  # type: ignore[misc]
        wal = self.wal() - begun
        acknowledge = "select count(*) from chat.mark_delivered(%s)"
        self.spend(
            DELIVERED,
            [
                lambda room=room, who=others[0], seq=seq: self.ask(  # type: ignore[misc]
                    who, acknowledge, json.dumps({room: seq})
                )
                for room, others, seq in said
            ],
        )
        self.spend(
            READ,
            [
                lambda room=room, who=others[1], seq=seq: self.ask(  # type: ignore[misc]
                    who, "select (chat.mark_read(%s, %s)).read_seq", room, seq
                )
                for room, others, seq in said
            ],
        )
        self.connection.execute(
            read_sql("sql/age_leases.sql"), {"prolonged": "31 s", "told": "31 s"}
        )
        self.spend(
            HEARTBEAT,
            [
                lambda who=others[0]: self.ask(  # type: ignore[misc]
                    who, "select count(*) from chat.heartbeat(device_id => 'phone')"
                )
                for _, others, _ in said
            ],
        )
        self.spend(JOIN, [lambda who=others[0]: self.join(who) for _, others, _ in said])  # type: ignore[misc]
        self.spend(OPEN, [lambda who=others[0]: self.open(who) for _, others, _ in said])  # type: ignore[misc]
        page = "select coalesce(json_agg(m), '[]')::text from chat.list_messages(%s) as m"
        self.spend(
            PAGE,
            [
                lambda room=room, who=others[0]: self.weigh(PAGE, self.ask(who, page, room))  # type: ignore[misc]
                for room, others, _ in said
            ],
        )
        self.push()
        return wal

    def spend(self, name: str, calls: list[Callable[[], object]]) -> None:
        """Make some calls, and keep what one of them cost and announced."""
        server = self.connection.info.backend_pid
        rows, begun = self.announced(), processor_ms(server)
        for call in calls:
            call()
        self.spent[name].append((processor_ms(server) - begun) / len(calls))
        self.broadcasts[name].append((self.announced() - rows) / len(calls))

    def ask(self, user_id: str, statement: str, *values: object) -> Any:
        """Ask as somebody; return the one value."""
        with self.connection.transaction():
            act_as(self.connection, user_id)
            return self.one(statement, *values)

    def one(self, statement: str, *values: object) -> Any:
        """Return the one value of a query."""
        ((value,),) = self.connection.execute(statement.encode(), values).fetchall()
        return value

    def weigh(self, name: str, text: str) -> None:
        """Keep how long an answer is."""
        self.sent[name].append(len(text.encode()))

    def open(self, user_id: str) -> None:
        """Do what an app does that comes to the front."""
        heads = self.ask(user_id, "select chat.list_heads()")
        cursor = {
            "timeline": heads["timeline"],
            "user": max(0, heads["user"]["rev"] - 5),
            "rooms": {each["room_id"]: max(0, each["rev"] - 5) for each in heads["rooms"]},
        }
        pulled = self.ask(user_id, "select chat.pull_changes(%s)::text", json.dumps(cursor))
        inbox = self.ask(
            user_id, "select coalesce(json_agg(r), '[]')::text from chat.list_rooms() as r"
        )
        self.weigh(OPEN, json.dumps(heads) + pulled + inbox)

    def join(self, user_id: str) -> None:
        """Ask whether somebody may listen to their own topic, as Realtime does."""
        row = uuid4()
        cursor = psycopg.ClientCursor(self.connection)
        cursor.execute(
            query("probe_read"),
            {
                "role": "authenticated",
                "topic": self.topics[user_id],
                "claims": claims_of(user_id),
                "sub": user_id,
                "headers": "{}",
                "ids": [row],
                "extensions": ["broadcast"],
                "first_id": row,
                "last_id": row,
            },
        )
        for _ in range(SETS_BEFORE_ROWS):
            cursor.nextset()
        if cursor.fetchall() != [(row,)]:
            raise RuntimeError("The policies refuse somebody their own topic.")

    def push(self) -> None:
        """Claim and complete everything that is to be pushed."""
        server = self.connection.info.backend_pid
        begun, count = processor_ms(server), 0
        claim = "select coalesce(json_agg(p), '[]') from chat.claim_pushes(500) as p"
        while claimed := self.one(claim):
            results = [each | {"outcome": "sent"} for each in claimed]
            self.one("select chat.complete_pushes(%s)", json.dumps(results))
            count += len(claimed)
        if count:
            self.spent[PUSH].append((processor_ms(server) - begun) / count)

    def announced(self) -> int:
        """Return how many broadcasts there are."""
        return int(self.one("select count(*) from realtime.messages"))

    def sizes(self) -> tuple[float, float, float]:
        """Return the bytes of what grows."""
        self.connection.execute("vacuum analyze")
        (sizes,) = self.connection.execute(read_sql("sql/sizes.sql").encode()).fetchall()
        return sizes[0], sizes[1], sizes[2]

    def wal(self) -> float:
        """Return how much WAL was written so far, in bytes."""
        return float(self.one("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn"))
