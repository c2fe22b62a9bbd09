"""What reads cost as a database grows: one person in a thousand rooms, with more and more messages.

Half of the messages are in the largest room, the others are spread over the rest. The largest
database is there once more with partitioned tables. Everything is the processor time of one
connection, in turns between the databases, with the statement planned each time.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from random import Random
from statistics import median
from typing import Any

import psycopg
from psycopg import sql

from bench.databases import (
    Clones,
    act_as,
    add_people,
    connect,
    new_ids,
    open_direct_rooms,
    read_sql,
    store_words,
    write_bodies,
    write_history,
)
from bench.meter import in_turns
from bench.outcome import Chart, Outcome, at_most
from bench.partitioned import partition

FEWEST = 10_000
PARTITIONED = "partitioned"
IN_A_TURN = 4
BEHIND = 100
MOST = 1.3
"""What a read may cost with the most messages, beside the fewest."""

INBOX = "inbox, a page of 50 rooms"
NEWEST = "newest page of the largest room"
MIDDLE = "page in the middle of the largest room"
UNREAD = "unread count of the largest room"
RECEIPTS = "receipts of a message"
PULL = f"pull of {BEHIND} missed numbers"
COMMON = "search for a common word"
ABSENT = "search for an absent word"
FLAT = (INBOX, NEWEST, MIDDLE, UNREAD, RECEIPTS, PULL)

Read = Callable[[], tuple[str, list[Any]]]


def sizes_up_to(size: int) -> list[int]:
    """Return ten thousand, a hundred thousand and so on, up to a size."""
    sizes = [FEWEST]
    while sizes[-1] * 10 <= size:
        sizes.append(sizes[-1] * 10)
    return sizes if sizes[-1] == size else [*sizes, size]


def measure_curve(clones: Clones, size: int, rooms: int, rounds: int) -> Outcome:
    """Measure all reads of a person in so many rooms, with up to ``size`` messages."""
    me, *others = new_ids(rooms + 1)
    empty = clones.make("curve")
    with psycopg.connect(empty, autocommit=True) as connection:
        add_people(connection, [me, *others])
        ids = open_direct_rooms(connection, [(me, other) for other in others])
    sizes = sizes_up_to(size)
    urls = {str(each): clones.copy(empty, "curve") for each in sizes}
    urls[PARTITIONED] = clones.copy(empty, "curve")
    partition(urls[PARTITIONED])
    plan_once(urls[PARTITIONED])
    reads: dict[str, dict[str, Read]] = {}
    for database, url in urls.items():
        with psycopg.connect(url, autocommit=True) as connection:
            fill(connection, me, others, ids, size if database == PARTITIONED else int(database))
            reads[database] = reads_of(connection, me, ids[0])
    found: dict[str, dict[str, list[float]]] = {}
    with ExitStack() as stack:
        connections = {each: stack.enter_context(connect(url)) for each, url in urls.items()}
        for name in reads[PARTITIONED]:
            turns = in_turns(
                {
                    each: (
                        connection.info.backend_pid,
                        partial(perform, connection, me, reads[each][name]),
                    )
                    for each, connection in connections.items()
                },
                rounds,
            )
            found[name] = {each: [costs[each] / IN_A_TURN for costs in turns] for each in urls}
    series = {
        name: [(float(each), median(costs[str(each)])) for each in sizes]
        for name, costs in found.items()
    }
    ratios = {
        name: [
            many / few
            for few, many in zip(found[name][str(FEWEST)], found[name][str(size)], strict=True)
        ]
        for name in FLAT
    }
    chart = partial(Chart, unit="ms of processor time", across="messages", kind="lines")
    return Outcome(
        "curve",
        [
            chart(
                "reads",
                "Reads as a database grows",
                series={name: series[name] for name in FLAT},
            ),
            chart(
                "search",
                "Searching one's own messages as they grow",
                series={name: series[name] for name in (COMMON, ABSENT)},
            ),
            Chart(
                PARTITIONED,
                f"Plain and partitioned tables, {size:,} messages",
                "ms of processor time",
                "",
                "bars",
                {
                    label: [(name, median(costs[each])) for name, costs in found.items()]
                    for label, each in (("plain", str(size)), (PARTITIONED, PARTITIONED))
                },
            ),
        ],
        [
            at_most(
                f"{name}: {sizes[-1]:,} messages against {sizes[0]:,}",
                median(by_round),
                MOST,
                by_round,
            )
            for name, by_round in ratios.items()
        ],
        {"size": size, "rooms": rooms, "rounds": rounds},
    )


def plan_once(url: str) -> None:
    """Let functions keep their plans, as docs/scale.md says to do where tables are partitioned."""
    with psycopg.connect(url, autocommit=True) as connection:
        name = sql.Identifier(connection.info.dbname)
        connection.execute(
            sql.SQL("alter database {} set plan_cache_mode = force_generic_plan").format(name)
        )


def fill(
    connection: psycopg.Connection[Any], me: str, others: list[str], rooms: list[str], size: int
) -> None:
    """Write so many messages, their receipts, and the words that search keeps of them."""
    write_history(connection, me, others, rooms, total=size, share=2)
    connection.execute(read_sql("sql/history_receipts.sql"), {"mine": me})
    store_words(connection, rooms)


def reads_of(connection: psycopg.Connection[Any], me: str, largest: str) -> dict[str, Read]:
    """Return a maker of the next statement and its values, for every read."""
    with connection.transaction():
        act_as(connection, me)
        ((heads,),) = connection.execute("select chat.list_heads()").fetchall()
    ((last,),) = connection.execute(
        "select last_seq from chat.rooms where id = %s", (largest,)
    ).fetchall()
    revs = {room["room_id"]: room["rev"] for room in heads["rooms"]}
    known = {"timeline": heads["timeline"], "user": heads["user"]["rev"]}
    counted = known | {"rooms": {largest: revs[largest]}, "first": {largest: last}}
    behind = known | {"rooms": revs | {largest: revs[largest] - BEHIND}}
    random = Random(7)  # noqa: S311 (the same places in every run)
    common = write_bodies(1)[0].split()[0]

    def place() -> int:
        return random.randint(52, last)

    pull, search = "select chat.pull_changes(%s)", "select * from chat.search_messages(%s)"
    return {
        INBOX: lambda: ("select * from chat.list_rooms()", []),
        NEWEST: lambda: ("select * from chat.list_messages(room_id => %s)", [largest]),
        MIDDLE: lambda: (
            "select * from chat.list_messages(room_id => %s, before => %s)",
            [largest, place()],
        ),
        UNREAD: lambda: (pull, [json.dumps(counted)]),
        RECEIPTS: lambda: ("select * from chat.list_receipts(%s, %s)", [largest, place()]),
        PULL: lambda: (pull, [json.dumps(behind)]),
        COMMON: lambda: (search, [f"{common} "]),
        ABSENT: lambda: (search, ["qqabsent "]),
    }


def perform(connection: psycopg.Connection[Any], me: str, read: Read) -> None:
    """Read some times as API requests do."""
    for _ in range(IN_A_TURN):
        statement, values = read()
        with connection.transaction():
            act_as(connection, me)
            connection.execute(statement.encode(), values).fetchall()
