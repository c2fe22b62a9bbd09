"""People who block each other while one of them reaches the other, each on a connection."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from uuid import UUID

import pytest

from tests.people import Outcome, Person, at_once, crowd, overlap, people
from tests.sql.races import Owner, open_room, repeat, say, send_batch


def block(person: Person, other: Person) -> Outcome:
    return person.attempt("block_user", user_id=other.id)


def unblock(person: Person, other: Person) -> Outcome:
    return person.attempt("unblock_user", user_id=other.id)


def open_direct(person: Person, other: Person) -> UUID:
    room: UUID = person.call("open_direct", user_id=other.id)["id"]
    return room


SENDS: dict[str, Callable[[Person, UUID], str | None]] = {
    "send": lambda person, room: say(person, room).slug,
    "batch": lambda person, room: send_batch(person, room)[0],
}


@pytest.mark.parametrize("kind", SENDS)
def test_a_message_that_waits_for_a_block_is_refused(
    database: str, owner: Owner, kind: str
) -> None:
    with people(database, "Ann", "Bob") as (ann, bob):
        room = open_direct(ann, bob)
        send = partial(SENDS[kind], bob, room)
        assert overlap(owner, ann, lambda: block(ann, bob), bob, send) == "not_allowed"
        assert overlap(owner, ann, lambda: unblock(ann, bob), bob, send) is None
        assert overlap(owner, ann, lambda: say(ann, room), bob, send) is None


def test_a_block_cuts_what_somebody_is_sending(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Bob") as (ann, bob):
        room = open_direct(ann, bob)

        def play() -> str:
            sent, blocked = at_once(
                lambda: [say(bob, room) for _ in range(6)], lambda: [block(ann, bob)]
            )
            assert blocked[0].done
            fence = owner.execute(
                "select changed_rev from chat.rooms where id = %s and is_closed", [room]
            ).fetchone()
            assert fence is not None
            assert all(each.row["rev"] < fence[0] for each in sent if each.done)
            slugs = [outcome.slug for outcome in sent]
            before = slugs.count(None)
            assert slugs == [None] * before + ["not_allowed"] * (6 - before)
            assert unblock(ann, bob).done
            return "cut" if 0 < before < 6 else "whole"

        repeat(play, "cut", "whole")


def test_a_direct_room_and_a_block_at_once_leave_no_open_room(database: str, owner: Owner) -> None:
    with people(database, *crowd(14)) as everybody:
        pairs = [(a, b) for a in everybody for b in everybody if a.name < b.name]
        ways = set()
        for a, b in pairs:
            opened, blocked = at_once(
                partial(a.attempt, "open_direct", user_id=b.id), partial(block, b, a)
            )
            assert blocked.done and opened.slug in (None, "user_not_found")
            ways.add(opened.slug)
            left = owner.execute(
                "select count(*) from chat.rooms where low_user = least(%(a)s, %(b)s)"
                " and high_user = greatest(%(a)s, %(b)s) and not is_closed",
                {"a": a.id, "b": b.id},
            ).fetchone()
            assert left == (0,)
        assert ways == {None, "user_not_found"}


def test_what_puts_somebody_into_a_room_and_waits_for_a_block_finds_nobody(
    database: str, owner: Owner
) -> None:
    with people(database, "Ann", "Bob", "Cat") as (ann, bob, cat):
        room = open_room(bob, cat)
        calls = (
            lambda: bob.attempt("open_direct", user_id=ann.id).slug,
            lambda: bob.attempt("add_member", room_id=room, user_id=ann.id).slug,
            lambda: bob.attempt("create_room", name="Plans", member_ids=[ann.id]).slug,
        )
        for call in calls:
            assert overlap(owner, ann, lambda: block(ann, bob), bob, call) == "user_not_found"
            unblock(ann, bob)
        for call in calls:
            assert overlap(owner, ann, lambda: block(ann, cat), bob, call) is None
            unblock(ann, cat)


def test_two_who_block_each_other_at_once_both_have(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Bob") as (ann, bob):
        room = open_direct(ann, bob)

        def is_closed() -> bool:
            found = owner.execute("select is_closed from chat.rooms where id = %s", [room])
            return bool(found.fetchone()[0])  # type: ignore[index]

        def play() -> tuple[str | None, ...]:
            both = at_once(partial(block, ann, bob), partial(block, bob, ann))
            assert is_closed()
            both += at_once(partial(unblock, ann, bob), partial(unblock, bob, ann))
            assert not is_closed()
            return tuple(each.slug for each in both)

        repeat(play, (None,) * 4)


def test_a_block_and_an_account_that_ends_at_once_leave_the_room_closed(
    database: str, owner: Owner
) -> None:
    with people(database, "Ann", *crowd(12)) as (ann, *others):
        rooms = {each.id: open_direct(ann, each) for each in others}
        for each in others:
            assert block(ann, each).done
            slugs = at_once(partial(slug_of_unblock, ann, each), partial(end_account, owner, each))
            assert slugs == [None, None]
            assert say(ann, rooms[each.id]).slug == "not_allowed"


def slug_of_unblock(person: Person, other: Person) -> str | None:
    return unblock(person, other).slug


def end_account(owner: Owner, person: Person) -> str | None:
    owner.execute("delete from auth.users where id = %s", [person.id])
    return None
