"""The front door hands on what it gets, waits for lite, and mends timestamps and nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from multidict import CIMultiDict

from parley.stack import proxy as proxy_module
from parley.stack.port import choose_port
from parley.stack.proxy import CONNECTION_HEADERS, TIMESTAMP, Proxy, mend, without

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
    proxy = Proxy(f"http://127.0.0.1:{upstream_port}")
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
