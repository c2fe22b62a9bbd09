"""How much a pull may hold, read and answer, whatever others have said; and that its parts join."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from parley.stack import Status
from tests.conftest import cloned
from tests.people import Person, people

PULL_BYTES = 1_048_576
BACKEND_MB = 150
# A message of 8,000 control characters, which JSON writes with six each.
NUMBER_BYTES = 60_000
BURST = """
insert into chat.messages (room_id, seq, rev, sender_id, body, attachments)
select
  r.id, n, r.rev + n, r.created_by, repeat(chr(128512), 8000),
  jsonb_build_array(jsonb_build_object('p', repeat(chr(128512), 3900)))
from chat.rooms as r, generate_series(1, 5000) as n
where r.id = %(room)s;
"""
ROOM_KEYS = {
    "rooms": ("id",),
    "members": ("user_id",),
    "messages": ("seq",),
    "reactions": ("seq", "user_id", "emoji"),
    "pins": ("seq",),
    "receipts": ("user_id", "kind", "up_to_seq"),
}
USER_KEYS = {
    "memberships": ("room_id",),
    "marks": ("room_id",),
    "preferences": ("room_id",),
    "notifications": ("seq",),
    "blocks": ("blocked_id",),
}
State = dict[tuple[Any, ...], dict[str, Any]]


def pull(person: Person, cursor: dict[str, Any]) -> dict[str, Any]:
    """Call pull_changes."""
    answer: dict[str, Any] = person.call("pull_changes", cursor=json.dumps(cursor))["pull_changes"]
    return answer


def peak_mb(pid: int) -> float:
    """The most memory that a process has ever held, shared buffers included."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


@pytest.mark.parametrize("above", [1, None])
def test_a_pull_over_a_burst_of_large_messages_holds_little(
    database: str, above: int | None
) -> None:
    with people(database, "Ann", "Bob") as (ann, bob):
        room = ann.call("create_room", name="burst", member_ids=[bob.id])["id"]
        with psycopg.connect(database, autocommit=True) as owner:
            owner.execute(BURST, {"room": room})
            owner.execute("update chat.rooms set rev = 5001, last_seq = 5000 where id = %s", [room])
        cursor = {"user": 1, "rooms": {str(room): above}, "limit": 5000}
        answer = bob.connection.execute(
            "select length(a), octet_length(a) from (select chat.pull_changes(%s)::text) as p (a)",
            [json.dumps(cursor)],
        ).fetchone()
        assert answer is not None
        assert PULL_BYTES / 2 < answer["octet_length"] <= PULL_BYTES
        assert peak_mb(bob.pid) < BACKEND_MB


# Pages join


class World:
    """Rooms in which many things happened, and the people who pull them."""

    def __init__(self, url: str, members: list[Person], owner: psycopg.Connection[Any]) -> None:
        self.url = url
        self.ann, self.bob, self.cat = members
        self.owner = owner
        self.rooms: list[UUID] = []

    def happen(self, rng: random.Random, times: int) -> None:
        """Let people act at random."""
        self.rooms = [
            self.ann.call("create_room", name=f"room {n}", member_ids=[self.bob.id, self.cat.id])[
                "id"
            ]
            for n in range(3)
        ]
        for _ in range(times):
            person = rng.choice((self.ann, self.bob, self.cat))
            room = rng.choice(self.rooms)
            last = self.owner.execute(
                "select last_seq from chat.rooms where id = %s", [room]
            ).fetchone()
            assert last is not None
            seq = rng.randint(max(1, last[0] - 5), max(1, last[0]))
            self.act(rng, person, room, seq)

    def act(self, rng: random.Random, person: Person, room: UUID, seq: int) -> None:
        """Do one thing."""
        body = rng.choice("x😀\x01") * rng.choice((1, 40, 900, 5000))
        action = rng.choice(
            ("send", "send", "send", "edit", "delete", "react", "mark", "pin", "come")
        )
        if action == "send":
            person.attempt("send_message", room_id=room, body=body, client_id=uuid4())
        elif action == "edit":
            person.attempt("edit_message", room_id=room, seq=seq, body=body)
        elif action == "delete":
            person.attempt("delete_message", room_id=room, seq=seq)
        elif action == "react":
            emoji = rng.choice("👍🎉")
            person.attempt("add_reaction", room_id=room, seq=seq, emoji=emoji)
            if rng.random() < 0.3:
                person.attempt("remove_reaction", room_id=room, seq=seq, emoji=emoji)
        elif action == "mark":
            person.attempt("mark_read", room_id=room, seq=seq)
        elif action == "pin":
            self.ann.attempt("pin_message", room_id=room, seq=seq)
        else:
            self.ann.attempt("remove_member", room_id=room, user_id=self.cat.id)
            self.ann.attempt("add_member", room_id=room, user_id=self.cat.id)


@pytest.fixture(scope="module")
def world(stack: Status) -> Iterator[World]:
    """A world after two hundred actions."""
    with (
        cloned(stack, "parley_reads") as url,
        psycopg.connect(url, autocommit=True) as owner,
        people(url, "Ann", "Bob", "Cat") as members,
    ):
        world = World(url, members, owner)
        world.happen(random.Random(7), 200)
        yield world


class Copy:
    """What somebody makes of answers: rows by key, and the number of each stream."""

    def __init__(self, user: int | None, rooms: dict[str, int | None]) -> None:
        self.user = user
        self.rooms = rooms
        self.rows: dict[str, State] = {}
        self.answers = 0

    def follow(self, world: World, limit: int, size: int, window: int) -> None:
        """Pull until there is no more."""
        world.owner.execute(
            sql.SQL("update chat_private.settings set pull_bytes = {}").format(size)
        )
        more = True
        while more:
            cursor = {"user": self.user, "rooms": self.rooms, "limit": limit, "window": window}
            answer = pull(world.bob, cursor)
            self.answers += 1
            assert self.answers < 2000
            length = len(json.dumps(answer, ensure_ascii=False).encode())
            assert length <= size + NUMBER_BYTES
            self.take("", self.user, answer["user"], USER_KEYS)
            self.user = answer["user"]["to"]
            for room in answer["rooms"]:
                self.take(room["room_id"], self.rooms[room["room_id"]], room, ROOM_KEYS)
                self.rooms[room["room_id"]] = room["to"]
            named = {
                row[column]
                for step in (answer["user"], *answer["rooms"])
                for rows in step["rows"].values()
                for row in rows
                for column in ("user_id", "sender_id", "actor_id")
                if row.get(column)
            }
            assert {each["user_id"] for each in answer["profiles"]} == named
            more = answer["more"]

    def take(
        self,
        name: str,
        have: int | None,
        step: dict[str, Any],
        keys: Mapping[str, tuple[str, ...]],
    ) -> None:
        """Apply a step."""
        assert step["from"] == have
        state = self.rows.setdefault(name, {})
        if have is None:
            state.clear()
        else:
            assert step["to"] >= have
        for kind, rows in step["rows"].items():
            for row in rows:
                state[(kind, *(row[key] for key in keys[kind]))] = row

    def seen(self, name: str, first: int = 0) -> State:
        """What stands of a stream, from a message on."""
        return {
            key: row
            for key, row in self.rows.get(name, {}).items()
            if row.get("removed_at") is None
            and row.get("left_at") is None
            and (
                key[0] == "notifications"
                or int(row.get("seq") or row.get("up_to_seq") or first) >= first
            )
        }

    def first(self, name: str) -> int:
        """The first message of a room that is here."""
        return min((key[1] for key in self.rows.get(name, {}) if key[0] == "messages"), default=1)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    limit=st.sampled_from([1, 2, 3, 7, 20, 100, 5000]),
    size=st.sampled_from([1024, 3000, 10_000, 60_000, 1_048_576]),
    window=st.integers(1, 200),
    share=st.one_of(st.none(), st.floats(0, 1)),
)
def test_answers_of_any_size_join_to_the_same(
    world: World, limit: int, size: int, window: int, share: float | None
) -> None:
    heads = {str(each["room_id"]): each["rev"] for each in heads_of(world)}

    def begin() -> Copy:
        if share is None:
            return Copy(None, dict.fromkeys(heads))
        return Copy(1, {room: max(1, int(head * share)) for room, head in heads.items()})

    small, large = begin(), begin()
    small.follow(world, limit, size, window)
    large.follow(world, 5000, 8_388_608, window)
    assert small.rooms == large.rooms == heads
    assert small.user == large.user
    # A start in several answers may bring notifications from before the window.
    assert {
        key: row
        for key, row in small.seen("").items()
        if key[0] != "notifications" or key in large.seen("") or share is not None
    } == large.seen("")
    for room in heads:
        # Windows may be of different sizes.
        first = small.first(room) if share is None else 0
        assert small.seen(room, first) == large.seen(room, first)


def heads_of(world: World) -> list[dict[str, Any]]:
    """The heads of the rooms."""
    answer: dict[str, Any] = world.bob.call("list_heads")["list_heads"]
    return list(answer["rooms"])
