"""An office is never lost: owners who leave, demote, mute and close their accounts at once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any
from uuid import UUID

import psycopg
import pytest

from tests.people import Outcome, Person, at_once, overlap, people
from tests.sql.invariants import assert_invariants
from tests.sql.races import Owner, open_room, repeat

ACTING = """
select count(*)
from chat.room_members as m
join chat.profiles as p on p.user_id = m.user_id and p.closed_at is null
where m.room_id = %s and m.left_at is null and m.role = 'owner'
  and (m.muted_until > now()) is not true
"""


@pytest.fixture
def owner(database: str) -> Iterator[Owner]:
    """A connection past all rights; when the test is over, every invariant holds."""
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection
        maintain(connection)
        assert_invariants(connection)


def maintain(owner: Owner) -> None:
    """Call maintenance until nothing is due."""
    while (owner.execute("select chat_private.leave_closed_accounts(100)").fetchone() or [0])[0]:
        pass


def acting_owners(owner: Owner, room: UUID) -> int:
    """How many people own a room and can act in it."""
    found = owner.execute(ACTING, [room]).fetchone()
    assert found is not None
    return int(found[0])


def call_on(person: Person, function: Any, room: UUID, other: Person, **more: object) -> Outcome:
    """Do something to somebody in a room."""
    return person.attempt(function, room_id=room, user_id=other.id, **more)


def test_of_two_owners_who_go_at_once_one_stays(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Bob", "Cat") as (ann, bob, cat):

        def play() -> str:
            room = open_room(ann, bob, cat)
            ann.call("set_member_role", room_id=room, user_id=bob.id, role="owner")
            left, stepped = at_once(
                partial(ann.attempt, "leave_room", room_id=room),
                partial(
                    bob.attempt, "set_member_role", room_id=room, user_id=bob.id, role="member"
                ),
            )
            assert {left.slug, stepped.slug} == {None, "last_owner"}
            return "left" if left.done else "stepped down"

        repeat(play, "left", "stepped down")


def test_of_two_owners_who_demote_each_other_one_is_demoted(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Bob") as (ann, bob):

        def play() -> str:
            room = open_room(ann, bob, role="owner")
            demote = partial(Person.attempt, function="set_member_role", room_id=room)
            first, second = at_once(
                lambda: demote(ann, user_id=bob.id, role="member"),
                lambda: demote(bob, user_id=ann.id, role="member"),
            )
            assert {first.slug, second.slug} == {None, "not_allowed"}
            return "first" if first.done else "second"

        repeat(play, "first", "second")


def test_two_admins_do_not_demote_each_other(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Abe", "Bob", "Cat") as (ann, abe, bob, cat):
        room = open_room(ann, abe, bob, cat, role="admin")
        for role in ["member", "reader"] * 10:
            demote = partial(Person.attempt, function="set_member_role", room_id=room, role=role)
            outcomes = at_once(
                lambda: demote(abe, user_id=bob.id),  # noqa: B023
                lambda: demote(bob, user_id=abe.id),  # noqa: B023
                lambda: demote(ann, user_id=cat.id),  # noqa: B023
            )
            assert [o.slug for o in outcomes] == ["not_allowed", "not_allowed", None]


def test_of_two_owners_who_leave_at_once_one_stays(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Bob", "Cat") as (ann, bob, cat):

        def play() -> str:
            room = open_room(ann, bob, cat)
            ann.call("set_member_role", room_id=room, user_id=bob.id, role="owner")
            first, second = at_once(
                partial(ann.attempt, "leave_room", room_id=room),
                partial(bob.attempt, "leave_room", room_id=room),
            )
            assert {first.slug, second.slug} == {None, "last_owner"}
            assert acting_owners(owner, room) == 1
            return "Ann" if first.done else "Bob"

        repeat(play, "Ann", "Bob")


def test_of_two_owners_who_mute_each_other_one_is_muted(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Bob", "Cat") as (ann, bob, cat):

        def play() -> str:
            room = open_room(ann, bob, cat)
            ann.call("set_member_role", room_id=room, user_id=bob.id, role="owner")
            first, second = at_once(
                lambda: call_on(ann, "mute_member", room, bob),
                lambda: call_on(bob, "mute_member", room, ann),
            )
            assert {first.slug, second.slug} == {None, "member_muted"}
            assert acting_owners(owner, room) == 1
            return "first" if first.done else "second"

        repeat(play, "first", "second")


def test_an_owner_does_not_leave_while_the_other_one_is_being_muted(
    database: str, owner: Owner
) -> None:
    with people(database, "Ann", "Bob", "Cat", "Eve") as (ann, bob, cat, eve):

        def play() -> str:
            room = open_room(ann, bob, cat, eve)
            for each in (bob, cat):
                ann.call("set_member_role", room_id=room, user_id=each.id, role="owner")
            ann.call("mute_member", room_id=room, user_id=cat.id)
            # Ann mutes the only other one who can act, or that one leaves: not both, then Ann goes.
            muted, left = at_once(
                lambda: call_on(ann, "mute_member", room, bob),
                partial(bob.attempt, "leave_room", room_id=room),
            )
            assert muted.slug in {None, "user_not_found"}
            assert left.done
            assert ann.attempt("leave_room", room_id=room).slug == "last_owner"
            assert acting_owners(owner, room) == 1
            return "muted" if muted.done else "left"

        repeat(play, "muted", "left")


def test_of_a_demotion_and_a_step_down_one_is_refused(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Bob", "Cat") as (ann, bob, cat):

        def play() -> str:
            room = open_room(ann, bob, cat)
            ann.call("set_member_role", room_id=room, user_id=bob.id, role="owner")
            demoted, stepped = at_once(
                lambda: call_on(ann, "set_member_role", room, bob, role="member"),
                lambda: call_on(ann_too, "set_member_role", room, ann, role="member"),
            )
            assert {demoted.slug, stepped.slug} == {None, "last_owner"} or {
                demoted.slug,
                stepped.slug,
            } == {None, "not_allowed"}
            assert acting_owners(owner, room) == 1
            return "demoted" if demoted.done else "stepped down"

        with Person(database, "Ann") as ann_too:
            repeat(play, "demoted", "stepped down")


def close(owner: Owner, person: Person) -> Outcome:
    """End an account as the dashboard does."""
    owner.execute("delete from auth.users where id = %s", [person.id])
    return Outcome({})


def test_an_owner_who_leaves_while_the_other_ones_account_ends_leaves_an_heir(
    database: str, owner: Owner
) -> None:
    rounds = 12
    names = [f"Gone {number}" for number in range(rounds)]
    with people(database, "Ann", "Bob", "Cat", *names) as (ann, bob, cat, *going):
        seen = set()
        for other in going:
            room = open_room(ann, bob, cat, other)
            ann.call("set_member_role", room_id=room, user_id=other.id, role="owner")
            left, _ = at_once(
                partial(ann.attempt, "leave_room", room_id=room), partial(close, owner, other)
            )
            assert left.slug in {None, "last_owner"}
            maintain(owner)
            assert acting_owners(owner, room) == 1
            seen.add(left.slug)
        assert seen


def test_who_waits_for_an_account_to_end_is_the_last_owner_then(
    database: str, owner: Owner
) -> None:
    with people(database, "Ann", "Bob", "Cat") as (ann, bob, cat):
        room = open_room(ann, bob, cat)
        ann.call("set_member_role", room_id=room, user_id=bob.id, role="owner")

        def close_and_hold_the_room() -> None:
            cat.connection.execute("set local role none")
            cat.connection.execute("select from chat.rooms where id = %s for update", [room])
            cat.connection.execute("delete from auth.users where id = %s", [bob.id])

        left = overlap(
            owner,
            cat,
            close_and_hold_the_room,
            ann,
            partial(ann.attempt, "leave_room", room_id=room),
        )
        assert left.slug == "last_owner"
        assert acting_owners(owner, room) == 1
        assert ann.attempt("update_room", room_id=room, topic="Still here").done
