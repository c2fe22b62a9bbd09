"""Sending: send_message and send_messages, the baseline schema's insert, and a bare insert."""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random
from uuid import UUID

import psycopg

from bench.comparison import PROCESSOR, Bar
from bench.databases import (
    Clones,
    add_people,
    create_room,
    new_ids,
    open_direct_rooms,
    read_sql,
    write_bodies,
)
from bench.load import Line, Load

SENDERS = 16
BATCH = 20
BODIES = 500

DIRECT = "send_message, direct rooms"
BASELINE = "the baseline schema's insert, direct rooms"
BARE = "bare insert"
PREPARED = "send_message, direct rooms, prepared"
BASELINE_PREPARED = "the baseline schema's insert, direct rooms, prepared"
SMALL = "send_message, one room of 16"
LARGE = "send_message, one room of 100"
BATCHES = "batches of 20, direct rooms"
HOT_BATCHES = "batches of 20, one room of 16"

SEND_BARS = [
    Bar("a send against the baseline schema's tables and triggers", DIRECT, BASELINE, at_least=1.2),
    Bar("a send against a bare insert", DIRECT, BARE, at_least=0.15),
    Bar("both prepared, sixteen connections", PREPARED, BASELINE_PREPARED, at_least=0.6),
    Bar("both prepared, processor time", PREPARED, BASELINE_PREPARED, PROCESSOR, at_least=0.68),
    Bar("both planned, processor time", DIRECT, BASELINE, PROCESSOR, at_least=1.4),
    Bar("one room of 16 senders against 1,000 rooms", SMALL, DIRECT, at_least=0.25),
    Bar("one room of 100 people against 1,000 rooms", LARGE, DIRECT, at_least=0.25),
    Bar("messages in batches against single ones, one room", HOT_BATCHES, SMALL, at_least=5),
]


def new_client_id(random: Random) -> str:
    """Make up the id that a client gives a message."""
    return str(UUID(int=random.getrandbits(128), version=4))


def of_send_message(line: Line, random: Random) -> list[str]:
    """Return room_id, body and client_id."""
    return [random.choice(line.rooms), random.choice(line.bodies), new_client_id(random)]


def of_insert(line: Line, random: Random) -> list[str]:
    """Return the room, the body, the client's id and the sender."""
    return [*of_send_message(line, random), line.user_id]


def of_send_messages(line: Line, random: Random) -> list[str]:
    """Return twenty items for one room."""
    room = random.choice(line.rooms)
    items = [
        {"room_id": room, "body": random.choice(line.bodies), "client_id": new_client_id(random)}
        for _ in range(BATCH)
    ]
    return [json.dumps(items)]


@dataclass(frozen=True)
class Crowd:
    """Everybody who sends or is sent to: ``pairs`` of a sender and somebody else."""

    senders: list[str]
    pairs: list[tuple[str, str]]
    others: list[str]

    @classmethod
    def make(cls, rooms: int) -> Crowd:
        """Make up sixteen senders, a partner for each direct room, and a full large room."""
        people = new_ids(SENDERS + rooms)
        pairs = [(people[n % SENDERS], people[SENDERS + n]) for n in range(rooms)]
        return cls(people[:SENDERS], pairs, new_ids(100 - SENDERS))

    def spread(self, rooms: list[str], bodies: tuple[str, ...]) -> tuple[Line, ...]:
        """Give each sender their direct rooms."""
        return tuple(
            Line(sender, tuple(rooms[place::SENDERS]), bodies)
            for place, sender in enumerate(self.senders)
        )

    def together(self, room: str, bodies: tuple[str, ...]) -> tuple[Line, ...]:
        """Put all senders into one room."""
        return tuple(Line(sender, (room,), bodies) for sender in self.senders)


def open_rooms(url: str, crowd: Crowd) -> tuple[list[str], str, str]:
    """Open everybody's direct rooms, the one of the sixteen, and the one of a hundred."""
    with psycopg.connect(url, autocommit=True) as connection:
        add_people(
            connection, [*crowd.senders, *(other for _, other in crowd.pairs), *crowd.others]
        )
        return (
            open_direct_rooms(connection, crowd.pairs),
            create_room(connection, crowd.senders),
            create_room(connection, [*crowd.senders, *crowd.others]),
        )


def prepare_sends(clones: Clones, size: int) -> list[Load]:
    """Make the databases: ``size`` direct rooms of sixteen senders, each with somebody else.

    What is compared has a database of its own: a batch writes so much more that whoever shared its
    tables would be measured on larger ones.
    """
    bodies = write_bodies(BODIES)
    crowd = Crowd.make(size)
    parley, hot, batched, baseline, bare = (
        clones.make(purpose) for purpose in ("parley", "hot", "batched", "seed003", "bare")
    )
    rooms, _, _ = open_rooms(parley, crowd)
    _, small, large = open_rooms(hot, crowd)
    batched_rooms, batched_small, _ = open_rooms(batched, crowd)
    with psycopg.connect(baseline) as connection:
        connection.execute(read_sql("baselines/seed003.sql"))
        mine, theirs = (list(side) for side in zip(*crowd.pairs, strict=True))
        connection.execute(
            read_sql("sql/seed003_rooms.sql"), {"room_ids": rooms, "mine": mine, "theirs": theirs}
        )
    with psycopg.connect(bare) as connection:
        connection.execute(read_sql("baselines/bare.sql"))

    spread = crowd.spread(rooms, bodies)
    send = "select * from chat.send_message(room_id => $1, body => $2, client_id => $3)"
    insert = read_sql("sql/send_seed003.sql")
    batch = "select * from chat.send_messages(items => $1)"
    return [
        Load(DIRECT, parley, send, of_send_message, spread),
        Load(BASELINE, baseline, insert, of_insert, spread),
        Load(BARE, bare, read_sql("sql/send_bare.sql"), of_insert, spread),
        Load(PREPARED, parley, send, of_send_message, spread, is_prepared=True),
        Load(BASELINE_PREPARED, baseline, insert, of_insert, spread, is_prepared=True),
        Load(SMALL, hot, send, of_send_message, crowd.together(small, bodies)),
        Load(LARGE, hot, send, of_send_message, crowd.together(large, bodies)),
        Load(
            BATCHES,
            batched,
            batch,
            of_send_messages,
            crowd.spread(batched_rooms, bodies),
            weight=BATCH,
        ),
        Load(
            HOT_BATCHES,
            batched,
            batch,
            of_send_messages,
            crowd.together(batched_small, bodies),
            weight=BATCH,
        ),
    ]
