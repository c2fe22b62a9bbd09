"""Clients of a Realtime server, which join and leave, and hear what is broadcast."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from statistics import quantiles
from typing import Any

import aiohttp
import psycopg

from bench.realtime_server import KEY, Served

JOINED = "ok"
SAID = "bench"


class Socket:
    """A client's socket, which joins, leaves and hears."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse, token: str) -> None:
        self.ws = ws
        self.token = token
        self.ref = 0

    async def join(self, topic: str) -> float:
        """Join a topic; return the seconds until the answer."""
        self.ref += 1
        payload = {"config": {"private": True}, "access_token": self.token}
        frame = [str(self.ref), str(self.ref), f"realtime:{topic}", "phx_join", payload]
        begun = time.perf_counter()
        await self.ws.send_str(json.dumps(frame))
        await self.answered()
        return time.perf_counter() - begun

    async def leave(self, topic: str) -> None:
        """Leave it."""
        join_ref, self.ref = str(self.ref), self.ref + 1
        frame = [join_ref, str(self.ref), f"realtime:{topic}", "phx_leave", {}]
        await self.ws.send_str(json.dumps(frame))
        await self.answered()

    async def answered(self) -> None:
        """Wait for the answer to the last frame."""
        while True:
            message = await self.ws.receive(timeout=60)
            if message.type is not aiohttp.WSMsgType.TEXT:
                raise RuntimeError(f"The server closed a socket: {message.data}")
            _, ref, _, event, payload = json.loads(message.data)
            if event == "phx_reply" and ref == str(self.ref):
                if payload["status"] != JOINED:
                    raise RuntimeError(f"The server refused: {payload}")
                return


@asynccontextmanager
async def sockets(server: Served, token: str, count: int) -> AsyncIterator[list[Socket]]:
    """Open so many sockets."""
    url = f"{server.url}/realtime/v1/websocket?apikey={KEY}&vsn=2.0.0"
    at_once = asyncio.Semaphore(50)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def open_one() -> Socket:
            async with at_once:
                return Socket(await session.ws_connect(url, autoping=True), token)

        made = await asyncio.gather(*(open_one() for _ in range(count)))
        try:
            yield list(made)
        finally:
            await asyncio.gather(*(each.ws.close() for each in made))


@dataclass(frozen=True)
class Joins:
    """What joins took: so many a second, their times in seconds, and processor time of each."""

    per_second: float
    took: list[float]
    server_ms: float = 0.0
    postgres_ms: float = 0.0
    client_ms: float = 0.0

    def affordable(self) -> float:
        """Return the joins a second of two cores, of which the server can use one."""
        return min(1000 / self.server_ms, 2000 / (self.server_ms + self.postgres_ms))

    def percentile(self, percent: int) -> float:
        """Return a percentile of the times, in milliseconds."""
        return quantiles(self.took, n=100, method="inclusive")[percent - 1] * 1000


async def saturate(made: list[Socket], topics: list[str], seconds: float) -> Joins:
    """Let every socket join and leave, again and again."""
    took: list[float] = []
    begun = time.perf_counter()

    async def repeat(socket: Socket, random: Random) -> None:
        while time.perf_counter() - begun < seconds:
            topic = random.choice(topics)
            took.append(await socket.join(topic))
            await socket.leave(topic)

    await asyncio.gather(
        *(repeat(socket, Random(place)) for place, socket in enumerate(made))  # noqa: S311
    )
    return Joins(len(took) / (time.perf_counter() - begun), took)


async def offer(made: list[Socket], topics: list[str], rate: int, seconds: float) -> Joins:
    """Ask for so many joins a second, whether or not the last ones were answered.

    A join that finds no free socket waits for one, and its waiting counts.
    """
    free: asyncio.Queue[Socket] = asyncio.Queue()
    for socket in made:
        free.put_nowait(socket)
    took: list[float] = []
    random = Random(rate)  # noqa: S311 (draws topics)
    begun = time.perf_counter()

    async def once(due: float) -> None:
        socket, topic = await free.get(), random.choice(topics)
        await socket.join(topic)
        took.append(time.perf_counter() - due)
        await socket.leave(topic)
        free.put_nowait(socket)

    asked = []
    for number in range(int(rate * seconds)):
        due = begun + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        asked.append(asyncio.create_task(once(due)))
    await asyncio.gather(*asked)
    return Joins(len(took) / (time.perf_counter() - begun), took)


async def deliver(
    server: Served,
    sender: psycopg.Connection[Any],
    channel: tuple[str, str],
    members: int,
    messages: int,
) -> tuple[float, list[float]]:
    """Broadcast from the database to so many sockets on a channel: a topic and a token for it.

    Returns the deliveries a second when broadcasts are committed as fast as they go, and how long
    each takes when five are committed in a second.
    """
    topic, token = channel
    send = "select realtime.send(jsonb_build_object('at', %s::float8), %s, %s, true)"
    at_once = asyncio.Semaphore(50)
    async with sockets(server, token, members) as made:

        async def enter(socket: Socket) -> None:
            async with at_once:
                await socket.join(topic)

        async def hear(socket: Socket, count: int) -> list[float]:
            delays: list[float] = []
            while len(delays) < count:
                message = await socket.ws.receive(timeout=60)
                if message.type is aiohttp.WSMsgType.BINARY:
                    sent_at = json.loads(message.data[message.data.index(b"}{") + 1 :])["at"]
                    delays.append(time.monotonic() - sent_at)
            return delays

        async def broadcast(count: int, pause: float) -> tuple[float, list[float]]:
            hearing = [asyncio.create_task(hear(socket, count)) for socket in made]
            await asyncio.sleep(0)
            begun = time.monotonic()
            for _ in range(count):
                await asyncio.to_thread(sender.execute, send, (time.monotonic(), SAID, topic))
                await asyncio.sleep(pause)
            heard = [delay for delays in await asyncio.gather(*hearing) for delay in delays]
            return len(heard) / (time.monotonic() - begun), heard

        await asyncio.gather(*(enter(socket) for socket in made))
        per_second, _ = await broadcast(messages, 0.0)
        _, took = await broadcast(max(5, messages // 4), 0.2)
    return per_second, took
