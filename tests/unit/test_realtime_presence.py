"""Who is there: state, differences, keys, rights and limits."""

from __future__ import annotations

from typing import Any

import pytest

from parley.realtime.channel.roster import Roster, Rosters, make_refs
from parley.realtime.protocol.serializer import V1_0
from parley.realtime.settings import Limits
from tests.unit.realtime_fakes import Client, Core

TOPIC = "realtime:room"
ON = {"enabled": True}


async def track(client: Client, payload: Any, event: str = "track", **fields: Any) -> list[Any]:
    """Push a presence event."""
    body = {"type": "presence", "event": event, "payload": payload} | fields
    return await client.push(TOPIC, "presence", body, ref="9", join_ref="j1")


def ok(status: str = "ok", response: Any = None) -> list[Any]:
    """The answer to a presence event."""
    payload = {"status": status, "response": response or {}}
    return ["j1", "9", TOPIC, "phx_reply", payload]


def names(answers: list[Any]) -> list[str]:
    """The events of a list of frames."""
    return [each[3] if isinstance(each, list) else each["event"] for each in answers]


def test_a_reference_is_sixteen_characters_and_never_comes_twice() -> None:
    next_ref = make_refs()
    refs = [next_ref() for _ in range(1000)]
    assert {len(each) for each in refs} == {16}
    assert len(set(refs)) == 1000


def test_tracking_joins_and_untracking_leaves() -> None:
    roster = Roster(make_refs())
    joins = roster.track("owner", "ann", {"at": 1})
    assert joins is not None
    (meta,) = joins["joins"]["ann"]["metas"]
    assert meta["at"] == 1
    assert joins["leaves"] == {}
    assert roster.state() == {"ann": {"metas": [meta]}}
    assert roster.untrack("owner") == {"joins": {}, "leaves": {"ann": {"metas": [meta]}}}
    assert roster.untrack("owner") is None
    assert not roster


def test_replacing_is_one_diff_with_joins_and_leaves() -> None:
    roster = Roster(make_refs())
    first = roster.track("owner", "ann", {"at": 1})
    second = roster.track("owner", "ann", {"at": 2})
    assert first is not None
    assert second is not None
    old, new = first["joins"]["ann"]["metas"][0], second["joins"]["ann"]["metas"][0]
    assert new["phx_ref"] != old["phx_ref"]
    assert new["phx_ref_prev"] == old["phx_ref"]
    assert second["leaves"] == {"ann": {"metas": [old]}}


def test_the_same_payload_again_makes_no_diff() -> None:
    roster = Roster(make_refs())
    assert roster.track("owner", "ann", {"at": 1}) is not None
    assert roster.track("owner", "ann", {"at": 1}) is None


def test_several_owners_of_a_key_are_several_metas() -> None:
    roster = Roster(make_refs())
    roster.track("phone", "ann", {"at": "phone"})
    roster.track("laptop", "ann", {"at": "laptop"})
    assert [each["at"] for each in roster.state()["ann"]["metas"]] == ["phone", "laptop"]
    roster.untrack("phone")
    assert [each["at"] for each in roster.state()["ann"]["metas"]] == ["laptop"]


def test_a_roster_without_anybody_is_forgotten() -> None:
    rosters = Rosters()
    key = ("room", True)
    rosters.track(key, "owner", "ann", {})
    assert list(rosters.state(key)) == ["ann"]
    rosters.untrack(key, "owner")
    assert rosters.state(key) == {}
    assert rosters.untrack(key, "owner") is None


async def test_the_state_comes_once_after_the_join_when_presence_is_on() -> None:
    core = Core()
    assert names(await core.connect().join()) == ["phx_reply"]
    answers = await core.connect().join(presence=ON)
    assert answers[1] == ["j1", None, TOPIC, "presence_state", {}]


async def test_the_state_has_everybody_who_is_there() -> None:
    core = Core()
    ann, bob = core.connect(), core.connect()
    await ann.join(presence=ON | {"key": "ann"})
    await track(ann, {"mood": "fine"})
    _, state = await bob.join(presence=ON | {"key": "bob"})
    assert state[4]["ann"]["metas"][0]["mood"] == "fine"


@pytest.mark.parametrize(("key", "name"), [(7, "7"), ("x", "x"), (1.5, "1.5")])
async def test_a_key_may_be_a_number_and_is_text_on_the_wire(key: Any, name: str) -> None:
    client = Core().connect()
    await client.join(presence=ON | {"key": key})
    answers = await track(client, {})
    assert list(answers[1][4]["joins"]) == [name]


@pytest.mark.parametrize("key", ["", None])
async def test_without_a_key_the_server_makes_a_uuid(key: Any) -> None:
    client = Core().connect()
    await client.join(presence=ON | {"key": key})
    answers = await track(client, {})
    (made,) = answers[1][4]["joins"]
    assert len(made) == 36


async def test_the_tracker_is_answered_and_gets_its_own_diff() -> None:
    client = Core().connect()
    await client.join(presence=ON | {"key": "ann"})
    answers = await track(client, {"a": 1})
    assert answers[0] == ok()
    assert names(answers) == ["phx_reply", "presence_diff"]
    assert answers[1][:2] == [None, None]
    assert set(answers[1][4]) == {"joins", "leaves"}


@pytest.mark.parametrize("event", ["track", "TRACK", "Track"])
async def test_the_inner_event_is_case_insensitive_and_type_may_be_absent(event: str) -> None:
    client = Core().connect(V1_0)
    await client.join(presence=ON)
    answers = await client.push(TOPIC, "presence", {"event": event, "payload": {}})
    assert names(answers) == ["phx_reply", "presence_diff"]


async def test_untrack_leave_and_disconnect_each_make_a_diff_of_leaves() -> None:
    core = Core()
    watcher = core.connect()
    await watcher.join(presence=ON)
    for leave in ("untrack", "phx_leave", "disconnect"):
        client = core.connect()
        await client.join(presence=ON | {"key": "ann"})
        await track(client, {})
        watcher.take()
        if leave == "untrack":
            assert names(await track(client, {}, "untrack")) == ["phx_reply", "presence_diff"]
        elif leave == "phx_leave":
            assert names(await client.push(TOPIC, "phx_leave", {})) == ["phx_reply", "phx_close"]
        else:
            client.session.close()
        (diff,) = watcher.take()
        assert (diff[3], list(diff[4]["leaves"]), diff[4]["joins"]) == (
            "presence_diff",
            ["ann"],
            {},
        )
        client.session.close()


async def test_in_public_diffs_reach_those_who_did_not_ask_but_states_do_not() -> None:
    core = Core()
    plain, tracker = core.connect(), core.connect()
    assert names(await plain.join()) == ["phx_reply"]
    await tracker.join(presence=ON)
    await track(tracker, {})
    assert names(plain.take()) == ["presence_diff"]


async def test_in_private_diffs_need_the_right_to_read_presence() -> None:
    core = Core()
    asked, not_asked, denied = core.connect(), core.connect(), core.connect()
    await asked.join(private=True, presence=ON)
    await not_asked.join(private=True)
    core.authorizer.read = {"broadcast": True, "presence": False}
    assert names(await denied.join(private=True, presence=ON)) == ["phx_reply"]
    core.authorizer.read = {"broadcast": True, "presence": True}
    tracker = core.connect()
    await tracker.join(private=True, presence=ON)
    await track(tracker, {})
    assert names(asked.take()) == ["presence_state", "presence_diff"][1:]
    assert not_asked.take() == []
    assert denied.take() == []


async def test_a_late_track_switches_presence_on_and_sends_the_state() -> None:
    core = Core()
    client, other = core.connect(), core.connect()
    await client.join(private=True)
    answers = await track(client, {})
    assert names(answers) == ["phx_reply", "presence_state", "presence_diff"]
    assert [each[:3] for each in core.authorizer.asked] == [
        ("read", "room", ("broadcast",)),
        ("read", "room", ("presence",)),
        ("write", "room", ("presence",)),
    ]
    await other.join(private=True, presence=ON)
    await track(other, {})
    (diff,) = client.take()
    assert diff[:2] == ["j1", None]


async def test_a_track_that_may_not_be_written_is_an_error_and_the_channel_lives() -> None:
    core = Core()
    core.authorizer.write = {"broadcast": True, "presence": False}
    client = core.connect()
    await client.join(private=True, presence=ON)
    assert await track(client, {}) == [ok("error")]
    assert list(client.session.channels) == [TOPIC]
    assert core.context.rosters.state(("room", True)) == {}


@pytest.mark.parametrize("payload", [[], "x", 7, None])
async def test_a_track_payload_that_is_no_object_is_refused_and_the_channel_lives(
    payload: Any,
) -> None:
    client = Core().connect()
    await client.join(presence=ON)
    reason = {"reason": "Presence track payload must be a map"}
    assert await track(client, payload) == [ok("error", reason)]
    assert (await track(client, {}))[0] == ok()


async def test_an_unknown_inner_event_is_an_error_and_none_at_all_is_ok() -> None:
    client = Core().connect()
    await client.join(presence=ON)
    assert await track(client, {}, "dance") == [ok("error")]
    assert await client.push(TOPIC, "presence", {}, ref="9") == [ok()]


async def test_too_many_calls_of_a_channel_shut_it() -> None:
    client = Core(Limits(presence_calls=2)).connect()
    await client.join(presence=ON)
    for number in range(2):
        assert (await track(client, {"n": number}))[0] == ok()
    answers = await track(client, {"n": 2})
    assert names(answers) == ["system", "phx_close"]
    assert answers[0][4]["message"] == "Client presence rate limit exceeded"


async def test_too_much_presence_a_second_shuts_the_channel() -> None:
    client = Core(Limits(presence_per_second=0.3)).connect()
    await client.join(presence=ON)
    assert (await track(client, {"n": 1}))[0] == ok()
    answers = await track(client, {"n": 2})
    assert answers[0][4]["message"] == "Too many presence messages per second"
    assert client.session.channels == {}


async def test_a_track_that_is_too_large_shuts_the_channel() -> None:
    client = Core(Limits(payload_bytes=100)).connect()
    await client.join(presence=ON)
    answers = await track(client, {"x": "y" * 100})
    assert answers[0][4]["message"] == "Track message size exceeded"
    assert names(answers) == ["system", "phx_close"]
