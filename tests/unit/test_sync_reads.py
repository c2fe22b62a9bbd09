"""What a client asks for: less after a failure, all of a long answer, and what it cannot count."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytest
from pydantic import TypeAdapter

from parley import events
from parley.errors import AnswerRefused, ParleyError, Unreachable
from parley.sync.batches import ROWS_MOST
from parley.sync.change import Change
from parley.sync.engine import Engine
from parley.sync.errors import StoreUnusable
from parley.sync.history import load_older
from parley.sync.outbox import Outbox
from parley.sync.reads import Reads
from parley.sync.remote import Server
from parley.sync.replica import Least
from parley.sync.rows import Row
from parley.sync.steps import Answer, HeadsByRoom
from parley.sync.store import Store
from tests.unit.sync_fakes import BOB, ME, message
from tests.until import until

T = TypeVar("T")

ROOMS = [f"00000000-0000-4000-8000-0000000000{number:02d}" for number in range(1, 41)]


def belongs(row: dict[str, Any], room_id: str) -> dict[str, Any]:
    """The same row in another room."""
    return {**row, "room_id": room_id}


class Rooms:
    """A server with rooms of one person: a message per number, and what goes wrong."""

    def __init__(self, *names: str) -> None:
        self.rooms = {name: [belongs(message(1, 1, "one"), name)] for name in names}
        self.user_rev = 1
        self.marks: dict[str, dict[str, Any]] = {}
        self.memberships_per_answer = 1000
        self.bad: set[str] = set()
        self.mad: set[str] = set()
        """Rooms of which nothing but nonsense comes."""
        self.is_down = False
        self.counts = True
        self.asked: list[events.Cursor] = []

    def say(self, room_id: str, times: int = 1, **more: Any) -> None:
        """Add messages to a room."""
        for _ in range(times):
            number = len(self.rooms[room_id]) + 1
            row = message(number, number, f"line {number}", **more)
            self.rooms[room_id].append(belongs(row, room_id))

    @property
    def room_pulls(self) -> int:
        """How often a room was asked for; names alone are asked for with every look at heads."""
        return sum(bool(each.rooms) for each in self.asked)

    def read(self, room_id: str, seq: int) -> None:
        """Move the read mark, on another device."""
        self.user_rev += 1
        self.marks[room_id] = {"room_id": room_id, "read_seq": seq, "rev": self.user_rev}

    def unread(self, room_id: str, below: int) -> list[dict[str, Any]]:
        """What is not read before a message."""
        read = self.marks.get(room_id, {"read_seq": 0})["read_seq"]
        rows = self.rooms[room_id]
        return [r for r in rows if read < r["seq"] < below and r["deleted_at"] is None]

    async def pull(self, cursor: events.Cursor, least: Least) -> Answer:
        """As ``pull_changes`` does it."""
        self.asked.append(cursor)
        if self.is_down or self.bad & {str(each) for each in cursor.rooms}:
            raise Unreachable("No answer came.", "Try again.")
        rooms = []
        first = {str(room_id): seq for room_id, seq in cursor.first.items()}
        for room_id, have in cursor.rooms.items():
            name = str(room_id)
            rows = self.rooms.get(name, [])
            if not rows or (have == len(rows) and name not in first):
                continue
            new = rows[-cursor.window :] if have is None else [r for r in rows if r["rev"] > have]
            if name in self.mad:
                new = [belongs(row, ROOMS[-1]) for row in new]
            below = new[0]["seq"] if have is None else first.get(name, 0)
            old = self.unread(name, below)
            counts = self.counted(old) if self.counts else {}
            rooms.append(
                {
                    **counts,
                    "room_id": name,
                    "from": have,
                    "to": len(rows),
                    "rows": {"messages": new},
                    "reset": False,
                }
            )
        above = cursor.user or 0
        begin = above
        names = [name for place, name in enumerate(self.rooms, 1) if place > above]
        if cursor.user is not None and cursor.user >= len(self.rooms):
            names = []
        names = names[: self.memberships_per_answer]
        is_all = above + len(names) >= len(self.rooms)
        to = len(self.rooms) + self.user_rev if is_all else above + len(names)
        own: dict[str, Any] = {"memberships": [self.membership(name) for name in names]}
        if is_all:
            own["marks"] = [
                {**m, "rev": len(self.rooms) + m["rev"]}
                for m in self.marks.values()
                if len(self.rooms) + m["rev"] > above
            ]
        return Answer.read(
            {
                "timeline": "t",
                "user": {
                    "from": None if cursor.user is None else begin,
                    "to": to,
                    "rows": own,
                    "dropped_rooms": [],
                },
                "rooms": rooms,
                "profiles": [],
                "more": not is_all,
            }
        )

    def counted(self, rows: list[dict[str, Any]]) -> dict[str, int]:
        """The counts of what is not read."""
        mentions = sum(ME in row["mentions"] for row in rows)
        return {"older_unread": len(rows), "older_mentions": mentions}

    def membership(self, name: str) -> dict[str, Any]:
        """Being in a room."""
        number = list(self.rooms).index(name) + 1
        return {"room_id": name, "user_id": ME, "user_rev": number, "left_at": None}

    async def heads(self, timeline: str | None, least: Least | None) -> HeadsByRoom:
        """As ``list_heads`` does it."""
        if self.is_down:
            raise Unreachable("No answer came.", "Try again.")
        own = events.Head(rev=len(self.rooms) + self.user_rev, epoch=1)
        rooms = {n: events.Head(rev=len(rows), epoch=1) for n, rows in self.rooms.items()}
        return HeadsByRoom("t", own, rooms)

    async def profiles(self, user_ids: Iterable[str]) -> list[Row]:
        """Nobody is in sight."""
        return []


class Device:
    """A copy of the rooms, and the engine that keeps it."""

    def __init__(self, path: Path, server: Rooms) -> None:
        self.store = Store(path)
        self.store.bind("http://here", ME)
        self.changes: list[Change] = []
        self.engine = Engine(self.store, server, self.changes.extend)
        self.reads = Reads(self.store, Outbox(self.store))

    def count(self, room_id: str) -> tuple[int, int]:
        """Unread and mentions."""
        return self.reads.unread(room_id), self.reads.mentions(room_id)

    @property
    def fetched(self) -> set[str]:
        """The rooms that are here."""
        return {each for each, rev in self.store.cursor().rooms.items() if rev is not None}


async def keep_trying(device: Device) -> None:
    """Catch up as the client does it, without waiting between tries."""
    for _ in range(60):
        try:
            await device.engine.catch_up()
        except ParleyError:
            continue
        return
    raise AssertionError("it never ends")


# Less after a failure


async def test_a_failed_pull_is_repeated_smaller_and_grows_again(tmp_path: Path) -> None:
    server = Rooms(*ROOMS)
    device = Device(tmp_path / "copy.db", server)
    await device.engine.sync()
    at_best = server.asked[-1]
    for room_id in ROOMS:
        server.say(room_id)
    server.is_down = True
    for _ in range(3):
        device.engine.tell(ROOMS[0], 2)
        device.engine.tell(ROOMS[1], 2)
        with pytest.raises(Unreachable):
            await device.engine.catch_up()
    asked = [(each.limit, each.window) for each in server.asked[-3:]]
    assert asked == [(ROWS_MOST >> n, 200 >> n) for n in (0, 1, 2)]
    server.is_down = False
    for _ in range(8):
        server.say(ROOMS[0])
        await device.engine.sync()
    assert (server.asked[-1].limit, server.asked[-1].window) == (at_best.limit, 200)


async def test_a_room_that_cannot_be_pulled_holds_up_no_other(tmp_path: Path) -> None:
    server = Rooms(*ROOMS)
    server.bad = {ROOMS[7]}
    device = Device(tmp_path / "copy.db", server)
    await keep_trying(device)
    assert device.fetched == set(ROOMS) - {ROOMS[7]}
    server.say(ROOMS[0])
    device.engine.tell(ROOMS[0], 2)
    asked = len(server.asked)
    await device.engine.catch_up()
    assert device.store.cursor().rooms[ROOMS[0]] == 2
    assert all(str(room) != ROOMS[7] for each in server.asked[asked:] for room in each.rooms)
    with pytest.raises(Unreachable):
        await device.engine.sync()
    server.bad = set()
    await device.engine.sync()
    assert device.fetched == set(ROOMS)


async def test_a_room_of_which_nonsense_comes_holds_up_no_other(tmp_path: Path) -> None:
    server = Rooms(*ROOMS)
    server.mad = {ROOMS[7]}
    device = Device(tmp_path / "copy.db", server)
    await keep_trying(device)
    assert device.fetched == set(ROOMS) - {ROOMS[7]}
    with pytest.raises(AnswerRefused):
        await device.engine.sync()
    server.mad = set()
    await device.engine.sync()
    assert device.fetched == set(ROOMS)


async def test_what_is_in_the_way_of_the_file_is_no_fault_of_a_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Rooms(ROOMS[0])
    device = Device(tmp_path / "copy.db", server)
    await device.engine.sync()

    def fail(*_: object) -> list[Change]:
        raise StoreUnusable("The disk is full.", "Make space.")

    with monkeypatch.context() as patched:
        patched.setattr(device.store, "apply_answer", fail)
        server.say(ROOMS[0])
        device.engine.tell(ROOMS[0], 2)
        for _ in range(20):
            with pytest.raises(StoreUnusable):
                await device.engine.catch_up()
    await device.engine.catch_up()
    assert device.store.cursor().rooms[ROOMS[0]] == 2
    assert server.asked[-1].limit == ROWS_MOST


async def test_a_room_is_not_set_aside_because_the_server_is_away(tmp_path: Path) -> None:
    server = Rooms(*ROOMS)
    device = Device(tmp_path / "copy.db", server)
    await device.engine.sync()
    server.is_down = True
    for _ in range(20):
        device.engine.tell(ROOMS[0], 2)
        with pytest.raises(Unreachable):
            await device.engine.catch_up()
    server.is_down = False
    server.say(ROOMS[0])
    await device.engine.catch_up()
    assert device.store.cursor().rooms[ROOMS[0]] == 2


async def test_a_room_that_was_set_aside_is_tried_again_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parley.sync.batches.DEFERRED_LEAST_S", 0.01)
    monkeypatch.setattr("parley.sync.engine.RETRY_LEAST_S", 0.001)
    server = Rooms(*ROOMS)
    server.bad = {ROOMS[7]}
    device = Device(tmp_path / "copy.db", server)
    running = asyncio.create_task(device.engine.run())
    await until(lambda: device.fetched == set(ROOMS) - {ROOMS[7]})
    server.bad = set()
    await until(lambda: device.fetched == set(ROOMS))
    running.cancel()
    await device.engine.catch_up()
    assert device.engine.due is None, "it would go on waking up for it"


async def test_a_room_that_was_set_aside_and_lost_is_forgotten(tmp_path: Path) -> None:
    server = Rooms(*ROOMS)
    server.bad = {ROOMS[7]}
    device = Device(tmp_path / "copy.db", server)
    await keep_trying(device)
    gone = {**server.membership(ROOMS[7]), "left_at": "2026-11-21T00:00:00+00:00", "user_rev": 42}
    own = {"user_id": ME, "from": 41, "to": 42, "rows": {"memberships": [gone]}}
    server.user_rev += 1
    device.engine.hear(own)
    await device.engine.catch_up()
    assert device.engine.due is None
    await device.engine.sync()


# Long answers


async def test_an_own_stream_in_several_answers_takes_no_room_away(tmp_path: Path) -> None:
    server = Rooms(*ROOMS)
    device = Device(tmp_path / "copy.db", server)
    await device.engine.sync()
    device.changes.clear()
    device.store.start_over("t")
    server.memberships_per_answer = 7
    del server.rooms[ROOMS[3]]
    await device.engine.sync()
    gone = {str(each.room_id) for each in device.changes if each.is_gone}
    assert gone == {ROOMS[3]}
    assert device.fetched == set(server.rooms)


# What was said before the copy


async def test_unread_counts_what_is_before_the_copy(tmp_path: Path) -> None:
    server = Rooms(ROOMS[0])
    server.say(ROOMS[0], 299, mentions=[ME])
    device = Device(tmp_path / "copy.db", server)
    server.read(ROOMS[0], 90)
    await device.engine.sync()
    held = device.store.held(ROOMS[0])
    assert held is not None and held.first_seq == 101
    server.read(ROOMS[0], 250)
    await device.engine.sync()
    assert device.count(ROOMS[0]) == (50, 50)
    server.marks.clear()
    server.read(ROOMS[0], 95)
    await device.engine.sync()
    assert device.count(ROOMS[0]) == (100, 100)


async def test_older_messages_are_counted_anew_when_a_mark_or_a_change_falls_before_the_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parley.sync.engine.WINDOW", 10)
    room, server = ROOMS[0], Rooms(ROOMS[0])
    server.say(room, 30)
    server.say(room, 1, mentions=[ME])
    server.say(room, 18)
    device = Device(tmp_path / "copy.db", server)
    await device.engine.sync()
    assert device.count(room) == (50, 1)
    asked = server.room_pulls
    await device.engine.sync()
    server.say(room)
    await device.engine.sync()
    assert device.count(room) == (51, 1)
    assert server.room_pulls == asked + 1

    server.read(room, 20)
    await device.engine.sync()
    assert device.count(room) == (31, 1)
    gone = server.rooms[room][31]
    gone |= {"deleted_at": "2026-11-21T00:00:00+00:00", "rev": 52, "mentions": [], "body": ""}
    server.rooms[room].append(belongs(message(52, 52, "filler", sender=ME), room))
    device.engine.tell(room, 52)
    await device.engine.catch_up()
    assert device.count(room) == (30, 0)

    outbox = Outbox(device.store)
    outbox.add("read", room, seq=52)
    assert device.count(room) == (0, 0)
    server.read(room, 52)
    asked = len(server.asked)
    await device.engine.sync()
    assert device.count(room) == (0, 0)
    assert len(server.asked) == asked + 1
    server.say(room, 3, sender=BOB)
    await device.engine.sync()
    assert device.count(room) == (3, 0)


async def test_a_server_that_does_not_count_is_asked_once(tmp_path: Path) -> None:
    room, server = ROOMS[0], Rooms(ROOMS[0])
    server.say(room, 300)
    device = Device(tmp_path / "copy.db", server)
    server.counts = False
    await device.engine.sync()
    asked = server.room_pulls
    await device.engine.sync()
    assert server.room_pulls == asked
    assert device.count(room) == (100, 0)


async def test_the_floor_of_a_room_is_asked_about_when_it_rises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parley.sync.engine.WINDOW", 10)
    room, server = ROOMS[0], Rooms(ROOMS[0])
    server.say(room, 29)
    device = Device(tmp_path / "copy.db", server)
    await device.engine.sync()

    def hear(rev: int, floor_seq: int) -> None:
        row = {"id": room, "changed_rev": rev, "last_seq": 30, "floor_seq": floor_seq}
        server.rooms[room].append(belongs(message(rev, rev, "filler", sender=ME), room))
        step = {"room_id": room, "from": rev - 1, "to": rev, "rows": {"rooms": [row]}}
        device.engine.hear(step)

    counted = []
    for rev, floor_seq in ((31, 5), (32, 5), (33, 7)):
        hear(rev, floor_seq)
        counted.append(not device.store.cursor().uncounted)
        await device.engine.catch_up()
    assert counted == [False, True, False]


async def test_nothing_is_unread_before_the_copy_of_somebody_who_came_in_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parley.sync.engine.WINDOW", 10)
    room, server = ROOMS[0], Rooms(ROOMS[0])
    server.say(room, 29)
    device = Device(tmp_path / "copy.db", server)
    await device.engine.sync()
    assert device.count(room) == (30, 0)
    back = {**server.membership(room), "user_rev": 3, "joined_seq": 25}
    own = {"user_id": ME, "from": 2, "to": 3, "rows": {"memberships": [back]}}
    device.engine.hear(own)
    assert device.count(room) == (5, 0)


# Older messages


class Pages(Server):
    """A server that gives a page of older messages, and what belongs to them."""

    def __init__(self, messages: Any, **tables: list[dict[str, Any]]) -> None:
        self.messages = messages
        self.tables = tables

    async def call(self, function: str, arguments: Mapping[str, Any], result: TypeAdapter[T]) -> T:
        """As ``list_messages`` does it."""
        assert function == "list_messages" and arguments["before"] == 21
        return result.validate_python(self.messages)

    async def select(
        self, table: str, filters: Mapping[str, str], most: int | None = None
    ) -> list[Row]:
        """As PostgREST does it."""
        return list(self.tables.get(table, []))


def older(*seqs: int, **more: Any) -> list[dict[str, Any]]:
    """Messages of the room."""
    return [{**belongs(message(seq, seq, f"line {seq}"), ROOMS[0]), **more} for seq in seqs]


@pytest.mark.parametrize(
    ("messages", "pins"),
    [
        ("no list", []),
        (older(21), []),
        (older(15), []),
        (older(19, room_id=ROOMS[1]), []),
        (older(19, rev="1"), []),
        (older(19, 20), [{"room_id": ROOMS[0], "seq": 18, "rev": 1}]),
        (older(19, 20), [{"room_id": ROOMS[1], "seq": 19, "rev": 1}]),
    ],
)
async def test_older_messages_that_were_not_asked_for_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, messages: Any, pins: list[dict[str, Any]]
) -> None:
    monkeypatch.setattr("parley.sync.engine.WINDOW", 10)
    server = Rooms(ROOMS[0])
    server.say(ROOMS[0], 29)
    device = Device(tmp_path / "copy.db", server)
    await device.engine.sync()
    with pytest.raises(AnswerRefused):
        await load_older(device.store, Pages(messages, pins=pins), ROOMS[0], 5)
    assert len(device.reads.messages(ROOMS[0])) == 10
    assert await load_older(device.store, Pages(older(19, 20)), ROOMS[0], 5) == 2
    assert len(device.reads.messages(ROOMS[0])) == 12
