"""Devices and presence, through the front door and over sockets."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from parley.errors import RoomNotFound
from parley.stack import Status
from tests.e2e.chat_people import Door, Event, Member, listening, room_of


def is_presence_of(member: Member) -> object:
    """Match the event that says until when somebody is online."""

    def matches(event: Event) -> bool:
        return event.name == "presence" and event.payload["user_id"] == member.user_id

    return matches


async def test_the_other_person_of_a_direct_room_hears_that_somebody_is_online(
    stack: Status,
) -> None:
    async with listening(stack, "Ann", "Bob", "Cat") as (ann, bob, cat):
        await ann.call("open_direct", user_id=bob.user_id)
        await room_of(ann, bob, cat)
        await ann.call("heartbeat", device_id="laptop")
        event = await bob.hears(is_presence_of(ann))  # type: ignore[arg-type]
        left = datetime.fromisoformat(event.payload["online_until"]) - datetime.now(UTC)
        assert 60 < left.total_seconds() < 80
        seen = await cat.call("list_presence", user_ids=[ann.user_id, bob.user_id])
        assert {each["user_id"]: each["is_online"] for each in seen} == {
            ann.user_id: True,
            bob.user_id: False,
        }
        room = await bob.call("create_room", name="After", member_ids=[cat.user_id])
        await cat.hears(lambda each: each.step_of(room["id"]) is not None)
        assert not [each for each in cat.heard if each.name == "presence"]


async def test_a_lease_names_a_room_of_its_person_only(people: list[Member]) -> None:
    ann, bob, *_ = people
    room_id = await room_of(ann)
    assert (await ann.call("heartbeat", device_id="x", room_id=room_id))["room_id"] == room_id
    with pytest.raises(RoomNotFound):
        await bob.call("heartbeat", device_id="x", room_id=room_id)


async def test_a_push_token_is_shown_to_nobody(people: list[Member], door: Door) -> None:
    ann, bob, *_ = people
    device = await ann.call(
        "register_device",
        device_id="phone",
        platform="ios",
        push_provider="expo",
        push_token="ExponentPushToken[secret-of-ann]",
    )
    assert device["is_active"] and "secret-of-ann" not in str(device)
    for token in (ann.token, bob.token):
        rows = await door.read("devices", token=token)
        assert bool(rows) == (token == ann.token)
        assert "secret-of-ann" not in str(rows)
    answer = await door.request("GET", "push_tokens", token=ann.token)
    assert answer.status in (404, 406)
