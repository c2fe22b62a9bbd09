"""Any order of holds, edits, deletions, purges, erasures and releases keeps I1, I4 and I11."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parley.stack import Status
from tests.conftest import cloned
from tests.people import Person, Server, people
from tests.sql.invariants import FENCES, GAPS, TWICE
from tests.sql.races import open_room, say

Text = tuple[UUID, int, str]
"""Room, seq and what it says."""
Target = tuple[str, UUID]

# What is said now, and what was said before edits. An edit takes its text from the first, and a
# deletion from both.
SAID = """
select 'now', m.room_id, m.seq, m.body, m.sender_id from chat.messages as m
where m.deleted_at is null and m.room_id = any (%(rooms)s)
union all
select 'before', e.room_id, e.seq, e.body, e.sender_id from chat.message_edits as e
where e.room_id = any (%(rooms)s)
"""
HELD = "select room_id, seq, body from chat_private.held_bodies where room_id = any (%s)"
HELD_BY = (
    "select room_id, seq, body, sender_id from chat_private.held_bodies where room_id = any (%s)"
)
TENANT = UUID(int=1)

ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.integers(0, 1), st.integers(0, 1)),
        st.tuples(st.just("edit"), st.integers(0, 1), st.integers(0, 4)),
        st.tuples(st.just("delete"), st.integers(0, 1), st.integers(0, 4)),
        st.tuples(st.just("hold"), st.integers(0, 4), st.just(0)),
        st.tuples(st.just("release"), st.integers(0, 4), st.just(0)),
        st.tuples(st.just("purge"), st.integers(0, 1), st.integers(0, 4)),
        st.tuples(st.just("forget edits"), st.just(0), st.just(0)),
        st.tuples(st.just("sweep"), st.just(0), st.just(0)),
        st.tuples(st.just("erase"), st.integers(0, 1), st.just(0)),
        st.tuples(st.just("pull"), st.just(0), st.just(0)),
    ),
    min_size=8,
    max_size=40,
)


@dataclass
class World:
    """The people, and connections past all rights and of a server."""

    url: str
    owner: psycopg.Connection[Any]
    server: Server
    bob: Person


@pytest.fixture(scope="module")
def world(stack: Status) -> Iterator[World]:
    with (
        cloned(stack, "parley_holds") as url,
        psycopg.connect(url, autocommit=True) as owner,
        people(url, "Ann", "Bob") as (_, bob),
        Server(url, "Ann") as server,
    ):
        owner.execute("update chat_private.settings set open_rooms_per_person = 100000")
        yield World(url, owner, server, bob)


@dataclass
class Play:
    """One order of acts in two rooms of their own, with what must be kept by now."""

    world: World
    writers: list[Person]
    rooms: list[UUID]
    holds: dict[Target, UUID] = field(default_factory=dict)
    kept: set[Text] = field(default_factory=set)
    user: int | None = None
    cursor: dict[str, Any] = field(default_factory=dict)
    copies: dict[str, dict[int, str]] = field(default_factory=dict)
    floors: dict[str, int] = field(default_factory=dict)

    @property
    def targets(self) -> list[Target]:
        return [
            *(("room", room) for room in self.rooms),
            *(("person", writer.id) for writer in self.writers),
            ("tenant", TENANT),
        ]

    def said(self) -> dict[tuple[str, Text], UUID]:
        """What can be read now, with who wrote it."""
        rows = self.world.owner.execute(SAID, {"rooms": self.rooms})
        return {(where, (room, seq, body)): sender for where, room, seq, body, sender in rows}

    def is_held(self, room: UUID, sender: UUID) -> bool:
        return bool(self.holds.keys() & {("room", room), ("person", sender), ("tenant", TENANT)})

    def act(self, name: str, one: int, other: int) -> None:
        """Do one thing, and hold what became of texts against the holds that stood."""
        if name == "hold":
            kind, target = self.targets[one]
            row = self.world.server.call("set_hold", kind=kind, target_id=target, reason="case")
            self.holds[kind, target] = row["hold_id"]
        elif name == "release":
            hold_id = self.holds.pop(self.targets[one], None)
            if hold_id is not None:
                self.world.server.call("release_hold", hold_id=hold_id)
        elif name == "sweep":
            self.sweep()
        elif name == "pull":
            self.pull()
        else:
            before = self.said()
            self.change(name, one, other)
            gone = before.keys() - self.said().keys()
            self.kept |= {
                text for where, text in gone if self.is_held(text[0], before[where, text])
            }
        held = {tuple(row) for row in self.world.owner.execute(HELD, [self.rooms])}
        assert held == self.kept, f"I11: after {name}"

    def change(self, name: str, one: int, other: int) -> None:
        owner, room = self.world.owner, self.rooms[one % 2]
        newest = owner.execute("select last_seq from chat.rooms where id = %s", [room]).fetchone()
        assert newest is not None
        seq = max(1, newest[0] - other)
        if name == "say":
            say(self.writers[other], room, f"said {newest[0]}")
        elif name == "edit":
            for writer in self.writers:
                writer.attempt(
                    "edit_message", room_id=room, seq=seq, body=f"edited {len(self.kept)}"
                )
        elif name == "delete":
            for writer in self.writers:
                writer.attempt("delete_message", room_id=room, seq=seq)
        elif name == "purge":
            owner.execute("select chat_private.purge_messages(%s, %s)", [room, seq])
        elif name == "forget edits":
            owner.execute("update chat.message_edits set edited_at = now() - interval '9 days'")
            owner.execute("update chat_private.settings set keep_edits = '1 day'")
            owner.execute("select chat_private.drop_old_edits(%s, 1000)", [self.rooms])
            owner.execute("update chat_private.settings set keep_edits = null")
        elif name == "erase":
            owner.execute("select chat_private.erase_user(%s)", [self.writers[one].id])
            # What maintenance does for it, without sweeping what was released.
            while owner.execute(
                "select chat_private.leave_closed_accounts(100) + chat_private.end_closed_place()"
                " + chat_private.erase_portion(1000)"
            ).fetchone() != (0,):
                pass

    def sweep(self) -> None:
        """Let go of what no hold keeps any more."""
        owner = self.world.owner
        rows = owner.execute(HELD_BY, [self.rooms]).fetchall()
        while owner.execute("select chat_private.sweep_released(1)").fetchone() != (0,):
            pass
        self.kept = {
            (room, seq, body) for room, seq, body, sender in rows if self.is_held(room, sender)
        }

    def pull(self) -> None:
        """Bring Bob's copy up to date and hold it against what he may read."""
        more = True
        while more:
            cursor = {"user": self.user, "rooms": self.cursor, "limit": 7}
            answer = self.world.bob.call("pull_changes", cursor=json.dumps(cursor))["pull_changes"]
            for step in answer["rooms"]:
                name = step["room_id"]
                copy = self.copies.setdefault(name, {})
                assert not step["reset"] or self.cursor[name] is None, "a purge resets nobody"
                assert step["from"] == self.cursor[name]
                for row in step["rows"].get("rooms", ()):
                    self.floors[name] = row["floor_seq"]
                for row in step["rows"].get("messages", ()):
                    copy[row["seq"]] = row["body"]
                for seq in [seq for seq in copy if seq <= self.floors[name]]:
                    del copy[seq]
                self.cursor[name] = step["to"]
            self.user = answer["user"]["to"]
            more = answer["more"]
        for room in self.rooms:
            rows = self.world.bob.connection.execute(
                "select seq, body from chat.messages where room_id = %s", [room]
            )
            assert self.copies[str(room)] == {row["seq"]: row["body"] for row in rows}, "I4"


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(acts=ACTS)
def test_any_order_keeps_what_is_held_and_nothing_else(
    world: World, acts: list[tuple[str, int, int]]
) -> None:
    # Whoever is erased is gone for good, so each order has writers of its own.
    names = [f"{name} {uuid4()}" for name in ("Cat", "Dan")]
    with people(world.url, *names) as writers:
        rooms = [open_room(world.bob, *writers) for _ in range(2)]
        play = Play(world, writers, rooms, cursor={str(room): None for room in rooms})
        play.pull()
        for act in acts:
            play.act(*act)
        play.pull()
        for query in (GAPS, TWICE, FENCES):
            assert world.owner.execute(query).fetchall() == []
        for number in range(len(play.targets)):
            play.act("release", number, 0)
        play.act("sweep", 0, 0)
        assert play.kept == set(), "what was asked for happens when the last hold is released"
