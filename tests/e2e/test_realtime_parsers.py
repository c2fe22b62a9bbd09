"""Every kind of frame the server sends, read by the clients' own parsers."""

from __future__ import annotations

from typing import Any

import pytest
from realtime.message import ServerMessageAdapter

from parley.realtime.channel.replay import StoredBroadcast
from parley.realtime.database.errors import PolicyError
from parley.realtime.protocol.messages import UserMessage
from parley.realtime.protocol.serializer import V1_0, V2_0, Serializer
from parley.realtime.settings import Limits
from tests.e2e.realtime_stack import check_with_javascript
from tests.unit.realtime_fakes import Client, Core, Listener, make_token

TOPIC = "realtime:röom"
ON = {"enabled": True, "key": "änn"}


async def everything(serializer: Serializer) -> list[str | bytes]:
    """Make a server say everything it can say to one socket."""
    core = Core(Limits(payload_bytes=500, presence_calls=3))
    listener = Recorder(serializer)
    client, other = Client(core, listener, make_token("anon")), core.connect()
    core.archive.stored = [
        StoredBroadcast("id-1", "said", '{"n": 1.50}', None),
        StoredBroadcast("id-2", "said", None, b"\x00\xff"),
    ]
    tables = [{"event": "INSERT", "schema": "public", "table": "t"}]
    config: dict[str, Any] = {
        "private": True,
        "broadcast": {"ack": True, "self": True, "replay": {"since": 0}, "replication_ready": True},
        "presence": ON,
        "postgres_changes": tables,
    }

    async def push(event: str, payload: Any, topic: str = TOPIC) -> None:
        await client.push(topic, event, payload, join_ref="j1")

    join = {"config": config}
    await push("heartbeat", {}, "phoenix")
    await push("broadcast", {})
    await push("phx_join", join, "realtime:")
    await push("phx_join", join)
    (channel,) = client.session.channels.values()
    for task in tuple(channel.tasks):
        await task
    await push("broadcast", {"type": "broadcast", "event": "ä", "payload": {"b": "👋"}})
    await push("broadcast", {"type": "broadcast", "event": "e", "payload": {"x": "y" * 500}})
    row = UserMessage(TOPIC, "said", '{"ü": "\\ud83d\\udc4b"}'.encode(), True, {"id": "x"})
    core.context.hub.broadcast(("röom", True), row)
    await other.join(TOPIC, private=True, presence={"enabled": True})
    await push("presence", {"event": "track", "payload": {"mood": "fine"}})
    await push("presence", {"event": "track", "payload": []})
    await push("presence", {"event": "track", "payload": {"mood": "well"}})
    await push("presence", {"event": "untrack"})
    await push("phx_join", join)
    await push("phx_join", join)
    await push("access_token", {"access_token": make_token(role=None)})
    core.authorizer.error = PolicyError()
    await push("phx_join", join)
    core.authorizer.error = None
    core.tables.refusal = "no"
    await push("phx_join", join)
    (channel,) = client.session.channels.values()
    for task in tuple(channel.tasks):
        await task
    channel.end("phx_error")
    channel.push("postgres_changes", CHANGE)
    await push("phx_leave", {})
    return listener.all


CHANGE = {
    "ids": [1],
    "data": {
        "schema": "public",
        "table": "t",
        "commit_timestamp": "2026-01-01T00:00:00.000Z",
        "type": "INSERT",
        "columns": [{"name": "id", "type": "int4"}],
        "record": {"id": 1},
        "errors": None,
    },
}


class Recorder(Listener):
    """A listener that forgets nothing."""

    def __init__(self, serializer: Serializer) -> None:
        super().__init__(serializer)
        self.all: list[str | bytes] = []

    def write(self, frame: bytes) -> None:
        """Remember it twice."""
        super().write(frame)
        self.all.append(self.frames[-1])


KINDS = [
    "phx_reply", "presence_state", "system", "broadcast", "presence_diff", "phx_close",
    "phx_error", "postgres_changes",
]  # fmt: skip


async def test_supabase_py_reads_every_frame_of_version_1() -> None:
    frames = await everything(V1_0)
    read = [ServerMessageAdapter.validate_json(each) for each in frames]
    assert {str(each.event.value) for each in read} == set(KINDS)


async def test_realtime_js_reads_every_frame_of_version_2() -> None:
    frames = await everything(V2_0)
    assert any(isinstance(each, bytes) for each in frames)
    await check_with_javascript(frames)


async def test_a_frame_that_realtime_js_cannot_read_is_noticed() -> None:
    with pytest.raises(AssertionError):
        await check_with_javascript(['{"topic":"t"}'])
