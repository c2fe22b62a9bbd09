"""Ann uses supabase-py, Bob and Cat supabase-js: Bob with serializer 1.0.0, Cat with 2.0.0."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from parley.stack import Status
from tests.e2e.chat_people import PASSWORD, Member, signed_up
from tests.e2e.realtime_peers import JavaScriptPeer, PythonPeer, of_kind
from tests.until import until

SCRIPT = Path(__file__).with_name("chat_client.mjs")
VERSIONS = ("1.0.0", "2.0.0")


class JavaScriptMember(JavaScriptPeer):
    """Somebody signed in with supabase-js."""

    user_id: str

    async def sign_in(self, member: Member) -> None:
        """Sign in with the password of an account."""
        self.user_id = await self._ask("signIn", email=member.email, password=PASSWORD)

    async def call(self, name: str, **parameters: Any) -> dict[str, Any]:
        """Call a function; returns data, error and status as supabase-js has them."""
        return dict(await self._ask("call", name=name, parameters=parameters))

    async def call_as(
        self, key: str, user: str, function: str, **parameters: Any
    ) -> dict[str, Any]:
        """Call a function with another key and the header x-parley-user."""
        answer = await self._ask("callAs", key=key, user=user, name=function, parameters=parameters)
        return dict(answer)

    async def read(self, table: str, room_id: str) -> dict[str, Any]:
        """Read a table's rows of a room; returns data, error and status."""
        return dict(await self._ask("read", table=table, room=room_id))

    async def show(self, topic: str) -> str:
        """Track presence; returns what came of it."""
        return str(await self._ask("track", topic=topic, payload={"user_id": self.user_id}))

    async def listen_to_self(self) -> str:
        """Join the topic of one's own steps; returns it."""
        heads = (await self.call("list_heads"))["data"]
        topic = f"user:{self.user_id}:{heads['user']['epoch']}"
        assert (await self.join(topic))["status"] == "SUBSCRIBED"
        return topic


@dataclass(frozen=True)
class Company:
    """Ann with Python, Bob and Cat with JavaScript, and their room."""

    ann: Member
    bob: JavaScriptMember
    cat: JavaScriptMember
    room_id: str

    @property
    def live(self) -> str:
        """The topic of typing and presence."""
        return f"live:{self.room_id}:1"


@asynccontextmanager
async def company(stack: Status) -> AsyncIterator[Company]:
    """New accounts, each on their own topic, in a new room."""
    async with signed_up(stack, "Ann", "Bob", "Cat") as (ann, *accounts):
        nodes = [
            JavaScriptMember(
                version,
                await asyncio.create_subprocess_exec(
                    *("node", "--no-warnings", str(SCRIPT)),
                    *(stack.api_url, stack.publishable_key, version),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    limit=2**24,
                ),
            )
            for version in VERSIONS
        ]
        try:
            bob, cat = nodes
            await asyncio.gather(*(map(JavaScriptMember.sign_in, nodes, accounts)))
            await asyncio.gather(*(each.listen_to_self() for each in (ann, bob, cat)))
            room = await ann.call(
                "create_room", name="Lisbon in May", member_ids=[bob.user_id, cat.user_id]
            )
            yield Company(ann, bob, cat, str(room["id"]))
        finally:
            await asyncio.gather(*(each.close() for each in nodes))


def steps_of(peer: JavaScriptPeer, room_id: str) -> list[dict[str, Any]]:
    """The steps of a room that somebody heard."""
    return [
        each["payload"]
        for each in of_kind(peer, "broadcast")
        if each["payload"].get("room_id") == room_id
    ]


async def test_what_ann_sends_reaches_bob_and_cat_as_the_same_step(stack: Status) -> None:
    async with company(stack) as now:
        message = await now.ann.send(now.room_id, "Olá 🚆")
        scripted = (now.bob, now.cat)
        await until(lambda: all(len(steps_of(each, now.room_id)) == 2 for each in scripted))
        for peer in scripted:
            created, sent = steps_of(peer, now.room_id)
            assert (created["from"], created["to"]) == (0, 1)
            assert (sent["from"], sent["to"], sent["rows"]) == (1, 2, {"messages": [message]})


async def test_what_bob_sends_reaches_ann_and_is_refused_with_slug_and_remedy(
    stack: Status,
) -> None:
    async with company(stack) as now:
        send = {"room_id": now.room_id, "body": "Me too.", "client_id": str(uuid4())}
        answer = await now.bob.call("send_message", **send)
        assert (answer["status"], answer["error"]) == (200, None)
        await now.ann.hears_message(now.room_id, answer["data"]["seq"])
        refused = await now.bob.call("send_message", **send | {"body": "Something else."})
        assert refused["status"] == 409
        assert (refused["error"]["message"], refused["error"]["code"]) == (
            "message_id_reused",
            "PT409",
        )
        assert refused["error"]["hint"]
        rows = await now.cat.read("messages", now.room_id)
        assert [each["body"] for each in rows["data"]] == ["Me too."]


async def test_typing_goes_from_every_client_to_every_client(stack: Status) -> None:
    async with company(stack) as now:
        await now.ann.listen(now.live)
        for peer in (now.bob, now.cat):
            assert (await peer.join(now.live))["status"] == "SUBSCRIBED"
        await now.ann.broadcast(now.live, "typing")
        for peer in (now.bob, now.cat):
            assert await peer.send(now.live, "typing", {"user_id": peer.user_id}) == "ok"

        everybody = {now.ann.user_id, now.bob.user_id, now.cat.user_id}
        scripted = (now.bob, now.cat)
        await until(lambda: all(len(typing_at(each, now.live)) == 2 for each in scripted))
        for peer in scripted:
            assert typing_at(peer, now.live) == everybody - {peer.user_id}
        await until(lambda: sum(each.topic == now.live for each in now.ann.heard) == 2)
        heard = {each.payload["user_id"] for each in now.ann.heard if each.topic == now.live}
        assert heard == everybody - {now.ann.user_id}


def typing_at(peer: JavaScriptPeer, topic: str) -> set[str]:
    """Who was heard typing on a topic."""
    return {
        each["payload"]["user_id"]
        for each in of_kind(peer, "broadcast")
        if (each["topic"], each["event"]) == (topic, "typing")
    }


async def test_presence_shows_everybody_who_is_in_the_room(stack: Status) -> None:
    async with company(stack) as now:
        ann = PythonPeer(now.ann.client)
        everybody = {"ann", "bob", "cat"}
        for name, peer in (("ann", ann), ("bob", now.bob), ("cat", now.cat)):
            joined = await peer.join(
                now.live, private=True, presence={"key": name, "enabled": True}
            )
            assert joined["status"] == "SUBSCRIBED"
            await peer.track(now.live, {"typing": False})
        listeners = (ann, now.bob, now.cat)
        await until(lambda: all(seen_by(each) == everybody for each in listeners))
        await now.cat.leave(now.live)
        await until(lambda: seen_by(ann) == seen_by(now.bob) == {"ann", "bob"})


def seen_by(peer: PythonPeer | JavaScriptPeer) -> set[str]:
    """Who a peer saw when it last heard of presence."""
    syncs = of_kind(peer, "sync")
    return set(syncs[-1]["state"]) if syncs else set()


async def test_nobody_puts_anything_on_a_topic_of_the_server(stack: Status) -> None:
    async with company(stack) as now:
        (room,) = (await now.bob.call("list_rooms"))["data"]
        server = [f"room:{now.room_id}:1", f"tenant:{room['room']['tenant_id']}:dashboard"]
        for topic in (*server, now.live):
            await now.ann.listen(topic)
        wishes: dict[str, Any] = {
            "broadcast": {"ack": True},
            "presence": {"key": "", "enabled": True},
        }
        for peer in (now.bob, now.cat):
            heads = (await peer.call("list_heads"))["data"]
            own = f"user:{peer.user_id}:{heads['user']['epoch']}"
            await peer.leave(own)
            for topic in (own, *server):
                assert (await peer.join(topic, **wishes))["status"] == "SUBSCRIBED"
                assert await peer.send(topic, "changed", {"forged": True}) != "ok"
                assert await peer.show(topic) != "ok"
            assert (await peer.join(now.live, **wishes))["status"] == "SUBSCRIBED"
            assert await peer.send(now.live, "typing", {"user_id": peer.user_id}) == "ok"
            assert await peer.show(now.live) == "ok"
        await until(lambda: sum(each.topic == now.live for each in now.ann.heard) == 2)
        assert [each for each in now.ann.heard if "forged" in each.payload] == []


async def test_who_is_removed_hears_nothing_more_and_is_told_to_drop_the_room(
    stack: Status,
) -> None:
    async with company(stack) as now:
        assert (await now.cat.join(f"room:{now.room_id}:1"))["status"] == "SUBSCRIBED"
        removed = await now.ann.call("remove_member", room_id=now.room_id, user_id=now.cat.user_id)
        message = await now.ann.send(now.room_id, "Without Cat.")
        await until(lambda: steps_of(now.bob, now.room_id)[-1]["to"] == message["rev"])

        # What comes down Cat's socket afterwards shows that nothing is on its way.
        await now.cat.listen_to_self()
        direct = await now.ann.call("open_direct", user_id=now.cat.user_id)
        await until(lambda: bool(steps_of(now.cat, direct["id"])))
        assert max(each["to"] for each in steps_of(now.cat, now.room_id)) == removed["rev"]
        told = [each for each in of_kind(now.cat, "broadcast") if each["event"] == "epoch_changed"]
        ended = [
            each["payload"]["rows"]["memberships"][0] for each in told if "rows" in each["payload"]
        ]
        assert [(each["room_id"], each["left_at"] is None) for each in ended] == [
            (now.room_id, False)
        ]
        assert (await now.cat.join(f"live:{now.room_id}:2"))["status"] == "CHANNEL_ERROR"
        assert (await now.bob.join(f"live:{now.room_id}:2"))["status"] == "SUBSCRIBED"
