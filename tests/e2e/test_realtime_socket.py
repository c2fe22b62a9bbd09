"""Sockets that misbehave: refused at the door, cut off, or simply outlived."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from parley.realtime import PROFILES, Profile
from parley.realtime.settings import Limits
from tests.e2e.realtime_stack import KEY, Host, Raw, Server, hosted, make_token
from tests.until import until


def limited(**limits: Any) -> Profile:
    """The plain profile with some limits."""
    return replace(PROFILES["plain"], limits=Limits(**limits))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def host(postgres: Server) -> AsyncIterator[Host]:
    """A server without limits."""
    async with hosted(postgres.url) as server:
        yield server


async def knock(host: Host, query: dict[str, str], headers: dict[str, str] | None = None) -> Any:
    """Try to connect; returns the status and the body."""
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    url = f"{host.url}/realtime/v1/websocket"
    async with (
        aiohttp.ClientSession() as session,
        session.get(url, params=query, headers=upgrade | (headers or {})) as answer,
    ):
        if answer.status == 101:
            return 101, ""
        text = await answer.text()
        return answer.status, json.loads(text) if text else ""


@pytest.mark.parametrize(
    ("query", "status", "body"),
    [
        ({}, 401, {"error": "API key is missing"}),
        ({"apikey": "x"}, 401, {"error": "The token provided is not a valid JWT"}),
        ({"apikey": make_token(lasts_s=-5)}, 401, {"error": "Token has expired"}),
        ({"apikey": make_token()[:-6] + "AAAAAA"}, 401,
         {"error": "Failed to validate JWT signature"}),
        ({"apikey": make_token(exp=None)}, 401,
         {"error": "Fields `role` and `exp` are required in JWT"}),
        ({"apikey": KEY, "vsn": "9.0.0"}, 403, ""),
        ({"apikey": KEY, "vsn": "1.0.0", "log_level": "info", "more": "x"}, 101, ""),
        ({"apikey": KEY}, 101, ""),
        ({"apikey": make_token("anon")}, 101, ""),
    ],
)  # fmt: skip
async def test_the_handshake_is_refused_with_a_status_and_a_reason(
    host: Host, query: dict[str, str], status: int, body: Any
) -> None:
    assert await knock(host, query) == (status, body)


async def test_the_header_wins_over_the_query(host: Host) -> None:
    assert (await knock(host, {"apikey": KEY}, {"x-api-key": "x"}))[0] == 401
    assert (await knock(host, {"apikey": "x"}, {"x-api-key": KEY}))[0] == 101


async def test_the_path_of_the_real_server_is_served_too(host: Host) -> None:
    raw = await Raw.connect(host, path="/socket/websocket")
    assert (await raw.join())[4]["status"] == "ok"
    await raw.close()


async def test_absent_vsn_speaks_version_1(host: Host) -> None:
    async with aiohttp.ClientSession() as session:
        ws = await session.ws_connect(f"{host.url}/realtime/v1/websocket?apikey={KEY}")
        await ws.send_json({"topic": "phoenix", "event": "heartbeat", "payload": {}, "ref": None})
        assert await ws.receive_json() == {
            "topic": "phoenix",
            "event": "phx_reply",
            "payload": {"status": "ok", "response": {}},
            "ref": None,
        }


async def test_a_refused_handshake_and_a_refused_join_are_answered_late_when_set(
    postgres: Server,
) -> None:
    profile = limited(connect_error_delay_s=0.3, channel_error_delay_s=0.3)
    async with hosted(postgres.url, profile) as slow:
        started = time.monotonic()
        assert (await knock(slow, {}))[0] == 401
        assert time.monotonic() - started >= 0.3
        raw = await Raw.connect(slow)
        started = time.monotonic()
        assert (await raw.join("realtime:"))[4]["status"] == "error"
        assert time.monotonic() - started >= 0.3
        started = time.monotonic()
        assert (await raw.join())[4]["status"] == "ok"
        assert time.monotonic() - started < 0.3
        await raw.close()


@pytest.mark.parametrize("frame", ["", "{", "[1]", "null", b"", b"\x03", os.urandom(4096)])
async def test_garbage_is_dropped_and_the_socket_lives_on(host: Host, frame: str | bytes) -> None:
    raw = await Raw.connect(host)
    await (raw.ws.send_str(frame) if isinstance(frame, str) else raw.ws.send_bytes(frame))
    assert (await raw.join())[4]["status"] == "ok"
    await raw.close()


async def test_a_frame_over_the_limit_closes_its_socket_with_1009(postgres: Server) -> None:
    async with hosted(postgres.url, limited(frame_bytes=10_000)) as small:
        raw, other = await Raw.connect(small), await Raw.connect(small)
        await raw.ws.send_str("x" * 10_001)
        assert await raw.receive() == 1009
        assert (await other.join())[4]["status"] == "ok"
        await raw.close()
        await other.close()


async def test_a_silent_socket_is_closed_and_one_with_heartbeats_is_not(
    postgres: Server,
) -> None:
    async with hosted(postgres.url, limited(idle_s=0.4)) as strict:
        silent, lively = await Raw.connect(strict), await Raw.connect(strict)
        closing = asyncio.create_task(silent.receive())
        while not closing.done():
            await lively.push(None, "1", "phoenix", "heartbeat", {})
            assert (await lively.receive())[3] == "phx_reply"
            await asyncio.sleep(0.05)
        assert await closing == 1000
        await silent.close()
        await lively.close()


async def test_a_socket_without_a_channel_is_closed_and_one_with_is_not(
    postgres: Server,
) -> None:
    async with hosted(postgres.url, limited(channelless_s=0.3)) as strict:
        without, with_one = await Raw.connect(strict), await Raw.connect(strict)
        await with_one.join()
        assert await without.receive() == 1000
        await with_one.push(None, "1", "phoenix", "heartbeat", {})
        assert (await with_one.receive())[3] == "phx_reply"
        await without.close()
        await with_one.close()


async def test_too_many_sockets_are_refused_at_the_door(postgres: Server) -> None:
    async with hosted(postgres.url, limited(connections=1)) as small:
        raw = await Raw.connect(small)
        await raw.join()
        assert await knock(small, {"apikey": KEY}) == (429, {"error": "Too many connected users"})
        await raw.close()
        await until(lambda: not small.realtime.context.sessions)
        assert (await knock(small, {"apikey": KEY}))[0] == 101


async def test_a_client_that_does_not_read_is_cut_off_and_delays_nobody(
    postgres: Server,
) -> None:
    async with hosted(postgres.url, limited(unsent_bytes=1_000_000)) as strict:
        reader, writer = await asyncio.open_connection("127.0.0.1", strict.port)
        writer.write(
            f"GET /realtime/v1/websocket?apikey={KEY}&vsn=2.0.0 HTTP/1.1\r\nHost: x\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        await reader.readuntil(b"\r\n\r\n")
        join = json.dumps(["1", "1", "realtime:room", "phx_join", {"config": {}}]).encode()
        writer.write(bytes((0x81, 0x80 | len(join), 0, 0, 0, 0)) + join)
        await until(lambda: bool(list(strict.realtime.context.hub.members(("room", False)))))
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        sender, listener = await Raw.connect(strict), await Raw.connect(strict)
        await sender.join()
        await listener.join()
        body, slowest = "x" * 100_000, 0.0
        for number in range(300):
            started = time.monotonic()
            payload = {"event": "e", "payload": {"n": number, "body": body}}
            await sender.push("1", "2", "realtime:room", "broadcast", payload)
            assert (await listener.receive())[4]["payload"]["n"] == number
            slowest = max(slowest, time.monotonic() - started)
        assert slowest < 0.5
        await until(lambda: len(strict.realtime.context.sessions) == 2)
        metrics = await strict.metrics()
        assert metrics["realtime_slow_sockets_closed_total"] == 1
        for raw in (sender, listener):
            await raw.close()
        writer.close()


async def test_ten_thousand_joins_leave_nothing_behind(host: Host) -> None:
    before = len(asyncio.all_tasks())
    sockets = await asyncio.gather(*(Raw.connect(host) for _ in range(20)))

    async def join_many(raw: Raw) -> None:
        for number in range(500):
            answer = await raw.join(f"realtime:{number}", presence={"enabled": number % 50 == 0})
            assert answer[4]["status"] == "ok"
            if number % 50 == 0:
                assert (await raw.receive())[3] == "presence_state"

    await asyncio.gather(*(join_many(raw) for raw in sockets))
    assert (await host.metrics())["realtime_channels"] == 10_000
    await asyncio.gather(*(raw.close() for raw in sockets))
    await until(lambda: not host.realtime.context.sessions)
    assert (await host.metrics())["realtime_channels"] == 0
    await until(lambda: len(asyncio.all_tasks()) <= before)


async def test_slow_handshakes_keep_nobody_waiting_and_leak_nothing(host: Host) -> None:
    before = len(asyncio.all_tasks())
    slow = [await asyncio.open_connection("127.0.0.1", host.port) for _ in range(200)]
    for _, writer in slow:
        writer.write(b"GET /realtime/v1/websocket?apikey=x HTTP/1.1\r\nHost: ")
    started = time.monotonic()
    raw = await Raw.connect(host)
    assert (await raw.join())[4]["status"] == "ok"
    assert time.monotonic() - started < 1
    await raw.close()
    for _, writer in slow:
        writer.close()
    await until(lambda: len(asyncio.all_tasks()) <= before)


async def test_a_socket_that_vanishes_without_goodbye_leaves_its_channels(host: Host) -> None:
    raw = await Raw.connect(host)
    await raw.join()
    transport = raw.ws.get_extra_info("socket")
    assert transport is not None
    raw.ws._response.connection.transport.abort()  # type: ignore[union-attr]
    await until(lambda: not host.realtime.context.sessions)
    await raw.close()


async def test_stopping_closes_every_socket_with_1012(postgres: Server) -> None:
    async with hosted(postgres.url) as short:
        sockets = [await Raw.connect(short) for _ in range(3)]
        await sockets[0].join()
        waiting = [asyncio.create_task(raw.receive()) for raw in sockets]
        await short.realtime.stop()
        assert await asyncio.gather(*waiting) == [1012] * 3
        for raw in sockets:
            await raw.close()


async def test_metrics_count_what_happens(host: Host) -> None:
    before = await host.metrics()
    raw, other = await Raw.connect(host), await Raw.connect(host)
    await raw.join(private=True)
    await raw.join()
    await other.join()
    await raw.push("1", "2", "realtime:room", "broadcast", {"event": "e", "payload": {}})
    await other.receive()
    after = await host.metrics()

    def grown(name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    assert grown("realtime_sockets") == 2
    assert grown("realtime_channels") == 2
    assert grown("realtime_joins_total") == 2
    assert grown('realtime_denials_total{code="Unauthorized"}') == 1
    assert grown('realtime_events_received_total{event="broadcast"}') == 1
    assert grown('realtime_events_delivered_total{event="broadcast"}') == 1
    assert grown('realtime_authorization_seconds_count{verb="read"}') == 1
    assert after["realtime_replication_connected"] == 1
    assert after["realtime_wal_lag_bytes"] < 1_000_000
    await raw.close()
    await other.close()
