"""Holds, maintenance and the audit between people who act at the same moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest

from tests.people import Person, Row, Server, at_once, overlap, people
from tests.sql.races import Owner, open_room, repeat, say


@pytest.fixture
def owner(database: str) -> Iterator[Owner]:
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


class Operator(Person):
    """Whoever holds the database, on a connection of their own, where nothing waits for long."""

    def __init__(self, url: str) -> None:
        super().__init__(url, "Ann")
        self.connection.execute(
            "select set_config('role', 'none', false), set_config('request.jwt.claims', '', false),"
            " set_config('statement_timeout', '20s', false)"
        )

    def purge(self, room: UUID, seq: int) -> None:
        self.connection.execute("select chat_private.purge_messages(%s, %s)", [room, seq])

    def maintain(self) -> Row:
        """Run maintenance once and return what it did."""
        row = self.connection.execute("select chat_private.run_maintenance() as done").fetchone()
        assert row is not None
        return dict(row["done"])


def hold(server: Server, room: UUID) -> Row:
    return server.call("set_hold", kind="room", target_id=room, reason="case 7")


def kept(owner: Owner, room: UUID) -> list[str]:
    """What is kept of a room, in the order in which it changed."""
    query = "select body from chat_private.held_bodies where room_id = %s order by rev"
    return [row[0] for row in owner.execute(query, [room])]


Act = Callable[[Person, Operator, UUID, int], object]
CHANGES: dict[str, Act] = {
    "an edit": lambda cat, _, room, seq: cat.call(
        "edit_message", room_id=room, seq=seq, body="after"
    ),
    "a deletion": lambda cat, _, room, seq: cat.call("delete_message", room_id=room, seq=seq),
    "a purge": lambda _, operator, room, seq: operator.purge(room, seq),
}


@pytest.fixture
def cast(database: str) -> Iterator[tuple[Person, Operator, Server, UUID]]:
    """Cat, who writes in a room, an operator and a server."""
    with (
        people(database, "Ann", "Cat") as (ann, cat),
        Operator(database) as operator,
        Server(database, "Ann") as server,
    ):
        yield cat, operator, server, open_room(ann, cat)


@pytest.mark.parametrize("change", CHANGES)
def test_a_hold_waits_for_a_change_that_did_not_see_it(
    cast: tuple[Person, Operator, Server, UUID], owner: Owner, change: str
) -> None:
    cat, operator, server, room = cast
    seq = say(cat, room, "before").row["seq"]
    actor = operator if change == "a purge" else cat
    overlap(
        owner,
        actor,
        lambda: CHANGES[change](cat, operator, room, seq),
        server,
        lambda: hold(server, room),
    )
    assert kept(owner, room) == [], f"{change} was made before the hold"
    seq = say(cat, room, "before").row["seq"]
    CHANGES[change](cat, operator, room, seq)
    assert kept(owner, room)[-1] == "before", "the control: the next one is made under the hold"


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_waits_for_a_hold_and_keeps_what_it_destroys(
    cast: tuple[Person, Operator, Server, UUID], owner: Owner, change: str
) -> None:
    cat, operator, server, room = cast
    seq = say(cat, room, "before").row["seq"]
    actor = operator if change == "a purge" else cat
    overlap(
        owner,
        server,
        lambda: hold(server, room),
        actor,
        lambda: CHANGES[change](cat, operator, room, seq),
    )
    assert kept(owner, room)[-1] == "before"


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_not_kept_was_changed_before_the_hold(
    cast: tuple[Person, Operator, Server, UUID], owner: Owner, change: str
) -> None:
    cat, operator, server, room = cast

    def play() -> bool:
        seq = say(cat, room, "before").row["seq"]
        before = len(kept(owner, room))

        def act() -> datetime:
            CHANGES[change](cat, operator, room, seq)
            return now(owner)

        changed_at, held = at_once(act, lambda: hold(server, room))
        assert isinstance(held, dict) and isinstance(changed_at, datetime)
        is_kept = len(kept(owner, room)) > before
        # The change ended before this moment, and the hold was placed before it returned.
        assert is_kept or held["placed_at"] < now(owner)
        server.call("release_hold", hold_id=held["hold_id"])
        operator.connection.execute("select chat_private.sweep_released(1000)")
        assert kept(owner, room) == [], "the hold that was released keeps nothing"
        return is_kept

    repeat(play, True, False)


def now(owner: Owner) -> datetime:
    row = owner.execute("select clock_timestamp()").fetchone()
    assert row is not None
    moment: datetime = row[0]
    return moment


def test_a_new_hold_keeps_what_a_released_one_had_kept(
    cast: tuple[Person, Operator, Server, UUID], owner: Owner
) -> None:
    cat, operator, server, room = cast
    first = hold(server, room)
    seq = say(cat, room, "before").row["seq"]
    cat.call("delete_message", room_id=room, seq=seq)
    server.call("release_hold", hold_id=first["hold_id"])
    overlap(
        owner,
        server,
        lambda: hold(server, room),
        operator,
        lambda: operator.connection.execute("select chat_private.sweep_released(1000)"),
    )
    assert kept(owner, room) == ["before"]


def purged(owner: Owner, room: UUID) -> int:
    row = owner.execute("select floor_seq from chat.rooms where id = %s", [room]).fetchone()
    assert row is not None
    return int(row[0])


def test_maintenance_waits_for_no_room_that_somebody_uses(
    cast: tuple[Person, Operator, Server, UUID], owner: Owner
) -> None:
    cat, operator, _, busy = cast
    idle = open_room(cat)
    for room in (busy, idle):
        say(cat, room)
    owner.execute("update chat.messages set created_at = now() - interval '9 days'")
    owner.execute("update chat.tenants set retain_days = 5")
    with cat.holding():
        cat.call("pin_message", room_id=idle, seq=1)
        say(cat, busy)
        while operator.maintain()["messages_purged"]:
            pass
        assert purged(owner, busy) == purged(owner, idle) == 0
    for _ in range(5):
        operator.maintain()
    assert purged(owner, busy) > 0 and purged(owner, idle) > 0


def test_maintenance_that_runs_twice_at_once_does_each_thing_once(
    cast: tuple[Person, Operator, Server, UUID], database: str, owner: Owner
) -> None:
    cat, operator, _, room = cast
    owner.execute("update chat.tenants set retain_days = 5")
    with Operator(database) as another:
        for _ in range(5):
            for _ in range(4):
                say(cat, room)
            before = purged(owner, room)
            owner.execute("update chat.messages set created_at = now() - interval '9 days'")
            done = [0]
            while purged(owner, room) < last_seq(owner, room):
                each = at_once(operator.maintain, another.maintain)
                done += [int(one["messages_purged"]) for one in each]
            assert sum(done) == purged(owner, room) - before


def last_seq(owner: Owner, room: UUID) -> int:
    row = owner.execute("select last_seq from chat.rooms where id = %s", [room]).fetchone()
    assert row is not None
    return int(row[0])


def test_nobody_waits_to_be_recorded_and_a_late_entry_is_sealed_later(
    database: str, owner: Owner
) -> None:
    def sealed() -> list[Any]:
        owner.execute("select chat_private.seal_audit(1000)")
        return owner.execute(
            "select subject_id from chat_private.audit_log where action = 'role_changed'"
            " and seq is not null order by seq"
        ).fetchall()

    with people(database, "Ann", "Bob", "Cat") as (ann, bob, cat):
        for each in (ann, bob):
            each.connection.execute("select set_config('statement_timeout', '20s', false)")
        rooms = [open_room(ann, cat), open_room(bob, cat)]
        with ann.holding():
            ann.call("set_member_role", room_id=rooms[0], user_id=cat.id, role="admin")
            bob.call("set_member_role", room_id=rooms[1], user_id=cat.id, role="reader")
            assert sealed() == [(cat.id,)], "the entry that is committed"
        assert sealed() == [(cat.id,), (cat.id,)]
        row = owner.execute("select chat_private.verify_audit(null)").fetchone()
        assert row is not None and row[0]["is_intact"]
