"""Joins and deliveries: what our policies cost in Postgres, and what our Realtime makes of them.

Joins are authorized by the rows that Realtime inserts, reads as the caller and rolls back. They are
measured as pure SQL, in processor time of one connection, and through the server, which shares the
machine with Postgres and with the clients that measure it.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from statistics import median, quantiles
from typing import Any
from uuid import uuid4

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from bench.comparison import Verdict
from bench.databases import Clones, add_people, connect, new_ids, open_direct_rooms
from bench.load import claims_of
from bench.meter import in_turns
from bench.outcome import Chart, Outcome, at_least, at_most
from bench.realtime_server import Served, make_token, many_files, served
from bench.sockets import Joins, deliver, offer, saturate, sockets
from parley.realtime.authorization.probes import SETS_BEFORE_ROWS
from parley.realtime.database.queries import query

IN_A_TURN = 16
SOCKETS = 64
LEAST_PER_SECOND = 1000.0
MOST_P95_MS = 50.0
MOST_SQL_MS = 1.0
PUBLISHED_RATE = 1_000
PUBLISHED = {"p50": 19.0, "p95": 49.0, "p99": 96.0}
"""Milliseconds of the hosted service at so many joins a second, from its page of benchmarks."""
TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Amounts:
    """How much is measured."""

    rooms: tuple[int, ...] = (10, 100, 1_000)
    rates: tuple[int, ...] = (125, 250, 500, 1_000)
    members: tuple[int, ...] = (10, 100, 1_000)
    seconds: float = 6.0
    rounds: int = 30
    messages: int = 100


@dataclass(frozen=True)
class Person:
    """Somebody, and the topics they may join."""

    user_id: str
    user_topic: str
    room_topics: list[str]

    @property
    def live_topics(self) -> list[str]:
        """The live topics of the same rooms."""
        return [topic.replace("room:", "live:") for topic in self.room_topics]


def make_person(url: str, rooms: int) -> Person:
    """Sign somebody up who is in so many rooms."""
    me, *others = new_ids(rooms + 1)
    with psycopg.connect(url, autocommit=True) as connection:
        add_people(connection, [me, *others])
        ids = open_direct_rooms(connection, [(me, other) for other in others])
        ((epoch,),) = connection.execute(
            "select epoch from chat_private.user_streams where user_id = %s", (me,)
        ).fetchall()
        epochs: dict[str, int] = dict(
            connection.execute(
                "select id::text, epoch from chat.rooms where id = any (%s::uuid[])", (ids,)
            ).fetchall()
        )
    return Person(me, f"user:{me}:{epoch}", [f"room:{each}:{epochs[each]}" for each in ids])


def measure_realtime(clones: Clones, admin_url: str, amounts: Amounts) -> Outcome:
    """Measure joins of people in so many rooms, and deliveries to so many members."""
    url = clones.make("realtime")
    people = {amount: make_person(url, amount) for amount in amounts.rooms}
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("vacuum analyze")
    database = conninfo_to_dict(url)["dbname"]
    superuser = make_conninfo(admin_url, dbname=database)
    in_sql, rounds = joins_in_sql(superuser, people, amounts.rounds)
    with many_files():
        through = asyncio.run(through_server(superuser, people, amounts))
    most_rooms = amounts.rooms[-1]
    charts = [
        Chart(
            "sql",
            "Authorizing a join, in Postgres alone",
            "ms of processor time",
            "rooms of the person",
            "lines",
            in_sql,
        ),
        *through.charts(),
    ]
    return Outcome(
        "realtime",
        charts,
        [
            *(
                at_most(
                    f"ms to authorize a join of {kind} in {most_rooms:,} rooms",
                    median(costs),
                    MOST_SQL_MS,
                    costs,
                )
                for kind, costs in rounds[most_rooms].items()
            ),
            *through.bars(),
        ],
        {"seconds": amounts.seconds, "sockets": SOCKETS},
    )


def joins_in_sql(
    url: str, people: dict[int, Person], rounds: int
) -> tuple[dict[str, list[tuple[float, float]]], dict[int, dict[str, list[float]]]]:
    """Authorize joins as Realtime does; return what they cost, and in each round."""
    kinds: dict[str, tuple[Callable[[Person], list[str]], list[str]]] = {
        "the user topic": (lambda person: [person.user_topic], ["broadcast"]),
        "a room topic": (lambda person: person.room_topics, ["broadcast"]),
        "a live topic": (lambda person: person.live_topics, ["broadcast", "presence"]),
    }
    found: dict[str, list[tuple[float, float]]] = {kind: [] for kind in kinds}
    by_round: dict[int, dict[str, list[float]]] = {}
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(query("probe_prepare"), prepare=False)
        for amount, person in people.items():
            candidates: dict[str, tuple[int, Callable[[], object]]] = {
                kind: (
                    connection.info.backend_pid,
                    partial(authorize, connection, person, topics(person), extensions),
                )
                for kind, (topics, extensions) in kinds.items()
            }
            turns = in_turns(candidates, rounds)
            by_round[amount] = {kind: [cost[kind] / IN_A_TURN for cost in turns] for kind in kinds}
            for kind, costs in by_round[amount].items():
                found[kind].append((amount, median(costs)))
    return found, by_round


def authorize(
    connection: psycopg.Connection[Any], person: Person, topics: list[str], extensions: list[str]
) -> None:
    """Ask sixteen times whether somebody may read a topic, and insist that they may."""
    random = Random(5)  # noqa: S311 (draws topics)
    for _ in range(IN_A_TURN):
        topic = random.choice(topics)
        ids = [uuid4() for _ in extensions]
        cursor = psycopg.ClientCursor(connection)
        cursor.execute(
            query("probe_read"),
            {
                "role": "authenticated",
                "topic": topic,
                "claims": claims_of(person.user_id),
                "sub": person.user_id,
                "headers": "{}",
                "ids": ids,
                "extensions": extensions,
                "first_id": ids[0],
                "last_id": ids[-1],
            },
        )
        for _ in range(SETS_BEFORE_ROWS):
            cursor.nextset()
        seen = cursor.fetchall()
        if len(seen) != len(extensions):
            raise RuntimeError(f"The policies refuse {topic}.")


def process_ms(pids: Iterable[int]) -> float:
    """Return the processor time of some processes with all their threads."""
    total = 0.0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += (int(fields[11]) + int(fields[12])) * TICK_MS
    return total


@dataclass(frozen=True)
class Through:
    """What was measured through the server."""

    saturated: dict[int, Joins]
    offered: dict[int, Joins]
    deliveries: dict[int, tuple[float, list[float]]]

    def charts(self) -> list[Chart]:
        """Return everything as charts."""
        rooms = "rooms of the person"
        percentiles = ("p50", "p95", "p99")
        return [
            Chart(
                "joins",
                "Joins that our Realtime answers, with nothing left of two cores",
                "joins a second",
                rooms,
                "bars",
                {"our Realtime": [(r, each.per_second) for r, each in self.saturated.items()]},
            ),
            Chart(
                "join-cost",
                "What a join costs each process",
                "ms of processor time",
                rooms,
                "bars",
                {
                    name: [(r, getattr(each, key)) for r, each in self.saturated.items()]
                    for name, key in (
                        ("our Realtime", "server_ms"),
                        ("Postgres", "postgres_ms"),
                        ("the clients that measure", "client_ms"),
                    )
                },
            ),
            Chart(
                "join-times",
                "How long a join takes, in the most rooms",
                "ms",
                "joins asked for a second",
                "lines",
                {
                    name: [
                        (rate, each.percentile(int(name[1:])))
                        for rate, each in self.offered.items()
                    ]
                    for name in percentiles
                }
                | {
                    f"{name} of the hosted service, published": [(PUBLISHED_RATE, published)]
                    for name, published in PUBLISHED.items()
                },
            ),
            Chart(
                "deliveries",
                "Deliveries of broadcasts from the database, as many as go",
                "deliveries a second",
                "members who listen",
                "lines",
                {"our Realtime": [(m, rate) for m, (rate, _) in self.deliveries.items()]},
            ),
            Chart(
                "delivery-times",
                "From the commit to the member, at five broadcasts a second",
                "ms",
                "members who listen",
                "lines",
                {
                    name: [
                        (m, quantiles(took, n=100, method="inclusive")[int(name[1:]) - 1] * 1000)
                        for m, (_, took) in self.deliveries.items()
                    ]
                    for name in percentiles
                },
            ),
        ]

    def bars(self) -> list[Verdict]:
        """Hold joins against what is promised."""
        most = max(self.saturated)
        rate = max(self.offered)
        return [
            at_least(
                f"joins a second of somebody in {most:,} rooms",
                self.saturated[most].per_second,
                LEAST_PER_SECOND,
            ),
            at_least(
                "joins a second that two cores without anything else have the processor time for",
                self.saturated[most].affordable(),
                LEAST_PER_SECOND,
            ),
            at_most(
                f"p95 of a join in ms, {rate:,} asked for a second",
                self.offered[rate].percentile(95),
                MOST_P95_MS,
            ),
        ]


async def through_server(superuser: str, people: dict[int, Person], amounts: Amounts) -> Through:
    """Measure joins and deliveries through a server."""
    async with served(superuser) as server:
        saturated: dict[int, Joins] = {}
        offered: dict[int, Joins] = {}
        with connect(superuser) as watching:
            for amount, person in people.items():
                token = make_token("authenticated", person.user_id)
                async with sockets(server, token, SOCKETS) as made:
                    saturate_for = partial(saturate, made, person.room_topics)
                    await saturate_for(1.0)  # Plans and connections are not counted.
                    before = costs(server, watching)
                    joins = await saturate_for(amounts.seconds)
                    after = costs(server, watching)
                    spent = [
                        (late - early) / len(joins.took)
                        for early, late in zip(before, after, strict=True)
                    ]
                    saturated[amount] = Joins(joins.per_second, joins.took, *spent)
            most = people[amounts.rooms[-1]]
            token = make_token("authenticated", most.user_id)
            for rate in amounts.rates:
                async with sockets(server, token, SOCKETS) as made:
                    offered[rate] = await offer(made, most.room_topics, rate, amounts.seconds)
            deliveries = {
                count: await deliver(
                    server, watching, (most.room_topics[0], token), count, amounts.messages
                )
                for count in amounts.members
            }
    return Through(saturated, offered, deliveries)


def costs(server: Served, watching: psycopg.Connection[Any]) -> tuple[float, float, float]:
    """Return the processor time so far of the server, of its connections, and of this process."""
    pids = watching.execute(
        "select pid from pg_stat_activity where application_name = 'realtime'"
    ).fetchall()
    return (
        process_ms([server.pid]),
        process_ms(pid for (pid,) in pids),
        time.process_time() * 1000,
    )
