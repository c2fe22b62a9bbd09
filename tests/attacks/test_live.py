"""A live topic is unauthenticated among its members: what one of them can make others see there.

Cat is the victim, with a copy of her own and the room on screen. Ann owns the room, Bob is in it,
and whoever attacks speaks to Realtime without a client of ours.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
import pytest_asyncio

from parley.client import Chat
from parley.stack import Status
from tests.chaos.fault_proxy import FaultProxy
from tests.e2e.chat_people import Member, signed_up
from tests.e2e.chat_people import room_of as open_room
from tests.e2e.sync_people import PASSWORD, bodies
from tests.until import until


class Wire:
    """A socket of somebody's, joined to the live topic of a room."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse, topic: str) -> None:
        self._ws = ws
        self._topic = topic
        self._ref = 1

    async def push(self, event: str, payload: Any) -> dict[str, Any]:
        """Send a frame and return the answer to it, if there is one within a second."""
        self._ref += 1
        ref = str(self._ref)
        frame = {"topic": self._topic, "event": event, "payload": payload}
        await self._ws.send_json({**frame, "ref": ref, "join_ref": "1"})
        try:
            while True:
                answer: dict[str, Any] = await self._ws.receive_json(timeout=1)
                if answer["ref"] == ref:
                    return dict(answer["payload"])
        except TimeoutError:
            return {"status": "silence"}

    async def broadcast(self, payload: Any, event: str = "typing") -> str:
        """Send a broadcast; tells whether it was accepted."""
        fields = {"type": "broadcast", "event": event, "payload": payload}
        return str((await self.push("broadcast", fields))["status"])

    async def flood(self, payloads: Iterable[Any]) -> None:
        """Send broadcasts without waiting for the answers."""
        for payload in payloads:
            fields = {"type": "broadcast", "event": "typing", "payload": payload}
            frame = {"topic": self._topic, "event": "broadcast", "payload": fields}
            await self._ws.send_json({**frame, "ref": None, "join_ref": "1"})

    async def track(self, payload: Any) -> str:
        """Appear; tells whether it was accepted."""
        fields = {"type": "presence", "event": "track", "payload": payload}
        return str((await self.push("presence", fields))["status"])


class Club:
    """The room, the people and the victim's device."""

    def __init__(
        self, stack: Status, members: list[Member], room_id: str, cats: Chat, line: FaultProxy
    ) -> None:
        self.ann, self.bob, self.cat, self.dan = members
        self.room_id = room_id
        self.cats = cats
        self.line = line
        self._stack = stack

    @asynccontextmanager
    async def wire(self, member: Member, key: str | None = None) -> AsyncIterator[Wire]:
        """Somebody's socket on the live topic, with a presence key of their choice."""
        heads = await member.call("list_heads")
        epoch = next(each["epoch"] for each in heads["rooms"] if each["room_id"] == self.room_id)
        topic = f"realtime:live:{self.room_id}:{epoch}"
        url = f"{self._stack.api_url}/realtime/v1/websocket?vsn=1.0.0"
        config = {
            "private": True,
            "broadcast": {"ack": True, "self": False},
            "presence": {"key": key or member.user_id, "enabled": True},
        }
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{url}&apikey={self._stack.publishable_key}") as ws,
        ):
            wire = Wire(ws, topic)
            join = {"config": config, "access_token": member.token}
            assert (await wire.push("phx_join", join))["status"] == "ok"
            yield wire

    async def says(self, body: str) -> None:
        """Ann sends a message, and Cat's device has it without asking for it."""
        await self.ann.send(self.room_id, body)
        await until(lambda: bodies(self.cats, self.room_id)[-1:] == [body])

    @property
    def connections(self) -> int:
        """How often the victim's device has connected to Realtime."""
        return self.line.requests["websocket"]

    def typists(self) -> set[str]:
        """Who types, on the victim's screen."""
        return set(self.cats.typists(self.room_id))

    def present(self) -> set[str]:
        """Who is there, on the victim's screen."""
        return set(self.cats.present(self.room_id))


@pytest_asyncio.fixture
async def club(stack: Status, tmp_path: Path) -> AsyncIterator[Club]:
    """Ann's room with Bob and Cat, on Cat's screen; Dan is a stranger."""
    async with (
        signed_up(stack, "Ann", "Bob", "Cat", "Dan") as members,
        FaultProxy(stack.api_url, 1).serving() as line,
        Chat(line.url, stack.publishable_key, tmp_path / "cat.db") as cats,
    ):
        ann, bob, cat, _ = members
        room_id = await open_room(ann, bob, cat)
        await cats.sign_in(cat.email, PASSWORD)
        await cats.sync()
        cats.open(room_id)
        await until(lambda: cats.is_live and cats.present(room_id) == {cat.user_id})
        yield Club(stack, members, room_id, cats, line)


async def test_a_member_who_may_not_post_is_seen_and_not_heard(club: Club) -> None:
    async with club.wire(club.bob) as wire:
        assert await wire.broadcast({"user_id": club.bob.user_id}) == "ok"
    await until(lambda: club.typists() == {club.bob.user_id})
    await club.ann.call(
        "set_member_role", room_id=club.room_id, user_id=club.bob.user_id, role="reader"
    )
    async with club.wire(club.bob) as wire:
        assert await wire.broadcast({"user_id": club.bob.user_id}) == "error"
        assert await wire.track({}) == "ok"
        await until(lambda: club.present() == {club.bob.user_id, club.cat.user_id})
    await until(lambda: club.present() == {club.cat.user_id})


async def test_a_stranger_does_not_join(club: Club) -> None:
    heads = await club.ann.call("list_heads")
    topic = f"live:{club.room_id}:{heads['rooms'][0]['epoch']}"
    assert (await club.bob.call("explain_access", topic=topic))["may_send"]
    answer = await club.dan.call("explain_access", topic=topic)
    assert (answer["may_listen"], answer["may_send"]) == (False, False)


async def test_who_is_muted_while_they_are_joined_is_not_shown(club: Club) -> None:
    async with club.wire(club.bob) as wire, club.wire(club.ann) as anns:
        assert await wire.broadcast({"user_id": club.bob.user_id}) == "ok"
        await until(lambda: club.typists() == {club.bob.user_id})
        await club.ann.call(
            "mute_member", room_id=club.room_id, user_id=club.bob.user_id, until="infinity"
        )
        await until(lambda: club.typists() == set())
        # Realtime keeps its verdict until the topic is joined anew, and passes it on.
        assert await wire.broadcast({"user_id": club.bob.user_id}) == "ok"
        assert await anns.broadcast({"user_id": club.ann.user_id}) == "ok"
        await until(lambda: club.typists() == {club.ann.user_id})


async def test_nobody_types_in_an_archived_room(club: Club) -> None:
    async with club.wire(club.bob) as wire:
        assert await wire.broadcast({"user_id": club.bob.user_id}) == "ok"
        await until(lambda: club.typists() == {club.bob.user_id})
        await club.ann.call("archive_room", room_id=club.room_id)
        await until(lambda: club.typists() == set())
        assert await wire.broadcast({"user_id": club.bob.user_id}) == "ok"
        await asyncio.sleep(0.3)
        assert club.typists() == set()
    async with club.wire(club.bob) as wire:
        assert await wire.broadcast({"user_id": club.bob.user_id}) == "error"


async def test_only_members_are_shown_whatever_is_claimed(club: Club) -> None:
    async with club.wire(club.bob, key=club.dan.user_id) as wire, club.wire(club.ann) as anns:
        assert await wire.track({"user_id": club.ann.user_id}) == "ok"
        for claimed in (club.dan.user_id, str(uuid4()), club.cat.user_id, club.ann.user_id.upper()):
            assert await wire.broadcast({"user_id": claimed}) == "ok"
        await club.says("after that")
        assert club.typists() == set()
        assert club.present() == {club.cat.user_id}
        # The control, and what remains: a member can claim to be another member.
        assert await anns.track({}) == "ok"
        assert await anns.broadcast({"user_id": club.bob.user_id}) == "ok"
        await until(lambda: club.present() == {club.ann.user_id, club.cat.user_id})
        await until(lambda: club.typists() == {club.bob.user_id})


@pytest.mark.parametrize(
    "payload",
    [
        *([1], "x", 5, None, True, {}, {"user_id": None}, {"user_id": ["x"]}, {"user_id": {}}),
        *({"user_id": "x" * 500_000}, {"user_id": "\x00"}, {"user_id": 10**400}),
        {"from": 0, "to": 10**6, "rows": {"messages": [{}]}},
        {"x" * 2_000_000: 1},
    ],
    ids=lambda payload: str(payload)[:30],
)
async def test_no_payload_costs_a_listener_more_than_that_payload(club: Club, payload: Any) -> None:
    connections = club.connections
    async with club.wire(club.bob) as wire:
        for event in ("typing", "changed", "epoch_changed", "", "*", "x" * 100_000):
            assert await wire.broadcast(payload, event) == "ok"
        assert await wire.track(payload if isinstance(payload, dict) else {"a": payload}) == "ok"
        await club.says("still here")
        assert club.cats.is_live and club.connections == connections
        assert club.typists() == set()
        assert await wire.broadcast({"user_id": club.bob.user_id}) == "ok"
        await until(lambda: club.typists() == {club.bob.user_id})


async def test_odd_presence_of_one_hides_nobody_else(club: Club) -> None:
    async with club.wire(club.bob) as wire, club.wire(club.ann) as anns:
        assert await wire.track({"phx_ref_prev": 5, "metas": 1, "presence_ref": []}) == "ok"
        assert await anns.track({}) == "ok"
        everybody = {club.ann.user_id, club.bob.user_id, club.cat.user_id}
        await until(lambda: club.present() == everybody)


async def test_a_flood_of_claims_shows_nobody_and_hides_nobody(club: Club) -> None:
    async with club.wire(club.bob) as wire:
        await wire.flood({"user_id": str(uuid4()), "more": "x" * 200} for _ in range(300))
        await club.says("after the flood")
        assert club.typists() == set()
        assert await wire.broadcast({"user_id": club.bob.user_id}) == "ok"
        await until(lambda: club.typists() == {club.bob.user_id})


async def test_somebody_who_is_muted_does_not_say_that_they_type(club: Club) -> None:
    # Whom the server silences nobody hears, so the line tells whether the device tried to speak.
    await club.ann.call(
        "mute_member", room_id=club.room_id, user_id=club.cat.user_id, until="infinity"
    )
    await club.says("you are muted")
    await club.cats.typing(club.room_id)
    await club.ann.call("unmute_member", room_id=club.room_id, user_id=club.cat.user_id)
    await club.says("you are not")
    assert club.line.sent["broadcast"] == 0
    await club.cats.typing(club.room_id)
    await until(lambda: club.line.sent["broadcast"] == 1)
