"""One socket: heartbeats, joins, leaves, and the order in which things go over the wire."""

from __future__ import annotations

import json
from typing import Any

import pytest

from parley.realtime.database.errors import (
    CanceledError,
    PartitionError,
    PolicyError,
    UnreachableError,
)
from parley.realtime.protocol.serializer import V1_0, V2_0
from parley.realtime.settings import Limits
from tests.unit.realtime_fakes import Core, make_token
from tests.until import until

TOPIC = "realtime:room"


def reply(
    ref: Any, status: str, response: Any, *, join_ref: Any = None, topic: str = TOPIC
) -> list[Any]:
    """A reply as version 2 writes it."""
    return [join_ref, ref, topic, "phx_reply", {"status": status, "response": response}]


def joined(join_ref: Any = "j1", changes: Any = ()) -> list[Any]:
    """The answer to a join that was let in."""
    return reply(join_ref, "ok", {"postgres_changes": list(changes)}, join_ref=join_ref)


def refused(reason: str, join_ref: Any = "j1", topic: str = TOPIC) -> list[Any]:
    """The answer to a join that was not."""
    return reply(join_ref, "error", {"reason": reason}, join_ref=join_ref, topic=topic)


def closed(join_ref: Any = "j1") -> list[Any]:
    """The end of a channel."""
    return [join_ref, join_ref, TOPIC, "phx_close", {}]


def system(status: str, message: str, *, extension: str = "system") -> list[Any]:
    """A system event with its four keys."""
    payload = {"extension": extension, "status": status, "message": message, "channel": "room"}
    return ["j1", None, TOPIC, "system", payload]


async def test_a_heartbeat_is_answered_with_its_own_ref() -> None:
    client = Core().connect()
    assert await client.push("phoenix", "heartbeat", {}, ref="9") == [
        reply("9", "ok", {}, topic="phoenix")
    ]


async def test_a_heartbeat_with_a_null_ref_is_answered_with_a_null_ref() -> None:
    client = Core().connect(V1_0)
    payload = {"status": "ok", "response": {}}
    assert await client.push("phoenix", "heartbeat", {}, ref=None) == [
        {"topic": "phoenix", "event": "phx_reply", "payload": payload, "ref": None}
    ]


async def test_a_join_is_answered_with_an_empty_list_of_tables() -> None:
    client = Core().connect()
    assert await client.join() == [joined()]


async def test_version_1_never_writes_join_ref() -> None:
    client = Core().connect(V1_0)
    (answer,) = await client.join()
    assert answer == {
        "topic": TOPIC,
        "event": "phx_reply",
        "payload": {"status": "ok", "response": {"postgres_changes": []}},
        "ref": "j1",
    }


@pytest.mark.parametrize(
    ("topic", "event"), [("room", "phx_join"), (TOPIC, "broadcast"), ("phoenix", "x")]
)
async def test_an_event_on_a_topic_that_is_not_joined_is_unmatched(topic: str, event: str) -> None:
    client = Core().connect()
    assert await client.push(topic, event, {}, ref="3") == [
        reply("3", "error", {"reason": "unmatched topic"}, topic=topic)
    ]


async def test_leaving_replies_before_it_closes() -> None:
    client = Core().connect()
    await client.join()
    assert await client.push(TOPIC, "phx_leave", {}, ref="2", join_ref="j1") == [
        reply("2", "ok", {}, join_ref="j1"),
        closed(),
    ]
    assert client.session.channels == {}


async def test_leaving_a_topic_that_is_not_joined_is_ok_and_closes_nothing() -> None:
    client = Core().connect()
    assert await client.push(TOPIC, "phx_leave", {}, ref="2") == [reply("2", "ok", {})]


async def test_a_second_join_is_answered_first_and_then_the_old_join_is_closed() -> None:
    client = Core().connect()
    await client.join(join_ref="old")
    assert await client.join(join_ref="new") == [joined("new"), closed("old")]
    await client.push(TOPIC, "broadcast", {"event": "e", "payload": {}}, join_ref="new")
    assert list(client.session.channels) == [TOPIC]


async def test_what_follows_a_second_join_comes_after_the_old_one_is_closed() -> None:
    client = Core().connect()
    await client.join(join_ref="old", presence={"enabled": True})
    answers = await client.join(join_ref="new", presence={"enabled": True})
    assert [(each[0], each[3]) for each in answers] == [
        ("new", "phx_reply"),
        ("old", "phx_close"),
        ("new", "presence_state"),
    ]


async def test_a_refusal_that_is_delayed_still_comes_before_the_old_one_is_closed() -> None:
    core = Core(Limits(channel_error_delay_s=0.05))
    client = core.connect()
    await client.join(join_ref="old", private=True)
    core.authorizer.read = {"broadcast": False, "presence": False}
    assert await client.join(join_ref="new", private=True) == []
    await until(lambda: len(client.listener.frames) == 2)
    assert [(each[0], each[3]) for each in client.take()] == [
        ("new", "phx_reply"),
        ("old", "phx_close"),
    ]


async def test_a_second_join_that_is_refused_still_closes_the_old_one() -> None:
    core = Core()
    client = core.connect()
    await client.join(join_ref="old", private=True)
    core.authorizer.read = {"broadcast": False, "presence": False}
    answers = await client.join(join_ref="new", private=True)
    assert [each[3] for each in answers] == ["phx_reply", "phx_close"]
    assert answers[0][4]["status"] == "error"
    assert client.session.channels == {}


async def test_close_carries_a_null_ref_for_a_version_1_client_without_join_ref() -> None:
    client = Core().connect(V1_0)
    await client.push(TOPIC, "phx_join", {"config": {}}, ref="1")
    answers = await client.push(TOPIC, "phx_leave", {}, ref="2")
    assert [(each["event"], each["ref"]) for each in answers] == [
        ("phx_reply", "2"),
        ("phx_close", None),
    ]


async def test_a_push_with_a_wrong_or_missing_join_ref_is_still_done() -> None:
    client = Core().connect()
    await client.join(broadcast={"ack": True})
    for join_ref in ("stale", None):
        payload = {"type": "broadcast", "event": "e", "payload": {}}
        answers = await client.push(TOPIC, "broadcast", payload, ref="5", join_ref=join_ref)
        assert answers == [reply("5", "ok", {}, join_ref="j1")]


async def test_an_unknown_event_on_a_joined_topic_is_not_answered() -> None:
    client = Core().connect()
    await client.join()
    assert await client.push(TOPIC, "typing", {}) == []


async def test_a_malformed_frame_is_dropped_and_the_socket_lives_on() -> None:
    client = Core().connect()
    for frame in ("", "{", "[]", b"\x03\xff", '{"topic":"phoenix"}'):
        await client.session.receive(frame)
    assert client.take() == []
    assert await client.push("phoenix", "heartbeat", {}, ref="1") != []


@pytest.mark.parametrize(
    "payload", [None, [], "x", 7, {"config": None}, {"config": {"broadcast": 7}}]
)
async def test_an_invalid_payload_never_fails_a_join_by_itself(payload: Any) -> None:
    client = Core().connect()
    assert await client.push(TOPIC, "phx_join", payload, ref="j1", join_ref="j1") == [joined()]


async def test_a_join_without_config_asks_for_the_table_that_its_topic_names() -> None:
    client = Core().connect()
    topic = "realtime:public:notes:id=eq.1"
    (answer,) = await client.push(topic, "phx_join", {}, ref="1", join_ref="1")
    (entry,) = answer[4]["response"]["postgres_changes"]
    assert entry.pop("id")
    assert entry == {"schema": "public", "table": "notes", "filter": "id=eq.1"}


@pytest.mark.parametrize("flag", [True, "true", "TRUE"])
async def test_flags_may_be_strings_in_any_case(flag: Any) -> None:
    client = Core().connect()
    await client.join(broadcast={"ack": flag, "self": "False"})
    answers = await client.push(TOPIC, "broadcast", {"event": "e", "payload": {}}, ref="2")
    assert answers == [reply("2", "ok", {}, join_ref="j1")]


async def test_a_topic_without_a_name_is_refused() -> None:
    client = Core().connect()
    reason = "TopicNameRequired: You must provide a topic name"
    assert await client.join("realtime:") == [refused(reason, topic="realtime:")]


async def test_a_private_topic_that_may_not_be_read_is_refused() -> None:
    core = Core()
    core.authorizer.read = {"broadcast": False, "presence": False}
    client = core.connect()
    text = "Unauthorized: You do not have permissions to read from this Channel topic: room"
    assert await client.join(private=True) == [refused(text)]
    assert client.session.channels == {}
    core.authorizer.read = {"broadcast": True, "presence": False}
    assert await client.join(private=True) == [joined()]


async def test_one_right_to_read_is_enough_to_join() -> None:
    core = Core()
    core.authorizer.read = {"broadcast": False, "presence": True}
    client = core.connect()
    answers = await client.join(private=True, presence={"enabled": True})
    assert [each[3] for each in answers] == ["phx_reply", "presence_state"]


async def test_presence_is_probed_only_when_it_is_asked_for() -> None:
    core = Core()
    client = core.connect()
    await client.join(private=True)
    await client.join(private=True, presence={"enabled": True})
    assert [each[2] for each in core.authorizer.asked] == [
        ("broadcast",),
        ("broadcast", "presence"),
    ]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            PolicyError(),
            "Unauthorized: You do not have permissions to read from this Channel topic: room",
        ),
        (
            PartitionError(),
            "MissingPartition: Realtime was unable to find the expected messages partition",
        ),
        (
            UnreachableError(),
            "UnableToConnectToProject: Realtime was unable to connect to the project database",
        ),
        (CanceledError(), "QueryCanceled: Query was cancelled, please try again"),
    ],
)
async def test_a_database_that_cannot_say_refuses_with_its_code(error: Any, reason: str) -> None:
    core = Core()
    core.authorizer.error = error
    assert await core.connect().join(private=True) == [refused(reason)]


async def test_a_public_join_needs_a_database_too() -> None:
    core = Core()
    core.database_error = UnreachableError()
    (answer,) = await core.connect().join()
    assert answer[4]["response"]["reason"].startswith("UnableToConnectToProject:")
    core.database_error = None
    assert await core.connect().join() == [joined()]


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("x", "MalformedJWT: The token provided is not a valid JWT"),
        ("", "MalformedJWT: The token provided is not a valid JWT"),
        (make_token(role=None), "InvalidJWTToken: Fields `role` and `exp` are required in JWT"),
        (
            make_token()[:-8] + "AAAAAAAA",
            "JwtSignatureError: Failed to validate JWT signature",
        ),
    ],
)
async def test_a_bad_token_refuses_the_join(token: str, reason: str) -> None:
    assert await Core().connect().join(access_token=token) == [refused(reason)]


async def test_an_expired_token_is_refused_with_its_age() -> None:
    (answer,) = await Core().connect().join(access_token=make_token(lasts_s=-10))
    assert answer == refused("InvalidJWTToken: Token has expired 10 seconds ago")


async def test_an_opaque_key_as_access_token_means_the_connections_own() -> None:
    core = Core()
    client = core.connect(token=make_token("anon", sub="of the key"))
    await client.join(private=True, access_token="sb_publishable_anything")
    await client.join(private=True)
    await client.join(private=True, access_token=make_token(sub="of the user"))
    assert [each[3] for each in core.authorizer.asked] == [
        "of the key",
        "of the key",
        "of the user",
    ]


async def test_user_token_wins_over_access_token() -> None:
    core = Core()
    client = core.connect()
    payload = {
        "config": {"private": True},
        "access_token": make_token(sub="a"),
        "user_token": make_token(sub="u"),
    }
    await client.push(TOPIC, "phx_join", payload)
    assert core.authorizer.asked[0][3] == "u"


async def test_tables_are_echoed_with_an_id_and_nulls_are_dropped() -> None:
    core = Core()
    client = core.connect()
    entry = {"event": "*", "schema": "public", "table": "t", "filter": None, "own": [1]}
    (answer,) = await client.join(postgres_changes=[entry, None, entry])
    first, second = answer[4]["response"]["postgres_changes"]
    assert first == second == entry | {"id": first["id"]}
    assert isinstance(first["id"], int)
    assert first["id"] > 0


async def test_a_project_without_public_access_takes_private_channels_only() -> None:
    client = Core(Limits(private_only=True)).connect()
    reason = "PrivateOnly: This project only allows private channels"
    assert await client.join("realtime:a") == [refused(reason, topic="realtime:a")]
    assert (await client.join("realtime:a", private=True))[0][4]["status"] == "ok"


async def test_the_limit_of_channels_refuses_the_next_one() -> None:
    client = Core(Limits(channels_per_connection=1)).connect()
    assert await client.join("realtime:a") == [
        reply("j1", "ok", {"postgres_changes": []}, join_ref="j1", topic="realtime:a")
    ]
    reason = "ChannelRateLimitReached: Too many channels"
    assert await client.join("realtime:b") == [refused(reason, topic="realtime:b")]
    await client.push("realtime:a", "phx_leave", {})
    assert (await client.join("realtime:b"))[0][4]["status"] == "ok"


async def test_the_limit_of_connections_counts_sockets_with_a_channel() -> None:
    core = Core(Limits(connections=1))
    first, second = core.connect(), core.connect()
    await first.join()
    assert await second.join() == [refused("ConnectionRateLimitReached: Too many connected users")]
    assert (await first.join("realtime:other"))[0][4]["status"] == "ok"
    first.session.close()
    assert await second.join() == [joined()]


async def test_too_many_joins_a_second_refuse_and_close_the_socket() -> None:
    client = Core(Limits(joins_per_second=0.2)).connect()
    assert await client.join() == [joined()]
    reason = "ClientJoinRateLimitReached: Too many joins per second"
    answers = await client.join("realtime:b")
    assert answers == [refused(reason, topic="realtime:b")]
    assert [each.code for each in client.listener.closes] == [1001]


async def test_a_crash_ends_the_channel_with_phx_error() -> None:
    core = Core()
    client = core.connect()
    await client.join(private=True)

    async def crash(*_: object) -> None:
        raise ZeroDivisionError

    core.authorizer.writable = crash  # type: ignore[assignment, method-assign]
    answers = await client.push(TOPIC, "broadcast", {"event": "e", "payload": {}})
    assert answers == [["j1", "j1", TOPIC, "phx_error", {}]]
    assert client.session.channels == {}


async def test_public_and_private_topics_of_one_name_are_two_topics() -> None:
    core = Core()
    public, private, other = core.connect(), core.connect(), core.connect()
    await public.join()
    await private.join(private=True)
    await other.join(private=True)
    payload = {"type": "broadcast", "event": "e", "payload": {"n": 1}}
    await private.push(TOPIC, "broadcast", payload)
    assert public.take() == []
    assert other.take() == [[None, None, TOPIC, "broadcast", payload]]


@pytest.mark.parametrize("serializer", [V1_0, V2_0])
async def test_closing_the_socket_leaves_everything(serializer: Any) -> None:
    core = Core()
    client = core.connect(serializer)
    await client.join()
    await client.join("realtime:other", presence={"enabled": True})
    client.session.close()
    client.session.close()
    assert core.context.sessions == set()
    assert list(core.context.hub.members(("room", False))) == []
    assert json.loads(dumps_gauge(core)) == [0.0, 0.0]


def dumps_gauge(core: Core) -> str:
    """The gauges of sockets and channels."""
    text = core.context.metrics.text().decode()
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return json.dumps([float(lines["realtime_sockets"]), float(lines["realtime_channels"])])


async def test_replication_ready_is_told_once_when_it_is() -> None:
    client = Core().connect()
    assert await client.join(broadcast={"replication_ready": True}) == [joined()]
    (channel,) = client.session.channels.values()
    (task,) = channel.tasks
    await task
    assert client.take() == [system("ok", "Replication connection established")]


async def test_tables_are_announced_after_the_reply() -> None:
    core = Core()
    client = core.connect()
    answers = await client.join(postgres_changes=[{"schema": "public"}])
    assert [each[3] for each in answers] == ["phx_reply"]
    (channel,) = client.session.channels.values()
    (task,) = channel.tasks
    await task
    assert client.take() == [system("ok", "Subscribed to PostgreSQL", extension="postgres_changes")]


async def test_waiting_for_tables_holds_the_reply_and_a_refusal_fails_the_join() -> None:
    core = Core()
    client = core.connect()
    options: dict[str, Any] = {
        "postgres_changes": [{"schema": "x"}],
        "postgres_changes_options": {"wait": True},
    }
    answers = await client.join(**options)
    assert [each[3] for each in answers] == ["phx_reply", "system"]
    core.tables.refusal = "no such table"
    assert await client.join(join_ref="j2", **options) == [
        refused("RealtimeDisabledForConfiguration: no such table", "j2"),
        closed(),
    ]
