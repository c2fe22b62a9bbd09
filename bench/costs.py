"""What the parts of a send cost, a heartbeat, and the claims of an announcement.

Sends and heartbeats are processor time of one connection. Their statements are planned at each
request, as in the local stack and behind transaction poolers. The candidates take turns, each with
a connection of its own. Those that need another schema have a copy of the database.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from statistics import median
from threading import Event, Thread
from uuid import uuid4

import psycopg

from bench.comparison import IN_A_TURN
from bench.databases import (
    Clones,
    act_as,
    add_people,
    create_room,
    new_ids,
    read_sql,
    write_bodies,
)
from bench.load import Caller, Line, Load, Parameters
from bench.meter import WARM_UP, in_turns
from bench.send import Crowd, new_client_id, of_send_message, open_rooms

ROOMS = 64
CLAIM = "select count(*) from chat.claim_pushes(500)"
SAMPLE_S = 0.001
SEND = "a send"
UNPUSHED = "a send without its row in the push outbox"
MENTIONING = "a send with a mention"
RULED = "a send with a rule of the project's own"
FILED = "a send with a file"
IDLE = "a heartbeat that writes nothing"
PROLONGED = "a heartbeat that prolongs a lease"
TELLING = "a heartbeat that also tells the other people of direct rooms"
STATEMENT = "select * from chat.send_message(room_id => $1, body => $2, client_id => $3"
HEARTBEAT = "select * from chat.heartbeat(device_id => 'laptop')"


@dataclass(frozen=True)
class Figure:
    """Something that was measured, in its unit."""

    what: str
    measured: float
    unit: str


def measure_costs(clones: Clones, size: int, runs: int) -> list[Figure]:
    """Measure sends and heartbeats in ``runs`` turns, and an announcement to ``size`` people."""
    return [*measure_turns(clones, runs), *measure_announcement(clones, size)]


def measure_turns(clones: Clones, runs: int) -> list[Figure]:
    """Measure sends and heartbeats in turns of sixteen, and each of them against a plain send."""
    turns = prepare_turns(clones, runs)
    callers = {name: Caller(load, load.lines[0]) for name, (load, _) in turns.items()}
    try:
        rounds = in_turns(
            {
                name: (caller.connection.backend_pid, partial(take_turn, caller, turns[name][1]))
                for name, caller in callers.items()
            },
            runs,
        )
    finally:
        for caller in callers.values():
            caller.connection.finish()
    figures = []
    for name in turns:
        cost = median(costs[name] for costs in rounds) / IN_A_TURN
        figures.append(Figure(name, 1000 * cost, "µs"))
        if name != SEND:
            ratio = median(costs[name] / costs[SEND] for costs in rounds)
            figures.append(Figure(f"{name}, to a send", ratio, "times"))
    return figures


def take_turn(caller: Caller, before: Callable[[], object] | None) -> None:
    """Call sixteen times; what has to happen before is done on another connection."""
    if before is not None:
        before()
    caller.repeat(IN_A_TURN)


def prepare_turns(clones: Clones, runs: int) -> dict[str, tuple[Load, Callable[[], object] | None]]:
    """Return the load of each candidate, and what has to happen before a turn of it."""
    crowd = Crowd.make(ROOMS)
    url = clones.make("costs")
    rooms, _, _ = open_rooms(url, crowd)
    lines = crowd.spread(rooms, write_bodies(500))
    others = {room: other for room, (_, other) in zip(rooms, crowd.pairs, strict=True)}
    files = upload(url, lines, (runs + WARM_UP) * IN_A_TURN // len(lines) + 1)

    def send(end: str = "", parameters: Parameters = of_send_message, schema: str = "") -> Load:
        where = changed_copy(clones, url, schema) if schema else url
        return Load("a send", where, f"{STATEMENT}{end})", parameters, lines)

    def beat(prolonged: str, told: str) -> tuple[Load, Callable[[], object]]:
        load = Load("a heartbeat", url, HEARTBEAT, of_nothing, lines)
        return load, partial(age_leases, url, prolonged, told)

    return {
        SEND: (send(), None),
        UNPUSHED: (send(schema="unpushed"), None),
        MENTIONING: (send(", mentions => array[$4]::uuid[]", partial(of_mention, others)), None),
        RULED: (send(schema="rule"), None),
        FILED: (send(", attachments => $4", partial(of_file, files)), None),
        IDLE: beat("0 s", "0 s"),
        PROLONGED: beat("31 s", "0 s"),
        TELLING: beat("31 s", "31 s"),
    }


def changed_copy(clones: Clones, url: str, schema: str) -> str:
    """Copy a database and change its schema; return the URL of the copy."""
    copy = clones.copy(url, schema)
    with psycopg.connect(copy, autocommit=True) as connection:
        connection.execute(read_sql(f"sql/{schema}.sql"))
    return copy


def of_nothing(_line: Line, _random: Random) -> list[str]:
    """Return no parameters."""
    return []


def of_mention(others: dict[str, str], line: Line, random: Random) -> list[str]:
    """Return those of a send, and the other person of the room."""
    values = of_send_message(line, random)
    return [*values, others[values[0]]]


def of_file(files: dict[str, list[str]], line: Line, random: Random) -> list[str]:
    """Return those of a send, and the next file of the sender."""
    path = files[line.user_id].pop()
    return [
        path.split("/")[0],
        random.choice(line.bodies),
        new_client_id(random),
        json.dumps([{"path": path, "name": "x.png", "width": 640, "height": 480}]),
    ]


def upload(url: str, lines: tuple[Line, ...], count: int) -> dict[str, list[str]]:
    """Upload files for everybody who sends, to their first room; return the paths by sender."""
    files = {
        line.user_id: [f"{line.rooms[0]}/{uuid4()}/x.png" for _ in range(count)] for line in lines
    }
    with psycopg.connect(url) as connection:
        connection.execute(
            read_sql("sql/files.sql"),
            {
                "paths": [path for paths in files.values() for path in paths],
                "user_ids": [user for user, paths in files.items() for _ in paths],
            },
        )
    return files


def age_leases(url: str, prolonged: str, told: str) -> None:
    """Let everybody have beaten, and have told others of it, so long ago."""
    with psycopg.connect(url) as connection:
        connection.execute(read_sql("sql/age_leases.sql"), {"prolonged": prolonged, "told": told})


def measure_announcement(clones: Clones, size: int) -> list[Figure]:
    """Announce something to a room of ``size`` people with a phone each, and claim the pushes."""
    me, *others = new_ids(size + 1)
    url = clones.make("announcement")
    with psycopg.connect(url, autocommit=True) as connection:
        add_people(connection, [me, *others])
        room_id = create_room(connection, [me])
        connection.execute(read_sql("sql/crowd.sql"), {"user_ids": others, "room_id": room_id})
        connection.execute("vacuum analyze")
        with connection.transaction():
            act_as(connection, me)
            connection.execute(
                "select chat.send_message(%s, 'Hello everybody', gen_random_uuid())", (room_id,)
            )
    with psycopg.connect(url, autocommit=True) as connection:
        with connection.transaction(force_rollback=True):
            connection.execute(CLAIM)  # Plans and caches are not counted.
        with watched_memory(connection.info.backend_pid) as peak_mb:
            begun, claimed = time.perf_counter(), 0
            while taken := (connection.execute(CLAIM).fetchone() or (0,))[0]:
                claimed += taken
            seconds = time.perf_counter() - begun
    return [
        Figure(f"an announcement to {size:,} people, claimed", claimed / seconds, "recipients/s"),
        Figure("the most that the claims held at once", peak_mb(), "MB"),
    ]


def private_mb(backend_pid: int) -> float:
    """Return the memory of a server process of its own, without shared buffers."""
    lines = Path(f"/proc/{backend_pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("RssAnon")).split()[1]) / 1024


@contextmanager
def watched_memory(backend_pid: int) -> Iterator[Callable[[], float]]:
    """Give a function that tells, when it is over, how much a process held more than before."""
    before = private_mb(backend_pid)
    seen = [before]
    is_over = Event()

    def watch() -> None:
        while not is_over.wait(SAMPLE_S):
            seen.append(private_mb(backend_pid))

    watching = Thread(target=watch)
    watching.start()
    try:
        yield lambda: max(seen) - before
    finally:
        is_over.set()
        watching.join()
