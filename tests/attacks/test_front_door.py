"""What can be reached through the front door, and how long it stays open for everybody else.

Most of it is asked on plain sockets, because clients tidy a path up before they send it.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import time
import tomllib
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import uuid4

import aiohttp
import psycopg
import pytest
from yarl import URL

from parley.stack import Status
from tests.e2e.chat_people import sign_up

PATIENCE_S = 10.0
HIDDEN = ["/_system/config", "/_system/info", "/_system/introspect", "/_system/ping", "/static/x"]
WAYS = [
    *("{}", "/rest/v1/../..{}", "/rest/v1/%2e%2e/%2e%2e{}", "/auth/v1/.%2E/%2e.{}"),
    *("/storage/v1/object/a/../../../..{}", "/storage/v1/object/a/%2e%2e/%2e%2e/%2e%2e/%2e%2e{}"),
    *("/rest/v1/%252e%252e/%252e%252e{}", "/rest/v1/..%2f..%2f{}", "/rest/v1%2f..%2f..{}"),
    *("/rest/v1/..\\..{}", "/rest/v1/..%5c..%5c{}", "/rest/v1/..;/..;{}", "/rest/v1//..//..{}"),
    *("/rest/v1/%c0%ae%c0%ae/%c0%ae%c0%ae{}", "/rest/v1/%00/../..{}", "//rest/v1/..{}"),
    *("/REST/v1/../..{}", "http://x{}", "http://x/rest/v1/../..{}", "/realtime/v1/../..{}"),
    *("/functions/v1/../..{}", "/rest/v1/?/../..{}", "/socket/../{}", "/health/..{}"),
]


class Knocker:
    """Plain sockets to one port."""

    def __init__(self, port: int) -> None:
        self.port = port

    def connect(self) -> socket.socket:
        """A connection that says nothing yet."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)

    def ask(self, target: str, *headers: str, method: str = "GET", host: str = "x") -> bytes:
        """Ask for a target as it is written, and return the whole answer."""
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", "Connection: close", *headers]
        return self.send("\r\n".join([*lines, "", ""]).encode())

    def send(self, data: bytes) -> bytes:
        """Send something and return all that comes back."""
        received = b""
        with self.connect() as connection:
            connection.sendall(data)
            while chunk := connection.recv(65_536):
                received += chunk
        return received


def status_of(answer: bytes) -> int:
    """The status of an answer."""
    return int(answer.split(b" ", 2)[1])


def body_of(answer: bytes) -> bytes:
    """The body of an answer."""
    return answer.partition(b"\r\n\r\n")[2]


@pytest.fixture
def door(stack: Status) -> Knocker:
    """The front door."""
    return Knocker(urlsplit(stack.api_url).port or 80)


@pytest.fixture
def lite(stack: Status) -> Knocker:
    """What is behind it, which nobody but the front door should speak to."""
    config = tomllib.loads((Path(stack.data) / "lite" / "supabase" / "config.toml").read_text())
    return Knocker(config["api"]["port"])


def secrets_of(stack: Status) -> dict[str, str]:
    """Every secret of a stack, by name."""
    kept = json.loads((Path(stack.data) / "stack.json").read_text())
    names = ("admin_password", "password", "rest_password", "jwt_secret", "secret_key")
    return {name: kept[name] for name in names}


@pytest.mark.parametrize("way", WAYS)
def test_nothing_but_our_routes_is_reachable(stack: Status, door: Knocker, way: str) -> None:
    secrets = secrets_of(stack)
    for hidden in HIDDEN:
        answer = door.ask(way.format(hidden), f"apikey: {stack.publishable_key}")
        assert status_of(answer) >= 400, way.format(hidden)
        assert not [name for name, secret in secrets.items() if secret.encode() in answer]
        assert b"postgresql://" not in answer


def test_our_routes_are(stack: Status, door: Knocker) -> None:
    key = f"apikey: {stack.publishable_key}"
    for target in ("/health", "/auth/v1/health", "/auth/v1/settings", "/realtime/v1/api/ping"):
        assert status_of(door.ask(target, key)) == 200, target
    answer = door.ask("/rest/v1/messages", key, "Accept-Profile: chat")
    assert (status_of(answer), json.loads(body_of(answer))["code"]) == (401, "42501")


def test_the_page_is_served_by_the_exact_names_of_its_files(stack: Status, door: Knocker) -> None:
    host = f"127.0.0.1:{door.port}"
    page = door.ask("/", host=host)
    assert status_of(page) == 200
    assert b"default-src 'self'; img-src 'self' blob:; connect-src 'self' ws://" in page
    assert b"unsafe" not in page
    worker = door.ask("/sw.js?as=ann", host=host)
    assert status_of(worker) == 200
    assert b"Cache-Control: no-cache" in worker
    names = re.findall(rb'"/([a-z]+-[A-Z0-9]{8}\.[a-z]+)"', body_of(page))
    assert {name.split(b"-")[0] for name in names} == {
        *(b"icon", b"style", b"chunk", b"heartbeat", b"main")
    }
    # What is shown later is named by the first script alone.
    main = next(name.decode() for name in names if name.startswith(b"main"))
    later = re.findall(
        rb'"\./(stream_panel-[A-Z0-9]{8}\.js)"', body_of(door.ask(f"/{main}", host=host))
    )
    assert len(later) == 1
    for name in map(bytes.decode, names + later):
        assert b"Cache-Control: public, max-age=31536000, immutable" in door.ask(
            f"/{name}", host=host
        )
        for wrong in (
            f"/x/..//{name}",
            f"/%2e/{name}",
            f"/..%2f{name}",
            f"/{name}/",
            f"/{name}%00",
        ):
            assert status_of(door.ask(wrong, host=host)) >= 400, wrong
    stem, end = names[0].decode().split(".")
    for wrong in (f"/{stem}.map", f"/{stem[:-1]}A.{end}", "/main.tsx", "/build.js", "/index.html"):
        assert status_of(door.ask(wrong, host=host)) == 404, wrong


def test_the_page_tells_no_other_site_anything_and_nobody_a_secret(
    stack: Status, door: Knocker
) -> None:
    host = f"127.0.0.1:{door.port}"
    told = door.ask("/page.json", "Origin: http://elsewhere.example", host=host)
    assert json.loads(body_of(told))["key"] == stack.publishable_key
    assert b"Access-Control-Allow-Origin" not in told
    for answer in (told, door.ask("/", host=host)):
        assert not [name for name, secret in secrets_of(stack).items() if secret.encode() in answer]
    # A name of somebody else's that leads here, as in an attack by DNS, is refused.
    for target in ("/", "/page.json"):
        assert status_of(door.ask(target, host=f"elsewhere.example:{door.port}")) == 421


def test_lite_serves_its_own_routes_to_nobody(stack: Status, lite: Knocker) -> None:
    for hidden in HIDDEN:
        for target in (hidden, f"/rest/v1/../..{hidden}", f"/rest/v1/%2e%2e/%2e%2e{hidden}"):
            assert status_of(lite.ask(target, host="localhost")) == 404
        assert status_of(lite.ask("/rest/v1/x", host=f"x{hidden}?")) == 404
        assert status_of(lite.ask(f"http://localhost{hidden}", host="localhost")) == 404
    assert status_of(lite.ask("/", host="localhost")) == 404
    # Its way to be an administrator, without a key and from this machine, is closed as well.
    assert status_of(lite.ask("/rest/v1/profiles", host="localhost")) == 401
    key = f"apikey: {stack.publishable_key}"
    assert status_of(lite.ask("/auth/v1/settings", key, host="localhost")) == 200


def test_every_part_listens_on_the_loopback_address_alone(
    stack: Status, door: Knocker, lite: Knocker
) -> None:
    for port in (door.port, lite.port, urlsplit(stack.db_url).port):
        with socket.create_connection(("127.0.0.1", port or 0), timeout=PATIENCE_S):
            pass
        with pytest.raises(OSError), socket.create_connection(("127.0.0.2", port or 0), timeout=1):
            pass


@contextmanager
def account(stack: Status) -> Iterator[tuple[str, str, str]]:
    """Somebody's token, id and the hash of their password."""
    member = asyncio.run(sign_up(stack, "Ann"))
    with psycopg.connect(stack.admin_db_url, autocommit=True) as database:
        found = database.execute(
            "select encrypted_password from auth.users where id = %s", [member.user_id]
        ).fetchone()
    assert found is not None and found[0]
    yield member.token, member.user_id, found[0]


def test_no_request_reads_the_hash_of_a_password(stack: Status, door: Knocker) -> None:
    schemas = ("auth", "storage", "realtime", "chat_private", "pg_catalog", "information_schema")
    paths = [
        *(
            "users",
            "auth.users",
            quote('"auth"."users"'),
            "pg_authid",
            "profiles?select=*,users(*)",
        ),
        *("rpc/pg_read_file?filename=x", "rpc/query_to_xml", "profiles?select=encrypted_password"),
        "profiles?select=" + quote("user_id,x:auth.users(*)"),
    ]
    with account(stack) as (token, user_id, hashed):
        callers = {
            "nobody": [],
            "a visitor": [f"apikey: {stack.publishable_key}"],
            "a member": [f"apikey: {stack.publishable_key}", f"Authorization: Bearer {token}"],
            "a server": [f"apikey: {stack.secret_key}"],
        }
        for name, headers in callers.items():
            for schema in schemas:
                answer = door.ask("/rest/v1/users", *headers, f"Accept-Profile: {schema}")
                assert status_of(answer) == (401 if name == "nobody" else 406)
            for path in paths:
                answer = door.ask(f"/rest/v1/{path}", *headers, "Accept-Profile: chat")
                assert status_of(answer) in (400, 401, 404), path
                assert hashed.encode() not in answer
        mine = door.ask("/auth/v1/user", *callers["a member"])
        assert user_id.encode() in mine and hashed.encode() not in mine
        known = door.ask("/rest/v1/profiles", *callers["a member"], "Accept-Profile: chat")
        assert status_of(known) == 200 and user_id.encode() in known


@pytest.mark.parametrize(
    "name",
    [
        "a b.png",
        "東京.png",
        "größe.png",
        "a%2eb",
        "100%",
        "x;y=z",
        "a (1)&[2].png",
        "d/e/.f",
        "a.b.",
    ],
)
async def test_objects_keep_their_names(stack: Status, name: str) -> None:
    headers = {"apikey": stack.secret_key, "Authorization": f"Bearer {stack.secret_key}"}
    bucket, body = f"b{uuid4().hex}", name.encode()
    async with aiohttp.ClientSession(f"{stack.api_url}/storage/v1/", headers=headers) as session:
        async with session.post("bucket", json={"id": bucket, "name": bucket}) as made:
            assert made.status == 200, await made.text()
        path = f"object/{bucket}/{quote(name)}"
        async with session.post(encoded(stack, path), data=body) as stored:
            assert stored.status == 200, await stored.text()
        async with session.get(encoded(stack, path)) as read:
            assert (read.status, await read.read()) == (200, body)


def encoded(stack: Status, path: str) -> URL:
    """An address that no client tidies up."""
    return URL(f"{stack.api_url}/storage/v1/{path}", encoded=True)


def test_a_body_that_is_too_large_is_refused_in_words(stack: Status, door: Knocker) -> None:
    key = f"apikey: {stack.publishable_key}"
    told = door.ask("/auth/v1/token", key, "Content-Length: 99999999", method="POST")
    chunk = b"%x\r\n%s\r\n" % (500_000, b"x" * 500_000)
    lines = ("POST /auth/v1/token HTTP/1.1", "Host: x", key, "Connection: close")
    head = "\r\n".join([*lines, "Transfer-Encoding: chunked", "", ""]).encode()
    untold = door.send(head + chunk * 3 + b"0\r\n\r\n")
    for answer in (told, untold):
        assert status_of(answer) == 413
        assert json.loads(body_of(answer))["message"].startswith("The body of this request may")
    assert status_of(door.send(head + chunk + b"0\r\n\r\n")) == 400


@pytest.mark.parametrize(
    "lines",
    [
        ["GET /health?" + "x" * 20_000 + " HTTP/1.1"],
        ["GET /health HTTP/1.1", "A: " + "x" * 20_000],
        ["GET /health HTTP/1.1", *(f"A{number}: x" for number in range(200))],
    ],
    ids=["a long line", "a long header", "many headers"],
)
def test_a_head_that_is_too_large_is_refused_in_words(door: Knocker, lines: list[str]) -> None:
    answer = door.send("\r\n".join([*lines, "Host: x", "", ""]).encode())
    assert status_of(answer) == 400
    assert body_of(answer).startswith((b"Got more than 16384 bytes", b"Too many headers"))
    assert status_of(door.ask("/health?" + "x" * 15_000)) == 200


def test_others_are_served_while_somebody_floods(stack: Status, door: Knocker) -> None:
    silent, half, drip = b"", b"GET /health HTTP/1.1\r\nHost: ", b"\x00\x16\x03\x01 garbage\r\n\r\n"
    body = b"POST /rest/v1/rpc/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nx"
    deaf = (
        f"GET /rest/v1/profiles HTTP/1.1\r\nHost: x\r\napikey: {stack.secret_key}\r\n\r\n".encode()
    )
    with ExitStack() as open_now:
        for opening in (silent, half, drip, body, deaf):
            for _ in range(100):
                connection = open_now.enter_context(door.connect())
                connection.sendall(opening)
        for _ in range(20):
            begun = time.monotonic()
            answer = door.ask("/auth/v1/settings", f"apikey: {stack.publishable_key}")
            assert status_of(answer) == 200
            assert time.monotonic() - begun < 3


async def joined(stack: Status, session: aiohttp.ClientSession, topic: str) -> Any:
    """A socket that has joined a public topic."""
    url = f"{stack.api_url}/realtime/v1/websocket?apikey={stack.publishable_key}&vsn=2.0.0"
    ws = await session.ws_connect(url)
    await ws.send_json(["1", "1", f"realtime:{topic}", "phx_join", {"config": {}}])
    assert (await ws.receive_json(timeout=PATIENCE_S))[4]["status"] == "ok"
    return ws


async def beats(ws: aiohttp.ClientWebSocketResponse) -> bool:
    """Ask for a heartbeat."""
    await ws.send_json([None, "9", "phoenix", "heartbeat", {}])
    while (await ws.receive_json(timeout=PATIENCE_S))[1] != "9":
        pass
    return True


async def closed_with(ws: aiohttp.ClientWebSocketResponse) -> int | None:
    """Wait until the server has closed a socket, and tell its code."""
    async with asyncio.timeout(PATIENCE_S):
        while not ws.closed:
            await ws.receive()
    return ws.close_code


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Sockets of one test."""
    async with aiohttp.ClientSession() as session:
        yield session


async def test_a_frame_that_is_too_large_ends_its_own_socket(
    stack: Status, session: aiohttp.ClientSession
) -> None:
    mine = await joined(stack, session, "mine")
    theirs = await joined(stack, session, "theirs")
    with suppress(ConnectionError):
        await theirs.send_str("x" * 5_000_001)
    assert await closed_with(theirs) in (
        aiohttp.WSCloseCode.MESSAGE_TOO_BIG,
        aiohttp.WSCloseCode.ABNORMAL_CLOSURE,
    )
    await mine.send_json(["1", "2", "realtime:mine", "broadcast", {"a": "x" * 2_900_000}])
    assert await beats(mine)


async def test_a_flood_of_frames_ends_its_own_socket(
    stack: Status, session: aiohttp.ClientSession
) -> None:
    mine = await joined(stack, session, "mine")
    theirs = await joined(stack, session, "theirs")
    frame = json.dumps(["1", "2", "realtime:theirs", "broadcast", {"event": "e", "payload": {}}])
    for _ in range(100):
        await theirs.send_str(frame)
    assert await beats(theirs)
    with suppress(ConnectionError):
        for _ in range(10_000):
            await theirs.send_str(frame)
    assert await closed_with(theirs) == aiohttp.WSCloseCode.POLICY_VIOLATION
    assert await beats(mine)


async def test_one_socket_joins_a_thousand_topics_and_no_more(
    stack: Status, session: aiohttp.ClientSession
) -> None:
    ws = await joined(stack, session, "topic 0")
    for number in range(1, 1002):
        await ws.send_json([None, str(number), f"realtime:t {number}", "phx_join", {"config": {}}])
    answers = [(await ws.receive_json(timeout=PATIENCE_S))[4] for _ in range(1001)]
    assert [answer["status"] for answer in answers] == ["ok"] * 999 + ["error"] * 2
    assert answers[-1]["response"] == {"reason": "ChannelRateLimitReached: Too many channels"}


def test_no_log_holds_a_secret(stack: Status, door: Knocker) -> None:
    secrets = secrets_of(stack)
    for secret in secrets.values():
        door.send(f"GET /health HTTP/1.1\r\nHost: x\r\napikey: {secret}\x01\r\n\r\n".encode())
        door.ask("/rest/v1/profiles", f"apikey: {secret}", "Accept-Profile: chat")
    for log in (Path(stack.data) / "logs").iterdir():
        text = log.read_text(errors="replace")
        # Functions that nobody called have said nothing yet.
        assert text or log.name == "functions.log"
        assert not [name for name, secret in secrets.items() if secret in text], log.name
