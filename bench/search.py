"""Searching: what a page of 20 costs, in one's own rooms and beside what strangers say."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import psycopg

from bench.databases import (
    Clones,
    act_as,
    add_people,
    create_room,
    new_ids,
    open_direct_rooms,
    store_words,
    write_bodies,
    write_history,
)
from bench.meter import in_turns

ROOMS = 1000
LEAST_IN_A_ROOM = 100
RUNS = 21
FLOOD = 12_000
BESIDE = ", beside strangers"
FLOODED = f", right after {2 * FLOOD:,} sends of strangers"
SEARCH = "select * from chat.search_messages(%s, %s)"


@dataclass(frozen=True)
class Cost:
    """What was measured, in milliseconds of the processor or as a ratio, and what is allowed."""

    claim: str
    measured: float
    at_most: float

    @property
    def reached(self) -> bool:
        """True where it costs no more than it may."""
        return self.measured <= self.at_most


def measure_searches(clones: Clones, size: int, *, beside_strangers: bool) -> list[Cost]:
    """Fill a clone with ``size`` messages of one person's own, and search them.

    With ``beside_strangers`` a copy of it has twice as many messages of a stranger besides, and in
    a copy of that the stranger has just sent many more. All searches of all three take turns. There
    are a thousand rooms, fewer where that would be less than a hundred messages in each.
    """
    me, stranger, *others = new_ids(min(ROOMS, size // LEAST_IN_A_ROOM) + 2)
    alone = clones.make("search")
    with psycopg.connect(alone, autocommit=True) as connection:
        add_people(connection, [me, stranger, *others])
        rooms = open_direct_rooms(connection, [(me, other) for other in others])
        fill(connection, rooms, me, others, size)
    common = write_bodies(1)[0].split()[0]
    absent = "an absent word"
    asked = {
        absent: ("qqabsent ", 50.0),
        "one letter": ("a", 100.0),
        "the beginning of two letters": ("ab", 100.0),
        "a common word": (f"{common} ", 30.0),
        "a phrase": (f'"{common} {common}"', 300.0),
    }
    in_a_room = "a common word in the largest room"
    # (A database is copied while nobody is connected to it.)
    besides = add_strangers(clones, alone, stranger, others, size) if beside_strangers else None
    with ExitStack() as stack:

        def connect(url: str) -> psycopg.Connection[Any]:
            return stack.enter_context(psycopg.connect(url, autocommit=True))

        mine = connect(alone)
        asking = {claim: ask(mine, me, query) for claim, (query, _) in asked.items()}
        asking[in_a_room] = ask(mine, me, f"{common} ", rooms[0])
        if besides is not None:
            beside, after = map(connect, besides)
            for claim, (query, _) in asked.items():
                asking[f"{claim}{BESIDE}"] = ask(beside, me, query)
            asking[f"{absent}{FLOODED}"] = ask(after, me, asked[absent][0])
        rounds = in_turns(asking, RUNS)

    def ratio(claim: str, which: str) -> Cost:
        return Cost(
            f"{claim}{which}, to alone",
            median(costs[claim + which] / costs[claim] for costs in rounds),
            1.3,
        )

    found = [
        *(
            Cost(claim, median(costs[claim] for costs in rounds), most)
            for claim, (_, most) in asked.items()
        ),
        Cost(in_a_room, median(costs[in_a_room] for costs in rounds), 5),
    ]
    if besides is not None:
        found += [*(ratio(claim, BESIDE) for claim in asked), ratio(absent, FLOODED)]
    return found


def add_strangers(
    clones: Clones, alone: str, stranger: str, others: list[str], size: int
) -> tuple[str, str]:
    """Copy a database, with twice as many messages of a stranger, and with a flood of theirs."""
    crowded = clones.copy(alone, "crowded")
    with psycopg.connect(crowded, autocommit=True) as connection:
        theirs = open_direct_rooms(connection, [(stranger, other) for other in others])
        fill(connection, theirs, stranger, others, 2 * size)
    flooded = clones.copy(crowded, "flooded")
    with psycopg.connect(flooded, autocommit=True) as connection:
        flood(connection, stranger, theirs[0])
        flood(connection, stranger, create_room(connection, [stranger, *others[:2]]))
    return crowded, flooded


def fill(
    connection: psycopg.Connection[Any], rooms: list[str], me: str, others: list[str], size: int
) -> None:
    """Say something in all rooms in turns, every tenth time in the first, and store the words."""
    write_history(connection, me, others, rooms, total=size, share=10)
    store_words(connection, rooms)


def flood(connection: psycopg.Connection[Any], sender: str, room: str) -> None:
    """Send much into one room."""
    with connection.transaction():
        act_as(connection, sender)
        for at in range(0, FLOOD, 200):
            items = [
                {"room_id": room, "client_id": client_id, "body": f"flood ab {at}"}
                for client_id in new_ids(200)
            ]
            connection.execute("select count(*) from chat.send_messages(%s)", (json.dumps(items),))


def ask(
    connection: psycopg.Connection[Any], me: str, query: str, room: str | None = None
) -> tuple[int, Callable[[], object]]:
    """Return the process of a connection, and a search in it."""

    def search() -> None:
        with connection.transaction():
            act_as(connection, me)
            connection.execute(SEARCH, (query, room)).fetchall()

    return connection.info.backend_pid, search


def as_rows(costs: list[Cost]) -> list[dict[str, Any]]:
    """Return costs for programs."""
    return [asdict(cost) | {"reached": cost.reached} for cost in costs]
