"""Catching up: what a device that was away pulls, and what it never gets while others write.

Four ways to ask for what was missed: `pull_changes`, by the time of the newest message, and by the
id of the last message, where ids are uuids or count. Sixteen connections write as many messages as
there are to miss, two in each room. One transaction in twenty stays open for 20 ms more before it
commits, as one does that waits for the disk, a trigger or the network. Meanwhile one device asks
every 20 ms, as one that is told of every message, and once more when everybody is done. What it
does not have then it never gets. Another device was away; it asks for everything afterwards.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from random import Random
from statistics import median
from threading import Thread
from typing import Any

import psycopg

from bench.comparison import Verdict
from bench.databases import Clones, write_bodies
from bench.meter import in_turns, processor_ms
from bench.outcome import Chart, Outcome, at_most
from bench.ways import OURS, ROOMS, Catch, Ours, Way, make_ways
from parley.sync.cursor import CopyCursor
from parley.sync.steps import Answer
from parley.sync.store import Store

WRITERS = 16
HELD_OPEN = 0.05
HELD_OPEN_S = 0.02
PAUSE_S = 0.02
ROUNDS = 5
APPLIED_S = 1.5
"""Seconds in which ten thousand changes are to be pulled and applied."""


def write_all(way: Way, amount: int) -> list[Thread]:
    """Start sixteen connections that write so many messages between them."""

    def write(place: int, share: int) -> None:
        random = Random(place)  # noqa: S311 (which ones stay open, the same in every run)
        bodies = write_bodies(50)
        with psycopg.connect(way.url, autocommit=True) as connection:
            for _ in range(share):
                with connection.transaction():
                    way.write(connection, place % ROOMS, random.choice(bodies))
                    if random.random() < HELD_OPEN:
                        time.sleep(HELD_OPEN_S)

    shares = [len(range(place, amount, WRITERS)) for place in range(WRITERS)]
    threads = [Thread(target=write, args=(place, share)) for place, share in enumerate(shares)]
    for thread in threads:
        thread.start()
    return threads


def missed_meanwhile(way: Way, amount: int) -> tuple[Any, int]:
    """Let others write while a device asks; return where it began and what it never got."""
    with psycopg.connect(way.url, autocommit=True) as connection:
        began = cursor = way.start(connection)
        before, catch = ids_of(connection, way), Catch()
        writing = write_all(way, amount)
        while any(thread.is_alive() for thread in writing):
            cursor = way.ask(connection, cursor, catch)
            time.sleep(PAUSE_S)
        way.ask(connection, cursor, catch)
        return began, len(ids_of(connection, way) - before - catch.messages)


def ids_of(connection: psycopg.Connection[Any], way: Way) -> set[str]:
    """Return the ids of all messages that there are."""
    rows = connection.execute(f"select id::text from {way.table}".encode())  # noqa: S608
    return {row_id for (row_id,) in rows}


def measure_catchup(clones: Clones, amounts: tuple[int, ...]) -> Outcome:
    """Measure all ways with so many missed messages."""
    ways = make_ways(clones)
    found: dict[str, dict[str, list[tuple[float, float]]]] = {
        chart: {name: [] for name in ways} for chart in ("missed", "bytes", "trips", "time")
    }
    applied: list[float] = []
    ours = ways[OURS]
    assert isinstance(ours, Ours)  # noqa: S101 (for the type)
    for amount in amounts:
        starts = {}
        for name, way in ways.items():
            starts[name], missed = missed_meanwhile(way, amount)
            found["missed"][name].append((amount, missed))
        with ExitStack() as stack:
            asking: dict[str, tuple[int, Callable[[], object]]] = {}
            for name, way in ways.items():
                connection = stack.enter_context(psycopg.connect(way.url, autocommit=True))
                connection.execute("vacuum analyze")
                catch = Catch()
                way.ask(connection, starts[name], catch)
                found["bytes"][name].append((amount, catch.bytes / 1000))
                found["trips"][name].append((amount, catch.trips))
                asking[name] = (
                    connection.info.backend_pid,
                    lambda way=way, connection=connection, start=starts[name]: way.ask(  # type: ignore[misc]
                        connection, start, Catch()
                    ),
                )
            turns = in_turns(asking, ROUNDS)
            for name in ways:
                found["time"][name].append((amount, median(costs[name] for costs in turns)))
            applied = [pull_and_apply(ours, starts[OURS]) for _ in range(ROUNDS)]
    return Outcome(
        "catchup",
        charts_of(found),
        bars_of(found, amounts[-1], applied),
        {"rooms": ROOMS, "writers": WRITERS},
    )


def pull_and_apply(ours: Ours, start: dict[str, Any]) -> float:
    """Pull what was missed and apply it to a copy in SQLite.

    Returns the seconds of processor time that the server and this process took, one after the
    other: how long it lasts on a machine that does nothing else.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        psycopg.connect(ours.url, autocommit=True) as connection,
    ):
        store = Store(Path(folder) / "copy.db")
        store.bind("http://here", ours.rooms.me)
        for cursor, answer in ours.first:
            apply(store, cursor, answer)
        server = connection.info.backend_pid
        begun = time.process_time() + processor_ms(server) / 1000
        ours.ask(connection, start, Catch())
        for cursor, answer in ours.answers:
            apply(store, cursor, answer)
        seconds = time.process_time() + processor_ms(server) / 1000 - begun
        store.close()
    return seconds


def apply(store: Store, cursor: dict[str, Any], answer: Any) -> None:
    """Apply an answer."""
    asked = CopyCursor(cursor.get("timeline"), cursor.get("user"), cursor["rooms"])
    store.apply_answer(asked, Answer.read(answer))


def charts_of(found: dict[str, dict[str, list[tuple[float, float]]]]) -> list[Chart]:
    """Return what was found, as charts."""
    across = "missed messages"
    return [
        Chart(
            "missed",
            "Messages that a device never gets",
            "messages",
            across,
            "bars",
            found["missed"],
        ),
        Chart("trips", "Round trips to catch up", "round trips", across, "bars", found["trips"]),
        Chart(
            "bytes",
            "What a catch-up carries",
            "kB, not compressed",
            across,
            "lines",
            found["bytes"],
        ),
        Chart(
            "time",
            "What a catch-up costs the server",
            "ms of processor time, all round trips together",
            across,
            "lines",
            found["time"],
        ),
    ]


def bars_of(
    found: dict[str, dict[str, list[tuple[float, float]]]], amount: int, applied: list[float]
) -> list[Verdict]:
    """Hold what was found against what is promised."""
    return [
        at_most(
            "messages that a device never gets from pull_changes while others write",
            max(missed for _, missed in found["missed"][OURS]),
            0,
        ),
        at_most(
            f"seconds of processor time to pull and apply {amount:,} missed messages",
            median(applied),
            APPLIED_S,
            applied,
        ),
    ]
