"""Realtime over plain HTTP: status codes and bodies."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from yarl import URL

from parley.realtime import PROFILES
from parley.realtime.settings import Limits
from tests.e2e.realtime_stack import KEY, Host, Raw, Server, hosted, make_token

BATCH = "/realtime/v1/api/broadcast"
GOOD = {"topic": "room", "event": "said", "payload": {"n": 1}}
UUID = "00000000-0000-0000-0000-00000000002a"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def host(postgres: Server) -> AsyncIterator[Host]:
    """A server without limits, on a database without policies."""
    async with hosted(postgres.url) as server:
        yield server


async def post(
    host: Host, path: str, body: Any, headers: dict[str, str] | None = None, **query: str
) -> tuple[int, Any]:
    """Send a request; returns the status and the body."""
    headers = {"apikey": KEY} if headers is None else headers
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with (
        aiohttp.ClientSession() as session,
        session.post(host.url + path, data=data, headers=headers, params=query) as answer,
    ):
        text = await answer.text()
        return answer.status, json.loads(text) if text else ""


async def send(host: Host, *messages: Any, **headers: str) -> tuple[int, Any]:
    """A batch."""
    return await post(host, BATCH, {"messages": list(messages)}, headers or None)


async def test_a_batch_is_accepted_and_heard_as_text(host: Host) -> None:
    raw = await Raw.connect(host)
    await raw.join()
    assert await send(host, GOOD, GOOD | {"id": UUID}) == (202, "")
    payload = {"event": "said", "payload": {"n": 1}, "type": "broadcast"}
    assert await raw.receive() == [None, None, "realtime:room", "broadcast", payload]
    payload = payload | {"meta": {"id": UUID}}
    assert await raw.receive() == [None, None, "realtime:room", "broadcast", payload]
    await raw.close()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"apikey": "x"},
        {"Authorization": "Bearer x", "apikey": KEY},
        {"Authorization": f"Bearer {make_token(lasts_s=-5)}"},
    ],
)
async def test_nobody_known_is_401(host: Host, headers: dict[str, str]) -> None:
    expected = (401, {"message": "Unauthorized"})
    assert await post(host, BATCH, {"messages": [GOOD]}, headers) == expected
    assert await post(host, f"{BATCH}/room/events/said", {}, headers) == expected


async def test_the_scheme_is_case_insensitive(host: Host) -> None:
    assert await send(host, GOOD, Authorization=f"bEARER {make_token()}") == (202, "")


@pytest.mark.parametrize(
    ("message", "errors"),
    [
        (GOOD | {"topic": ""}, {"topic": ["can't be blank"]}),
        (GOOD | {"payload": None}, {"payload": ["can't be blank"]}),
        (GOOD | {"payload": [1]}, {"payload": ["is invalid"]}),
        (GOOD | {"event": 7}, {"event": ["is invalid"]}),
        (GOOD | {"private": "x"}, {"private": ["is invalid"]}),
        (GOOD | {"id": "x"}, {"id": ["is invalid"]}),
        (7, {each: ["can't be blank"] for each in ("topic", "event", "payload")}),
    ],
)
async def test_one_bad_message_refuses_the_whole_batch(
    host: Host, message: Any, errors: dict[str, list[str]]
) -> None:
    raw = await Raw.connect(host)
    await raw.join()
    assert await send(host, message, GOOD) == (422, {"errors": {"messages": [errors, {}]}})
    assert await send(host, GOOD | {"payload": {"n": "control"}}) == (202, "")
    assert (await raw.receive())[4]["payload"] == {"n": "control"}
    await raw.close()


@pytest.mark.parametrize("body", [{}, {"messages": []}, {"messages": "x"}, []])
async def test_a_batch_without_messages_is_422(host: Host, body: Any) -> None:
    expected = (422, {"errors": {"messages": ["can't be blank"]}})
    assert await post(host, BATCH, body) == expected


async def test_a_body_that_is_not_json_is_400(host: Host) -> None:
    assert (await post(host, BATCH, b"{"))[0] == 400
    json_type = {"apikey": KEY, "Content-Type": "application/json"}
    assert (await post(host, f"{BATCH}/room/events/said", b"{", json_type))[0] == 400


async def test_denied_topics_of_a_batch_are_left_out_in_silence(host: Host) -> None:
    raw = await Raw.connect(host)
    await raw.join(private=True, access_token=make_token("service_role"))
    assert await send(host, GOOD | {"private": True}) == (202, "")
    token = make_token("service_role")
    allowed = GOOD | {"private": True, "payload": {"n": 2}}
    assert await send(host, allowed, Authorization=f"Bearer {token}") == (202, "")
    assert (await raw.receive())[4]["payload"] == {"n": 2}
    await raw.close()


async def test_a_single_private_send_that_is_denied_is_403(host: Host) -> None:
    path = f"{BATCH}/room/events/said"
    json_type = {"apikey": KEY, "Content-Type": "application/json"}
    denied = await post(host, path, {"n": 1}, json_type, private="true")
    assert denied == (403, {"message": "Unauthorized"})
    assert await post(host, path, {"n": 1}, json_type) == (202, "")


async def test_a_single_send_is_kind_4_and_its_parts_are_decoded(host: Host) -> None:
    raw = await Raw.connect(host)
    await raw.join("realtime:a/b ä")
    headers = {"apikey": KEY, "Content-Type": "application/octet-stream"}
    path = f"{BATCH}/a%2Fb%20%C3%A4/events/my%20ev"
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            URL(host.url + path + "?apikey=k&vsn=2.0.0", encoded=True),
            data=b"\x00\x01",
            headers=headers,
        ) as answer,
    ):
        assert answer.status == 202
    topic = "realtime:a/b ä".encode()
    expected = bytes((4, len(topic), 5, 0, 0)) + topic + b"my ev" + b"\x00\x01"
    assert await raw.receive() == expected
    await raw.close()


async def test_another_content_type_is_415(host: Host) -> None:
    headers = {"apikey": KEY, "Content-Type": "text/plain"}
    status, body = await post(host, f"{BATCH}/room/events/said", b"x", headers)
    assert (status, list(body)) == (415, ["error"])
    assert body["error"].startswith("Unsupported Media Type")


async def test_limits_are_told_by_headers_and_429(postgres: Server) -> None:
    profile = replace(PROFILES["plain"], limits=Limits(events_per_second=1, payload_bytes=100))
    async with hosted(postgres.url, profile) as small:
        too_large = GOOD | {"payload": {"x": "y" * 100}}
        status, body = await send(small, too_large)
        assert (status, list(body["errors"]["messages"][0])) == (422, ["payload"])
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                small.url + BATCH, json={"messages": [GOOD]}, headers={"apikey": KEY}
            ) as answer,
        ):
            assert answer.status == 202
            assert {"x-rate-rolling", "x-rate-limit", "x-rate-limit-remaining"} <= {
                name.lower() for name in answer.headers
            }
        status, body = await send(small, *[GOOD] * 100)
        text = "Too many messages to broadcast, please reduce the batch size"
        assert (status, body) == (429, {"message": text})
        assert (await send(small, *[GOOD] * 10))[0] == 202
        text = "You have exceeded your rate limit"
        assert await send(small, GOOD) == (429, {"message": text})


async def test_a_role_that_does_not_exist_is_422(host: Host) -> None:
    path = f"{BATCH}/room/events/said"
    headers = {"Authorization": f"Bearer {make_token('nobody_known')}"}
    headers["Content-Type"] = "application/json"
    status, body = await post(host, path, {}, headers, private="true")
    assert (status, body) == (422, {"message": "rls_policy_error"})


async def test_two_megabytes_are_accepted_and_six_are_413(host: Host) -> None:
    raw = await Raw.connect(host)
    await raw.join()
    assert await send(host, GOOD | {"payload": {"x": "y" * 2_000_000}}) == (202, "")
    assert len((await raw.receive())[4]["payload"]["x"]) == 2_000_000
    assert (await send(host, GOOD | {"payload": {"x": "y" * 6_000_000}}))[0] == 413
    await raw.close()


@pytest.mark.parametrize("path", [BATCH, f"{BATCH}/room/events/said"])
async def test_browsers_may_ask_from_anywhere(host: Host, path: str) -> None:
    async with aiohttp.ClientSession() as session, session.options(host.url + path) as answer:
        assert answer.status == 204
        assert answer.headers["Access-Control-Allow-Origin"] == "*"


async def test_a_ping_is_answered(host: Host) -> None:
    async with aiohttp.request("GET", f"{host.url}/realtime/v1/api/ping") as answer:
        assert (answer.status, await answer.json()) == (200, {"message": "Success"})
