"""What others send on a live topic is held against the copy, bounded, and soon forgotten."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

from parley.sync.database import Database
from parley.sync.membership import Membership
from parley.sync.realtime_client import LARGEST_FRAME, Client, Topic
from parley.sync.roster import MOST_DEVICES, MOST_PEOPLE, Roster, is_user_id
from parley.sync.socket import Socket
from parley.sync.typists import MOST_TYPISTS, TYPING_LASTS_S, Typists

ANN, BOB, CAT = (str(UUID(int=number)) for number in (1, 2, 3))
ROOM = str(UUID(int=9))


def state(*people: str, ref: str = "r") -> dict[str, Any]:
    """A presence state with one device each."""
    return {each: {"metas": [{"phx_ref": f"{ref}-{each}", "user_id": BOB}]} for each in people}


GARBAGE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([ANN]),
    lambda each: st.lists(each) | st.dictionaries(st.text() | st.sampled_from([ANN]), each),
)


class TestRoster:
    """Who is on a topic."""

    def test_people_come_and_go_with_their_devices(self) -> None:
        roster = Roster()
        roster.replace(state(ANN, BOB))
        roster.apply({"joins": state(ANN, ref="second"), "leaves": {}})
        roster.apply({"joins": {}, "leaves": state(ANN, BOB)})
        assert roster.people == {ANN}
        roster.apply({"joins": {}, "leaves": state(ANN, ref="second")})
        assert roster.people == frozenset()

    def test_a_device_that_tracks_anew_stays(self) -> None:
        roster = Roster()
        roster.replace(state(ANN))
        roster.apply({"joins": state(ANN, ref="new"), "leaves": state(ANN)})
        assert roster.people == {ANN}

    @pytest.mark.parametrize(
        "key", ["", "Bob", str(UUID(int=10)).upper(), f"{ANN} ", f"{ANN}\n", "x" * 10**6]
    )
    def test_a_key_that_is_no_id_of_a_user_is_left_out(self, key: str) -> None:
        roster = Roster()
        roster.replace(state(key, BOB))
        assert roster.people == {BOB}

    def test_what_one_topic_keeps_is_bounded(self) -> None:
        roster = Roster()
        roster.replace(state(*(str(uuid4()) for _ in range(MOST_PEOPLE + 10))))
        assert len(roster.people) == MOST_PEOPLE
        metas = [{"phx_ref": str(number)} for number in range(MOST_DEVICES * 2)]
        roster.replace({ANN: {"metas": [*metas, {"phx_ref": "x" * 1000}, {"phx_ref": 5}]}})
        # What is kept of the devices are as many as may be: once those leave, nobody is there.
        kept = sorted(str(number) for number in range(MOST_DEVICES * 2))[:MOST_DEVICES]
        for some, people in ((kept[1:], {ANN}), (kept[:1], set())):
            roster.apply({"leaves": {ANN: {"metas": [{"phx_ref": ref} for ref in some]}}})
            assert roster.people == people

    @given(GARBAGE)
    def test_nothing_that_is_sent_raises(self, value: Any) -> None:
        roster = Roster()
        roster.replace(state(ANN))
        roster.apply(value)
        roster.apply({"joins": value, "leaves": value})
        roster.replace(value)
        assert all(is_user_id(each) for each in roster.people)


class TestTypists:
    """Who types."""

    def test_they_are_forgotten_after_six_seconds(self) -> None:
        now = 0.0
        typists = Typists(lambda: now)
        typists.note(ANN)
        now = TYPING_LASTS_S - 1
        typists.note(BOB)
        assert typists.people == {ANN, BOB}
        now = TYPING_LASTS_S
        assert typists.people == {BOB}
        assert len(typists) == 1

    def test_of_too_many_those_who_typed_last_are_remembered(self) -> None:
        typists = Typists(lambda: 0.0)
        people = [str(uuid4()) for _ in range(MOST_TYPISTS * 3)]
        for each in people:
            typists.note(each)
        typists.note(people[-2])
        assert len(typists) == MOST_TYPISTS
        assert typists.people == set(people[-MOST_TYPISTS:])


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A copy with one open room."""
    database = Database(tmp_path / "chat.db")
    put_room(database, archived_at=None)
    yield database
    database.close()


def put_room(database: Database, **columns: Any) -> None:
    """Keep the row of the room."""
    statement = "insert or replace into rooms (room_id, rev, row) values (?, 1, ?)"
    with database.transaction():
        database.execute(statement, (ROOM, json.dumps(columns)))


def put_member(database: Database, user_id: str, **columns: Any) -> None:
    """Keep the row of a member."""
    row = {"role": "member", "left_at": None, "muted_until": None, **columns}
    statement = "insert or replace into members (room_id, user_id, rev, row) values (?, ?, 1, ?)"
    with database.transaction():
        database.execute(statement, (ROOM, user_id, json.dumps(row)))


class TestStanding:
    """Who is a member, and who may post now."""

    NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)

    def standing(self, database: Database) -> tuple[set[str], set[str]]:
        """Members and posters of those whom somebody claimed to be."""
        standing = Membership(database, lambda: self.NOW)
        claimed = [ANN, BOB, CAT, str(uuid4())]
        return set(standing.members(ROOM, claimed)), set(standing.posters(ROOM, claimed))

    def test_a_member_is_both_and_a_stranger_is_neither(self, database: Database) -> None:
        put_member(database, ANN)
        assert self.standing(database) == ({ANN}, {ANN})
        assert Membership(database).members(str(uuid4()), [ANN]) == frozenset()
        assert Membership(database).members(ROOM, []) == frozenset()

    @pytest.mark.parametrize(
        "columns",
        [
            {"role": "reader"},
            {"muted_until": "2026-11-28T12:00:01+00:00"},
            {"muted_until": "9999-12-31T00:00:00+00:00"},
            {"muted_until": "whenever"},
            {"muted_until": 5},
        ],
    )
    def test_who_may_not_post_is_a_member_only(
        self, database: Database, columns: dict[str, Any]
    ) -> None:
        put_member(database, ANN)
        put_member(database, BOB, **columns)
        assert self.standing(database) == ({ANN, BOB}, {ANN})

    def test_a_mute_that_is_over_silences_nobody(self, database: Database) -> None:
        put_member(database, BOB, muted_until="2026-11-28T11:59:59+00:00")
        assert self.standing(database) == ({BOB}, {BOB})

    def test_who_left_is_nobody(self, database: Database) -> None:
        put_member(database, BOB, left_at="2026-11-28T11:00:00+00:00")
        assert self.standing(database) == (set(), set())

    def test_in_an_archived_room_nobody_posts(self, database: Database) -> None:
        put_member(database, ANN)
        put_room(database, archived_at="2026-11-28T11:00:00+00:00")
        assert self.standing(database) == ({ANN}, set())

    def test_in_a_closed_room_nobody_is_seen(self, database: Database) -> None:
        put_member(database, ANN)
        put_room(database, archived_at=None, is_closed=False)
        assert self.standing(database) == ({ANN}, {ANN})
        put_room(database, archived_at=None, is_closed=True)
        assert self.standing(database) == (set(), set())


class Heard:
    """A topic of a client that is not connected, and what was heard on it."""

    NAME = "live:r:1"

    def __init__(self) -> None:
        self.events: list[tuple[str, str, Any]] = []
        self.client = Client("ws://localhost/realtime/v1", "key")
        self.topic = Topic(self.client, f"realtime:{self.NAME}")
        self.topic.roster, self.topic.hear = Roster(), self._hear
        self.client.channels[self.topic.topic] = self.topic

    def _hear(self, topic: str, event: str, payload: Any) -> None:
        self.events.append((topic, event, payload))

    def take(self, event: str, payload: str) -> None:
        """Let a frame come in."""
        topic = json.dumps(self.topic.topic)
        self.client.take(f'{{"topic":{topic},"event":"{event}","ref":null,"payload":{payload}}}')


def broadcast(payload: str) -> str:
    """The payload of a frame with a broadcast."""
    return f'{{"type":"broadcast","event":"typing","payload":{payload}}}'


class TestFrames:
    """What the library cannot read costs that frame."""

    @pytest.mark.parametrize(
        "payload",
        [
            *("[1]", '"x"', "5", "null", "{", '{"a":' * 5000 + "1" + "}" * 5000),
            *('{"a":' + "9" * 5000 + "}", '{"a":"\\ud800"}', "NaN", ""),
        ],
    )
    def test_an_odd_broadcast_is_passed_over(self, payload: str) -> None:
        heard = Heard()
        heard.take("broadcast", broadcast(payload))
        heard.take("broadcast", '{"event":5}')
        assert heard.events == []
        heard.take("broadcast", broadcast(f'{{"user_id":"{ANN}"}}'))
        assert heard.events == [(Heard.NAME, "typing", {"user_id": ANN})]

    @pytest.mark.parametrize(
        "odd",
        ['"phx_ref_prev":5', '"a":' + "9" * 5000, '"a":"\\ud800"', '"a":' + "[" * 300 + "]" * 300],
    )
    def test_an_odd_entry_hides_nobody_else_from_presence(self, odd: str) -> None:
        heard = Heard()
        entry = f'{{"metas":[{{"phx_ref":"1",{odd}}}]}}'
        fair = '{"metas":[{"phx_ref":"2"}]}'
        heard.take("presence_state", f'{{"{BOB}":{entry},"{ANN}":{fair}}}')
        assert heard.topic.roster.people == {ANN, BOB}
        heard.take("presence_diff", f'{{"joins":{{"{CAT}":{entry}}},"leaves":{{"{ANN}":{fair}}}}}')
        assert heard.topic.roster.people == {BOB, CAT}

    def test_frames_of_no_form_are_passed_over(self) -> None:
        heard = Heard()
        for frame in ("", "[]", "null", b"\xff\x00", '{"event":"presence_diff"}', "[" * 10**5):
            heard.client.take(frame)
        assert heard.events == []


USER_TOPIC, LIVE_TOPIC = "user:r:1", "live:r:1"


class Peer:
    """A Realtime that lets everybody in, and a socket that has joined two topics of it."""

    def __init__(self, url: str, wires: list[web.WebSocketResponse]) -> None:
        self.wires = wires
        self.events: list[Any] = []
        self.heard = asyncio.Event()
        self.fell: list[str] = []
        self.socket = Socket(url, "key", self._hear, self.fell.append)

    def _hear(self, *event: Any) -> None:
        self.events.append(event)
        self.heard.set()

    async def send(self, topic: str, event: str, payload: Any) -> None:
        """Let a frame come in."""
        frame = {"topic": f"realtime:{topic}", "event": event, "payload": payload, "ref": None}
        await self.wires[0].send_json(frame)

    async def say(self, topic: str) -> None:
        """Let a broadcast come in, and wait until it is heard."""
        self.heard.clear()
        await self.send(topic, "broadcast", {"event": "e", "payload": {}, "type": "broadcast"})
        async with asyncio.timeout(5):
            await self.heard.wait()


@asynccontextmanager
async def peered() -> AsyncIterator[Peer]:
    """A connected socket."""
    wires: list[web.WebSocketResponse] = []

    async def serve(request: web.Request) -> web.WebSocketResponse:
        wire = web.WebSocketResponse()
        await wire.prepare(request)
        wires.append(wire)
        async for message in wire:
            if message.type is WSMsgType.TEXT:
                push = json.loads(message.data)
                answer = {"status": "ok", "response": {"postgres_changes": []}}
                fields = {"topic": push["topic"], "event": "phx_reply", "payload": answer}
                await wire.send_json({**fields, "ref": push["ref"]})
        return wire

    app = web.Application()
    app.router.add_get("/realtime/v1/websocket", serve)
    async with TestServer(app) as server:
        peer = Peer(str(server.make_url("")).rstrip("/"), wires)
        socket = peer.socket
        await socket.connect("token")
        assert await socket.join(USER_TOPIC, None)
        assert await socket.join(LIVE_TOPIC, ANN)
        yield peer
        await socket.close()


class TestSocket:
    """What befalls a live topic does not befall the topics that carry steps."""

    @pytest.mark.parametrize("event", ["phx_close", "phx_error"])
    async def test_a_live_topic_that_is_closed_costs_that_topic(self, event: str) -> None:
        async with peered() as peer:
            await peer.send(LIVE_TOPIC, event, {})
            await peer.say(USER_TOPIC)
            assert peer.socket.topics == {USER_TOPIC}
            assert peer.fell == [LIVE_TOPIC]
            assert not peer.socket.lost.is_set()
            assert await peer.socket.join(LIVE_TOPIC, ANN)
            await peer.say(LIVE_TOPIC)

    async def test_a_topic_with_steps_that_is_closed_costs_the_connection(self) -> None:
        async with peered() as peer:
            await peer.send(USER_TOPIC, "phx_close", {})
            async with asyncio.timeout(5):
                await peer.socket.lost.wait()
            assert peer.fell == []

    async def test_a_frame_as_large_as_hosted_allows_is_taken(self) -> None:
        async with peered() as peer:
            payload = {"event": "e", "payload": {"a": "x" * 3_000_000}, "type": "broadcast"}
            await peer.send(LIVE_TOPIC, "broadcast", payload)
            async with asyncio.timeout(5):
                await peer.heard.wait()
            await peer.say(USER_TOPIC)

    async def test_a_frame_that_is_larger_is_told_apart_from_a_lost_connection(self) -> None:
        async with peered() as peer:
            await peer.send(LIVE_TOPIC, "presence_state", {"a": "x" * LARGEST_FRAME})
            async with asyncio.timeout(5):
                await peer.socket.lost.wait()
            assert peer.socket.met_too_large
        async with peered() as peer:
            await peer.wires[0].close()
            async with asyncio.timeout(5):
                await peer.socket.lost.wait()
            assert not peer.socket.met_too_large
