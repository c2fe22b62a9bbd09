"""Anything that can be framed, in any order: the core answers properly or stays silent."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from realtime.message import ServerMessageAdapter

from parley.realtime.protocol.serializer import V1_0, V2_0
from tests.unit.realtime_fakes import Core, make_token

SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.floats()
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)
TOPICS = st.sampled_from(
    ["realtime:a", "realtime:b", "realtime:", "phoenix", "room", "realtime:é\0"]
)
EVENTS = st.sampled_from(
    ["phx_join", "phx_leave", "heartbeat", "broadcast", "presence", "access_token", "other"]
)
TOKENS = st.sampled_from([make_token(sub="ann"), make_token(role=None), "x", "", "sb_x", None])
REFS = st.none() | st.text(max_size=3) | st.integers(0, 9)
CONFIGS = st.fixed_dictionaries(
    {},
    optional={
        "private": st.booleans() | SCALARS,
        "broadcast": JSON
        | st.fixed_dictionaries({}, optional={"ack": JSON, "self": st.booleans(), "replay": JSON}),
        "presence": JSON | st.fixed_dictionaries({"enabled": st.booleans(), "key": JSON}),
        "postgres_changes": JSON | st.lists(st.none() | st.just({"table": "t"}), max_size=2),
    },
)
PAYLOADS = (
    JSON
    | st.fixed_dictionaries({"config": CONFIGS}, optional={"access_token": TOKENS})
    | st.fixed_dictionaries({"event": st.sampled_from(["track", "untrack", "e"]), "payload": JSON})
    | st.fixed_dictionaries({"access_token": TOKENS | JSON})
)
V1_FRAMES = st.fixed_dictionaries(
    {"topic": TOPICS, "event": EVENTS, "payload": PAYLOADS, "ref": REFS},
    optional={"join_ref": REFS, "more": SCALARS},
).map(json.dumps)
V2_FRAMES = st.tuples(REFS, REFS, TOPICS, EVENTS, PAYLOADS).map(list).map(json.dumps)
HEADERS = st.tuples(st.just(b"\x03"), st.binary(max_size=30)).map(b"".join)
PUSHES = st.builds(
    lambda topic, event, body, encoding: (
        bytes((3, 1, 1, len(topic.encode()), len(event.encode()), 0, encoding))
        + b"12" + topic.encode() + event.encode() + body
    ),
    TOPICS, st.text(max_size=5), st.binary(max_size=10) | st.just(b"{}"), st.integers(0, 2),
)  # fmt: skip
GARBAGE = st.text(max_size=30) | st.binary(max_size=30)


def run(serializer: Any, frames: list[Any]) -> list[Any]:
    """Send frames to a socket beside a well-behaved one; returns what the first was sent."""

    async def scenario() -> list[Any]:
        core = Core()
        client, other = core.connect(serializer), core.connect(V2_0)
        await other.join("realtime:a", private=True, presence={"enabled": True})
        other.take()
        for frame in frames:
            await client.session.receive(frame)
        answers = list(client.listener.frames)
        client.session.close()
        assert await other.push("phoenix", "heartbeat", {}, ref="end")
        other.session.close()
        await asyncio.sleep(0)
        assert core.context.sessions == set()
        assert len(asyncio.all_tasks()) == 1
        return answers

    return asyncio.run(scenario())


def echoes(fields: dict[str, Any]) -> bool:
    """Whether a frame gives back what a client made up: its ref, its payload, its tables."""
    if not isinstance(fields["ref"], str | None) or fields["event"] == "broadcast":
        return True
    response = fields["payload"].get("response", {})
    return bool(response.get("postgres_changes"))


@settings(max_examples=300, deadline=None)
@given(st.lists(V1_FRAMES | GARBAGE, max_size=8))
def test_whatever_version_1_is_sent_its_answers_are_well_formed(frames: list[Any]) -> None:
    for answer in run(V1_0, frames):
        fields = json.loads(answer)
        assert set(fields) == {"topic", "event", "payload", "ref"}
        if not echoes(fields):
            ServerMessageAdapter.validate_json(answer)


@settings(max_examples=300, deadline=None)
@given(st.lists(V2_FRAMES | HEADERS | PUSHES | GARBAGE, max_size=8))
def test_whatever_version_2_is_sent_its_answers_are_well_formed(frames: list[Any]) -> None:
    for answer in run(V2_0, frames):
        if isinstance(answer, bytes):
            assert answer[0] == 4
        else:
            assert len(json.loads(answer)) == 5
