"""A Realtime server for its own suites: an embedded Postgres and nothing else of the stack."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, LiteralString

import aiohttp
import jwt
import psycopg
import pytest_asyncio
from aiohttp import web
from realtime.message import ServerMessageAdapter

from parley.realtime import PROFILES, Profile, Realtime, RealtimeSettings
from parley.realtime.socket import websocket as realtime_socket
from parley.stack.lock import hold_parts_lock
from parley.stack.part import Process
from parley.stack.postgres import Postgres
from parley.stack.state import State
from tests.until import until

SECRET = "super-secret-jwt-token-with-at-least-32-characters-long"
KEY = "sb_publishable_of_the_tests"
numbers = itertools.count()
HERE = Path(__file__).parent


def make_token(role: str = "authenticated", *, lasts_s: float = 3600, **claims: Any) -> str:
    """Sign a token that is good for ``lasts_s`` seconds."""
    return jwt.encode({"role": role, "exp": int(time.time() + lasts_s), **claims}, SECRET)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """An embedded Postgres with the platform's objects; it can be stopped and started again."""

    def __init__(self, home: Path, lock: int) -> None:
        self._state = State.fresh(home)
        self._state.db_port = free_port()
        self._postgres = Postgres(self._state)
        self._lock = lock
        self._process: Process | None = None

    @property
    def url(self) -> str:
        """The superuser's URL."""
        return self._state.admin_db_url

    @property
    def developer_url(self) -> str:
        """The URL of `postgres`, who is not a superuser."""
        return self._state.db_url

    async def create(self) -> None:
        """Make the cluster and start it."""
        self._postgres.create()
        await self.start()
        await self._postgres.install_platform()

    async def start(self) -> None:
        """Start it."""
        self._process = await self._postgres.begin(self._lock)

    async def stop(self) -> None:
        """Stop it, with every connection it has."""
        if self._process is not None:
            await self._process.stop()
            self._process = None

    async def remove(self) -> None:
        """Stop it and delete its files."""
        await self.stop()
        self._postgres.remove()


@asynccontextmanager
async def running_server() -> AsyncIterator[Server]:
    """A Postgres of one's own for a while."""
    with tempfile.TemporaryDirectory(prefix="parley-realtime-") as folder:
        async with hold_parts_lock(Path(folder)) as lock:
            server = Server(Path(folder), lock)
            try:
                await server.create()
                yield server
            finally:
                await server.remove()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres() -> AsyncIterator[Server]:
    """One Postgres for all suites of Realtime."""
    async with running_server() as server:
        yield server


async def run_sql(url: str, statement: LiteralString, *parameters: Any) -> list[Any]:
    """Run one statement; returns its rows."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        cursor = await connection.execute(statement, parameters or None)
        return await cursor.fetchall() if cursor.description else []


@dataclass
class Tap:
    """Every frame that a server wrote, by version; each text frame is parsed as Python would."""

    frames: list[str | bytes] = field(default_factory=list)

    def take(self, version: str, frame: bytes) -> None:
        """Remember a frame; a client of version 1 must be able to read it."""
        data = unframed(frame)
        if version == "1.0.0":
            ServerMessageAdapter.validate_json(data)
        else:
            self.frames.append(data)


def unframed(frame: bytes) -> str | bytes:
    """The payload of a server's WebSocket frame."""
    body = frame[{126: 4, 127: 10}.get(frame[1], 2) :]
    return body.decode() if frame[0] == 0x81 else body


class Host:
    """A Realtime server on a free port of this process."""

    def __init__(self, realtime: Realtime, port: int, runner: web.AppRunner, tap: Tap) -> None:
        self.realtime = realtime
        self.port = port
        self.tap = tap
        self.runner = runner
        self.url = f"http://127.0.0.1:{port}"

    async def metrics(self) -> dict[str, float]:
        """The server's metrics, by name and labels."""
        async with aiohttp.request("GET", f"{self.url}/realtime/v1/metrics") as answer:
            text = await answer.text()
        pairs = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}


@asynccontextmanager
async def hosted(
    url: str, profile: Profile = PROFILES["plain"], *, is_ready: bool = True
) -> AsyncIterator[Host]:
    """Serve a database for a while. What it writes is checked with the clients' own parsers."""
    settings = RealtimeSettings(
        database_url=url,
        jwt_secret=SECRET,
        api_keys={KEY: make_token("anon", lasts_s=10**8)},
        profile=profile,
        slot=f"of_tests_{next(numbers)}",
    )
    realtime, app, tap = Realtime(settings), web.Application(), Tap()
    realtime.add_routes(app)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    write = realtime_socket.Socket.write

    def tapped(self: realtime_socket.Socket, frame: bytes) -> None:
        tap.take(self.serializer.version, frame)
        write(self, frame)

    realtime_socket.Socket.write = tapped  # type: ignore[method-assign]
    try:
        await site.start()
        await realtime.start()
        port = int(runner.addresses[0][1])
        if is_ready:
            await until(lambda: realtime.ready)
        yield Host(realtime, port, runner, tap)
    finally:
        await realtime.stop()
        await runner.cleanup()
        realtime_socket.Socket.write = write  # type: ignore[method-assign]
    await check_with_javascript(tap.frames)


async def check_with_javascript(frames: Sequence[str | bytes]) -> None:
    """Read frames of version 2 with realtime-js' own serializer; fails at the first it cannot."""
    lines = [each if isinstance(each, str) else "binary:" + each.hex() for each in frames]
    node = await asyncio.create_subprocess_exec(
        "node",
        str(HERE / "realtime_parse.mjs"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complaint = await node.communicate("\n".join(lines).encode())
    assert node.returncode == 0, complaint.decode()
    assert int(said) == len(lines)


class Raw:
    """A WebSocket client that sends what it is told to."""

    def __init__(self, session: aiohttp.ClientSession, ws: aiohttp.ClientWebSocketResponse) -> None:
        self._session = session
        self.ws = ws

    @classmethod
    async def connect(
        cls,
        host: Host,
        *,
        vsn: str = "2.0.0",
        key: str = KEY,
        path: str = "/realtime/v1/websocket",
        **options: Any,
    ) -> Raw:
        """Connect; raises aiohttp's errors when the handshake is refused."""
        session = aiohttp.ClientSession()
        try:
            ws = await session.ws_connect(
                f"{host.url}{path}", params={"apikey": key, "vsn": vsn}, max_msg_size=0, **options
            )
        except BaseException:
            await session.close()
            raise
        return cls(session, ws)

    async def push(self, *fields: Any) -> None:
        """Send a frame of version 2."""
        await self.ws.send_str(json.dumps(fields))

    async def join(self, topic: str = "realtime:room", **config: Any) -> list[Any]:
        """Join and return the answer; ``access_token`` goes beside the config."""
        payload: dict[str, Any] = {"config": config}
        if "access_token" in config:
            payload["access_token"] = config.pop("access_token")
        await self.push("1", "1", topic, "phx_join", payload)
        answer: list[Any] = await self.receive()
        return answer

    async def receive(self, within_s: float = 10.0) -> Any:
        """The next frame: a list, or bytes; or the close code."""
        message = await self.ws.receive(timeout=within_s)
        if message.type is aiohttp.WSMsgType.TEXT:
            return json.loads(message.data)
        if message.type is aiohttp.WSMsgType.BINARY:
            return message.data
        return self.ws.close_code

    async def close(self) -> None:
        """Close it."""
        await self.ws.close()
        await self._session.close()
