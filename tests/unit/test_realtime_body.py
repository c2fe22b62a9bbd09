"""A broadcast over HTTP whose body hardly comes is given up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from parley.realtime import rest
from tests.unit.realtime_fakes import Core, make_token

BODY = b'{"messages": [{"topic": "t", "event": "e", "payload": {}}]}'


async def dripping(body: bytes, pause_s: float) -> AsyncIterator[bytes]:
    """A body that comes byte by byte."""
    for byte in body:
        await asyncio.sleep(pause_s)
        yield bytes([byte])


async def test_a_body_has_its_time_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "BODY_S", 1.0)
    app = web.Application()
    rest.add_routes(app, Core().context, ["/realtime/v1"])
    headers = {"apikey": make_token("anon")}
    async with TestClient(TestServer(app), headers=headers) as client:
        path = "/realtime/v1/api/broadcast"
        slow = await client.post(path, data=dripping(BODY, 1))
        assert (slow.status, await slow.json()) == (408, {"message": "The body comes too slowly"})
        assert (await client.post(path, data=dripping(BODY, 0))).status == 202
