"""Who hears and says what on which topic, over open sockets (I5, I7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from parley.stack import Status
from tests.e2e.chat_people import (
    Door,
    Member,
    large_room_of,
    listening,
    room_of,
    small_room_of,
    to_room,
)


async def test_only_members_join_the_topics_of_a_room(people: list[Member]) -> None:
    ann, bob, _, dan = people
    room_id = await room_of(ann, bob)
    for topic in (f"room:{room_id}:1", f"live:{room_id}:1"):
        await bob.listen(topic)
        with pytest.raises(PermissionError):
            await dan.listen(topic)
    with pytest.raises(PermissionError):
        await bob.listen(f"room:{room_id}:2")


async def test_nobody_joins_the_topic_of_somebody_else(people: list[Member]) -> None:
    ann, bob, *_ = people
    with pytest.raises(PermissionError):
        await bob.listen(f"user:{ann.user_id}:1")


async def test_people_speak_on_live_topics_and_nowhere_else(people: list[Member]) -> None:
    ann, bob, *_ = people
    room_id = await room_of(ann, bob)
    server, live = f"room:{room_id}:1", f"live:{room_id}:1"
    for person in (ann, bob):
        await person.listen(server)
        await person.listen(live)
    await bob.broadcast(server, "changed")
    await bob.broadcast(live, "typing")
    typing = await ann.hears(lambda each: each.topic == live)
    assert typing.name == "typing"
    assert not [each for each in ann.heard if each.topic == server]


async def test_a_large_room_speaks_on_its_topic_and_to_who_is_mentioned(stack: Status) -> None:
    async with listening(stack, "Ann", "Bob", "Cat") as (ann, bob, cat):
        room_id = await large_room_of(stack, ann, bob, cat)
        await bob.listen(f"room:{room_id}:1")
        plain = await ann.send(room_id, "For who looks at the room.")
        called = await ann.call(
            "send_message",
            room_id=room_id,
            body="Cat!",
            client_id=str(uuid4()),
            mentions=[cat.user_id],
        )
        assert (await bob.hears_message(room_id, called["seq"])).topic == f"room:{room_id}:1"
        assert (await cat.hears_message(room_id, called["seq"])).topic.startswith("user:")
        heard = [each.payload["to"] for each in cat.heard if each.payload.get("room_id") == room_id]
        assert plain["rev"] not in heard


# I5: whoever loses a room hears nothing of it any more, over any socket


async def end_by_removal(ann: Member, cat: Member, room_id: str) -> None:
    """Ann removes Cat."""
    await ann.call("remove_member", room_id=room_id, user_id=cat.user_id)


async def end_by_ban(ann: Member, cat: Member, room_id: str) -> None:
    """Ann bans Cat."""
    await ann.call("ban_member", room_id=room_id, user_id=cat.user_id)


async def end_by_leaving(_: Member, cat: Member, room_id: str) -> None:
    """Cat leaves."""
    await cat.call("leave_room", room_id=room_id)


@pytest.mark.parametrize("is_large", [False, True], ids=["small", "large"])
@pytest.mark.parametrize("end", [end_by_removal, end_by_ban, end_by_leaving])
async def test_who_loses_a_room_hears_nothing_above_that_number(
    stack: Status, door: Door, end: Callable[..., Any], is_large: bool
) -> None:
    async with listening(stack, "Ann", "Bob", "Cat") as (ann, bob, cat):
        make_room = large_room_of if is_large else small_room_of
        room_id = await make_room(stack, ann, bob, cat)
        for person in (bob, cat):
            await person.listen(f"room:{room_id}:1")
            await person.listen(f"live:{room_id}:1")
        before = await bob.send(room_id, "Cat hears this.")
        await cat.hears_message(room_id, before["seq"])

        await end(ann, cat, room_id)
        path = f"room_members?room_id=eq.{room_id}&user_id=eq.{cat.user_id}"
        (membership,) = await door.read(path, token=cat.token)
        assert membership["left_at"] is not None
        await bob.listen(f"room:{room_id}:2")
        await bob.listen(f"live:{room_id}:2")
        after = await ann.send(room_id, "Cat does not.")
        await bob.hears_message(room_id, after["seq"])
        await bob.broadcast(f"live:{room_id}:2", "typing")

        # A direct message that arrives later shows that nothing is still on its way.
        await cat.listen_to_self()
        direct = await ann.call("open_direct", user_id=cat.user_id)
        sorry = await ann.send(direct["id"], "Sorry, Cat.")
        await cat.hears_message(direct["id"], sorry["seq"])
        numbers = [each.step_of(room_id) or 0 for each in cat.heard]
        assert max(numbers) <= membership["rev"]
        assert not [each for each in cat.heard if each.topic.startswith("live:")]
        told = [each for each in cat.heard if each.name == "epoch_changed"]
        assert f"user:{cat.user_id}:1" in {each.topic for each in told}
        for topic in (f"room:{room_id}:2", f"live:{room_id}:2"):
            with pytest.raises(PermissionError):
                await cat.listen(topic)
        assert await door.read(f"messages?room_id=eq.{room_id}", token=cat.token) == []
        assert await door.read(f"rooms?id=eq.{room_id}", token=cat.token) == []
        refused = await door.call("send_message", to_room()(room_id), token=cat.token)
        assert (refused.status, refused.slug) == (404, "room_not_found")


async def test_who_is_added_again_reads_and_hears_again(stack: Status) -> None:
    async with listening(stack, "Ann", "Cat") as (ann, cat):
        room_id = await room_of(ann, cat)
        await end_by_removal(ann, cat, room_id)
        await cat.listen_to_self()
        await ann.call("add_member", room_id=room_id, user_id=cat.user_id)
        message = await ann.send(room_id, "Welcome back.")
        assert (await cat.hears_message(room_id, message["seq"])).topic.endswith(":2")
