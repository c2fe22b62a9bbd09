"""Broadcasts from client to client and from rows, across the two wire forms; replay."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest

from parley.realtime.channel.replay import StoredBroadcast
from parley.realtime.database.errors import PolicyError
from parley.realtime.protocol.messages import UserMessage
from parley.realtime.protocol.serializer import V1_0, V2_0
from parley.realtime.settings import Limits
from parley.realtime.wal.broadcasts import broadcast_of
from parley.realtime.wal.pgoutput import Column, Relation, RowChange
from tests.unit.realtime_fakes import Client, Core, make_token

TOPIC = "realtime:room"
SAID = {"type": "broadcast", "event": "said", "payload": {"body": "hi"}, "own": [1]}


def kind_3(event: bytes, body: bytes, encoding: int, ref: bytes = b"7") -> bytes:
    """A binary broadcast push on the topic."""
    sizes = bytes((3, 2, len(ref), len(TOPIC), len(event), 0, encoding))
    return sizes + b"j1" + ref + TOPIC.encode() + event + body


def kind_4(event: bytes, body: bytes, encoding: int, meta: bytes = b"") -> bytes:
    """What listeners of version 2 get of it."""
    sizes = bytes((4, len(TOPIC), len(event), len(meta), encoding))
    return sizes + TOPIC.encode() + event + meta + body


async def three(core: Core, **config: Any) -> tuple[Client, Client, Client]:
    """A sender and a listener of each version."""
    clients = core.connect(), core.connect(V1_0), core.connect(V2_0)
    for client in clients:
        await client.join(**config)
    return clients


async def send(client: Client, payload: Any = SAID, ref: str = "5") -> list[Any]:
    """Broadcast as text."""
    return await client.push(TOPIC, "broadcast", payload, ref=ref, join_ref="j1")


async def test_a_text_push_is_passed_on_verbatim_to_both_versions() -> None:
    sender, old, new = await three(Core())
    await send(sender)
    assert old.take() == [{"topic": TOPIC, "event": "broadcast", "payload": SAID, "ref": None}]
    assert new.take() == [[None, None, TOPIC, "broadcast", SAID]]


async def test_a_binary_frame_of_json_is_kind_4_for_version_2_and_an_object_for_version_1() -> None:
    sender, old, new = await three(Core())
    await sender.session.receive(kind_3(b"said", b'{"a": 1}', 1))
    payload = {"event": "said", "payload": {"a": 1}, "type": "broadcast"}
    assert old.take() == [{"topic": TOPIC, "event": "broadcast", "payload": payload, "ref": None}]
    assert new.take() == [kind_4(b"said", b'{"a": 1}', 1)]


async def test_a_binary_payload_never_reaches_version_1() -> None:
    sender, old, new = await three(Core())
    await sender.session.receive(kind_3(b"said", b"\x00\x01", 0))
    assert old.take() == []
    assert new.take() == [kind_4(b"said", b"\x00\x01", 0)]


async def test_the_sender_hears_itself_only_when_it_asked_to() -> None:
    core = Core()
    quiet, echo = core.connect(), core.connect()
    await quiet.join()
    await echo.join(broadcast={"self": True})
    assert await send(quiet) == []
    assert [each[3] for each in echo.take()] == ["broadcast"]
    assert [each[3] for each in await send(echo)] == ["broadcast"]
    assert [each[3] for each in quiet.take()] == ["broadcast"]


async def test_the_same_user_on_another_socket_hears_it() -> None:
    core, token = Core(), make_token(sub="ann")
    first, second = core.connect(), core.connect()
    await first.join(access_token=token)
    await second.join(access_token=token)
    await send(first)
    assert len(second.take()) == 1


async def test_an_acknowledgement_follows_the_dispatch() -> None:
    client = Core().connect()
    await client.join(broadcast={"ack": True, "self": True})
    answers = await send(client)
    assert [each[3] for each in answers] == ["broadcast", "phx_reply"]
    assert answers[1] == ["j1", "5", TOPIC, "phx_reply", {"status": "ok", "response": {}}]


async def test_without_ack_nothing_is_answered() -> None:
    client = Core().connect()
    await client.join()
    assert await send(client) == []


async def test_a_denied_write_is_told_to_those_who_want_acknowledgements() -> None:
    core = Core()
    core.authorizer.write = {"broadcast": False, "presence": False}
    sender, _, listener = await three(core, private=True, broadcast={"ack": True})
    answer = {"status": "error", "response": {"error": "unauthorized"}}
    assert await send(sender) == [["j1", "5", TOPIC, "phx_reply", answer]]
    assert listener.take() == []


async def test_a_denied_write_without_ack_is_dropped_in_silence() -> None:
    core = Core()
    core.authorizer.write = {"broadcast": False, "presence": False}
    sender, _, listener = await three(core, private=True)
    assert await send(sender) == []
    assert listener.take() == []
    core.authorizer.write = {"broadcast": True, "presence": False}
    allowed = core.connect()
    await allowed.join(private=True)
    await send(allowed)
    assert len(listener.take()) == 1


async def test_the_write_check_is_made_at_the_first_broadcast_and_then_kept() -> None:
    core = Core()
    client = core.connect()
    await client.join(private=True)
    assert [each[0] for each in core.authorizer.asked] == ["read"]
    await send(client)
    await send(client)
    assert [each[0] for each in core.authorizer.asked] == ["read", "write"]


async def test_a_policy_that_raises_is_asked_again_and_named_in_the_answer() -> None:
    core = Core()
    client = core.connect()
    await client.join(private=True, broadcast={"ack": True})
    core.authorizer.error = PolicyError()
    (answer,) = await send(client)
    assert answer[4] == {"status": "error", "response": {"error": "rls_policy_error"}}
    core.authorizer.error = None
    (answer,) = await send(client)
    assert answer[4]["status"] == "ok"


async def test_with_presence_alone_broadcasts_are_not_heard() -> None:
    core = Core()
    core.authorizer.read = {"broadcast": False, "presence": True}
    deaf, sender = core.connect(), core.connect()
    await deaf.join(private=True, presence={"enabled": True})
    core.authorizer.read = {"broadcast": True, "presence": True}
    await sender.join(private=True, presence={"enabled": True})
    hears = core.connect()
    await hears.join(private=True)
    deaf.take()
    await send(sender)
    assert deaf.take() == []
    assert len(hears.take()) == 1


async def test_too_large_a_payload_is_an_object_of_an_error_when_acknowledged() -> None:
    core = Core(Limits(payload_bytes=200))
    client, listener = core.connect(), core.connect()
    await client.join(broadcast={"ack": True})
    await listener.join()
    (answer,) = await send(client, SAID | {"more": "x" * 200})
    assert answer[4] == {"status": "error", "response": {"error": "payload_size_exceeded"}}
    assert listener.take() == []
    assert (await send(client))[0][4]["status"] == "ok"


async def test_too_many_messages_a_second_shut_the_channels_that_hear_them() -> None:
    core = Core(Limits(events_per_second=0.5))
    sender, listener = core.connect(), core.connect()
    await sender.join()
    await listener.join()
    await send(sender)
    assert len(listener.take()) == 1
    await send(sender)
    answers = listener.take()
    assert [each[3] for each in answers] == ["broadcast", "system", "phx_close"]
    assert answers[1][4]["message"] == "Too many messages per second"


@pytest.mark.parametrize("payload", [None, [], "x", 7])
async def test_a_payload_that_is_no_object_goes_nowhere(payload: Any) -> None:
    core = Core()
    sender, _, listener = await three(core)
    assert await send(sender, payload) == []
    assert listener.take() == []
    assert (await send(sender), len(listener.take())) == ([], 1)


MESSAGES = Relation(
    1,
    "realtime",
    "messages_2026_11_21",
    "d",
    tuple(
        Column(name, 25, name in ("id", "inserted_at"))
        for name in (
            "topic", "extension", "payload", "event", "private", "inserted_at", "id",
            "binary_payload",
        )
    ),
)  # fmt: skip
ROW: dict[str, str | None] = {
    "topic": "room",
    "extension": "broadcast",
    "payload": '{"a": 1}',
    "event": "said",
    "private": "t",
    "inserted_at": "2026-11-21 00:00:00",
    "id": "00000000-0000-0000-0000-000000000001",
    "binary_payload": None,
}


def inserted(**fields: str | None) -> RowChange:
    """A row of `realtime.messages` that was inserted."""
    return RowChange(MESSAGES, "INSERT", ROW | fields, None)


async def test_a_row_is_delivered_as_postgres_prints_it_with_its_id_as_meta() -> None:
    core = Core()
    _, old, new = await three(core, private=True)
    found = broadcast_of(inserted())
    assert found is not None
    core.context.hub.broadcast(found.key, found.message, message_id=found.id)
    meta = {"id": ROW["id"]}
    payload = {"event": "said", "payload": {"a": 1}, "type": "broadcast", "meta": meta}
    assert old.take() == [{"topic": TOPIC, "event": "broadcast", "payload": payload, "ref": None}]
    written = json.dumps(meta, separators=(",", ":")).encode()
    assert new.take() == [kind_4(b"said", b'{"a": 1}', 1, written)]


async def test_a_binary_row_reaches_version_2_alone() -> None:
    core = Core()
    _, old, new = await three(core, private=True)
    found = broadcast_of(inserted(payload=None, binary_payload="\\x00ff"))
    assert found is not None
    core.context.hub.broadcast(found.key, found.message, message_id=found.id)
    assert old.take() == []
    assert new.take()[0].endswith(b"\x00\xff")


@pytest.mark.parametrize("field", ["id", "topic", "event", "private", "inserted_at", "payload"])
def test_a_row_without_what_is_needed_is_not_broadcast(field: str) -> None:
    assert broadcast_of(inserted(**{field: None})) is None
    assert broadcast_of(inserted()) is not None


def test_a_row_of_any_extension_is_broadcast_and_one_to_be_skipped_is_not() -> None:
    assert broadcast_of(inserted(extension="presence")) is not None
    assert broadcast_of(inserted(skip_broadcast="t")) is None
    assert broadcast_of(RowChange(MESSAGES, "UPDATE", ROW, None)) is None


def stored(number: int, **fields: Any) -> StoredBroadcast:
    """A row that is replayed."""
    row = {"event": "said", "payload": '{"n": 1}', "binary_payload": None} | fields
    return StoredBroadcast(id=f"id-{number}", **row)


async def test_replay_follows_the_reply_and_what_was_replayed_does_not_come_live() -> None:
    core = Core()
    core.archive.stored = [stored(1), stored(2)]
    client = core.connect()

    def live(number: int) -> None:
        message = UserMessage(TOPIC, "said", b"{}", True, {"id": f"id-{number}"})
        core.context.hub.broadcast(("room", True), message, message_id=f"id-{number}")

    core.archive.meanwhile = partial(live, 3)
    answers = await client.join(private=True, broadcast={"replay": {"since": 0, "limit": 99}})
    assert core.archive.wishes[0].limit == 25
    assert [each[3] if isinstance(each, list) else "kind 4" for each in answers] == [
        "phx_reply",
        "broadcast",
        "broadcast",
        "kind 4",
    ]
    assert answers[1] == [
        "j1",
        None,
        TOPIC,
        "broadcast",
        {
            "event": "said",
            "payload": {"n": 1},
            "type": "broadcast",
            "meta": {"id": "id-1", "replayed": True},
        },
    ]
    live(2)
    assert client.take() == []
    live(4)
    assert len(client.take()) == 1


async def test_a_binary_replay_is_kind_4_and_skipped_on_version_1() -> None:
    core = Core()
    core.archive.stored = [stored(1, payload=None, binary_payload=b"\x00\x01")]
    old, new = core.connect(V1_0), core.connect()
    config: dict[str, Any] = {"private": True, "broadcast": {"replay": {"since": 0}}}
    assert len(await old.join(**config)) == 1
    answers = await new.join(**config)
    meta = b'{"id":"id-1","replayed":true}'
    assert answers[1] == kind_4(b"said", b"\x00\x01", 0, meta)


@pytest.mark.parametrize("replay", [{}, None, {"since": 1}, 7])
async def test_any_replay_key_on_a_public_channel_fails_the_join(replay: Any) -> None:
    (answer,) = await Core().connect().join(broadcast={"replay": replay})
    text = "UnableToReplayMessages: Replay is not allowed for public channels"
    assert answer[4]["response"] == {"reason": text}


@pytest.mark.parametrize("replay", [{"since": "x"}, {"since": 1.5}, {"since": 1, "limit": "9"}])
async def test_replay_params_that_are_no_integers_fail_the_join(replay: Any) -> None:
    client = Core().connect()
    (answer,) = await client.join(private=True, broadcast={"replay": replay})
    text = "UnableToReplayMessages: Replay params are not valid"
    assert answer[4]["response"] == {"reason": text}
    assert client.session.channels == {}


async def test_replay_needs_the_right_to_read_broadcasts() -> None:
    core = Core()
    core.authorizer.read = {"broadcast": False, "presence": True}
    config: dict[str, Any] = {"private": True, "presence": {"enabled": True}}
    client = core.connect()
    (answer,) = await client.join(broadcast={"replay": {"since": 0}}, **config)
    assert answer[4]["response"]["reason"].startswith("Unauthorized:")
    assert (await client.join(**config))[0][4]["status"] == "ok"
