"""The front door hands on what it gets, waits for lite, and mends timestamps and nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from multidict import CIMultiDict
from yarl import URL

from parley.errors import StateUnusable
from parley.stack import body as body_module
from parley.stack import proxy as proxy_module
from parley.stack.body import FORM_BYTES, bytes_of
from parley.stack.port import choose_port
from parley.stack.proxy import CONNECTION_HEADERS, TIMESTAMP, lite_proxy, mend, without

Door = TestClient[web.Request, web.Application]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2026-11-21 01:07:53.05+00", "2026-11-21T01:07:53.05+00:00"),
        ("2026-11-21 01:07:53+00", "2026-11-21T01:07:53+00:00"),
        ("2026-11-21T01:07:53Z", "2026-11-21T01:07:53Z"),
        ("2026-11-21", "2026-11-21"),
    ],
)
def test_a_time_comes_out_as_rfc_3339(given: str, expected: str) -> None:
    for name in ("created_at", "muted_until", "until"):
        body = json.dumps({name: given}, separators=(",", ":")).encode()
        assert json.loads(mend(body)) == {name: expected}


@pytest.mark.parametrize(
    "row",
    [
        {"body": "2026-11-21 01:07:53.05+00"},
        {"body": '"created_at":"2026-11-21 01:07:53.05+00"'},
        {"data": "at"},
    ],
)
def test_what_people_write_is_left_alone(row: dict[str, str]) -> None:
    body = json.dumps(row, separators=(",", ":")).encode()
    assert mend(body) == body


def test_the_pattern_looks_at_whole_names_only() -> None:
    assert TIMESTAMP.search(b'"flat":"2026-11-21 01:07:53+00"') is None
    assert TIMESTAMP.search(b'"read_at":"2026-11-21 01:07:53+00"')


def test_headers_of_one_connection_are_not_handed_on() -> None:
    headers = CIMultiDict({"Connection": "close", "Apikey": "k", "Transfer-Encoding": "chunked"})
    assert dict(without(headers, CONNECTION_HEADERS)) == {"Apikey": "k"}


async def echo(request: web.Request) -> web.Response:
    """Say what arrived."""
    return web.json_response(
        {
            "method": request.method,
            "path": request.raw_path,
            "body": (await request.read()).decode(),
            "key": request.headers.get("apikey"),
            "created_at": "2026-11-21 01:07:53+00",
        },
        dumps=lambda value: json.dumps(value, separators=(",", ":")),
    )


@pytest.fixture
def upstream_port() -> int:
    """A port that nobody listens on yet."""
    return choose_port(0, "upstream", "--port")


@pytest_asyncio.fixture
async def door(upstream_port: int) -> AsyncIterator[Door]:
    """A front door to that port."""
    proxy = lite_proxy(f"http://127.0.0.1:{upstream_port}", 1000, lambda key: key)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", proxy.handle)
    async with TestClient(TestServer(app)) as client:
        yield client
    await proxy.close()


def upstream(port: int) -> TestServer:
    """Describe a server that echoes on a port."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", echo)
    return TestServer(app, host="127.0.0.1", port=port)


async def test_a_request_is_handed_on_as_it_came(door: Door, upstream_port: int) -> None:
    async with upstream(upstream_port):
        answer = await door.post(
            "/rest/v1/rpc/a%20b?x=%C3%BC&y=1", data="body", headers={"apikey": "k"}
        )
        assert await answer.json() == {
            "method": "POST",
            "path": "/rest/v1/rpc/a%20b?x=%C3%BC&y=1",
            "body": "body",
            "key": "k",
            "created_at": "2026-11-21T01:07:53+00:00",
        }


async def test_a_request_waits_while_lite_is_restarted(door: Door, upstream_port: int) -> None:
    waiting = asyncio.create_task(door.post("/rest/v1/rpc/send", data="once"))
    _, pending = await asyncio.wait([waiting], timeout=0.2)
    assert pending
    async with upstream(upstream_port):
        answer = await waiting
        assert (await answer.json())["body"] == "once"


async def test_a_request_is_told_when_lite_stays_away(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy_module, "PATIENCE_SECONDS", 0.1)
    answer = await door.get("/rest/v1/notes")
    assert answer.status == 503
    assert answer.headers["Retry-After"] == "1"
    assert (await answer.json())["message"]


async def test_no_path_but_those_of_our_services_reaches_lite(
    door: Door, upstream_port: int
) -> None:
    async with upstream(upstream_port):
        assert (await door.get("/rest/v1/notes")).status == 200
        for path in ("/rest/v1/%2e%2e/%2e%2e/_system/config", "/_system/config", "/rest/v1//notes"):
            answer = await door.get(URL(path, encoded=True))
            assert answer.status in (400, 404)
            assert set(await answer.json()) == {"message"}


async def chunks(count: int, size: int, pause: float = 0) -> AsyncIterator[bytes]:
    """A body without a length."""
    for _ in range(count):
        await asyncio.sleep(pause)
        yield b"x" * size


async def test_a_body_that_is_too_large_is_refused_whether_it_says_so_or_not(
    door: Door, upstream_port: int
) -> None:
    async with upstream(upstream_port):
        told = await door.post("/storage/v1/object/demo/x", data=b"x" * (FORM_BYTES + 1001))
        untold = await door.post("/storage/v1/object/demo/x", data=chunks(30, 100_000))
        for answer in (told, untold):
            assert answer.status == 413
            assert (await answer.json())["message"].startswith("The body")
        fits = await door.post("/storage/v1/object/demo/x", data=chunks(9, 100_000))
        assert fits.status == 200


async def test_a_body_that_hardly_comes_is_given_up_and_a_slow_one_is_not(
    door: Door, upstream_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body_module, "FIRST_S", 0.3)
    async with upstream(upstream_port):
        drip = await door.post("/storage/v1/object/demo/x", data=chunks(10, 1, 0.1))
        assert drip.status == 408
        assert (await drip.json())["message"].startswith("The body")
        slow = await door.post("/storage/v1/object/demo/x", data=chunks(10, 1000, 0.1))
        assert slow.status == 200


async def test_a_client_that_does_not_read_is_cut_off(
    door: Door, upstream_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy_module, "PIECE_SECONDS", 0.3)

    async def much(_: web.Request) -> web.Response:
        return web.Response(body=b"x" * 50_000_000)

    app = web.Application()
    app.router.add_get("/{path:.*}", much)
    async with TestServer(app, host="127.0.0.1", port=upstream_port):
        reader, writer = await asyncio.open_connection(door.host, door.port, limit=1000)
        writer.write(b"GET /storage/v1/object/demo/x HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.sleep(1.5)
        received = 0
        with suppress(ConnectionResetError):
            async with asyncio.timeout(10):
                while chunk := await reader.read(100_000):
                    received += len(chunk)
        assert received < 50_000_000
        writer.close()
        assert (await door.get("/storage/v1/object/demo/x")).status == 200


@pytest.mark.parametrize(
    ("size", "expected"),
    [("50MiB", 52_428_800), ("5MB", 5_000_000), ("1.5 kb", 1500), ("100", 100), ("1GiB", 2**30)],
)
def test_a_size_of_the_configuration_is_read_as_supabase_reads_it(size: str, expected: int) -> None:
    assert bytes_of(size) == expected


def test_a_size_that_is_none_is_told() -> None:
    with pytest.raises(StateUnusable, match="cannot be read"):
        bytes_of("much")
