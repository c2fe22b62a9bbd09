"""What an open socket, a replay and the REST endpoints give to who lost a room (I5, I7).

Realtime asks the policies when a channel is joined and keeps the answer until another token comes,
so a right that ended ends by the epoch in the topic's name, not by anything Realtime notices.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import jwt
import psycopg
import pytest
from supabase import acreate_client

from parley.stack import Status
from tests.e2e.chat_people import (
    Door,
    Member,
    large_room_of,
    listening,
    room_of,
    signed_up,
    small_room_of,
)
from tests.e2e.realtime_peers import PythonPeer, of_kind
from tests.until import until

SEND = "select realtime.send(%s::jsonb, 'probe', %s, true)"


@asynccontextmanager
async def socket_of(stack: Status, member: Member, token: str = "") -> AsyncIterator[PythonPeer]:
    """Another socket of somebody, with their token; nothing is joined on it."""
    peer = PythonPeer(await acreate_client(stack.api_url, stack.publishable_key))
    await peer.authenticate(token or member.token)
    try:
        yield peer
    finally:
        await peer.close()


async def joins(peer: PythonPeer, topic: str, **broadcast: Any) -> bool:
    """Say whether a private topic can be joined; refused for any reason but rights, it fails."""
    told = await peer.join(topic, private=True, broadcast=broadcast or None)
    if told["status"] == "SUBSCRIBED":
        return True
    await peer.leave(topic)
    assert "Unauthorized: You do not have permissions" in told["message"]
    return False


def heard_on(peer: PythonPeer, topic: str) -> list[dict[str, Any]]:
    """The broadcasts that somebody heard on a topic."""
    return [each for each in of_kind(peer, "broadcast") if each["topic"] == topic]


def seqs_in(broadcasts: list[dict[str, Any]], room_id: str) -> set[int]:
    """The messages of a room that broadcasts carried."""
    return {
        row["seq"]
        for each in broadcasts
        if each["payload"].get("room_id") == room_id
        for row in each["payload"].get("rows", {}).get("messages", [])
    }


# Replay


@pytest.mark.parametrize("is_large", [False, True], ids=["small", "large"])
@pytest.mark.parametrize("end", ["remove_member", "ban_member"])
async def test_replay_brings_nothing_from_after_the_removal(
    stack: Status, end: str, is_large: bool
) -> None:
    since_ms = int(time.time() * 1000) - 60_000
    replay = {"since": since_ms, "limit": 25}
    async with listening(stack, "Ann", "Bob", "Cat") as (ann, bob, cat):
        make_room = large_room_of if is_large else small_room_of
        room_id = await make_room(stack, ann, bob, cat)
        for person in (bob, cat):
            await person.listen(f"room:{room_id}:1")
        before = await ann.send(room_id, "Cat hears this.")
        await cat.hears_message(room_id, before["seq"])
        ended = await ann.call(end, room_id=room_id, user_id=cat.user_id)
        await bob.listen(f"room:{room_id}:2")
        after = await ann.send(room_id, "Cat does not.")
        await bob.hears_message(room_id, after["seq"])
        direct = await ann.call("open_direct", user_id=cat.user_id)
        sorry = await ann.send(direct["id"], "Sorry, Cat.")

        async with socket_of(stack, bob) as stays, socket_of(stack, cat) as lost:
            # Who stays is given it again: by the room, or by their own topic.
            topic = f"room:{room_id}:2" if is_large else f"user:{bob.user_id}:1"
            assert await joins(stays, topic, replay=replay)
            await until(lambda: after["seq"] in seqs_in(heard_on(stays, topic), room_id))

            for gone in (
                *(f"{kind}:{room_id}:{epoch}" for kind in ("room", "live") for epoch in (1, 2, 3)),
                f"user:{cat.user_id}:1",
            ):
                assert not await joins(lost, gone, replay=replay), gone
            own = f"user:{cat.user_id}:2"
            assert await joins(lost, own, replay=replay)
            # Replay goes from old to new, and this came last.
            await until(lambda: sorry["seq"] in seqs_in(heard_on(lost, own), direct["id"]))
            replayed = heard_on(lost, own)
            assert seqs_in(replayed, room_id) == set()
            revs = [
                each["payload"]["to"]
                for each in replayed
                if each["payload"].get("room_id") == room_id
            ]
            assert [rev for rev in revs if rev > ended["rev"]] == []


async def test_replay_brings_back_nothing_that_was_taken_back(stack: Status) -> None:
    async with listening(stack, "Ann", "Bob", "Cat", "Dan") as (ann, bob, cat, dan):
        room_id = await large_room_of(stack, ann, bob, dan)
        topic = f"room:{room_id}:1"
        await bob.listen(topic)
        deleted = await ann.send(room_id, "My number is 4242.")
        edited = await ann.send(room_id, "Meet at nine.")
        for body in ("Meet at ten.", "Meet at eleven."):
            await ann.call("edit_message", room_id=room_id, seq=edited["seq"], body=body)
        await ann.call("delete_message", room_id=room_id, seq=deleted["seq"])
        await ann.call("add_member", room_id=room_id, user_id=cat.user_id)
        last = await ann.send(room_id, "Welcome, Cat.")
        # Who was there heard everything when it was said.
        await bob.hears_message(room_id, last["seq"])
        heard = json.dumps([each.payload for each in bob.heard if each.topic == topic])
        said = ["4242", "at nine", "at ten", "at eleven", "Welcome"]
        assert [words for words in said if words in heard] == said

        async with socket_of(stack, cat) as late:
            assert await joins(late, topic, replay={"since": 0, "limit": 25})
            await until(lambda: last["seq"] in seqs_in(heard_on(late, topic), room_id))
            replayed = json.dumps(heard_on(late, topic))
            assert [words for words in said if words in replayed] == ["at eleven", "Welcome"]


# The tenant


@pytest.mark.parametrize("has_left", [False, True], ids=["member", "left-before"])
async def test_who_leaves_the_tenant_hears_its_public_rooms_no_more(
    stack: Status, has_left: bool
) -> None:
    async with listening(stack, "Ann", "Bob", "Cat") as (ann, bob, cat):
        tenant = await ann.call("create_tenant", name="Club")
        tenant_id = tenant["tenant_id"]
        invite = await ann.call("create_tenant_invite", tenant_id=tenant_id, max_uses=2)
        for person in (bob, cat):
            await person.call("accept_tenant_invite", token=invite["token"])
        room_id = await large_room_of(stack, ann, bob, cat, tenant_id=tenant_id, is_public=True)
        old, new = f"room:{room_id}:1", f"room:{room_id}:2"
        for person in (bob, cat):
            await person.listen(old)
        if has_left:
            # They may come back, so they may listen.
            await cat.call("leave_room", room_id=room_id)
        before = await ann.send(room_id, "Cat hears this.")
        await cat.hears_message(room_id, before["seq"])
        await ann.call("remove_tenant_member", tenant_id=tenant_id, user_id=cat.user_id)
        await bob.listen(new)
        after = await ann.send(room_id, "Cat does not.")
        await bob.hears_message(room_id, after["seq"])
        # The old topic still works; what comes on it next would have come after that message.
        with psycopg.connect(stack.db_url, autocommit=True) as connection:
            connection.execute(SEND, [json.dumps({"n": 1}), old])
        assert await cat.hears(lambda each: each.name == "probe")
        assert "Cat does not." not in json.dumps([each.payload for each in cat.heard])
        async with socket_of(stack, cat) as lost:
            assert not await joins(lost, new)


# The cache


def statuses_of(peer: PythonPeer) -> list[str]:
    """What became of the channels of a socket, in order."""
    return [each["status"] for each in of_kind(peer, "status")]


def other_token(stack: Status, token: str) -> str:
    """The same claims in another token."""
    claims = jwt.decode(token, options={"verify_signature": False})
    return jwt.encode(claims | {"jti": "another"}, stack.jwt_secret, algorithm="HS256")


async def test_the_same_token_again_changes_nothing_and_another_ends_the_channel(
    stack: Status,
) -> None:
    async with listening(stack, "Ann", "Bob", "Cat") as (ann, bob, cat):
        room_id = await large_room_of(stack, ann, bob, cat)
        old, new = f"room:{room_id}:1", f"room:{room_id}:2"
        async with socket_of(stack, cat) as lost:
            assert await joins(lost, old)
            removed = await ann.call("remove_member", room_id=room_id, user_id=cat.user_id)
            await bob.listen(new)
            await lost.authenticate(cat.token)
            after = await ann.send(room_id, "Cat does not hear this.")
            await bob.hears_message(room_id, after["seq"])

            # The channel is as open as it was; there is only nothing on it any more.
            with psycopg.connect(stack.db_url, autocommit=True) as connection:
                connection.execute(SEND, [json.dumps({"n": 1}), old])
            await until(lambda: any(each["event"] == "probe" for each in heard_on(lost, old)))
            assert statuses_of(lost) == ["SUBSCRIBED"]
            *steps, _ = heard_on(lost, old)
            assert [each["payload"]["to"] for each in steps] == [removed["rev"]]
            assert [each["event"] for each in steps] == ["epoch_changed"]
            assert "rows" not in steps[0]["payload"]

            await lost.authenticate(other_token(stack, cat.token))
            await until(lambda: "CLOSED" in statuses_of(lost))
            assert statuses_of(lost) == ["SUBSCRIBED", "CHANNEL_ERROR", "CLOSED"]
            (refusal,) = [each for each in of_kind(lost, "status") if each["message"]]
            assert "You do not have permissions to read" in refusal["message"]

        # Another token does nothing to people who are in the room.
        async with socket_of(stack, bob) as stays:
            assert await joins(stays, new)
            await stays.authenticate(other_token(stack, bob.token))
            message = await ann.send(room_id, "Bob stays.")
            await until(lambda: message["seq"] in seqs_in(heard_on(stays, new), room_id))
            assert statuses_of(stays) == ["SUBSCRIBED"]


async def test_what_an_ex_member_still_says_reaches_nobody_who_moved_on(stack: Status) -> None:
    async with signed_up(stack, "Ann", "Bob", "Cat") as (ann, bob, cat):
        room_id = await room_of(ann, bob, cat)
        old, new = f"live:{room_id}:1", f"live:{room_id}:2"
        presence = {"key": "", "enabled": True}
        async with socket_of(stack, bob) as stays, socket_of(stack, cat) as lost:
            await stays.join(old, private=True, presence={**presence, "key": "bob"})
            await lost.join(
                old, private=True, presence={**presence, "key": "cat"}, broadcast={"self": True}
            )
            await lost.send(old, "typing", {"user_id": cat.user_id})
            await lost.track(old, {"typing": True})
            await until(lambda: len(heard_on(stays, old)) == 1)
            await until(lambda: any("cat" in each["state"] for each in of_kind(stays, "sync")))

            await ann.call("remove_member", room_id=room_id, user_id=cat.user_id)
            await stays.leave(old)
            await stays.join(new, private=True, presence={**presence, "key": "bob"})
            await ann.listen(new)
            stays.heard.clear()
            # Realtime kept the answer that Cat may speak here: she hears herself, alone.
            await lost.send(old, "typing", {"user_id": cat.user_id})
            await until(lambda: len(heard_on(lost, old)) == 2)
            await ann.broadcast(new, "typing")
            await until(lambda: bool(of_kind(stays, "broadcast")))
            assert [each["payload"]["user_id"] for each in of_kind(stays, "broadcast")] == [
                ann.user_id
            ]
            await stays.track(new, {"typing": False})
            await until(lambda: any(each["state"] for each in of_kind(stays, "sync")))
            assert {key for each in of_kind(stays, "sync") for key in each["state"]} == {"bob"}


# REST


@dataclass(frozen=True)
class Broadcasts:
    """The two REST endpoints, as somebody with a token, or with the publishable key alone."""

    stack: Status
    token: str | None

    async def _post(self, path: str, body: Any) -> int:
        headers = {"apikey": self.stack.publishable_key}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        url = f"{self.stack.api_url}/realtime/v1/api/broadcast{path}"
        async with aiohttp.request("POST", url, headers=headers, json=body) as answer:
            return answer.status

    async def single(self, topic: str) -> int:
        """Send one private event; returns the status."""
        return await self._post(f"/{topic}/events/single?private=true", {"forged": True})

    async def batch(self, *topics: str) -> int:
        """Send a private event to each topic at once; returns the status."""
        messages = [
            {"topic": topic, "event": "batch", "payload": {"forged": True}, "private": True}
            for topic in topics
        ]
        return await self._post("", {"messages": messages})


async def test_only_members_send_over_rest_and_only_on_live_topics(
    stack: Status, door: Door
) -> None:
    async with signed_up(stack, "Ann", "Bob", "Cat", "Dan") as (ann, bob, cat, dan):
        room_id = await large_room_of(stack, ann, bob, cat)
        await ann.call("remove_member", room_id=room_id, user_id=cat.user_id)
        (room,) = await door.read(f"rooms?id=eq.{room_id}", token=ann.token)
        live = f"live:{room_id}:2"
        # Topics of the server, each with somebody who is on it.
        server = {
            f"user:{ann.user_id}:1": ann,
            f"user:{bob.user_id}:1": bob,
            f"room:{room_id}:2": bob,
            f"tenant:{room['tenant_id']}:dashboard": bob,
        }
        for topic, person in server.items():
            await person.listen(topic)
        await bob.listen(live)

        senders = {"Ann": ann.token, "Bob": bob.token, "Cat": cat.token, "Dan": dan.token}
        for name, token in (*senders.items(), ("somebody signed out", None)):
            sends = Broadcasts(stack, token)
            is_member = name in ("Ann", "Bob")
            assert [await sends.single(topic) for topic in server] == [403] * len(server), name
            # An ex-member's old topic is refused like the present one.
            assert await sends.single(f"live:{room_id}:1") == 403, name
            assert await sends.single(live) == (202 if is_member else 403), name
            assert await sends.batch(*server, live) == 202, name

        # Everything that was let through is there, and after it a step; so nothing is on its way.
        message = await ann.send(room_id, "Something real.")
        await bob.hears_message(room_id, message["seq"])
        await bob.hears(lambda each: len([e for e in bob.heard if e.topic == live]) == 4)
        forged = [each for each in (*ann.heard, *bob.heard) if "forged" in each.payload]
        assert sorted((each.topic, each.name) for each in forged) == sorted(
            [(live, "single"), (live, "batch")] * 2
        )


# The explanation


async def test_an_owner_is_told_what_a_join_and_a_send_answer(stack: Status) -> None:
    async with signed_up(stack, "Ann", "Bob", "Cat", "Dan") as (ann, bob, cat, dan):
        room_id = await room_of(ann, bob, cat)

        async def agrees(member: Member, topic: str, reason: str) -> None:
            told = await ann.call("explain_access", topic=topic, user_id=member.user_id)
            assert told["reason"] == reason, (member.name, topic)
            async with socket_of(stack, member) as peer:
                assert await joins(peer, topic) is told["may_listen"], (member.name, topic)
            status = await Broadcasts(stack, member.token).single(topic)
            assert status == (202 if told["may_send"] else 403), (member.name, topic)

        for kind in ("room", "live"):
            await agrees(bob, f"{kind}:{room_id}:1", "allowed")
            await agrees(cat, f"{kind}:{room_id}:1", "allowed")
            await agrees(dan, f"{kind}:{room_id}:1", "not_in_room")
        await ann.call("remove_member", room_id=room_id, user_id=cat.user_id)
        for kind in ("room", "live"):
            await agrees(cat, f"{kind}:{room_id}:1", "not_in_room")
            await agrees(cat, f"{kind}:{room_id}:2", "not_in_room")
            await agrees(bob, f"{kind}:{room_id}:1", "old_epoch")
            await agrees(bob, f"{kind}:{room_id}:2", "allowed")
        await ann.call("ban_member", room_id=room_id, user_id=cat.user_id)
        epoch = await ann.room_epoch(room_id)
        for kind in ("room", "live"):
            await agrees(cat, f"{kind}:{room_id}:{epoch}", "banned")
            await agrees(bob, f"{kind}:{room_id}:{epoch}", "allowed")
