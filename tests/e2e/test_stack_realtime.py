"""The profile of Realtime that a stack is started with, as clients meet it at the front door."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import aiohttp
import psycopg
import pytest
from supabase import acreate_client

from parley.stack.status import Status
from tests.e2e.realtime_peers import PythonPeer, hears, of_kind
from tests.e2e.test_stack import Local
from tests.until import until

CHANNELS = 100
SEND = "select realtime.send(jsonb_build_object('n', %s::int), 'told', 'lobby', false)"
DROPPED = 'realtime_database_events_total{fate="dropped"}'
DISPATCHED = 'realtime_database_events_total{fate="dispatched"}'


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    """A project of its own, started by its tests and deleted at the end."""
    local = Local(tmp_path_factory.mktemp("profiles"))
    try:
        yield local
    finally:
        local.run("reset")


@asynccontextmanager
async def client_of(status: Status) -> AsyncIterator[PythonPeer]:
    """An unmodified client."""
    peer = PythonPeer(await acreate_client(status.api_url, status.publishable_key))
    try:
        yield peer
    finally:
        await peer.close()


async def metrics_of(status: Status) -> dict[str, float]:
    """What the server counts, by name and labels."""
    url = f"{status.api_url}/realtime/v1/metrics"
    async with aiohttp.request("GET", url) as answer:
        assert (answer.status, answer.content_type) == (200, "text/plain")
        lines = (await answer.text()).splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


async def post(status: Status, size: int) -> int:
    """Broadcast a payload of so many bytes; returns the status of the answer."""
    url = f"{status.api_url}/realtime/v1/api/broadcast/lobby/events/large"
    headers = {"apikey": status.publishable_key}
    body = {"text": "x" * size}
    async with aiohttp.request("POST", url, headers=headers, json=body) as answer:
        return answer.status


def shown_profile(local: Local) -> str:
    """What ``parley status`` says, to programs and to people."""
    told = str(json.loads(local.run("status", "--json").stdout)["realtime"])
    lines = local.run("status").stdout.splitlines()
    assert ["Realtime", told] in [line.split() for line in lines]
    return told


def test_an_unknown_profile_is_a_usage_error_that_names_the_known_ones(local: Local) -> None:
    result = local.run("up", "--realtime", "perfect")
    assert result.returncode == 2
    assert all(name in result.stderr for name in ("plain", "hosted", "lossy"))
    assert not local.home.exists()


async def test_a_lossy_stack_listens_late_and_drops_a_share(local: Local) -> None:
    status = local.up("--realtime", "lossy")
    assert shown_profile(local) == "lossy"
    before = await metrics_of(status)
    assert before["realtime_replication_connected"] == 0
    async with client_of(status) as peer:
        assert (await peer.join("lobby"))["status"] == "SUBSCRIBED"
        numbers = itertools.count(1)
        with psycopg.connect(status.db_url, autocommit=True) as connection:

            async def some_are_dropped() -> bool:
                for number in itertools.islice(numbers, 20):
                    connection.execute(SEND, [number])
                now = await metrics_of(status)
                heard = of_kind(peer, "broadcast")
                return bool(now.get(DROPPED) and now.get(DISPATCHED) and heard)

            await until(some_are_dropped, 30)
        heard = [each["payload"]["n"] for each in of_kind(peer, "broadcast")]
        assert heard == sorted(set(heard))


async def test_a_restart_keeps_the_profile_and_a_choice_replaces_it(local: Local) -> None:
    local.stop()
    local.up()
    assert shown_profile(local) == "lossy"
    local.stop()
    status = local.up("--realtime", "plain")
    assert shown_profile(local) == "plain"
    async with client_of(status) as peer:
        for number in range(CHANNELS + 1):
            assert (await peer.join(f"lobby {number}"))["status"] == "SUBSCRIBED"
        assert await post(status, 300_000) == 202

        # Everything that is sent arrives.
        assert (await peer.join("lobby"))["status"] == "SUBSCRIBED"
        with psycopg.connect(status.db_url, autocommit=True) as connection:
            for number in range(100):
                connection.execute(SEND, [number])
        heard = await hears(peer, "broadcast", 100)
        assert [each["payload"]["n"] for each in heard] == list(range(100))


async def test_metrics_count_through_the_front_door(local: Local) -> None:
    status = local.status
    before = await metrics_of(status)
    async with client_of(status) as peer:
        assert (await peer.join("lobby"))["status"] == "SUBSCRIBED"
        assert (await peer.join("club", private=True))["status"] == "CHANNEL_ERROR"
        with psycopg.connect(status.db_url, autocommit=True) as connection:
            connection.execute(SEND, [1])
        await hears(peer, "broadcast")
        after = await metrics_of(status)

        def grown(name: str) -> float:
            return after.get(name, 0) - before.get(name, 0)

        assert grown("realtime_joins_total") == 1
        assert grown('realtime_denials_total{code="Unauthorized"}') == 1
        assert grown('realtime_events_delivered_total{event="broadcast"}') == 1
        assert grown(DISPATCHED) == 1
        assert grown('realtime_authorization_seconds_count{verb="read"}') == 1
        assert after["realtime_sockets"] == after["realtime_channels"] == 1
        assert after["realtime_replication_connected"] == 1
        assert after["realtime_wal_lag_bytes"] >= 0


async def test_a_hosted_stack_has_the_limits_of_a_hosted_project(local: Local) -> None:
    local.stop()
    status = local.up("--realtime", "hosted")
    assert shown_profile(local) == "hosted"
    async with client_of(status) as peer:
        for number in range(CHANNELS):
            assert (await peer.join(f"lobby {number}"))["status"] == "SUBSCRIBED"
        began = asyncio.get_running_loop().time()
        refused = await peer.join("one too many")
        assert refused["status"] == "CHANNEL_ERROR"
        assert "ChannelRateLimitReached: Too many channels" in refused["message"]
        # A hosted project takes its time to say no.
        assert asyncio.get_running_loop().time() - began >= 5
    assert await post(status, 300_000) == 422
    assert await post(status, 200_000) == 202
