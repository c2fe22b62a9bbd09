"""What happens when people come into a tenant while somebody closes the door."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import Any, LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest

from tests.people import Outcome, Person, at_once, crowd, overlap, people, wait_until_blocked
from tests.sql.races import Owner, repeat

DEFAULT = UUID("00000000-0000-0000-0000-000000000001")


class Club:
    """A tenant of Ann's, in which Abe is an admin who moderates the room; Bob is outside."""

    def __init__(self, owner: Owner, ann: Person, abe: Person) -> None:
        self.owner = owner
        self.ann = ann
        self.id: UUID = ann.call("create_tenant", name="Club")["tenant_id"]
        self.add(abe, "admin")
        self.room: UUID = ann.call(
            "create_room", name="Board", tenant_id=self.id, member_ids=[abe.id]
        )["id"]
        ann.call("set_member_role", room_id=self.room, user_id=abe.id, role="moderator")

    def add(self, person: Person, role: str = "member") -> None:
        """Add somebody as a server does."""
        self.owner.execute("select chat.add_tenant_member(%s, %s, %s)", [self.id, person.id, role])

    def has(self, person: Person) -> bool:
        """Tell whether somebody is in, and that nobody is in its rooms who is not."""
        found = self.owner.execute(
            "select from chat.tenant_members"
            " where tenant_id = %s and user_id = %s and removed_at is null",
            [self.id, person.id],
        )
        return found.rowcount == 1

    def owners(self) -> int:
        """Count the living owners."""
        found = self.owner.execute(
            "select count(*) from chat.tenant_members as m"
            " join chat.profiles as p on p.user_id = m.user_id and p.closed_at is null"
            " where m.tenant_id = %s and m.removed_at is null and m.role = 'owner'",
            [self.id],
        ).fetchone()
        return int(found[0]) if found else 0


def accept(person: Person, token: str) -> Outcome:
    return person.attempt("accept_tenant_invite", token=token)


@pytest.mark.parametrize("with_room", [False, True], ids=["tenant", "room"])
def test_an_invite_revoked_while_it_is_accepted_was_accepted_before_or_not_at_all(
    database: str, owner: Owner, with_room: bool
) -> None:
    with people(database, "Ann", "Abe", "Bob") as (ann, abe, bob):

        def play() -> str:
            owner.execute("delete from chat_private.rate_buckets")
            club = Club(owner, ann, abe)
            invite = abe.call(
                "create_tenant_invite",
                tenant_id=club.id,
                room_id=club.room if with_room else None,
            )
            entered, revoked = at_once(
                partial(accept, bob, invite["token"]),
                partial(
                    abe.attempt,
                    "revoke_tenant_invite",
                    tenant_id=club.id,
                    invite_id=invite["invite_id"],
                ),
            )
            assert revoked.done
            assert entered.slug in {None, "invite_not_found"}
            assert revoked.row["used_count"] == int(entered.done) == int(club.has(bob))
            ann.call("remove_tenant_member", tenant_id=club.id, user_id=abe.id)
            owner.execute("update chat.tenant_members set role = 'member' where role = 'owner'")
            return "accepted" if entered.done else "revoked"

        repeat(play, "accepted", "revoked")


def test_somebody_banned_while_they_come_in_is_out(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Abe", "Bob") as (ann, abe, bob):
        club = Club(owner, ann, abe)
        token = ann.call(
            "create_tenant_invite", tenant_id=club.id, max_uses=100_000, room_id=club.room
        )["token"]

        def play() -> str:
            owner.execute("delete from chat_private.rate_buckets")
            entered, banned = at_once(
                partial(accept, bob, token),
                partial(abe.attempt, "ban_tenant_member", tenant_id=club.id, user_id=bob.id),
            )
            assert banned.done
            assert entered.slug in {None, "not_allowed"}
            assert not club.has(bob)
            assert bob.attempt("list_messages", room_id=club.room).slug == "room_not_found"
            abe.call("unban_tenant_member", tenant_id=club.id, user_id=bob.id)
            return "in and out" if entered.done else "never in"

        repeat(play, "in and out", "never in")


def test_somebody_removed_while_they_accept_again_is_in_only_if_they_came_after(
    database: str, owner: Owner
) -> None:
    with people(database, "Ann", "Abe", "Bob") as (ann, abe, bob):
        club = Club(owner, ann, abe)
        token = ann.call("create_tenant_invite", tenant_id=club.id, max_uses=100_000)["token"]

        def play() -> str:
            owner.execute("delete from chat_private.rate_buckets")
            club.add(bob)
            entered, removed = at_once(
                partial(accept, bob, token),
                partial(abe.attempt, "remove_tenant_member", tenant_id=club.id, user_id=bob.id),
            )
            assert entered.done and removed.done
            came_after = entered.row["user_rev"] > removed.row["user_rev"]
            assert club.has(bob) == came_after
            return "came back" if came_after else "was in"

        repeat(play, "came back", "was in")


def test_a_full_invite_lets_in_as_many_as_it_says(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Abe", *crowd(10)) as (ann, abe, *takers):
        for _ in range(10):
            owner.execute("delete from chat_private.rate_buckets")
            club = Club(owner, ann, abe)
            token = abe.call(
                "create_tenant_invite", tenant_id=club.id, max_uses=3, room_id=club.room
            )["token"]
            outcomes = at_once(*(partial(accept, taker, token) for taker in takers))
            slugs = sorted(outcome.slug or "" for outcome in outcomes)
            assert slugs == [""] * 3 + ["invite_expired"] * 7
            assert sum(club.has(taker) for taker in takers) == 3
            used = owner.execute(
                "select i.used_count, r.member_count from chat.tenant_invites as i"
                " join chat.rooms as r on r.id = i.room_id where i.tenant_id = %s",
                [club.id],
            ).fetchone()
            assert used == (3, 5)


def test_one_person_on_many_devices_uses_an_invite_once(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Abe", "Bob") as (ann, abe, _), ExitStack() as exits:
        devices = [exits.enter_context(Person(database, "Bob")) for _ in range(6)]
        for _ in range(10):
            club = Club(owner, ann, abe)
            token = abe.call("create_tenant_invite", tenant_id=club.id)["token"]
            outcomes = at_once(*(partial(accept, device, token) for device in devices))
            assert [outcome.slug for outcome in outcomes] == [None] * 6
            assert len({outcome.row["user_rev"] for outcome in outcomes}) == 1


FALLS: dict[str, tuple[LiteralString, dict[str, object]]] = {
    "demoted": ("set_tenant_member_role", {"role": "member"}),
    "removed": ("remove_tenant_member", {}),
    "banned": ("ban_tenant_member", {}),
}


@pytest.mark.parametrize("fall", FALLS)
def test_an_invite_falls_with_its_maker(database: str, owner: Owner, fall: str) -> None:
    function, arguments = FALLS[fall]
    with people(database, "Ann", "Abe", "Bob") as (ann, abe, bob):

        def outcome(act: Callable[[Club], object]) -> str | None:
            club = Club(owner, ann, abe)
            token = abe.call("create_tenant_invite", tenant_id=club.id)["token"]
            slug = overlap(owner, ann, lambda: act(club), bob, partial(accept, bob, token)).slug
            assert club.has(bob) == (slug is None)
            return slug

        assert (
            outcome(lambda club: ann.call(function, tenant_id=club.id, user_id=abe.id, **arguments))
            == "invite_not_found"
        )
        assert outcome(lambda club: ann.call("create_tenant_invite", tenant_id=club.id)) is None


@pytest.mark.parametrize("function", ["remove_member", "ban_member", "mute_member"])
def test_an_invite_into_a_room_falls_with_its_maker_there(
    database: str, owner: Owner, function: LiteralString
) -> None:
    with people(database, "Ann", "Abe", "Bob") as (ann, abe, bob):

        def outcome(act: Callable[[Club], object]) -> str | None:
            club = Club(owner, ann, abe)
            token = abe.call("create_tenant_invite", tenant_id=club.id, room_id=club.room)["token"]
            slug = overlap(owner, ann, lambda: act(club), bob, partial(accept, bob, token)).slug
            assert club.has(bob) == (slug is None)
            return slug

        assert (
            outcome(lambda club: ann.call(function, room_id=club.room, user_id=abe.id))
            == "invite_not_found"
        )
        assert outcome(lambda club: ann.call("update_room", room_id=club.room, topic="x")) is None


def test_an_invite_falls_with_the_account_of_its_maker(database: str, owner: Owner) -> None:
    with (
        people(database, "Ann", "Abe", "Bob") as (ann, abe, bob),
        psycopg.connect(database, autocommit=True) as auth,
        ThreadPoolExecutor(1) as thread,
    ):
        club = Club(owner, ann, abe)
        token = abe.call("create_tenant_invite", tenant_id=club.id)["token"]
        with auth.transaction():
            auth.execute("delete from auth.users where id = %s", [abe.id])
            waiting = thread.submit(accept, bob, token)
            wait_until_blocked(owner, bob)
        assert waiting.result(timeout=30).slug == "invite_not_found"
        assert not club.has(bob)


def test_of_two_owners_who_leave_at_once_one_stays(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Bob", "Abe") as (ann, bob, abe):

        def play() -> str:
            owner.execute("delete from chat_private.rate_buckets")
            club = Club(owner, ann, abe)
            club.add(bob, "owner")
            left = at_once(
                partial(ann.attempt, "remove_tenant_member", tenant_id=club.id, user_id=ann.id),
                partial(
                    bob.attempt,
                    "set_tenant_member_role",
                    tenant_id=club.id,
                    user_id=bob.id,
                    role="member",
                ),
            )
            assert {outcome.slug for outcome in left} == {None, "last_owner"}
            assert club.owners() == 1
            owner.execute("update chat.tenant_members set role = 'member' where role = 'owner'")
            return "Ann" if left[0].done else "Bob"

        repeat(play, "Ann", "Bob")


def test_of_two_owners_who_demote_each_other_one_stays(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Bob", "Abe") as (ann, bob, abe):

        def play() -> str:
            club = Club(owner, ann, abe)
            club.add(bob, "owner")
            demote = partial(
                Person.attempt,
                function="set_tenant_member_role",
                tenant_id=club.id,
                role="admin",
            )
            first, second = at_once(
                lambda: demote(ann, user_id=bob.id), lambda: demote(bob, user_id=ann.id)
            )
            assert {first.slug, second.slug} == {None, "not_allowed"}
            assert club.owners() == 1
            owner.execute("update chat.tenant_members set role = 'member' where role = 'owner'")
            return "Ann" if first.done else "Bob"

        repeat(play, "Ann", "Bob")


def test_an_owner_who_leaves_while_the_other_account_closes_leaves_an_owner(
    database: str, owner: Owner
) -> None:
    with people(database, "Ann", "Abe", *crowd(20)) as (ann, abe, *others):
        for other in others:
            owner.execute("delete from chat_private.rate_buckets")
            club = Club(owner, ann, abe)
            club.add(other, "owner")

            def close(other: Person = other) -> Outcome:
                with psycopg.connect(database, autocommit=True) as auth:
                    auth.execute("delete from auth.users where id = %s", [other.id])
                return Outcome({})

            def leave(club: Club = club) -> Outcome:
                return ann.attempt("remove_tenant_member", tenant_id=club.id, user_id=ann.id)

            def maintain() -> Outcome:
                with psycopg.connect(database, autocommit=True) as service:
                    service.execute("select chat.run_maintenance()")
                return Outcome({})

            left, *_ = at_once(leave, close, maintain)
            assert left.slug in {None, "last_owner"}
            while owner.execute(
                "select from jsonb_each_text(chat.run_maintenance()) as r where r.value <> '0'"
            ).rowcount:
                pass
            assert club.owners() == 1
            assert not club.has(other)
            owner.execute("update chat.tenant_members set role = 'member' where role = 'owner'")


@pytest.mark.parametrize("what", ["tenants", "invites"])
def test_a_cap_is_counted_exactly(database: str, owner: Owner, what: str) -> None:
    with people(database, "Ann", "Abe") as (ann, abe), ExitStack() as exits:
        devices = [exits.enter_context(Person(database, "Ann")) for _ in range(6)]
        for _ in range(5):
            owner.execute("update chat.tenant_members set role = 'member' where role = 'owner'")
            club = Club(owner, ann, abe)
            owner.execute(
                "update chat_private.settings set tenants_per_person = 3,"
                " open_invites_per_tenant = 2"
            )
            call: tuple[LiteralString, dict[str, Any]] = (
                ("create_tenant", {"name": "x"})
                if what == "tenants"
                else ("create_tenant_invite", {"tenant_id": club.id})
            )
            made = at_once(*(partial(device.attempt, call[0], **call[1]) for device in devices))
            assert sorted(each.slug or "" for each in made) == [""] * 2 + ["payload_too_large"] * 4


def test_an_account_that_opens_while_it_is_banned_is_out(database: str, owner: Owner) -> None:
    with people(database, "Ann") as (ann,), psycopg.connect(database, autocommit=True) as auth:
        owner.execute("update chat.tenant_members set role = 'owner' where user_id = %s", [ann.id])

        def play() -> str:
            owner.execute("delete from chat_private.rate_buckets")
            newcomer = uuid4()

            def open_account() -> Outcome:
                auth.execute("insert into auth.users (id) values (%s)", [newcomer])
                return Outcome({})

            _, banned = at_once(
                open_account,
                partial(ann.attempt, "ban_tenant_member", tenant_id=DEFAULT, user_id=newcomer),
            )
            assert banned.done
            places = owner.execute(
                "select removed_at from chat.tenant_members where user_id = %s", [newcomer]
            ).fetchall()
            assert all(removed_at is not None for (removed_at,) in places)
            return "in and out" if places else "never in"

        repeat(play, "in and out", "never in")


def test_a_busy_tenant_answers_a_stranger_like_an_absent_one(database: str, owner: Owner) -> None:
    strangers_try: dict[LiteralString, dict[str, object]] = {
        "create_tenant_invite": {},
        "revoke_tenant_invite": {"invite_id": uuid4()},
        "set_tenant_member_role": {"user_id": uuid4(), "role": "member"},
        "remove_tenant_member": {"user_id": uuid4()},
        "ban_tenant_member": {"user_id": uuid4()},
        "unban_tenant_member": {"user_id": uuid4()},
        "create_room": {"name": "x"},
    }
    with people(database, "Ann", "Abe", "Dan") as (ann, abe, dan):
        club = Club(owner, ann, abe)
        for person in (abe, dan):
            person.connection.execute("set lock_timeout = '100ms'")
        with owner.transaction():
            owner.execute("select from chat.tenants where tenant_id = %s for update", [club.id])
            for function, arguments in strangers_try.items():
                busy = dan.attempt(function, tenant_id=club.id, **arguments)
                absent = dan.attempt(function, tenant_id=uuid4(), **arguments)
                assert busy == absent, function
                assert busy.slug == "not_allowed", function
            with pytest.raises(psycopg.errors.LockNotAvailable):
                abe.call("create_tenant_invite", tenant_id=club.id)


def test_a_busy_person_elsewhere_answers_like_nobody(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Abe", "Bob", "Vic") as (ann, abe, bob, vic):
        owner.execute("select tests.move_to_another_tenant('Vic')")
        club = Club(owner, ann, abe)
        room = ann.call("create_room", name="x", tenant_id=DEFAULT)["id"]

        def name(person_id: UUID) -> list[str | None]:
            """Everything that names somebody, and how it was answered."""
            return [
                ann.attempt("add_member", room_id=room, user_id=person_id).slug,
                ann.attempt("ban_member", room_id=room, user_id=person_id).slug,
                ann.attempt("unban_member", room_id=room, user_id=person_id).slug,
                ann.attempt("remove_member", room_id=room, user_id=person_id).slug,
                ann.attempt("mute_member", room_id=room, user_id=person_id).slug,
                ann.attempt("set_member_role", room_id=room, user_id=person_id, role="admin").slug,
                ann.attempt("create_room", name="x", member_ids=[person_id]).slug,
                ann.attempt("open_direct", user_id=person_id).slug,
                ann.attempt("remove_tenant_member", tenant_id=club.id, user_id=person_id).slug,
                ann.attempt("ban_tenant_member", tenant_id=club.id, user_id=person_id).slug,
                ann.attempt("unban_tenant_member", tenant_id=club.id, user_id=person_id).slug,
                ann.attempt(
                    "set_tenant_member_role", tenant_id=club.id, user_id=person_id, role="admin"
                ).slug,
                ann.attempt("explain_access", topic=f"user:{person_id}:1", user_id=person_id).slug,
                ann.attempt("explain_access", topic=f"live:{room}:1", user_id=person_id).row.get(
                    "reason"
                ),
                str(len(ann.rows("list_profiles", user_ids=[person_id], room_id=room))),
                ann.attempt(
                    "send_message", room_id=room, body="x", client_id=uuid4(), mentions=[person_id]
                ).slug,
            ]

        ann.connection.execute("set lock_timeout = '100ms'")
        with owner.transaction():
            for table in ("chat.profiles", "chat_private.user_streams", "chat.tenant_members"):
                owner.execute(
                    f"select from {table} where user_id = any (%s) for update",
                    [[vic.id, bob.id]],
                )
            assert name(vic.id) == name(uuid4())
            with pytest.raises(psycopg.errors.LockNotAvailable):
                ann.call("add_member", room_id=room, user_id=bob.id)
        assert ann.attempt("add_member", room_id=room, user_id=bob.id).done
