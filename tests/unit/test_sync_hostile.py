"""Whatever a server says, the copy refuses it or goes on, and is right again when the server is.

Honest answers are changed in some places, sent as JSON text and read as every answer is.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from parley import events
from parley.api import LIST_HEADS_RESULT, ChatApi
from parley.calls import AsyncCalls, read
from parley.errors import AnswerRefused, ParleyError
from parley.sync.change import Change
from parley.sync.engine import Engine
from parley.sync.kinds import ROOM_KINDS, USER_KINDS
from parley.sync.outbox import Item, Outbox, Said
from parley.sync.reads import Reads
from parley.sync.remote import ANY
from parley.sync.replica import Least
from parley.sync.rows import Row
from parley.sync.sender import LONGEST_HOLD_S, Sender
from parley.sync.steps import Answer, HeadsByRoom, Step, read_profiles
from parley.sync.store import Store
from parley.sync.view_models import Message
from tests.unit.sync_fakes import BOB, ME, ROOM, message

T = TypeVar("T")
OTHER = "00000000-0000-4000-8000-000000000002"
STRANGE = "00000000-0000-4000-8000-000000000009"
AT = "2026-11-21T00:00:00+00:00"
Lie = Callable[[Any], Any]
"""Makes of an honest answer another one, in place or anew."""


def nested(depth: int) -> list[Any]:
    """A list in a list in a list."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


GARBAGE = st.one_of(
    st.sampled_from(
        [
            None,
            True,
            -1,
            0,
            1,
            2**53,
            2**53 + 1,
            2**70,
            1.5,
            float("nan"),
            float("-inf"),
            "",
            "x",
            "1",
            "\ud800",
            "a\0b",
            "../../x'; drop table messages;--",
            [],
            {},
            [[]],
            ["x"],
            {"a": 1},
            nested(150),
            nested(400),
            {"n": int("9" * 4000)},
            STRANGE,
            OTHER,
            ROOM,
            BOB,
            "first",
            AT,
        ]
    ),
    st.text(max_size=5),
    st.integers(),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterable[tuple[Any, ...]]:
    """All places in decoded JSON, the whole of it first."""
    yield path
    entries: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        entries = value.items()
    elif isinstance(value, list):
        entries = enumerate(value)
    for key, entry in entries:
        yield from places(entry, (*path, key))


def changed(value: Any, pick: int, action: str, garbage: Any) -> Any:
    """Honest JSON with one place changed."""
    value = deepcopy(value)
    every = list(places(value))
    path = every[pick % len(every)]
    if not path:
        return deepcopy(garbage)
    holder = value
    for key in path[:-1]:
        holder = holder[key]
    if action == "delete":
        del holder[path[-1]]
    elif action == "repeat" and isinstance(holder, list):
        holder.append(deepcopy(holder[path[-1]]))
    else:
        holder[path[-1]] = deepcopy(garbage)
    return value


@st.composite
def lies(draw: st.DrawFn) -> Lie:
    """A few places of an answer that are changed."""
    some = draw(
        st.lists(
            st.tuples(
                st.integers(0, 10_000), st.sampled_from(["set", "set", "delete", "repeat"]), GARBAGE
            ),
            min_size=1,
            max_size=3,
        )
    )

    def lie(value: Any) -> Any:
        for pick, action, garbage in some:
            value = changed(value, pick, action, garbage)
        return value

    return lie


def said(row: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A row that is of some room."""
    return {**row, **more}


def travelled(value: Any, result: TypeAdapter[T]) -> T:
    """What a client reads when a server answers this."""
    return read(httpx.Response(200, content=json.dumps(value).encode()), result)


class Server:
    """Two rooms with rows of every kind; one answer is changed when ``lie`` is set."""

    def __init__(self) -> None:
        self.timeline = "first"
        self.lie: Lie | None = None
        self.revs = {ROOM: 3, OTHER: 2}
        self.strange: set[int] = set()
        """The messages of the room that somebody unknown wrote."""

    def says(self, value: Any, result: TypeAdapter[T]) -> T:
        """Answer, honestly or once not."""
        lie, self.lie = self.lie, None
        return travelled(value if lie is None else lie(value), result)

    def rows_of(self, room_id: str, above: int) -> dict[str, list[dict[str, Any]]]:
        """What happened in a room."""
        rev = self.revs[room_id]
        revs = range(above + 1, rev + 1)
        about = {"room_id": room_id, "user_id": BOB}
        return {
            "rooms": [{"id": room_id, "changed_rev": rev, "last_seq": rev, "floor_seq": 0}],
            "members": [{**about, "rev": 1, "left_at": None}],
            "messages": [
                said(message(n, n, f"line {n}", sender=self.sender(room_id, n)), room_id=room_id)
                for n in revs
            ],
            "reactions": [
                {**about, "seq": n, "emoji": "👍", "rev": n, "created_at": AT, "removed_at": None}
                for n in revs
            ],
            "pins": [{**about, "seq": n, "rev": n, "removed_at": None} for n in revs],
            "receipts": [
                {**about, "kind": "read", "up_to_seq": n, "rev": n, "at": AT} for n in revs
            ],
        }

    def sender(self, room_id: str, seq: int) -> str:
        """Who wrote a message."""
        return STRANGE if room_id == ROOM and seq in self.strange else BOB

    def user_rows(self) -> dict[str, list[dict[str, Any]]]:
        """What happened in the own stream."""
        about = {"room_id": ROOM, "user_id": ME, "rev": 1}
        return {
            "memberships": [
                {"room_id": each, "user_id": ME, "user_rev": 1, "rev": 1, "left_at": None}
                for each in self.revs
            ],
            "marks": [{**about, "read_seq": 1, "delivered_seq": 1}],
            "preferences": [{**about, "pinned": True, "cleared_seq": 0}],
            "notifications": [{"seq": 1, "user_id": ME, "rev": 1, "actor_id": BOB}],
            "blocks": [{"user_id": ME, "blocked_id": BOB, "rev": 1}],
        }

    async def pull(self, cursor: events.Cursor, least: Least) -> Answer:
        """As ``pull_changes``."""
        if cursor.timeline not in (None, self.timeline):
            value: dict[str, Any] = {"user": None, "rooms": []}
        else:
            have = cursor.user
            value = {
                "user": {
                    "from": have,
                    "to": 1,
                    "rows": self.user_rows() if have is None else {},
                    "dropped_rooms": [],
                },
                "rooms": [
                    {
                        "room_id": str(room_id),
                        "from": rev,
                        "to": self.revs[str(room_id)],
                        "rows": self.rows_of(str(room_id), rev or 0),
                        "reset": False,
                        "older_unread": 2,
                        "older_mentions": 1,
                    }
                    for room_id, rev in cursor.rooms.items()
                    if str(room_id) in self.revs and (rev or 0) <= self.revs[str(room_id)]
                ],
            }
        value |= {"timeline": self.timeline, "profiles": [{"user_id": BOB}], "more": False}
        return Answer.read(self.says(value, ANY))

    async def heads(self, timeline: str | None, least: Least | None) -> HeadsByRoom:
        """As ``list_heads``."""
        value = {
            "version": "0.1.0",
            "lowest_client": "0.1.0",
            "timeline": self.timeline,
            "user": {"rev": 1, "epoch": 1},
            "rooms": [
                {"room_id": room_id, "rev": rev, "epoch": 1} for room_id, rev in self.revs.items()
            ],
        }
        return HeadsByRoom.of(self.says(value, LIST_HEADS_RESULT))

    async def profiles(self, user_ids: Iterable[str]) -> Sequence[Row]:
        """As ``list_profiles``."""
        return read_profiles(self.says([{"user_id": each} for each in user_ids], ANY))

    def step(self) -> dict[str, Any]:
        """Say something in the room; returns its broadcast."""
        self.revs[ROOM] += 1
        rev = self.revs[ROOM]
        return {"room_id": ROOM, "from": rev - 1, "to": rev, "rows": self.rows_of(ROOM, rev - 1)}


@cache
def template() -> Path:
    """An empty copy, so that not every example has to make one."""
    path = Path(tempfile.mkdtemp()) / "template.db"
    Store(path).close()
    return path


class Device:
    """A copy that looks at everything it has after each thing it was told."""

    def __init__(self, folder: str) -> None:
        self.server = Server()
        path = Path(folder) / f"{uuid4()}.db"
        shutil.copy(template(), path)
        self.store = Store(path)
        self.store.execute("pragma synchronous = off")
        self.store.bind("http://here", ME)
        self.changes: list[Change] = []
        self.engine = Engine(self.store, self.server, self.changes.extend)
        self.outbox = Outbox(self.store)
        self.reads = Reads(self.store, self.outbox)

    def kept(self) -> dict[str, list[tuple[Any, ...]]]:
        """All rows, and how far they go."""
        tables = (*ROOM_KINDS, *USER_KINDS, "streams", "profiles")
        return {
            table: sorted(map(tuple, self.store.all(f"select * from {table}")), key=repr)
            for table in tables
        }

    def contents(self) -> dict[str, list[str]]:
        """All rows as they came."""
        return {
            table: sorted(row["row"] for row in self.store.all(f"select row from {table}"))
            for table in (*ROOM_KINDS, *USER_KINDS)
        }

    async def sync(self) -> bool:
        """Sync; tells whether it was refused."""
        async with asyncio.timeout(10):
            try:
                await self.engine.sync()
            except ParleyError:
                return True
        return False

    def look(self) -> None:
        """Read everything. There is no row of a room that is not here, none under another key."""
        database = self.store
        for name, kind in ROOM_KINDS.items():
            strays = f"select 1 from {name} where room_id not in (select room_id from streams)"
            assert database.maybe(strays) is None
            for row in database.all(f"select room_id, row from {name}"):
                value = json.loads(row["row"])
                assert isinstance(value, list) or value[kind.columns[0]] == row["room_id"]
        for room in self.reads.rooms():
            self.reads.messages(str(room.id))
            self.reads.members(str(room.id))
            self.reads.delivered_seq(str(room.id))
        self.reads.notifications()
        self.reads.search("line")
        self.reads.profile(BOB)
        for change in self.changes:
            assert change.room_rows is not None and change.user_rows is not None
            assert all(each.reason for each in change.unreadable)
        self.changes.clear()


@pytest.fixture(scope="module")
def folder() -> Iterable[str]:
    """A folder that is taken away at the end."""
    with tempfile.TemporaryDirectory() as path:
        yield path


@pytest.fixture(autouse=True, scope="module")
def in_a_hurry() -> Iterable[None]:
    """Waits are short."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("parley.sync.engine.TOLD_LEAST_S", 0.001)
        patch.setattr("parley.sync.engine.TOLD_MOST_S", 0.002)
        yield


BRIEFLY = settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


async def lie_and_recover(device: Device, tell: Callable[[Server], Any]) -> None:
    """Let a server lie once; afterwards the copy holds what is so."""
    before = device.kept()
    tell(device.server)
    was_refused = await device.sync()
    device.server.lie = None
    device.look()
    if was_refused:
        assert device.kept() == before
    else:
        # It may have believed a lie that could have been true; a restore is how a server repents.
        device.server.timeline += "'"
    for _ in range(3):
        await device.sync()
    assert not await device.sync()
    device.look()
    honest = Device(str(Path(device.store.path).parent))
    honest.server = device.server
    honest.engine = Engine(honest.store, device.server, honest.changes.extend)
    await honest.engine.sync()
    assert device.contents() == honest.contents()
    assert device.store.cursor().rooms == honest.store.cursor().rooms
    honest.store.close()
    device.store.close()


@BRIEFLY
@given(lie=lies())
def test_a_first_answer_that_lies(folder: str, lie: Lie) -> None:
    device = Device(folder)
    heads = device.server.heads

    async def heads_then_lie(timeline: str | None, least: Least | None) -> HeadsByRoom:
        answer = await heads(timeline, least)
        device.server.lie, device.server.heads = lie, heads  # type: ignore[method-assign]
        return answer

    def tell(server: Server) -> None:
        server.heads = heads_then_lie  # type: ignore[method-assign]

    asyncio.run(lie_and_recover(device, tell))


@BRIEFLY
@given(lie=lies())
def test_a_later_answer_that_lies(folder: str, lie: Lie) -> None:
    async def play() -> None:
        device = Device(folder)
        await device.engine.sync()
        device.server.step()
        device.server.revs[OTHER] += 2
        heads = device.server.heads

        async def heads_then_lie(timeline: str | None, least: Least | None) -> HeadsByRoom:
            answer = await heads(timeline, least)
            device.server.lie, device.server.heads = lie, heads  # type: ignore[method-assign]
            return answer

        def tell(server: Server) -> None:
            server.heads = heads_then_lie  # type: ignore[method-assign]

        await lie_and_recover(device, tell)

    asyncio.run(play())


@BRIEFLY
@given(lie=lies())
def test_heads_that_lie(folder: str, lie: Lie) -> None:
    async def play() -> None:
        device = Device(folder)
        await device.engine.sync()
        device.server.step()

        def tell(server: Server) -> None:
            server.lie = lie

        await lie_and_recover(device, tell)

    asyncio.run(play())


@BRIEFLY
@given(lie=lies(), garbage=GARBAGE)
def test_broadcasts_and_profiles_that_lie(folder: str, lie: Lie, garbage: Any) -> None:
    async def play() -> None:
        device = Device(folder)
        await device.engine.sync()
        device.server.strange = {4}
        # Somebody unknown speaks: the names of people are asked for.
        device.engine.hear(travelled(device.server.step(), ANY))
        payload = device.server.step()
        device.engine.hear(garbage)
        device.engine.hear(travelled(lie(payload), ANY))
        device.look()
        await lie_and_recover(device, lambda server: None)

    asyncio.run(play())


class Calls(AsyncCalls):
    """Answers what an outbox sends."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.sent: set[str] = set()

    async def call(self, function: str, arguments: Mapping[str, Any], result: TypeAdapter[T]) -> T:
        """As the function of this name."""
        rev = 10 + len(self.sent)
        about = {"room_id": str(arguments.get("room_id")), "seq": arguments.get("seq"), "rev": rev}
        value: Any
        if function == "send_messages":
            self.sent |= {str(each.client_id) for each in arguments["items"]}
            value = [
                {
                    "client_id": str(each.client_id),
                    "outcome": "sent",
                    "message": said(
                        message(rev, rev, each.body, sender=ME, client_id=str(each.client_id)),
                        room_id=str(each.room_id),
                    ),
                    "reason": None,
                    "after": None,
                }
                for each in arguments["items"]
            ]
        elif function == "mark_read":
            value = {**about, "user_id": ME, "read_seq": 2, "delivered_seq": 2}
        else:
            value = {**about, "user_id": ME, "emoji": "👍", "created_at": AT, "removed_at": None}
        return self.server.says(value, result)


class FakeApi(ChatApi):
    """The functions of ``chat``, answered by a server that may lie."""

    def __init__(self, server: Server) -> None:
        self._calls = Calls(server)


@BRIEFLY
@given(lie=lies(), first=st.sampled_from(["send", "read", "react"]))
def test_outcomes_that_lie(folder: str, lie: Lie, first: str) -> None:
    async def play() -> None:
        device = Device(folder)
        await device.engine.sync()
        outbox = device.outbox
        for room_id in (ROOM, OTHER):
            for action in sorted(["send", "read", "react"], key=lambda each: each != first):
                if action == "send":
                    for body in ("a", "b"):
                        outbox.add("send", room_id, client_id=str(uuid4()), said=Said(body=body))
                elif action == "read":
                    outbox.add("read", room_id, seq=2)
                else:
                    outbox.add("react", room_id, seq=1, said=Said(emoji="👍"))
        settled: list[Item] = []
        waited_s = 0.0
        sender = Sender(
            device.store,
            outbox,
            FakeApi(device.server),
            lambda item, number: settled.append(item),
            clock=lambda: waited_s,
        )
        device.server.lie = lie
        for _ in range(12):
            try:
                await sender.flush()
            except ParleyError:
                device.look()
            # (As if it had waited for as long as it can be told to.)
            waited_s += LONGEST_HOLD_S
            if not outbox.items(None, "pending"):
                break
        assert outbox.items(None, "pending") == []
        device.look()
        device.store.close()

    asyncio.run(play())


def answer(**rooms_rows: Any) -> dict[str, Any]:
    """An answer about one room, with other rows."""
    server = Server()
    server.revs = {ROOM: 3}
    rows = server.rows_of(ROOM, 0) | rooms_rows
    return {
        "timeline": "t",
        "user": {"from": None, "to": 1, "rows": server.user_rows(), "dropped_rooms": []},
        "rooms": [
            {
                "room_id": ROOM,
                "from": None,
                "to": 3,
                "reset": False,
                "rows": rows,
                "older_unread": 0,
                "older_mentions": 0,
            }
        ],
        "profiles": [],
        "more": False,
    }


@pytest.mark.parametrize(
    "change",
    [
        {"messages": [message(2**70, 1, "giant seq")]},
        {"messages": [message(-1, 1, "negative seq")]},
        {"messages": [message(1, 4, "a number beyond the answer's")]},
        {"messages": [said(message(1, 1, "another room's"), room_id=STRANGE)]},
        {"messages": ["no object"]},
        {"messages": "no list"},
        {"messages": [{"room_id": ROOM, "rev": 1}]},
        {"reactions": [{"room_id": ROOM, "seq": 1, "user_id": "me", "emoji": "👍", "rev": 1}]},
        {"reactions": [{"room_id": ROOM, "seq": 1, "user_id": BOB, "emoji": "\ud800", "rev": 1}]},
        {"rooms": [{"id": STRANGE, "changed_rev": 1, "last_seq": 1, "floor_seq": 0}]},
        {"rooms": [{"id": ROOM, "changed_rev": 1, "last_seq": "1", "floor_seq": 0}]},
    ],
)
def test_a_key_that_makes_no_sense_refuses_the_answer(change: dict[str, Any]) -> None:
    Answer.read(answer())
    with pytest.raises(AnswerRefused):
        Answer.read(answer(**change))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("timeline",), None),
        (("user", "to"), 2**53 + 1),
        (("user", "to"), True),
        (("user", "from"), 2),
        (("user", "dropped_rooms"), ["no id"]),
        (("user", "rows", "memberships", 0, "room_id"), "../../x"),
        (("user", "rows", "memberships", 0, "left_at"), 7),
        (("rooms", 0, "reset"), "no"),
        (("rooms", 0, "from"), 4),
        (("rooms", 0, "room_id"), ROOM.upper() + "x"),
        (("rooms", 0, "older_unread"), "many"),
        (("rooms", 0, "older_mentions"), -1),
        (("profiles",), [{"user_id": None}]),
        (("more",), 1),
    ],
)
def test_an_envelope_that_makes_no_sense_refuses_the_answer(
    place: tuple[Any, ...], value: Any
) -> None:
    whole = answer()
    holder: Any = whole
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    with pytest.raises(AnswerRefused):
        Answer.read(whole)
    del holder[place[-1]]
    with pytest.raises(AnswerRefused):
        Answer.read(whole)


def test_numbers_beyond_a_window_are_those_of_the_next_answers() -> None:
    people = [{"room_id": ROOM, "user_id": BOB, "rev": 9}]
    whole = answer(members=people) | {"more": True}
    assert Answer.read(whole).rooms[0].rows == whole["rooms"][0]["rows"]
    with pytest.raises(AnswerRefused):
        Answer.read(whole | {"more": False})
    whole["rooms"][0]["from"] = 0
    with pytest.raises(AnswerRefused):
        Answer.read(whole)


def test_a_room_that_comes_twice_refuses_the_answer() -> None:
    whole = answer()
    whole["rooms"] *= 2
    with pytest.raises(AnswerRefused):
        Answer.read(whole)


POISON: dict[str, str] = {
    "deep": '[{"a":' + "[" * 1000 + "]" * 1000 + "}]",
    "deeper": "[" * 100_000 + "]" * 100_000,
    "digits": '[{"n":1' + "0" * 16_000 + "}]",
    "an exponent": '[{"n":1e400}]',
    "an endless exponent": '[{"n":1e99999999999999999999}]',
    "no number": '[{"n":NaN}]',
    "half a character": '"\\ud800"',
}


@pytest.mark.parametrize("column", ["attachments", "body", "created_at", "a_newer_column"])
@pytest.mark.parametrize("poison", POISON)
async def test_a_row_that_cannot_be_read_costs_that_row(
    poison: str, column: str, tmp_path: Path
) -> None:
    device = Device(str(tmp_path))
    whole = answer(messages=[message(n, n, f"line {n}") for n in (1, 2, 3)])
    whole["rooms"][0]["rows"]["messages"][1][column] = "POISON"
    text = json.dumps(whole).replace('"POISON"', POISON[poison])
    read_answer = Answer.read(read(httpx.Response(200, content=text.encode()), ANY))
    changes = device.store.apply_answer(device.store.cursor(), read_answer)
    device.changes.extend(changes)
    shown = device.reads.messages(ROOM)
    assert [(each.seq, each.body, each.is_unreadable) for each in shown][::2] == [
        (1, "line 1", False),
        (3, "line 3", False),
    ]
    (room,) = [change for change in changes if change.room_id is not None]
    messages = [each for each in room.unreadable if each.kind == "messages"]
    assert [each.key for each in messages] == (
        [{"room_id": ROOM, "seq": 2}] if shown[1].is_unreadable else []
    )
    readable = [each.seq for each in room.room_rows.messages]
    assert readable == ([1, 3] if shown[1].is_unreadable else [1, 2, 3])
    if shown[1].is_unreadable:
        assert (shown[1].seq, shown[1].body, str(shown[1].sender_id)) == (2, "", BOB)
    # Kept as it came: somebody who reads the file finds all of it.
    row = device.store.one("select row from messages where seq = 2")[0]
    if poison in ("deep", "deeper", "digits"):
        assert f'"{column}":{POISON[poison]}' in json.loads(row)[0].replace(" ", "")
    device.look()
    device.store.close()


@pytest.mark.parametrize("poison", POISON)
async def test_a_broadcast_with_such_a_row_is_applied(poison: str, tmp_path: Path) -> None:
    device = Device(str(tmp_path))
    await device.engine.sync()
    payload = json.dumps(device.server.step()).replace(
        '"attachments": []', '"attachments": "POISON"'
    )
    payload = payload.replace('"POISON"', POISON[poison])
    device.engine.hear(read(httpx.Response(200, content=payload.encode()), ANY))
    assert device.store.cursor().rooms[ROOM] == 4
    assert device.reads.messages(ROOM)[-1].seq == 4
    device.look()
    device.store.close()


def test_the_control_an_honest_row_is_read_whole(tmp_path: Path) -> None:
    device = Device(str(tmp_path))
    row = message(1, 1, "line", attachments=[{"n": nested(15), "name": "é👍", "size": 2.5}])
    text = json.dumps(answer(messages=[row])).encode()
    read_answer = Answer.read(read(httpx.Response(200, content=text), ANY))
    device.store.apply_answer(device.store.cursor(), read_answer)
    (shown,) = device.reads.messages(ROOM)
    assert not shown.is_unreadable and isinstance(shown, Message)
    assert shown.attachments == row["attachments"]
    device.store.close()


def test_a_step_whose_rows_make_no_sense_is_pulled() -> None:
    server = Server()
    payload = server.step()
    honest = Step.read(payload)
    assert honest is not None and honest.rows is not None
    payload["rows"]["messages"][0]["room_id"] = STRANGE
    step = Step.read(payload)
    assert step is not None and step.rows is None


async def test_a_server_that_always_promises_more_is_asked_a_few_times(tmp_path: Path) -> None:
    device = Device(str(tmp_path))
    await device.engine.sync()
    device.server.revs[ROOM] = 9
    asked = 0
    pull = device.server.pull

    async def promise(cursor: events.Cursor, least: Least) -> Answer:
        nonlocal asked
        asked += 1
        nothing = events.Cursor(timeline=cursor.timeline, user=cursor.user, rooms={})
        answer = await pull(nothing, least)
        return Answer(answer.timeline, answer.user, (), (), more=True)

    device.server.pull = promise  # type: ignore[method-assign]
    device.engine.tell(ROOM, 9)
    pulling = asyncio.create_task(device.engine.catch_up())
    await asyncio.sleep(0.1)
    pulling.cancel()
    await asyncio.wait([pulling])
    assert asked < 120
    device.store.close()


async def test_steps_of_rooms_that_are_not_here_compare_heads_now_and_then(tmp_path: Path) -> None:
    device = Device(str(tmp_path))
    await device.engine.sync()
    asked = 0
    heads = device.server.heads

    async def count(timeline: str | None, least: Least | None) -> HeadsByRoom:
        nonlocal asked
        asked += 1
        return await heads(timeline, least)

    device.server.heads = count  # type: ignore[method-assign]
    for number in range(1, 200):
        device.engine.hear({"room_id": STRANGE, "from": number, "to": number + 1, "rows": {}})
        await device.engine.catch_up()
    assert asked == 1
    device.store.close()
