"""Minutes of traffic over sockets that come and go: nothing lost, nothing twice, memory flat.

Each topic has two streams of numbers: one from the database, one from a socket. Whoever joins
notes what has not been sent yet, and whoever leaves waits for what had been sent by then; between
the two it must hear every number once and in order.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import psycopg
import pytest

from tests.e2e.realtime_server import ServerProcess
from tests.e2e.realtime_stack import KEY, Server, run_sql
from tests.until import until

pytestmark = pytest.mark.lasts(60)

TOPICS = [f"topic-{number}" for number in range(40)]
SOCKETS = 200
FROM_DATABASE, FROM_SOCKETS = "database", "socket"
WRITERS = {FROM_DATABASE: 3, FROM_SOCKETS: 2}
EACH_A_SECOND = 100
STAY_S = (1.0, 8.0)
CATCH_UP_S = 20.0
SEND = "select realtime.send(jsonb_build_object('n', %s::int), 'database', %s, false)"
BREAK = "select pg_terminate_backend(active_pid) from pg_replication_slots where active"
BREAK_EVERY_S = 15.0
GROWTH_BYTES = 16_000_000

Send = Callable[[str, int], Awaitable[None]]


class Streams:
    """How far each topic's two streams have come: numbers begun, and numbers surely sent."""

    def __init__(self) -> None:
        self.begun: Counter[tuple[str, str]] = Counter()
        self.sent: Counter[tuple[str, str]] = Counter()

    async def run(self, source: str, writer: int, send: Send, ends_at: float) -> None:
        """Send numbers on this writer's topics at a steady pace."""
        own = itertools.cycle(TOPICS[writer :: WRITERS[source]])
        started = time.monotonic()
        for turn in itertools.count():
            due = started + turn / EACH_A_SECOND
            if due > ends_at:
                return
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            topic = next(own)
            number = self.begun[source, topic]
            self.begun[source, topic] += 1
            await send(topic, number)
            self.sent[source, topic] = number + 1


class Guest:
    """One socket that comes and goes, and what it found wrong."""

    def __init__(self, url: str, session: aiohttp.ClientSession, streams: Streams) -> None:
        self._url = url
        self._session = session
        self._streams = streams
        self.visits = 0
        self.heard = 0
        self.complaints: list[str] = []

    async def keep_visiting(self, ends_at: float, rng: random.Random) -> None:
        """Visit a topic after another."""
        while time.monotonic() < ends_at:
            topic = rng.choice(TOPICS)
            await self._visit(topic, rng.uniform(*STAY_S), tracks=rng.random() < 0.2)
            self.visits += 1

    async def _visit(self, topic: str, stay_s: float, *, tracks: bool) -> None:
        async with self._session.ws_connect(self._url) as ws:
            wire = f"realtime:{topic}"
            config = {"presence": {"enabled": tracks}}
            await ws.send_str(json.dumps(["1", "1", wire, "phx_join", {"config": config}]))
            answer = json.loads((await ws.receive(timeout=CATCH_UP_S)).data)
            if answer[4]["status"] != "ok":
                self.complaints.append(f"{topic}: {answer}")
                return
            due = {source: self._streams.begun[source, topic] for source in WRITERS}
            heard: dict[str, list[int]] = {source: [] for source in WRITERS}
            listening = asyncio.create_task(self._listen(ws, heard))
            if tracks:
                payload = {"event": "track", "payload": {"at": time.time()}}
                await ws.send_str(json.dumps(["1", "2", wire, "presence", payload]))
            await asyncio.sleep(stay_s)
            wanted = {source: self._streams.sent[source, topic] for source in WRITERS}
            if not await self._catches_up(heard, due, wanted):
                self.complaints.append(f"{topic}: {wanted} were sent, heard {_ends(heard)}")
            await ws.close()
            await listening
        self._check(topic, heard, due)

    async def _listen(
        self, ws: aiohttp.ClientWebSocketResponse, heard: dict[str, list[int]]
    ) -> None:
        async for message in ws:
            source, number = read(message.data)
            if source in heard:
                heard[source].append(number)

    async def _catches_up(
        self, heard: dict[str, list[int]], due: dict[str, int], wanted: dict[str, int]
    ) -> bool:
        def has_heard(source: str) -> bool:
            return wanted[source] <= due[source] or heard[source][-1:] >= [wanted[source] - 1]

        try:
            await until(lambda: all(map(has_heard, WRITERS)), CATCH_UP_S)
        except TimeoutError:
            return False
        return True

    def _check(self, topic: str, heard: dict[str, list[int]], due: dict[str, int]) -> None:
        for source, numbers in heard.items():
            self.heard += len(numbers)
            if not numbers:
                continue
            if numbers[0] > due[source]:
                self.complaints.append(f"{topic} {source}: {due[source]} was not heard")
            if numbers != list(range(numbers[0], numbers[-1] + 1)):
                self.complaints.append(f"{topic} {source}: a gap or a repetition in {numbers}")


def read(data: Any) -> tuple[str, int]:
    """The stream and the number of a frame; others have no stream."""
    if isinstance(data, bytes):
        return FROM_DATABASE, int(json.loads(data[data.index(b"}{") + 1 :])["n"])
    _, _, _, event, payload = json.loads(data)
    if event != "broadcast":
        return event, 0
    return FROM_SOCKETS, int(payload["payload"]["n"])


def _ends(heard: dict[str, list[int]]) -> dict[str, list[int]]:
    return {source: numbers[:1] + numbers[-1:] for source, numbers in heard.items()}


async def open_database(url: str) -> tuple[psycopg.AsyncConnection, Send]:
    """A connection that sends as the developer's role does."""
    connection = await psycopg.AsyncConnection.connect(url, autocommit=True)

    async def send(topic: str, number: int) -> None:
        await connection.execute(SEND, (number, topic))

    return connection, send


async def open_socket(
    url: str, session: aiohttp.ClientSession
) -> tuple[aiohttp.ClientWebSocketResponse, Send]:
    """A socket on every topic that sends with acknowledgements."""
    ws = await session.ws_connect(url)
    for topic in TOPICS:
        config = {"broadcast": {"ack": True}}
        join = ["1", "1", f"realtime:{topic}", "phx_join", {"config": config}]
        await ws.send_str(json.dumps(join))
        await ws.receive()

    async def send(topic: str, number: int) -> None:
        payload = {"type": "broadcast", "event": "socket", "payload": {"n": number}}
        frame = ["1", f"{topic} {number}", f"realtime:{topic}", "broadcast", payload]
        await ws.send_str(json.dumps(frame))
        while True:
            answer = (await ws.receive(timeout=CATCH_UP_S)).data
            if isinstance(answer, str) and json.loads(answer)[1] == frame[1]:
                return

    return ws, send


async def break_now_and_then(postgres: Server, ends_at: float) -> int:
    """Cut the server's connection to the WAL; returns how often."""
    for count in itertools.count():
        if time.monotonic() + BREAK_EVERY_S > ends_at:
            return count
        await asyncio.sleep(BREAK_EVERY_S)
        await run_sql(postgres.url, BREAK)
    raise AssertionError


async def test_a_soak_loses_nothing_repeats_nothing_and_keeps_its_memory(
    soaked: tuple[Server, ServerProcess], soak_s: float
) -> None:
    postgres, realtime = soaked
    url = f"{realtime.url}/realtime/v1/websocket?apikey={KEY}&vsn=2.0.0"
    streams = Streams()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        guests = [Guest(url, session, streams) for _ in range(SOCKETS)]
        connections = [
            await open_database(postgres.developer_url) for _ in range(WRITERS[FROM_DATABASE])
        ]
        senders = [await open_socket(url, session) for _ in range(WRITERS[FROM_SOCKETS])]
        ends_at = time.monotonic() + soak_s
        running = [
            *(
                asyncio.create_task(streams.run(FROM_DATABASE, writer, send, ends_at))
                for writer, (_, send) in enumerate(connections)
            ),
            *(
                asyncio.create_task(streams.run(FROM_SOCKETS, writer, send, ends_at))
                for writer, (_, send) in enumerate(senders)
            ),
            *(
                asyncio.create_task(guest.keep_visiting(ends_at, random.Random(number)))
                for number, guest in enumerate(guests)
            ),
        ]
        breaking = asyncio.create_task(break_now_and_then(postgres, ends_at))
        await asyncio.sleep(soak_s / 4)
        early = await realtime.resident_bytes()
        await asyncio.gather(*running)
        late = await realtime.resident_bytes()
        broken = await breaking
        for connection, _ in connections:
            await connection.close()
        for ws, _ in senders:
            await ws.close()
    complaints = [each for guest in guests for each in guest.complaints]
    assert complaints == []
    assert min(guest.visits for guest in guests) > 0
    assert sum(guest.heard for guest in guests) > 0
    assert broken > 0
    assert sum(streams.sent.values()) > 0.9 * 500 * soak_s
    assert late - early < GROWTH_BYTES
