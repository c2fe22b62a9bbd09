"""Rooms that people open, enter and lose at the same moment, each on a connection of their own."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.people import Outcome, Person, Server, at_once, crowd, overlap, people
from tests.sql.races import Owner, open_room, repeat, say, send_batch

FENCES: dict[LiteralString, str] = {
    "remove_member": "room_not_found",
    "ban_member": "room_not_found",
    "mute_member": "member_muted",
    "archive_room": "room_archived",
}


def fence(person: Person, function: LiteralString, room: UUID, target: Person) -> Outcome:
    if function == "archive_room":
        return person.attempt(function, room_id=room)
    return person.attempt(function, room_id=room, user_id=target.id)


def act(person: Person, kind: str, room: UUID, seq: int, other: Person) -> str | None:
    """Do something of a kind in a room; return the slug when it was refused."""
    match kind:
        case "send":
            return say(person, room).slug
        case "batch":
            return send_batch(person, room)[0]
        case "edit":
            outcome = person.attempt("edit_message", room_id=room, seq=seq, body="edited")
        case "delete":
            outcome = person.attempt("delete_message", room_id=room, seq=seq)
        case "react":
            outcome = person.attempt("add_reaction", room_id=room, seq=seq, emoji="👍")
        case "pin":
            outcome = person.attempt("pin_message", room_id=room, seq=seq)
        case "invite":
            outcome = person.attempt("create_invite", room_id=room)
        case "promote":
            outcome = person.attempt(
                "set_member_role", room_id=room, user_id=other.id, role="reader"
            )
        case _:
            raise AssertionError(kind)
    return outcome.slug


ACTS = ["send", "batch", "edit", "delete", "react", "pin", "invite", "promote"]


@pytest.mark.parametrize("kind", ACTS)
def test_what_waits_for_a_fence_is_refused(database: str, owner: Owner, kind: str) -> None:
    with people(database, "Ann", "Bob", "Cat") as (ann, bob, cat):

        def wait_for(hold: Callable[[UUID], object]) -> str | None:
            room = open_room(ann, bob, cat, role="admin")
            ann.call("set_member_role", room_id=room, user_id=cat.id, role="member")
            seq = say(bob, room).row["seq"]
            return overlap(
                owner, ann, lambda: hold(room), bob, lambda: act(bob, kind, room, seq, cat)
            )

        for function, slug in FENCES.items():
            assert wait_for(partial(fence, ann, function, target=bob)) == slug
        assert wait_for(lambda room: ann.call("update_room", room_id=room, topic="Plans")) is None


@pytest.mark.parametrize("function", FENCES)
def test_a_fence_cuts_what_somebody_is_sending(
    database: str, owner: Owner, function: LiteralString
) -> None:
    with people(database, "Ann", "Bob", "Cat") as (ann, bob, cat):

        def play() -> str:
            room = open_room(ann, bob, cat)
            sent, fenced = at_once(
                lambda: [say(bob, room) for _ in range(6)],
                lambda: [fence(ann, function, room, bob)],
            )
            assert fenced[0].done
            slugs = [outcome.slug for outcome in sent]
            before = slugs.count(None)
            assert slugs == [None] * before + [FENCES[function]] * (6 - before)
            return "cut" if 0 < before < 6 else "whole"

        repeat(play, "cut", "whole")


def test_two_who_open_a_direct_room_at_once_share_it(database: str, owner: Owner) -> None:
    with people(database, *crowd(14)) as everybody:
        pairs = [(a, b) for a in everybody for b in everybody if a.name < b.name]
        for a, b in pairs:
            rooms = at_once(
                partial(a.call, "open_direct", user_id=b.id),
                partial(b.call, "open_direct", user_id=a.id),
            )
            assert rooms[0]["id"] == rooms[1]["id"]
        found = owner.execute("select count(*), max(rev) from chat.rooms").fetchone()
        assert found == (len(pairs), 1)


STRANGERS_TRY: dict[LiteralString, dict[str, object]] = {
    "send_message": {"body": "x", "client_id": uuid4()},
    "list_messages": {},
    "list_members": {},
    "join_room": {},
    "leave_room": {},
    "update_room": {"name": "x"},
    "archive_room": {},
    "add_member": {"user_id": uuid4()},
    "remove_member": {"user_id": uuid4()},
    "set_member_role": {"user_id": uuid4(), "role": "owner"},
    "mute_member": {"user_id": uuid4()},
    "ban_member": {"user_id": uuid4()},
    "unban_member": {"user_id": uuid4()},
    "create_invite": {},
    "revoke_invite": {"invite_id": uuid4()},
    "edit_message": {"seq": 1, "body": "x"},
    "delete_message": {"seq": 1},
    "add_reaction": {"seq": 1, "emoji": "👍"},
    "remove_reaction": {"seq": 1, "emoji": "👍"},
    "pin_message": {"seq": 1},
    "unpin_message": {"seq": 1},
    "mark_read": {"seq": 1},
    "list_receipts": {"seq": 1},
    "list_thread": {"thread_root": 1},
    "set_room_preferences": {"notify": "none"},
    "clear_history": {},
}


def test_a_busy_room_answers_a_stranger_like_an_absent_one(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Bob", "Dan", "Xen") as (ann, bob, dan, xen):
        room = open_room(ann, bob, xen)
        xen.call("leave_room", room_id=room)
        for person in (bob, dan, xen):
            person.connection.execute("set lock_timeout = '100ms'")
        with owner.transaction():
            owner.execute("select from chat.rooms where id = %s for update", [room])
            for function, arguments in STRANGERS_TRY.items():
                for stranger in (dan, xen):
                    busy = stranger.attempt(function, room_id=room, **arguments)
                    absent = stranger.attempt(function, room_id=uuid4(), **arguments)
                    assert busy == absent, function
                    assert busy.slug == "room_not_found", function
            assert send_batch(dan, room) == send_batch(dan, uuid4()) == ["room_not_found"]
            with pytest.raises(psycopg.errors.LockNotAvailable):
                say(bob, room)
        assert say(bob, room).done


CALLS_OF_ONE: dict[str, Callable[[Person, UUID, UUID, Person], Outcome]] = {
    "mark": lambda bob, mine, *_: bob.attempt("mark_read", room_id=mine, seq=1),
    "prefer": lambda bob, mine, *_: bob.attempt(
        "set_room_preferences", room_id=mine, notify="mentions"
    ),
    "clear": lambda bob, mine, *_: bob.attempt("clear_history", room_id=mine),
    "create": lambda bob, *_: bob.attempt("create_room", name="Mine"),
    "join": lambda bob, _, public, __: bob.attempt("join_room", room_id=public),
    "open direct": lambda bob, _, __, other: bob.attempt("open_direct", user_id=other.id),
    "rename": lambda bob, *_: bob.attempt("update_profile", display_name="Robert"),
}


@pytest.mark.parametrize(
    ("caller", "slug"), [(Person, "sign_in_required"), (Server, "user_not_found")]
)
@pytest.mark.parametrize("what", CALLS_OF_ONE)
def test_nobody_acts_as_an_account_that_was_closed_meanwhile(
    database: str, owner: Owner, what: str, caller: type[Person], slug: str
) -> None:
    with (
        people(database, "Ann", "Bob", "Cat") as (ann, _, cat),
        caller(database, "Bob") as bob,
    ):

        def wait_for(statement: LiteralString, other: Person) -> Outcome:
            mine = open_room(ann, bob)
            public = ann.call("create_room", name="Plaza", is_public=True)["id"]
            say(ann, mine)

            def hold() -> None:
                ann.connection.execute("set local role none")
                ann.connection.execute(statement, {"id": bob.id})

            return overlap(
                owner, ann, hold, bob, lambda: CALLS_OF_ONE[what](bob, mine, public, other)
            )

        touched: LiteralString = (
            "with stream as (update chat_private.user_streams set rev = rev where user_id = %(id)s)"
            " update chat.profiles set label = label where user_id = %(id)s"
        )
        assert wait_for(touched, ann).done
        closed: LiteralString = "delete from auth.users where id = %(id)s"
        assert wait_for(closed, cat).slug == slug
        assert bob.attempt("list_heads").slug == slug


@pytest.mark.parametrize("way", ["accept_invite", "add_member"])
def test_who_is_banned_while_coming_in_is_out(database: str, owner: Owner, way: str) -> None:
    with people(database, "Ann", "Bob", "Mia") as (ann, bob, mia):

        def play() -> str:
            room = open_room(ann, mia, role="moderator")
            token = ann.call("create_invite", room_id=room)["token"]
            entered, banned = at_once(
                partial(bob.attempt, "accept_invite", token=token)
                if way == "accept_invite"
                else partial(mia.attempt, "add_member", room_id=room, user_id=bob.id),
                partial(ann.attempt, "ban_member", room_id=room, user_id=bob.id),
            )
            assert banned.done
            assert entered.slug in {None, "not_allowed"}
            assert say(bob, room).slug == "room_not_found"
            return "in and out" if entered.done else "never in"

        repeat(play, "in and out", "never in")


def test_an_invite_revoked_while_it_is_accepted_was_accepted_before_or_not_at_all(
    database: str, owner: Owner
) -> None:
    with people(database, "Ann", "Bob") as (ann, bob):

        def play() -> str:
            room = open_room(ann)
            invite = ann.call("create_invite", room_id=room)
            entered, revoked = at_once(
                partial(bob.attempt, "accept_invite", token=invite["token"]),
                partial(ann.attempt, "revoke_invite", room_id=room, invite_id=invite["invite_id"]),
            )
            assert revoked.done
            if entered.done:
                assert entered.row["joined_rev"] < revoked.row["rev"]
                return "accepted"
            assert entered.slug == "invite_not_found"
            return "revoked"

        repeat(play, "accepted", "revoked")


class Storm:
    """Fifty rooms with overlapping owners, who do whatever they like in them."""

    def __init__(self, creator: Person, everybody: list[Person]) -> None:
        self.everybody = everybody
        self.tenant: UUID = creator.call("create_tenant", name="Club")["tenant_id"]
        self.token: str = creator.call(
            "create_tenant_invite", tenant_id=self.tenant, max_uses=1000
        )["token"]
        for person in everybody[1:]:
            person.call("accept_tenant_invite", token=self.token)
        dice = random.Random("rooms")
        self.rooms: list[UUID] = [
            dice.choice(everybody).call(
                "create_room",
                name=f"Room {number}",
                tenant_id=self.tenant,
                is_public=number % 3 == 0,
                history="since_join" if number % 4 == 0 else "all",
                member_ids=[person.id for person in dice.sample(everybody, 9)],
            )["id"]
            for number in range(50)
        ]

    def do_something(self, person: Person, dice: random.Random) -> str:
        """Do one random thing; return what it was, and why if it was refused."""
        room = dice.choice(self.rooms)
        target = dice.choice(self.everybody).id
        in_room: dict[str, object] = {"room_id": room}
        message = in_room | {"seq": dice.randint(1, 6)}
        member = in_room | {"user_id": target}
        called = [person.id for person in dice.sample(self.everybody, 3)]
        some = dice.sample(self.rooms, 15)
        batch = [
            {
                "room_id": str(one),
                "client_id": str(uuid4()),
                "body": "x",
                "mentions": [str(user_id) for user_id in called],
            }
            for one in some
        ]
        roles = ["admin", "member"]
        new = {"name": "New", "tenant_id": self.tenant, "member_ids": called}
        # What opens is likelier than what closes, so that the rooms stay alive.
        acts: dict[LiteralString, tuple[int, dict[str, object]]] = {
            "send_message": (12, in_room | {"body": "x", "client_id": uuid4(), "mentions": called}),
            "send_messages": (8, {"items": Jsonb(batch)}),
            "add_member": (20, member | {"role": dice.choice(["owner", "member"])}),
            "unban_member": (8, member),
            "unarchive_room": (8, in_room),
            "unmute_member": (8, member),
            "set_member_role": (6, member | {"role": dice.choice(["owner", "admin", "reader"])}),
            "remove_member": (4, member),
            "ban_member": (3, member),
            "mute_member": (2, member),
            "archive_room": (2, in_room),
            "join_room": (6, in_room),
            "leave_room": (2, in_room),
            "create_room": (3, new),
            "open_direct": (4, {"user_id": target, "tenant_id": self.tenant}),
            "edit_message": (8, message | {"body": f"{dice.random()}", "mentions": [target]}),
            "delete_message": (2, message),
            "add_reaction": (6, message | {"emoji": "👍"}),
            "remove_reaction": (4, message | {"emoji": "👍"}),
            "pin_message": (4, message),
            "unpin_message": (4, message),
            "mark_read": (6, message),
            "mark_delivered": (6, {"cursors": Jsonb({str(one): 3 for one in some})}),
            "mark_notifications_read": (4, {"up_to": dice.randint(1, 50)}),
            "set_room_preferences": (4, in_room | {"marked_unread": dice.random() < 0.5}),
            "clear_history": (2, in_room),
            "create_invite": (4, in_room),
            "update_room": (4, in_room | {"topic": f"{dice.random()}"}),
            "accept_tenant_invite": (6, {"token": self.token}),
            "remove_tenant_member": (1, {"tenant_id": self.tenant, "user_id": target}),
            "ban_tenant_member": (1, {"tenant_id": self.tenant, "user_id": target}),
            "unban_tenant_member": (3, {"tenant_id": self.tenant, "user_id": target}),
            "set_tenant_member_role": (
                2,
                {"tenant_id": self.tenant, "user_id": target, "role": dice.choice(roles)},
            ),
            "create_tenant_invite": (1, {"tenant_id": self.tenant, "room_id": room}),
        }
        name = dice.choices(list(acts), [weight for weight, _ in acts.values()])[0]
        outcome = person.attempt(name, **acts[name][1])
        return name if outcome.done else f"{name}: {outcome.slug}"


def test_a_storm_over_fifty_rooms_breaks_no_invariant(database: str, owner: Owner) -> None:
    owner.execute("update chat_private.settings set fanout_limit = 11")
    with people(database, *crowd(12)) as everybody:
        storm = Storm(everybody[0], everybody)
        owner.execute("update chat.room_members set role = 'owner'")

        def play(person: Person) -> Counter[str]:
            dice = random.Random(person.name)
            return Counter(storm.do_something(person, dice) for _ in range(150))

        done = sum(at_once(*(partial(play, person) for person in everybody)), Counter[str]())
        succeeded = Counter({what: times for what, times in done.items() if ":" not in what})
        assert len(succeeded) >= 25, done
        assert succeeded.total() > done.total() / 3, done
