"""What happens when people act at the same moment, each on a connection of their own."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from functools import partial
from typing import Any, LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from parley.stack import Status
from tests.people import Outcome, Person, at_once, crowd, overlap, people
from tests.sql.invariants import assert_invariants

Owner = psycopg.Connection[Any]
Play = Callable[[], Hashable]
ROUNDS = 30
MOST_ROUNDS = 600
LOCK_TIMEOUT = 0.25


@pytest.fixture
def owner(database: str) -> Iterator[Owner]:
    """A connection past all rights; when the test is over, every invariant holds."""
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection
        assert_invariants(connection)


def open_room(creator: Person, *members: Person, role: str = "member") -> UUID:
    room: UUID = creator.call(
        "create_room", name="Room", member_ids=[member.id for member in members]
    )["id"]
    if role != "member":
        for member in members:
            creator.call("set_member_role", room_id=room, user_id=member.id, role=role)
    return room


def say(person: Person, room: UUID, body: str = "x") -> Outcome:
    return person.attempt("send_message", room_id=room, body=body, client_id=uuid4())


def send_batch(person: Person, *rooms: UUID) -> list[str | None]:
    """Send one message to each room in one call; return the reason of each refusal."""
    items = [{"room_id": str(room), "client_id": str(uuid4()), "body": "x"} for room in rooms]
    return [row["reason"] for row in person.rows("send_messages", items=Jsonb(items))]


def repeat(play: Play, *ways: Hashable) -> None:
    """Play a race ROUNDS times, and on until it has gone each of the ways."""
    results: Counter[Hashable] = Counter()
    while results.total() < ROUNDS or not results.keys() >= set(ways):
        results[play()] += 1
        assert results.keys() <= set(ways), f"it went {results}"
        assert results.total() < MOST_ROUNDS, f"it only went {results}"


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


def test_sixteen_senders_leave_no_gap_at_any_moment(database: str, owner: Owner) -> None:
    with people(database, *crowd(17)) as (reader, *senders):
        room = open_room(reader, *senders[:15])
        reader.call("add_member", room_id=room, user_id=senders[15].id)
        sending = threading.Event()

        def send_all(sender: Person) -> int:
            try:
                return sum(say(sender, room, f"{sender.name} {n}").done for n in range(25))
            finally:
                sending.set()

        def watch() -> int:
            looks = 0
            with psycopg.connect(database, autocommit=True) as other:
                while not sending.is_set():
                    numbers = other.execute(
                        "select r.last_seq, r.rev, count(m.seq), max(m.seq), max(m.rev)"
                        " from chat.rooms as r join chat.messages as m on m.room_id = r.id"
                        " where r.id = %s group by r.id",
                        [room],
                    ).fetchone()
                    assert numbers is not None
                    assert numbers[0] == numbers[2] == numbers[3], numbers
                    assert numbers[1] == numbers[4], numbers
                    looks += 1
            return looks

        counts = at_once(*(partial(send_all, sender) for sender in senders), watch)
        assert counts[:-1] == [25] * 16
        assert counts[-1] > 0
        for sender in senders:
            bodies = [
                row[0]
                for row in owner.execute(
                    "select body from chat.messages where sender_id = %s and kind = 'text'"
                    " order by seq",
                    [sender.id],
                )
            ]
            assert bodies == [f"{sender.name} {n}" for n in range(25)]


def test_the_same_send_sixteen_times_at_once_is_one_message(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Bob") as (ann, bob):
        room = open_room(ann, bob)
        devices = [Person(database, "Bob") for _ in range(16)]
        try:
            for number in range(1, ROUNDS + 1):
                client_id = uuid4()
                sent = at_once(
                    *(
                        partial(
                            device.call,
                            "send_message",
                            room_id=room,
                            body="once",
                            client_id=client_id,
                        )
                        for device in devices
                    )
                )
                assert {row["seq"] for row in sent} == {number}
        finally:
            for device in devices:
                device.connection.close()
        head = owner.execute("select last_seq, rev from chat.rooms").fetchone()
        assert head == (ROUNDS, ROUNDS + 1)


def test_a_first_token_is_given_once_to_devices_that_send_at_once(
    database: str, owner: Owner
) -> None:
    with people(database, "Ann", "Bob") as (ann, bob):
        rooms = [open_room(ann, bob) for _ in range(8)]
        devices = [Person(database, "Bob") for _ in rooms]
        owner.execute("update chat_private.settings set send_burst = 2, sends_per_second = 1")
        try:
            for _ in range(ROUNDS):
                owner.execute("delete from chat_private.rate_buckets")
                began = time.monotonic()
                outcomes = at_once(*map(partial, [say] * 8, devices, rooms))
                slugs = Counter(outcome.slug for outcome in outcomes)
                assert 2 <= slugs[None] <= 2 + time.monotonic() - began
                assert slugs[None] + slugs["slow_down"] == 8
        finally:
            for device in devices:
                device.connection.close()


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


def test_a_retry_does_not_wait_for_a_busy_room(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Bob") as (ann, bob):
        room = open_room(ann, bob)
        message = {"room_id": room, "body": "Hello", "client_id": uuid4()}
        sent = bob.call("send_message", **message)
        bob.connection.execute("set lock_timeout = '100ms'")
        with owner.transaction():
            owner.execute("select from chat.rooms where id = %s for update", [room])
            assert bob.call("send_message", **message) == sent
            with pytest.raises(psycopg.errors.LockNotAvailable):
                say(bob, room)
        assert say(bob, room).row["seq"] == sent["seq"] + 1


def test_a_locked_partition_delays_a_send_by_the_lock_timeout(database: str, stack: Status) -> None:
    name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    with (
        people(database, "Ann", "Bob") as (ann, bob),
        psycopg.connect(stack.admin_db_url, dbname=name) as platform,
    ):
        room = open_room(ann, bob)
        platform.execute("lock table realtime.messages in access exclusive mode")
        began = time.monotonic()
        first = say(ann, room)
        waited = time.monotonic() - began
        platform.rollback()
        second = say(ann, room)
        steps = platform.execute(
            "select distinct (payload ->> 'to')::bigint from realtime.messages"
            " where payload ->> 'room_id' = %s order by 1",
            [str(room)],
        ).fetchall()
    assert (first.row["seq"], second.row["seq"]) == (1, 2)
    assert LOCK_TIMEOUT <= waited < 4 * LOCK_TIMEOUT
    assert steps == [(1,), (3,)]


def test_a_missing_partition_fails_no_write(database: str, stack: Status) -> None:
    name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    with (
        people(database, "Ann", "Bob") as (ann, bob),
        psycopg.connect(stack.admin_db_url, dbname=name, autocommit=True) as platform,
    ):
        room = open_room(ann, bob)
        for (partition,) in platform.execute(
            "select inhrelid::regclass::text from pg_inherits"
            " where inhparent = 'realtime.messages'::regclass"
        ).fetchall():
            platform.execute(f"drop table {partition}")
        assert say(ann, room).row["seq"] == 1
        assert ann.attempt("remove_member", room_id=room, user_id=bob.id).done
        assert not say(bob, room).done
        platform.execute("select _realtime.keep_partitions()")
        assert say(ann, room).row["seq"] == 3
        found = platform.execute("select count(*) from realtime.messages").fetchone()
        assert found == (1,)


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


def test_an_invite_lets_in_no_more_than_it_says(database: str, owner: Owner) -> None:
    with people(database, "Ann", *crowd(8)) as (ann, *guests):
        for most in range(1, 8):
            for _ in range(4):
                room = open_room(ann)
                token = ann.call("create_invite", room_id=room, max_uses=most)["token"]
                outcomes = at_once(
                    *(partial(guest.attempt, "accept_invite", token=token) for guest in guests)
                )
                slugs = Counter(outcome.slug for outcome in outcomes)
                assert slugs == {None: most, "invite_expired": 8 - most}
                found = owner.execute(
                    "select i.used_count, r.member_count from chat.invites as i"
                    " join chat.rooms as r on r.id = i.room_id where r.id = %s",
                    [room],
                ).fetchone()
                assert found == (most, most + 1)


CALLS_OF_ONE: dict[str, Callable[[Person, UUID, UUID, Person], Outcome]] = {
    "mark": lambda bob, mine, *_: bob.attempt("mark_read", room_id=mine, seq=1),
    "prefer": lambda bob, mine, *_: bob.attempt(
        "set_room_preferences", room_id=mine, notify="mentions"
    ),
    "create": lambda bob, *_: bob.attempt("create_room", name="Mine"),
    "join": lambda bob, _, public, __: bob.attempt("join_room", room_id=public),
    "open direct": lambda bob, _, __, other: bob.attempt("open_direct", user_id=other.id),
    "rename": lambda bob, *_: bob.attempt("update_profile", display_name="Robert"),
}


@pytest.mark.parametrize("what", CALLS_OF_ONE)
def test_who_closed_their_account_meanwhile_does_nothing(
    database: str, owner: Owner, what: str
) -> None:
    with people(database, "Ann", "Bob", "Cat") as (ann, bob, cat):

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
        assert wait_for(closed, cat).slug == "sign_in_required"
        assert bob.attempt("list_heads").slug == "sign_in_required"


def test_two_imports_with_the_same_strangers_do_not_wait_for_each_other(
    database: str, owner: Owner
) -> None:
    with people(database, "Ann") as (ann,):
        strangers = [str(uuid4()) for _ in range(300)]

        def bring_in(room: UUID, senders: list[str]) -> None:
            items = [
                {
                    "client_id": str(uuid4()),
                    "sender_id": sender,
                    "sender_name": "Stranger",
                    "body": "x",
                    "created_at": f"2020-01-01T00:{place // 60:02}:{place % 60:02}Z",
                }
                for place, sender in enumerate(senders)
            ]
            with psycopg.connect(database, autocommit=True) as service:
                service.execute("select chat_private.import_messages(%s, %s)", [room, Jsonb(items)])

        for _ in range(5):
            rooms = [
                owner.execute(
                    "select (chat_private.open_imported_room(gen_random_uuid(), 'Old', %s)).id",
                    [[ann.id]],
                ).fetchone()
                for _ in range(2)
            ]
            (first,), (second,) = [room for room in rooms if room]
            at_once(partial(bring_in, first, strangers), partial(bring_in, second, strangers[::-1]))
            strangers = [str(uuid4()) for _ in range(300)]


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


def test_a_room_that_grows_while_people_send_loses_no_step(database: str, owner: Owner) -> None:
    owner.execute("update chat_private.settings set fanout_limit = 6")
    with people(database, "Ann", "Bob", "Cat", *crowd(12)) as (ann, bob, cat, *crew):
        for _ in range(6):
            room = open_room(ann, bob, cat)
            at_once(
                lambda: [ann.call("add_member", room_id=room, user_id=p.id) for p in crew],  # noqa: B023
                lambda: [say(bob, room) for _ in range(25)],  # noqa: B023
                lambda: [say(cat, room) for _ in range(25)],  # noqa: B023
            )
            ways = owner.execute(
                "select (m.payload ->> 'to')::bigint as step,"
                " bool_or(m.topic like 'user:%%'), bool_or(m.topic like 'room:%%')"
                " from realtime.messages as m where m.payload ->> 'room_id' = %s"
                " group by step order by step",
                [str(room)],
            ).fetchall()
            small = [to_users for _, to_users, _ in ways]
            large = [to_room for _, _, to_room in ways]
            turn = large.index(True)
            assert 0 < turn < len(ways) - 1
            assert small == [True] * (turn + 1) + [False] * (len(ways) - turn - 1)
            assert large == [False] * turn + [True] * (len(ways) - turn)


def test_of_an_edit_and_a_delete_at_once_the_delete_stays(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Bob") as (ann, bob):
        room = open_room(ann, bob)

        def play() -> str:
            seq = say(bob, room, "said").row["seq"]
            edited, deleted = at_once(
                partial(bob.attempt, "edit_message", room_id=room, seq=seq, body="edited"),
                partial(ann.attempt, "delete_message", room_id=room, seq=seq),
            )
            assert deleted.done
            assert edited.slug in {None, "message_deleted"}
            left = owner.execute(
                "select m.body, count(e.rev) from chat.messages as m"
                " left join chat.message_edits as e on e.room_id = m.room_id and e.seq = m.seq"
                " where m.room_id = %s and m.seq = %s group by m.body",
                [room, seq],
            ).fetchone()
            assert left == ("", 0)
            return "edited first" if edited.done else "deleted first"

        repeat(play, "edited first", "deleted first")


def test_of_two_edits_of_the_same_state_one_is_told_of_the_other(
    database: str, owner: Owner
) -> None:
    with people(database, "Ann", "Bob") as (ann, bob), Person(database, "Bob") as tablet:
        room = open_room(ann, bob)

        def play() -> str:
            message = say(bob, room, "said").row
            edit = partial(
                Person.attempt,
                function="edit_message",
                room_id=room,
                seq=message["seq"],
                expected_rev=message["rev"],
            )
            first, second = at_once(
                lambda: edit(bob, body="by phone"), lambda: edit(tablet, body="by tablet")
            )
            assert {first.slug, second.slug} == {None, "edit_conflict"}
            return "phone" if first.done else "tablet"

        repeat(play, "phone", "tablet")


def test_a_storm_of_reactions_ends_where_each_left_off(database: str, owner: Owner) -> None:
    with people(database, *crowd(8)) as everybody:
        room = open_room(everybody[0], *everybody[1:])
        seq = say(everybody[0], room).row["seq"]

        def storm(person: Person) -> bool:
            dice = random.Random(person.name)
            last = False
            for _ in range(40):
                last = dice.random() < 0.5
                person.call(
                    "add_reaction" if last else "remove_reaction",
                    room_id=room,
                    seq=seq,
                    emoji="👍",
                )
            return last

        ends = at_once(*(partial(storm, person) for person in everybody))
        reacting = {
            row[0]
            for row in owner.execute("select user_id from chat.reactions where removed_at is null")
        }
        assert reacting == {
            person.id for person, stays in zip(everybody, ends, strict=True) if stays
        }


def test_marks_from_many_devices_end_at_the_furthest(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Bob") as (ann, bob), Person(database, "Bob") as tablet:
        room = open_room(ann, bob)
        for _ in range(60):
            say(ann, room)

        def mark(device: Person) -> list[int]:
            dice = random.Random(device.pid)
            seen = []
            for _ in range(60):
                seq = dice.randint(0, 90)
                if dice.random() < 0.5:
                    row = device.call("mark_read", room_id=room, seq=seq)
                else:
                    row = device.call("mark_delivered", cursors=Jsonb({str(room): seq}))
                seen.append(row["read_seq"])
            return seen

        for seen in at_once(partial(mark, bob), partial(mark, tablet)):
            assert seen == sorted(seen)
        bob.call("mark_read", room_id=room, seq=10**9)
        ends = owner.execute(
            "select k.read_seq, k.delivered_seq, r.last_seq from chat.marks as k"
            " join chat.rooms as r on r.id = k.room_id where k.user_id = %s",
            [bob.id],
        ).fetchone()
        assert ends == (60, 60, 60)


def test_the_same_batch_twice_at_once_is_sent_once(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Bob") as (ann, bob), Person(database, "Bob") as tablet:
        rooms = [open_room(ann, bob) for _ in range(10)]
        for _ in range(10):
            items = Jsonb(
                [
                    {"room_id": str(room), "client_id": str(uuid4()), "body": f"{n}"}
                    for n in range(3)
                    for room in random.sample(rooms, len(rooms))
                ]
            )
            sent = at_once(
                partial(bob.rows, "send_messages", items=items),
                partial(tablet.rows, "send_messages", items=items),
            )
            for pair in zip(*sent, strict=True):
                assert sorted(row["outcome"] for row in pair) == ["duplicate", "sent"]
                assert pair[0]["message"] == pair[1]["message"]
        for room in rooms:
            bodies = owner.execute(
                "select string_agg(body, '' order by seq) from chat.messages where room_id = %s",
                [room],
            ).fetchone()
            assert bodies == ("012" * 10,)


def test_who_call_the_same_people_at_once_do_not_wait_in_a_circle(
    database: str, owner: Owner
) -> None:
    with people(database, *crowd(12)) as everybody:
        callers = everybody[:6]
        rooms = [
            open_room(caller, *(person for person in everybody if person is not caller))
            for caller in callers
        ]

        def call_all(caller: Person, room: UUID) -> None:
            for _ in range(30):
                called = random.sample([person.id for person in everybody], len(everybody))
                caller.call(
                    "send_message", room_id=room, body="x", client_id=uuid4(), mentions=called
                )

        at_once(*(partial(call_all, *pair) for pair in zip(callers, rooms, strict=True)))
        told = owner.execute(
            "select count(*) from chat.notifications where kind = 'mention'"
        ).fetchone()
        assert told == (6 * 30 * 11,)


class Storm:
    """Fifty rooms with overlapping owners, who do whatever they like in them."""

    def __init__(self, creator: Person, everybody: list[Person]) -> None:
        self.everybody = everybody
        self.tenant: UUID = creator.call("create_tenant", name="Club")["tenant_id"]
        for person in everybody[1:]:
            creator.call("add_tenant_member", tenant_id=self.tenant, user_id=person.id)
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
            "edit_message": (8, message | {"body": f"{dice.random()}"}),
            "delete_message": (2, message),
            "add_reaction": (6, message | {"emoji": "👍"}),
            "remove_reaction": (4, message | {"emoji": "👍"}),
            "pin_message": (4, message),
            "unpin_message": (4, message),
            "mark_read": (6, message),
            "mark_delivered": (6, {"cursors": Jsonb({str(one): 3 for one in some})}),
            "mark_notifications_read": (4, {"up_to": dice.randint(1, 50)}),
            "set_room_preferences": (4, in_room | {"pinned": dice.random() < 0.5}),
            "create_invite": (4, in_room),
            "update_room": (4, in_room | {"topic": f"{dice.random()}"}),
            "add_tenant_member": (4, {"tenant_id": self.tenant, "user_id": target}),
            "remove_tenant_member": (1, {"tenant_id": self.tenant, "user_id": target}),
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
